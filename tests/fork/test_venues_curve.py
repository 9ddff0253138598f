"""Curve's own pools in recorded blocks: five ways to call ``exchange``, each paid back through a v2 pair."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from recorded import needs_recordings
from venue_chain import (
    DUST,
    ETH,
    EXECUTOR,
    PROBE,
    Chain,
    Deal,
    approve,
    balance_of,
    by,
    eth_of,
    out_of,
    sale,
    transfer,
)
from venue_recorded import CRVUSD, USDC, USDE, USDT, WBTC, WETH, Recordings, allow_nothing

from bot import abi
from bot.execution.steps import CurveKind, CurveSwap, Pay, Step, Steps, Unwrap, Wrap
from bot.simulation.types import Call

pytestmark = needs_recordings

PLAIN, CRYPTO, RECEIVED = CurveKind.PLAIN, CurveKind.CRYPTO, CurveKind.RECEIVED
ETH_IN, ETH_OUT = CurveKind.ETH_IN, CurveKind.ETH_OUT

THREE_POOL = "0xbebc44782c7db0a1a60cb6fe97d0b483032ff1c7"  # 2020; its exchange returns nothing
FACTORY_PLAIN = "0x4dece678ceceb27446b35c672dc7d61f30bad69e"
TRICRYPTO_2 = "0xd51a44d3fae010294c616388b506acda1bfaae46"
TRICRYPTO_CRV = "0x4ebdf703948ddcea3b11f675b4d1fba9d2414a14"  # tricrypto-ng, with ETH
TRICRYPTO_USDC = "0x7f86bf177dd4f3494b841a37e810a34dd56c829b"
STABLE_NG = "0x02950460e2b9529d0e00284a5fa2d7bdf3fa4d72"

SIGNATURES = {
    PLAIN: "exchange(int128,int128,uint256,uint256)",
    CRYPTO: "exchange(uint256,uint256,uint256,uint256)",
    RECEIVED: "exchange_received(int128,int128,uint256,uint256,address)",
    ETH_IN: "exchange(uint256,uint256,uint256,uint256,bool)",
    ETH_OUT: "exchange(uint256,uint256,uint256,uint256,bool)",
}


@dataclass(frozen=True)
class Case:
    """A swap in the state after a block's first ``count`` transactions."""

    block: int
    count: int
    pool: str
    kind: CurveKind
    coins: tuple[int, int]
    token_in: str
    token_out: str
    amount: int

    def __str__(self) -> str:
        return f"{self.pool[:8]}-{self.kind.name}-{self.coins[0]}{self.coins[1]}"


CASES = [
    Case(17666333, 54, THREE_POOL, PLAIN, (1, 2), USDC, USDT, 10**9),
    Case(17666333, 54, THREE_POOL, PLAIN, (2, 1), USDT, USDC, 10**9),
    Case(17666333, 54, TRICRYPTO_2, CRYPTO, (0, 2), USDT, WETH, 10**9),
    Case(17666333, 54, TRICRYPTO_2, ETH_OUT, (0, 2), USDT, ETH, 10**9),
    Case(19426586, 19, FACTORY_PLAIN, PLAIN, (1, 0), CRVUSD, USDC, 10**21),
    Case(19426586, 19, FACTORY_PLAIN, PLAIN, (0, 1), USDC, CRVUSD, 10**9),
    Case(19426586, 19, TRICRYPTO_CRV, ETH_IN, (1, 0), WETH, CRVUSD, 10**18),
    Case(19932148, 43, STABLE_NG, PLAIN, (1, 0), USDC, USDE, 10**9),
    Case(19932148, 43, STABLE_NG, PLAIN, (0, 1), USDE, USDC, 10**21),
    Case(19932148, 43, STABLE_NG, RECEIVED, (1, 0), USDC, USDE, 10**9),
    Case(24628607, 8, TRICRYPTO_USDC, CRYPTO, (1, 2), WBTC, WETH, 10**6),
    Case(24628607, 8, TRICRYPTO_USDC, CRYPTO, (2, 1), WETH, WBTC, 10**17),
    Case(24628607, 8, TRICRYPTO_USDC, ETH_OUT, (1, 2), WBTC, ETH, 10**6),
    Case(24628607, 8, TRICRYPTO_USDC, ETH_IN, (2, 1), WETH, WBTC, 10**17),
]


@pytest.fixture(scope="module")
def recordings() -> Iterator[Recordings]:
    with Recordings() as made:
        yield made


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_the_pool_gives_anyone_the_executor_gets(case: Case, recordings: Recordings) -> None:
    chain = recordings.after(case.block, case.count)
    for token in {case.token_in, case.token_out} - {ETH}:
        for holder in (PROBE, EXECUTOR):
            allow_nothing(chain, token, holder, case.pool)
    got = by_hand(chain, case)
    chain.check(cycle(chain, case, got))


def by_hand(chain: Chain, case: Case) -> int:
    """What comes out when an ordinary account does the same swap."""
    chain.give(case.token_in, PROBE, case.amount)
    question = eth_of(PROBE) if case.token_out == ETH else balance_of(case.token_out, PROBE)
    (before,) = chain.ask((), [question])
    (after,) = chain.ask(swap_by_hand(case), [question])
    assert after > before
    return after - before


def swap_by_hand(case: Case) -> list[Call]:
    """The transactions of an ordinary account."""
    args: list[int | str] = [*case.coins, case.amount, 0]
    if case.kind is RECEIVED:
        args.append(PROBE)
    if case.kind in (ETH_IN, ETH_OUT):
        args.append(1)
    value = case.amount if case.kind is ETH_IN else 0
    exchange = by(PROBE, case.pool, abi.call(SIGNATURES[case.kind], *args), value)
    if case.kind is ETH_IN:
        return [exchange]
    if case.kind is RECEIVED:
        return [transfer(PROBE, case.token_in, case.pool, case.amount), exchange]
    return [approve(PROBE, case.token_in, case.pool), exchange]


def cycle(chain: Chain, case: Case, got: int) -> Deal:
    """The swap, and back through a pair that gives a percent more."""
    token_out = WETH if case.token_out == ETH else case.token_out
    pair = chain.pair(0, {token_out: got * 1_000, case.token_in: case.amount * 1_015})
    back = sale(pair, WETH, token_out, got)
    chain.dust(token_out)
    chain.give(case.token_in, EXECUTOR, case.amount + DUST)
    gain = out_of(back) - case.amount
    assert gain > 0

    def program(least: int) -> Steps:
        steps = (*before(case), swap(case, least), *behind(case, got), back)
        return Steps(steps, minimum=gain, tokens=(case.token_in, token_out))

    return Deal(
        program(got),
        {case.token_in: gain},
        spenders=((case.token_in, case.pool), (token_out, case.pool)),
        refused=(program(got + 1), replace(program(got), tokens=(token_out, case.token_in))),
    )


def swap(case: Case, least: int) -> CurveSwap:
    token = None if case.token_in == WETH else case.token_in
    return CurveSwap(case.pool, case.kind, case.coins, case.amount, least, token)


def before(case: Case) -> tuple[Step, ...]:
    if case.kind is RECEIVED:
        return (Pay(case.amount, case.token_in, to=case.pool),)
    return (Unwrap(case.amount),) if case.kind is ETH_IN else ()


def behind(case: Case, got: int) -> tuple[Step, ...]:
    return (Wrap(got),) if case.kind is ETH_OUT else ()
