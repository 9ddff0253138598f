"""Forks of Uniswap v2 and v3 as mainnet has them: other code, other fees, other names of the callback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from recorded import needs_recordings
from uniswap_evm import MAX_LIMIT, MIN_LIMIT, PAYER, _payer_code
from uniswap_evm import OWNER as PAYER_OWNER
from venue_chain import DUST, ETHER, EXECUTOR, PROBE, Chain, Deal, balance_of, by, hop, out_of, sale, transfer
from venue_recorded import DAI, SHIB, USDT, WBTC, WETH, Recordings

from bot import abi
from bot.amm.v2 import V2Pool
from bot.chain.v2_fees import kept
from bot.engine.types import AccountDiff
from bot.execution.steps import Pay, Recipient, Step, Steps, V2Chain, V2Hop, V3Swap
from bot.simulation.types import Call

pytestmark = needs_recordings

V2_SWAP = "swap(uint256,uint256,address,bytes)"
V3_SWAP = "swap(address,bool,int256,uint160,bytes)"
SAITA_PAIR = "0xaf9742157a67e35f1aa0803e6ec589ca4cfd0864"
SAITA_TOKEN = "0x24ccedebf841544c9e6a62af4e8c2fa6e5a46fde"  # takes part of every transfer; balances are computed


@pytest.fixture(scope="module")
def recordings() -> Iterator[Recordings]:
    with Recordings() as made:
        yield made


# --- v2 --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class V2Case:
    """A swap through a pair that charges ``fee`` millionths, after a block's first ``count`` transactions."""

    block: int
    count: int
    pair: str
    fee: int
    token_in: str
    token_out: str
    amount: int

    def __str__(self) -> str:
        return f"{self.pair[:8]}-{self.token_in[:6]}"


V2_CASES = [
    V2Case(24628607, 26, "0x498e9f240158c11e822c983938d1a093a81e0e3c", 3_000, WETH, USDT, 10**15),  # Sumswap
    V2Case(24628607, 26, "0x498e9f240158c11e822c983938d1a093a81e0e3c", 3_000, USDT, WETH, 10**6),
    V2Case(19426586, 53, "0xcf6daab95c476106eca715d48de4b13287ffdeaa", 3_000, WETH, SHIB, 10**17),  # ShibaSwap
    V2Case(19426586, 53, "0xcf6daab95c476106eca715d48de4b13287ffdeaa", 3_000, SHIB, WETH, 10**23),
]


def recorded_pair(chain: Chain, at: str, tokens: tuple[str, str], fee: int) -> V2Pool:
    """A pair of the chain as it is there."""
    token0, token1 = sorted(tokens)
    reserve0, reserve1 = (abi.uint(chain.run([by(PROBE, at, abi.call("getReserves()"))])[0].output, n) for n in (0, 1))
    return V2Pool(at, token0, token1, reserve0, reserve1, *kept(fee))


@pytest.mark.parametrize("case", V2_CASES, ids=str)
def test_v2_forks(case: V2Case, recordings: Recordings) -> None:
    chain = recordings.after(case.block, case.count)
    fork = recorded_pair(chain, case.pair, (case.token_in, case.token_out), case.fee)
    first = hop(fork, case.token_in, case.amount)
    back_pair = chain.pair(0, {case.token_out: first.amount_out * 1_000, case.token_in: case.amount * 1_015})
    back = hop(back_pair, case.token_out, first.amount_out)
    chain.dust(case.token_out)
    chain.give(case.token_in, EXECUTOR, case.amount + DUST)
    gain = back.amount_out - case.amount

    def program(extra: int) -> Steps:
        asked = V2Hop(first.pool, first.zero_for_one, first.amount_out + extra)
        token = None if case.token_in == WETH else case.token_in
        return Steps((V2Chain((asked, back), pay=case.amount, token=token),), gain, (case.token_in,))

    chain.check(Deal(program(0), {case.token_in: gain}, refused=(program(1),)))


def test_v2_fork_with_its_own_fee_and_a_token_that_taxes(recordings: Recordings) -> None:
    """SaitaSwap takes 0.2 %. What its token keeps of the transfer is what an ordinary account loses too."""
    chain, amount = recordings.after(17666333, 38), 10**14
    fork = recorded_pair(chain, SAITA_PAIR, (SAITA_TOKEN, WETH), 2_000)
    first = hop(fork, WETH, amount)
    chain.give(WETH, PROBE, amount)
    swap = by(PROBE, SAITA_PAIR, abi.call(V2_SWAP, first.amount_out, 0, PROBE, 128, 0))
    (got,) = chain.ask([transfer(PROBE, WETH, SAITA_PAIR, amount), swap], [balance_of(SAITA_TOKEN, PROBE)])
    assert 0 < got <= first.amount_out
    out = chain.pair(0, {WETH: 10**21, USDT: 10**12})
    back = chain.pair(1, {WETH: 11 * 10**20, USDT: 10**12})
    hops = (hop(out, WETH, ETHER), hop(back, USDT, hop(out, WETH, ETHER).amount_out))
    chain.give(WETH, EXECUTOR, ETHER + amount)
    gain = hops[1].amount_out - ETHER - amount

    def program(extra: int) -> Steps:
        asked = V2Hop(first.pool, first.zero_for_one, first.amount_out + extra)
        return Steps((V2Chain((asked,), pay=amount), V2Chain(hops, pay=ETHER)), gain)

    chain.check(Deal(program(0), {WETH: gain, SAITA_TOKEN: got}, refused=(program(1),)))


# --- v3 --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class V3Case:
    """A swap through a pool, after a block's first ``count`` transactions."""

    name: str
    block: int
    count: int
    pool: str
    tokens: tuple[str, str]
    zero_for_one: bool
    amount: int

    def __str__(self) -> str:
        return f"{self.name}-{'01' if self.zero_for_one else '10'}"


SUSHI, ALGEBRA = "0x769db46f39c42ee7ad5f71f4167c47edd281e767", "0x76a278bd71f566ee6ba2fe438f6099c8d8f98f43"
V3_CASES = [
    V3Case("sushi", 24628607, 19, SUSHI, (DAI, WETH), False, 10**15),
    V3Case("algebra", 24628607, 31, ALGEBRA, (WBTC, USDT), True, 10**4),
]


def v3_by_hand(chain: Chain, case: V3Case) -> int:
    """What comes out when an account that pays in any callback does the same swap."""
    token_in = case.tokens[0 if case.zero_for_one else 1]
    payer = AccountDiff(balance=0, nonce=1, code=_payer_code(*case.tokens))
    chain.evm.apply({PAYER: payer, PAYER_OWNER: AccountDiff(balance=ETHER, nonce=0, code=b"")})
    chain.give(token_in, PAYER, case.amount)
    limit = MIN_LIMIT if case.zero_for_one else MAX_LIMIT
    swap = abi.call(V3_SWAP, PAYER, case.zero_for_one, case.amount, limit, 160, 0)
    (result,) = chain.run([Call(PAYER_OWNER, PAYER, abi.encode(case.pool) + swap)])
    assert result.success
    deltas = abi.sint(result.output), abi.sint(result.output, 1)
    assert deltas[0 if case.zero_for_one else 1] == case.amount
    return -deltas[1 if case.zero_for_one else 0]


@pytest.mark.parametrize("case", V3_CASES, ids=str)
@pytest.mark.parametrize("paid_by", ["executor", "pair"])
def test_v3_forks(case: V3Case, paid_by: str, recordings: Recordings) -> None:
    """The pool sends to the executor, or straight to the pair which then pays for it: without own money."""
    chain = recordings.after(case.block, case.count)
    token_in, token_out = case.tokens if case.zero_for_one else case.tokens[::-1]
    got = v3_by_hand(chain, case)
    pair = chain.pair(0, {token_out: got * 1_000, token_in: case.amount * 1_015})
    back = sale(pair, WETH, token_out, got)
    gain = out_of(back) - case.amount
    chain.dust(token_in, token_out)
    spent = None if token_in == WETH else token_in
    pay = Pay(case.amount, spent)
    if paid_by == "executor":
        chain.give(token_in, EXECUTOR, case.amount + DUST)
        steps: tuple[Step, ...] = (V3Swap(case.pool, case.zero_for_one, case.amount, Recipient.EXECUTOR, (pay,)), back)
    else:
        nested = (V2Chain(back.hops), pay)
        steps = (V3Swap(case.pool, case.zero_for_one, case.amount, Recipient.NESTED_POOL, nested),)
    unpaid = V3Swap(case.pool, case.zero_for_one, case.amount, Recipient.EXECUTOR, (Pay(case.amount - 1, spent),))
    chain.check(
        Deal(
            Steps(steps, gain, (token_in, token_out)),
            {token_in: gain},
            refused=(Steps((unpaid, *steps[1:]), 0, (token_in, token_out)),),
        )
    )
