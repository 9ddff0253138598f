"""Balancer's fixed-point numbers: integers that count 1e-18 (``ONE`` is 1.0), rounded as the contracts round.

Sources: balancer-v2-monorepo, pkg/solidity-utils/contracts/math, FixedPoint.sol and LogExpMath.sol. All arguments are
non-negative. Solidity's signed division rounds towards zero and every series here is odd in its argument, so logarithms
of numbers below one are computed as magnitudes.
"""

from __future__ import annotations

from bot.amm.pool import NoLiquidity

ONE = 10**18
TWO, FOUR = 2 * ONE, 4 * ONE
_POW_ERROR = 10_000  # MAX_POW_RELATIVE_ERROR, 1e-14

_E20, _E36 = 10**20, 10**36
_LN36_LOW, _LN36_HIGH = ONE - ONE // 10, ONE + ONE // 10
_MOST_EXPONENT, _LEAST_EXPONENT = 130 * ONE, 41 * ONE
_EXPONENT_BOUND = 2**254 // _E20  # MILD_EXPONENT_BOUND

# e to the powers of two, LogExpMath.x0 to x11 and a0 to a11: the first two as integers for exponents of 18 decimals,
# the others with 20 decimals in both.
_LARGE = (
    (128 * ONE, 38877084059945950922200000000000000000000000000000000000),
    (64 * ONE, 6235149080811616882910000000),
)
_SMALL = (
    (32 * _E20, 7896296018268069516100000000000000),
    (16 * _E20, 888611052050787263676000000),
    (8 * _E20, 298095798704172827474000),
    (4 * _E20, 5459815003314423907810),
    (2 * _E20, 738905609893065022723),
    (_E20, 271828182845904523536),
    (_E20 // 2, 164872127070012814685),
    (_E20 // 4, 128402541668774148407),
    (_E20 // 8, 113314845306682631683),
    (_E20 // 16, 106449445891785942956),
)
_EXP_STEPS = _SMALL[:8]  # exp leaves the last two to its series


def mul_down(a: int, b: int) -> int:
    """FixedPoint.mulDown."""
    return a * b // ONE


def mul_up(a: int, b: int) -> int:
    """FixedPoint.mulUp."""
    return -(-a * b // ONE)


def div_down(a: int, b: int) -> int:
    """FixedPoint.divDown. Raises ZeroDivisionError."""
    return a * ONE // b


def div_up(a: int, b: int) -> int:
    """FixedPoint.divUp. Raises ZeroDivisionError."""
    return -(-a * ONE // b)


def pow_up(x: int, y: int, shortcuts: bool) -> int:
    """FixedPoint.powUp: x ** y and the most that LogExpMath may err. ``shortcuts``: of January 2022 on, exponents 1, 2
    and 4 are multiplied out. Raises NoLiquidity where the contract reverts."""
    if shortcuts:
        if y == ONE:
            return x
        if y == TWO:
            return mul_up(x, x)
        if y == FOUR:
            square = mul_up(x, x)
            return mul_up(square, square)
    raw = power(x, y)
    return raw + mul_up(raw, _POW_ERROR) + 1


def pow_down(x: int, y: int, shortcuts: bool) -> int:
    """FixedPoint.powDown, as ``pow_up``."""
    if shortcuts:
        if y == ONE:
            return x
        if y == TWO:
            return mul_down(x, x)
        if y == FOUR:
            square = mul_down(x, x)
            return mul_down(square, square)
    raw = power(x, y)
    return max(0, raw - mul_up(raw, _POW_ERROR) - 1)


def power(x: int, y: int) -> int:
    """LogExpMath.pow. Raises NoLiquidity where it reverts."""
    if not y:
        return ONE
    if not x:
        return 0
    if x >> 255 or y >= _EXPONENT_BOUND:
        raise NoLiquidity("a power is out of bounds")
    if _LN36_LOW < x < _LN36_HIGH:
        whole, part = divmod(_ln_36(x), ONE)
        exponent = (whole * y + part * y // ONE) // ONE
    else:
        exponent = _ln(x) * y // ONE
    if x < ONE:
        if exponent > _LEAST_EXPONENT:
            raise NoLiquidity("a power is out of bounds")
        return _E36 // _exp(exponent) if exponent else ONE
    if exponent > _MOST_EXPONENT:
        raise NoLiquidity("a power is out of bounds")
    return _exp(exponent)


def _ln(a: int) -> int:
    """Magnitude of LogExpMath._ln: 18 decimals."""
    if a < ONE:
        a = _E36 // a
    total = 0
    for exponent, factor in _LARGE:
        if a >= factor * ONE:
            a //= factor
            total += exponent
    total *= 100
    a *= 100
    for exponent, factor in _SMALL:
        if a >= factor:
            a = a * _E20 // factor
            total += exponent
    z = (a - _E20) * _E20 // (a + _E20)
    square = z * z // _E20
    series = num = z
    for divisor in (3, 5, 7, 9, 11):
        num = num * square // _E20
        if not num:
            break
        series += num // divisor
    return (total + 2 * series) // 100


def _ln_36(x: int) -> int:
    """Magnitude of LogExpMath._ln_36, for x near one: 36 decimals."""
    x *= ONE
    z = abs(x - _E36) * _E36 // (x + _E36)
    square = z * z // _E36
    series = num = z
    for divisor in (3, 5, 7, 9, 11, 13, 15):
        num = num * square // _E36
        if not num:
            break
        series += num // divisor
    return 2 * series


def _exp(x: int) -> int:
    """LogExpMath.exp of a non-negative exponent within bounds."""
    first = 1
    for exponent, factor in _LARGE:
        if x >= exponent:
            x -= exponent
            first = factor
            break
    x *= 100
    product = _E20
    for exponent, factor in _EXP_STEPS:
        if x >= exponent:
            x -= exponent
            product = product * factor // _E20
    series, term = _E20 + x, x
    for n in range(2, 13):
        term = term * x // _E20 // n
        if not term:
            break
        series += term
    return product * series // _E20 * first // 100
