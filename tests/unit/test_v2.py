"""V2Pool: rounding, refusals, logs and the float view."""

from __future__ import annotations

from math import inf, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import abi
from bot.amm.pool import NoLiquidity
from bot.amm.v2 import SYNC, V2Pool
from bot.engine.types import Log

POOL = V2Pool("0xpool", "0x01", "0x02", 10**18, 3 * 10**18)
FEES = st.sampled_from([(997, 1000), (9975, 10_000), (1, 1)])
RESERVES = st.integers(1, 10**30)


@given(RESERVES, RESERVES, FEES, st.booleans(), st.integers(1, 10**30))
def test_input_asked_for_is_the_least(
    reserve0: int, reserve1: int, fee: tuple[int, int], zero_for_one: bool, wanted: int
) -> None:
    pool = V2Pool("0xpool", "0x01", "0x02", reserve0, reserve1, *fee)
    if wanted >= (reserve1 if zero_for_one else reserve0):
        with pytest.raises(NoLiquidity):
            pool.quote_out(zero_for_one, wanted)
        return
    try:
        paid = pool.quote_out(zero_for_one, wanted)
    except NoLiquidity:  # more than 112 bits
        return
    assert pool.quote_in(zero_for_one, paid) >= wanted > pool.quote_in(zero_for_one, paid - 1)


def test_refusals() -> None:
    empty = V2Pool("0xpool", "0x01", "0x02", 0, 0)
    for zero_for_one in (True, False):
        assert POOL.quote_in(zero_for_one, 0) == POOL.quote_out(zero_for_one, 0) == 0
        with pytest.raises(NoLiquidity):
            empty.quote_in(zero_for_one, 1)
        with pytest.raises(NoLiquidity):
            empty.quote_out(zero_for_one, 1)
        with pytest.raises(NoLiquidity):
            POOL.quote_in(zero_for_one, 1 << 112)
        with pytest.raises(NoLiquidity):
            next(empty.segments(zero_for_one))


def test_follows_sync_and_nothing_else() -> None:
    moved = POOL.apply(Log("0xpool", (SYNC,), abi.encode(7) + abi.encode(9)))
    assert (moved.reserve0, moved.reserve1) == (7, 9)
    assert POOL.apply(Log("0xpool", (abi.topic("Transfer(address,address,uint256)"),), abi.encode(5))) is POOL


def test_segment_predicts_the_quote() -> None:
    for zero_for_one in (True, False):
        (segment,) = POOL.segments(zero_for_one)
        gained = 10**17 * segment.keep
        assert segment.capacity == inf
        assert isclose(segment.y * gained / (segment.x + gained), POOL.quote_in(zero_for_one, 10**17), rel_tol=1e-9)
