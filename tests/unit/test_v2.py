"""V2Pool: rounding, refusals, logs and the float view."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import abi
from bot.amm.pool import NoLiquidity
from bot.amm.v2 import SYNC, V2Pool
from bot.engine.types import AccountDiff, Log

POOL = V2Pool("0xpool", "0x01", "0x02", 10**18, 3 * 10**18)
FEES = st.sampled_from([(997, 1000), (9975, 10_000), (1, 1)])
RESERVES = st.integers(1, 10**30)


@given(RESERVES, RESERVES, FEES, st.integers(0, 1), st.integers(1, 10**30))
def test_input_asked_for_is_the_least(reserve0: int, reserve1: int, fee: tuple[int, int], i: int, wanted: int) -> None:
    pool = V2Pool("0xpool", "0x01", "0x02", reserve0, reserve1, *fee)
    if wanted >= (reserve0 if i else reserve1):
        with pytest.raises(NoLiquidity):
            pool.quote_out(i, 1 - i, wanted)
        return
    try:
        paid = pool.quote_out(i, 1 - i, wanted)
    except NoLiquidity:  # more than 112 bits
        return
    assert pool.quote_in(i, 1 - i, paid) >= wanted > pool.quote_in(i, 1 - i, paid - 1)


def test_refusals() -> None:
    empty = V2Pool("0xpool", "0x01", "0x02", 0, 0)
    for i in (0, 1):
        assert POOL.quote_in(i, 1 - i, 0) == POOL.quote_out(i, 1 - i, 0) == 0
        with pytest.raises(NoLiquidity):
            empty.quote_in(i, 1 - i, 1)
        with pytest.raises(NoLiquidity):
            empty.quote_out(i, 1 - i, 1)
        with pytest.raises(NoLiquidity):
            POOL.quote_in(i, 1 - i, 1 << 112)
        with pytest.raises(NoLiquidity):
            next(empty.segments(i, 1 - i))


def test_follows_sync_and_nothing_else() -> None:
    moved = POOL.apply(Log("0xpool", (SYNC,), abi.encode(7) + abi.encode(9)))
    assert (moved.reserve0, moved.reserve1) == (7, 9)
    assert POOL.apply(Log("0xpool", (abi.topic("Transfer(address,address,uint256)"),), abi.encode(5))) is POOL


def test_follows_its_slot_and_nothing_else() -> None:
    word = 5 << 224 | 9 << 112 | 7
    for layout, slot in (("uniswap-v2", 8), ("stored-fee-v2", 10)):
        pool = replace(POOL, layout=layout)
        assert pool.slots() == {"0xpool": {slot}}
        moved = pool.apply_diff({"0xpool": AccountDiff(slots={slot: word, 3: 4})})
        assert moved == replace(pool, reserve0=7, reserve1=9)
        for other in (
            {},
            {"0xother": AccountDiff(slots={slot: word})},
            {"0xpool": AccountDiff(slots={slot + 1: word})},
        ):
            assert pool.apply_diff(other) is pool


def test_segment_predicts_the_quote() -> None:
    for i in (0, 1):
        (segment,) = POOL.segments(i, 1 - i)
        gained = 10**17 * segment.keep
        assert segment.capacity == inf
        assert isclose(segment.y * gained / (segment.x + gained), POOL.quote_in(i, 1 - i, 10**17), rel_tol=1e-9)
