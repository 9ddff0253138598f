"""V4Pool against the bytecode of PoolManager: every quote equal, every refusal shared, and the same pool by log, by
change of state and by a fresh load."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pyrevm
import pytest
from test_v3_bytecode import crossed, place
from uniswap_evm import Reverted, changed
from uniswap_v4_evm import NO_HOOKS, TOKENS, V4World

from bot.amm.concentrated import FEE_UNIT
from bot.amm.layouts import v4_layout
from bot.amm.pool import NoLiquidity
from bot.amm.tick_math import sqrt_ratio_at_tick
from bot.amm.v4 import AFTER_SWAP, DYNAMIC_FEE, V4Pool
from bot.engine.types import AccountDiff

POOLS, SWAPS_A_POOL = (132, 100) if os.environ.get("MEV_VERIFY") == "1" else (4, 25)
POOLS_A_WORLD = 8
TIERS = (
    (100, 1),
    (500, 10),
    (3000, 60),
    (10_000, 200),
    (999_999, 32_767),
    (1_000_000, 60),
    (0, 7),
    (DYNAMIC_FEE, 30),
)
KEEPER = "0x" + f"{0x77 << 14:040x}"
"""The hook of dynamic pools: none of its 14 lowest bits is set, so that it is never called."""
WATCHER = "0x" + f"{0x77 << 14 | AFTER_SWAP:040x}"
AGREES = bytes.fromhex("5f3560e01c60e01b5f5260205ff3")
"""Code that answers every call with its selector."""


def random_pool(world: V4World, dice: random.Random, fee: int, spacing: int) -> V4Pool:
    """A pool with overlapping positions, some taken out again, some of the time with ETH and protocol fees."""
    tick = dice.choice((dice.randint(-500, 500), dice.randint(-200_000, 200_000), dice.randint(-880_000, 880_000)))
    low, high = sqrt_ratio_at_tick(tick), sqrt_ratio_at_tick(tick + 1)
    token0 = dice.choice(TOKENS[:2])
    hooks = KEEPER if fee == DYNAMIC_FEE else NO_HOOKS
    price = dice.choice((low, dice.randrange(low, high), high - 1))
    pool = world.create(token0, TOKENS[2], fee, spacing, hooks, price)
    size = 10 ** dice.randint(3, 24)
    for _ in range(dice.randint(1, 14)):
        lower, upper = sorted(place(dice, tick, spacing) for _ in range(2))
        if lower == upper:
            continue
        amount, before = dice.randint(1, size), pool
        try:
            pool = world.modify(pool, lower, upper, amount)
        except Reverted:  # more than a tick may hold
            continue
        if dice.random() < 0.3:
            pool = world.modify(pool, lower, upper, -dice.choice((amount, amount // 2)))
        assert before.apply_diff(changed(world.evm, before, pool)) == pool
    return pool


def with_other_fees(world: V4World, dice: random.Random, pool: V4Pool) -> V4Pool:
    """Now and then the manager's controller or the hook sets a fee."""
    if dice.random() < 0.06:
        before = pool
        pool = world.set_protocol_fee(pool, dice.choice((0, 1, 999, 1000)), dice.randint(0, 1000))
        assert before.apply_diff(changed(world.evm, before, pool)) == pool
    if pool.key_fee == DYNAMIC_FEE and dice.random() < 0.1:
        world.set_lp_fee(pool, dice.choice((0, 1, 500, dice.randint(0, 10**6), 999_999, 10**6)))
        pool = pool.apply_diff({pool.manager: AccountDiff(slots={price_slot(pool): world.slot(price_slot(pool))})})
    return pool


def price_slot(pool: V4Pool) -> int:
    return v4_layout(pool.id).price


def size_of(dice: random.Random, pool: V4Pool, i: int, exact_in: bool) -> int:
    """Dust, anything, or an input that moves the price by up to so much, and what comes out for it."""
    if dice.random() < 0.4:
        return dice.choice((1, 2, dice.randint(1, 2 ** dice.randint(1, dice.choice((30, 60, 90, 130))))))
    try:
        stretches = [segment.capacity for segment, _ in zip(pool.segments(i, 1 - i), range(6), strict=False)]
        paid = int(sum(stretches[: dice.randint(1, 6)]) * dice.random() ** dice.randint(0, 5)) or 1
        return paid if exact_in else pool.quote_in(i, 1 - i, paid) or 1
    except NoLiquidity:
        return 1


def check_swap(world: V4World, pool: V4Pool, i: int, exact_in: bool, size: int) -> V4Pool | None:
    """The pool after a swap on which quote and bytecode agree; None where both refuse."""
    quote: int | None
    try:
        quote = (pool.quote_in if exact_in else pool.quote_out)(i, 1 - i, size)
    except NoLiquidity:
        quote = None
    try:
        paid, got, after = world.swap(pool, i, -size if exact_in else size)
    except Reverted:
        assert quote is None, (pool, i, exact_in, size)
        return None
    real = (got if paid == size else None) if exact_in else (paid if got == size else None)
    assert quote == real, (pool, i, exact_in, size)
    if quote is None:
        return None
    layout = v4_layout(pool.id)
    slots = {slot: world.slot(slot) for slot in (layout.price, layout.liquidity, layout.price + 1)}
    assert after == pool.apply_diff({pool.manager: AccountDiff(slots=slots)})
    assert after.ticks is pool.ticks
    return after


@pytest.mark.parametrize("fee, spacing", TIERS)
def test_every_swap_equals_the_bytecode(fee: int, spacing: int, record_property: Callable[[str, object], None]) -> None:
    done = filled = crossings = 0
    for seed in range(POOLS):
        dice = random.Random(f"{fee} {seed}")
        if seed % POOLS_A_WORLD == 0:
            world = V4World()
        other = seed % POOLS_A_WORLD  # a manager has one pool of a key
        pool = random_pool(world, dice, fee, spacing + (other if spacing < 100 else -other))
        for _ in range(SWAPS_A_POOL):
            pool = with_other_fees(world, dice, pool)
            before = world.evm.evm.snapshot()
            i, exact_in = dice.randint(0, 1), dice.random() < 0.6
            after = check_swap(world, pool, i, exact_in, size_of(dice, pool, i, exact_in))
            done += 1
            if after is None:
                world.evm.evm.revert(before)
                continue
            filled += 1
            crossings += crossed(pool, after)
            pool = after
        assert world.load(pool) == pool
    record_property("swaps, of which filled, ticks crossed, 0 differences", f"{done}, {filled}, {crossings}")
    assert filled > done // 4
    assert crossings > done // 60 or fee == FEE_UNIT  # nothing of the input is left to cross a tick with


def pool_of(world: V4World, fee: int, hooks: str, liquidity: int) -> V4Pool:
    pool = world.create(*TOKENS[:2], fee, 60, hooks, sqrt_ratio_at_tick(7))
    return world.modify(pool, -600_000, 600_000, liquidity)


def test_a_hook_behind_the_swap_leaves_the_quote_as_it_is() -> None:
    world = V4World()
    world.evm.evm.insert_account_info(WATCHER, pyrevm.AccountInfo(code=AGREES, nonce=1))
    pool = pool_of(world, 3000, WATCHER, 10**20)
    for i in (0, 1):
        for exact_in in (True, False):
            after = check_swap(world, pool, i, exact_in, 10**18)
            assert after is not None
            pool = after
    world.evm.evm.insert_account_info(WATCHER, pyrevm.AccountInfo(code=b"\xfe", nonce=1))
    with pytest.raises(Reverted):  # what only the proof can know
        world.swap(pool, 0, -(10**18))


def test_a_gift_moves_nothing() -> None:
    world = V4World()
    pool = pool_of(world, 500, NO_HOOKS, 10**20)
    assert world.donate(pool, 10**9, 10**12) is pool
    assert world.load(pool) == pool


def test_amounts_beyond_int128_are_refused_by_both() -> None:
    world = V4World()
    liquidity, most = 1 << 112, (1 << 127) - 1
    low = pool_of(world, 100, NO_HOOKS, liquidity)
    assert [fills(world, low, 1, True, most + more) for more in (-1, 0, 1, 2)] == [True, True, False, False]
    assert fills(world, low, 1, False, liquidity * 9 // 10)
    assert not fills(world, low, 1, False, liquidity - (liquidity >> 16))  # asks for 2**128
    high = world.swap(world.swap(low, 1, -most)[2], 1, -most)[2]
    assert [fills(world, high, 0, False, most + more) for more in (-1, 0, 1, 2)] == [True, True, False, False]
    paid = high.quote_out(0, 1, most)
    assert fills(world, high, 0, True, paid - (paid >> 16))
    assert not fills(world, high, 0, True, paid + (paid >> 4))  # pays more


def fills(world: V4World, pool: V4Pool, i: int, exact_in: bool, size: int) -> bool:
    """Whether a swap is done, by quote and bytecode; it is rolled back."""
    before = world.evm.evm.snapshot()
    after = check_swap(world, pool, i, exact_in, size)
    world.evm.evm.revert(before)
    return after is not None
