"""The numeric kernels of search and sizing, over flat arrays (bot.market.arrays says what is in them).

They only find: rates are floats, and exact quotes decide. The filter works on the collapsed graph: of all pools that
join two tokens, a *pair* (a direction between two tokens) keeps the best rate. A cycle of pairs whose best rates do not
multiply to more than one holds no cycle of pools that gains; the others are spread out to their pools.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, sqrt
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MAX_HOPS = 4
NONE = -1

_Function = TypeVar("_Function", bound=Callable[..., Any])


def kernel(function: _Function) -> _Function:
    """Compiled at first use and kept on disk for the next time."""
    return cast(_Function, numba.njit(cache=True, error_model="numpy")(function))


# --- the collapsed graph ----------------------------------------------------------------------------------------------


@kernel
def collapse(pairs: Ints, pair_start: Ints, pair_legs: Ints, rates: Floats, best: Floats) -> None:
    """The best rate of each of the pairs."""
    for pair in pairs:
        top = -inf
        for place in range(pair_start[pair], pair_start[pair + 1]):
            top = max(top, rates[pair_legs[place]])
        best[pair] = top


@kernel
def scan(
    base: int,
    max_hops: int,
    out_start: Ints,
    pair_out: Ints,
    to_base: Ints,
    rank: Ints,
    best: Floats,
    found: Ints,
) -> int:
    """Cycles of pairs from a base token with a product of best rates above one: rows of pairs into ``found``, as many
    as fit; returns how many there are. A token that is a better base is left out: its own scan finds those cycles.

    ``reach`` bounds what the last two hops can bring, so that most first two hops are dismissed at once."""
    tokens = len(rank)
    closing = np.full(tokens, -inf)
    for token in range(tokens):
        if to_base[token] != NONE and rank[token] > rank[base]:
            closing[token] = best[to_base[token]]
    reach = np.full(tokens, -inf)
    if max_hops > 3:
        for token in range(tokens):
            for pair in range(out_start[token], out_start[token + 1]):
                reach[token] = max(reach[token], best[pair] + closing[pair_out[pair]])
    count = 0
    for first in range(out_start[base], out_start[base + 1]):
        a = pair_out[first]
        if rank[a] <= rank[base]:
            continue
        if best[first] + closing[a] > 0:
            count = _emit(found, count, first, to_base[a], NONE, NONE)
        for second in range(out_start[a], out_start[a + 1]):
            b = pair_out[second]
            if rank[b] <= rank[base]:
                continue
            two = best[first] + best[second]
            if max_hops > 2 and two + closing[b] > 0:
                count = _emit(found, count, first, second, to_base[b], NONE)
            if two + reach[b] > 0:
                for third in range(out_start[b], out_start[b + 1]):
                    c = pair_out[third]
                    if c != a and two + best[third] + closing[c] > 0:
                        count = _emit(found, count, first, second, third, to_base[c])
    return count


@kernel
def scan_through(
    pair: int,
    base: int,
    max_hops: int,
    out_start: Ints,
    pair_in: Ints,
    pair_out: Ints,
    back: Ints,
    from_base: Ints,
    to_base: Ints,
    rank: Ints,
    best: Floats,
    found: Ints,
) -> int:
    """As ``scan``, but of cycles with this one pair in them."""
    u, v = pair_in[pair], pair_out[pair]
    rate, above = best[pair], rank[base]
    if rate == -inf:
        return 0
    count = 0
    if u == base:
        if rank[v] <= above:
            return 0
        close = to_base[v]
        if close != NONE and rate + best[close] > 0:
            count = _emit(found, count, pair, close, NONE, NONE)
        for second in range(out_start[v], out_start[v + 1]):
            b = pair_out[second]
            if rank[b] <= above:
                continue
            two, close = rate + best[second], to_base[b]
            if max_hops > 2 and close != NONE and two + best[close] > 0:
                count = _emit(found, count, pair, second, close, NONE)
            if max_hops > 3:
                for third in range(out_start[b], out_start[b + 1]):
                    close = to_base[pair_out[third]]
                    if close != NONE and two + best[third] + best[close] > 0:
                        c = pair_out[third]
                        if c != v and rank[c] > above:
                            count = _emit(found, count, pair, second, third, close)
    elif v == base:
        if rank[u] <= above:
            return 0
        start = from_base[u]
        if start != NONE and best[start] + rate > 0:
            count = _emit(found, count, start, pair, NONE, NONE)
        for out in range(out_start[u], out_start[u + 1]):
            b = pair_out[out]
            if rank[b] <= above:
                continue
            second = back[out]
            two, start = best[second] + rate, from_base[b]
            if max_hops > 2 and start != NONE and best[start] + two > 0:
                count = _emit(found, count, start, second, pair, NONE)
            if max_hops > 3:
                for out2 in range(out_start[b], out_start[b + 1]):
                    a = pair_out[out2]
                    start = from_base[a]
                    if start != NONE and best[start] + best[back[out2]] + two > 0 and a != u and rank[a] > above:
                        count = _emit(found, count, start, back[out2], second, pair)
    elif rank[u] > above and rank[v] > above:
        start, close = from_base[u], to_base[v]
        if max_hops > 2 and start != NONE and close != NONE and best[start] + rate + best[close] > 0:
            count = _emit(found, count, start, pair, close, NONE)
        if max_hops > 3 and start != NONE:
            two = best[start] + rate
            for third in range(out_start[v], out_start[v + 1]):
                c = pair_out[third]
                close = to_base[c]
                if close != NONE and two + best[third] + best[close] > 0 and c != u and rank[c] > above:
                    count = _emit(found, count, start, pair, third, close)
        if max_hops > 3 and close != NONE:
            two = rate + best[close]
            for out in range(out_start[u], out_start[u + 1]):
                a = pair_out[out]
                start = from_base[a]
                if start != NONE and best[start] + best[back[out]] + two > 0 and a != v and rank[a] > above:
                    count = _emit(found, count, start, back[out], pair, close)
    return count


@kernel
def _emit(found: Ints, count: int, first: int, second: int, third: int, fourth: int) -> int:
    if count < len(found):
        found[count, 0] = first
        found[count, 1] = second
        found[count, 2] = third
        found[count, 3] = fourth
    return count + 1


@kernel
def spread_out(
    rows: Ints,
    pair_start: Ints,
    pair_legs: Ints,
    leg_slot: Ints,
    rates: Floats,
    best: Floats,
    wanted: Flags,
    all_wanted: bool,
    found: Ints,
) -> int:
    """From cycles of pairs to cycles of legs whose rates multiply to more than one, no pool twice, with a ``wanted``
    pool (a flag by slot) in each unless all are: rows of legs into ``found``, as many as fit; returns how many there
    are."""
    count = 0
    place = np.zeros(MAX_HOPS, np.int32)
    total = np.zeros(MAX_HOPS + 1)
    for row in rows:
        hops = MAX_HOPS
        while row[hops - 1] == NONE:
            hops -= 1
        depth = 0
        place[0] = pair_start[row[0]]
        while depth >= 0:
            if place[depth] == pair_start[row[depth] + 1]:
                depth -= 1
                if depth >= 0:
                    place[depth] += 1
                continue
            leg = pair_legs[place[depth]]
            total[depth + 1] = total[depth] + rates[leg]
            bound = total[depth + 1]
            for later in range(depth + 1, hops):
                bound += best[row[later]]
            fits = bound > 0
            for earlier in range(depth):
                if leg_slot[pair_legs[place[earlier]]] == leg_slot[leg]:
                    fits = False
            if fits and depth + 1 < hops:
                depth += 1
                place[depth] = pair_start[row[depth]]
                continue
            if fits:
                any_wanted = all_wanted
                for hop in range(hops):
                    if wanted[leg_slot[pair_legs[place[hop]]]]:
                        any_wanted = True
                if any_wanted:
                    if count < len(found):
                        for hop in range(hops):
                            found[count, hop] = pair_legs[place[hop]]
                        for hop in range(hops, MAX_HOPS):
                            found[count, hop] = NONE
                    count += 1
            place[depth] += 1
    return count


# --- sizing -----------------------------------------------------------------------------------------------------------


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
