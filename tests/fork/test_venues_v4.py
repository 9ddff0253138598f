"""Uniswap v4's own code: swaps, loans, ETH, and pools that pay the manager; on the devnet and in a recorded block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import isqrt

import pytest
from recorded import needs_recordings
from venue_chain import (
    DUST,
    ETH,
    ETHER,
    EXECUTOR,
    PROBE,
    Chain,
    Deal,
    approve,
    balance_of,
    by,
    created,
    eth_of,
    hop,
    out_of,
    sale,
)
from venue_devnet import USDC, WHALE, cycle, devnet_chain
from venue_recorded import USDC as MAINNET_USDC
from venue_recorded import WBTC as MAINNET_WBTC
from venue_recorded import Recordings, allow_nothing

from bot import abi
from bot.amm.tick_math import MAX_SQRT_RATIO, MIN_SQRT_RATIO, tick_at_sqrt_ratio
from bot.amm.ticks import TickLiquidity, TickMap
from bot.amm.v3 import V3Pool
from bot.devnet.artifacts import Artifact
from bot.devnet.place import calldata
from bot.devnet.protocols import uniswap_v3, uniswap_v4
from bot.devnet.protocols.uniswap_v4 import FEE, MANAGER, MAX_TICK, NO_HOOKS, SPACING
from bot.devnet.tokens import TOKENS, WETH
from bot.execution.steps import (
    Pay,
    Recipient,
    Step,
    Steps,
    Unwrap,
    V2Chain,
    V3Swap,
    V4Settle,
    V4SettlePaid,
    V4Swap,
    V4Sync,
    V4Take,
    V4Unlock,
    Wrap,
)
from bot.simulation.types import Call

DAI = TOKENS["DAI"].address
SWAPPER = Artifact("@uniswap/v4-core/out/PoolSwapTest.sol/PoolSwapTest.json")
_KEY = "(address,address,uint24,int24,address)"


@pytest.fixture(scope="module")
def devnet() -> Iterator[Chain]:
    with devnet_chain() as chain:
        yield chain


@pytest.fixture(scope="module")
def recordings() -> Iterator[Recordings]:
    with Recordings() as made:
        yield made


def v4(token0: str, token1: str, zero_for_one: bool, amount: int) -> V4Swap:
    """A swap in one of the devnet's pools."""
    return V4Swap(token0, token1, FEE, SPACING, NO_HOOKS, zero_for_one, amount)


def full_range(token0: str, token1: str, amount0: int, amount1: int) -> V3Pool:
    """The pool that such amounts make, as our maths has it: v4 swaps as v3 does."""
    price, liquidity = isqrt((amount1 << 192) // amount0), isqrt(amount0 * amount1)
    ticks = {-MAX_TICK: TickLiquidity(liquidity, liquidity), MAX_TICK: TickLiquidity(liquidity, -liquidity)}
    tick = tick_at_sqrt_ratio(price)
    return V3Pool(MANAGER, token0, token1, FEE, SPACING, price, tick, liquidity, TickMap.complete(SPACING, ticks))


def usdc_weth() -> V3Pool:
    """The devnet's own pool of USDC and WETH."""
    symbol0, symbol1, usd = uniswap_v4.POOLS[0]
    assert (symbol0, symbol1) == ("USDC", "WETH")
    return full_range(USDC, WETH, TOKENS["USDC"].worth(usd // 2), TOKENS["WETH"].worth(usd // 2))


ETH_POOL = full_range(ETH, USDC, 1_000 * ETHER, 3_000_000 * 10**6)
"""The pool of ETH and USDC that ``eth_pool`` makes."""


def eth_pool() -> tuple[Call, ...]:
    """Makes and fills it through the package's own test router."""
    key = (ETH, USDC, FEE, SPACING, NO_HOOKS)
    router = created(PROBE, 0)
    position = (-MAX_TICK, MAX_TICK, ETH_POOL.liquidity, bytes(32))
    modify = calldata(f"modifyLiquidity({_KEY},(int24,int24,int256,bytes32),bytes)", key, position, b"")
    return (
        by(PROBE, None, uniswap_v4.LIQUIDITY_ARTIFACT.initcode() + abi.encode(MANAGER)),
        by(PROBE, MANAGER, calldata(f"initialize({_KEY},uint160)", key, ETH_POOL.sqrt_price)),
        by(WHALE, USDC, abi.call("transfer(address,uint256)", PROBE, 4_000_000 * 10**6)),
        approve(PROBE, USDC, router),
        by(PROBE, router, modify, value=1_001 * ETHER),
    )


# --- the devnet ------------------------------------------------------------------------------------------------------


def test_v4_sends_to_a_pair_which_pays_for_it(devnet: Chain) -> None:
    """No own money: v4 first, the pair's WETH settles."""
    amount = 10 * ETHER
    got = usdc_weth().quote_in(1, 0, amount)
    pair = devnet.pair(0, {USDC: got * 100, WETH: amount * 103})
    back = hop(pair, USDC, got)
    devnet.dust(WETH, USDC)
    gain = back.amount_out - amount

    def program(take: int, settle: int) -> Steps:
        swap = v4(USDC, WETH, False, amount)
        nested = (swap, V4Take(take, USDC, to=pair.id), V2Chain((back,)), V4Settle(settle))
        return Steps((V4Unlock(MANAGER, nested),), gain)

    assert gain > 0
    refused = (program(got + 1, amount), program(got - 1, amount), program(got, amount - 1))
    devnet.check(Deal(program(got, amount), {WETH: gain}, ((WETH, MANAGER),), refused=refused))


def test_v4_lends(devnet: Chain) -> None:
    amount = 50 * ETHER
    first, second = cycle(devnet, amount)
    gain = second.amount_out - amount

    def program(owed: int) -> Steps:
        nested = (V4Take(amount), V2Chain((first, second), pay=amount), V4Settle(owed))
        return Steps((V4Unlock(MANAGER, nested),), gain)

    direct = (V4Take(amount, to=first.pool), V2Chain((first, second)), V4Settle(amount))
    refused = (program(amount - 1), program(amount + 1))
    devnet.check(Deal(program(amount), {WETH: gain}, ((WETH, MANAGER),), refused=refused))
    devnet.check(Deal(Steps((V4Unlock(MANAGER, direct),), gain), {WETH: gain}))


@pytest.mark.parametrize("own", [False, True], ids=["lent", "own"])
def test_a_pair_pays_the_manager(devnet: Chain, own: bool) -> None:
    """USDC goes from the pair straight to the manager, which credits it."""
    pair = devnet.pair(0, {WETH: 5_000 * ETHER, USDC: 16_500_000 * 10**6})
    first = hop(pair, WETH, 5 * ETHER)
    got = usdc_weth().quote_in(0, 1, first.amount_out)
    devnet.dust(USDC)
    devnet.give(WETH, EXECUTOR, (5 * ETHER if own else 0) + DUST)
    gain = got - 5 * ETHER
    chain = V2Chain((first,), to_caller=True, pay=5 * ETHER)
    swap = v4(USDC, WETH, True, first.amount_out)
    paid: tuple[Step, ...] = (V4Sync(USDC), chain, V4SettlePaid())
    nested = (*paid, swap, V4Take(got)) if own else (swap, V4Take(got), *paid)
    assert gain > 0
    unsynced = (*nested[1:],) if own else (swap, V4Take(got), *paid[1:])
    refused = tuple(Steps((V4Unlock(MANAGER, steps),), 0) for steps in (unsynced, nested[:-1]))
    devnet.check(Deal(Steps((V4Unlock(MANAGER, nested),), gain), {WETH: gain}, refused=refused))


def test_a_v3_pool_pays_the_manager(devnet: Chain) -> None:
    """The caller of the steps is the manager, then, nested, the v3 pool, then the manager again."""
    weth = ETHER
    router = uniswap_v3.ROUTER
    exact = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
    by_hand = by(WHALE, router, abi.call(exact, WETH, USDC, FEE, WHALE, uniswap_v3.FOREVER, weth, 0, 0))
    usdc = abi.uint(devnet.run([approve(WHALE, WETH, router), by_hand])[-1].output)
    asked = abi.call("getPool(address,address,uint24)", USDC, WETH, FEE)
    pool = abi.address(devnet.run([by(PROBE, uniswap_v3.FACTORY, asked)])[0].output)
    got = usdc_weth().quote_in(0, 1, usdc)
    made_good = cycle(devnet, 5 * ETHER)
    devnet.give(WETH, EXECUTOR, 6 * ETHER)
    gain = got - weth + made_good[1].amount_out - 5 * ETHER

    def program(recipient: Recipient, *settle: Step) -> Steps:
        paid = V3Swap(pool, False, weth, recipient, (Pay(weth),))
        nested = (V4Sync(USDC), paid, *settle, v4(USDC, WETH, True, usdc), V4Take(got))
        return Steps((V4Unlock(MANAGER, nested), V2Chain(made_good, pay=5 * ETHER)), gain)

    assert 0 < got < weth and gain > 0
    refused = (program(Recipient.EXECUTOR, V4SettlePaid()), program(Recipient.CALLER))
    devnet.check(Deal(program(Recipient.CALLER, V4SettlePaid()), {WETH: gain}, refused=refused))


def test_eth_out_of_a_pool_is_wrapped(devnet: Chain) -> None:
    usdc = 9_000 * 10**6
    got = ETH_POOL.quote_in(1, 0, usdc)
    pair = devnet.pair(0, {WETH: got * 1_000, USDC: usdc * 1_015})
    back = sale(pair, WETH, WETH, got)
    devnet.dust(WETH)
    devnet.give(USDC, EXECUTOR, usdc + DUST)
    gain = out_of(back) - usdc

    def program(take: int, wrap: int) -> Steps:
        swap = v4(ETH, USDC, False, usdc)
        nested = (swap, V4Settle(usdc, USDC), V4Take(take, ETH))
        return Steps((V4Unlock(MANAGER, nested), Wrap(wrap), back), gain, (USDC,))

    refused = (program(got + 1, got), program(got, got + 1))
    devnet.check(Deal(program(got, got), {USDC: gain}, ((USDC, MANAGER),), eth_pool(), refused))


def test_eth_into_a_pool_from_weth(devnet: Chain) -> None:
    amount = 3 * ETHER
    got = ETH_POOL.quote_in(0, 1, amount)
    pair = devnet.pair(0, {USDC: got * 1_000, WETH: amount * 1_015})
    back = hop(pair, USDC, got)
    devnet.dust(USDC)
    devnet.give(WETH, EXECUTOR, amount + DUST)
    gain = back.amount_out - amount

    def program(settle: int) -> Steps:
        swap = v4(ETH, USDC, True, amount)
        nested = (swap, Unwrap(amount), V4Settle(settle, ETH), V4Take(got, USDC, to=pair.id))
        return Steps((V4Unlock(MANAGER, nested), V2Chain((back,))), gain)

    devnet.check(Deal(program(amount), {WETH: gain}, before=eth_pool(), refused=(program(amount - 1),)))


def test_v4_lends_eth(devnet: Chain) -> None:
    amount = 20 * ETHER
    first, second = cycle(devnet, amount)
    gain = second.amount_out - amount
    trade = V2Chain((first, second), pay=amount)
    nested = (V4Take(amount, ETH), Wrap(amount), trade, Unwrap(amount), V4Settle(amount, ETH))
    devnet.check(Deal(Steps((V4Unlock(MANAGER, nested),), gain), {WETH: gain}, before=eth_pool()))


def test_the_executors_own_eth_does_not_settle(devnet: Chain) -> None:
    """DUST of ETH stays: a program that pays with it is refused, though it gains."""
    first, second = cycle(devnet, ETHER)
    devnet.give(WETH, EXECUTOR, ETHER)
    trade = V2Chain((first, second), pay=ETHER)
    nested = (V4Take(DUST, ETH), Wrap(DUST), V4Settle(DUST, ETH))
    program = Steps((trade, V4Unlock(MANAGER, nested)))
    result, _ = devnet.attempt(eth_pool(), program, ())
    assert result.output[:4] == abi.selector("EthSpent(uint256,uint256)")


def test_two_swaps_in_a_row_on_account(devnet: Chain) -> None:
    """USDC → WETH → DAI inside of the manager: only the ends are paid."""
    usdc, dai_pool = 30_000 * 10**6, uniswap_v4.POOLS[1]
    assert dai_pool[:2] == ("DAI", "WETH")
    second = full_range(DAI, WETH, TOKENS["DAI"].worth(dai_pool[2] // 2), TOKENS["WETH"].worth(dai_pool[2] // 2))
    weth = usdc_weth().quote_in(0, 1, usdc)
    dai = second.quote_in(1, 0, weth)
    pair = devnet.pair(0, {DAI: dai * 1_000, USDC: usdc * 1_020})
    back = hop(pair, DAI, dai)
    devnet.dust(WETH, USDC, DAI)
    gain = back.amount_out - usdc
    nested = (
        v4(USDC, WETH, True, usdc),
        v4(DAI, WETH, False, weth),
        V4Take(dai, DAI, to=pair.id),
        V2Chain((back,)),
        V4Settle(usdc, USDC),
    )
    undeclared = Steps((V4Unlock(MANAGER, nested),), 0)
    devnet.check(
        Deal(Steps((V4Unlock(MANAGER, nested),), gain, (USDC,)), {USDC: gain}, ((USDC, MANAGER),), (), (undeclared,))
    )


# --- a recorded block ------------------------------------------------------------------------------------------------


def v4_by_hand(chain: Chain, swap: V4Swap) -> int:
    """What comes out when the package's own test router does it for an ordinary account."""
    token_in, token_out = (swap.currency0, swap.currency1)[:: 1 if swap.zero_for_one else -1]
    router = created(PROBE, 0)
    allow_nothing(chain, token_in, PROBE, router)
    key = (swap.currency0, swap.currency1, swap.fee, swap.tick_spacing, swap.hooks)
    limit = MIN_SQRT_RATIO + 1 if swap.zero_for_one else MAX_SQRT_RATIO - 1
    params = (swap.zero_for_one, -swap.amount, limit)
    data = calldata(f"swap({_KEY},(bool,int256,uint160),(bool,bool),bytes)", key, params, (False, False), b"")
    chain.give(token_in, PROBE, swap.amount)
    before = (by(PROBE, None, SWAPPER.initcode() + abi.encode(MANAGER)), approve(PROBE, token_in, router))
    question = eth_of(PROBE) if token_out == ETH else balance_of(token_out, PROBE)
    (start,) = chain.ask(before, [question])
    (end,) = chain.ask((*before, by(PROBE, router, data)), [question])
    return end - start


@needs_recordings
@pytest.mark.parametrize("zero_for_one", [True, False], ids=["wbtc-usdc", "usdc-wbtc"])
def test_mainnets_manager(recordings: Recordings, zero_for_one: bool) -> None:
    chain = recordings.after(24628607, 32)
    amount = 10**4 if zero_for_one else 10**7
    swap = V4Swap(MAINNET_WBTC, MAINNET_USDC, 500, 10, NO_HOOKS, zero_for_one, amount)
    token_in, token_out = (MAINNET_WBTC, MAINNET_USDC)[:: 1 if zero_for_one else -1]
    got = v4_by_hand(chain, swap)
    pair = chain.pair(0, {token_out: got * 1_000, token_in: amount * 1_020})
    back = hop(pair, token_out, got)
    chain.dust(token_in, token_out)
    gain = back.amount_out - amount

    def program(take: int) -> Steps:
        nested = (swap, V4Take(take, token_out, to=pair.id), V2Chain((back,)), V4Settle(amount, token_in))
        return Steps((V4Unlock(MANAGER, nested),), gain, (token_in,))

    assert gain > 0
    refused = (program(got + 1), replace(program(got), tokens=()))
    chain.check(Deal(program(got), {token_in: gain}, ((token_in, MANAGER),), refused=refused))


@needs_recordings
def test_mainnets_manager_sends_eth(recordings: Recordings) -> None:
    chain, usdc = recordings.after(24628607, 6), 10**7
    swap = V4Swap(ETH, MAINNET_USDC, 100, 1, NO_HOOKS, False, usdc)
    got = v4_by_hand(chain, swap)
    pair = chain.pair(0, {WETH: got * 1_000, MAINNET_USDC: usdc * 1_020})
    back = sale(pair, WETH, WETH, got)
    chain.dust(WETH)
    chain.give(MAINNET_USDC, EXECUTOR, usdc + DUST)
    gain = out_of(back) - usdc

    def program(take: int) -> Steps:
        nested = (swap, V4Settle(usdc, MAINNET_USDC), V4Take(take, ETH))
        return Steps((V4Unlock(MANAGER, nested), Wrap(got), back), gain, (MAINNET_USDC,))

    chain.check(Deal(program(got), {MAINNET_USDC: gain}, ((MAINNET_USDC, MANAGER),), refused=(program(got + 1),)))
