"""V2Pool against UniswapV2Pair's own bytecode: what it quotes goes through, and one wei better does not."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

from uniswap_evm import Reverted, V2World

from bot.amm.pool import NoLiquidity
from bot.amm.v2 import V2Pool

SWAPS = 10_000 if os.environ.get("MEV_VERIFY") == "1" else 1_000
SWAPS_A_PAIR = 50


def accepted(world: V2World, zero_for_one: bool, amount_in: int, amount_out: int) -> bool:
    """Whether the pair swaps so, without doing it."""
    before = world.evm.evm.snapshot()
    try:
        world.swap(zero_for_one, amount_in, amount_out)
    except Reverted:
        return False
    finally:
        world.evm.evm.revert(before)
    return True


def check_swap(world: V2World, pool: V2Pool, zero_for_one: bool, exact_in: bool, size: int) -> V2Pool | None:
    """The pool after a swap at the quoted amounts; None where quote and pair both refuse."""
    try:
        if exact_in:
            paid, got = size, pool.quote_in(zero_for_one, size)
        else:
            got, paid = size, pool.quote_out(zero_for_one, size)
    except NoLiquidity:
        most = 2**112 - 1 - (pool.reserve0 if zero_for_one else pool.reserve1)
        asked = (size, 1) if exact_in else (most, size)
        assert not accepted(world, zero_for_one, *asked), (pool, zero_for_one, exact_in, size)
        return None
    better = (paid, got + 1) if exact_in else (paid - 1, got)
    assert not accepted(world, zero_for_one, *better), (pool, zero_for_one, exact_in, size)
    if not got:  # the pair refuses to pay nothing
        assert not accepted(world, zero_for_one, paid, 0)
        return None
    for log in world.swap(zero_for_one, paid, got):
        pool = pool.apply(log)
    return pool


def size_of(dice: random.Random, pool: V2Pool) -> int:
    held = dice.choice((pool.reserve0, pool.reserve1))
    return dice.choice((1, 2, dice.randint(1, held), dice.randint(1, 10 ** dice.randint(1, 34))))


def test_every_swap_equals_the_bytecode(record_property: Callable[[str, object], None]) -> None:
    filled = 0
    for seed in range(SWAPS // SWAPS_A_PAIR):
        dice = random.Random(seed)
        world = V2World()
        world.add(*(dice.randint(10**4, 10 ** dice.randint(5, 33)) for _ in range(2)))
        pool = world.load()
        for _ in range(SWAPS_A_PAIR):
            size = size_of(dice, pool)
            after = check_swap(world, pool, dice.random() < 0.5, dice.random() < 0.5, size)
            if after is not None:
                filled += 1
                assert after == world.load()
                pool = after
    record_property("swaps, of which filled, 0 differences", f"{SWAPS}, {filled}")
    assert filled > SWAPS // 3
