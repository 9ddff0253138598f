"""Balancer's StableMath: Curve's invariant with Balancer's roundings, in both versions that were deployed.

Amounts are scaled to 18 decimals, ``amp`` is A * n^(n-1) in thousandths. Sources: balancer-v2-monorepo, StableMath.sol
at its tag stable-deployment (June 2021: StablePool, MetaStablePool, StablePhantomPool) and since commit 1ba605f13 (June
2022: StablePool v2, ComposableStablePool). Both raise NoLiquidity where the contract reverts: it overflows, divides by
zero or does not converge.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.amm.pool import NoLiquidity

PRECISION = 1000
_MAX = (1 << 256) - 1
_ROUNDS = 255


def invariant(amp: int, balances: Sequence[int], rounds_up: bool) -> int:
    """StableMath._calculateInvariant; ``rounds_up``: the version of 2021, as swaps call it."""
    total = sum(balances)
    if not total:
        return 0
    try:
        return _invariant_2021(amp, balances, total) if rounds_up else _invariant_2022(amp, balances, total)
    except ZeroDivisionError:
        raise NoLiquidity("a balance is zero") from None


def _invariant_2021(amp: int, balances: Sequence[int], total: int) -> int:
    n = len(balances)
    ann, d = amp * n, total
    for _ in range(_ROUNDS):
        product = balances[0] * n
        for balance in balances[1:]:
            product *= balance * n
            _check(product)
            product = -(-product // d)
        weighted = ann * total * product
        _check(weighted)
        above = n * d * d - (-weighted // PRECISION)
        below = (n + 1) * d + (ann - PRECISION) * product // PRECISION
        _check(above)
        before, d = d, -(-above // below)
        if -1 <= d - before <= 1:
            return d
    raise NoLiquidity("the invariant does not converge")


def _invariant_2022(amp: int, balances: Sequence[int], total: int) -> int:
    n = len(balances)
    ann, d = amp * n, total
    parts = [balance * n for balance in balances]
    sum_part = ann * total // PRECISION
    for _ in range(_ROUNDS):
        product = d
        for part in parts:
            product *= d
            _check(product)
            product //= part
        above = (sum_part + product * n) * d
        below = (ann - PRECISION) * d // PRECISION + (n + 1) * product
        _check(above)
        _check(below)
        before, d = d, above // below
        if -1 <= d - before <= 1:
            return d
    raise NoLiquidity("the invariant does not converge")


def balance_of(amp: int, balances: Sequence[int], d: int, index: int) -> int:
    """StableMath._getTokenBalanceGivenInvariantAndAllOtherBalances: what the balance at ``index`` has to be for the
    invariant ``d``. As in the contract its present value cancels out but for a rounding, which is why it is given."""
    n = len(balances)
    ann, own = amp * n, balances[index]
    product = balances[0] * n
    try:
        for balance in balances[1:]:
            product *= balance * n
            _check(product)
            product //= d
        product *= ann
        _check(product)
        square = d * d
        c = -(-square // product) * PRECISION * own
        b = sum(balances) - own + d // ann * PRECISION
        _check(square + c)
        y = -(-(square + c) // (d + b))
        for _ in range(_ROUNDS):
            before, below = y, 2 * y + b - d
            above = y * y + c
            if below < 0 or above > _MAX:
                break
            y = -(-above // below)
            if -1 <= y - before <= 1:
                return y
    except ZeroDivisionError:
        raise NoLiquidity("a balance is zero") from None
    raise NoLiquidity("the balance does not converge")


def _check(value: int) -> None:
    if value > _MAX:
        raise NoLiquidity("a balance is too large for the pool's arithmetic")
