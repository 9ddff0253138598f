"""V3Pool: what is unknown, what is followed, and the float view."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import abi
from bot.amm.pool import NoLiquidity, UnknownState
from bot.amm.tick_math import sqrt_ratio_at_tick
from bot.amm.ticks import TickLiquidity, TickMap
from bot.amm.v3 import BURN, INITIALIZE, MINT, SWAP, SWAP_PANCAKE, V3Pool
from bot.engine.types import Log

E18 = 10**18
POSITIONS = ((-60, 60, 5 * E18), (-600, 600, 3 * E18), (-30_000, 30_000, E18))


def whole_pool() -> V3Pool:
    ticks = TickMap.complete(60, {})
    for lower, upper, amount in POSITIONS:
        ticks = ticks.moved(lower, upper, amount)
    return V3Pool("0xpool", "0x01", "0x02", 3000, 60, sqrt_ratio_at_tick(10) + 1, 10, 9 * E18, ticks)


def known_only(words: set[int]) -> V3Pool:
    pool = whole_pool()
    ticks = TickMap(
        60,
        {word: bitmap for word, bitmap in pool.ticks.words.items() if word in words},
        {tick: entry for tick, entry in pool.ticks.liquidity.items() if tick // 60 >> 8 in words},
    )
    return replace(pool, ticks=ticks)


def position_log(topic: str, lower: int, upper: int, amount: int) -> Log:
    bounds = [abi.to_hex(abi.encode(word)) for word in (0x22, lower, upper)]
    data = abi.encode(0x22) if topic == MINT else b""
    return Log("0xpool", (topic, *bounds), data + abi.encode(amount) + abi.encode(1) + abi.encode(1))


def worth(pool: V3Pool, zero_for_one: bool, amount: float) -> float:
    """What an input buys by the float view, at most all that is there."""
    out = 0.0
    for segment in pool.segments(zero_for_one):
        gained = min(amount, segment.capacity) * segment.keep
        out += segment.y * gained / (segment.x + gained)
        amount -= min(amount, segment.capacity)
    return out


# --- unknown is not empty ----------------------------------------------------------------------------------


def test_crossing_into_an_unread_word_is_refused_and_short_of_it_is_exact() -> None:
    whole, part = whole_pool(), known_only({-1, 0})
    within = int(sum(segment.capacity for segment in part.segments(True)) * 0.999)
    assert part.quote_in(True, within) == whole.quote_in(True, within)
    beyond = within * 102 // 100
    assert whole.quote_in(True, beyond) > whole.quote_in(True, within)
    with pytest.raises(UnknownState):
        part.quote_in(True, beyond)
    with pytest.raises(UnknownState):
        part.quote_out(True, whole.quote_in(True, beyond))


def test_nothing_is_known_around_the_price() -> None:
    pool = known_only({5})
    for zero_for_one in (True, False):
        for ask in (pool.quote_in, pool.quote_out):
            with pytest.raises(UnknownState):
                ask(zero_for_one, 1)
        with pytest.raises(UnknownState):
            next(pool.segments(zero_for_one))


def test_an_initialised_tick_that_was_not_read_ends_what_is_known() -> None:
    whole = whole_pool()
    liquidity = {tick: entry for tick, entry in whole.ticks.liquidity.items() if tick != -60}
    pool = replace(whole, ticks=replace(whole.ticks, liquidity=liquidity))
    (segment,) = pool.segments(True)
    up_to_it = int(segment.capacity)
    assert pool.quote_in(True, up_to_it - 1) == whole.quote_in(True, up_to_it - 1)
    with pytest.raises(UnknownState):
        pool.quote_in(True, up_to_it * 101 // 100)
    assert pool.quote_in(False, up_to_it * 2) == whole.quote_in(False, up_to_it * 2)


def test_positions_at_a_tick_that_was_not_read_leave_it_unknown() -> None:
    whole = whole_pool()
    pool = replace(whole, ticks=replace(whole.ticks, liquidity={}))
    minted = pool.apply(position_log(MINT, -60, 180, E18))
    assert minted.ticks.words[-1] == pool.ticks.words[-1]
    assert minted.ticks.liquidity == {180: TickLiquidity(E18, -E18)}
    burnt = pool.apply(position_log(BURN, -60, 60, E18))  # it may be the last liquidity there, or not
    assert set(pool.ticks.words) - set(burnt.ticks.words) == {-1, 0}


def test_mint_and_burn_do_not_make_a_word_known() -> None:
    pool = known_only({0})
    assert set(pool.ticks.words) == {0}
    for topic in (MINT, BURN):
        moved = pool.apply(position_log(topic, -120, 60, E18))
        assert set(moved.ticks.words) == {0}
        assert set(moved.ticks.liquidity) == set(pool.ticks.liquidity)


def test_a_word_known_wrongly_is_forgotten() -> None:
    moved = whole_pool().apply(position_log(BURN, -600, 600, 4 * E18))
    assert set(whole_pool().ticks.words) - set(moved.ticks.words) == {-1, 0}


# --- refusals ----------------------------------------------------------------------------------------------


def test_what_cannot_be_filled() -> None:
    pool = whole_pool()
    for zero_for_one in (True, False):
        assert pool.quote_in(zero_for_one, 0) == pool.quote_out(zero_for_one, 0) == 0
        for amount in (10**40, 2**255, 2**256):
            with pytest.raises(NoLiquidity):
                pool.quote_in(zero_for_one, amount)
            with pytest.raises(NoLiquidity):
                pool.quote_out(zero_for_one, amount)
        for price in (0, sqrt_ratio_at_tick(-887_272)):
            if price and not zero_for_one:
                continue
            with pytest.raises(NoLiquidity):
                replace(pool, sqrt_price=price).quote_in(zero_for_one, 1)


@given(st.booleans(), st.integers(1, 2 * E18))
def test_output_asked_for_is_paid(zero_for_one: bool, wanted: int) -> None:
    pool = whole_pool()
    try:
        paid = pool.quote_out(zero_for_one, wanted)
    except NoLiquidity:
        assert wanted > 0.999 * worth(pool, zero_for_one, inf)
        return
    assert pool.quote_in(zero_for_one, paid) >= wanted


# --- logs --------------------------------------------------------------------------------------------------


def test_swap_moves_the_price_and_shares_the_ticks() -> None:
    pool = whole_pool()
    price = sqrt_ratio_at_tick(-70)
    data = b"".join(abi.encode(word) for word in (-5, 7, price, 4 * E18, -71))
    expected = replace(pool, sqrt_price=price, tick=-71, liquidity=4 * E18)
    for topic, tail in ((SWAP, b""), (SWAP_PANCAKE, bytes(64))):
        moved = pool.apply(Log("0xpool", (topic,), data + tail))
        assert moved == expected
        assert moved.ticks is pool.ticks
        assert moved.quote_in(True, E18) != pool.quote_in(True, E18)


def test_positions_are_followed() -> None:
    pool = whole_pool()
    around = pool.apply(position_log(MINT, -60, 120, E18))
    assert around.liquidity == 10 * E18
    assert around.ticks.liquidity[-60] == TickLiquidity(6 * E18, 6 * E18)
    assert around.ticks.liquidity[120] == TickLiquidity(E18, -E18)
    assert around.apply(position_log(BURN, -60, 120, E18)) == pool
    above = pool.apply(position_log(MINT, 60, 120, E18))
    assert above.liquidity == 9 * E18
    assert above.ticks.liquidity[60] == TickLiquidity(6 * E18, -4 * E18)
    assert pool.apply(position_log(BURN, -60, 60, 0)) is pool
    assert pool.apply(Log("0xpool", (abi.topic("Collect(address)"),), b"")) is pool


def test_initialize() -> None:
    price = sqrt_ratio_at_tick(-7)
    empty = V3Pool("0xpool", "0x01", "0x02", 500, 10, 0, 0, 0, TickMap.complete(10, {}))
    moved = empty.apply(Log("0xpool", (INITIALIZE,), abi.encode(price) + abi.encode(-7)))
    assert (moved.sqrt_price, moved.tick, moved.liquidity) == (price, -7, 0)


# --- the float view ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("zero_for_one", [True, False])
def test_segments_predict_quotes(zero_for_one: bool) -> None:
    pool = whole_pool()
    segments = list(pool.segments(zero_for_one))
    assert len(segments) == len(POSITIONS)
    total = sum(segment.capacity for segment in segments)
    for share in (0.001, 0.3, 0.5, 0.9, 0.999):
        assert isclose(
            worth(pool, zero_for_one, total * share), pool.quote_in(zero_for_one, int(total * share)), rel_tol=1e-9
        )


def test_segments_end_where_knowledge_ends() -> None:
    assert len(list(known_only({-1, 0}).segments(True))) == len(POSITIONS)
    part = sum(segment.capacity for segment in known_only({-1, 0}).segments(True))
    assert part < sum(segment.capacity for segment in whole_pool().segments(True))
    assert isclose(
        known_only({-1, 0}).quote_in(True, int(part * 0.999)), whole_pool().quote_in(True, int(part * 0.999))
    )


def test_a_gap_without_liquidity_is_left_out() -> None:
    ticks = TickMap.complete(60, {}).moved(-600, -120, E18).moved(120, 600, E18)
    pool = V3Pool("0xpool", "0x01", "0x02", 3000, 60, sqrt_ratio_at_tick(0), 0, 0, ticks)
    for zero_for_one in (True, False):
        (segment,) = pool.segments(zero_for_one)
        assert isclose(segment.x, E18 * 1.0001**60, rel_tol=1e-6)
    with pytest.raises(NoLiquidity):
        next(replace(pool, ticks=TickMap.complete(60, {})).segments(True))
