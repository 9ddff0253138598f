"""From a view to trades: open cycles, sized by float, refined to exact integers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.engine.types import Trade
from bot.market import sizing
from bot.market.graph import Cycle
from bot.market.sizing import Size
from bot.market.view import View

FLOAT_ERROR = 1e-9  # of amount and profit: more than a float profit is ever off by


def search(
    view: View,
    touched: Iterable[str] | None = None,
    least: Mapping[str, int] | None = None,
    before: View | None = None,
) -> list[Trade]:
    """The best trade of every cycle that gains, through one of the ``touched`` pools or through any.

    ``least`` is the smallest gross profit worth having, in wei by the token a cycle starts in (1 where it is not
    named). A cycle that gains as much ``before`` is left out. Best first, ties by pools; amounts are exact quotes on
    ``view``.
    """
    graph = view.graph
    found = []
    for cycle in view.open(graph.cycles() if touched is None else graph.through(touched)):
        trade = best_trade(view, cycle, (least or {}).get(graph.hops[cycle[0]].token_in, 1), before)
        if trade is not None:
            found.append(trade)
    return sorted(found, key=_order)


def best_trade(view: View, cycle: Cycle, least: int = 1, before: View | None = None) -> Trade | None:
    """The cycle's best trade, if it gains ``least`` wei or more, and more than ``before``, and every pool in it is
    known."""
    legs = view.legs(cycle)
    size = sizing.optimum(legs) if legs else None
    if legs is None or size is None:
        return None
    if before is not None:
        least = max(least, _most(before, cycle) + 1)
    if ceiling(size) < least:
        return None
    amounts = sizing.refine(legs, size)
    if amounts is None or amounts[-1] - amounts[0] < least:
        return None
    return Trade(view.graph.route(cycle), amounts)


def ceiling(size: Size) -> float:
    """Exact amounts gain no more: they only round down from the real optimum, which the float is this close to. So a
    float may turn a cycle away; it never passes one."""
    return size.profit + FLOAT_ERROR * (size.amount + size.profit)


def _most(view: View, cycle: Cycle) -> int:
    """Wei that the cycle gains at most; 0 where it is not open."""
    legs = view.legs(cycle) if view.open([cycle]) else None
    size = sizing.optimum(legs) if legs else None
    return int(ceiling(size)) if size else 0


def best_disjoint(trades: Iterable[Trade]) -> list[Trade]:
    """The best trade, then the best of those that share no pool with it, and so on: together they hold in one
    block."""
    used: set[str] = set()
    chosen = []
    for trade in sorted(trades, key=_order):
        pools = {hop.pool for hop in trade.route}
        if used.isdisjoint(pools):
            used |= pools
            chosen.append(trade)
    return chosen


def _order(trade: Trade) -> tuple[int, tuple[str, ...]]:
    return -trade.gross_profit, tuple(hop.pool for hop in trade.route)
