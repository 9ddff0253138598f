"""From a view to trades: open cycles, sized by float, refined to exact integers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from bot.engine.types import Trade
from bot.market import refine
from bot.market.arrays import Sizes
from bot.market.graph import Cycle
from bot.market.kernels import NONE, Floats, Ints
from bot.market.view import View

FLOAT_ERROR = 1e-9  # of amount and profit: more than a float profit is ever off by, where segments are the curve itself


def search(
    view: View,
    touched: Iterable[str] | None = None,
    least: Mapping[str, int] | None = None,
    *,
    beyond: bool = False,
    premium: int = 0,
    most: int | None = None,
) -> list[Trade]:
    """The best trade of every cycle that gains, through one of the ``touched`` pools or through any.

    ``least`` is the smallest profit worth having, in wei by the token a cycle starts in (1 where it is not named),
    after ``premium``, what a lender takes of the amount, in millionths. ``beyond`` leaves out a cycle that gains as
    much in the market without the view's changes. Only the ``most`` cycles that promise most are looked into. Best
    first, ties by pools; amounts are exact quotes on ``view``.
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
    found = []
    promising = np.flatnonzero((ceiling(sizes) >= floor) & (sizes.amounts > 0))
    if most is not None and len(promising) > most:
        promising = promising[np.argsort(-sizes.profits[promising], kind="stable")[:most]]
    for row in promising:
        cycle: Cycle = tuple(leg for leg in cycles[row].tolist() if leg != NONE)
        trade = _refined(view, cycle, sizes, int(row), premium)
        if trade is not None and profit(trade, premium) >= floor[row]:
            found.append(trade)
    return sorted(found, key=lambda trade: (-profit(trade, premium), tuple(hop.pool for hop in trade.route)))


def profit(trade: Trade, premium: int = 0) -> int:
    """Wei of the trade's token that are left when a lender has taken ``premium`` millionths of the amount."""
    return trade.gross_profit - refine.fee(trade.amounts[0], premium)


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


def _refined(view: View, cycle: Cycle, sizes: Sizes, row: int, premium: int) -> Trade | None:
    legs = view.legs(cycle)
    amounts = None if legs is None else refine.refine(legs, sizes.amounts[row], sizes.spreads[row], premium)
    return None if amounts is None else Trade(view.graph.route(cycle), amounts)
