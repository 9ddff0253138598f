"""A StableSwap curve as Möbius pieces, in floats: for sizing only."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

from bot.amm.curve.generations import GENERATIONS
from bot.amm.curve.invariant import FEE_UNIT, PRECISION
from bot.amm.curve.state import StableState
from bot.amm.pool import NoLiquidity, Segment

SMALL, LARGE = 10, 22
"""Pieces that end at a geometric series of inputs, and at one of what is left of the output coin, where it bends."""
_DUST, _SMALL_END = 1e-4, 0.04
"""The first and the last of the inputs, as parts of the whole."""
_LEFT = 0.05
"""Of the output coin, at the end."""
_FLAT = 1e-11
"""A piece that bends less, or the other way, is taken to be this much bent."""


class _Floats:
    """The invariant with D as unit; ``ann`` is A * n."""

    def __init__(self, state: StableState, xp: list[float], d: float, i: int, j: int) -> None:
        n = len(xp)
        self.ann = state.amp * n / GENERATIONS[state.generation].a_precision
        self.xi, self.xj = xp[i] / d, xp[j] / d
        others = [held / d for k, held in enumerate(xp) if k not in (i, j)]
        self.others = sum(others)
        self.fee, self.offpeg = state.fee / FEE_UNIT, state.offpeg / FEE_UNIT
        self.product = float(n) ** -n
        for held in others:
            self.product /= held

    def partner(self, x: float) -> float:
        """What one of the two coins is when the other is ``x``."""
        b = x + self.others + 1 / self.ann - 1
        c = self.product / (x * self.ann)
        root = sqrt(b * b + 4 * c)
        return 2 * c / (b + root) if b > 0 else (root - b) / 2

    def out(self, x: float) -> tuple[float, float]:
        """The output, less its fee, when coin i has come to ``x``, and its slope there."""
        y = self.partner(x)
        bend = self.product / (x * y)  # D^(n+1) / (n^n prod x)
        slope = (self.ann + bend / x) / (self.ann + bend / y)
        gross, fee, rise = self.xj - y, self.fee, 0.0
        if self.offpeg > 1:
            xpi, xpj = (self.xi + x) / 2, (self.xj + y) / 2
            both = xpi + xpj
            below = (self.offpeg - 1) * 4 * xpi * xpj / both**2 + 1
            fee = self.offpeg * self.fee / below
            rise = -fee / below * (self.offpeg - 1) * 2 * (xpj - xpi) * (xpj + xpi * slope) / both**3
        return gross * (1 - fee), slope * (1 - fee) - gross * rise


def pieces(state: StableState, i: int, j: int) -> Iterator[Segment]:
    """From dust to the input that leaves a twentieth of coin ``j``. Raises NoLiquidity."""
    xp, d = [float(held) for held in state.curve.xp], float(state.curve.d)
    if not d or not min(xp):
        raise NoLiquidity("the pool is empty")
    curve = _Floats(state, xp, d, i, j)
    keep = 1 - curve.fee
    to_in, to_out = d * PRECISION / state.rates[i], d * PRECISION / state.rates[j]
    start, (done, slope) = 0.0, curve.out(curve.xi)
    done = 0.0
    for end in _ends(curve):
        total, falls_to = curve.out(curve.xi + end)
        if total <= done or slope <= 0:
            return
        size = end - start
        average = (total - done) / size
        steep = max(slope, average * (1 + _FLAT))  # NG's fee falls towards the peg: there the slope can rise
        x = average * keep * size / (steep - average)
        yield Segment(x * to_in, steep * x / keep * to_out, keep, size * to_in)
        start, done, slope = end, total, falls_to


def _ends(curve: _Floats) -> list[float]:
    """Where pieces end, as inputs."""
    whole = curve.partner(_LEFT * curve.xj) - curve.xi
    growth = (_SMALL_END / _DUST) ** (1 / (SMALL - 1))
    small = [whole * _DUST * growth**number for number in range(SMALL)]
    large = [curve.partner(curve.xj * _LEFT ** (number / LARGE)) - curve.xi for number in range(1, LARGE + 1)]
    return sorted([*small, *large])
