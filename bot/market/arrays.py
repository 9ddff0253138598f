"""The market as flat arrays: what the kernels work on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from math import inf, log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bot.amm.pool import NoLiquidity, Pool, UnknownState
from bot.market import kernels, sizing
from bot.market.graph import Graph
from bot.market.kernels import MAX_HOPS, NONE, Flags, Floats, Ints

FIRST = 16  # segments of a leg that are made at first
ALL = 4096  # and when a size went beyond them
NOT_MADE = -1
ROOM = 1024  # rows that a search has room for at first
LITTER = 1 << 21  # segments kept, most of pools that have moved on since, before all are forgotten
MOST_ROWS = 1 << 20  # cycles of a search: where prices are that far apart, more would only hold up the best of them
MANY = 24  # changed pairs above which a whole scan is quicker than one through each


class Sizes(NamedTuple):
    """Float optima by cycle: the amount in (0 where nothing gains), the profit after the lender's premium, and how far
    around the amount rounding can hide the true optimum."""

    amounts: Floats
    profits: Floats
    spreads: Floats


class Curves(NamedTuple):
    """Every leg's segments: where they begin in the columns of ``segments`` (x, y, keep, capacity), and how many."""

    starts: Ints
    counts: Ints
    segments: Floats


class Arrays:
    """By leg the logarithm of its marginal rate (minus infinity where the pool is unknown or dry in that direction) and
    its segments, by pair the best rate. Segments are made when a size needs them first."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._index = graph.index
        self.rates: Floats = np.empty(0)
        self._best: Floats = np.empty(0)
        self._bounds: Floats = np.empty((0, 4, 0))  # by base: see kernels.bound
        self._undo: Floats = np.empty((ROOM, 3))
        self._start: Ints = np.empty(0, np.int32)
        self._count: Ints = np.empty(0, np.int32)
        self._more: Flags = np.empty(0, np.bool_)
        self._segments: Floats = np.empty((4, ROOM))  # x, y, keep, capacity
        self._end = 0
        self._dirty: set[int] = set()
        self._found: Ints = np.empty((ROOM, MAX_HOPS), np.int32)
        self._rows: Ints = np.empty((ROOM, MAX_HOPS), np.int32)

    # --- keeping up ---------------------------------------------------------------------------------------------------

    def put(self, slot: int, pool: Pool | None) -> None:
        """What a pool is worth from now on."""
        legs = self._graph.legs(slot)
        self._grow(legs.stop)
        for leg in legs:
            self.rates[leg] = -inf if pool is None else _log_rate(pool, *self._graph.ends[leg])
        self._count[legs.start : legs.stop] = NOT_MADE
        self._dirty.update(legs)

    @contextmanager
    def patched(self, changes: Mapping[int, Pool | None]) -> Iterator[None]:
        """While in it, with other pools in some slots."""
        if self._end > LITTER:
            self._count[:] = NOT_MADE
            self._end = 0
        if not changes:
            yield
            return
        self._settle()
        index = self._index
        legs = [leg for slot in changes for leg in self._graph.legs(slot)]
        pairs = np.array(sorted({int(index.leg_pair[leg]) for leg in legs}), np.int32)
        by_leg: tuple[NDArray[Any], ...] = self.rates, self._start, self._count, self._more
        kept = [[array[leg] for leg in legs] for array in by_leg]  # quicker than numpy's for as few as these
        best = self._best[pairs]
        undo = self._undo[:0]
        try:
            for slot, pool in changes.items():
                self.put(slot, pool)
            self._dirty.clear()
            kernels.collapse(pairs, index.pair_start, index.pair_legs, self.rates, self._best)
            undo = self._lift(pairs)
            yield
        finally:
            self._dirty.clear()
            for array, values in zip(by_leg, kept, strict=True):
                for leg, value in zip(legs, values, strict=True):
                    array[leg] = value
            self._best[pairs] = best
            kernels.restore(self._bounds, undo)

    def _lift(self, pairs: Ints) -> Floats:
        """Raises the bounds; returns what takes that back."""
        index = self._index
        ways = index.out_start, index.pair_in, index.pair_out, index.back, index.rank
        count = kernels.lift_all(pairs, *ways, self._best, self._bounds, self._undo)
        if count > len(self._undo):
            kernels.restore(self._bounds, self._undo)
            self._undo = np.empty((2 * count, 3))
            count = kernels.lift_all(pairs, *ways, self._best, self._bounds, self._undo)
        return self._undo[:count].copy()

    def _grow(self, legs: int) -> None:
        if legs <= len(self.rates):
            return
        more = max(legs, 2 * len(self.rates)) - len(self.rates)
        self.rates = np.concatenate((self.rates, np.full(more, -inf)))
        self._start = np.concatenate((self._start, np.zeros(more, np.int32)))
        self._count = np.concatenate((self._count, np.full(more, NOT_MADE, np.int32)))
        self._more = np.concatenate((self._more, np.zeros(more, np.bool_)))

    def _settle(self) -> None:
        """Brings the best rates up to date."""
        index = self._graph.index
        if index is not self._index or not len(self._best):
            self._index, self._best = index, np.full(len(index.pair_in), -inf)
            pairs = np.arange(len(index.pair_in), dtype=np.int32)
        elif self._dirty:
            pairs = np.unique(index.leg_pair[list(self._dirty)])
        else:
            return
        self._dirty.clear()
        kernels.collapse(pairs, index.pair_start, index.pair_legs, self.rates, self._best)
        if self._bounds.shape[2] != len(index.rank):
            self._bounds = np.empty((len(self._graph.bases), 4, len(index.rank)))
        for base, bounds in enumerate(self._bounds):
            ways = index.out_start, index.pair_out, index.back, index.to_base[base], index.rank
            kernels.bound(base, *ways, self._best, bounds)

    # --- finding ------------------------------------------------------------------------------------------------------

    def open_cycles(self, touched: Iterable[int] | None = None) -> Ints:
        """Cycles of legs (rows, NONE behind the end) whose rates multiply to more than one: the only ones that any
        amount can gain on; all, or those with at least one of the ``touched`` slots in them, but not more than
        MOST_ROWS."""
        self._settle()
        index = self._index
        wanted = np.zeros(len(self._graph.ids), np.bool_)
        if touched is None:
            count = self._scan()
        else:
            slots = list(touched)
            wanted[slots] = True
            legs = [leg for slot in slots for leg in self._graph.legs(slot)]
            pairs = sorted({int(index.leg_pair[leg]) for leg in legs})
            count = self._scan_through(np.array(pairs, np.int32)) if len(pairs) <= MANY else self._scan()
        rows = self._found[:count]
        arguments = (index.pair_start, index.pair_legs, index.leg_slot, self.rates, self._best, wanted, touched is None)
        count = kernels.spread_out(rows, *arguments, self._rows)
        if len(self._rows) < min(count, MOST_ROWS):
            self._rows = np.empty((min(2 * count, MOST_ROWS), MAX_HOPS), np.int32)
            count = kernels.spread_out(rows, *arguments, self._rows)
        return self._rows[: min(count, MOST_ROWS)].copy()

    def _scan(self) -> int:
        index, hops = self._index, self._graph.max_hops
        ways = index.out_start, index.pair_out, index.to_base, index.rank
        return self._with_room(lambda found: kernels.scan_all(hops, *ways, self._best, self._bounds, found))

    def _scan_through(self, pairs: Ints) -> int:
        index, hops = self._index, self._graph.max_hops
        ways = index.out_start, index.pair_in, index.pair_out, index.back, index.from_base, index.to_base, index.rank
        return self._with_room(
            lambda found: kernels.scan_all_through(pairs, hops, *ways, self._best, self._bounds, found)
        )

    def _with_room(self, scan: Callable[[Ints], int]) -> int:
        """Lets it write its rows, with room for all of them."""
        count = scan(self._found)
        if len(self._found) < min(count, MOST_ROWS):
            self._found = np.empty((min(2 * count, MOST_ROWS), MAX_HOPS), np.int32)
            count = scan(self._found)
        return min(count, MOST_ROWS)

    # --- sizing -------------------------------------------------------------------------------------------------------

    def sizes(self, cycles: Ints, pools: Callable[[int], Pool | None], premium: float = 0.0) -> Sizes:
        """Float optima of cycles of legs. ``pools`` gives the pool of a slot, ``premium`` is a lender's share."""
        self._make_segments(cycles, pools, FIRST)
        sizes, short = self._size(cycles, premium)
        if short.any():
            self._make_segments(cycles[short], pools, ALL)
            longer, _ = self._size(cycles[short], premium)
            for whole, part in zip(sizes, longer, strict=True):
                whole[short] = part
        return sizes

    def curves(self, pools: Callable[[int], Pool | None], most: int) -> Curves:
        """Of all legs up to ``most`` segments; made anew only of pools that have changed. ``pools`` gives the pool of a
        slot. Good until the market moves on."""
        legs = len(self._graph.hops)
        self._make_segments(np.arange(legs, dtype=np.int32), pools, most)
        return Curves(self._start[:legs], self._count[:legs], self._segments[:, : self._end])

    def _size(self, cycles: Ints, premium: float) -> tuple[Sizes, Flags]:
        sizes = Sizes(*(np.empty(len(cycles)) for _ in Sizes._fields))
        short = np.empty(len(cycles), np.bool_)
        x, y, keep, capacity = self._segments
        stretches = self._start, self._count, self._more, x, y, keep, capacity
        sizing.size(cycles, premium, *stretches, *sizes, short)
        return sizes, short

    def _make_segments(self, cycles: Ints, pools: Callable[[int], Pool | None], most: int) -> None:
        legs = np.unique(cycles)
        if len(legs) and legs[0] == NONE:
            legs = legs[1:]
        wanting = (self._count[legs] == NOT_MADE) | (self._more[legs] & (self._count[legs] < most))
        for leg in legs[wanting].tolist():
            self._make(leg, pools(self._graph.leg_slot[leg]), most)

    def _make(self, leg: int, pool: Pool | None, most: int) -> None:
        made: Sequence[tuple[float, float, float, float]] = []
        if pool is not None:
            try:
                made = list(islice(pool.segments(*self._graph.ends[leg]), most + 1))
            except (UnknownState, NoLiquidity):
                made = []
        self._more[leg] = len(made) > most
        made = made[:most]
        if self._end + len(made) > self._segments.shape[1]:
            self._segments = np.concatenate((self._segments, np.empty((4, self._end + len(made)))), axis=1)
        if made:
            self._segments[:, self._end : self._end + len(made)] = np.array(made).T
        self._start[leg], self._count[leg] = self._end, len(made)
        self._end += len(made)


def _log_rate(pool: Pool, i: int, j: int) -> float:
    """Of what the next (infinitely small) unit in yields, fee taken."""
    rate = pool.rate(i, j)
    return log(rate) if rate > 0 else -inf
