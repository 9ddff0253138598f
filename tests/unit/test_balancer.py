"""Balancer's fixed-point powers, its pools' roundings, logs, storage and float view."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, localcontext

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bot import abi
from bot.amm.balancer import fixed_point as fp
from bot.amm.balancer import stable_math as sm
from bot.amm.balancer.fixed_point import ONE
from bot.amm.balancer.stable import (
    AMP_SLOT,
    AMP_STARTED,
    AMP_STOPPED,
    FIXED,
    RATE_BY_INDEX,
    Amp,
    Rate,
    StablePool,
)
from bot.amm.balancer.vault import BALANCE_CHANGED, BALANCE_MANAGED, SWAP, VAULT, Holdings, balance_slots
from bot.amm.balancer.weighted import FEE_CHANGED, FEE_FIELDS, WeightedPool
from bot.amm.pool import NoLiquidity, UnknownState
from bot.engine.types import AccountDiff, Log

POOL = "0x" + "ab" * 20
A, B, C = ("0x" + digit * 40 for digit in "123")
TWO = POOL + "0002" + "00" * 9 + "07"
MINIMAL = POOL + "0001" + "00" * 9 + "07"
GENERAL = POOL + "0000" + "00" * 9 + "07"
PACKED = FEE_FIELDS["packed"]

BalancerPool = WeightedPool | StablePool


def weighted(weight: int = ONE // 2, x: int = 10**21, y: int = 3 * 10**12, fee: int = 10**15) -> WeightedPool:
    """Tokens of 18 and 6 decimals."""
    holdings = Holdings(VAULT, TWO, (A, B), (x, y), (0, 0))
    return WeightedPool(holdings, (weight, ONE - weight), (1, 10**12), fee, True, PACKED)


def stable(x: int = 10**24, y: int = 10**12, amp: int = 200, fee: int = 10**14, rounds_up: bool = False) -> StablePool:
    """Tokens of 18 and 6 decimals, and the pool's own between them."""
    holdings = Holdings(VAULT, GENERAL, (A, POOL, B), (x, 2**111, y), (0, 0, 0))
    value = amp * sm.PRECISION
    return StablePool(
        holdings, (1, 10**12), fee, Amp(value, value, 0, 0), (FIXED, FIXED), rounds_up, 1, False, PACKED, AMP_SLOT
    )


amounts = st.integers(1, 10**30)
weights = st.sampled_from((ONE // 2, ONE // 5, ONE * 4 // 5, ONE // 3, ONE // 100)) | st.integers(
    ONE // 100, ONE * 99 // 100
)
fees = st.integers(10**12, 10**17)
pools = st.one_of(
    st.builds(weighted, weights, st.integers(10**10, 10**30), st.integers(10**4, 10**18), fees),
    st.builds(
        stable, st.integers(10**15, 10**30), st.integers(10**4, 10**18), st.integers(1, 5000), fees, st.booleans()
    ),
)


# --- powers ----------------------------------------------------------------------------------------------------------


@given(st.integers(1, 10 * ONE), st.integers(1, 4 * ONE), st.booleans())
@example(ONE, 2 * ONE, False)
@example(ONE - 1, ONE, False)
def test_powers_enclose_the_truth(x: int, y: int, shortcuts: bool) -> None:
    try:
        up, down = fp.pow_up(x, y, shortcuts), fp.pow_down(x, y, shortcuts)
    except NoLiquidity:  # below e ** -41
        assert Decimal(x) / ONE < Decimal("1e-3")
        return
    with localcontext() as context:
        context.prec = 60
        true = (Decimal(x) / ONE) ** (Decimal(y) / ONE) * ONE
    assert down <= true <= up
    assert up - down <= 2 + 3 * fp.mul_up(up, 10_000) or shortcuts


def test_powers_at_their_bounds() -> None:
    assert fp.power(0, ONE) == 0 and fp.power(5, 0) == ONE == fp.power(ONE, 7 * ONE)
    for x, y in ((1 << 255, ONE), (2 * ONE, 2**254 // 10**20), (10**6 * ONE, 10 * ONE), (1, 2 * ONE)):
        with pytest.raises(NoLiquidity):
            fp.power(x, y)


# --- quotes ----------------------------------------------------------------------------------------------------------


@given(pools, st.sampled_from(((0, 1), (1, 0))), amounts)
def test_input_asked_for_gives_at_least_what_was_wanted(pool: BalancerPool, way: tuple[int, int], wanted: int) -> None:
    try:
        paid = pool.quote_out(*way, wanted)
    except NoLiquidity:
        return
    assert pool.given_out(*way, wanted) <= paid and pool.quote_in(*way, paid) >= wanted


@given(pools, st.sampled_from(((0, 1), (1, 0))), amounts)
def test_there_and_back_gains_nothing(pool: BalancerPool, way: tuple[int, int], amount: int) -> None:
    try:
        got = pool.quote_in(*way, amount)
        assume(got)
        after = pool.apply(swap_log(pool, *way, amount, got))
        assert after.quote_in(*way[::-1], got) <= amount
    except NoLiquidity:
        assume(False)


@pytest.mark.parametrize("pool", [weighted(), weighted(ONE // 5), stable(), stable(rounds_up=True)])
def test_refusals(pool: BalancerPool) -> None:
    for i, j in ((0, 1), (1, 0)):
        assert pool.quote_in(i, j, 0) == pool.quote_out(i, j, 0) == pool.given_out(i, j, 0) == 0
        held = pool.holdings.totals[pool.holdings.tokens.index(pool.tokens[j])]
        with pytest.raises(NoLiquidity):
            pool.quote_in(i, j, 2**112)
        for wanted in (held, held + 1):
            with pytest.raises(NoLiquidity):
                pool.quote_out(i, j, wanted)
    empty = replace(pool, holdings=replace(pool.holdings, cash=(0,) * len(pool.holdings.tokens)))
    for question in (empty.quote_in, empty.given_out, lambda i, j, _: next(empty.segments(i, j))):
        with pytest.raises(NoLiquidity):
            question(0, 1, 5)


def test_weighted_pools_take_and_give_at_most_three_tenths() -> None:
    pool = weighted(fee=10**12)
    x, y = pool.holdings.cash
    most = x * 3 // 10 * 10**6 // (10**6 - 1)
    assert pool.quote_in(0, 1, most - 10**6) and pool.given_out(0, 1, y * 3 // 10)
    for question, size in ((pool.quote_in, most + 10**6), (pool.given_out, y * 3 // 10 + 1)):
        with pytest.raises(NoLiquidity):
            question(0, 1, size)


def test_only_cash_is_paid_out() -> None:
    for pool in (weighted(), stable()):
        place = pool.holdings.tokens.index(B)
        cash, managed = list(pool.holdings.cash), list(pool.holdings.managed)
        managed[place], cash[place] = cash[place] - 1000, 1000
        lent = replace(pool, holdings=replace(pool.holdings, cash=tuple(cash), managed=tuple(managed)))
        assert lent.quote_in(0, 1, 10**8) == pool.quote_in(0, 1, 10**8) and lent.given_out(0, 1, 1000)
        with pytest.raises(NoLiquidity):
            lent.given_out(0, 1, 1001)
        with pytest.raises(NoLiquidity):
            lent.quote_in(0, 1, lent.given_out(0, 1, 1000) * 2)


# --- stable pools ----------------------------------------------------------------------------------------------------


@given(
    st.integers(10**12, 10**26),
    st.lists(st.integers(1, 1000), min_size=2, max_size=5),
    st.integers(1, 5000),
    st.booleans(),
)
def test_a_balance_is_what_its_invariant_says(size: int, parts: list[int], amp: int, rounds_up: bool) -> None:
    balances = [size * part for part in parts]
    try:
        d = sm.invariant(amp * sm.PRECISION, balances, rounds_up)
    except NoLiquidity:  # very uneven balances may go to and fro by two
        assume(False)
    assert d <= sum(balances) + 1
    for index, balance in enumerate(balances):
        solved = sm.balance_of(amp * sm.PRECISION, balances, d, index)
        assert abs(solved - balance) <= 10**4 + balance // 10**9


def test_arithmetic_that_overflows_is_refused() -> None:
    for rounds_up in (False, True):
        with pytest.raises(NoLiquidity):
            sm.invariant(5_000_000, [2**170, 1, 2**170], rounds_up)
        with pytest.raises(NoLiquidity):
            sm.balance_of(5_000_000, [2**170, 2**170], 2**171, 0)


def test_rates_scale_and_expire() -> None:
    rates = (Rate(2 * ONE, 100, 3 * ONE, 50), FIXED)
    pool = replace(stable(amp=5000), rates=rates, timestamp=100)
    assert pool.silent and not stable().silent
    assert 1.9 < pool.quote_in(0, 1, 10**18) / 10**6 < 2.0
    assert pool.at(101).quote_in(0, 1, 10**18) > pool.quote_in(0, 1, 10**18) and pool.at(100) is pool
    assert replace(pool, late_rates=True).at(101).quote_in(0, 1, 10**18) == pool.quote_in(0, 1, 10**18)
    told = pool.apply(Log(POOL, (RATE_BY_INDEX, "0x" + "00" * 32), abi.encode(4 * ONE)))
    assert told.rates == (Rate(4 * ONE, 150, 4 * ONE, 50), FIXED)
    told = pool.apply(Log(POOL, (RATE_BY_INDEX, "0x" + "00" * 31 + "02"), abi.encode(4 * ONE)))
    assert told.rates[1].cached == 4 * ONE


def test_the_amplification_moves_in_a_line() -> None:
    up, down = Amp(1000, 3000, 100, 300), Amp(3000, 1000, 100, 300)
    assert [up.at(time) for time in (100, 101, 200, 299, 300, 999)] == [1000, 1010, 2000, 2990, 3000, 3000]
    assert [down.at(time) for time in (100, 101, 200, 299, 300, 999)] == [3000, 2990, 2000, 1010, 1000, 1000]
    word = 300 << 192 | 100 << 128 | 3000 << 64 | 1000
    pool = stable()
    moving = pool.apply_diff({POOL: AccountDiff(slots={AMP_SLOT: word})})
    assert moving.amp == up and moving.silent and not moving.at(300).silent
    assert moving == pool.apply(Log(POOL, (AMP_STARTED,), b"".join(map(abi.encode, up))))
    assert moving.apply(Log(POOL, (AMP_STOPPED,), abi.encode(2000))).amp.at(0) == 2000


# --- logs and storage ------------------------------------------------------------------------------------------------


def swap_log(pool: BalancerPool, i: int, j: int, amount_in: int, amount_out: int) -> Log:
    topics = (SWAP, pool.id, *(abi.to_hex(abi.encode(pool.tokens[index])) for index in (i, j)))
    return Log(VAULT, topics, abi.encode(amount_in) + abi.encode(amount_out))


def arrays(*values: tuple[int | str, ...]) -> bytes:
    """ABI of as many arrays."""
    head, tail = b"", b""
    for array in values:
        head += abi.encode(32 * len(values) + len(tail))
        tail += abi.encode(len(array)) + b"".join(map(abi.encode, array))
    return head + tail


@pytest.mark.parametrize("pool", [weighted(), stable()])
def test_logs_of_the_vault_are_followed(pool: BalancerPool) -> None:
    i, j = (pool.holdings.tokens.index(token) for token in (A, B))
    cash = pool.holdings.cash
    swapped = pool.apply(swap_log(pool, 1, 0, 5, 7)).holdings
    assert (swapped.cash[i], swapped.cash[j]) == (cash[i] - 7, cash[j] + 5)
    data = arrays((A, B), (10, -20), (3, 4))
    changed = pool.apply(Log(VAULT, (BALANCE_CHANGED, pool.id, "0x"), data)).holdings
    assert (changed.cash[i], changed.cash[j]) == (cash[i] + 7, cash[j] - 24)
    topics = (BALANCE_MANAGED, pool.id, "0x", abi.to_hex(abi.encode(A)))
    managed = pool.apply(Log(VAULT, topics, abi.encode(-6) + abi.encode(9))).holdings
    assert (managed.cash[i], managed.managed[i], managed.totals[i]) == (cash[i] - 6, 9, cash[i] + 3)
    assert pool.apply(Log(POOL, (FEE_CHANGED,), abi.encode(99))).fee == 99


@pytest.mark.parametrize("pool", [weighted(), stable()])
def test_other_logs_change_nothing_or_are_not_understood(pool: BalancerPool) -> None:
    log = swap_log(pool, 0, 1, 5, 7)
    others = (
        Log(VAULT, (SWAP, MINIMAL[:-1] + "8", *log.topics[2:]), log.data),
        Log(C, log.topics, log.data),
        Log(VAULT, (abi.topic("PoolRegistered(bytes32,address,uint8)"), *log.topics[1:]), log.data),
        Log(POOL, (abi.topic("Transfer(address,address,uint256)"),), abi.encode(5)),
    )
    for other in others:
        assert pool.apply(other) is pool
    unknown = Log(VAULT, (*log.topics[:3], abi.to_hex(abi.encode(C))), log.data)
    registered = Log(VAULT, (abi.topic("TokensRegistered(bytes32,address[],address[])"), pool.id), b"")
    for bad in (unknown, registered):
        with pytest.raises(UnknownState):
            pool.apply(bad)


@given(
    st.sampled_from((TWO, MINIMAL, GENERAL)),
    st.lists(st.tuples(*2 * (st.integers(0, 2**111 - 1),)), min_size=2, max_size=2),
)
def test_storage_words_carry_both_balances(pool_id: str, balances: list[tuple[int, int]]) -> None:
    cash, managed = zip(*balances, strict=True)
    holdings = Holdings(VAULT, pool_id, (A, B), cash, managed)
    block = 12345 << 224
    words = {slot: word | block for slot, word in holdings.words().items()}
    empty = replace(holdings, cash=(1, 1), managed=(0, 0))
    assert empty.apply_diff({VAULT: AccountDiff(slots=words)}) == holdings
    assert set(words) == holdings.slots() == set(balance_slots(pool_id, (A, B))) and len(words) == 2


@pytest.mark.parametrize("pool", [weighted(), stable()])
def test_a_diff_moves_what_it_touches(pool: BalancerPool) -> None:
    assert set(pool.slots()) == {VAULT, POOL} and pool.keeper == VAULT and pool.terms(0, 1) == (VAULT,)
    for diff in ({}, {VAULT: AccountDiff(slots={1: 2})}, {POOL: AccountDiff(slots={77: 1})}, {C: AccountDiff()}):
        assert pool.apply_diff(diff) is pool
    word = 77 << PACKED.shift | 3
    assert pool.apply_diff({POOL: AccountDiff(slots={PACKED.slot: word})}).fee == 77
    slot = balance_slots(pool.id, pool.holdings.tokens)[0]
    assert pool.apply_diff({VAULT: AccountDiff(slots={slot: 6 << 112 | 5})}).holdings.cash[0] == 5


# --- the float view --------------------------------------------------------------------------------------------------


@given(pools, st.sampled_from(((0, 1), (1, 0))), st.floats(1e-6, 1))
def test_segments_follow_the_quotes(pool: BalancerPool, way: tuple[int, int], share: float) -> None:
    i, j = way
    held = [pool.holdings.totals[pool.holdings.tokens.index(token)] for token in pool.tokens]
    amount = int(held[i] * 0.29 * share)
    assume(amount > 10**4)  # else a fee is not what it is by name
    try:
        exact = pool.quote_in(i, j, amount)
    except NoLiquidity:
        return
    assume(exact > 10**6)
    left, got = float(amount), 0.0
    for x, y, keep, capacity in pool.segments(i, j):
        dx = min(left, capacity)
        got += y * dx * keep / (x + dx * keep)
        left -= dx
        if left <= 0:
            break
    assert left <= 1e-9 * amount
    assert abs(got - exact) <= 2e-2 * exact + 10


def test_equal_weights_are_one_exact_stretch() -> None:
    (stretch,) = weighted().segments(0, 1)
    x, y, keep, capacity = stretch
    for amount in (10**15, 10**18, 10**20):
        assert abs(y * amount * keep / (x + amount * keep) - weighted().quote_in(0, 1, amount)) <= 2
    assert abs(capacity * keep / x - 0.3) < 1e-12
