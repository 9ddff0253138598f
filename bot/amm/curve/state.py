"""The state of a StableSwap pool of any generation, and what its ``exchange`` makes of it, to the wei."""

from __future__ import annotations

from dataclasses import field, replace

from bot.amm.curve.generations import GENERATIONS
from bot.amm.curve.invariant import FEE_UNIT, PRECISION, balance, check_spot, dynamic_fee, invariant, word
from bot.amm.pool import NoLiquidity
from bot.amm.value import value

Ramp = tuple[int, int, int, int]
"""initial_A, future_A, initial_A_time, future_A_time, of a ramp that is not over."""


class Curve:
    """What all quotes on one state share.

    ``quick`` says that no step of an exchange whose input brings coin i to at most ``most`` and coin j to at least
    ``least`` can overflow, so that Python's integers give the contract's result without looking."""

    __slots__ = ("ann_n", "b", "d", "d2", "d_unit", "least", "most", "n", "quick", "xp")

    def __init__(self, state: StableState) -> None:
        kind = GENERATIONS[state.generation]
        if state.killed:
            raise NoLiquidity("the pool is killed")
        self.xp = [word(word(rate * held) // PRECISION) for rate, held in zip(state.rates, state.balances, strict=True)]
        self.n = n = len(self.xp)
        self.d = d = invariant(kind, self.xp, state.amp)
        ann = state.amp * n
        if not ann:
            raise NoLiquidity("the pool has no A")
        self.ann_n, self.d2, self.d_unit = ann * n, d * d, d * kind.a_precision
        self.b = self.d_unit // ann - d
        # With D below 2^96, no coin below D / 2^shift and none above 2^8 D, the largest products are c * D *
        # A_PRECISION in get_y, Dr * D and Dr * xp[0] in _get_p, 4 * offpeg * xpi * xpj in _dynamic_fee: below 2^256.
        shift = min(24, 54 // n)
        self.most, self.least = d << 8, max(d >> shift, 1)
        fee = max(state.offpeg, FEE_UNIT) * state.fee  # NG's at most, not above the whole
        bounded = state.offpeg >> 48 == 0 and fee <= FEE_UNIT**2 and state.amp >> 32 == 0
        ordinary = 1 << 30 < d < 1 << 96 and sum(self.xp) <= 4 * d and min(self.xp) >= self.least
        self.quick = bounded and ordinary and all(0 < rate < 1 << 140 for rate in state.rates)


@value
class StableState:
    """``balances`` are the contract's, without the admin's share; ``rates`` bring them to the common unit: amount *
    rate / 1e18 is in 1e18. ``amp`` is A in the generation's unit, as of the block that the pool was read at (``at``).
    ``fee`` and ``admin_fee`` (a share of the fee) are in 1e-10, ``offpeg`` is NG's offpeg_fee_multiplier in 1e-10,
    ``admin`` what NG keeps for the admin."""

    generation: str
    balances: tuple[int, ...]
    rates: tuple[int, ...]
    amp: int
    fee: int
    admin_fee: int
    offpeg: int = 0
    admin: tuple[int, ...] = ()
    ramp: Ramp | None = None
    killed: bool = False
    _curves: list[Curve] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def curve(self) -> Curve:
        """Made when it is first needed. Raises NoLiquidity."""
        if not self._curves:
            self._curves.append(Curve(self))
        return self._curves[0]

    def at(self, timestamp: int) -> StableState:
        """The pool in a block of this time: A as ``_A`` has it then."""
        if self.ramp is None:
            return self
        initial, future, start, end = self.ramp
        if timestamp >= end:
            return replace(self, amp=future, ramp=None)
        moved = abs(future - initial) * (timestamp - start) // (end - start)
        return replace(self, amp=initial + moved if future > initial else initial - moved)

    def exchange(self, i: int, j: int, amount_in: int) -> tuple[int, int]:
        """What ``exchange`` sends, and the admin's share of its fee, both in coin ``j``. Raises NoLiquidity."""
        if amount_in <= 0:
            return 0, 0
        curve = self._curves[0] if self._curves else self.curve
        xp = curve.xp
        x = xp[i] + amount_in * self.rates[i] // PRECISION
        if not curve.quick or x > curve.most:
            return self._exchange_checked(curve, i, j, amount_in)
        d = curve.d
        if curve.n == 2:
            c = curve.d2 // (x + x) * curve.d_unit // curve.ann_n
            b = x + curve.b
        else:
            c, b, n = d, x + curve.b, curve.n
            for k, held in enumerate(xp):
                if k == i:
                    c = c * d // (x * n)
                elif k != j:
                    b += held
                    c = c * d // (held * n)
            c = c * curve.d_unit // curve.ann_n
        before, y = d, (curve.d2 + c) // (d + d + b)
        while not -1 <= y - before <= 1:  # it is above the root from here on, and falls
            before, y = y, (y * y + c) // (y + y + b)
        if y < curve.least:
            return self._exchange_checked(curve, i, j, amount_in)
        dy = xp[j] - y - 1
        if dy < 0:
            raise NoLiquidity(f"the pool gives nothing for {amount_in}")
        fee, offpeg = self.fee, self.offpeg
        if offpeg > FEE_UNIT:
            xpi, xpj = xp[i] + x >> 1, xp[j] + y >> 1
            both = xpi + xpj
            fee = offpeg * fee // ((offpeg - FEE_UNIT) * 4 * xpi * xpj // (both * both) + FEE_UNIT)
        charged = dy * fee // FEE_UNIT
        rate = self.rates[j]
        return (dy - charged) * PRECISION // rate, charged * self.admin_fee // FEE_UNIT * PRECISION // rate

    def _exchange_checked(self, curve: Curve, i: int, j: int, amount_in: int) -> tuple[int, int]:
        """``exchange`` step by step, in words."""
        kind, d, rate = GENERATIONS[self.generation], curve.d, self.rates[j]
        after = list(curve.xp)
        x = after[i] = word(after[i] + word(amount_in * self.rates[i]) // PRECISION)
        y = balance(kind, j, after, self.amp, d)
        after[j] = y
        dy = word(curve.xp[j] - y - 1)
        fee = self.fee
        if kind.ng:
            fee = dynamic_fee(fee, self.offpeg, word(curve.xp[i] + x) // 2, word(curve.xp[j] + y) // 2)
        charged = word(dy * fee) // FEE_UNIT
        out = word(word(dy - charged) * PRECISION) // rate
        share = word(word(charged * self.admin_fee) // FEE_UNIT * PRECISION) // rate
        if kind.oracle:
            check_spot(kind, after, self.amp, d)
        word(self.balances[i] + amount_in)
        word(self.balances[j] - out - share)
        return out, share
