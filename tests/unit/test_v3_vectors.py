"""V3Pool against recorded answers: v3-core's own swap tests."""

from __future__ import annotations

import re
from decimal import Decimal, localcontext
from pathlib import Path

import pytest

from bot.amm.pool import NoLiquidity
from bot.amm.tick_math import MAX_SQRT_RATIO, MIN_SQRT_RATIO, tick_at_sqrt_ratio
from bot.amm.ticks import TickMap
from bot.amm.v3 import V3Pool

VECTORS = Path(__file__).parents[2].parent / "shared/data/vectors"
pytestmark = pytest.mark.skipif(not VECTORS.exists(), reason="no ../shared/data beside the repository")

ONE = 10**18
SPACING = {500: 10, 3000: 60, 10_000: 200}
# Name in the snapshot: fee, price as a ratio or a sqrt price, positions (lower, upper, liquidity; None is the end).
POOLS: dict[str, tuple[int, tuple[int, int] | int, list[tuple[int | None, int | None, int]]]] = {
    "low fee, 1:1 price, 2e18 max range liquidity": (500, (1, 1), [(None, None, 2 * ONE)]),
    "medium fee, 1:1 price, 2e18 max range liquidity": (3000, (1, 1), [(None, None, 2 * ONE)]),
    "high fee, 1:1 price, 2e18 max range liquidity": (10_000, (1, 1), [(None, None, 2 * ONE)]),
    "medium fee, 10:1 price, 2e18 max range liquidity": (3000, (10, 1), [(None, None, 2 * ONE)]),
    "medium fee, 1:10 price, 2e18 max range liquidity": (3000, (1, 10), [(None, None, 2 * ONE)]),
    "medium fee, 1:1 price, 0 liquidity, all liquidity around current price": (
        3000,
        (1, 1),
        [(None, -60, 2 * ONE), (60, None, 2 * ONE)],
    ),
    "medium fee, 1:1 price, additional liquidity around current price": (
        3000,
        (1, 1),
        [(None, None, 2 * ONE), (None, -60, 2 * ONE), (60, None, 2 * ONE)],
    ),
    "low fee, large liquidity around current price (stable swap)": (500, (1, 1), [(-10, 10, 2 * ONE)]),
    "medium fee, token0 liquidity only": (3000, (1, 1), [(0, 2000 * 60, 2 * ONE)]),
    "medium fee, token1 liquidity only": (3000, (1, 1), [(-2000 * 60, 0, 2 * ONE)]),
    "close to max price": (3000, (2**127, 1), [(None, None, 2 * ONE)]),
    "close to min price": (3000, (1, 2**127), [(None, None, 2 * ONE)]),
    "max full range liquidity at 1:1 price with default fee": (
        3000,
        (1, 1),
        [(None, None, 11505743598341114571880798222544994)],
    ),
    "initialized at the max ratio": (3000, MAX_SQRT_RATIO - 1, [(None, None, 2 * ONE)]),
    "initialized at the min ratio": (3000, MIN_SQRT_RATIO, [(None, None, 2 * ONE)]),
}


def sqrt_of_ratio(amount1: int, amount0: int) -> int:
    """The suite's encodePriceSqrt: each step of it keeps forty decimals, which shows at 1 : 2**127."""
    places = Decimal(10) ** -40
    with localcontext(prec=100):
        root = (Decimal(amount1) / amount0).quantize(places).sqrt().quantize(places)
        return int(root * 2**96)


def make_pool(name: str) -> V3Pool:
    fee, price, positions = POOLS[name]
    sqrt_price = price if isinstance(price, int) else sqrt_of_ratio(*price)
    tick, spacing = tick_at_sqrt_ratio(sqrt_price), SPACING[fee]
    last = 887_272 // spacing * spacing
    ticks, liquidity = TickMap.complete(spacing, {}), 0
    for lower, upper, amount in positions:
        lower, upper = -last if lower is None else lower, last if upper is None else upper
        ticks = ticks.moved(lower, upper, amount)
        liquidity += amount if lower <= tick < upper else 0
    return V3Pool("0xpool", "0x01", "0x02", fee, spacing, sqrt_price, tick, liquidity, ticks)


def snapshots() -> list[tuple[str, str, dict[str, str]]]:
    """(pool, what was swapped, what came of it) of v3-core's swap tests."""
    text = (VECTORS / "uniswap-v3-core/test/__snapshots__/UniswapV3Pool.swaps.spec.ts.snap").read_text()
    rows = re.findall(r"swap tests ([^\n]*?) swap ([^\n]*token[^\n]*) 1`\] = `\nObject \{\n(.*?)\n\}", text, re.S)
    return [(pool, swap, dict(re.findall(r'"(\w+)": "?(-?[^",\n]+)', body))) for pool, swap, body in rows]


def quote(pool: V3Pool, zero_for_one: bool, amount: int, exact_in: bool) -> int | None:
    i, j = (0, 1) if zero_for_one else (1, 0)
    try:
        return pool.quote_in(i, j, amount) if exact_in else pool.quote_out(i, j, amount)
    except NoLiquidity:
        return None


def test_swaps_of_v3_core() -> None:
    rows = snapshots()
    assert len(rows) == 240
    outcomes = dict.fromkeys(("filled", "not filled", "limited", "moved nothing"), 0)
    for name, swap, result in rows:
        pool = make_pool(name)
        zero_for_one = swap.index("token0") < swap.index("token1")
        size = re.search(r"exactly ([\d.]+)", swap)
        exact_in = swap.startswith("exactly")
        amount = 1000 if size and size[1] == "0.0000000000000010000" else ONE
        if "swapError" in result:
            paid = got = 0
        else:
            deltas = int(result["amount0Delta"]), int(result["amount1Delta"])
            paid, got = (deltas[0], -deltas[1]) if zero_for_one else (deltas[1], -deltas[0])
        if size and (paid if exact_in else got) == amount:
            outcomes["filled"] += 1
            assert quote(pool, zero_for_one, amount, exact_in) == (got if exact_in else paid), (name, swap)
        elif size and "to price" not in swap:
            outcomes["not filled"] += 1
            assert quote(pool, zero_for_one, amount, exact_in) is None, (name, swap)
        elif paid:  # our quotes have no price limit; what was paid up to it buys as much, but for its rounding
            outcomes["limited"] += 1
            assert 0 <= (quote(pool, zero_for_one, paid, True) or 0) - got <= 2, (name, swap)
        else:
            outcomes["moved nothing"] += 1
    assert outcomes == {"filled": 114, "not filled": 26, "limited": 52, "moved nothing": 48}
