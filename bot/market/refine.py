"""From a float size to exact integers: the best amounts around it, by exact quotes."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, inf

from bot.amm.pool import NoLiquidity, Pool, UnknownState
from bot.market.view import Legs

MILLION = 1_000_000
EXHAUSTIVE = 128  # candidates up to which every one is tried
NEIGHBOURS = 2  # candidates on either side than which the result is no worse
LONGEST_CLIMB = 32  # candidates tried, after which climbing ends


def quote(legs: Legs, amount: int) -> tuple[int, ...] | None:
    """The exact amounts along the cycle, as in ``Trade.amounts``; ``None`` where they are not known or not there."""
    amounts = [amount]
    try:
        for pool, i, j in legs:
            amount = pool.quote_in(i, j, amount)
            amounts.append(amount)
    except (UnknownState, NoLiquidity):
        return None
    return tuple(amounts)


def fee(amount: int, premium: int) -> int:
    """What a lender takes of an amount, rounded up; ``premium`` in millionths."""
    return -(-amount * premium // MILLION)


def refine(legs: Legs, amount: float, spread: float, premium: int = 0) -> tuple[int, ...] | None:
    """Exact amounts at or near the integer optimum; ``None`` when nothing is gained there.

    Where one amount along the way is coarser than the input (6 decimals against 18), many inputs buy the same: the
    search goes over that coarsest amount and takes the least input for each. It tries every candidate when rounding
    leaves at most ``EXHAUSTIVE`` of them. Else it starts from the float optimum and climbs to a candidate that is no
    worse than its neighbours, nor than those farther away than rounding explains; ``LONGEST_CLIMB`` bounds it.
    """
    start = _known(legs, max(1, round(amount)))
    if start is None:
        return None
    coarse = start.index(min(start[:-1]))
    candidates = _Candidates(legs, coarse, premium)
    middle = max(1, start[coarse])
    reach = ceil(spread * middle / start[0])
    if 2 * reach < EXHAUSTIVE:
        middle = candidates.best(range(middle - reach, middle + reach + 1), middle)
    else:
        middle = candidates.leap(middle, reach)
    found = candidates.amounts(candidates.settle(middle)) or start
    best = max(start, found, key=candidates.gain)
    return best if candidates.gain(best) > 0 else None


def _known(legs: Legs, amount: int) -> tuple[int, ...] | None:
    """Amounts at ``amount``, or at the first of some smaller ones at which all are known."""
    for shift in (None, 40, 20, 10, 5, 2, 1):
        smaller = amount if shift is None else amount - max(1, amount >> shift)
        amounts = quote(legs, smaller) if smaller else None
        if amounts is not None:
            return amounts
    return None


def _least_in(pool: Pool, i: int, j: int, amount_out: int) -> int:
    """The least input that yields ``amount_out`` or more: what v3 asks for an exact output can be a unit or two above
    it."""
    amount = pool.quote_out(i, j, amount_out)
    for _ in range(NEIGHBOURS):
        if pool.quote_in(i, j, amount - 1) < amount_out:
            break
        amount -= 1
    return amount


class _Candidates:
    """The cycle's amounts as a function of the amount that goes into hop ``coarse``."""

    __slots__ = ("_coarse", "_legs", "_premium", "_tried")

    def __init__(self, legs: Legs, coarse: int, premium: int) -> None:
        self._legs, self._coarse, self._premium = legs, coarse, premium
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
        return -inf if amounts is None else self.gain(amounts)

    def gain(self, amounts: tuple[int, ...]) -> int:
        """Wei left after the lender's premium."""
        return amounts[-1] - amounts[0] - (fee(amounts[0], self._premium) if self._premium else 0)

    def _quote(self, candidate: int) -> tuple[int, ...] | None:
        if candidate <= 0:
            return None
        try:
            for pool, i, j in reversed(self._legs[: self._coarse]):
                candidate = _least_in(pool, i, j, candidate)
        except (UnknownState, NoLiquidity):
            return None
        return quote(self._legs, candidate)
