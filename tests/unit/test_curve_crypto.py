"""Properties of CryptoPool; its numbers are held to the deployed code in tests/fork/test_curve_crypto_bytecode.py."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import exp, isclose

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot import abi
from bot.amm.curve import crypto_math as old
from bot.amm.curve import crypto_math_ng as ng
from bot.amm.curve.crypto import CryptoPool
from bot.amm.curve.crypto_layouts import GENERATION, GENERATIONS, fields_of
from bot.amm.curve.crypto_math import ONE
from bot.amm.pool import NoLiquidity, Segment, UnknownState
from bot.engine.types import AccountDiff, Log

LIMITS = GENERATION["tricrypto-ng"].limits
POOL, LP_TOKEN = "0x" + "aa" * 20, "0x" + "bb" * 20
TIME = 1_700_000_000
SWAP = {
    False: abi.topic("TokenExchange(address,uint256,uint256,uint256,uint256)"),
    True: abi.topic("TokenExchange(address,uint256,uint256,uint256,uint256,uint256,uint256)"),
}
names = st.sampled_from([generation.name for generation in GENERATIONS])
directions = st.sampled_from([(i, j) for i in range(3) for j in range(3) if i != j])


def pool_of(generation: str, shares: tuple[float, float, float] = (1, 1, 1), mid_fee: int = 3_000_000) -> CryptoPool:
    """USDC, WBTC and WETH, of a few millions; ``shares`` lean it."""
    ann, gamma, scale = 1_707_629, 11_809_167_828_997, (69_000 * ONE, 2_200 * ONE)
    precisions = 10**12, 10**10, 1
    x = tuple(int(5 * 10**24 * share) for share in shares)
    balances = x[0] // 10**12, x[1] * ONE // scale[0] // 10**10, x[2] * ONE // scale[1]
    xp = balances[0] * 10**12, balances[1] * 10**10 * scale[0] // ONE, balances[2] * scale[1] // ONE
    d = old.newton_d(LIMITS, ann, gamma, xp)
    parts = d // 3, d * ONE // (3 * scale[0]), d * ONE // (3 * scale[1])
    return CryptoPool(
        id=POOL,
        tokens=("0x" + "01" * 20, "0x" + "02" * 20, "0x" + "03" * 20),
        generation=generation,
        lp_token=POOL if GENERATION[generation].ng else LP_TOKEN,
        precisions=precisions,
        time=TIME,
        balances=balances,
        d=d,
        price_scale=scale,
        oracle=scale,
        last_prices=scale,
        last_time=TIME - 24,
        a_gamma=ann << 128 | gamma,
        ramp_to=0,
        mid_fee=mid_fee,
        out_fee=max(mid_fee, 30_000_000),
        fee_gamma=500_000_000_000_000,
        step=490_000_000_000_000,
        ma_time=865,
        xcp_profit=ONE,
        virtual_price=ONE - 10**6,
        supply=old.geometric_mean(*old.high_to_low(parts)),
        extra_profit=2 * 10**12,
    )


leaning = st.tuples(*[st.floats(0.5, 2)] * 3)
portions = st.floats(-6, -0.3).map(lambda power: 10**power)


@given(names, leaning, directions, portions)
def test_there_and_back_never_gains(
    name: str, shares: tuple[float, float, float], way: tuple[int, int], portion: float
) -> None:
    i, j = way
    pool = pool_of(name, shares)
    paid = int(pool.balances[i] * portion)
    got, after = pool.exchange(i, j, paid)
    assume(got)
    try:
        back, _ = after.exchange(j, i, got)
    except NoLiquidity:
        return
    assert back <= paid


@given(names, leaning, directions, portions)
def test_two_swaps_in_one_way_give_no_more_than_one(
    name: str, shares: tuple[float, float, float], way: tuple[int, int], portion: float
) -> None:
    """What an exchange gives falls with what was taken before, but for rounding in the solver."""
    i, j = way
    pool = pool_of(name, shares)
    paid = int(pool.balances[i] * portion)
    first = pool.quote_in(i, j, paid)
    later = pool.quote_in(i, j, 2 * paid) - first
    assert later <= first + max(first >> 40, 2)


@given(names, leaning, directions, portions)
def test_quote_out_is_the_least_that_does(
    name: str, shares: tuple[float, float, float], way: tuple[int, int], portion: float
) -> None:
    i, j = way
    pool = pool_of(name, shares)
    wanted = int(pool.balances[j] * portion * 0.8) or 1
    asked = pool.quote_out(i, j, wanted)
    assert pool.quote_in(i, j, asked) >= wanted
    assert asked == 1 or pool.get_dy(i, j, asked - 1) < wanted


@given(names, leaning, directions)
def test_what_the_pool_does_not_hold_it_does_not_give(
    name: str, shares: tuple[float, float, float], way: tuple[int, int]
) -> None:
    pool = pool_of(name, shares)
    assert pool.quote_in(*way, 0) == pool.quote_out(*way, 0) == 0
    with pytest.raises(NoLiquidity):
        pool.quote_out(*way, pool.balances[way[1]])
    with pytest.raises(NoLiquidity):
        pool.quote_in(*way, 1 << 255)


@given(names, directions)
def test_dust_that_does_not_pay_for_its_rounding_is_refused(name: str, way: tuple[int, int]) -> None:
    pool = replace(pool_of(name), virtual_price=2 * ONE, xcp_profit=2 * ONE)
    with pytest.raises(NoLiquidity, match="Loss"):
        pool.quote_in(*way, pool.balances[way[0]] // 1000)


@given(names, leaning, directions, portions)
def test_segments_follow_the_quotes(
    name: str, shares: tuple[float, float, float], way: tuple[int, int], portion: float
) -> None:
    pool = pool_of(name, shares)
    paid = int(pool.balances[way[0]] * portion)
    got = pool.quote_in(*way, paid)
    assert isclose(given_by(list(pool.segments(*way)), float(paid)), got, rel_tol=1e-3, abs_tol=3)


def given_by(segments: list[Segment], rest: float) -> float:
    out = 0.0
    for x, y, keep, capacity in segments:
        step = min(rest, capacity) * keep
        out, rest = out + y * step / (x + step), rest - min(rest, capacity)
    assert not rest
    return out


@given(names, leaning)
def test_segments_grow_worse(name: str, shares: tuple[float, float, float]) -> None:
    """Each piece begins at a price no better than the one before ends at."""
    pieces = list(pool_of(name, shares).segments(0, 2))
    assert 16 <= len(pieces) <= 32
    for before, after in pairwise(pieces):
        assert after.y / after.x <= before.y / before.x * (1 + 1e-9)


# --- following the chain ---------------------------------------------------------------------------------------------


@given(names, leaning, directions, portions)
def test_a_swap_is_followed_by_log_and_by_diff(
    name: str, shares: tuple[float, float, float], way: tuple[int, int], portion: float
) -> None:
    i, j = way
    pool = pool_of(name, shares).at(TIME)
    paid = int(pool.balances[i] * portion)
    got, after = pool.exchange(i, j, paid)
    scale = after.price_scale[1] << 128 | after.price_scale[0]
    data = b"".join(map(abi.encode, (i, paid, j, got, 0, scale)))
    log = Log(POOL, (SWAP[GENERATION[name].ng], abi.to_hex(abi.encode(POOL))), data)
    assert pool.apply(log) == after
    assert pool.apply_diff(diff_to(after)).at(TIME) == after
    with pytest.raises(UnknownState):
        replace(pool, time_sure=False).apply(log)
    with pytest.raises(UnknownState):
        pool.apply(Log(POOL, log.topics, data[:96] + abi.encode(got + 1) + data[128:]))


def diff_to(pool: CryptoPool) -> dict[str, AccountDiff]:
    """All of its slots."""
    generation = GENERATION[pool.generation]
    slots = dict(zip(generation.balances, pool.balances, strict=True))
    for slot, (shape, names_) in generation.fields.items():
        values = [getattr(pool, name) or 0 for name in names_]
        if shape == "prices":
            slots[slot] = values[0][1] << 128 | values[0][0]
        else:
            slots[slot] = values[0] << 128 | values[1] << 64 | values[2] if shape == "threes" else int(values[0])
        told = fields_of(generation, slot, slots[slot])
        assert all(told[name] == (getattr(pool, name) or 0) for name in names_)
    for slot in ("a_gamma_from", "ramp_from"):
        slots = {key: word for key, word in slots.items() if generation.fields.get(key, ("", ("",)))[1] != (slot,)}
    both = {pool.id: AccountDiff(slots=slots)}
    if pool.lp_token == pool.id:
        slots[generation.supply] = pool.supply
    else:
        both[pool.lp_token] = AccountDiff(slots={generation.supply: pool.supply})
    return both


@given(names)
def test_every_slot_is_watched_and_no_other(name: str) -> None:
    pool = pool_of(name)
    assert set(pool.slots()) == {pool.id, pool.lp_token}
    assert pool.apply_diff({POOL: AccountDiff(slots={999: 5}), LP_TOKEN: AccountDiff(balance=3)}) is pool
    for slot in pool.slots()[POOL]:
        changed = pool.apply_diff({POOL: AccountDiff(slots={slot: 1})})
        assert changed != pool or slot in (29, 30)
    share = pool.apply_diff({pool.lp_token: AccountDiff(slots={GENERATION[name].supply: 77})})
    assert share == replace(pool, supply=77)


def test_a_swap_in_a_block_moves_the_time_on() -> None:
    pool = pool_of("tricrypto2").at(TIME)
    later = pool.apply_diff({POOL: AccountDiff(slots={3: TIME + 120})})
    assert (later.last_time, later.time, later.time_sure) == (TIME + 120, TIME + 132, False)


@pytest.mark.parametrize("name", GENERATION)
def test_logs_that_tell_too_little(name: str) -> None:
    pool = pool_of(name).at(TIME)
    transfer = abi.topic("Transfer(address,address,uint256)")
    assert pool.apply(Log(POOL, (transfer,), b"")) is pool
    with pytest.raises(UnknownState):
        pool.apply(Log(POOL, (abi.topic("ClaimAdminFee(address,uint256)"),), b""))


# --- ramps and what was never read -----------------------------------------------------------------------------------


@given(names, st.integers(0, 1000))
def test_a_ramp_goes_from_start_to_end(name: str, gone: int) -> None:
    pool = pool_of(name)
    ann, gamma = pool.a_gamma >> 128, pool.a_gamma & (1 << 128) - 1
    begin = 2 * ann << 128 | gamma // 2
    ramp = replace(pool, a_gamma_from=begin, ramp_from=TIME, ramp_to=TIME + 1000).at(TIME + gone)
    found = ramp._ramp()
    assert found.ann == (2 * ann * (1000 - gone) + ann * gone) // 1000
    assert ramp.silent == (gone < 1000)
    assert gamma // 2 <= found.gamma <= gamma


@pytest.mark.parametrize("name", GENERATION)
def test_the_unread_is_unknown(name: str) -> None:
    pool = pool_of(name)
    with pytest.raises(UnknownState):
        replace(pool, ramp_to=TIME + 1).quote_in(0, 1, 10**9)
    blind = replace(pool, extra_profit=None)
    with pytest.raises(UnknownState):
        blind.quote_in(0, 1, 10**9)
    assert blind.get_dy(0, 1, 10**9) == pool.quote_in(0, 1, 10**9)


def test_a_killed_pool_is_none() -> None:
    pool = replace(pool_of("tricrypto2"), killed=True)
    with pytest.raises(NoLiquidity):
        pool.quote_in(0, 1, 10**9)
    with pytest.raises(NoLiquidity):
        next(pool.segments(0, 1))


# --- maths -----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**70))
def test_cube_root(x: int) -> None:
    root = ng.cbrt(x)
    if x < ng._CUBE_MEDIUM:
        assert abs(root**3 - x * 10**36) <= 3 * (root + 1) ** 2 + 3
    else:
        assert isclose(root**3, x * 10**36, rel_tol=1e-17)


@given(st.integers(0, 60 * ONE))
def test_powers(x: int) -> None:
    assert abs(old.halfpow(x) - 0.5 ** (x / ONE) * ONE) <= 2 * 10**10
    assert abs(ng.wad_exp(-x) - exp(-x / ONE) * ONE) <= 10**4


@given(st.integers(0, 10**40))
def test_square_root(x: int) -> None:
    root = old.sqrt_int(x)
    assert max(root - 1, 0) ** 2 <= x * ONE <= (root + 2) ** 2


@given(leaning, st.sampled_from(range(3)))
def test_both_solvers_find_the_same_balance(shares: tuple[float, float, float], j: int) -> None:
    """Newton's method and the cubic's closed form, and the balance that D was made of."""
    pool = pool_of("tricrypto-ng", shares)
    ramp, xp = pool._ramp(), pool._scaled(pool.balances)
    by_cubic, k0 = ng.get_y(LIMITS, ramp.ann, ramp.gamma, xp, pool.d, j)
    by_newton = old.newton_y(LIMITS.multiplier, ramp.ann, ramp.gamma, xp, pool.d, j)
    assert isclose(by_cubic, by_newton, rel_tol=1e-14)
    assert isclose(by_newton, xp[j], rel_tol=1e-12)
    assert k0 == 0 or isclose(k0, 27 * xp[0] * xp[1] * xp[2] / pool.d**3 * ONE, rel_tol=1e-9)
    guessed = ng.newton_d(LIMITS, ramp.ann, ramp.gamma, xp, k0)
    assert isclose(guessed, pool.d, rel_tol=1e-14)
