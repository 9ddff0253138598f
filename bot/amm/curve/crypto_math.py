"""Integer maths of Curve's three-coin crypto pools as their first contracts do it: Newton's method throughout.

Source: curvefi/curve-crypto-contract, contracts/tricrypto/CurveCryptoMath3.vy (tricrypto2 calls
0x8f68f4810cce3194b6cb6f3d50fa58c2c9bdd1d5). ``x`` are balances in the first coin with 18 decimals, ``ann`` is
A * 27 * the contract's multiplier. Vyper reverts on overflow, underflow and division by zero: here NoLiquidity, and
ZeroDivisionError, which the pool translates.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.amm.pool import NoLiquidity

ONE = 10**18
MAX = (1 << 256) - 1
Three = tuple[int, int, int]

_MIN_D, _MAX_D = 10**17, 10**33
_MIN_FRACTION, _MAX_FRACTION = 10**16, 10**20
_STEPS = 255


@dataclass(frozen=True, slots=True)
class Limits:
    """What of A and gamma a contract takes for safe; ``multiplier`` is that of ``ann``."""

    multiplier: int
    min_ann: int
    max_ann: int
    max_gamma: int
    min_gamma: int = 10**10

    def check(self, ann: int, gamma: int) -> None:
        if not (self.min_ann <= ann <= self.max_ann and self.min_gamma <= gamma <= self.max_gamma):
            raise NoLiquidity("unsafe values of A or gamma")


def check_y(limits: Limits, ann: int, gamma: int, x: Three, d: int, j: int) -> None:
    """What newton_y and get_y demand before they solve for coin ``j``. Raises NoLiquidity."""
    limits.check(ann, gamma)
    if not _MIN_D <= d <= _MAX_D:
        raise NoLiquidity("unsafe value of D")
    for k in range(3):
        if k != j and not _MIN_FRACTION <= x[k] * ONE // d <= _MAX_FRACTION:
            raise NoLiquidity("unsafe value of a balance")


def newton_y(multiplier: int, ann: int, gamma: int, x: Three, d: int, j: int) -> int:
    """CurveCryptoMath3.newton_y behind its checks: the balance of coin ``j`` on the curve. Raises NoLiquidity."""
    high, low = (x[k] for k in range(3) if k != j)
    if high < low:
        high, low = low, high
    y = d // 3 * d // (low * 3) * d // (high * 3)
    s_others = low + high
    k_others = ONE * high * 3 // d * low * 3 // d
    limit = max(high // 10**14, d // 10**14, 100)
    d_one, d_gamma, g_one = ONE * d, ONE * d // gamma, gamma + ONE
    for _ in range(_STEPS):
        before = y
        k0 = k_others * y * 3 // d
        s = s_others + y
        g = g_one - k0 + 1 if g_one > k0 else k0 - g_one + 1
        first = d_gamma * g
        second = first // gamma * g * multiplier
        mul1 = second // ann
        mul2 = ONE + 2 * ONE * k0 // g
        slope_y = ONE * y + s * mul2 + mul1
        if first > MAX or second > MAX or slope_y > MAX or d * mul2 > MAX:
            raise NoLiquidity("overflow in newton_y")
        slope_y -= d * mul2
        if slope_y < 0:
            y = before // 2
            continue
        slope = slope_y // y
        minus = mul1 // slope
        plus = (slope_y + d_one) // slope + minus * ONE // k0
        if plus > MAX or minus * ONE > MAX:
            raise NoLiquidity("overflow in newton_y")
        minus += ONE * s // slope
        y = before // 2 if plus < minus else plus - minus
        if abs(y - before) < max(limit, y // 10**14):
            if not _MIN_FRACTION <= y * ONE // d <= _MAX_FRACTION:
                raise NoLiquidity("unsafe value of the balance that comes out")
            return y
    raise NoLiquidity("newton_y does not converge")


def newton_d(limits: Limits, ann: int, gamma: int, unsorted: Three) -> int:
    """CurveCryptoMath3.newton_D: the invariant. Raises NoLiquidity."""
    limits.check(ann, gamma)
    x = high_to_low(unsorted)
    if not 10**9 <= x[0] <= _MAX_D or x[1] * ONE // x[0] < 10**11 or x[2] * ONE // x[0] < 10**11:
        raise NoLiquidity("unsafe value of a balance")
    x0, x1, x2 = x
    d = 3 * geometric_mean(x0, x1, x2)
    s = x0 + x1 + x2
    g_one, multiplier = gamma + ONE, limits.multiplier
    for _ in range(_STEPS):
        before = d
        k0 = ONE * x0 * 3 // d * x1 * 3 // d * x2 * 3 // d
        g = g_one - k0 + 1 if g_one > k0 else k0 - g_one + 1
        first = ONE * d // gamma * g
        second = first // gamma * g * multiplier
        mul1 = second // ann
        mul2 = 6 * ONE * k0 // g
        slope = s + s * mul2 // ONE + mul1 * 3 // k0 - mul2 * d // ONE
        if slope < 0 or first > MAX or second > MAX or s * mul2 > MAX or d * mul2 > MAX or mul1 * 3 > MAX:
            raise NoLiquidity("overflow in newton_D")
        d = _next_d(d, s, slope, d * (mul1 // slope), k0)
        if abs(d - before) * 10**14 < max(10**16, d):
            for balance in x:
                if not _MIN_FRACTION <= balance * ONE // d <= _MAX_FRACTION:
                    raise NoLiquidity("unsafe value of a balance")
            return d
    raise NoLiquidity("newton_D does not converge")


def _next_d(d: int, s: int, slope: int, shift: int, k0: int) -> int:
    """D less f / f'."""
    plus, minus = d * (slope + s), d * d
    if plus > MAX or minus > MAX or shift > MAX:
        raise NoLiquidity("overflow in newton_D")
    plus, minus = plus // slope, minus // slope
    correction = shift // ONE * abs(ONE - k0)
    if correction > MAX:
        raise NoLiquidity("overflow in newton_D")
    minus += correction // k0 if k0 < ONE else -(correction // k0)
    if not 0 <= minus <= MAX:
        raise NoLiquidity("overflow in newton_D")
    return plus - minus if plus > minus else (minus - plus) // 2


def high_to_low(x: Three) -> Three:
    first, second, third = sorted(x, reverse=True)
    return first, second, third


def geometric_mean(x0: int, x1: int, x2: int) -> int:
    """CurveCryptoMath3._geometric_mean of balances from high to low. Raises NoLiquidity."""
    d = x0
    for _ in range(_STEPS):
        before = d
        share = ONE * x0 // d * x1 // d * x2 // d
        d = d * (2 * ONE + share) // (3 * ONE)
        change = abs(d - before)
        if change <= 1 or change * ONE < d:
            return d
    raise NoLiquidity("geometric_mean does not converge")


def reduction_coefficient(x: Three, fee_gamma: int) -> int:
    """CurveCryptoMath3.reduction_coefficient: ONE for a balanced pool, less the farther from it."""
    s = x[0] + x[1] + x[2]
    k = ONE * 3 * x[0] // s * 3 * x[1] // s * 3 * x[2] // s
    return fee_gamma * ONE // (fee_gamma + ONE - k) if fee_gamma else k


def halfpow(power: int, precision: int = 10**10) -> int:
    """CurveCryptoMath3.halfpow: ONE * 0.5 ** (power / ONE). Raises NoLiquidity."""
    whole, rest = divmod(power, ONE)
    if whole > 59:
        return 0
    result = ONE >> whole
    if not rest:
        return result
    term = total = ONE
    negative = False
    for i in range(1, 256):
        k = i * ONE
        c = k - ONE
        if rest > c:
            c, negative = rest - c, not negative
        else:
            c -= rest
        term = term * (c * (ONE // 2) // ONE) // k
        total += -term if negative else term
        if term < precision:
            return result * total // ONE
    raise NoLiquidity("halfpow does not converge")


def sqrt_int(x: int) -> int:
    """CurveCryptoMath3.sqrt_int: the root of a number in units of ONE. Raises NoLiquidity."""
    if not x:
        return 0
    z, y = (x + ONE) // 2, x
    for _ in range(256):
        if z == y:
            return y
        y = z
        z = (x * ONE // z + z) // 2
    raise NoLiquidity("sqrt_int does not converge")
