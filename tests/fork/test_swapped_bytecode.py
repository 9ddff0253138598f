"""Pools after a swap, by exact maths, against what the protocols' own bytecode is left with."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from pair_world import P, PairWorld
from test_solidly_bytecode import FOLDER
from test_solidly_bytecode import random_pair as random_solidly
from test_v2_bytecode import FORKS, random_pair
from test_v3_bytecode import LAYOUTS, TIERS, random_pool, size_of
from uniswap_evm import MAX_LIMIT, MIN_LIMIT, Reverted, V3World
from uniswap_v4_evm import NO_HOOKS, TOKENS, V4World

from bot.amm.pool import NoLiquidity, Pool, UnknownState
from bot.amm.swapped import Swapped, swap_in, swap_out
from bot.amm.tick_math import MAX_TICK, sqrt_ratio_at_tick, tick_at_sqrt_ratio
from bot.amm.ticks import TickMap
from bot.amm.v3 import V3Pool
from bot.amm.v4 import V4Pool

VERIFY = os.environ.get("MEV_VERIFY") == "1"
POOLS, SWAPS_A_POOL = (12, 60) if VERIFY else (3, 20)
PAIRS, SWAPS_A_PAIR = (100, 50) if VERIFY else (20, 40)
POOLS_A_WORLD = 8


def after(pool: Pool, i: int, exact_in: bool, size: int) -> Swapped | None:
    """None where there is no such swap."""
    try:
        return (swap_in if exact_in else swap_out)(pool, i, 1 - i, size)
    except NoLiquidity:
        return None


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("fee, spacing", TIERS)
def test_a_v3_pool_after_a_swap_is_the_contract_s(
    layout: str, fee: int, spacing: int, record_property: Callable[[str, object], None]
) -> None:
    done = same_tick = 0
    for seed in range(POOLS):
        dice = random.Random(f"swapped {layout} {fee} {seed}")
        if seed % POOLS_A_WORLD == 0:
            world = V3World(layout)
        pool = random_pool(world, dice, fee, spacing)
        for _ in range(SWAPS_A_POOL):
            before = world.evm.evm.snapshot()
            i, exact_in = dice.randint(0, 1), dice.random() < 0.6
            size = edge(dice, pool, i, exact_in) or size_of(dice, pool, i, exact_in, world.held(pool, 1 - i))
            found = after(pool, i, exact_in, size)
            try:
                paid, got, real = world.swap(pool, i, size if exact_in else -size)
            except Reverted:
                assert found is None
                world.evm.evm.revert(before)
                continue
            if (paid if exact_in else got) != size:  # not all of it: there was no more liquidity
                assert found is None
                world.evm.evm.revert(before)
                continue
            assert found == (real, paid, got), (pool, i, exact_in, size)
            done += 1
            same_tick += pool.tick == real.tick
            pool = real
        assert world.load(pool) == pool
    record_property("states compared, of which in the same tick, 0 differences", f"{done}, {same_tick}")
    assert same_tick < done > POOLS * SWAPS_A_POOL // 4


def edge(dice: random.Random, pool: V3Pool | V4Pool, i: int, exact_in: bool) -> int | None:
    """Now and then what moves the price just to an initialised tick or the end, or a unit to either side of that."""
    if dice.random() < 0.6:
        return None
    prices = [sqrt_ratio_at_tick(tick) for tick in pool.ticks.liquidity if (tick <= pool.tick) == (i == 0)]
    target = dice.choice([*prices, MAX_LIMIT if i else MIN_LIMIT])
    walk = pool._walks[i] or pool._walk(i)
    try:
        while target not in walk.prices[-2:]:
            walk.extend()
    except NoLiquidity:
        if target not in walk.prices:
            return None
    totals = walk.ins if exact_in else walk.outs
    return max(0, totals[walk.prices.index(target)] + dice.randint(-1, 1)) or None


def test_a_v4_pool_after_a_swap_is_the_manager_s(record_property: Callable[[str, object], None]) -> None:
    done = 0
    for seed in range(POOLS * 6):
        dice = random.Random(f"swapped v4 {seed}")
        if seed % POOLS_A_WORLD == 0:
            world = V4World()
        fee, spacing = dice.choice(((100, 1), (500, 10), (3000, 60), (0, 7), (10_000, 200)))
        fee += seed  # a pool of its own in this world
        tick = dice.randint(-200_000, 200_000)
        pool = world.create(*sorted(dice.sample(TOKENS, 2)), fee, spacing, NO_HOOKS, sqrt_ratio_at_tick(tick))
        if dice.random() < 0.5:
            pool = world.set_protocol_fee(pool, dice.randint(0, 1000), dice.randint(0, 1000))
        for _ in range(dice.randint(1, 8)):
            reach = dice.choice((3, 300, 3000)) * spacing
            lower, upper = sorted(round((tick + dice.randint(-reach, reach)) / spacing) * spacing for _ in range(2))
            if -MAX_TICK < lower < upper < MAX_TICK:
                pool = world.modify(pool, lower, upper, dice.randint(1, 10 ** dice.randint(6, 24)))
        for _ in range(SWAPS_A_POOL):
            before = world.evm.evm.snapshot()
            i, exact_in = dice.randint(0, 1), dice.random() < 0.6
            size = edge(dice, pool, i, exact_in) or dice.randint(1, 10 ** dice.randint(1, 24))
            found = after(pool, i, exact_in, size)
            try:
                paid, got, real = world.swap(pool, i, -size if exact_in else size)
            except Reverted:
                assert found is None
                world.evm.evm.revert(before)
                continue
            if (paid if exact_in else got) != size:
                assert found is None
                world.evm.evm.revert(before)
                continue
            assert found == (real, paid, got), (pool, i, exact_in, size)
            pool, done = real, done + 1
        assert world.load(pool) == pool
    record_property("states compared, 0 differences", done)
    assert done > POOLS * SWAPS_A_POOL


@pytest.mark.skipif(not FOLDER.is_dir(), reason="npm's Solidly is not in node_modules")
@pytest.mark.parametrize("stable", [False, True])
def test_a_solidly_pair_after_a_swap_is_the_contract_s(
    stable: bool, record_property: Callable[[str, object], None]
) -> None:
    done = 0
    dice = random.Random(f"swapped solidly {stable}")
    for _ in range(PAIRS):
        world, pool = random_solidly(stable, dice)
        for _ in range(SWAPS_A_PAIR):
            i, exact_in = dice.randint(0, 1), dice.random() < 0.6
            held = (pool.reserve0, pool.reserve1)[i if exact_in else 1 - i]
            found = after(pool, i, exact_in, dice.randint(1, dice.choice((10, 10**6, held, held))))
            if found is not None:
                pool, done = swapped(world, pool, i, found), done + 1
    record_property("states compared, 0 differences", done)
    assert done > PAIRS * SWAPS_A_PAIR // 3


@pytest.mark.parametrize("fork", FORKS)
def test_a_pair_after_a_swap_is_the_contract_s(fork: str, record_property: Callable[[str, object], None]) -> None:
    done = 0
    dice = random.Random(f"swapped {fork}")
    for _ in range(PAIRS):
        world, pool = random_pair(FORKS[fork], dice)
        for _ in range(SWAPS_A_PAIR):
            i, exact_in = dice.randint(0, 1), dice.random() < 0.6
            held = (pool.reserve0, pool.reserve1)[i if exact_in else 1 - i]
            size = dice.randint(1, dice.choice((10, 10**6, held, held)))
            found = after(pool, i, exact_in, size)
            if found is not None:
                pool, done = swapped(world, pool, i, found), done + 1
    record_property("states compared, 0 differences", done)
    assert done > PAIRS * SWAPS_A_PAIR // 3


def swapped(world: PairWorld, pool: P, i: int, found: Swapped) -> P:
    """The pair, by its own log, after what was paid and got; it has to be what was found."""
    assert world.swap(i, (0, found.got), (found.paid, found.got)), (pool, i, found)
    real = pool
    for log in world.logs():
        real = real.apply(log)
    assert found.pool == real
    return real


def test_a_limit_that_would_stop_the_swap_is_not_known() -> None:
    ticks = TickMap.complete(60, {})
    price = sqrt_ratio_at_tick(0)
    pool = V3Pool("0xp", "0x1", "0x2", 3000, 60, price, 0, 10**18, ticks)
    free = swap_in(pool, 0, 1, 10**15)
    for limit in (1, MIN_LIMIT, swapped_price(free) - 1):
        assert swap_in(pool, 0, 1, 10**15, limit) == free
    for limit in (swapped_price(free), price - 1):
        with pytest.raises(UnknownState):
            swap_in(pool, 0, 1, 10**15, limit)
    assert swap_in(pool, 1, 0, 10**15, MAX_LIMIT).got < 10**15
    with pytest.raises(UnknownState):
        swap_in(pool, 1, 0, 10**15, price + 1)
    with pytest.raises(UnknownState):
        swap_out(pool, 1, 0, 10**15, MAX_LIMIT)


def swapped_price(swap: Swapped) -> int:
    assert isinstance(swap.pool, V3Pool)
    assert swap.pool.tick == tick_at_sqrt_ratio(swap.pool.sqrt_price)
    return swap.pool.sqrt_price


def test_at_the_end_of_all_prices_no_tick_is_crossed() -> None:
    """Random liquidity of a real pool seldom reaches that far: TickMath's least price but one is no tick's."""
    pool = V3Pool(
        "0xp", "0x1", "0x2", 3000, 60, sqrt_ratio_at_tick(-887_000), -887_000, 10**20, TickMap.complete(60, {})
    )
    walk = pool._walks[0] or pool._walk(0)
    while not walk.ended:
        walk.extend()
    end = swap_in(pool, 0, 1, walk.ins[-1]).pool
    assert isinstance(end, V3Pool) and (end.sqrt_price, end.tick) == (MIN_LIMIT, -MAX_TICK)
    with pytest.raises(NoLiquidity):
        swap_in(pool, 0, 1, walk.ins[-1] + 10)


def test_behind_a_tick_that_was_never_read_nothing_is_known() -> None:
    words = dict.fromkeys(range(-3, 4), 0) | {0: 1 << 10}
    pool = V3Pool("0xp", "0x1", "0x2", 3000, 60, sqrt_ratio_at_tick(0), 0, 10**18, TickMap(60, words, {}))
    to_tick = pool.quote_in(1, 0, 10**15) and next(pool.segments(1, 0)).capacity
    exact = (pool._walks[1] or pool._walk(1)).ins[1]
    assert abs(exact - to_tick) < 10**6
    assert swap_in(pool, 1, 0, exact - 1).pool != pool
    with pytest.raises(UnknownState):
        swap_in(pool, 1, 0, exact)
    with pytest.raises(NoLiquidity):
        swap_in(replace(pool, liquidity=0), 1, 0, 0)
