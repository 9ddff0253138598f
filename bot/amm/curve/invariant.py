"""StableSwap's invariant in 256-bit arithmetic: what overflows, divides by zero or does not settle in the contracts
raises NoLiquidity here. Amounts ``xp`` are in 1e18 of the common unit, ``amp`` in the generation's unit of A.

This is the slow and complete form: StableState.exchange has a quick one for where nothing of this can happen.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.amm.curve.generations import Generation
from bot.amm.pool import NoLiquidity

PRECISION = 10**18
FEE_UNIT = 10**10
_ROUNDS = 255


def word(value: int) -> int:
    """The value, where a uint256 holds it. Raises NoLiquidity."""
    if value < 0 or value >> 256:
        raise NoLiquidity("the contract's arithmetic does not hold these amounts")
    return value


def invariant(kind: Generation, xp: Sequence[int], amp: int) -> int:
    """get_D."""
    n, unit = len(xp), kind.a_precision
    total = word(sum(xp))
    if not total:
        return 0
    d, ann = total, word(amp * n)
    for _ in range(_ROUNDS):
        product = d
        for x in xp:
            product = _ratio(product * d, x * n if kind.split else x)
        if not kind.split:
            product //= n**n
        before = d
        above = word(word(word(ann * total) // unit + word(product * n)) * d)
        d = _ratio(above, word(word(word(ann - unit) * d) // unit + word((n + 1) * product)))
        if -1 <= d - before <= 1:
            return d
    return _unsettled(kind, d)


def balance(kind: Generation, j: int, xp: Sequence[int], amp: int, d: int) -> int:
    """What coin ``j`` has to be for the invariant to be ``d``, the others being as in ``xp``: get_y, get_y_D."""
    n = len(xp)
    total, c, ann = 0, d, word(amp * n)
    for k, x in enumerate(xp):
        if k != j:
            total = word(total + x)
            c = _ratio(c * d, x * n)
    c = _ratio(word(c * d) * kind.a_precision, ann * n)
    b = word(total + _ratio(d * kind.a_precision, ann))
    y = d
    for _ in range(_ROUNDS):
        before = y
        y = _ratio(word(y * y) + c, word(word(2 * y + b) - d))
        if -1 <= y - before <= 1:
            return y
    return _unsettled(kind, y)


def dynamic_fee(fee: int, offpeg: int, xpi: int, xpj: int) -> int:
    """CurveStableSwapNG._dynamic_fee, in 1e-10."""
    if offpeg <= FEE_UNIT:
        return fee
    share = _ratio(word(word((offpeg - FEE_UNIT) * 4 * xpi) * xpj), word(xpi + xpj) ** 2)
    return word(offpeg * fee) // word(share + FEE_UNIT)


def check_spot(kind: Generation, xp: Sequence[int], amp: int, d: int) -> None:
    """_get_p and what keeps its result: nothing of it moves a quote, but it can revert."""
    n = len(xp)
    dr = d // n**n
    for x in xp:
        dr = _ratio(dr * d, x)
    first = word(amp * n * xp[0]) // kind.a_precision
    for x in xp[1:]:
        price = _ratio(10**18 * word(first + _ratio(dr * xp[0], x)), word(first + dr))
        if price >> 128 and not kind.ng:
            raise NoLiquidity("the contract cannot store the price after")
    if d >> 128 and kind.ng:
        raise NoLiquidity("the contract cannot store the invariant")


def _ratio(above: int, below: int) -> int:
    """Of two words, rounded down."""
    if not word(below):
        raise NoLiquidity("a coin is used up")
    return word(above) // below


def _unsettled(kind: Generation, last: int) -> int:
    if kind.settles:
        raise NoLiquidity("the contract's iteration does not settle")
    return last
