"""VaultPool and WethPool: rounding, limits, logs and the float view."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import abi
from bot.amm.pool import NoLiquidity, UnknownState
from bot.amm.vaults import DEPOSIT, ETH, WITHDRAW, VaultPool, WethPool
from bot.engine.types import AccountDiff, Log

VAULT, ASSET = "0x" + "aa" * 20, "0x" + "bb" * 20
POOL = VaultPool(VAULT, ASSET, 3 * 10**24 + 1, 10**24 + 1, most_out=3 * 10**24, virtual_shares=1)
totals = st.integers(1, 10**30)
ways = st.sampled_from(((0, 1), (1, 0)))


def vault(assets: int, shares: int) -> VaultPool:
    return VaultPool(VAULT, ASSET, assets, shares, most_out=assets)


@given(totals, totals, ways, st.integers(1, 10**32))
def test_input_asked_for_is_the_least(assets: int, shares: int, way: tuple[int, int], wanted: int) -> None:
    pool = vault(assets, shares)
    try:
        paid = pool.quote_out(*way, wanted)
    except NoLiquidity:  # more than it holds
        least = -(-wanted * shares // assets)
        assert way == (1, 0) and least * assets // shares > assets
        return
    assert pool.quote_in(*way, paid) >= wanted
    if paid > 1:
        with suppress(NoLiquidity):  # nothing at all
            assert pool.quote_in(*way, paid - 1) < wanted


@given(totals, totals, st.integers(1, 10**32))
def test_there_and_back_gains_nothing(assets: int, shares: int, amount: int) -> None:
    pool = vault(assets, shares)
    try:
        got = pool.quote_in(0, 1, amount)
    except NoLiquidity:  # nothing for so little
        return
    log = Log(VAULT, (DEPOSIT, "0x", "0x"), abi.encode(amount) + abi.encode(got))
    after = pool.apply(log)
    assert (after.assets, after.shares, after.most_out) == (assets + amount, shares + got, assets + amount)
    try:
        back = after.quote_in(1, 0, got)
    except NoLiquidity:
        return
    assert back <= amount
    out = Log(VAULT, (WITHDRAW, "0x", "0x", "0x"), abi.encode(back) + abi.encode(got))
    assert (after.apply(out).shares, after.apply(out).assets) == (shares, assets + amount - back)


def test_refusals() -> None:
    for i, j in ((0, 1), (1, 0)):
        assert POOL.quote_in(i, j, 0) == POOL.quote_out(i, j, 0) == 0
        with pytest.raises(NoLiquidity):
            POOL.quote_in(i, j, 2**180)
        for empty in (replace(POOL, assets=0), replace(POOL, shares=0)):
            with pytest.raises(UnknownState):
                empty.quote_in(i, j, 5)
            with pytest.raises(UnknownState):
                next(empty.segments(i, j))
    with pytest.raises(NoLiquidity):
        POOL.quote_in(0, 1, 2)  # not a whole share
    with pytest.raises(NoLiquidity):
        POOL.quote_out(1, 0, 3 * 10**24 + 5)
    with pytest.raises(NoLiquidity):
        replace(POOL, most_in=10**18).quote_in(0, 1, 10**18 + 1)
    assert replace(POOL, most_in=10**18).quote_in(0, 1, 10**18)


def test_what_cannot_be_redeemed() -> None:
    for pool, error in ((replace(POOL, closed=True), NoLiquidity), (replace(POOL, most_out=None), UnknownState)):
        assert pool.quote_in(0, 1, 10**18) == POOL.quote_in(0, 1, 10**18)
        for question in (pool.quote_in, pool.quote_out, lambda i, j, _, pool=pool: next(pool.segments(i, j))):
            with pytest.raises(error):
                question(1, 0, 10**18)
    closed = replace(POOL, closed=True).apply(Log(VAULT, (DEPOSIT, "0x", "0x"), abi.encode(10**20) * 2))
    with pytest.raises(NoLiquidity):
        closed.quote_in(1, 0, 10**18)


def test_a_vault_that_keeps_a_least_number_of_shares() -> None:
    pool = VaultPool(VAULT, ASSET, 2 * 10**18 + 1, 2 * 10**18 + 1, 10**30, 2 * 10**18, 1, 10**18)
    assert pool.quote_in(1, 0, 10**18) and pool.quote_in(1, 0, 2 * 10**18)
    with pytest.raises(NoLiquidity):
        pool.quote_in(1, 0, 10**18 + 1)
    with pytest.raises(NoLiquidity):
        replace(pool, assets=1, shares=1).quote_in(0, 1, 10**18 - 1)


def test_other_logs_and_diffs_change_nothing() -> None:
    data = abi.encode(5) + abi.encode(7)
    for log in (
        Log(ASSET, (DEPOSIT, "0x", "0x"), data),
        Log(VAULT, (abi.topic("Transfer(address,address,uint256)"),), data),
    ):
        assert POOL.apply(log) is POOL
    assert POOL.apply_diff({VAULT: AccountDiff(slots={2: 1})}) is POOL and POOL.silent and not POOL.slots()
    own_rate = replace(POOL, own_rate=True).apply(Log(VAULT, (DEPOSIT, "0x", "0x"), data))
    assert (own_rate.assets, own_rate.shares, own_rate.most_out) == (POOL.assets, POOL.shares, 3 * 10**24 + 5)


def test_what_a_hop_is_told() -> None:
    weth = WethPool(VAULT)
    assert POOL.tokens == (ASSET, VAULT) and weth.tokens == (ETH, VAULT)
    for pool in (POOL, weth):
        assert pool.terms(0, 1) == ("in",) and pool.terms(1, 0) == ("out",) and pool.contract == pool.id == VAULT


@given(ways, st.integers(10**18, 10**23))
def test_the_float_view_is_a_straight_line(way: tuple[int, int], amount: int) -> None:
    for pool in (POOL, WethPool(VAULT)):
        ((x, y, keep, capacity),) = pool.segments(*way)
        assert keep == 1 and amount <= capacity
        assert y * amount / (x + amount) == pytest.approx(pool.quote_in(*way, amount), rel=1e-14)


@given(ways, st.integers(0, 2**128 - 1))
def test_weth_is_one_for_one(way: tuple[int, int], amount: int) -> None:
    pool = WethPool(VAULT)
    assert pool.quote_in(*way, amount) == pool.quote_out(*way, amount) == amount
    for question in (pool.quote_in, pool.quote_out):
        with pytest.raises(NoLiquidity):
            question(*way, 2**128 + amount)
    log = Log(VAULT, (abi.topic("Deposit(address,uint256)"),), abi.encode(amount))
    assert pool.apply(log) is pool.apply_diff({VAULT: AccountDiff(slots={3: 1})}) is pool
    assert not pool.silent and not pool.slots()
