"""The numeric kernels of search, over flat arrays (bot.market.arrays says what is in them).

They only find: rates are floats, and exact quotes decide. The filter works on the collapsed graph: of all pools that
join two tokens, a *pair* (a direction between two tokens) keeps the best rate. A cycle of pairs whose best rates do not
multiply to more than one holds no cycle of pools that gains; the others are spread out to their pools.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MAX_HOPS = 4
NONE = -1
OPENING, CLOSING, AHEAD, REACH = range(4)
ROWS = 4
LEAST = 1e-12  # of the sum of logarithms: less is rounding, and a gain of less than a wei

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
def bound(
    base: int, out_start: Ints, pair_out: Ints, back: Ints, to_base: Ints, rank: Ints, best: Floats, bounds: Floats
) -> None:
    """What a base's cycles can begin and end with, by token: rows OPENING and CLOSING of ``bounds`` are the best rates
    from the base to the token and back, AHEAD and REACH the best over two hops. Minus infinity where there is none, and
    through better bases."""
    bounds[:] = -inf
    opening, closing, ahead, reach = bounds
    for first in range(out_start[base], out_start[base + 1]):
        token = pair_out[first]
        if rank[token] > rank[base]:
            opening[token] = best[first]
            closing[token] = best[to_base[token]]
            for pair in range(out_start[token], out_start[token + 1]):
                other = pair_out[pair]
                ahead[other] = max(ahead[other], opening[token] + best[pair])
                reach[other] = max(reach[other], best[back[pair]] + closing[token])


@kernel
def lift(
    base: int,
    pairs: Ints,
    out_start: Ints,
    pair_in: Ints,
    pair_out: Ints,
    back: Ints,
    rank: Ints,
    best: Floats,
    bounds: Floats,
    undo: Floats,
) -> int:
    """Raises ``bounds`` to what they are at least with new best rates of ``pairs``: what fell stays too high, which a
    bound may. Writes (row, token, value before) into ``undo``, as many as fit; returns how many there are."""
    opening, closing, ahead, reach = bounds
    count = 0
    for pair in pairs:
        u, v = pair_in[pair], pair_out[pair]
        if u == base and rank[v] > rank[base]:
            count = _set(bounds, OPENING, v, best[pair], undo, count)
        elif v == base and rank[u] > rank[base]:
            count = _set(bounds, CLOSING, u, best[pair], undo, count)
    for pair in pairs:
        u, v = pair_in[pair], pair_out[pair]
        if u == base:
            for after in range(out_start[v], out_start[v + 1]):
                if opening[v] + best[after] > ahead[pair_out[after]]:
                    count = _set(bounds, AHEAD, pair_out[after], opening[v] + best[after], undo, count)
        elif v == base:
            for after in range(out_start[u], out_start[u + 1]):
                if best[back[after]] + closing[u] > reach[pair_out[after]]:
                    count = _set(bounds, REACH, pair_out[after], best[back[after]] + closing[u], undo, count)
        else:
            if opening[u] + best[pair] > ahead[v]:
                count = _set(bounds, AHEAD, v, opening[u] + best[pair], undo, count)
            if best[pair] + closing[v] > reach[u]:
                count = _set(bounds, REACH, u, best[pair] + closing[v], undo, count)
    return count


@kernel
def _set(bounds: Floats, row: int, token: int, value: float, undo: Floats, count: int) -> int:
    if count < len(undo):
        undo[count, 0], undo[count, 1], undo[count, 2] = row, token, bounds[row, token]
        bounds[row, token] = value
    return count + 1


@kernel
def restore(bounds: Floats, undo: Floats) -> None:
    """Takes back what ``lift_all`` did."""
    for entry in range(len(undo) - 1, -1, -1):
        row = int(undo[entry, 0])
        bounds[row // ROWS, row % ROWS, int(undo[entry, 1])] = undo[entry, 2]


@kernel
def scan(
    base: int,
    max_hops: int,
    out_start: Ints,
    pair_out: Ints,
    to_base: Ints,
    rank: Ints,
    best: Floats,
    bounds: Floats,
    skip: Flags,
    found: Ints,
) -> int:
    """Cycles of pairs from a base token with a product of best rates above one: rows of pairs into ``found``, as many
    as fit; returns how many there are. A token that is a better base is left out: its own scan finds those cycles. None
    with a pair of ``skip``."""
    closing, reach = bounds[CLOSING], bounds[REACH]
    count = 0
    for first in range(out_start[base], out_start[base + 1]):
        a = pair_out[first]
        if rank[a] <= rank[base]:
            continue
        if best[first] + closing[a] > LEAST:
            count = _emit(found, count, skip, first, to_base[a], NONE, NONE)
        if max_hops > 2:
            for second in range(out_start[a], out_start[a + 1]):
                b = pair_out[second]
                two = best[first] + best[second]
                if two + closing[b] > LEAST:
                    count = _emit(found, count, skip, first, second, to_base[b], NONE)
                if max_hops > 3 and two + reach[b] > 0 and rank[b] > rank[base]:
                    count = _two_home(
                        two, first, second, a, b, out_start, pair_out, to_base, best, closing, skip, found, count
                    )
    return count


@kernel
def _two_home(
    two: float,
    first: int,
    second: int,
    a: int,
    b: int,
    out_start: Ints,
    pair_out: Ints,
    to_base: Ints,
    best: Floats,
    closing: Floats,
    skip: Flags,
    found: Ints,
    count: int,
) -> int:
    """The ways home in two hops, behind a first hop to ``a`` and a second one to ``b``."""
    for third in range(out_start[b], out_start[b + 1]):
        c = pair_out[third]
        if c != a and two + best[third] + closing[c] > LEAST:
            count = _emit(found, count, skip, first, second, third, to_base[c])
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
    bounds: Floats,
    skip: Flags,
    found: Ints,
) -> int:
    """As ``scan``, but of cycles with this one pair in them."""
    opening, closing, ahead, reach = bounds
    u, v = pair_in[pair], pair_out[pair]
    rate = best[pair]
    if rate == -inf:
        return 0
    count = 0
    if u == base:
        if rank[v] <= rank[base]:
            return 0
        if rate + closing[v] > LEAST:
            count = _emit(found, count, skip, pair, to_base[v], NONE, NONE)
        if max_hops > 2:
            for second in range(out_start[v], out_start[v + 1]):
                b = pair_out[second]
                two = rate + best[second]
                if two + closing[b] > LEAST:
                    count = _emit(found, count, skip, pair, second, to_base[b], NONE)
                if max_hops > 3 and two + reach[b] > 0 and rank[b] > rank[base]:
                    count = _two_home(
                        two, pair, second, v, b, out_start, pair_out, to_base, best, closing, skip, found, count
                    )
    elif v == base:
        if rank[u] <= rank[base]:
            return 0
        if opening[u] + rate > LEAST:
            count = _emit(found, count, skip, from_base[u], pair, NONE, NONE)
        if max_hops > 2:
            for out in range(out_start[u], out_start[u + 1]):
                b, second = pair_out[out], back[out]
                two = best[second] + rate
                if rank[b] > rank[base] and opening[b] + two > LEAST:
                    count = _emit(found, count, skip, from_base[b], second, pair, NONE)
                if max_hops > 3 and rank[b] > rank[base] and ahead[b] + two > 0:
                    for out2 in range(out_start[b], out_start[b + 1]):
                        a = pair_out[out2]
                        if a != u and opening[a] + best[back[out2]] + two > LEAST:
                            count = _emit(found, count, skip, from_base[a], back[out2], second, pair)
    elif rank[u] > rank[base] and rank[v] > rank[base] and max_hops > 2:
        if opening[u] + rate + closing[v] > LEAST:
            count = _emit(found, count, skip, from_base[u], pair, to_base[v], NONE)
        if max_hops > 3 and opening[u] + rate + reach[v] > 0:
            for third in range(out_start[v], out_start[v + 1]):
                c = pair_out[third]
                if c != u and opening[u] + rate + best[third] + closing[c] > LEAST:
                    count = _emit(found, count, skip, from_base[u], pair, third, to_base[c])
        if max_hops > 3 and ahead[u] + rate + closing[v] > 0:
            for out in range(out_start[u], out_start[u + 1]):
                a = pair_out[out]
                if a != v and opening[a] + best[back[out]] + rate + closing[v] > LEAST:
                    count = _emit(found, count, skip, from_base[a], back[out], pair, to_base[v])
    return count


@kernel
def scan_all(
    max_hops: int,
    out_start: Ints,
    pair_out: Ints,
    to_base: Ints,
    rank: Ints,
    best: Floats,
    bounds: Floats,
    found: Ints,
) -> int:
    """``scan`` from every base, each behind the others."""
    skip = np.zeros(len(pair_out), np.bool_)
    count = 0
    for base in range(len(to_base)):
        rest = found[min(count, len(found)) :]
        count += scan(base, max_hops, out_start, pair_out, to_base[base], rank, best, bounds[base], skip, rest)
    return count


@kernel
def scan_all_through(
    pairs: Ints,
    max_hops: int,
    out_start: Ints,
    pair_in: Ints,
    pair_out: Ints,
    back: Ints,
    from_base: Ints,
    to_base: Ints,
    rank: Ints,
    best: Floats,
    bounds: Floats,
    found: Ints,
) -> int:
    """``scan_through`` each of the pairs from every base; a cycle with several of them once."""
    skip = np.zeros(len(pair_out), np.bool_)
    count = 0
    for pair in pairs:
        for base in range(len(to_base)):
            rest = found[min(count, len(found)) :]
            ways = (out_start, pair_in, pair_out, back, from_base[base], to_base[base], rank)
            count += scan_through(pair, base, max_hops, *ways, best, bounds[base], skip, rest)
        skip[pair] = True
    return count


@kernel
def lift_all(
    pairs: Ints,
    out_start: Ints,
    pair_in: Ints,
    pair_out: Ints,
    back: Ints,
    rank: Ints,
    best: Floats,
    bounds: Floats,
    undo: Floats,
) -> int:
    """``lift`` for every base; the rows in ``undo`` count on from base to base."""
    count = 0
    for base in range(len(bounds)):
        rest = undo[min(count, len(undo)) :]
        more = lift(base, pairs, out_start, pair_in, pair_out, back, rank, best, bounds[base], rest)
        for entry in range(min(more, len(rest))):
            rest[entry, 0] += base * ROWS
        count += more
    return count


@kernel
def _emit(found: Ints, count: int, skip: Flags, first: int, second: int, third: int, fourth: int) -> int:
    if skip[first] or skip[second] or (third != NONE and skip[third]) or (fourth != NONE and skip[fourth]):
        return count
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
            fits = bound > (LEAST if depth + 1 == hops else 0.0)
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
