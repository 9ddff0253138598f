"""Logs carry no time: the market says to a pool of which block they are."""

from __future__ import annotations

from unittest.mock import patch

from markets import TOKENS, WETH, address, header, sync

from bot.amm.v2 import V2Pool
from bot.market.market import BLOCK_TIME, Market

HEAD = header(7, "0x7", "0x6")


def told(market: Market, *, block_time: int) -> list[int]:
    """The times that a pool is told by logs of a head and of a pending transaction."""
    times: list[int] = []

    def at(pool: V2Pool, timestamp: int) -> V2Pool:
        times.append(timestamp)
        return pool

    with patch.object(V2Pool, "at", at):
        market.follow(HEAD, [sync(address(0), 10**6, 10**7)])
        after = market.after([sync(address(0), 10**6 + 1, 10**7), sync(address(1), 10**6, 10**7)])
    assert after.changed == {address(0)}, "the other one is not in the market"
    assert times == [HEAD.timestamp, HEAD.timestamp + block_time]
    return times


def test_a_head_has_its_time_and_a_pending_transaction_the_next() -> None:
    pool = V2Pool(address(0), *sorted((WETH, TOKENS[1])), 10**6, 10**6)
    for block_time in (BLOCK_TIME, 2):
        market = Market([WETH], 3, block_time)
        market.add([pool])
        market.anchor(header(6, "0x6", "0x5"))
        told(market, block_time=block_time)


def test_a_pool_of_another_time_is_no_change_by_itself() -> None:
    """A log that moves nothing leaves the market's own value."""
    pool = V2Pool(address(0), *sorted((WETH, TOKENS[1])), 10**6, 10**6)
    market = Market([WETH])
    market.add([pool])
    market.anchor(HEAD)
    with patch.object(V2Pool, "at", lambda pool, timestamp: V2Pool(pool.id, *pool.tokens, 10**6, 10**6)):
        log = sync(address(0), 1, 1)
        nothing = type(log)(log.address, ("0x" + "00" * 32,), b"")
        assert market.after([nothing]).changed == set()
        assert market.after([log]).changed == {address(0)}


def test_without_a_head_no_time_is_told() -> None:
    market = Market([WETH])
    market.add([V2Pool(address(0), *sorted((WETH, TOKENS[1])), 10**6, 10**6)])
    with patch.object(V2Pool, "at", side_effect=AssertionError):
        assert market.after([sync(address(0), 5, 5)]).changed == {address(0)}
        assert market.apply([sync(address(0), 5, 5)]) == {address(0)}
        assert market.apply([], None, 5) == set()
