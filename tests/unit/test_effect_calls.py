"""What aggregators' calls do to the market: pools that are called one after the other, and what is not said."""

from __future__ import annotations

import pytest
from markets import TOKENS, address
from test_backrun_hints import EMPTY, UNIT, market_of

from bot.amm.pool import UnknownState
from bot.amm.v2 import V2Pool
from bot.amm.v3 import V3Pool
from bot.amm.vaults import ETH
from bot.engine.types import SwapIntent
from bot.market.effect import Step, after_swaps, along, ways

ROUTER = "0x" + "77" * 20
POOLS = [
    V2Pool(address(0), TOKENS[0], TOKENS[1], 100 * UNIT, 100 * UNIT),
    V2Pool(address(1), TOKENS[1], TOKENS[2], 100 * UNIT, 100 * UNIT),
]


def into(pool: int, sides: tuple[int, int], amount: int | None, limit: int | None = None) -> SwapIntent:
    """As 1inch names a pool."""
    return SwapIntent("v2", address(pool), (), ((),), True, amount, limit, 0, sides)


def test_one_pool_takes_what_the_one_before_gave() -> None:
    view = market_of(POOLS).view
    path = along(view, (Step(0, 0, 1), Step(1, 0, 1)), UNIT)
    (after,) = after_swaps(view, [into(0, (0, 1), UNIT), into(1, (0, 1), None)])
    assert after.changes == path.changes
    got = 100 * UNIT - path.pool(address(1)).reserve1  # type: ignore[union-attr]
    assert after_swaps(view, [into(0, (0, 1), UNIT), into(1, (0, 1), None, got)])
    assert after_swaps(view, [into(0, (0, 1), UNIT), into(1, (0, 1), None, got + 1)]) == []
    back = SwapIntent("v2", ROUTER, (TOKENS[2], TOKENS[1]), ((),), True, None, None)
    (there,) = after_swaps(view, [into(0, (0, 1), UNIT), into(1, (0, 1), None), back])
    assert there.changed == {address(0), address(1)}


def test_what_is_not_said_is_unknown() -> None:
    view = market_of(POOLS).view
    for unsaid in (
        [into(1, (0, 1), None)],  # what the router held before
        [into(0, (0, 1), UNIT), into(1, (1, 0), None)],  # of another token
        [SwapIntent("v2", address(0), (), ((),), False, None, None, 0, (0, 1))],
        [SwapIntent("v2", ROUTER, TOKENS[:2], ((),), False, None, None)],
        [SwapIntent("v2", ROUTER, (ETH, TOKENS[1]), ((),), True, UNIT, None)],
        [SwapIntent("1inch", ROUTER, TOKENS[:2], ((),), True, UNIT, None)],
        [SwapIntent("curve", address(0), (), ((),), True, UNIT, None, 0, (0, 255))],
    ):
        with pytest.raises(UnknownState):
            after_swaps(view, unsaid)


def test_pools_that_are_not_what_the_call_takes_them_for() -> None:
    pool = V3Pool(address(2), TOKENS[0], TOKENS[1], 3000, 60, 2**96, 0, UNIT, EMPTY)
    view = market_of([*POOLS, pool]).view
    assert after_swaps(view, [into(2, (0, 1), UNIT)]) == []
    assert after_swaps(view, [into(9, (0, 1), UNIT)]) == []
    assert ways(view, into(0, (1, 0), 5)) == [(Step(0, 1, 0),)]


def test_orders_of_cow_move_nothing_themselves() -> None:
    view = market_of(POOLS).view
    order = SwapIntent("cow", ROUTER, TOKENS[:2], ((),), True, UNIT, 5)
    (alone,) = after_swaps(view, [order])
    assert not alone.changes
    (after,) = after_swaps(view, [order, into(0, (0, 1), UNIT)])
    assert after.changes == along(view, (Step(0, 0, 1),), UNIT).changes
