"""CurveStablePool against Curve's deployed bytecode, of every generation in the recorded blocks.

What ``exchange`` sends is the quote, what it refuses has none, and logs and storage lead to the same value."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from curve_stable_evm import CODES, NOW, Code, Reverted, StableWorld
from recorded import needs_recordings
from uniswap_evm import OWNER

from bot import abi
from bot.amm.curve.generations import STABLE_2020
from bot.amm.curve.invariant import FEE_UNIT
from bot.amm.curve.liquidity import get_dy, lp_for, virtual_price, withdraw_one
from bot.amm.curve.stable import CurveStablePool
from bot.amm.curve.state import StableState
from bot.amm.pool import NoLiquidity, UnknownState

pytestmark = needs_recordings

VERIFY = os.environ.get("MEV_VERIFY") == "1"
SWAPS = 120_000 if VERIFY else 4_800
SWAPS_A_STATE = 8
STATES_A_WORLD = 25
SUPPLY = 10**24


def between(dice: random.Random, low: float, high: float) -> int:
    """Ten to the power of something between, all digits random."""
    return int(10 ** dice.uniform(low, high))


def random_world(code: Code, dice: random.Random) -> StableWorld:
    """Two coins or more where the code allows it, decimals of every kind, rates off the round numbers."""
    if code.kind is STABLE_2020:
        return StableWorld(code, 3, (18, 6, 6))
    coins = code.kind.coins or dice.choice((2, 2, 3, 3, 4, 5, 8))
    world = StableWorld(code, coins, [dice.choice((18, 18, 6, 8, 2, 0)) for _ in range(coins)])
    if code.kind.ng or dice.random() < 0.3:
        rates = tuple(int(rate * dice.choice((1, 1, dice.uniform(0.3, 3)))) for rate in world.rates)
        world.fix_rates(rates)
    return world


def random_state(world: StableWorld, dice: random.Random) -> StableState:
    """Balanced or not, small or large, now and then beyond all reason."""
    kind = world.code.kind
    whole = between(dice, 2, 11) if dice.random() < 0.85 else between(dice, 0, dice.choice((1, 20, 35)))
    skew = dice.choice((0.01, 0.3, 1, 2, 8))
    balances = tuple(int(whole * 10 ** -dice.uniform(0, skew) * 10**36) // rate for rate in world.rates)
    if dice.random() < 0.01:
        balances = (*balances[1:], 0)
    fee = dice.choice((0, 4_000_000, 1_500_000, between(dice, 0, 9.69)))
    offpeg = dice.choice((0, FEE_UNIT, 2 * FEE_UNIT, 5 * FEE_UNIT, dice.randint(0, 5 * 10**19 // max(fee, 1))))
    amp = dice.choice((100, 2000, between(dice, 0, 6))) * kind.a_precision
    admin_fee = dice.choice((0, 5 * 10**9, dice.randint(0, FEE_UNIT))) if kind.admin_fee is None else kind.admin_fee
    state = StableState(kind.name, balances, world.rates, amp, fee, admin_fee)
    if not kind.ng:
        return state
    return replace(state, offpeg=offpeg, admin=tuple(held // dice.randint(2, 10**6) for held in balances))


def size_of(dice: random.Random, pool: CurveStablePool, i: int, j: int) -> int:
    """Dust, a share of what the pool holds, what drains it, anything."""
    state = pool.state
    way = dice.random()
    if way < 0.1:
        return dice.choice((1, 2, dice.randint(1, 10**6)))
    if way < 0.7:
        return int(state.balances[i] * 10 ** -dice.uniform(-1, 7)) + 1
    if way < 0.9:
        return int(state.balances[j] * state.rates[j] / state.rates[i] * 10 ** -dice.uniform(-0.3, 1)) + 1
    return between(dice, 0, dice.choice((20, 40, 73)))


def check_swap(world: StableWorld, pool: CurveStablePool, i: int, j: int, amount: int) -> CurveStablePool | None:
    """The pool after a swap on which quote and bytecode agree; None where both refuse."""
    quote: int | None
    try:
        quote = pool.quote_in(i, j, amount)
    except NoLiquidity:
        quote = None
    try:
        got, logs = world.exchange(pool, i, j, amount)
    except Reverted:
        assert quote is None, (pool, i, j, amount)
        return None
    assert quote == got, (pool, i, j, amount)
    after = pool
    for log in logs:
        after = after.apply(log)
    assert after == pool.apply_diff(world.changed(pool)), (pool, i, j, amount)
    return after


@pytest.mark.parametrize("code", CODES, ids=str)
def test_every_swap_equals_the_bytecode(code: Code, record_property: Callable[[str, object], None]) -> None:
    done = filled = quick = 0
    for seed in range(SWAPS // len(CODES) // SWAPS_A_STATE // STATES_A_WORLD):
        dice = random.Random(f"{code} {seed}")
        world = random_world(code, dice)
        for _ in range(STATES_A_WORLD):
            pool = world.set(random_state(world, dice))
            for _ in range(SWAPS_A_STATE):
                i, j = dice.sample(range(len(pool.tokens)), 2)
                after = check_swap(world, pool, i, j, size_of(dice, pool, i, j))
                done += 1
                if after is not None:
                    filled += 1
                    quick += pool.state.curve.quick
                    pool = after
    record_property("swaps, of which filled, by the quick path, 0 differences", f"{done}, {filled}, {quick}")
    assert filled > done // 2 and filled // 2 < quick < filled


@pytest.mark.parametrize("code", CODES, ids=str)
def test_liquidity_is_followed(code: Code) -> None:
    """Deposits and withdrawals of every kind: logs and storage lead to the same value."""
    followed = 0
    for seed in range(200 if VERIFY else 25):
        dice = random.Random(f"liquidity {code} {seed}")
        world = random_world(code, dice)
        pool = world.set(sane_state(world, dice), SUPPLY)
        for _ in range(5):
            data = random_move(world, dice, pool)
            try:
                logs = world.send(data)
            except Reverted:
                continue
            stored = pool.apply_diff(world.changed(pool))
            try:
                after = pool
                for log in logs:
                    after = after.apply(log)
            except UnknownState:
                assert data[:4] == abi.selector(ONE) and code.kind is STABLE_2020  # its log does not name the coin
            else:
                assert claimless(after) == claimless(stored), (pool, data.hex())
                followed += stored != pool
            pool = stored
    assert followed > 25


ONE = "remove_liquidity_one_coin(uint256,int128,uint256)"


def claimless(pool: CurveStablePool) -> CurveStablePool:
    """Without what NG keeps for the admin: it pays that out without a log."""
    return replace(pool, state=replace(pool.state, admin=()))


def sane_state(world: StableWorld, dice: random.Random) -> StableState:
    """Of a pool that people put money into."""
    whole = between(dice, 3, 9)
    balances = tuple(int(whole * dice.uniform(0.5, 2) * 10**36) // rate for rate in world.rates)
    state = random_state(world, dice)
    return replace(state, balances=balances, amp=between(dice, 1, 4) * world.code.kind.a_precision)


def random_move(world: StableWorld, dice: random.Random, pool: CurveStablePool) -> bytes:
    """Calldata of something other than an exchange."""
    n, share = len(pool.tokens), SUPPLY // dice.randint(3, 10**4)
    amounts = [int(held * dice.choice((0, dice.random() / 3))) + 1 for held in pool.state.balances]
    one = abi.call(ONE, share, dice.randrange(n), 0)
    if world.code.kind.ng:
        moves = (
            abi.call("add_liquidity(uint256[],uint256)", 64, 0, n, *amounts),
            abi.call("remove_liquidity_imbalance(uint256[],uint256)", 64, SUPPLY, n, *amounts),
            abi.call("remove_liquidity(uint256,uint256[])", share, 64, n, *[0] * n),
            one,
        )
    else:
        moves = (
            abi.call(f"add_liquidity(uint256[{n}],uint256)", *amounts, 0),
            abi.call(f"remove_liquidity_imbalance(uint256[{n}],uint256)", *amounts, SUPPLY),
            abi.call(f"remove_liquidity(uint256,uint256[{n}])", share, *[0] * n),
            one,
        )
    return dice.choice(moves)


@pytest.mark.parametrize("code", CODES, ids=str)
def test_views_answer_what_the_contract_s_do(code: Code) -> None:
    """The LP token's price, a withdrawal in one coin; get_dy where the contract knows; 3pool's LP for a deposit."""
    for seed in range(200 if VERIFY else 20):
        dice = random.Random(f"views {code} {seed}")
        world = random_world(code, dice)
        state = world.set(sane_state(world, dice), SUPPLY).state
        (i, j), share = dice.sample(range(len(world.tokens)), 2), SUPPLY // dice.randint(2, 10**6)
        amounts = tuple(dice.randint(1, held) for held in state.balances)
        assert world.view(abi.call("get_virtual_price()")) == virtual_price(state, SUPPLY)
        one = world.view(abi.call("calc_withdraw_one_coin(uint256,int128)", share, i))
        assert one == withdraw_one(state, i, share, SUPPLY)[0]
        if not code.kind.ng:
            dy = world.view(abi.call("get_dy(int128,int128,uint256)", i, j, amounts[i]))
            assert dy == get_dy(state, i, j, amounts[i])
        if code.kind is STABLE_2020:
            lp = world.view(abi.call("calc_token_amount(uint256[3],bool)", *amounts, 1))
            assert lp == lp_for(state, amounts, SUPPLY)


@pytest.mark.parametrize("code", CODES, ids=str)
def test_fees_and_ramps_are_followed(code: Code) -> None:
    """By log and by storage; in a ramp the quote for a later time is what is paid then."""
    dice = random.Random(f"parameters {code}")
    world = random_world(code, dice)
    pool = world.set(replace(sane_state(world, dice), amp=200 * code.kind.a_precision))
    pool = followed(world, pool, new_fee(world))
    assert pool.state.fee == 7_000_000 and not pool.silent
    for target in (777, 77):
        end = NOW + 3 * DAY
        pool = followed(world, pool, abi.call("ramp_A(uint256,uint256)", target, end))
        assert pool.silent and pool.state.ramp is not None
        for time in (NOW + 1, NOW + DAY + 12_345, end - 1, end, end + DAY):
            world.set_time(time)
            then, amount = pool.at(time), pool.state.balances[0] // 10
            quote = then.quote_in(0, 1, amount)
            assert then.silent == (time < end) and (time <= NOW + 1 or quote != pool.quote_in(0, 1, amount))
            before = world.evm.evm.snapshot()
            assert world.exchange(pool, 0, 1, amount)[0] == quote
            world.evm.evm.revert(before)
        world.set_time(NOW + DAY + 54_321)
        stopped = followed(world, pool, abi.call("stop_ramp_A()"))
        assert not stopped.silent and stopped.state.amp == pool.at(NOW + DAY + 54_321).state.amp
        world.set_time(NOW)
        pool = world.set(stopped.state)


DAY = 86_400


def followed(world: StableWorld, pool: CurveStablePool, data: bytes) -> CurveStablePool:
    """The pool after a call by its owner, by log and by storage."""
    stored = pool
    (log,) = world.send(data, OWNER)
    after = pool.apply(log)
    assert after == stored.apply_diff(world.changed(pool)) != pool
    return after


def new_fee(world: StableWorld) -> bytes:
    """The call that makes the fee 7,000,000; what has to be committed first is written."""
    if world.code.kind.ng:
        return abi.call("set_new_fee(uint256,uint256)", 7_000_000, 3 * FEE_UNIT)
    if world.code.kind is STABLE_2020:
        world.write(world.pool, {10: NOW - 1, 12: 7_000_000, 13: 123})
    else:
        world.write(world.pool, {7: 7_000_000, 8: NOW - 1})
    return abi.call("apply_new_fee()")
