"""Prices of ticks: the contract's own table, and that both ways agree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.amm.tick_math import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    sqrt_ratio_at_tick,
    tick_at_sqrt_ratio,
)

TABLE = (
    Path(__file__).parents[2].parent / "shared/data/vectors/uniswap-v3-core/test/__snapshots__/TickMath.spec.ts.snap"
)


@pytest.mark.skipif(not TABLE.exists(), reason="no ../shared/data beside the repository")
def test_table_of_v3_core() -> None:
    text = TABLE.read_text()
    ratios = re.findall(r"getSqrtRatioAtTick tick (-?\d+) result 1`\] = `\"(\d+)\"`", text)
    assert len(ratios) >= 20
    for tick, ratio in ratios:
        assert sqrt_ratio_at_tick(int(tick)) == int(ratio)
    ticks = re.findall(r"getTickAtSqrtRatio ratio (\d+) result 1`\] = `(-?\d+)`", text)
    assert len(ticks) >= 10
    for ratio, tick in ticks:
        assert tick_at_sqrt_ratio(int(ratio)) == int(tick)


def test_ends_of_the_range() -> None:
    assert sqrt_ratio_at_tick(MIN_TICK) == MIN_SQRT_RATIO
    assert sqrt_ratio_at_tick(MAX_TICK) == MAX_SQRT_RATIO
    assert tick_at_sqrt_ratio(MIN_SQRT_RATIO) == MIN_TICK
    assert tick_at_sqrt_ratio(MAX_SQRT_RATIO - 1) == MAX_TICK - 1
    for tick in (MIN_TICK - 1, MAX_TICK + 1):
        with pytest.raises(ValueError, match="does not exist"):
            sqrt_ratio_at_tick(tick)
    for price in (MIN_SQRT_RATIO - 1, MAX_SQRT_RATIO):
        with pytest.raises(ValueError, match="does not exist"):
            tick_at_sqrt_ratio(price)


@given(st.integers(MIN_TICK, MAX_TICK - 1))
def test_tick_of_its_price_and_of_the_last_price_before_the_next(tick: int) -> None:
    assert tick_at_sqrt_ratio(sqrt_ratio_at_tick(tick)) == tick
    assert tick_at_sqrt_ratio(sqrt_ratio_at_tick(tick + 1) - 1) == tick
