"""Integer maths of Curve's tricrypto-ng: a cubic's closed form, and arithmetic that wraps around where its source says
``unsafe``.

Source: curvefi/tricrypto-ng, contracts/main/CurveCryptoMathOptimized3.vy (0xcbff3004a20dbfe2731543aa38599a526e0fd6ee).
Conventions are those of bot.amm.curve.crypto_math.
"""

from __future__ import annotations

from math import isqrt

from bot.amm.curve.crypto_math import MAX, ONE, Limits, Three, check_y, newton_y
from bot.amm.pool import NoLiquidity

_SIGN = 1 << 255
_CUBE_MEDIUM = 115792089237316195423570985008687907853269
_CUBE_LARGE = _CUBE_MEDIUM * ONE
_STEPS = 255


def _div(a: int, b: int) -> int:
    """SDIV: towards zero, by zero zero."""
    if not b:
        return 0
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _checked(value: int) -> int:
    """A signed result that has to fit."""
    if -_SIGN <= value < _SIGN:
        return value
    raise NoLiquidity("overflow in get_y")


def cbrt(x: int) -> int:
    """_cbrt: the cube root of a number in units of ONE."""
    wide = x if x >= _CUBE_LARGE else x * ONE if x >= _CUBE_MEDIUM else x * ONE * ONE
    third, rest = divmod(wide.bit_length() - 1, 3)
    if not wide:
        return 0
    a: int = 2**third * 1260**rest // 1000**rest
    for _ in range(7):
        a = (2 * a + wide // (a * a)) // 3
    return a * 10**12 if x >= _CUBE_LARGE else a * 10**6 if x >= _CUBE_MEDIUM else a


_DIVIDERS = tuple((10**power, 10 ** (power - 18)) for power in range(48, 19, -4))


def _scaled(a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
    """The cubic's coefficients, made to fit what follows."""
    if not b:
        raise ZeroDivisionError
    size = abs(_checked(_div(_checked(3 * a * c), b) - b))
    divider = next((divider for least, divider in _DIVIDERS if size > least), 1)
    if abs(a) > abs(b):
        more = abs(_div(a, b))
        b, c, d = (_div(_checked(value * more), divider) for value in (b, c, d))
        return a * more // divider, b, c, d
    more = abs(_div(b, a))
    b, c, d = (_div(_div(value, more), divider) for value in (b, c, d))
    return a // more // divider, b, c, d


def get_y(limits: Limits, ann: int, gamma: int, x: Three, d: int, out: int) -> tuple[int, int]:
    """The balance of coin ``out`` on the curve, and K0 there: 0 where Newton's method had to do. Raises NoLiquidity."""
    check_y(limits, ann, gamma, x, d, out)
    x_j, x_k = (x[k] for k in range(3) if k != out)
    gamma2 = gamma * gamma
    a = 10**36 // 27
    b = 10**36 // 9 + 2 * ONE * gamma // 27
    b -= _checked(d * d // x_j * gamma2 * ann) // 729 // limits.multiplier // x_k
    c = 10**36 // 9 + gamma * (gamma + 4 * ONE) // 27
    c += _div(_div(_div(_checked(gamma2 * (x_j + x_k - d)), d) * ann, 27), limits.multiplier)
    a, b, c, e = _scaled(a, b, c, (ONE + gamma) ** 2 // 27)

    three_ac = _checked(3 * a * c)
    delta0 = _checked(_div(three_ac, b) - b)
    delta1 = _checked(_div(_checked(3 * three_ac), b) - 2 * b)
    delta1 = _checked(delta1 - _div(_checked(_div(_checked(27 * a * a), b) * e), b))
    square, cube = _checked(delta1 * delta1), _checked(_div(_checked(4 * delta0 * delta0), b) * delta0)
    under_root = _checked(square + cube)
    if under_root <= 0:
        return newton_y(limits.multiplier, ann, gamma, x, d, out), 0
    root = isqrt(under_root)
    b_root = cbrt(abs(b))
    second = cbrt(_checked(delta1 + root) // 2) if delta1 > 0 else -cbrt(_checked(root - delta1) // 2)
    c1 = _div(_checked(_checked(b_root * b_root) // ONE * second), ONE)
    if not c1:
        raise ZeroDivisionError
    root_k0 = _div(_checked(_checked(b + _div(_checked(b * delta0), c1)) - c1), 3)
    y = _div(_checked(_checked(d * d // 27 // x_k * d) // x_j * root_k0), a)
    k0 = _div(_checked(ONE * root_k0), a)
    if y < 0 or k0 < 0 or y * ONE > MAX or not 10**16 - 1 <= y * ONE // d <= 10**20:
        raise NoLiquidity("unsafe value of the balance that comes out")
    return y, k0


def newton_d(limits: Limits, ann: int, gamma: int, unsorted: Three, k0_before: int = 0) -> int:
    """newton_D: the invariant, from a guess by ``k0_before`` where that is not 0. Raises NoLiquidity."""
    x = x0, x1, x2 = sorted(unsorted, reverse=True)
    if not 0 < x0 < MAX // ONE * 27:
        raise NoLiquidity("balances are out of limits")
    s = (x0 + x1 + x2) & MAX
    d = _first_d(x0, x1, x2, s, k0_before)
    g_one, multiplier = (gamma + ONE) & MAX, limits.multiplier
    for _ in range(_STEPS):
        before = d
        if not d:
            k0 = 0
        else:
            k0 = (ONE * x0 * 3 & MAX) // d
            k0 = (k0 * x1 * 3 & MAX) // d
            k0 = (k0 * x2 * 3 & MAX) // d
        g = g_one - k0 + 1 if g_one > k0 else k0 - g_one + 1
        mul1 = ((ONE * d & MAX) // gamma * g & MAX) // gamma
        mul1 = (mul1 * g * multiplier & MAX) // ann
        mul2 = (6 * ONE * k0 & MAX) // g
        slope = s + (s * mul2 & MAX) // ONE + ((mul1 * 3 & MAX) // k0 if k0 else 0) - (mul2 * d & MAX) // ONE & MAX
        d = _next_d(d, s, slope, mul1, k0)
        if (abs(d - before) * 10**14 & MAX) < max(10**16, d):
            for balance in x:
                fraction = (balance * ONE & MAX) // d if d else 0
                if not 10**16 - 1 <= fraction <= 10**20:
                    raise NoLiquidity("unsafe value of a balance")
            return d
    raise NoLiquidity("newton_D does not converge")


def _first_d(x0: int, x1: int, x2: int, s: int, k0_before: int) -> int:
    """Where newton_D begins."""
    if not k0_before:
        return 3 * geometric_mean(x0, x1, x2) & MAX
    power = 36 if s > 10**36 else 24 if s > 10**24 else 18
    product = x0 * x1
    inner = product // 10**power * x2
    whole = inner // k0_before * 27 * 10 ** {36: 12, 24: 6, 18: 0}[power]
    if product > MAX or inner > MAX or whole > MAX:
        raise NoLiquidity("overflow in newton_D")
    return cbrt(whole)


def _next_d(d: int, s: int, slope: int, mul1: int, k0: int) -> int:
    """D less f / f'."""
    plus, minus = d * (slope + s & MAX), d * d
    shift = d * (mul1 // slope) if slope else 0
    if plus > MAX or minus > MAX or shift > MAX:
        raise NoLiquidity("overflow in newton_D")
    plus, minus = (plus // slope, minus // slope) if slope else (0, 0)
    correction = (shift // ONE * abs(ONE - k0) & MAX) // k0 if k0 else 0
    minus += correction if k0 < ONE else -correction
    if not 0 <= minus <= MAX:
        raise NoLiquidity("overflow in newton_D")
    return plus - minus if plus > minus else (minus - plus) // 2


def geometric_mean(x0: int, x1: int, x2: int) -> int:
    """_geometric_mean, which rounds by the order that its balances come in. Raises NoLiquidity."""
    product = x0 * x1
    whole = product // ONE * x2
    if product > MAX or whole > MAX:
        raise NoLiquidity("overflow in geometric_mean")
    return cbrt(whole // ONE)


def prices(limits: Limits, ann: int, gamma: int, x: Three, d: int) -> tuple[int, int]:
    """get_p: what the second and third coin are worth in the first's, before price_scale. Raises NoLiquidity."""
    if not 10**17 <= d <= 10**33:
        raise NoLiquidity("unsafe value of D")
    k0 = _word(_word(_word(27 * x[0] * x[1]) // d * x[2]) // d * 10**36) // d
    cubic = _word(_word(2 * k0 * k0) // 10**36 * k0) // 10**36
    square = _word((k0 * k0 & MAX) // 10**36 * (2 * gamma + 3 * ONE)) // ONE
    gk0 = _word(_word(cubic + ((gamma + ONE) ** 2 & MAX)) - square)
    weight = (ann * (gamma * gamma & MAX) & MAX) // limits.multiplier
    below = _word(gk0 + _word(_word(weight * x[0]) // d * k0) // 10**36)

    def price(balance: int) -> int:
        above = _word(gk0 + _word(_word(weight * balance) // d * k0) // 10**36)
        value = _word(_word(x[0] * above) // balance * ONE)
        return value // below if below else 0

    return price(x[1]), price(x[2])


def _word(value: int) -> int:
    """An unsigned result that has to fit."""
    if 0 <= value <= MAX:
        return value
    raise NoLiquidity("overflow in get_p")


def wad_exp(x: int) -> int:
    """_snekmate_wad_exp for x <= 0: e ** (x / ONE) in units of ONE."""
    if x <= -42139678854452767551:
        return 0
    value = _div(x << 78, 5**18)
    k = (_div(value << 96, 54916777467707473351141471128) + (1 << 95)) >> 96
    value -= k * 54916777467707473351141471128
    y = ((value + 1346386616545796478920950773328) * value >> 96) + 57155421227552351082224309758442
    p = ((y + value - 94201549194550492254356042504812) * y >> 96) + 28719021644029726153956944680412240
    p = p * value + (4385272521454847904659076985693276 << 96)
    q = ((value - 2855989394907223263936484059900) * value >> 96) + 50020603652535783019961831881945
    q = (q * value >> 96) - 533845033583426703283633433725380
    q = (q * value >> 96) + 3604857256930695427073651918091429
    q = (q * value >> 96) - 14423608567350463180887372962807573
    q = (q * value >> 96) + 26449188498355588339934803723976023
    return (_div(p, q) * 3822833074963236453042738258902158003155416615667 & MAX) >> (195 - k)
