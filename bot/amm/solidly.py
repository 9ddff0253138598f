"""Solidly pairs and their descendants (Velodrome, Aerodrome and others): volatile xy = k, stable x³y + xy³ = k.

The pair's ``swap`` takes the fee out of the input first and holds the rest to its curve, in the integers of ``_k``
(Solidly's BaseV1Pair, Velodrome v1's Pair, Velodrome v2's and Aerodrome's Pool: the same in all). The outputs are
named by the caller, so what ``_k`` lets through is what counts: quotes are the most that it lets out, the least that
it takes. ``getAmountOut`` says the same where its Newton steps (which differ between versions) end at the best wei.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf
from typing import ClassVar, NamedTuple

from bot import abi
from bot.amm.layouts import reserves
from bot.amm.pool import NoLiquidity, Plain, Segment, first_rate
from bot.amm.value import value
from bot.engine.types import Log, StateDiff

SYNCS = frozenset((abi.topic("Sync(uint112,uint112)"), abi.topic("Sync(uint256,uint256)")))
FEE_UNIT = 1_000_000
ONE = 10**18
"""To what a stable pair scales its reserves: a whole token."""

_MAX = (1 << 256) - 1
_MAX_PACKED = (1 << 112) - 1
_SEGMENTS = 24  # of a stable pair,
_FIRST = 1e-4  # the first until the input is this share of its reserve,
_MOST = 0.9  # the last until this share of the other reserve is out


class Place(NamedTuple):
    """Where a pair keeps its reserves: ``packed`` in one slot, as uint112 each, or in ``slot`` and the next."""

    slot: int
    packed: bool


@value
class SolidlyPool(Plain):
    """A pair. ``fee`` is in millionths of the input, whatever the contract's own denominator: what it takes out is
    rounded down. ``unit0`` and ``unit1`` are a whole token, 10 ** decimals; only stable pairs use them."""

    id: str
    token0: str
    token1: str
    reserve0: int
    reserve1: int
    fee: int
    stable: bool
    unit0: int
    unit1: int
    place: Place

    kind: ClassVar[str] = "v2"

    @property
    def tokens(self) -> tuple[str, str]:
        return self.token0, self.token1

    def quote_in(self, i: int, j: int, amount_in: int) -> int:
        """The most that ``swap`` lets out; nothing in gives nothing out. Raises NoLiquidity."""
        reserve_in, reserve_out, unit_in, unit_out = self._sides(i)
        if amount_in <= 0:
            return 0
        least = self._k(reserve_in, reserve_out, unit_in, unit_out)
        held = self._held(reserve_in, amount_in)
        left = self._left(least, held, unit_in, unit_out, reserve_out)
        self._k(held, left, unit_in, unit_out)
        return reserve_out - left

    def quote_out(self, i: int, j: int, amount_out: int) -> int:
        """The least input for which ``swap`` lets ``amount_out`` out. Raises NoLiquidity."""
        reserve_in, reserve_out, unit_in, unit_out = self._sides(i)
        if amount_out <= 0:
            return 0
        left = reserve_out - amount_out
        if left <= 0:
            raise NoLiquidity(f"{self.id} does not hold {amount_out}")
        least = self._k(reserve_in, reserve_out, unit_in, unit_out)
        net = max(1, self._left(least, left, unit_out, unit_in, None) - reserve_in)
        amount_in = (net - 1) * FEE_UNIT // (FEE_UNIT - self.fee) + 1
        self._k(self._held(reserve_in, amount_in), left, unit_in, unit_out)
        return amount_in

    def apply(self, log: Log) -> SolidlyPool:
        """Every change of reserves emits Sync."""
        if log.topics[0] not in SYNCS:
            return self
        return self._holding(abi.uint(log.data), abi.uint(log.data, 1))

    def apply_diff(self, diff: StateDiff) -> SolidlyPool:
        """Of two slots the one that did not change keeps its value."""
        change = diff.get(self.id)
        if change is None:
            return self
        slot, packed = self.place
        first = change.slots.get(slot)
        if packed:
            return self if first is None else self._holding(*reserves(first))
        second = change.slots.get(slot + 1)
        if first is None and second is None:
            return self
        return self._holding(self.reserve0 if first is None else first, self.reserve1 if second is None else second)

    def slots(self) -> dict[str, frozenset[int]]:
        slot, packed = self.place
        return {self.id: frozenset((slot,) if packed else (slot, slot + 1))}

    def rate(self, i: int, j: int) -> float:
        return first_rate(self, i, j)

    def segments(self, i: int, j: int) -> Iterator[Segment]:
        """Volatile: one without end. Stable: stretches that have the curve's slope where they start and meet it where
        they end, longer outwards, until little is left. Raises NoLiquidity."""
        reserve_in, reserve_out, unit_in, unit_out = self._sides(i)
        keep = 1 - self.fee / FEE_UNIT
        if not self.stable:
            yield Segment(float(reserve_in), float(reserve_out), keep, inf)
            return
        if not self._k(reserve_in, reserve_out, unit_in, unit_out):
            raise NoLiquidity(f"{self.id} holds too little for its curve")
        for x, y, net in _stretches(reserve_in / unit_in, reserve_out / unit_out):
            yield Segment(x * unit_in, y * unit_out, keep, net * unit_in / keep)

    def _sides(self, i: int) -> tuple[int, int, int, int]:
        """Reserve in, reserve out, unit in, unit out. Raises NoLiquidity."""
        if not self.reserve0 or not self.reserve1:
            raise NoLiquidity(f"{self.id} is empty")
        if i == 0:
            return self.reserve0, self.reserve1, self.unit0, self.unit1
        return self.reserve1, self.reserve0, self.unit1, self.unit0

    def _held(self, reserve_in: int, amount_in: int) -> int:
        """What the pair has of the input once the fee is out. Raises NoLiquidity."""
        fee = amount_in * self.fee // FEE_UNIT
        if self.place.packed and reserve_in + amount_in > _MAX_PACKED:
            raise NoLiquidity(f"{self.id} cannot hold {amount_in} more")
        if fee * ONE > _MAX:  # Pool._update0
            raise NoLiquidity(f"{self.id} cannot take a fee of {fee}")
        return reserve_in + amount_in - fee

    def _k(self, x: int, y: int, unit_x: int, unit_y: int) -> int:
        """``_k``. Raises NoLiquidity where it overflows: then ``swap`` reverts."""
        if self.stable:
            k, largest = _curve(x * ONE // unit_x, y * ONE // unit_y)
            largest = max(largest, x * ONE, y * ONE)
        else:
            k = largest = x * y
        if largest > _MAX:
            raise NoLiquidity(f"{self.id} cannot be valued at {x}, {y}")
        return k

    def _left(self, least: int, other: int, unit_other: int, unit: int, most: int | None) -> int:
        """The least reserve, known to be no more than ``most``, with which ``_k`` is ``least`` or more beside
        ``other``; one unit always stays. Raises NoLiquidity."""
        if not self.stable:
            return max(1, -(-least // other))
        scaled = other * ONE // unit_other
        if scaled:
            return _least_beside(least, scaled, unit, most)
        if least:
            raise NoLiquidity(f"{self.id} cannot be left with {other}")
        return 1

    def _holding(self, reserve0: int, reserve1: int) -> SolidlyPool:
        fixed = self.fee, self.stable, self.unit0, self.unit1, self.place
        return SolidlyPool(self.id, self.token0, self.token1, reserve0, reserve1, *fixed)


def _curve(x: int, y: int) -> tuple[int, int]:
    """x³y + xy³ of scaled reserves as ``_k`` rounds it, and the largest number on the way."""
    a = x * y // ONE
    b = x * x // ONE + y * y // ONE
    return a * b // ONE, max(x * x, y * y, x * y, a * b)


def _least_beside(least: int, x: int, unit: int, most: int | None) -> int:
    """The least reserve from 1, known to be no more than ``most``, with which the curve reaches ``least`` beside ``x``.

    A float finds it within some 2⁻⁵⁰, one Newton step in integers to the unit, and the curve itself decides."""

    def reaches(reserve: int) -> bool:
        return _curve(x, reserve * ONE // unit)[0] >= least

    y = int(_on_curve(x / ONE, least / ONE, inf) * ONE)
    y += (least - _curve(x, y)[0]) * ONE**3 // (x * x * x + 3 * x * y * y)
    guess = max(1, -(-y * unit // ONE))
    return _least(reaches, guess if most is None else min(guess, most), most)


def _least(holds: Callable[[int], bool], guess: int, most: int | None) -> int:
    """The least number from 1 that holds, where all above it do, and ``most`` does: doubling steps, then bisection."""
    step = 1
    if holds(guess):
        high = guess
        while high > 1 and holds(low := max(1, high - step)):
            high, step = low, step * 2
        if high == 1:
            return 1
        low = max(1, high - step)
    else:
        low = guess
        while not holds(high := low + step if most is None else min(most, low + step)):
            low, step = high, step * 2
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high


def _on_curve(x: float, k: float, start: float) -> float:
    """y with x³y + xy³ = k. From above Newton falls towards it, since the curve bends upwards."""
    cube = x * x * x
    y = min(start, k / cube, float((k / x) ** (1 / 3)))
    for _ in range(60):
        square = x * y * y
        step = (cube * y + square * y - k) / (cube + 3 * square)
        y -= step
        if step <= y * 1e-16:
            break
    return y


def _stretches(x: float, y: float) -> Iterator[tuple[float, float, float]]:
    """Virtual reserves and net input of stretches along the stable curve from (x, y), in whole tokens.

    Y g / (X + g) begins with the slope s = Y / X, and gives ``gained`` for ``paid`` where
    X = gained paid / (s paid - gained).
    """
    k = x * y * (x * x + y * y)
    first, last = x * _FIRST, _on_curve(y * (1 - _MOST), k, inf) - x
    growth = (last / first) ** (1 / (_SEGMENTS - 1))
    origin, end = x, first
    for _ in range(_SEGMENTS):
        slope = y * (3 * x * x + y * y) / (x * (x * x + 3 * y * y))
        target = origin + end
        reached = _on_curve(target, k, y)
        paid, gained = target - x, y - reached
        bend = slope * paid - gained
        virtual = gained * paid / bend if bend > gained * 1e-9 else paid * 1e9
        yield virtual, slope * virtual, paid
        x, y, end = target, reached, end * growth
