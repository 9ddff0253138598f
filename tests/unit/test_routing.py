"""The best set of trades over a whole market: its float solution proves itself, and its programs are executed swap by
swap on the pools."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import TOKENS, address, all_routes, amounts, markets

from bot.amm.pool import NoLiquidity, Pool, Segment
from bot.amm.v2 import V2Pool
from bot.cli.benches.markets import market as power_law
from bot.cli.benches.markets import v2_pools
from bot.market.routing import dual, presolve, programs
from bot.market.routing.programs import Candidate, Market, Program, Swap
from bot.market.routing.solver import Flow, Legs, Solver

NUMBERS = {token: number for number, token in enumerate(TOKENS)}
DEEP = markets(10**18, 10**22)


def market_of(pools: Iterable[Pool], cost: float = 0.0, numbers: dict[str, int] | None = None) -> Market:
    by_number = dict(enumerate(pools))
    legs = Legs.of(by_number, numbers or NUMBERS)
    return Market(legs, by_number, np.full(len(legs), cost))


def numbered(pools: Iterable[Pool]) -> dict[str, int]:
    names = {token for pool in pools for token in pool.tokens}
    return {name: number for number, name in enumerate(sorted(names, key=lambda name: int(name, 16)))}


# --- the float solution -----------------------------------------------------------------------------------------------


def yields(legs: Legs, leg: int, amount: float) -> float:
    """What comes out of a leg, walked segment by segment."""
    out = 0.0
    for at in range(legs.seg_start[leg], legs.seg_start[leg] + legs.seg_count[leg]):
        part = min(amount, legs.capacity[at])
        out += legs.y[at] * part * legs.keep[at] / (legs.x[at] + part * legs.keep[at])
        amount -= part
    return float(out)


def worth(legs: Legs, flow: Flow, priced: dict[int, float], stock: dict[int, float]) -> float:
    """Of the solution's trades, walked anew: the value left over in priced tokens, less what others are short of."""
    net = np.zeros(max(len(flow.prices), legs.tokens))
    for token, amount in stock.items():
        net[token] += amount
    for leg in np.flatnonzero(flow.amount_in):
        net[legs.token_in[leg]] -= flow.amount_in[leg]
        net[legs.token_out[leg]] += yields(legs, int(leg), float(flow.amount_in[leg]))
    gained = sum(price * max(0.0, net[token]) for token, price in priced.items())
    return float(gained + (np.minimum(net, 0.0) * flow.prices).sum())


def assert_optimal(legs: Legs, flow: Flow, priced: dict[int, float], stock: dict[int, float]) -> None:
    """No set of trades is worth more than the dual value (weak duality), and these are worth as much."""
    assert all(flow.prices[token] >= price * (1 - 1e-12) for token, price in priced.items())
    for leg in range(len(legs)):
        into, out = flow.prices[legs.token_in[leg]], flow.prices[legs.token_out[leg]]
        if into and out:  # nothing moves the leg: a little more or less gains no more
            at = float(flow.amount_in[leg])
            best = out * yields(legs, leg, at) - into * at
            for other in (at * 1.001, at * 0.999, float(legs.x[legs.seg_start[leg]]) * 1e-5):
                assert (
                    out * yields(legs, leg, other) - into * other
                    <= best + 1e-7 * (into * (other + at) + 1) + 1e-9 * flow.value
                )
    assert worth(legs, flow, priced, stock) >= flow.value - 1e-7 * flow.value - 1e-9 * scale_of(legs, flow)


def scale_of(legs: Legs, flow: Flow) -> float:
    """The value of a share of the reserves: below a billionth of it floats do not tell amounts apart."""
    return float((legs.x[legs.seg_start] * flow.prices[legs.token_in] if len(legs) else np.zeros(1)).max()) * 1e-3


@pytest.mark.parametrize("seed", range(6))
def test_the_solution_proves_itself_on_power_law_markets(seed: int) -> None:
    legs = power_law(400, seed)
    priced = {0: 1.0}
    flow = Solver(legs, priced).solve()
    assert flow.unbalanced <= 1e-9 * flow.value
    assert_optimal(legs, flow, priced, {})
    hubs = {hub: float(flow.prices[hub]) * (1.001 if hub == 1 else 1.0) for hub in range(4)}
    several = Solver(legs, hubs).solve()
    assert_optimal(legs, several, hubs, {})
    assert several.value >= flow.value * (1 - 1e-9)


def test_fewer_legs_from_the_last_prices_give_what_they_give_from_nothing() -> None:
    legs = power_law(400, 9)
    solver = Solver(legs, {0: 1.0})
    full = solver.solve()
    on = np.ones(len(legs), dtype=np.bool_)
    on[np.argsort(-full.gain)[:40]] = False
    again = solver.solve(on)
    assert again.value < full.value
    assert again.value == pytest.approx(Solver(legs, {0: 1.0}).solve(on).value, rel=1e-9)
    assert not again.amount_in[~on].any()


@given(DEEP, st.integers(0, 3))
@settings(max_examples=120, deadline=None)
def test_the_solution_proves_itself_on_odd_markets(pools: list[Pool], base: int) -> None:
    legs = market_of(pools).legs
    assert_optimal(legs, flow := Solver(legs, {base: 1.0}).solve(), {base: 1.0}, {})
    assert flow.steps < 200


def test_the_factor_solves_what_numpy_solves() -> None:
    rng = np.random.default_rng(5)
    for size in (2, 9, 60, 130):
        a, b = rng.integers(0, size, (2, 3 * size))
        a, b = a[a != b], b[a != b]
        weight = rng.exponential(1.0, len(a))
        position, begin, rows = presolve.eliminate(size, a, b)
        assert sorted(position) == list(range(size))
        a, b = position[a], position[b]
        dense = np.diag(rng.exponential(0.1, size))
        np.add.at(dense, (a, a), weight)
        np.add.at(dense, (b, b), weight)
        np.add.at(dense, (a, b), -weight)
        np.add.at(dense, (b, a), -weight)
        columns = np.repeat(np.arange(size), np.diff(begin))
        assert all(rows > columns)
        lower, diagonal = dense[rows, columns].copy(), np.diag(dense).copy()
        assert np.count_nonzero(np.tril(dense, -1)) == np.count_nonzero(lower)
        right = rng.normal(size=size)
        found = right.copy()
        whole = [np.zeros(size, dtype=np.int64) for _ in range(3)]
        dual._factor(begin, rows, diagonal, lower, np.zeros(size), *whole)
        dual._solve(begin, rows, diagonal, lower, found)
        np.testing.assert_allclose(found, np.linalg.solve(dense, right), rtol=1e-8, atol=1e-10)


# --- programs ---------------------------------------------------------------------------------------------------------


def execute(market: Market, swaps: Iterable[Swap], held: dict[int, int]) -> dict[int, int]:
    """Balances after the swaps, each quoted anew; none may go below nothing, no pool be used twice."""
    held, used = dict(held), set()
    for swap in swaps:
        a, b = int(market.legs.token_in[swap.leg]), int(market.legs.token_out[swap.leg])
        number = int(market.legs.pool[swap.leg])
        assert number not in used
        used.add(number)
        pool = market.pools[number]
        i, j = int(market.legs.i[swap.leg]), int(market.legs.j[swap.leg])
        assert swap.amount_in > 0 and pool.quote_in(i, j, swap.amount_in) == swap.amount_out
        held[a] = held.get(a, 0) - swap.amount_in
        assert held[a] >= 0
        held[b] = held.get(b, 0) + swap.amount_out
    return held


def check(market: Market, found: Iterable[Program], priced: Iterable[int]) -> None:
    """Each program leaves its loans and its profit, and nothing else; no two share a pool."""
    used: set[int] = set()
    for program in found:
        after = execute(market, program.swaps, dict(program.loans))
        assert {token: left - program.loans.get(token, 0) for token, left in after.items() if token in set(priced)} == {
            **dict.fromkeys(after.keys() & set(priced), 0),
            **program.profit,
        }
        assert all(left == 0 for token, left in after.items() if token not in set(priced))
        assert all(gain >= 0 for gain in program.profit.values())
        own = {int(market.legs.pool[swap.leg]) for swap in program.swaps}
        assert used.isdisjoint(own)
        used |= own


def candidates(market: Market, base: int) -> list[Candidate]:
    """Every cycle of up to three pools, at the best of some sizes."""
    pools = list(market.pools.values())
    number = {pool.id: at for at, pool in market.pools.items()}
    legs = market.legs
    leg_of = {(int(legs.pool[leg]), int(legs.token_in[leg])): leg for leg in range(len(legs))}
    found = []
    for route in all_routes(pools, TOKENS[base], 3):
        chains = [amounts(pools, route, 10**exponent * part) for exponent in range(12, 22) for part in (1, 3)]
        best = max((chain for chain in chains if chain), key=lambda chain: chain[-1] - chain[0], default=None)
        if best and best[-1] > best[0]:
            found.append(Candidate(tuple(leg_of[number[hop.pool], NUMBERS[hop.token_in]] for hop in route), best))
    return found


def greedy(market: Market, cycles: Iterable[Candidate]) -> int:
    """What cycles gain that share no pool, the best first."""
    used: set[int] = set()
    total = 0
    for cycle in sorted(cycles, key=lambda cycle: cycle.amounts[0] - cycle.amounts[-1]):
        own = {int(market.legs.pool[leg]) for leg in cycle.legs}
        if used.isdisjoint(own):
            used |= own
            total += cycle.amounts[-1] - cycle.amounts[0]
    return total


@given(DEEP)
@settings(max_examples=120, deadline=None)
def test_programs_are_exact_and_no_worse_than_cycles(pools: list[Pool]) -> None:
    market = market_of(pools)
    cycles = candidates(market, 0)
    found = programs.arbitrage(market, {0: 1.0}, candidates=cycles)
    check(market, found.programs, (0,))
    assert found.net == sum(program.profit[0] for program in found.programs)
    assert found.net >= greedy(market, cycles)
    assert greedy(market, cycles) <= found.bound * (1 + 1e-9) + 10
    assert found.net <= found.bound * (1 + 1e-9) + 10


@given(DEEP, st.tuples(st.floats(0.5, 2.0), st.floats(0.5, 2.0)))
@settings(max_examples=80, deadline=None)
def test_several_tokens_to_borrow(pools: list[Pool], price: tuple[float, float]) -> None:
    market = market_of(pools)
    priced = {0: 1.0, 1: price[0], 2: price[1]}
    found = programs.arbitrage(market, priced)
    check(market, found.programs, priced)
    total = sum(Fraction(priced[token]) * gain for each in found.programs for token, gain in each.profit.items())
    assert found.net == total <= found.bound * (1 + 1e-9) + 10


@pytest.mark.parametrize("seed", range(4))
def test_the_joint_solution_beats_cycles_taken_one_by_one(seed: int) -> None:
    pools = v2_pools(120, seed, 0.01)
    market = market_of(pools, numbers=numbered(pools))
    solver = Solver(market.legs, {0: 1.0})
    one = programs.arbitrage(market, {0: 1.0})
    check(market, one.programs, (0,))
    assert one.joint and 0.5 * one.bound < one.net <= one.bound
    hubs = {hub: float(solver.solve().prices[hub]) for hub in range(4)}
    several = programs.arbitrage(market, hubs)
    check(market, several.programs, hubs)
    assert several.joint and several.net > 0.8 * several.bound


@pytest.mark.parametrize("cost", [1e11, 1e13, 1e14, 1e16])
def test_gas_is_paid_by_every_program(cost: float) -> None:
    pools = v2_pools(150, 3, 0.01)
    market = market_of(pools, cost, numbered(pools))
    found = programs.arbitrage(market, {0: 1.0}, fixed=cost)
    check(market, found.programs, (0,))
    for program in found.programs:
        assert program.cost == pytest.approx(cost * (1 + len(program.swaps)))
        assert program.profit[0] > program.cost
    free = programs.arbitrage(market_of(pools, numbers=numbered(pools)), {0: 1.0})
    assert found.net <= free.bound
    all_at_once = free.net - Fraction(cost) * sum(1 + len(program.swaps) for program in free.programs)
    assert found.net >= max(0, all_at_once)
    assert bool(found.programs) == (cost < 1e15)


@pytest.mark.parametrize("most", [3, 12, 40])
def test_no_program_has_more_swaps_than_it_may(most: int) -> None:
    pools = v2_pools(300, 4, 0.01)
    market = market_of(pools, numbers=numbered(pools))
    found = programs.arbitrage(market, {0: 1.0}, most_swaps=most)
    check(market, found.programs, (0,))
    assert found.programs and all(len(program.swaps) <= most for program in found.programs)
    split = programs.sell(market, 4, 0, 10**24, most_swaps=most)
    assert 1 <= len(split.swaps) <= most
    assert split.amount_out <= programs.sell(market, 4, 0, 10**24).amount_out


def test_prices_that_agree_leave_nothing_to_gain() -> None:
    value = [10**20, 3 * 10**20, 7 * 10**21, 4 * 10**19]
    ends = [(a, b) for a in range(4) for b in range(a + 1, 4)]
    pools = [V2Pool(address(n), TOKENS[a], TOKENS[b], value[a], value[b]) for n, (a, b) in enumerate(ends * 2)]
    found = programs.arbitrage(market_of(pools), {0: 1.0, 1: 1 / 3})
    assert found.programs == () and found.net == 0 and found.bound < 1e3


def test_an_empty_market_gains_nothing() -> None:
    assert programs.arbitrage(market_of([]), {0: 1.0}).programs == ()
    with pytest.raises(NoLiquidity):
        programs.sell(market_of([]), 0, 1, 10**18)


@dataclass(frozen=True)
class Basket:
    """A pool of three tokens, any two of which trade as in a constant-product pair."""

    id: str
    tokens: tuple[str, ...]
    reserves: tuple[int, ...]
    kind: str = "basket"

    def segments(self, i: int, j: int) -> Any:
        yield Segment(float(self.reserves[i]), float(self.reserves[j]), 0.999, float("inf"))

    def quote_in(self, i: int, j: int, amount: int) -> int:
        return amount * 999 * self.reserves[j] // (self.reserves[i] * 1000 + amount * 999)


def test_at_most_one_leg_of_a_pool_is_used() -> None:
    basket: Any = Basket(address(50), TOKENS[:3], (10**21, 10**21, 10**21))
    dear = [V2Pool(address(n), TOKENS[0], TOKENS[n], 10**21 * 11 // 10, 10**21) for n in (1, 2)]
    market = market_of([basket, *dear])
    flow = Solver(market.legs, {0: 1.0}).solve()
    assert np.count_nonzero(flow.amount_in[market.legs.pool == 0]) > 1
    found = programs.arbitrage(market, {0: 1.0})
    check(market, found.programs, (0,))
    assert found.programs and found.net > 10**18


def test_a_wrong_candidate_is_not_taken() -> None:
    pools: list[Pool] = [V2Pool(address(n), TOKENS[0], TOKENS[1], 10**21, 10**21 + n * 10**18) for n in range(2)]
    market = market_of(pools)
    lie = Candidate((0, 1), (10**18, 2 * 10**18, 3 * 10**18))
    assert programs.arbitrage(market, {0: 1.0}, candidates=[lie]).programs == ()


# --- sales ------------------------------------------------------------------------------------------------------------


@given(DEEP, st.integers(10**12, 10**21), st.permutations(range(4)))
@settings(max_examples=120, deadline=None)
def test_a_sale_is_exact_and_no_worse_than_one_path(pools: list[Pool], amount: int, ends: list[int]) -> None:
    market = market_of(pools)
    start, end = ends[:2]
    reached: dict[int, tuple[int, int]] = {}  # the most of each token through one pool, and the pool
    for leg in legs_from(market, start):
        way = quoted(market, leg, amount), int(market.legs.pool[leg])
        to = int(market.legs.token_out[leg])
        reached[to] = max(reached.get(to, (0, 0)), way, key=lambda each: each[0])
    best, _ = reached.pop(end, (0, 0))
    for token, (held, pool) in reached.items():
        for leg in legs_from(market, token) if held else ():
            if market.legs.token_out[leg] == end and market.legs.pool[leg] != pool:
                best = max(best, quoted(market, leg, held))
    try:
        sale = programs.sell(market, start, end, amount)
    except NoLiquidity:
        assert not best
        return
    after = execute(market, sale.swaps, {start: amount})
    assert {token: left for token, left in after.items() if left} == {end: sale.amount_out}
    assert sale.amount_in == amount and sale.amount_out >= best


def legs_from(market: Market, token: int) -> list[int]:
    return [int(leg) for leg in np.flatnonzero(market.legs.token_in == token)]


def quoted(market: Market, leg: int, amount: int) -> int:
    try:
        return market.quote(leg, amount)
    except NoLiquidity:
        return 0


def test_a_large_sale_is_split_to_the_last_unit() -> None:
    dice = random.Random(1)
    pools = [V2Pool(address(n), TOKENS[0], TOKENS[1], *[10**20 * dice.randint(5, 15)] * 2) for n in range(6)]
    market = market_of(pools)
    amount = 10**21 + 7
    sale = programs.sell(market, 0, 1, amount)
    assert len(sale.swaps) == 6
    assert execute(market, sale.swaps, {0: amount}) == {0: 0, 1: sale.amount_out}
    total = sum(pool.reserve0 for pool in pools)  # equal pools act as one
    assert sale.amount_out == pytest.approx(V2Pool("", "", "", total, total).quote_in(0, 1, amount), rel=1e-9)


def test_gas_keeps_a_small_sale_together() -> None:
    pools = [V2Pool(address(n), TOKENS[0], TOKENS[1], 10**21, 10**21) for n in range(6)]
    assert len(programs.sell(market_of(pools, 1e15), 0, 1, 10**17).swaps) == 1
    assert len(programs.sell(market_of(pools, 1e10), 0, 1, 10**20).swaps) == 6
