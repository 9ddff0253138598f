"""V3Pool against the bytecode of UniswapV3Pool and PancakeV3Pool: every quote equal, every refusal shared."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
from uniswap_evm import V3_POOLS, Reverted, V3World

from bot.amm.pool import NoLiquidity
from bot.amm.tick_math import MAX_TICK, MIN_TICK, sqrt_ratio_at_tick
from bot.amm.v3 import V3Pool

SWAPS = 10_080 if os.environ.get("MEV_VERIFY") == "1" else 720
SWAPS_A_POOL = 20
TIERS = ((100, 1), (500, 10), (3000, 60), (10000, 200), (999_999, 16_383), (0, 7))


def random_pool(world: V3World, dice: random.Random, fee: int, spacing: int) -> V3Pool:
    """A pool with overlapping positions around, below and above a random price, some of them burnt again."""
    tick = dice.choice((dice.randint(-500, 500), dice.randint(-200_000, 200_000), dice.randint(-880_000, 880_000)))
    low, high = sqrt_ratio_at_tick(tick), sqrt_ratio_at_tick(tick + 1)
    pool = world.create(fee, spacing, dice.choice((low, dice.randrange(low, high), high - 1)))
    size = 10 ** dice.randint(3, 24)
    for _ in range(dice.randint(1, 14)):
        lower, upper = sorted(place(dice, tick, spacing) for _ in range(2))
        if lower == upper:
            continue
        amount = dice.randint(1, size)
        try:
            pool = world.mint(pool, lower, upper, amount)
        except Reverted:  # more than a tick may hold
            continue
        if dice.random() < 0.3:
            pool = world.burn(pool, lower, upper, dice.choice((amount, amount // 2)))
    return pool


def place(dice: random.Random, tick: int, spacing: int) -> int:
    """A usable tick near the price, somewhat away, or at the end of the range."""
    reach = dice.choice((3 * spacing, 300 * spacing, 100_000, 2 * MAX_TICK))
    wanted = max(MIN_TICK, min(MAX_TICK, tick + dice.randint(-reach, reach)))
    return int(wanted / spacing) * spacing


def size_of(world: V3World, dice: random.Random, pool: V3Pool, zero_for_one: bool, exact_in: bool) -> int:
    """Dust, anything, or a share of what the pool holds, so that many ticks are crossed."""
    wild = dice.choice((1, 2, dice.randint(1, 2 ** dice.randint(1, 60)), dice.randint(1, 2 ** dice.randint(1, 250))))
    if dice.random() < 0.4:
        return wild
    held = world.balance(pool, not zero_for_one)
    out = int(held * dice.random() ** dice.randint(1, 6))
    try:
        return pool.quote_out(zero_for_one, out) or wild if exact_in else out or wild
    except NoLiquidity:  # what is held beyond the liquidity are fees
        return wild


def check_swap(world: V3World, pool: V3Pool, zero_for_one: bool, exact_in: bool, size: int) -> V3Pool | None:
    """The pool after a swap on which quote and bytecode agree; None where both refuse."""
    quote: int | None
    try:
        quote = (pool.quote_in if exact_in else pool.quote_out)(zero_for_one, size)
    except NoLiquidity:
        quote = None
    try:
        paid, got, after = world.swap(pool, zero_for_one, size if exact_in else -size)
    except Reverted:
        assert quote is None
        return None
    real = (got if paid == size else None) if exact_in else (paid if got == size else None)
    assert quote == real, (pool, zero_for_one, exact_in, size)
    assert after.ticks is pool.ticks
    return None if quote is None else after


def crossed(before: V3Pool, after: V3Pool) -> int:
    """Initialised ticks between two prices."""
    low, high = sorted((before.tick, after.tick))
    return sum(low < tick <= high for tick in before.ticks.liquidity)


@pytest.mark.parametrize("layout", V3_POOLS)
@pytest.mark.parametrize("fee, spacing", TIERS)
def test_every_swap_equals_the_bytecode(
    layout: str, fee: int, spacing: int, record_property: Callable[[str, object], None]
) -> None:
    done = filled = crossings = 0
    for seed in range(SWAPS // SWAPS_A_POOL // len(TIERS)):
        dice = random.Random(f"{layout} {fee} {seed}")
        world = V3World(layout)
        pool = random_pool(world, dice, fee, spacing)
        for _ in range(SWAPS_A_POOL):
            before = world.evm.evm.snapshot()
            zero_for_one, exact_in = dice.random() < 0.5, dice.random() < 0.6
            size = size_of(world, dice, pool, zero_for_one, exact_in)
            after = check_swap(world, pool, zero_for_one, exact_in, size)
            done += 1
            if after is None:
                world.evm.evm.revert(before)
                continue
            filled += 1
            crossings += crossed(pool, after)
            pool = after
        assert world.load(pool) == pool
    record_property("swaps, of which filled, ticks crossed, 0 differences", f"{done}, {filled}, {crossings}")
    assert filled > done // 3 and crossings > done // 20
