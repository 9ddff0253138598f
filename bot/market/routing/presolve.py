"""Kernels that ready a market for ``bot.market.routing.dual``: what can be left out, prices to start from, and an
order in which to eliminate tokens."""

from __future__ import annotations

from math import inf

import numpy as np

from bot.market.kernels import Floats, kernel
from bot.market.routing.dual import Bools, Ints

Heap = list[tuple[float, int, float]]
"""The deepest first: minus the value in a leg, the token that it leads to, that token's price."""


@kernel
def start_prices(
    tokens: int, bases: Ints, prices: Floats, leg_in: Ints, leg_out: Ints, on: Bools, x: Floats, rate: Floats
) -> Floats:
    """Prices over a tree of the deepest pools: from the priced ``bases`` outwards, always on through the leg with the
    most value in it, forwards or backwards. ``x`` and ``rate`` are of a leg's first segment; tokens out of reach get
    0."""
    legs = len(leg_in)
    begin = np.zeros(tokens + 1, np.int64)
    for e in range(legs):
        begin[leg_in[e] + 1] += 1
        begin[leg_out[e] + 1] += 1
    for t in range(tokens):
        begin[t + 1] += begin[t]
    at = begin[:-1].copy()
    by_token = np.empty(2 * legs, np.int64)
    for e in range(legs):
        for t in (leg_in[e], leg_out[e]):
            by_token[at[t]] = e
            at[t] += 1
    price = np.zeros(tokens)
    heap = [(0.0, 0, 0.0)]
    heap.pop()
    for at_base in range(len(bases)):
        _push(heap, (-inf, bases[at_base], prices[at_base]))
    while len(heap) > 0:
        _, token, value = _pop(heap)
        if price[token] > 0.0:
            continue
        price[token] = value
        for at_leg in range(begin[token], begin[token + 1]):
            e = by_token[at_leg]
            forwards = leg_in[e] == token
            other = leg_out[e] if forwards else leg_in[e]
            if on[e] and price[other] == 0.0 and rate[e] > 0.0:
                worth = value / rate[e] if forwards else value * rate[e]
                if 0.0 < worth < inf:
                    _push(heap, (-x[e] * (value if forwards else worth), other, worth))
    return price


@kernel
def _push(heap: Heap, entry: tuple[float, int, float]) -> None:
    heap.append(entry)
    at = len(heap) - 1
    while at > 0:
        above = (at - 1) >> 1
        if heap[above][0] <= entry[0]:
            break
        heap[at] = heap[above]
        at = above
    heap[at] = entry


@kernel
def _pop(heap: Heap) -> tuple[float, int, float]:
    top = heap[0]
    last = heap.pop()
    size = len(heap)
    if size == 0:
        return top
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1][0] < heap[child][0]:
            child += 1
        if heap[child][0] >= last[0]:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = last
    return top


@kernel
def peel(tokens: int, ends: Bools, leg_in: Ints, leg_out: Ints, pool: Ints, usable: Bools) -> Bools:
    """The usable legs that can be part of a cycle or of a path between ``ends``: tokens with one pool are taken off,
    until none is left."""
    legs = len(leg_in)
    on = usable.copy()
    seen = np.empty(tokens, np.int64)
    while True:
        count = np.zeros(tokens, np.int64)
        seen[:] = -1
        for e in range(legs):  # counts two where there are two different pools
            if on[e]:
                for t in (leg_in[e], leg_out[e]):
                    if seen[t] == -1:
                        seen[t] = pool[e]
                        count[t] = 1
                    elif seen[t] != pool[e]:
                        count[t] = 2
        changed = False
        for e in range(legs):
            if on[e] and (
                (count[leg_in[e]] < 2 and not ends[leg_in[e]]) or (count[leg_out[e]] < 2 and not ends[leg_out[e]])
            ):
                on[e] = False
                changed = True
        if not changed:
            return on


@kernel
def eliminate(tokens: int, a: Ints, b: Ints) -> tuple[Ints, Ints, Ints]:
    """Least degree first over the graph of pairs ``(a, b)``: the position of each token, and the columns of the
    Cholesky factor (``begin``, sorted ``rows``) in these positions."""
    words = (tokens + 63) >> 6
    bits = np.zeros((tokens, words), np.uint64)
    degree = np.zeros(tokens, np.int64)
    one = np.uint64(1)
    for e in range(len(a)):
        s, t = a[e], b[e]
        mask = one << np.uint64(t & 63)
        if s != t and not bits[s, t >> 6] & mask:
            bits[s, t >> 6] |= mask
            bits[t, s >> 6] |= one << np.uint64(s & 63)
            degree[s] += 1
            degree[t] += 1
    head = np.full(tokens + 1, -1, np.int64)  # doubly linked lists of the tokens of each degree
    follow = np.empty(tokens, np.int64)
    before = np.full(tokens, -1, np.int64)
    for t in range(tokens):
        follow[t] = head[degree[t]]
        if follow[t] >= 0:
            before[follow[t]] = t
        head[degree[t]] = t
    position = np.empty(tokens, np.int64)
    begin = np.zeros(tokens + 1, np.int64)
    rows = np.empty(4 * len(a) + tokens + 1, np.int64)
    near = np.empty(tokens, np.int64)
    filled = 0
    least = 0
    for step in range(tokens):
        while head[least] < 0:
            least += 1
        v = head[least]
        head[least] = follow[v]
        if follow[v] >= 0:
            before[follow[v]] = -1
        position[v] = step
        count = 0
        for w in range(words):
            word = bits[v, w]
            t = w << 6
            while word:
                if not word & np.uint64(0xFFFFFFFF):
                    word >>= np.uint64(32)
                    t += 32
                if not word & np.uint64(0xFF):
                    word >>= np.uint64(8)
                    t += 8
                    continue
                if word & one:
                    near[count] = t
                    count += 1
                word >>= one
                t += 1
        if filled + count > len(rows):
            more = np.empty(2 * (filled + count), np.int64)
            more[:filled] = rows[:filled]
            rows = more
        for at in range(count):
            s = near[at]
            rows[filled + at] = s
            bits[s, v >> 6] &= ~(one << np.uint64(v & 63))
            change = -2  # v goes, and s is none of its own
            for w in range(words):
                fresh = bits[v, w] & ~bits[s, w]
                if fresh:
                    bits[s, w] |= fresh
                    while fresh:
                        fresh &= fresh - one
                        change += 1
            bits[s, s >> 6] &= ~(one << np.uint64(s & 63))
            if before[s] >= 0:
                follow[before[s]] = follow[s]
            else:
                head[degree[s]] = follow[s]
            if follow[s] >= 0:
                before[follow[s]] = before[s]
            degree[s] += change
            before[s] = -1
            follow[s] = head[degree[s]]
            if follow[s] >= 0:
                before[follow[s]] = s
            head[degree[s]] = s
            least = min(least, degree[s])
        filled += count
        begin[step + 1] = filled
    for step in range(tokens):
        part = rows[begin[step] : begin[step + 1]]
        for at in range(len(part)):
            part[at] = position[part[at]]
        part.sort()
    return position, begin, rows[:filled].copy()
