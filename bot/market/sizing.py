"""How much to put into a cycle: a float optimum over stretches of constant liquidity, then exact integers.

On one stretch a hop yields ``y k t / (x + k t)`` for an input t (Segment), and so does a chain of hops: with
``rate`` and ``bend`` starting at 1 and 0, ``t -> rate t / (1 + bend t)`` followed by a hop is the same form with
``bend + rate k / x`` and ``rate y k / x``. Its gain is greatest where the slope ``rate / (1 + bend t)^2`` is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import ceil, inf, sqrt
from typing import NamedTuple

from bot.amm.pool import NoLiquidity, Pool, Segment, UnknownState

Legs = Sequence[tuple[Pool, bool]]
"""The pools of a cycle in order, each with ``zero_for_one``."""

EXHAUSTIVE = 128  # candidates up to which every one is tried
NEIGHBOURS = 2  # candidates on either side than which the result is no worse
LONGEST_CLIMB = 32  # candidates tried, after which climbing ends


class Size(NamedTuple):
    """A float optimum: ``amount`` in, ``profit``, and how far around ``amount`` rounding can hide the true one."""

    amount: float
    profit: float
    spread: float


class _Stretch:
    """One hop's current segment, of which a part may be used up."""

    __slots__ = ("capacity", "keep", "segments", "x", "y")

    def __init__(self, segments: Iterator[Segment]) -> None:
        self.segments = segments
        self.x, self.y, self.keep, self.capacity = next(segments)

    def use(self, amount: float) -> float:
        traded = amount * self.keep
        out = self.y * traded / (self.x + traded)
        self.y *= self.x / (self.x + traded)  # and not by ``- out``: of a pool all but drained that leaves nothing
        self.x += traded
        self.capacity = max(0.0, self.capacity - amount)
        return out

    def advance(self) -> bool:
        following = next(self.segments, None)
        if following is not None:
            self.x, self.y, self.keep, self.capacity = following
        return following is not None


def optimum(legs: Legs) -> Size | None:
    """The input at which the cycle gains most, as far as its pools are known; ``None`` where nothing can be gained."""
    try:
        hops = [_Stretch(pool.segments(zero_for_one)) for pool, zero_for_one in legs]
    except (UnknownState, NoLiquidity, StopIteration):
        return None
    spent = gained = 0.0
    while True:
        rate, bend, end, ending = 1.0, 0.0, inf, hops[0]
        for hop in hops:
            room = rate - bend * hop.capacity if hop.capacity < inf else 0.0
            if room > 0 and hop.capacity < end * room:
                end, ending = hop.capacity / room, hop
            bend += rate * hop.keep / hop.x
            rate *= hop.y * hop.keep / hop.x
        if rate <= 1.0:
            break
        best = (sqrt(rate) - 1) / bend
        amount = min(best, end)
        for_next = amount
        for hop in hops:
            for_next = hop.use(for_next)
        spent += amount
        gained += for_next
        if best <= end or not ending.advance():
            break
    if spent <= 0.0:
        return None
    return Size(spent, gained - spent, _spread(hops))


def _spread(hops: Sequence[_Stretch]) -> float:
    """Every hop rounds by a unit or two of its output; where the gain is flatter than that, the true optimum can be
    anywhere. The second derivative of the gain is ``-2 rate bend``, and at its top the rate is one."""
    noise, rate, bend = 1.0, 1.0, 0.0
    for hop in hops:
        bend += rate * hop.keep / hop.x
        rate *= hop.y * hop.keep / hop.x
        noise += 1 / rate
    return sqrt(2 * noise / bend)


def quote(legs: Legs, amount: int) -> tuple[int, ...] | None:
    """The exact amounts along the cycle, as in ``Trade.amounts``; ``None`` where they are not known or not there."""
    amounts = [amount]
    try:
        for pool, zero_for_one in legs:
            amount = pool.quote_in(zero_for_one, amount)
            amounts.append(amount)
    except (UnknownState, NoLiquidity):
        return None
    return tuple(amounts)


def refine(legs: Legs, size: Size) -> tuple[int, ...] | None:
    """Exact amounts at or near the integer optimum; ``None`` when nothing is gained there.

    Where one amount along the way is coarser than the input (6 decimals against 18), many inputs buy the same: the
    search goes over that coarsest amount and takes the least input for each. It tries every candidate when rounding
    leaves at most ``EXHAUSTIVE`` of them. Else it starts from the float optimum and climbs to a candidate that is no
    worse than its neighbours, nor than those farther away than rounding explains; ``LONGEST_CLIMB`` bounds it.
    """
    start = _known(legs, max(1, round(size.amount)))
    if start is None:
        return None
    coarse = start.index(min(start[:-1]))
    candidates = _Candidates(legs, coarse)
    middle = max(1, start[coarse])
    spread = ceil(size.spread * middle / start[0])
    if 2 * spread < EXHAUSTIVE:
        middle = candidates.best(range(middle - spread, middle + spread + 1), middle)
    else:
        middle = candidates.leap(middle, spread)
    best = max(start, candidates.amounts(candidates.settle(middle)) or start, key=_gain)
    return best if _gain(best) > 0 else None


def _known(legs: Legs, amount: int) -> tuple[int, ...] | None:
    """Amounts at ``amount``, or at the first of some smaller ones at which all are known."""
    for shift in (None, 40, 20, 10, 5, 2, 1):
        smaller = amount if shift is None else amount - max(1, amount >> shift)
        amounts = quote(legs, smaller) if smaller else None
        if amounts is not None:
            return amounts
    return None


def _least_in(pool: Pool, zero_for_one: bool, amount_out: int) -> int:
    """The least input that yields ``amount_out`` or more: what v3 asks for an exact output can be a unit or two above
    it."""
    amount = pool.quote_out(zero_for_one, amount_out)
    for _ in range(NEIGHBOURS):
        if pool.quote_in(zero_for_one, amount - 1) < amount_out:
            break
        amount -= 1
    return amount


def _gain(amounts: tuple[int, ...]) -> int:
    return amounts[-1] - amounts[0]


class _Candidates:
    """The cycle's amounts as a function of the amount that goes into hop ``coarse``."""

    __slots__ = ("_coarse", "_legs", "_tried")

    def __init__(self, legs: Legs, coarse: int) -> None:
        self._legs, self._coarse = legs, coarse
        self._tried: dict[int, tuple[int, ...] | None] = {}

    def amounts(self, candidate: int) -> tuple[int, ...] | None:
        """Exact amounts for the least input that brings ``candidate`` to the hop."""
        if candidate not in self._tried:
            self._tried[candidate] = self._quote(candidate)
        return self._tried[candidate]

    def best(self, candidates: Iterable[int], middle: int) -> int:
        """The best of them, or ``middle`` where none is better."""
        top = self._score(middle)
        for candidate in candidates:
            score = self._score(candidate)
            if score > top:
                middle, top = candidate, score
        return middle

    def leap(self, middle: int, step: int) -> int:
        """Where a float optimum is that good, ``middle``; else uphill by steps that shrink from ``step`` on."""
        start = middle
        while step and len(self._tried) < LONGEST_CLIMB:
            better = self._gallop(middle, (step,))
            if better == start:
                break
            if better == middle:
                step //= 4
            middle = better
        return middle

    def settle(self, middle: int) -> int:
        """Uphill until no neighbour is better."""
        while len(self._tried) < LONGEST_CLIMB:
            better = self._gallop(middle, range(1, NEIGHBOURS + 1))
            if better == middle:
                break
            middle = better
        return middle

    def _gallop(self, middle: int, steps: Iterable[int]) -> int:
        """The best at these distances, and on from there, twice as far each time, while that is better still.

        Two coarse amounts in a row make the gain a saw: its teeth rise evenly over thousands of candidates."""
        better = self.best((middle + side * step for step in steps for side in (-1, 1)), middle)
        step = better - middle
        while step:
            step *= 2
            further = self.best((better + step,), better)
            if further == better:
                break
            better = further
        return better

    def _score(self, candidate: int) -> float:
        amounts = self.amounts(candidate)
        return -inf if amounts is None else _gain(amounts)

    def _quote(self, candidate: int) -> tuple[int, ...] | None:
        if candidate <= 0:
            return None
        try:
            for pool, zero_for_one in reversed(self._legs[: self._coarse]):
                candidate = _least_in(pool, zero_for_one, candidate)
        except (UnknownState, NoLiquidity):
            return None
        return quote(self._legs, candidate)
