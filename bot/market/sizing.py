"""The kernel that sizes cycles, over flat arrays (bot.market.arrays says what is in them)."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np

from bot.market.kernels import MAX_HOPS, NONE, Flags, Floats, Ints, kernel


@kernel
def size(
    cycles: Ints,
    premium: float,
    seg_start: Ints,
    seg_count: Ints,
    seg_more: Flags,
    seg_x: Floats,
    seg_y: Floats,
    seg_keep: Floats,
    seg_capacity: Floats,
    amounts: Floats,
    profits: Floats,
    spreads: Floats,
    short: Flags,
) -> None:
    """The float optimum of each cycle: ``amounts`` in (0 where nothing gains), ``profits``, and ``spreads``: how far
    around the amount rounding can hide the true optimum. ``short`` where a leg's known segments ran out although it has
    more. ``premium`` is the share of the amount that a lender takes.

    On one stretch a hop yields ``y k t / (x + k t)`` for an input t, and so does a chain of hops: with ``rate`` and
    ``bend`` starting at 1 and 0, ``t -> rate t / (1 + bend t)`` followed by a hop is the same form with
    ``bend + rate k / x`` and ``rate y k / x``. Its gain is greatest where the slope ``rate / (1 + bend t)^2`` is what a
    unit costs, ``1 + premium``.
    """
    cost = 1.0 + premium
    x, y = np.empty(MAX_HOPS), np.empty(MAX_HOPS)
    keep, capacity = np.empty(MAX_HOPS), np.empty(MAX_HOPS)
    at = np.empty(MAX_HOPS, np.int32)
    for row in range(len(cycles)):
        cycle = cycles[row]
        amounts[row] = profits[row] = spreads[row] = 0.0
        short[row] = False
        hops = MAX_HOPS
        while cycle[hops - 1] == NONE:
            hops -= 1
        empty = False
        for hop in range(hops):
            leg = cycle[hop]
            if seg_count[leg] <= 0:
                empty = True
                break
            at[hop] = seg_start[leg]
            x[hop], y[hop] = seg_x[at[hop]], seg_y[at[hop]]
            keep[hop], capacity[hop] = seg_keep[at[hop]], seg_capacity[at[hop]]
        if empty:
            continue
        spent = gained = 0.0
        while True:
            rate, bend, end, ending = 1.0, 0.0, inf, 0
            for hop in range(hops):
                if capacity[hop] < inf:
                    room = rate - bend * capacity[hop]
                    if room > 0 and capacity[hop] < end * room:
                        end, ending = capacity[hop] / room, hop
                bend += rate * keep[hop] / x[hop]
                rate *= y[hop] * keep[hop] / x[hop]
            if rate <= cost:
                break
            top = (sqrt(rate / cost) - 1) / bend
            amount = min(top, end)
            passed = amount
            for hop in range(hops):
                traded = passed * keep[hop]
                out = y[hop] * traded / (x[hop] + traded)
                y[hop] *= x[hop] / (x[hop] + traded)  # not by ``- out``: of a pool all but drained that leaves nothing
                x[hop] += traded
                capacity[hop] = max(0.0, capacity[hop] - passed)
                passed = out
            spent += amount
            gained += passed
            if top <= end:
                break
            leg = cycle[ending]
            at[ending] += 1
            if at[ending] == seg_start[leg] + seg_count[leg]:
                short[row] = seg_more[leg]
                break
            x[ending], y[ending] = seg_x[at[ending]], seg_y[at[ending]]
            keep[ending], capacity[ending] = seg_keep[at[ending]], seg_capacity[at[ending]]
        if spent <= 0.0:
            continue
        amounts[row], profits[row] = spent, gained - spent * cost
        # Every hop rounds by a unit or two of its output; where the gain is flatter than that, the optimum is anywhere.
        # The second derivative of the gain is ``-2 rate bend``, and at its top the rate is ``cost``.
        noise, rate, bend = 1.0, 1.0, 0.0
        for hop in range(hops):
            bend += rate * keep[hop] / x[hop]
            rate *= y[hop] * keep[hop] / x[hop]
            noise += 1 / rate
        spreads[row] = sqrt(2 * noise / bend)
