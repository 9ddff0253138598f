"""Baskets of swaps over many pools at once, where they gain more than cycles taken one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np

from bot.engine.baskets import handled
from bot.engine.fees import next_base_fee
from bot.engine.types import Basket, Event, NewHead, Opportunity, Swap
from bot.market.graph import Graph
from bot.market.kernels import Floats
from bot.market.market import Market
from bot.market.routing.dual import Ints
from bot.market.routing.programs import Candidate, Program, arbitrage
from bot.market.routing.programs import Market as Routed
from bot.market.routing.solver import Legs, Solver
from bot.market.search import search
from bot.market.view import View
from bot.strategies.gas import GasPolicy

SEGMENTS = 64
"""Of each leg."""
OF_GAS, MOST_LEGS = 0.1, 800
"""A leg is let in where at the market's prices it gains so much of its gas; and how many at most, those that gain most.
The rounds in which legs are dropped take time by the number of legs, and end better with fewer."""
MOST_SWAPS = 24
"""Of a basket: 1.5 million gas, and seldom more tokens than a program can declare."""
MOST_TOKENS = 7  # bot.execution.codec.MAX_TOKENS: that a program can declare
CYCLES = 16
"""The best single cycles, which the joint solution has to beat."""
SEGMENT_COLUMNS = 4  # the last of a Legs' columns


class Joint:
    """At every head the best set of programs; those of them that are more than one path, as baskets. Single cycles are
    the arbitrage strategy's. The market must have followed the head already."""

    name = "joint"

    def __init__(self, market: Market, gas: GasPolicy) -> None:
        self._market, self._gas = market, gas
        self._units: Floats = np.empty(0)

    def process(self, event: Event) -> Sequence[Opportunity]:
        """Best first; no two share a pool."""
        token = self._gas.wrapped
        if not isinstance(event, NewHead) or token not in self._market.graph.tokens:
            return []
        base_fee, graph = next_base_fee(event.header), self._market.graph
        baskets = [
            basket
            for program in self.programs(self._market.view, base_fee)
            if (basket := basket_of(graph, program, token)) is not None and self._gas.pays(basket, base_fee)
        ]
        baskets.sort(key=lambda basket: -basket.gross_profit)
        return [
            Opportunity(self.name, basket, event.header.number + 1, None, event.seen_ns, self._gas.deal(basket))
            for basket in baskets
        ]

    def programs(self, view: View, base_fee: int) -> Sequence[Program]:
        """The best set at ``base_fee`` wei per gas, on legs of the market's graph; they share no pool. ``view`` must be
        the market's, without changes."""
        graph, number = view.graph, view.graph.tokens[self._gas.wrapped]
        prices = {number: 1.0}
        legs, cost = legs_of(view), self._gas_units(graph) * base_fee
        cycles = [
            (graph.cycle(trade.route), trade.amounts)
            for trade in search(view, least=self._gas.least(base_fee), most=CYCLES)
            if trade.token == self._gas.wrapped
        ]
        kept = np.union1d(_promising(legs, cost, prices), [leg for cycle, _ in cycles for leg in cycle]).astype(
            np.int64
        )
        if not len(kept):
            return ()
        pools = {slot: pool for slot in set(legs.pool[kept].tolist()) if (pool := view.at(slot)) is not None}
        place = {int(leg): number for number, leg in enumerate(kept)}
        singles = [Candidate(tuple(place[leg] for leg in cycle), amounts) for cycle, amounts in cycles]
        routed = Routed(_part(legs, kept), pools, cost[kept])
        found = arbitrage(routed, prices, float(self._gas.base * base_fee), singles, MOST_SWAPS).programs
        return [_renumbered(program, kept) for program in found]

    def _gas_units(self, graph: Graph) -> Floats:
        """Of a swap through each leg."""
        if len(self._units) != len(graph.hops):
            self._units = np.array([self._gas.swap(hop) for hop in graph.hops], dtype=np.float64)
        return self._units


def legs_of(view: View) -> Legs:
    """Every leg of the market's graph by its number, with the segments that the market keeps. ``view`` must be the
    market's, without changes."""
    graph = view.graph
    index, curves = graph.index, view.arrays.curves(view.at, SEGMENTS)
    ends = np.array(graph.ends, dtype=np.int64).reshape(-1, 2)
    return Legs(
        index.pair_in[index.leg_pair].astype(np.int64),
        index.pair_out[index.leg_pair].astype(np.int64),
        index.leg_slot.astype(np.int64),
        ends[:, 0].copy(),
        ends[:, 1].copy(),
        curves.starts.astype(np.int64),
        curves.counts.astype(np.int64),
        *(column.copy() for column in curves.segments),
    )


def _promising(legs: Legs, cost: Floats, prices: dict[int, float]) -> Ints:
    """The legs that gain something at the prices that the whole market has."""
    flow = Solver(legs, prices).solve()
    kept = np.flatnonzero((flow.amount_in > 0) & (flow.gain >= OF_GAS * cost))
    if len(kept) > MOST_LEGS:
        kept = np.sort(kept[np.argsort(-flow.gain[kept], kind="stable")[:MOST_LEGS]])
    return np.asarray(kept, dtype=np.int64)


def _part(legs: Legs, kept: Ints) -> Legs:
    columns = [getattr(legs, column.name) for column in fields(legs)]
    by_leg, segments = columns[:-SEGMENT_COLUMNS], columns[-SEGMENT_COLUMNS:]
    return Legs(*(column[kept] for column in by_leg), *segments)


def _renumbered(program: Program, kept: Ints) -> Program:
    """With legs as they are numbered in the whole market."""
    swaps = tuple(replace(swap, leg=int(kept[swap.leg])) for swap in program.swaps)
    return replace(program, swaps=swaps)


def basket_of(graph: Graph, program: Program, token: str) -> Basket | None:
    """A program of more than one path whose profit is in ``token``, on legs of the graph; None for any other, and for
    one that spends more tokens than an executor's program can declare."""
    if program.profit.keys() != {graph.tokens[token]} or _one_path(graph, program):
        return None
    swaps = tuple(Swap(graph.hops[swap.leg], swap.amount_in, swap.amount_out) for swap in program.swaps)
    (needed,), (profit,) = program.loans.values() or (0,), program.profit.values()
    basket = Basket(token, needed, profit, swaps)
    return basket if len(handled(basket)) <= MOST_TOKENS else None


def _one_path(graph: Graph, program: Program) -> bool:
    """Whether each swap takes all of what the one before it gave."""
    return all(
        (graph.hops[one.leg].token_out, one.amount_out) == (graph.hops[other.leg].token_in, other.amount_in)
        for one, other in pairwise(program.swaps)
    )
