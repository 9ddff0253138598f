"""From a float size to exact integers: the best amounts around it, by exact quotes."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isqrt

from bot.amm.pool import NoLiquidity, Pool, UnknownState
from bot.amm.solidly import SolidlyPool
from bot.amm.v2 import V2Pool
from bot.amm.v3 import V3Pool
from bot.amm.v4 import V4Pool
from bot.market.view import Legs

MILLION = 1_000_000
FINE = 1e-9  # of a gain: as much as may be left to rounding
WINDOW = 200  # candidates on either side than which the result is no worse
LONGEST_CLIMB = 32  # candidates tried on the way to where the window is laid
LONGEST_SEARCH = 100 * WINDOW  # candidates tried in all
EVEN = (V2Pool, V3Pool, V4Pool, SolidlyPool)  # more in never gives less: others' roundings are uneven


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


def gain(amounts: tuple[int, ...], premium: int = 0) -> int:
    """Wei left after a lender's premium."""
    return amounts[-1] - amounts[0] - (fee(amounts[0], premium) if premium else 0)


def round_down(legs: Legs, amount: float, premium: int = 0) -> tuple[int, ...] | None:
    """Exact amounts at a float size; ``None`` when nothing is gained there.

    Many inputs buy the same where an amount along the way is coarser than the input (6 decimals against 18): where a
    unit of it costs more than ``FINE`` of the gain, no more is paid in than what buys as much of it."""
    amounts = quote(legs, int(amount)) or _known(legs, int(amount))
    if amounts is None:
        return None
    coarsest = min(amounts)
    if amounts[0] > gain(amounts, premium) * FINE * coarsest:
        amounts = _trimmed(legs, amounts, amounts.index(coarsest))
    return amounts if gain(amounts, premium) > 0 else None


def _trimmed(legs: Legs, amounts: tuple[int, ...], coarse: int) -> tuple[int, ...]:
    """The amounts with the least input that brings as much to hop ``coarse``."""
    if not amounts[coarse]:
        return amounts
    before, least = legs[:coarse], amounts[coarse]
    try:
        for pool, i, j in reversed(before):
            least = pool.quote_out(i, j, least)
    except (UnknownState, NoLiquidity):
        return amounts
    if least < amounts[0]:
        less = quote(before, least)
        if less is not None and less[-1] == amounts[coarse]:
            return less + amounts[coarse + 1 :]
    return amounts


def refine(
    legs: Legs, amount: float, spread: float, premium: int = 0, tries: int = LONGEST_SEARCH
) -> tuple[int, ...] | None:
    """Exact amounts at the integer optimum; ``None`` when nothing is gained there. ``spread`` is how far around
    ``amount`` rounding can hide it.

    The search goes over the coarsest amount along the way, and takes the least input for each. From the float optimum
    it climbs (``LONGEST_CLIMB`` bounds it); then it tries what is within ``WINDOW`` candidates of the best, until none
    there is better. It ends early where it can be shown that nothing else gains more. So the result is no worse than
    any candidate that near, nor than any input that near: an input is no coarser, and where a pool's roundings are
    uneven inputs are tried too. With few ``tries`` it may be worse by what rounding takes: that bounds the time, as
    most pools answer in microseconds, some in a millisecond.
    """
    best = _known(legs, max(1, round(amount)))
    if best is None:
        return None
    coarse = best.index(min(best[:-1]))
    searches = [_Candidates(legs, best, coarse, premium, tries)]
    if coarse and not all(type(pool) in EVEN for pool, _, _ in legs[:coarse]):
        searches.append(_Candidates(legs, best, 0, premium, tries))
    top = -inf
    while gain(best, premium) > top:
        top = gain(best, premium)
        for candidates in searches:
            middle = max(1, best[candidates.coarse])
            middle = candidates.climb(middle, int(spread * middle / best[0]) + 1)
            found = candidates.amounts(candidates.settle(middle)) or best
            best = max(best, found, key=lambda amounts: gain(amounts, premium))
        if len(searches) == 1:
            break
    return best if gain(best, premium) > 0 else None


def _known(legs: Legs, amount: int) -> tuple[int, ...] | None:
    """Amounts at ``amount``, or at the first of some smaller ones at which all are known."""
    for shift in (None, 40, 20, 10, 5, 2, 1):
        smaller = amount if shift is None else amount - max(1, amount >> shift)
        amounts = quote(legs, smaller) if smaller > 0 else None
        if amounts is not None:
            return amounts
    return None


def _least_in(pool: Pool, i: int, j: int, amount_out: int) -> int:
    """The least input that yields ``amount_out`` or more. What a pool asks for an exact output can be above it: v3 by a
    unit or two, Balancer by 1e-14 of what it holds."""
    amount = pool.quote_out(i, j, amount_out)
    if type(pool) is V2Pool:
        return amount
    step = 1
    while step < amount and pool.quote_in(i, j, amount - step) >= amount_out:
        amount, step = amount - step, 2 * step
    while step > 1:
        step //= 2
        if step < amount and pool.quote_in(i, j, amount - step) >= amount_out:
            amount -= step
    return amount


def _most(legs: Legs, premium: int) -> float:
    """A gain that no amount exceeds; infinite where it is not known: for constant products alone.

    A chain of them, not rounded, is ``t -> a t / (b + c t)``. Its gain, at a cost of ``cost / MILLION`` a unit, is at
    most ``(sqrt a - sqrt(b cost / MILLION))² / c``."""
    a, b, c = 1, 1, 0
    for pool, i, _ in legs:
        if type(pool) is not V2Pool:
            return inf
        x, y = (pool.reserve0, pool.reserve1) if i == 0 else (pool.reserve1, pool.reserve0)
        a, b, c = y * pool.fee_num * a, x * pool.fee_den * b, x * pool.fee_den * c + pool.fee_num * a
    cost = MILLION + premium
    return (a * MILLION + b * cost - isqrt(4 * a * b * cost * MILLION)) // (c * MILLION)


class _Candidates:
    """The cycle's gain by the amount that goes into hop ``coarse``, for the least input that brings it."""

    __slots__ = ("_after", "_before", "_legs", "_lost", "_most", "_premium", "_tried", "_tries", "_uneven", "coarse")

    def __init__(self, legs: Legs, start: tuple[int, ...], coarse: int, premium: int, tries: int) -> None:
        self._legs, self._premium, self._tries, self.coarse = legs, premium, tries, coarse
        self._before, self._after = legs[:coarse][::-1], legs[coarse:]
        self._uneven = not all(type(pool) in EVEN for pool, _, _ in self._before)
        self._most = _most(legs, premium)
        # by rounding: less than a unit at each hop of constant product, which is all that can be said of any
        self._lost = inf if self._most == inf else sum(2 + start[0] / max(1, amount) for amount in start)
        self._tried: dict[int, float] = {}

    def amounts(self, candidate: int) -> tuple[int, ...] | None:
        """Exact amounts for the least input that brings ``candidate`` to the hop."""
        try:
            for pool, i, j in self._before:
                candidate = _least_in(pool, i, j, candidate)
        except (UnknownState, NoLiquidity):
            return None
        return quote(self._legs, candidate)

    def climb(self, middle: int, step: int) -> int:
        """Where a float optimum is that good, ``middle``; else uphill by steps that shrink from ``step`` on."""
        start, longest = middle, min(LONGEST_CLIMB, self._tries)
        while step and len(self._tried) < longest and self.score(middle) < self._most:
            better = self._best((middle - step, middle + step), middle)
            better = self._on(better, better - middle)
            if better == start:
                break
            if better == middle:
                step //= 4
            middle = better
        return middle

    def settle(self, middle: int) -> int:
        """The best one that is met, uphill until none within ``WINDOW`` is better."""
        while len(self._tried) < self._tries:
            better = self._around(middle)
            if better == middle:
                break
            middle = self._on(better, better - middle)
        return middle

    def _around(self, middle: int) -> int:
        """The best within ``WINDOW``. On a side it ends where the gain, concave but for rounding, can only be less."""
        best, top = middle, self.score(middle)
        sides = [-1, 1]
        for distance in range(1, WINDOW + 1):
            if top >= self._most or not sides or len(self._tried) >= self._tries:
                break
            for side in tuple(sides):
                score = self.score(middle + side * distance)
                if score > top:
                    best, top = middle + side * distance, score
                elif score + self._lost < top:
                    sides.remove(side)
        return best

    def _on(self, middle: int, step: int) -> int:
        """Farther, by twice as much each time, while that is better still.

        Two coarse amounts in a row make the gain a saw: its teeth rise evenly over thousands of candidates."""
        while step:
            step *= 2
            further = self._best((middle + step,), middle)
            if further == middle:
                break
            middle = further
        return middle

    def _best(self, candidates: Iterable[int], middle: int) -> int:
        """The best of them, or ``middle`` where none is better."""
        return max((middle, *candidates), key=self.score)

    def score(self, candidate: int) -> float:
        """Its gain, minus infinity where that is not known or not there."""
        score = self._tried.get(candidate)
        if score is None:
            score = self._tried[candidate] = self._try(candidate)
        return score

    def _try(self, candidate: int) -> float:
        if candidate <= 0:
            return -inf
        paid = out = candidate
        try:
            for pool, i, j in self._before:
                paid = _least_in(pool, i, j, paid)
            if self._uneven:  # such a pool's output has steps: the least input can bring more than the candidate
                out = paid
            for pool, i, j in self._legs if self._uneven else self._after:
                out = pool.quote_in(i, j, out)
        except (UnknownState, NoLiquidity):
            return -inf
        return out - paid - (fee(paid, self._premium) if self._premium else 0)
