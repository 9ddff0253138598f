"""The market's cycles, overlays, unknown pools, and the way back over a reorganisation."""

from __future__ import annotations

import random
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import TOKENS, WETH, address, all_cycles, all_routes, header, log_for, markets, snapshot, sync, v2_pools

from bot.amm.pool import Pool, UnknownState
from bot.amm.v2 import V2Pool
from bot.amm.v3 import BURN
from bot.engine.types import Log, Route
from bot.market.kernels import NONE
from bot.market.market import DEPTH, Market


def turned(route: Route, bases: tuple[str, ...]) -> Route:
    """The route from the best of its base tokens."""
    ranked = [(bases.index(hop.token_in), place) for place, hop in enumerate(route) if hop.token_in in bases]
    start = min(ranked)[1]
    return route[start:] + route[:start]


@settings(deadline=None)
@given(markets(1, 10**6, 7), st.integers(2, 4), st.sampled_from([(WETH,), (WETH, TOKENS[1]), (TOKENS[2], WETH)]))
def test_stores_every_simple_cycle_once(pools: list[Pool], hops: int, bases: tuple[str, ...]) -> None:
    market = Market(bases, hops)
    market.add(pools)
    graph = market.graph
    expected = {turned(route, bases) for base in bases for route in all_routes(pools, base, hops)}
    cycles = all_cycles(market)
    assert {graph.route(cycle) for cycle in cycles} == expected
    assert all(graph.cycle(graph.route(cycle)) == cycle for cycle in cycles)


@settings(deadline=None)
@given(markets(1, 10**6, 7), st.integers(2, 4), st.sampled_from([(WETH,), (WETH, TOKENS[1]), (TOKENS[2], WETH)]))
def test_cycles_through_some_pools_are_those_of_all_that_hold_one(
    pools: list[Pool], hops: int, bases: tuple[str, ...]
) -> None:
    market = Market(bases, hops)
    market.add(pools)
    arrays = market.arrays
    every = {tuple(row) for row in arrays.open_cycles().tolist()}
    for touched in ({0}, {0, 1}, set(range(len(pools)))):
        through = [tuple(row) for row in arrays.open_cycles(touched).tolist()]
        assert len(through) == len(set(through))
        assert set(through) == {row for row in every if touched & {leg >> 1 for leg in row if leg != NONE}}
        with patch("bot.market.arrays.MANY", 0):
            assert {tuple(row) for row in arrays.open_cycles(touched).tolist()} == set(through)


@settings(deadline=None)
@given(markets(100, 10**6), st.data())
def test_overlay_leaves_the_market_alone_and_equals_applying(pools: list[Pool], data: st.DataObject) -> None:
    market = Market([WETH])
    market.add(pools)
    logs = [log_for(pool, data.draw(st.integers(1, 10**6))) for pool in data.draw(st.permutations(pools))[:3]]
    before = snapshot(market)
    after = market.after(logs[:1]).after(logs[1:])
    assert after.changed == {log.address for log in logs}
    arrays = market.arrays
    with arrays.patched(after.changes):
        rates, cycles = arrays.rates.tolist(), arrays.open_cycles()
        sizes = arrays.sizes(cycles, after.at)
    assert snapshot(market) == before
    market.apply(())
    assert market.apply(logs) == {log.address for log in logs}
    assert {pool.id: after.pool(pool.id) for pool in pools} == market.pools()
    assert arrays.open_cycles().tolist() == cycles.tolist()
    assert arrays.rates.tolist() == rates
    again = arrays.sizes(cycles, market.view.at)
    assert [figures.tolist() for figures in again] == [figures.tolist() for figures in sizes]
    assert snapshot(market)[0] != before[0]


@settings(deadline=None)
@given(markets(100, 10**6), st.data())
def test_undo_restores_the_state_before(pools: list[Pool], data: st.DataObject) -> None:
    market = Market([WETH])
    market.add(pools)
    market.anchor(header(0, "0x0", "0x"))
    assert market.follow(header(0, "0x0", "0x"), ()) == {pool.id for pool in pools}
    states = [snapshot(market)]
    heads = data.draw(st.lists(st.lists(st.tuples(st.integers(0, len(pools) - 1), st.integers(0, 99))), max_size=6))
    for number, moves in enumerate(heads, 1):
        logs = [log_for(pool, amount) for at, amount in moves if (pool := market.pool(pools[at].id))]
        market.follow(header(number, hex(number), hex(number - 1)), logs)
        states.append(snapshot(market))
    back = data.draw(st.integers(0, len(heads)))
    here = market.pools()
    differing = market.undo_to(hex(back))
    assert snapshot(market) == states[back]
    assert market.head == header(back, hex(back), hex(back - 1) if back else "0x")
    assert {a for a, pool in market.pools().items() if pool != here[a]} <= differing


def fixed(number: int, reserve: int = 10**6) -> V2Pool:
    return V2Pool(address(number), TOKENS[0], TOKENS[1], reserve, reserve)


def test_a_reorganisation_is_followed_from_the_common_ancestor() -> None:
    market = Market([WETH])
    market.add([fixed(0), fixed(1)])
    market.anchor(header(0, "0xa", "0x"))
    market.follow(header(1, "0xb", "0xa"), [sync(address(0), 5, 5)])
    market.add([fixed(2)])
    changed = market.follow(header(1, "0xc", "0xa"), [sync(address(1), 7, 7)])
    assert changed == {address(0), address(1), address(2)}
    assert market.pool(address(0)) == fixed(0)
    assert market.pool(address(1)) == fixed(1, 7)
    assert market.pool(address(2)) is None, "what it was at the ancestor was never read"
    assert address(2) in market.unknown
    assert market.head == header(1, "0xc", "0xa")
    assert market.follow(header(1, "0xc", "0xa"), [sync(address(1), 9, 9)]) == set(), "the same head twice"
    assert market.pool(address(1)) == fixed(1, 7)


def test_pools_added_at_a_head_are_there_when_we_come_back_to_it() -> None:
    market = Market([WETH])
    market.anchor(header(0, "0xa", "0x"))
    market.add([fixed(0)])
    market.follow(header(1, "0xb", "0xa"), [sync(address(0), 5, 5)])
    market.undo_to("0xa")
    assert market.pools() == {address(0): fixed(0)}


def test_missed_blocks_are_not_papered_over() -> None:
    market = Market([WETH])
    market.add([fixed(0)])
    with pytest.raises(UnknownState):
        market.follow(header(1, "0xb", "0xa"), ())
    market.anchor(header(0, "0x0", "0x"))
    for number in range(1, DEPTH + 10):
        market.follow(header(number, hex(number), hex(number - 1)), [sync(address(0), number, number)])
    before = snapshot(market)
    with pytest.raises(UnknownState):
        market.follow(header(200, "0xffff", "0xeeee"), [sync(address(0), 1, 1)])
    with pytest.raises(UnknownState):
        market.undo_to("0x1")
    assert snapshot(market) == before
    market.undo_to(hex(9))
    assert market.pool(address(0)) == fixed(0, 9)


@settings(deadline=None)
@given(st.data())
def test_an_unknown_pool_is_left_out_until_it_is_read_anew(data: st.DataObject) -> None:
    pools = [data.draw(v2_pools(number, 10, 10**6, tokens=3)) for number in range(5)]
    market = Market([WETH])
    market.add(pools)
    broken = pools[data.draw(st.integers(0, 4))]
    unreadable = Log(broken.id, (), b"")
    after = market.after([unreadable, sync(broken.id, 5, 5)])
    assert after.pool(broken.id) is None
    assert market.pool(broken.id) == broken
    assert market.apply([unreadable, sync(broken.id, 5, 5)]) == {pool.id for pool in pools}
    assert market.pool(broken.id) is None
    assert market.unknown.keys() == {broken.id}
    assert broken.id not in market.pools()
    rows = market.arrays.open_cycles()
    used = {hop.pool for row in rows.tolist() for hop in market.graph.route(tuple(leg for leg in row if leg != NONE))}
    assert broken.id not in used
    through = [cycle for cycle in all_cycles(market) if broken.id in {hop.pool for hop in market.graph.route(cycle)}]
    assert all(market.view.legs(cycle) is None for cycle in through)
    market.add([broken])
    assert market.unknown == {}
    assert market.pool(broken.id) == broken


def test_a_removed_pool_is_gone_and_not_unknown() -> None:
    market = Market([WETH])
    market.add([fixed(0, 10**6), fixed(1, 10**6)])
    market.remove([address(1)])
    assert market.pools() == {address(0): fixed(0)}
    assert market.unknown == {}
    assert market.apply([sync(address(1), 5, 5), Log(address(7), (BURN,), b"")]) == {address(0), address(1)}
    assert market.pools() == {address(0): fixed(0)}


def test_a_market_that_is_out_of_joint_is_searched_in_part_and_in_time() -> None:
    dice = random.Random(1)
    pools = [
        V2Pool(address(number), *sorted(dice.sample(TOKENS[:4], 2)), dice.randint(1, 10**9), dice.randint(1, 10**9))
        for number in range(80)
    ]
    market = Market([WETH], 4)
    market.add(pools)
    whole = {tuple(row) for row in market.arrays.open_cycles().tolist()}
    assert len(whole) > 10_000
    with patch("bot.market.arrays.MOST_ROWS", 5_000):
        fewer = Market([WETH], 4)
        fewer.add(pools)
        part = {tuple(row) for row in fewer.arrays.open_cycles().tolist()}
    assert len(part) == 5_000 and part <= whole
