"""Random markets, and the slow ways to the answers that the market must find fast."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
from hypothesis import strategies as st

from bot.amm.pool import NoLiquidity, Pool, UnknownState
from bot.amm.tick_math import sqrt_ratio_at_tick
from bot.amm.ticks import TickLiquidity, TickMap
from bot.amm.v2 import SYNC, V2Pool
from bot.amm.v3 import SWAP, V3Pool
from bot.engine.types import Header, Hop, Log, Route
from bot.market.arrays import Sizes
from bot.market.graph import Cycle
from bot.market.kernels import MAX_HOPS, NONE
from bot.market.market import Market
from bot.market.search import ceiling
from bot.market.view import View

TOKENS = tuple(f"0x{number:040x}" for number in range(1, 6))
WETH = TOKENS[0]
SPACING = 60
ANYTHING = V2Pool("0x", "0x", "0x", 1, 1)


def address(number: int) -> str:
    return f"0x{0xF000 + number:040x}"


def header(number: int, hash_: str, parent: str) -> Header:
    return Header(number, hash_, parent, 12 * number, 10**9, 30_000_000, 15_000_000, address(99))


def sync(pool: str, reserve0: int, reserve1: int) -> Log:
    return Log(pool, (SYNC,), reserve0.to_bytes(32, "big") + reserve1.to_bytes(32, "big"))


def log_for(pool: Pool, amount: int) -> Log:
    """Something that moves the pool: what it would emit after ``amount`` came in."""
    if isinstance(pool, V2Pool):
        return sync(pool.id, pool.reserve0 + amount, pool.reserve1)
    assert isinstance(pool, V3Pool)
    words = (amount, -1 % 2**256, pool.sqrt_price + amount, pool.liquidity + amount, pool.tick % 2**256)
    return Log(pool.id, (SWAP,), b"".join(word.to_bytes(32, "big") for word in words))


def snapshot(market: Market) -> tuple[object, ...]:
    """All that can be seen of a market."""
    view = market.view
    legs = len(market.graph.hops)
    with view.arrays.patched({}):
        cycles = view.arrays.open_cycles()
    return market.pools(), dict(market.unknown), view.arrays.rates[:legs].tolist(), sorted(cycles.tolist())


def all_cycles(market: Market) -> list[Cycle]:
    """Every cycle that its graph holds, found by giving every leg a rate that gains."""
    with (
        patch("bot.market.arrays._log_rate", return_value=1.0),
        market.arrays.patched(dict.fromkeys(range(len(market.graph.ids)), ANYTHING)),
    ):
        rows = market.arrays.open_cycles()
    assert len(rows) == len(np.unique(rows, axis=0))
    return [tuple(leg for leg in row if leg != NONE) for row in rows.tolist()]


class Size(NamedTuple):
    """One cycle's, as in Sizes."""

    amount: float
    profit: float
    spread: float

    @property
    def ceiling(self) -> float:
        return float(ceiling(Sizes(*(np.array([figure]) for figure in self)))[0])


def size_of(view: View, cycle: Cycle) -> Size | None:
    """The float optimum of one cycle; None where nothing is gained."""
    rows = np.array([[*cycle, *[NONE] * (MAX_HOPS - len(cycle))]], np.int32)
    with view.arrays.patched(view.changes):
        sizes = view.arrays.sizes(rows, view.at)
    size = Size(*(float(figures[0]) for figures in sizes))
    return size if size.amount else None


@st.composite
def v2_pools(draw: st.DrawFn, number: int, low: int, high: int, tokens: int = 4) -> V2Pool:
    token0, token1 = sorted(draw(st.permutations(TOKENS[:tokens]))[:2])
    fee = draw(st.sampled_from([(997, 1000), (9975, 10_000), (1, 1)]))
    return V2Pool(address(number), token0, token1, draw(st.integers(low, high)), draw(st.integers(low, high)), *fee)


@st.composite
def v3_pools(draw: st.DrawFn, number: int, low: int, high: int, tokens: int = 4) -> V3Pool:
    """Up to four positions; where they overlap, liquidity changes under way, and outside them there is none."""
    token0, token1 = sorted(draw(st.permutations(TOKENS[:tokens]))[:2])
    edges: dict[int, TickLiquidity] = {}
    tick = draw(st.integers(-2000, 2000))
    active = 0
    for _ in range(draw(st.integers(1, 4))):
        lower = draw(st.integers(-50, 48)) * SPACING
        upper = lower + draw(st.integers(1, 40)) * SPACING
        amount = draw(st.integers(low, high))
        for edge, net in ((lower, amount), (upper, -amount)):
            before = edges.get(edge, TickLiquidity(0, 0))
            edges[edge] = TickLiquidity(before.gross + amount, before.net + net)
        active += amount if lower <= tick < upper else 0
    return V3Pool(
        address(number),
        token0,
        token1,
        draw(st.sampled_from([500, 3000, 10_000])),
        SPACING,
        sqrt_ratio_at_tick(tick),
        tick,
        active,
        TickMap.complete(SPACING, edges),
    )


def pools(number: int, low: int, high: int) -> st.SearchStrategy[Pool]:
    return st.one_of(v2_pools(number, low, high), v3_pools(number, low, high))


@st.composite
def markets(draw: st.DrawFn, low: int, high: int, most: int = 6) -> list[Pool]:
    return [draw(pools(number, low, high)) for number in range(draw(st.integers(2, most)))]


def all_routes(market: list[Pool], base: str, max_hops: int) -> Iterator[Route]:
    """Every simple cycle from ``base``, by trying all orders of all pools."""
    for hops in range(2, max_hops + 1):
        for chosen in permutations(market, hops):
            token, route = base, []
            for pool in chosen:
                if token not in pool.tokens:
                    break
                i = pool.tokens.index(token)
                route.append(Hop(pool.id, pool.kind, token, pool.tokens[1 - i], pool.terms(i, 1 - i)))
                token = pool.tokens[1 - i]
            else:
                inner = [hop.token_in for hop in route]
                if token == base and len(set(inner)) == hops:
                    yield tuple(route)


def amounts(market: list[Pool], route: Route, amount: int) -> tuple[int, ...] | None:
    """The chain of exact quotes."""
    by_id = {pool.id: pool for pool in market}
    chain = [amount]
    for hop in route:
        try:
            pool = by_id[hop.pool]
            i, j = pool.tokens.index(hop.token_in), pool.tokens.index(hop.token_out)
            chain.append(pool.quote_in(i, j, chain[-1]))
        except (UnknownState, NoLiquidity):
            return None
    return tuple(chain)


def best_by_trying(market: list[Pool], route: Route, most: int) -> int:
    """The greatest gain of any input up to ``most``; 0 where nothing gains."""
    chains = (amounts(market, route, amount) for amount in range(1, most + 1))
    return max(0, *(chain[-1] - chain[0] for chain in chains if chain), 0)
