"""V3Pool: what is unknown, what is followed, and the float view."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import abi
from bot.amm.layouts import UNISWAP_V3, V3_LAYOUTS, V3Layout
from bot.amm.pool import NoLiquidity, UnknownState
from bot.amm.tick_math import sqrt_ratio_at_tick
from bot.amm.ticks import TickLiquidity, TickMap
from bot.amm.v3 import BURN, INITIALIZE, MINT, SWAP, SWAP_PANCAKE, V3Pool
from bot.engine.types import AccountDiff, Log, StateDiff

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


def worth(pool: V3Pool, i: int, amount: float) -> float:
    """What an input buys by the float view, at most all that is there."""
    out = 0.0
    for segment in pool.segments(i, 1 - i):
        gained = min(amount, segment.capacity) * segment.keep
        out += segment.y * gained / (segment.x + gained)
        amount -= min(amount, segment.capacity)
    return out


# --- unknown is not empty ----------------------------------------------------------------------------------


def test_crossing_into_an_unread_word_is_refused_and_short_of_it_is_exact() -> None:
    whole, part = whole_pool(), known_only({-1, 0})
    within = int(sum(segment.capacity for segment in part.segments(0, 1)) * 0.999)
    assert part.quote_in(0, 1, within) == whole.quote_in(0, 1, within)
    beyond = within * 102 // 100
    assert whole.quote_in(0, 1, beyond) > whole.quote_in(0, 1, within)
    with pytest.raises(UnknownState):
        part.quote_in(0, 1, beyond)
    with pytest.raises(UnknownState):
        part.quote_out(0, 1, whole.quote_in(0, 1, beyond))


def test_nothing_is_known_around_the_price() -> None:
    pool = known_only({5})
    for i in (0, 1):
        for ask in (pool.quote_in, pool.quote_out):
            with pytest.raises(UnknownState):
                ask(i, 1 - i, 1)
        with pytest.raises(UnknownState):
            next(pool.segments(i, 1 - i))


def test_an_initialised_tick_that_was_not_read_ends_what_is_known() -> None:
    whole = whole_pool()
    liquidity = {tick: entry for tick, entry in whole.ticks.liquidity.items() if tick != -60}
    pool = replace(whole, ticks=replace(whole.ticks, liquidity=liquidity))
    (segment,) = pool.segments(0, 1)
    up_to_it = int(segment.capacity)
    assert pool.quote_in(0, 1, up_to_it - 1) == whole.quote_in(0, 1, up_to_it - 1)
    with pytest.raises(UnknownState):
        pool.quote_in(0, 1, up_to_it * 101 // 100)
    assert pool.quote_in(1, 0, up_to_it * 2) == whole.quote_in(1, 0, up_to_it * 2)


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
    for i in (0, 1):
        assert pool.quote_in(i, 1 - i, 0) == pool.quote_out(i, 1 - i, 0) == 0
        for amount in (10**40, 2**255, 2**256):
            with pytest.raises(NoLiquidity):
                pool.quote_in(i, 1 - i, amount)
            with pytest.raises(NoLiquidity):
                pool.quote_out(i, 1 - i, amount)
        for price in (0, sqrt_ratio_at_tick(-887_272)):
            if price and i == 1:
                continue
            with pytest.raises(NoLiquidity):
                replace(pool, sqrt_price=price).quote_in(i, 1 - i, 1)


@given(st.integers(0, 1), st.integers(1, 2 * E18))
def test_output_asked_for_is_paid(i: int, wanted: int) -> None:
    pool = whole_pool()
    try:
        paid = pool.quote_out(i, 1 - i, wanted)
    except NoLiquidity:
        assert wanted > 0.999 * worth(pool, i, inf)
        return
    assert pool.quote_in(i, 1 - i, paid) >= wanted


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
        assert moved.quote_in(0, 1, E18) != pool.quote_in(0, 1, E18)


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


def test_a_log_that_is_cut_short() -> None:
    with pytest.raises(UnknownState):
        whole_pool().apply(Log("0xpool", (SWAP,), bytes(128)))


# --- changes of state --------------------------------------------------------------------------------------


def diff(slots: dict[int, int], address: str = "0xpool") -> StateDiff:
    return {address: AccountDiff(slots=slots)}


def packed(entry: TickLiquidity) -> int:
    return (entry.net % (1 << 128)) << 128 | entry.gross


def test_slots_are_those_of_what_is_known() -> None:
    pool = known_only({0, 5})
    expected = {0, 4, UNISWAP_V3.word_slot(0), UNISWAP_V3.word_slot(5)}
    expected |= {UNISWAP_V3.tick_slot(tick) for tick in (60, 600)}
    assert pool.slots() == {"0xpool": expected}
    assert replace(pool, layout="shifted-v3").slots()["0xpool"] >= {1, 5}


@pytest.mark.parametrize("layout", V3_LAYOUTS)
def test_a_swap_changes_numbered_slots(layout: V3Layout) -> None:
    pool = replace(whole_pool(), layout=layout.name)
    price = sqrt_ratio_at_tick(-70)
    slots = {layout.price: 1 << 240 | (-71 & 0xFFFFFF) << 160 | price, layout.liquidity: 4 * E18, 8 + 300: 1, 2: 5}
    moved = pool.apply_diff(diff(slots))
    assert moved == replace(pool, sqrt_price=price, tick=-71, liquidity=4 * E18)
    assert moved.ticks is pool.ticks
    del slots[layout.liquidity]
    assert pool.apply_diff(diff(slots)).liquidity == pool.liquidity
    for nothing in (diff({2: 5, 308: 1}), diff({1 << 200: 1, 2: 7}), diff({}), diff(slots, "0xother")):
        assert pool.apply_diff(nothing) is pool


def test_positions_change_words_and_ticks() -> None:
    pool = whole_pool()
    added = pool.apply(position_log(MINT, -60, 120, E18))
    slots = {UNISWAP_V3.tick_slot(tick): packed(added.ticks.liquidity[tick]) for tick in (-60, 120)}
    slots |= {UNISWAP_V3.word_slot(0): added.ticks.words[0], 4: 10 * E18}
    assert pool.apply_diff(diff(slots)) == added
    back = {UNISWAP_V3.tick_slot(-60): packed(pool.ticks.liquidity[-60]), UNISWAP_V3.tick_slot(120): 0}
    assert added.apply_diff(diff({**back, UNISWAP_V3.word_slot(0): pool.ticks.words[0], 4: 9 * E18})) == pool


def test_a_change_of_state_does_not_make_a_word_known_but_a_tick() -> None:
    pool = known_only({0})
    added = {UNISWAP_V3.word_slot(-1): 1 << 255, UNISWAP_V3.tick_slot(-60): packed(TickLiquidity(E18, E18))}
    assert pool.apply_diff(diff(added)) is pool
    blank = replace(pool, ticks=replace(pool.ticks, liquidity={}))
    read = blank.apply_diff(diff({UNISWAP_V3.tick_slot(60): packed(TickLiquidity(E18, -E18))}))
    assert read.ticks.liquidity == {60: TickLiquidity(E18, -E18)}
    word = pool.ticks.words[0] | 1 << 3  # a tick whose liquidity the change does not tell
    unread = pool.apply_diff(diff({UNISWAP_V3.word_slot(0): word}))
    assert unread.ticks.words == {0: word} and 180 not in unread.ticks.liquidity


# --- the float view ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("i", [0, 1])
def test_segments_predict_quotes(i: int) -> None:
    pool = whole_pool()
    segments = list(pool.segments(i, 1 - i))
    assert len(segments) == len(POSITIONS)
    total = sum(segment.capacity for segment in segments)
    for share in (0.001, 0.3, 0.5, 0.9, 0.999):
        assert isclose(worth(pool, i, total * share), pool.quote_in(i, 1 - i, int(total * share)), rel_tol=1e-9)


def test_segments_end_where_knowledge_ends() -> None:
    assert len(list(known_only({-1, 0}).segments(0, 1))) == len(POSITIONS)
    part = sum(segment.capacity for segment in known_only({-1, 0}).segments(0, 1))
    assert part < sum(segment.capacity for segment in whole_pool().segments(0, 1))
    assert isclose(
        known_only({-1, 0}).quote_in(0, 1, int(part * 0.999)), whole_pool().quote_in(0, 1, int(part * 0.999))
    )


def test_a_gap_without_liquidity_is_left_out() -> None:
    ticks = TickMap.complete(60, {}).moved(-600, -120, E18).moved(120, 600, E18)
    pool = V3Pool("0xpool", "0x01", "0x02", 3000, 60, sqrt_ratio_at_tick(0), 0, 0, ticks)
    for i in (0, 1):
        (segment,) = pool.segments(i, 1 - i)
        assert isclose(segment.x, E18 * 1.0001**60, rel_tol=1e-6)
    with pytest.raises(NoLiquidity):
        next(replace(pool, ticks=TickMap.complete(60, {})).segments(0, 1))


def test_a_stretch_without_end_begins_at_once() -> None:
    """Every tick is known, and none of 7,000 words but the first and the last has any."""
    ticks = TickMap.complete(1, {}).moved(-887_272, 887_272, E18)
    pool = V3Pool("0xpool", "0x01", "0x02", 100, 1, sqrt_ratio_at_tick(0), 0, E18, ticks)
    first, second, *_ = pool.segments(1, 0)
    assert first.x < second.x
    assert isclose(second.x - first.x, first.capacity * first.keep, rel_tol=1e-9)
    assert first.capacity > E18 * (1.0001**2000 - 1)
    assert isclose(worth(pool, 1, 5 * E18), pool.quote_in(1, 0, 5 * E18), rel_tol=1e-9)
