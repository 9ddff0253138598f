"""V3Pool against the bytecode of UniswapV3Pool, PancakeV3Pool and a fork: every quote equal, every refusal shared, and
the same pool by log, by change of state and by a fresh load."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
from uniswap_evm import OWNER, RECORDED_V3, V3_POOLS, Reverted, V3World, changed

from bot import abi
from bot.amm.layouts import V3_LAYOUT
from bot.amm.pool import NoLiquidity
from bot.amm.tick_math import MAX_TICK, MIN_SQRT_RATIO, MIN_TICK, sqrt_ratio_at_tick
from bot.amm.v3 import V3Pool
from bot.engine.types import AccountDiff

POOLS, SWAPS_A_POOL = (58, 100) if os.environ.get("MEV_VERIFY") == "1" else (4, 25)
POOLS_A_WORLD = 8
TIERS = ((100, 1), (500, 10), (3000, 60), (10000, 200), (999_999, 16_383), (0, 7))
LAYOUTS = (*V3_POOLS, *RECORDED_V3)


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
        before = pool
        try:
            pool = world.mint(pool, lower, upper, amount)
        except Reverted:  # more than a tick may hold
            continue
        if dice.random() < 0.3:
            pool = world.burn(pool, lower, upper, dice.choice((amount, amount // 2)))
        assert before.apply_diff(changed(world.evm, before, pool)) == pool
    return pool


def place(dice: random.Random, tick: int, spacing: int) -> int:
    """A usable tick near the price, somewhat away, or at the end of the range."""
    reach = dice.choice((3 * spacing, 300 * spacing, 100_000, 2 * MAX_TICK))
    wanted = max(MIN_TICK, min(MAX_TICK, tick + dice.randint(-reach, reach)))
    return int(wanted / spacing) * spacing


def size_of(dice: random.Random, pool: V3Pool, i: int, exact_in: bool, held: int) -> int:
    """Dust, anything, or a share of what is ``held`` of the other token, so that many ticks are crossed."""
    if dice.random() < 0.4:
        return dice.choice((1, 2, dice.randint(1, 2 ** dice.randint(1, dice.choice((30, 60, 90, 250))))))
    out = int(held * dice.random() ** dice.randint(1, 6))
    if not exact_in:
        return out or 1
    try:
        return pool.quote_out(i, 1 - i, out) or 1
    except NoLiquidity:  # what is held beyond the liquidity are fees
        return 1


def check_swap(world: V3World, pool: V3Pool, i: int, exact_in: bool, size: int) -> V3Pool | None:
    """The pool after a swap on which quote and bytecode agree; None where both refuse."""
    quote: int | None
    try:
        quote = (pool.quote_in if exact_in else pool.quote_out)(i, 1 - i, size)
    except NoLiquidity:
        quote = None
    try:
        paid, got, after = world.swap(pool, i, size if exact_in else -size)
    except Reverted:
        assert quote is None
        return None
    real = (got if paid == size else None) if exact_in else (paid if got == size else None)
    assert quote == real, (pool, i, exact_in, size)
    if quote is None:
        return None
    layout = world.layout
    slots = {slot: world.slot(pool, slot) for slot in (layout.price, layout.liquidity, layout.liquidity - 2)}
    assert after == pool.apply_diff({pool.id: AccountDiff(slots=slots)})
    assert after.ticks is pool.ticks
    return after


def crossed(before: V3Pool, after: V3Pool) -> int:
    """Initialised ticks between two prices."""
    low, high = sorted((before.tick, after.tick))
    return sum(low < tick <= high for tick in before.ticks.liquidity)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("fee, spacing", TIERS)
def test_every_swap_equals_the_bytecode(
    layout: str, fee: int, spacing: int, record_property: Callable[[str, object], None]
) -> None:
    done = filled = crossings = 0
    for seed in range(POOLS):
        dice = random.Random(f"{layout} {fee} {seed}")
        if seed % POOLS_A_WORLD == 0:
            world = V3World(layout)
        pool = random_pool(world, dice, fee, spacing)
        for _ in range(SWAPS_A_POOL):
            before = world.evm.evm.snapshot()
            i, exact_in = dice.randint(0, 1), dice.random() < 0.6
            size = size_of(dice, pool, i, exact_in, world.held(pool, 1 - i))
            after = check_swap(world, pool, i, exact_in, size)
            done += 1
            if after is None:
                world.evm.evm.revert(before)
                continue
            filled += 1
            crossings += crossed(pool, after)
            pool = after
        assert world.load(pool) == pool
    record_property("swaps, of which filled, ticks crossed, 0 differences", f"{done}, {filled}, {crossings}")
    assert filled > done // 3 and crossings > done // 60


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_private_layout_refuses_strangers(layout: str) -> None:
    """Nothing is paid, so that every pool refuses; a private one does so before it asks for the payment."""
    world = V3World(layout)
    pool = world.mint(world.create(3000, 60, sqrt_ratio_at_tick(7)), -600, 600, 10**18)
    swap = ("swap(address,bool,int256,uint160,bytes)", OWNER, 1, 10**6, MIN_SQRT_RATIO + 1, 160, 0)
    with pytest.raises(Reverted) as refused:
        world.evm.call(OWNER, pool.id, *swap)
    assert (b"NOT_SWAPPER".hex() in str(refused.value)) == V3_LAYOUT[layout].private
    assert pool.quote_in(0, 1, 10**6) == world.swap(pool, 0, 10**6)[1]
    assert abi.uint(world.evm.call(OWNER, pool.id, "fee()")) == pool.fee
