"""CryptoPool against the deployed code of Curve's tricrypto2 and tricrypto-ng: every quote equal, every refusal shared,
every slot of the state after a swap as predicted."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from curve_crypto_evm import POOLS, CryptoWorld, pool_of, recorded_storage
from recorded import needs_recordings

from bot.amm.curve.crypto import CryptoPool
from bot.amm.curve.crypto_layouts import GENERATION, NG_PRECISIONS, precisions_of
from bot.amm.curve.crypto_math import ONE, Limits, geometric_mean, newton_d
from bot.amm.pool import NoLiquidity

pytestmark = needs_recordings

SWAPS = 36_000 if os.environ.get("MEV_VERIFY") == "1" else 900
SWAPS_A_STATE = 12
NOW = 1_700_000_000
_ANY = Limits(10_000, 0, 10**40, 10**40, 0)
_GAMMAS = (10**10 - 1, 10**10, 5 * 10**16, 5 * 10**16 + 1)
_YEAR = 365 * 86_400


def recorded_pool(name: str) -> CryptoPool:
    """As it was before its recorded block."""
    of = POOLS[name]
    words = recorded_storage(of.block, of.pool)
    generation = GENERATION[of.generation]
    supply = recorded_storage(of.block, of.lp_token)[generation.supply]
    precisions = precisions_of(words[NG_PRECISIONS]) if generation.ng else (10**12, 10**10, 1)
    pool = pool_of(of, 0, precisions, words, supply)
    known = replace(pool, a_gamma_from=pool.a_gamma, ramp_from=1, extra_profit=pool.extra_profit or 2 * 10**12)
    return known.at(pool.last_time + 12)


def random_pool(dice: random.Random, pool: CryptoPool) -> CryptoPool:
    """Another state of the pool: near the recorded one, or anything that the code accepts, and somewhat beyond."""
    wild = dice.random() < 0.5
    pool = replace(pool, **parameters(dice, pool, wild))
    scale = tuple(magnitude(dice, 12, 27) if wild else int(p * dice.uniform(0.8, 1.25)) for p in pool.price_scale)
    if pool.generation == "tricrypto-ng" and wild:
        pool = replace(pool, precisions=tuple(10 ** dice.choice((0, 0, 10, 12)) for _ in range(3)))
    whole = magnitude(dice, 19, 32) if wild else int(pool.d * dice.uniform(0.1, 3))
    spread = dice.choice((0.05, 0.3, 1.0, 2.2))
    units = (ONE * pool.precisions[0], scale[0] * pool.precisions[1], scale[1] * pool.precisions[2])
    balances = tuple(max(int(whole / 3 * 2 ** dice.gauss(0, spread)) * ONE // unit, 1) for unit in units)
    pool = replace(pool, price_scale=scale, balances=balances)
    return replace(pool, **ledger(dice, pool, invariant(dice, pool, whole), wild))


def parameters(dice: random.Random, pool: CryptoPool, wild: bool) -> dict[str, object]:
    """A, gamma, a ramp of them perhaps, and fees."""
    ann = int((pool.a_gamma >> 128) * dice.uniform(0.5, 2))
    gamma = int((pool.a_gamma & (1 << 128) - 1) * dice.uniform(0.5, 2))
    if wild:
        ann, gamma = magnitude(dice, 3.5, 8.4), magnitude(dice, 10, 16.6)
        if dice.random() < 0.2:
            ann, gamma = dice.choice((2_699, 2_700, 270 * 10**6, 270 * 10**6 + 1)), dice.choice((gamma, *_GAMMAS))
    ramp_to = dice.choice((0, 0, 0, NOW - 900, NOW + dice.randint(1, 10**6)))
    mid_fee = dice.choice((pool.mid_fee, dice.randrange(10**8), dice.randrange(10**10) if wild else 10**6))
    return {
        "a_gamma": ann << 128 | gamma,
        "a_gamma_from": max(ann * dice.randint(1, 4) // 2, 2_700) << 128 | gamma * dice.randint(2, 4) // 3 + 10,
        "ramp_to": ramp_to,
        "ramp_from": NOW - dice.randint(1_000, 10**6),
        "mid_fee": mid_fee,
        "out_fee": dice.choice((pool.out_fee, mid_fee, mid_fee + dice.randrange(10**8))),
        "fee_gamma": dice.choice((pool.fee_gamma, magnitude(dice, 10, 18), 0 if dice.random() < 0.2 else 10**15)),
        "killed": pool.generation == "tricrypto2" and dice.random() < 0.02,
    }


def invariant(dice: random.Random, pool: CryptoPool, whole: int) -> int:
    """D of the balances, or a bit beside it."""
    try:
        d = newton_d(_ANY, pool.a_gamma >> 128, pool.a_gamma & (1 << 128) - 1, pool._scaled(pool.balances))
    except (NoLiquidity, ZeroDivisionError):
        d = whole
    return d + dice.choice((0, 0, 0, 1, -1, d // 10**9, -d // 10**9, d // 1000, -d // 50))


def ledger(dice: random.Random, pool: CryptoPool, d: int, wild: bool) -> dict[str, object]:
    """Averages, profit, and shares that go with D."""
    first, second = pool.price_scale
    parts = sorted((d // 3, d * ONE // (3 * first), d * ONE // (3 * second)), reverse=True)
    virtual_price = int(ONE * dice.uniform(1, 1.3)) if dice.random() < 0.9 else magnitude(dice, 17, 19)
    supply = max(ONE * geometric_mean(*parts) // virtual_price, 1)
    profit = dice.choice((2 * virtual_price - ONE, virtual_price, int(ONE * dice.uniform(1, 1.5))))
    drift = dice.choice((1e-4, 0.01, 0.3, 3.0 if wild else 0.05))

    def beside() -> tuple[int, ...]:
        return tuple(min(int(p * 2 ** dice.gauss(0, drift)), 2**127) for p in pool.price_scale)

    return {
        "d": d,
        "supply": supply,
        "virtual_price": virtual_price + dice.choice((0, 0, -(10**9), 10**9)),
        "xcp_profit": max(profit, 1),
        "extra_profit": dice.choice((0, 2 * 10**12, dice.randrange(10**16))),
        "step": dice.choice((pool.step, dice.randrange(10**15), dice.randrange(10**18))),
        "ma_time": dice.choice((600, 865, dice.randint(1, 10**6))),
        "oracle": beside(),
        "last_prices": beside(),
        "last_time": NOW - dice.choice((0, 12, 24, 600, dice.randrange(_YEAR), dice.randrange(10**6))),
        "adjusting": pool.generation == "tricrypto2" and dice.random() < 0.5,
        "time": NOW,
        "time_sure": True,
    }


def magnitude(dice: random.Random, low: float, high: float) -> int:
    return int(10 ** dice.uniform(low, high))


def size_of(dice: random.Random, pool: CryptoPool, i: int) -> int:
    """Dust, a share of the pool, or more than it."""
    kind = dice.random()
    if kind < 0.1:
        return dice.choice((1, 2, 10**5, 10**5 + 1, dice.randint(1, 10**9)))
    if kind < 0.15:
        return magnitude(dice, 0, 60)
    return max(int(pool.balances[i] * 10 ** dice.uniform(-12, 1 if kind > 0.9 else -0.3)), 1)


def check_swap(world: CryptoWorld, pool: CryptoPool, i: int, j: int, size: int, seen: Counter[str]) -> CryptoPool:
    """The pool after a swap on which quote and code agree: the same where both refuse."""
    seen["swaps"] += 1
    try:
        quote, after = pool.exchange(i, j, size)
    except NoLiquidity as error:
        assert world.exchange(i, j, size) is None, (pool, i, j, size, str(error))
        seen["loss" if str(error) == "Loss" else "refused"] += 1
        return pool
    assert world.exchange(i, j, size) == quote, (pool, i, j, size)
    assert pool.apply_diff(world.diff(pool)).at(pool.time) == after, (pool, i, j, size)
    assert pool.apply(world.exchanged()) == after
    seen["filled"] += 1
    seen["price_scale moved"] += after.price_scale != pool.price_scale
    seen["in a ramp"] += pool.silent
    seen["by Newton"] += pool._amount_out(i, j, size, pool._ramp())[2] == 0
    return after


@pytest.mark.parametrize("name", POOLS)
def test_every_swap_equals_the_code(name: str, record_property: Callable[[str, object], None]) -> None:
    recorded = recorded_pool(name)
    seen: Counter[str] = Counter()
    for seed in range(SWAPS // SWAPS_A_STATE):
        dice = random.Random(f"{name} {seed}")
        pool = recorded if seed < 5 else random_pool(dice, recorded)
        world = CryptoWorld(POOLS[name], pool)
        for _ in range(SWAPS_A_STATE):
            if dice.random() < 0.4:
                pool = pool.at(pool.time + dice.choice((12, 24, 3_600)))
                world.to(pool.time)
            i, j = dice.sample(range(3), 2)
            pool = check_swap(world, pool, i, j, size_of(dice, pool, i), seen)
    record_property("swaps against the code, 0 differences", dict(seen))
    assert seen["filled"] > seen["swaps"] // 3
    assert all(seen[what] for what in ("price_scale moved", "in a ramp", "by Newton", "loss", "refused"))


@pytest.mark.parametrize("name", POOLS)
def test_the_recorded_state_is_read_right(name: str) -> None:
    """The getters of the code and the value agree: A, gamma, the fee of the balances, price_scale."""
    pool = recorded_pool(name)
    world = CryptoWorld(POOLS[name], pool)
    assert pool.a_gamma == world.ask("A()") << 128 | world.ask("gamma()")
    assert pool.fee() == world.ask("fee()")
    assert pool.price_scale == tuple(world.ask("price_scale(uint256)", k) for k in range(2))
    assert pool.balances == tuple(world.ask("balances(uint256)", k) for k in range(3))
    assert (pool.d, pool.virtual_price) == (world.ask("D()"), world.ask("virtual_price()"))


@pytest.mark.parametrize("name", POOLS)
def test_quote_out_asks_for_the_least_that_the_code_takes(name: str) -> None:
    recorded = recorded_pool(name)
    dice = random.Random(name)
    for _ in range(8):
        i, j = dice.sample(range(3), 2)
        wanted = int(recorded.balances[j] * 10 ** dice.uniform(-7, -0.5))
        asked = recorded.quote_out(i, j, wanted)
        assert (CryptoWorld(POOLS[name], recorded).exchange(i, j, asked) or 0) >= wanted
        less = asked - asked // 10**12 - 2
        assert (CryptoWorld(POOLS[name], recorded).exchange(i, j, less) or 0) < wanted


@pytest.mark.parametrize("name", POOLS)
def test_segments_of_any_state_are_there_or_refused(name: str) -> None:
    recorded, made = recorded_pool(name), 0
    for seed in range(300):
        dice = random.Random(f"segments {name} {seed}")
        pool = random_pool(dice, recorded)
        try:
            pieces = list(pool.segments(*dice.sample(range(3), 2)))
        except NoLiquidity:
            continue
        assert all(0 < part < float("inf") for piece in pieces for part in piece)
        made += bool(pieces)
    assert made > 100
