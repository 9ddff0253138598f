"""What would be after a transaction is asked for twice: the second answer is the first, until the market moves on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from markets import TOKENS, WETH, address, header, sync

from bot.amm.v2 import V2Pool
from bot.market.market import Market

LOGS = (sync(address(0), 10**6, 10**7),)
OTHER = V2Pool(address(0), *sorted((WETH, TOKENS[1])), 10**5, 10**6)


@pytest.mark.parametrize(
    "moves",
    [
        lambda market: market.follow(header(7, "0x7", "0x6"), []),
        lambda market: market.apply([sync(address(0), 5, 5)]),
        lambda market: market.add([OTHER]),
        lambda market: market.remove([OTHER.id]),
    ],
)
def test_the_same_view_until_the_market_moves_on(moves: Callable[[Market], object]) -> None:
    market = Market([WETH])
    market.add([V2Pool(address(0), *sorted((WETH, TOKENS[1])), 10**6, 10**6)])
    market.anchor(header(6, "0x6", "0x5"))
    before = market.after(LOGS)
    assert market.after(LOGS) is before
    moves(market)
    after = market.after(LOGS)
    assert after is not before
    assert after.pool(OTHER.id) == market.view.after(LOGS).pool(OTHER.id)
