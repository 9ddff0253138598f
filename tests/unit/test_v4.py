"""V4Pool: fees, hooks, what is unknown, and what is followed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot import abi
from bot.amm import v4
from bot.amm.layouts import v4_layout
from bot.amm.pool import NoLiquidity, UnknownState
from bot.amm.tick_math import sqrt_ratio_at_tick
from bot.amm.ticks import TickLiquidity, TickMap
from bot.amm.v3 import V3Pool
from bot.amm.v4 import DYNAMIC_FEE, V4Pool, pool_id, swap_fee
from bot.engine.types import AccountDiff, Log

E18 = 10**18
ETH, TOKEN, MANAGER = "0x" + "00" * 20, "0x" + "aa" * 20, "0x" + "44" * 20
POSITIONS = ((-60, 60, 5 * E18), (-600, 600, 3 * E18), (-30_000, 30_000, E18))
PRICE = sqrt_ratio_at_tick(10) + 1


def hooks_with(permissions: int) -> str:
    return f"0x{0x77 << 14 | permissions:040x}"


def whole_pool(fee: int = 3000, hooks: str = ETH, lp_fee: int | None = 3000) -> V4Pool:
    ticks = TickMap.complete(60, {})
    for lower, upper, amount in POSITIONS:
        ticks = ticks.moved(lower, upper, amount)
    key = ETH, TOKEN, fee, 60, hooks
    return V4Pool(pool_id(*key), MANAGER, *key, PRICE, 10, 9 * E18, ticks, lp_fee)


def log(pool: V4Pool, topic: str, *words: int) -> Log:
    return Log(MANAGER, (topic, pool.id, "0x" + "00" * 32), b"".join(abi.encode(word) for word in words))


def swap_log(pool: V4Pool, amount0: int, amount1: int, fee: int) -> Log:
    return log(pool, v4.SWAP, amount0, amount1, sqrt_ratio_at_tick(-70), 4 * E18, -71, fee)


# --- fees --------------------------------------------------------------------------------------------------


def test_a_pool_without_protocol_fee_swaps_as_v3_does() -> None:
    pool = whole_pool()
    v3 = V3Pool("0xpool", ETH, TOKEN, 3000, 60, PRICE, 10, 9 * E18, pool.ticks)
    for i in (0, 1):
        for amount in (1, 10**9, E18 // 100, E18):
            assert pool.quote_in(i, 1 - i, amount) == v3.quote_in(i, 1 - i, amount)
            assert pool.quote_out(i, 1 - i, amount // 2) == v3.quote_out(i, 1 - i, amount // 2)
        assert list(pool.segments(i, 1 - i)) == list(v3.segments(i, 1 - i))


@pytest.mark.parametrize("i, packed", [(0, 700), (1, 700 << 12)])
def test_each_direction_has_its_protocol_fee(i: int, packed: int) -> None:
    assert swap_fee(700, 3000) == 3698  # 3700 less 2.1, rounded down
    plain, taxed = whole_pool(), whole_pool().apply(log(whole_pool(), v4.PROTOCOL_FEE_UPDATED, packed))
    assert (taxed.fee(i), taxed.fee(1 - i)) == (3698, 3000)
    assert taxed.quote_in(i, 1 - i, E18) == replace(plain, lp_fee=3698).quote_in(i, 1 - i, E18)
    assert taxed.quote_in(1 - i, i, E18) == plain.quote_in(1 - i, i, E18)


def test_a_fee_of_everything() -> None:
    """Exact inputs are all fee, exact outputs are refused (InvalidFeeForExactOut)."""
    pool = whole_pool(10**6, lp_fee=10**6)
    for protocol_fee in (0, 1000 << 12 | 1000):
        taxed = replace(pool, protocol_fee=protocol_fee)
        assert taxed.quote_in(0, 1, E18) == 0
        with pytest.raises(NoLiquidity):
            taxed.quote_out(0, 1, 1)
        with pytest.raises(NoLiquidity):
            next(taxed.segments(0, 1))
    with pytest.raises(NoLiquidity):
        replace(pool, ticks=TickMap.complete(60, {}), liquidity=0).quote_in(0, 1, 1)


# --- hooks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bit", range(14))
def test_which_permissions_change_amounts(bit: int) -> None:
    pool = whole_pool(hooks=hooks_with(1 << bit))
    changing = {7, 3, 2}  # beforeSwap, beforeSwapReturnsDelta, afterSwapReturnsDelta
    assert pool.simulated == (bit in changing)
    asks = (lambda: pool.quote_in(0, 1, 1), lambda: pool.quote_out(0, 1, 1), lambda: next(pool.segments(0, 1)))
    for ask in asks:
        if pool.simulated:
            with pytest.raises(UnknownState, match="only by simulation"):
                ask()
        else:
            ask()
    assert pool.terms(0, 1) == (MANAGER, 3000, 60, pool.hooks)


# --- a dynamic fee -----------------------------------------------------------------------------------------


def dynamic_pool(permissions: int = 0, lp_fee: int | None = 3000) -> V4Pool:
    return whole_pool(DYNAMIC_FEE, hooks_with(permissions), lp_fee)


def test_a_dynamic_fee_is_the_stored_one_and_moves_silently() -> None:
    assert dynamic_pool().silent and not whole_pool().silent
    assert dynamic_pool().quote_in(0, 1, E18) == whole_pool().quote_in(0, 1, E18)
    for ask in (dynamic_pool(lp_fee=None).quote_in, dynamic_pool(lp_fee=None).quote_out):
        with pytest.raises(UnknownState):
            ask(0, 1, 1)


def test_a_swap_tells_whether_the_dynamic_fee_is_still_that() -> None:
    pool = replace(dynamic_pool(), protocol_fee=700 << 12)
    assert pool.apply(swap_log(pool, -5, 4, 3000)).lp_fee == 3000
    assert pool.apply(swap_log(pool, 4, -5, 3698)).lp_fee == 3000
    for amounts, fee in (((-5, 4), 3698), ((4, -5), 3000), ((-5, 4), 2999), ((0, 0), 3000)):
        assert pool.apply(swap_log(pool, *amounts, fee)).lp_fee is None
    assert replace(pool, lp_fee=None).apply(swap_log(pool, -5, 4, 3000)).lp_fee is None
    assert whole_pool().apply(swap_log(whole_pool(), -5, 4, 1)).lp_fee == 3000


@pytest.mark.parametrize(
    "topic, permissions, words",
    [
        (v4.SWAP, 1 << 6, (-5, 4, PRICE, 9 * E18, 10, 3000)),
        (v4.MODIFY_LIQUIDITY, 1 << 11, (-60, 60, E18, 0)),
        (v4.MODIFY_LIQUIDITY, 1 << 8, (-60, 60, 0, 0)),
        (v4.DONATE, 1 << 5, (1, 1)),
        (v4.INITIALIZE, 1 << 12, (DYNAMIC_FEE, 60, 0, PRICE, 10)),
    ],
)
def test_where_the_hook_was_called_the_dynamic_fee_is_unknown(
    topic: str, permissions: int, words: tuple[int, ...]
) -> None:
    pool = dynamic_pool(permissions)
    assert pool.apply(log(pool, topic, *words)).lp_fee is None
    uncalled = dynamic_pool()
    assert uncalled.apply(log(uncalled, topic, *words)).lp_fee == (0 if topic == v4.INITIALIZE else 3000)
    static = whole_pool(hooks=hooks_with(permissions))
    assert static.apply(log(static, topic, *words)).lp_fee == 3000


# --- logs --------------------------------------------------------------------------------------------------


def test_logs_of_other_pools_and_of_gifts_move_nothing() -> None:
    pool, other = whole_pool(), whole_pool(fee=500)
    for topic, words in (
        (v4.SWAP, (-5, 4, PRICE, 1, 10, 500)),
        (v4.MODIFY_LIQUIDITY, (-60, 60, E18, 0)),
        (v4.PROTOCOL_FEE_UPDATED, (7,)),
    ):
        assert pool.apply(log(other, topic, *words)) is pool
    assert pool.apply(log(pool, v4.DONATE, 1, 1)) is pool
    assert pool.apply(Log(MANAGER, (v4.SWAP,), b"")) is pool
    assert pool.apply(log(pool, v4.MODIFY_LIQUIDITY, -60, 60, 0, 0)) is pool


def test_a_swap_moves_the_price_and_shares_the_ticks() -> None:
    pool = whole_pool()
    moved = pool.apply(swap_log(pool, -5, 4, 3000))
    assert moved == replace(pool, sqrt_price=sqrt_ratio_at_tick(-70), tick=-71, liquidity=4 * E18)
    assert moved.ticks is pool.ticks
    assert moved.quote_in(0, 1, E18) != pool.quote_in(0, 1, E18)
    with pytest.raises(UnknownState):
        pool.apply(log(pool, v4.SWAP, -5, 4))


def test_positions_and_the_beginning_are_followed() -> None:
    pool = whole_pool()
    around = pool.apply(log(pool, v4.MODIFY_LIQUIDITY, -60, 120, E18, 7))
    assert (around.liquidity, around.ticks.liquidity[120]) == (10 * E18, TickLiquidity(E18, -E18))
    assert around.apply(log(pool, v4.MODIFY_LIQUIDITY, -60, 120, -E18, 7)) == pool
    assert pool.apply(log(pool, v4.MODIFY_LIQUIDITY, 60, 120, E18, 0)).liquidity == 9 * E18
    empty = replace(pool, sqrt_price=0, tick=0, liquidity=0, ticks=TickMap.complete(60, {}), protocol_fee=5)
    begun = empty.apply(log(pool, v4.INITIALIZE, 3000, 60, 0, PRICE, 10))
    assert (begun.sqrt_price, begun.tick, begun.lp_fee, begun.protocol_fee) == (PRICE, 10, 3000, 0)


# --- changes of state --------------------------------------------------------------------------------------


def slot0(price: int, tick: int, protocol_fee: int, lp_fee: int) -> int:
    return lp_fee << 208 | protocol_fee << 184 | (tick & 0xFFFFFF) << 160 | price


def test_slots_are_those_of_what_is_known() -> None:
    pool, layout = whole_pool(), v4_layout(whole_pool().id)
    ((manager, slots),) = pool.slots().items()
    assert manager == MANAGER
    assert {layout.price, layout.liquidity, layout.word_slot(0), layout.tick_slot(-600)} <= slots
    assert layout.tick_slot(120) not in slots
    assert len(slots) == 2 + len(pool.ticks.words) + len(pool.ticks.liquidity)
    assert not slots & whole_pool(fee=500).slots()[MANAGER]


def test_a_change_of_state() -> None:
    pool, layout = whole_pool(), v4_layout(whole_pool().id)
    foreign = dict.fromkeys(whole_pool(fee=500).slots()[MANAGER], 5)
    elsewhere = AccountDiff(slots={layout.price: 1})
    assert pool.apply_diff({MANAGER: AccountDiff(slots=foreign), "0xother": elsewhere}) is pool
    price = sqrt_ratio_at_tick(-70)
    diff = {MANAGER: AccountDiff(slots={**foreign, layout.price: slot0(price, -71, 4097, 500), layout.liquidity: 7})}
    moved = pool.apply_diff(diff)
    assert moved == replace(pool, sqrt_price=price, tick=-71, liquidity=7, protocol_fee=4097, lp_fee=500)
    added = pool.apply(log(pool, v4.MODIFY_LIQUIDITY, -60, 120, E18, 0))
    word, ticks = added.ticks.words[0], added.ticks.liquidity
    slots = {layout.tick_slot(tick): packed(ticks[tick]) for tick in (-60, 120)}
    slots |= {layout.word_slot(0): word, layout.liquidity: 10 * E18}
    assert pool.apply_diff({MANAGER: AccountDiff(slots=slots)}) == added
    back = {layout.tick_slot(-60): packed(pool.ticks.liquidity[-60]), layout.tick_slot(120): 0}
    back |= {layout.word_slot(0): pool.ticks.words[0], layout.liquidity: 9 * E18}
    assert added.apply_diff({MANAGER: AccountDiff(slots=back)}) == pool


def packed(entry: TickLiquidity) -> int:
    return (entry.net % (1 << 128)) << 128 | entry.gross
