"""CurveStablePool as a value: what holds for every pool, and what it refuses to follow."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot import abi
from bot.amm.curve.generations import GENERATIONS, STABLE_2020, STABLE_EMA, STABLE_META, STABLE_NG
from bot.amm.curve.invariant import FEE_UNIT, PRECISION
from bot.amm.curve.liquidity import get_dy
from bot.amm.curve.stable import CurveStablePool
from bot.amm.curve.state import StableState
from bot.amm.pool import NoLiquidity, Segment, UnknownState
from bot.engine.types import AccountDiff, Log, StateDiff
from bot.execution.steps import CurveKind

ADDRESS = "0x" + "c0" * 20
EXCHANGED = "TokenExchange(address,int128,uint256,int128,uint256)"


@st.composite
def pools(draw: st.DrawFn, skew: float = 3.0) -> CurveStablePool:
    """Of every generation, two to four coins, the largest ``skew`` times the smallest at most."""
    kind = GENERATIONS[draw(st.sampled_from(sorted(GENERATIONS)))]
    n = kind.coins or draw(st.integers(2, 4))
    rates = tuple(10 ** (36 - draw(st.sampled_from((6, 8, 18)))) for _ in range(n))
    whole = draw(st.integers(10**3, 10**9))
    balances = tuple(int(whole * draw(st.floats(1, skew)) * 10**36) // rate for rate in rates)
    amp = draw(st.integers(5, 5000)) * kind.a_precision
    fee = draw(st.sampled_from((0, 1_000_000, 4_000_000, 40_000_000)))
    state = StableState(kind.name, balances, rates, amp, fee, kind.admin_fee or 5 * 10**9)
    if kind.ng:
        offpeg = draw(st.sampled_from((0, 2 * FEE_UNIT, 20 * FEE_UNIT)))
        state = replace(state, offpeg=offpeg, admin=tuple(held // 999 for held in balances))
    return CurveStablePool(ADDRESS, tuple(f"0x{k + 1:040x}" for k in range(n)), state)


@st.composite
def swaps(draw: st.DrawFn, skew: float = 3.0) -> tuple[CurveStablePool, int, int, int]:
    """A pool, coins in and out, an input between dust and thrice what the pool holds."""
    pool = draw(pools(skew))
    i, j = draw(st.permutations(range(len(pool.tokens))))[:2]
    share = draw(st.floats(-6, 0.5))
    return pool, i, j, int(pool.state.balances[i] * 10**share) + 1


def log(signature: str, *words: int, topics: tuple[str, ...] = ()) -> Log:
    return Log(ADDRESS, (abi.topic(signature), *topics), b"".join(abi.encode(word) for word in words))


def stored(before: CurveStablePool, state: StableState) -> StateDiff:
    """What brings a pool's storage to this state."""
    storage = GENERATIONS[state.generation].storage
    assert storage is not None
    admin = state.admin or (0,) * len(state.balances)
    slots = {storage.balances + k: held + admin[k] for k, held in enumerate(state.balances)}
    if storage.admin is not None:
        slots |= {storage.admin + k: kept for k, kept in enumerate(admin)}
    return {before.id: AccountDiff(slots=slots)}


@given(swaps(skew=1000.0))
def test_the_quick_way_gives_what_the_checked_one_does(swap: tuple[CurveStablePool, int, int, int]) -> None:
    pool, i, j, amount = swap
    state = pool.state
    try:
        checked = state._exchange_checked(state.curve, i, j, amount)
    except NoLiquidity:
        with pytest.raises(NoLiquidity):
            state.exchange(i, j, amount)
    else:
        assert state.exchange(i, j, amount) == checked


@given(swaps(), st.floats(1, 2))
def test_more_in_gives_no_less_but_for_the_iteration_s_last_unit(
    swap: tuple[CurveStablePool, int, int, int], more: float
) -> None:
    pool, i, j, amount = swap
    try:
        less = pool.quote_in(i, j, amount)
    except NoLiquidity:
        return
    assume(pool.state.offpeg <= FEE_UNIT)  # NG's fee can grow faster than what comes out
    noise = 2 * PRECISION // pool.state.rates[j] + 1
    assert pool.quote_in(i, j, int(amount * more) + 1) >= less - noise
    assert less < pool.state.balances[j]


@given(swaps())
def test_what_quote_out_asks_suffices_and_noticeably_less_does_not(swap: tuple[CurveStablePool, int, int, int]) -> None:
    pool, i, j, amount = swap
    try:
        out = pool.quote_in(i, j, amount)
    except NoLiquidity:
        return
    if not out:
        return
    try:
        asked = pool.quote_out(i, j, out)
    except NoLiquidity:  # where NG's fee grows faster than what comes out, an input may be missed
        assert pool.state.offpeg > FEE_UNIT
        return
    assert pool.quote_in(i, j, asked) >= out
    if pool.state.offpeg > FEE_UNIT:  # NG's fee can grow faster than what comes out: there may be several such inputs
        return
    assert asked <= amount + 2
    slack = 3 + 40 * PRECISION // pool.state.rates[i]  # units of the iteration, at prices far off the peg
    if asked > slack:
        with suppress(NoLiquidity):
            assert pool.quote_in(i, j, asked - slack) < out


@given(swaps())
def test_log_and_storage_lead_to_the_same_pool(swap: tuple[CurveStablePool, int, int, int]) -> None:
    pool, i, j, amount = swap
    try:
        out, share = pool.state.exchange(i, j, amount)
    except NoLiquidity:
        return
    after = pool.apply(log(EXCHANGED, i, amount, j, out))
    held = list(pool.state.balances)
    held[i] += amount
    held[j] -= out + share
    assert after.state.balances == tuple(held)
    if pool.state.generation == STABLE_META.name:
        assert pool.slots() == {}
    else:
        assert pool.apply_diff(stored(pool, after.state)) == after
    with pytest.raises(UnknownState):
        pool.apply(log(EXCHANGED, i, amount, j, out + 1))


def walk(pieces: list[Segment], amount: float) -> float:
    """What Möbius pieces give for an input."""
    out = 0.0
    for piece in pieces:
        part = min(amount, piece.capacity) * piece.keep
        out += piece.y * part / (piece.x + part)
        amount -= min(amount, piece.capacity)
    return out


@settings(max_examples=50)
@given(pools(skew=10.0), st.floats(0.0005, 0.999))
def test_the_segments_follow_the_quotes(pool: CurveStablePool, share: float) -> None:
    i, j = 0, 1
    pieces = list(pool.segments(i, j))
    assert 16 <= len(pieces) <= 32
    whole = sum(piece.capacity for piece in pieces)
    assert pool.quote_in(i, j, int(whole)) > 0.8 * pool.state.balances[j]
    amount = int(whole * share)
    real = pool.quote_in(i, j, amount)
    assert walk(pieces, amount) == pytest.approx(real, rel=3e-3, abs=3 + 2 * pool.state.rates[i] / pool.state.rates[j])
    edge, unit = 0.0, 3 + 2 * pool.state.rates[i] / pool.state.rates[j]
    for piece in pieces:
        edge += piece.capacity
        assert walk(pieces, edge) == pytest.approx(pool.quote_in(i, j, int(edge)), rel=1e-6, abs=unit)


def usd(kind: str = STABLE_NG.name, **changes: Any) -> CurveStablePool:
    """Two coins of 18 decimals, ten million of each."""
    admin = (10**18, 10**18) if GENERATIONS[kind].ng else ()
    state = StableState(kind, (10**25, 10**25), (PRECISION, PRECISION), 20_000, 4_000_000, 5 * 10**9, admin=admin)
    return CurveStablePool(ADDRESS, ("0x" + "0a" * 20, "0x" + "0b" * 20), replace(state, **changes))


def test_terms_are_the_executor_s() -> None:
    pool = usd()
    assert pool.terms(0, 1) == (CurveKind.PLAIN, 0, 1) and pool.kind == "curve" and pool.contract == ADDRESS


def test_nothing_for_nothing_and_no_quote_beyond_a_word() -> None:
    pool = usd()
    assert pool.quote_in(0, 1, 0) == pool.quote_out(0, 1, 0) == 0
    for amount in (1 << 255, 1 << 300):
        with pytest.raises(NoLiquidity):
            pool.quote_in(0, 1, amount)
    for amount in (10**25, 1 << 300):
        with pytest.raises(NoLiquidity):
            pool.quote_out(0, 1, amount)


@pytest.mark.parametrize("changes", [{"killed": True}, {"balances": (0, 0)}, {"balances": (0, 10**20)}, {"amp": 0}])
def test_what_cannot_trade_has_no_quote(changes: dict[str, Any]) -> None:
    pool = usd(**changes)
    for ask in (pool.quote_in, pool.quote_out):
        with pytest.raises(NoLiquidity):
            ask(0, 1, 10**18)
    with pytest.raises(NoLiquidity):
        list(pool.segments(0, 1))


def test_get_dy_of_2020_differs_from_what_is_sent() -> None:
    state = StableState(STABLE_2020.name, (10**25, 10**13, 10**13), (PRECISION, 10**30, 10**30), 2000, 4_000_000, 0)
    apart = {get_dy(state, 0, 1, amount) - state.exchange(0, 1, amount)[0] for amount in range(10**20, 10**23, 10**20)}
    assert apart == {0, 1}


def test_a_ramp_or_another_contract_s_rate_makes_it_silent() -> None:
    pool = usd(STABLE_EMA.name)
    assert not pool.silent and replace(pool, moving=True).silent
    ramped = pool.apply(log("RampA(uint256,uint256,uint256,uint256)", 20_000, 40_000, 1000, 2000))
    assert ramped.silent and ramped.state.amp == 20_000
    assert ramped.at(1500).state.amp == 30_000 and ramped.at(1500).silent
    assert ramped.at(2000).state.amp == 40_000 and not ramped.at(2000).silent
    assert pool.at(1500) is pool
    stopped = ramped.apply(log("StopRampA(uint256,uint256)", 30_000, 1500))
    assert not stopped.silent and stopped.state.amp == 30_000
    storage = STABLE_EMA.storage
    assert storage is not None
    slots = dict(enumerate((20_000, 40_000, 1000, 2000), storage.ramp))
    assert pool.apply_diff({ADDRESS: AccountDiff(slots=slots)}) == ramped
    with pytest.raises(UnknownState):
        pool.apply_diff({ADDRESS: AccountDiff(slots={storage.ramp + 1: 40_000})})


def test_fees_by_log_and_by_storage() -> None:
    pool = usd()
    after = pool.apply(log("ApplyNewFee(uint256,uint256)", 7, 3 * FEE_UNIT))
    assert (after.state.fee, after.state.offpeg) == (7, 3 * FEE_UNIT)
    storage = STABLE_NG.storage
    assert storage is not None and storage.offpeg is not None
    slots = {storage.fee: 7, storage.offpeg: 3 * FEE_UNIT}
    assert pool.apply_diff({ADDRESS: AccountDiff(slots=slots)}) == after


def test_what_moves_nothing_returns_the_same_value() -> None:
    pool = usd()
    assert pool.apply(log("Transfer(address,address,uint256)", 1)) is pool
    assert pool.apply_diff({}) is pool
    assert pool.apply_diff({ADDRESS: AccountDiff(slots={0: 3}), "0x" + "99" * 20: AccountDiff(slots={2: 1})}) is pool


def test_where_a_metapool_keeps_its_state_is_not_known() -> None:
    pool = usd(STABLE_META.name)
    assert pool.apply_diff({ADDRESS: AccountDiff(balance=1)}) is pool
    with pytest.raises(UnknownState, match="not known"):
        pool.apply_diff({ADDRESS: AccountDiff(slots={7: 1})})


@pytest.mark.parametrize(
    "event",
    [
        log("RemoveLiquidityOne(address,uint256,uint256)", 10**18, 10**18),
        log("RemoveLiquidityOne(address,uint256,uint256,uint256)", 10**18, 5, 10**25),
        log("TokenExchangeUnderlying(address,int128,uint256,int128,uint256)", 0, 10**18, 1, 10**18),
        log(EXCHANGED, 0, 10**18, 7, 10**18),
        log(EXCHANGED, 0, 1 << 255, 1, 10**18),
        log("Something(uint256)", 1),
    ],
)
def test_what_tells_too_little_is_not_followed(event: Log) -> None:
    with pytest.raises(UnknownState):
        usd(STABLE_EMA.name).apply(event)
