"""The best way from one token to another, against trying all of them."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st
from markets import TOKENS, WETH, amounts, markets, v2_pools

from bot.amm.pool import Pool
from bot.engine.types import Hop, Route
from bot.market.market import Market
from bot.market.paths import best_path, best_pool


def all_paths(pools: list[Pool], start: str, end: str, most: int) -> list[Route]:
    """Every chain of pools that passes no token twice."""
    found = []
    for hops in range(1, most + 1):
        for chosen in permutations(pools, hops):
            route: list[Hop] = []
            for pool in chosen:
                token = route[-1].token_out if route else start
                if token not in pool.tokens:
                    break
                route.append(Hop(pool.id, pool.kind, token, pool.tokens[1 - pool.tokens.index(token)]))
            passed = [start, *(hop.token_out for hop in route)]
            if len(route) == hops and passed[-1] == end and len(set(passed)) == len(passed):
                found.append(tuple(route))
    return found


@settings(deadline=None)
@given(st.data(), st.integers(1, 10**8), st.integers(1, 3))
def test_the_best_of_all_paths_is_found(data: st.DataObject, amount: int, hops: int) -> None:
    pools: list[Pool] = [data.draw(v2_pools(number, 1, 10**9)) for number in range(data.draw(st.integers(1, 7)))]
    market = Market([WETH])
    market.add(pools)
    start, end = data.draw(st.permutations(sorted(market.graph.tokens)))[:2]
    tried = [amounts(pools, route, amount) for route in all_paths(pools, start, end, hops)]
    most = max((chain[-1] for chain in tried if chain), default=0)
    found = best_path(market.view, start, end, amount, hops)
    assert (found.amounts[-1] if found else 0) == most
    if found:
        assert amounts(pools, found.route, amount) == found.amounts


@settings(deadline=None)
@given(markets(10**6, 10**12), st.integers(1, 10**6))
def test_a_path_is_exact_and_no_worse_than_a_pool(pools: list[Pool], amount: int) -> None:
    market = Market([WETH])
    market.add(pools)
    if not {WETH, TOKENS[1]} <= market.graph.tokens.keys():
        return
    single = best_pool(market.view, WETH, TOKENS[1], amount)
    direct = [amounts(pools, route, amount) for route in all_paths(pools, WETH, TOKENS[1], 1)]
    assert (single.amounts[-1] if single else 0) == max((chain[-1] for chain in direct if chain), default=0)
    path = best_path(market.view, WETH, TOKENS[1], amount, 4)
    if single:
        assert path is not None and path.amounts[-1] >= single.amounts[-1]
    if path:
        assert amounts(pools, path.route, amount) == path.amounts
        assert len({hop.pool for hop in path.route}) == len(path.route) <= 4
