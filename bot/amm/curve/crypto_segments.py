"""Float view of a three-coin crypto pool: its curve approached by Möbius pieces, for sizing only.

With u = balance / D, S their sum, K0 = 27 u0 u1 u2, g = gamma + 1 - K0: S - 1 = g² (1 / K0 - 1) / (27 A gamma²), which
is what CurveCryptoMath3.newton_y solves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bot.amm.pool import NoLiquidity, Segment

_INPUTS = tuple(2.0**power for power in range(-17, 1))
"""Shares of D where a piece ends: from 8e-6 to the whole."""
_LEAST, _MOST = 0.01, 100.0
"""The shares that the contract takes for safe."""
_STRAIGHT = 1e9
"""How much longer than the piece a reserve may be: what bends less is drawn straight."""
_NEAR = 1e-8
"""Newton's last step, as a share of the balance: what is left is about its square."""


class Curve(NamedTuple):
    """27 A, gamma, and the fees as shares."""

    ann: float
    gamma: float
    mid_fee: float
    out_fee: float
    fee_gamma: float


def curve_segments(
    curve: Curve, shares: Sequence[float], i: int, j: int, share_in: float, share_out: float
) -> Iterator[Segment]:
    """``shares`` are balances / D; ``share_in`` is what a unit in adds to its share, ``share_out`` what a share out is
    in units. Ends where the contract would refuse. Raises NoLiquidity where it would at once."""
    x, y, rest = shares[i], shares[j], shares[3 - i - j]
    if not all(_LEAST <= share <= _MOST for share in (x, y, rest)) or _solve(curve, x, y, rest)[0] >= 0:
        raise NoLiquidity("out of the range that the pool trades in")
    return _pieces(curve, x, y, rest, share_in, share_out)


def _pieces(curve: Curve, x: float, y: float, rest: float, share_in: float, share_out: float) -> Iterator[Segment]:
    first = y
    slope, y = _solve(curve, x, y, rest)
    keep, bend = _kept(curve, x, y, rest, slope)
    gone = got = 0.0
    tangent = -slope * keep
    for size in _INPUTS:
        if x + size > _MOST:
            return
        width = size - gone
        guess = y + slope * width
        slope, y = _solve(curve, x + size, guess if guess > 0.2 * y else 0.5 * y, rest)
        if not _LEAST <= y <= _MOST or slope >= 0:
            return
        keep, bend = _kept(curve, x + size, y, rest, slope)
        out = (first - y) * keep
        delta = out - got
        if delta <= 0 or tangent <= 0:
            return
        excess = tangent * width - delta
        reserve = delta * width / excess if excess * _STRAIGHT > delta else width * _STRAIGHT
        tall = max(tangent, delta / width) * reserve if excess * _STRAIGHT > delta else delta / width * reserve
        yield Segment(reserve / share_in, tall * share_out, 1.0, width / share_in)
        gone, got = size, out
        tangent = -slope * keep + (first - y) * bend


def _solve(curve: Curve, x: float, y: float, rest: float) -> tuple[float, float]:
    """dy/dx on the curve, and y from a guess at it."""
    others, k_others, gamma = x + rest, 27 * x * rest, curve.gamma
    weight = 1 / (curve.ann * gamma * gamma)
    change = y
    for _ in range(40):
        k0 = k_others * y
        g = gamma + 1 - k0
        by_k0 = weight * g * (g / k0 - 2 * (k0 - 1)) / k0
        change = (others + y - 1 + weight * g * g * (1 - 1 / k0)) / (1 + by_k0 * k_others)
        y = y - change if change < 0.9 * y else 0.1 * y
        if abs(change) < _NEAR * y:
            break
    k0 = k_others * y
    g = gamma + 1 - k0
    by_k0 = weight * g * (g / k0 - 2 * (k0 - 1)) / k0
    return -(1 + by_k0 * k0 / x) / (1 + by_k0 * k_others), y


def _kept(curve: Curve, x: float, y: float, rest: float, slope: float) -> tuple[float, float]:
    """One less the fee, and how that changes with x."""
    total = x + y + rest
    k = 27 * x * y * rest / total**3
    bend = k * (1 / x + slope / y - 3 * (1 + slope) / total)
    if curve.fee_gamma:
        share = curve.fee_gamma / (curve.fee_gamma + 1 - k)
        bend *= share * share / curve.fee_gamma
    else:
        share = k
    return 1 - (curve.mid_fee * share + curve.out_fee * (1 - share)), (curve.out_fee - curve.mid_fee) * bend
