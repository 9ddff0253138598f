"""What one amount of a token buys through one pool, or one chain of pools, by exact quotes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bot.amm.pool import NoLiquidity, UnknownState
from bot.engine.types import Trade
from bot.market.graph import Cycle, Graph
from bot.market.view import View


class _Label(NamedTuple):
    """The most that reaches a token: the amount at each token on the way, and the legs."""

    amounts: tuple[int, ...]
    legs: Cycle


def best_pool(view: View, token_in: str, token_out: str, amount: int) -> Trade | None:
    """Through a single pool; None where none fills it."""
    return best_path(view, token_in, token_out, amount, 1)


def best_path(view: View, token_in: str, token_out: str, amount: int, max_hops: int) -> Trade | None:
    """Through a chain of at most ``max_hops`` pools; None where none fills it.

    Hop by hop the most that reaches each token is kept, with its pools: more of a token never buys less of another. No
    token and no pool occurs twice, so where the best way to a token stands in the way of what follows, or brings more
    than the next pool can fill, a path that goes there otherwise is not found. With up to three pools of two tokens
    each, none stands in the way.
    """
    graph = view.graph
    start, goal = graph.tokens[token_in], graph.tokens[token_out]
    near = _distances(graph, goal, max_hops)
    labels = {start: _Label((amount,), ())}
    best: _Label | None = None
    for hop in range(max_hops):
        reached = _step(view, labels, start, near, max_hops - hop - 1)
        found = reached.pop(goal, None)
        if found is not None and (best is None or found.amounts[-1] > best.amounts[-1]):
            best = found
        labels = reached
    return None if best is None else Trade(graph.route(best.legs), best.amounts)


def _step(view: View, labels: dict[int, _Label], start: int, near: list[int], left: int) -> dict[int, _Label]:
    """One hop on, to tokens from which the goal is at most ``left`` hops away."""
    graph, index = view.graph, view.graph.index
    reached: dict[int, _Label] = {}
    for token, (amounts, legs) in labels.items():
        slots = {graph.leg_slot[leg] for leg in legs}
        passed = {start, *(graph.tokens[graph.hops[leg].token_out] for leg in legs)}
        for pair in range(index.out_start[token], index.out_start[token + 1]):
            to = int(index.pair_out[pair])
            if near[to] > left or to in passed:
                continue
            for leg in index.pair_legs[index.pair_start[pair] : index.pair_start[pair + 1]].tolist():
                amount = None if graph.leg_slot[leg] in slots else _quote(view, leg, amounts[-1])
                if amount and (to not in reached or amount > reached[to].amounts[-1]):
                    reached[to] = _Label((*amounts, amount), (*legs, leg))
    return reached


def _quote(view: View, leg: int, amount: int) -> int | None:
    pool = view.at(view.graph.leg_slot[leg])
    if pool is None:
        return None
    try:
        return pool.quote_in(*view.graph.ends[leg], amount)
    except (UnknownState, NoLiquidity):
        return None


def _distances(graph: Graph, goal: int, most: int) -> list[int]:
    """By token: the hops to the goal, or more than ``most``."""
    index = graph.index
    away = np.full(len(graph.tokens), most + 1)
    away[goal] = 0
    for hops in range(1, most):
        ahead = index.pair_in[away[index.pair_out] == hops - 1]
        away[ahead] = np.minimum(away[ahead], hops)
    distances: list[int] = away.tolist()
    return distances
