"""The best set of trades over the whole market at once, in floats: it finds, ``bot.market.routing.programs`` decides.

Every direction of a pool is a leg: a concave function from what goes in to what comes out, as its pool's segments have
it. Sought are amounts for all legs that leave over the most value in some priced tokens and are short of none; the dual
problem, over token prices, is solved by ``bot.market.routing.dual``. Legs whose tokens cannot lie on any cycle (or on a
path between the tokens named) are left out before, and of the rest only those count that the prices make gain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from bot.amm.pool import NoLiquidity, Pool, UnknownState
from bot.market.kernels import Floats
from bot.market.routing import dual, presolve
from bot.market.routing.dual import Bools, Ints

TOLERANCE = 1e-10  # of the whole value: what may be out of balance
ENOUGH = 1e-3  # of a unit of value
MOST_STEPS = 200
LINE = 2.0**150  # reserves that no pool has
DEEPER = 100.0
_COLD, _WARM = (0.02, 0.1), (1e-3, 0.02)  # first rounding of the kinks, first radius


@dataclass(frozen=True, slots=True)
class Legs:
    """One entry a leg: the tokens (numbered from 0), the number of the pool, the tokens' indices in ``Pool.tokens``,
    and where its segments are in the last four arrays (``bot.amm.pool.Segment``), in the order of the curve.

    A pool of more than two tokens has legs for each pair: as if they did not share its balances, so at most one
    of them is used in the end."""

    token_in: Ints
    token_out: Ints
    pool: Ints
    i: Ints
    j: Ints
    seg_start: Ints
    seg_count: Ints
    x: Floats
    y: Floats
    keep: Floats
    capacity: Floats

    def __len__(self) -> int:
        return len(self.token_in)

    @classmethod
    def of(cls, pools: Mapping[int, Pool], numbers: Mapping[str, int], most: int = 64) -> Legs:
        """Both directions of every pair of the pools' tokens that have a number, ``most`` segments each. What is not
        known or has no liquidity is left out."""
        ends: list[tuple[int, int, int, int, int, int, int]] = []
        segments: list[tuple[float, float, float, float]] = []
        for number, pool in pools.items():
            known = [(index, numbers[token]) for index, token in enumerate(pool.tokens) if token in numbers]
            for i, token_in in known:
                for j, token_out in known:
                    if i == j:
                        continue
                    try:
                        found = list(islice(pool.segments(i, j), most))
                    except (UnknownState, NoLiquidity):
                        continue
                    ends.append((token_in, token_out, number, i, j, len(segments), len(found)))
                    segments += found
        columns = np.array(ends, dtype=np.int64).reshape(-1, 7).T.copy()
        curves = np.array(segments, dtype=np.float64).reshape(-1, 4).T.copy()
        return cls(*columns, *curves)

    @property
    def tokens(self) -> int:
        """One more than the highest token number."""
        return 1 + max(int(self.token_in.max(initial=-1)), int(self.token_out.max(initial=-1)))


@dataclass(frozen=True, slots=True)
class Flow:
    """A solution. By token: ``prices`` (0 where out of reach); by leg: ``amount_in``, ``amount_out`` in the tokens'
    units, ``value_in`` and ``gain`` in value. ``value`` is the dual value, which no set of trades can exceed;
    ``unbalanced`` the value by which tokens are out of balance, at most what the trades fall short of it."""

    prices: Floats
    amount_in: Floats
    amount_out: Floats
    value_in: Floats
    gain: Floats
    value: float
    unbalanced: float
    steps: int


class Solver:
    """The problem with its order of elimination, to be solved for all legs and again for fewer.

    ``prices`` are the tokens whose surplus counts, and the value of a unit of each; ``stock`` amounts at hand that may
    be spent."""

    def __init__(self, legs: Legs, prices: Mapping[int, float], stock: Mapping[int, float] | None = None) -> None:
        stock = stock or {}
        tokens = max(legs.tokens, 1 + max((*prices, *stock)))
        legs = _bent(legs)
        self._size, self._legs = tokens, len(legs)
        ends = np.zeros(tokens, dtype=np.bool_)
        ends[[*prices, *stock]] = True
        token_in, token_out, first = legs.token_in, legs.token_out, legs.seg_start
        usable = legs.seg_count > 0
        on = presolve.peel(tokens, ends, token_in, token_out, legs.pool, usable)
        bases = np.array(list(prices), dtype=np.int64)
        at = np.where(usable, first, 0)
        rate = legs.y[at] * legs.keep[at] / legs.x[at] if len(legs.x) else np.zeros(0)
        x = legs.x[at] if len(legs.x) else np.zeros(0)
        worth = np.array(list(prices.values()), dtype=np.float64)
        start = presolve.start_prices(tokens, bases, worth, token_in, token_out, on, x, rate)
        self._used = np.flatnonzero(on & (start[token_in] > 0) & (start[token_out] > 0))
        named = [token for token in (*prices, *stock) if start[token] > 0]
        self._tokens = np.unique(np.concatenate([token_in[self._used], token_out[self._used], named]).astype(np.int64))
        number = np.full(tokens, -1, dtype=np.int64)
        number[self._tokens] = np.arange(len(self._tokens))
        a, b = number[token_in[self._used]], number[token_out[self._used]]
        position, self._begin, self._rows = presolve.eliminate(len(self._tokens), a, b)
        self._at = np.full(tokens, -1, dtype=np.int64)
        self._at[self._tokens] = position
        self._in, self._out = position[a], position[b]
        self._slot = _slots(self._begin, self._rows, self._in, self._out)
        self._terms(legs)
        self._start = self._by_position(start[self._tokens])
        self._q = self._start.copy()
        self._least = np.zeros(len(self._tokens))
        self._stock = np.zeros(len(self._tokens))
        for token, price in prices.items():
            if self._at[token] >= 0:
                self._least[self._at[token]] = self._q[self._at[token]] = np.sqrt(price)
        for token, amount in stock.items():
            if self._at[token] >= 0:
                self._stock[self._at[token]] = amount
        self._begun = False

    def solve(self, on: Bools | None = None) -> Flow:
        """The best trades through all legs, or those that are ``on``; after the first time from the last prices."""
        kept = np.arange(len(self._used)) if on is None else np.flatnonzero(on[self._used])
        soft, radius = _WARM if self._begun else _COLD
        self._begun = True
        leg_in, leg_out, lo, hi = self._in[kept], self._out[kept], self._lo[kept], self._hi[kept]
        terms = leg_in, leg_out, lo, hi, self._root_x, self._root_y, self._sign
        steps, value, unbalanced = dual.newton(
            *(self._q, self._least, self._stock, *terms, self._slot[kept], self._begin, self._rows),
            *(soft, radius, TOLERANCE, ENOUGH, MOST_STEPS),
        )
        given, got = np.empty(len(kept)), np.empty(len(kept))
        dual.flows(self._q, *terms, given, got)
        price = self._q**2
        prices = np.zeros(self._size)
        prices[self._tokens] = price[self._at[self._tokens]]
        by_leg = np.zeros((4, self._legs))
        by_leg[:, self._used[kept]] = given / price[leg_in], got / price[leg_out], given, got - given
        amount_in, amount_out, value_in, gain = by_leg
        return Flow(prices, amount_in, amount_out, value_in, gain, float(value), float(unbalanced), int(steps))

    def _by_position(self, prices: Floats) -> Floats:
        roots = np.empty(len(prices))
        roots[self._at[self._tokens]] = np.sqrt(prices)
        return roots

    def _terms(self, legs: Legs) -> None:
        """Each segment as a term that sets in where it begins and, with the sign turned, one where it ends."""
        count = legs.seg_count[self._used]
        end = np.cumsum(count)
        flat = np.arange(count.sum()) - np.repeat(end - count - legs.seg_start[self._used], count)
        x, keep = legs.x[flat], legs.keep[flat]
        root_x, root_y = np.sqrt(x / keep), np.sqrt(legs.y[flat])
        reach = np.sqrt(1.0 + keep * legs.capacity[flat] / x)
        ends = np.isfinite(reach)
        there = np.stack([np.ones(len(flat), dtype=np.bool_), ends], axis=1).ravel()
        self._root_x = np.stack([root_x, root_x * reach], axis=1).ravel()[there]
        self._root_y = np.stack([root_y, root_y / reach], axis=1).ravel()[there]
        self._sign = np.tile(np.array([1.0, -1.0]), len(flat))[there]
        total = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(1 + ends)])
        self._lo, self._hi = total[end - count], total[end]


def _bent(legs: Legs) -> Legs:
    """With the straight lines of vaults and WETH, whose price no trade moves, as curves ``DEEPER`` than what else has
    the token in the median, without end: the difference of two endless numbers would say nothing. A leg beside which
    nothing has its token leads nowhere, and is left out."""
    usable = np.flatnonzero(legs.seg_count)
    starts = legs.seg_start[usable]
    line = legs.x[starts] >= LINE
    if not line.any():
        return legs
    x, y, capacity, counts = legs.x.copy(), legs.y.copy(), legs.capacity.copy(), legs.seg_count.copy()
    for leg, start in zip(usable[line], starts[line], strict=True):
        given = starts[~line & (legs.token_in[usable] == legs.token_in[leg])]
        got = starts[~line & (legs.token_out[usable] == legs.token_in[leg])]
        depths = np.concatenate((legs.x[given], legs.y[got]))
        if not len(depths):
            counts[leg] = 0
            continue
        x[start] = DEEPER * np.median(depths)
        y[start] *= x[start] / legs.x[start]
        capacity[start] = capacity[start] if capacity[start] < x[start] else np.inf
    return replace(legs, seg_count=counts, x=x, y=y, capacity=capacity)


def _slots(begin: Ints, rows: Ints, leg_in: Ints, leg_out: Ints) -> Ints:
    """Where each leg's pair of tokens is in the factor's columns."""
    tokens = len(begin) - 1
    keys = np.repeat(np.arange(tokens), np.diff(begin)) * tokens + rows
    wanted = np.minimum(leg_in, leg_out) * tokens + np.maximum(leg_in, leg_out)
    return np.asarray(np.searchsorted(keys, wanted), dtype=np.int64)
