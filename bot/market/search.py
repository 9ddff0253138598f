"""From a view to trades: open cycles, sized by float, refined to exact integers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf

import numpy as np

from bot.amm.pool import Pool
from bot.engine.types import Trade
from bot.market import refine
from bot.market.arrays import Sizes
from bot.market.kernels import NONE, Floats, Ints
from bot.market.view import Legs, View

FEW = 32  # candidates of a cycle, where time counts
FLOAT_ERROR = 1e-9  # of amount and profit: more than a float profit is ever off by, where segments are the curve itself


def search(
    view: View,
    touched: Iterable[str] | None = None,
    least: Mapping[str, int] | None = None,
    *,
    beyond: bool = False,
    premium: int = 0,
    most: int | None = None,
    refined: int | None = None,
    tries: int = FEW,
) -> list[Trade]:
    """The best trade of every cycle that gains, through one of the ``touched`` pools or through any.

    ``least`` is the smallest profit worth having, in wei by the token a cycle starts in (1 where it is not named),
    after ``premium``, what a lender takes of the amount, in millionths. ``beyond`` leaves out a cycle that gains as
    much in the market without the view's changes. Best first, ties by pools; amounts are exact quotes on ``view``.

    Only the ``most`` cycles that promise most are looked into. The best ``refined`` of these (all of them) are refined
    by so many ``tries``: as few as here leave some units to rounding, ``refine.LONGEST_SEARCH`` gives the integer
    optimum. The others have the exact amounts of their float size, in a tenth of the time and less.
    """
    graph, arrays = view.graph, view.arrays
    slots = None if touched is None else [graph.slots[pool_id] for pool_id in touched if pool_id in graph.slots]
    share = premium / refine.MILLION
    with arrays.patched(view.changes):
        cycles = arrays.open_cycles(slots)
        if not len(cycles):
            return []
        sizes = arrays.sizes(cycles, view.at, share)
    floor = _floor(view, cycles, least or {})
    if beyond:
        floor = np.maximum(floor, ceiling(_in_market(view, cycles, share)))
    promising = np.flatnonzero((ceiling(sizes) >= floor) & (sizes.amounts > 0))
    if len(promising) > min(most or inf, refined or inf):
        promising = promising[np.argsort(-sizes.profits[promising], kind="stable")][:most]
    found = []
    rows = promising.tolist()
    chains = legs_of(view, cycles[promising])
    for place, (row, legs) in enumerate(zip(rows, chains, strict=True)):
        if refined is None or place < refined:
            amounts = refine.refine(legs, sizes.amounts[row], sizes.spreads[row], premium, tries)
        else:
            amounts = refine.round_down(legs, sizes.amounts[row], premium)
        if amounts is not None and refine.gain(amounts, premium) >= floor[row]:
            found.append(Trade(graph.route(tuple(leg for leg in cycles[row].tolist() if leg != NONE)), amounts))
    return sorted(found, key=lambda trade: (-profit(trade, premium), tuple(hop.pool for hop in trade.route)))


def legs_of(view: View, cycles: Ints) -> list[Legs]:
    """The pools of each cycle, all of them known."""
    known: dict[int, tuple[Pool, int, int]] = {}
    graph = view.graph
    for leg in np.unique(cycles).tolist():
        pool = None if leg == NONE else view.at(graph.leg_slot[leg])
        if pool is not None:
            known[leg] = (pool, *graph.ends[leg])
    return [[known[leg] for leg in cycle if leg != NONE] for cycle in cycles.tolist()]


def profit(trade: Trade, premium: int = 0) -> int:
    """Wei of the trade's token that are left when a lender has taken ``premium`` millionths of the amount."""
    return refine.gain(trade.amounts, premium)


def ceiling(sizes: Sizes) -> Floats:
    """Exact amounts gain no more: they only round down from the real optimum, which the float is this close to. So a
    float may turn a cycle away; it never passes one."""
    return sizes.profits + FLOAT_ERROR * (sizes.amounts + sizes.profits)


def _floor(view: View, cycles: Ints, least: Mapping[str, int]) -> Floats:
    """By cycle what its token has to gain at least."""
    return np.array([least.get(view.graph.hops[leg].token_in, 1) for leg in cycles[:, 0].tolist()], np.float64)


def _in_market(view: View, cycles: Ints, share: float) -> Sizes:
    """The same cycles without the view's changes."""
    return view.arrays.sizes(cycles, view.market.at, share)
