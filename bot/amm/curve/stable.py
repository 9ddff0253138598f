"""Curve's StableSwap pools of all generations, bit-exact with their ``exchange``.

``exchange`` decides. Its views differ from it: get_dy of the pools of 2020 takes the fee after it has scaled the output
down (``get_dy`` in curve_liquidity), NG's get_dy asks another contract.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from bot.amm.curve import logs as curve_logs
from bot.amm.curve import segments as curve_segments
from bot.amm.curve.generations import GENERATIONS
from bot.amm.curve.invariant import FEE_UNIT, PRECISION, balance, dynamic_fee
from bot.amm.curve.state import StableState
from bot.amm.pool import NoLiquidity, Plain, Segment, first_rate
from bot.amm.value import value
from bot.engine.types import Log, StateDiff, Terms

PLAIN = 0
"""CurveKind.PLAIN of bot.execution.steps: ``exchange`` with int128 indices."""
_MAX_256 = (1 << 256) - 1


@value
class CurveStablePool(Plain):
    """A pool, or a metapool between a coin and its base pool's LP token. ``moving`` marks one whose rates or balances
    other contracts move: a metapool, NG's oracles, vaults and rebasing tokens.

    NG pays out the admin's share without a log: whoever follows it does so by logs, or by diffs, not by both."""

    id: str
    tokens: tuple[str, ...]
    state: StableState
    moving: bool = False

    kind: ClassVar[str] = "curve"

    @property
    def silent(self) -> bool:
        return self.moving or self.state.ramp is not None

    def terms(self, i: int, j: int) -> Terms:
        return PLAIN, i, j

    def at(self, timestamp: int) -> CurveStablePool:
        """The pool in a block of this time: a ramp of A goes on by the clock."""
        return self._with(self.state.at(timestamp))

    def quote_in(self, i: int, j: int, amount_in: int) -> int:
        """What ``exchange`` sends for ``amount_in``; nothing in gives nothing out. Raises NoLiquidity."""
        return self.state.exchange(i, j, amount_in)[0]

    def quote_out(self, i: int, j: int, amount_out: int) -> int:
        """The least input that yields at least ``amount_out``, or a unit or two more: the contract's iteration stops a
        unit off now and then. Where NG's fee grows faster than what comes out, which is far off the peg, the least may
        be missed, or all of them. Raises NoLiquidity."""
        if amount_out <= 0:
            return 0
        low, high = 0, self._guess(i, j, amount_out)
        got = self._yield(i, j, high)
        for _ in range(6):  # the rest by the average price: what is left shrinks quickly
            miss = amount_out - got
            move = miss * high // got if got else high
            if -2 <= move <= 2 or high + move <= 0:
                break
            high += move
            got = self._yield(i, j, high)
        step = 1
        while got < amount_out:
            low, high, step = high, high + step, 2 * step
            if high > _MAX_256:
                raise NoLiquidity(f"{self.id} does not give {amount_out}")
            got = self._yield(i, j, high)
        if not low:
            step = 1
            while step < high and self._yield(i, j, high - step) >= amount_out:
                high, step = high - step, 2 * step
            low = max(high - step, 0)
        while low + 1 < high:
            middle = (low + high) >> 1
            if self._yield(i, j, middle) >= amount_out:
                high = middle
            else:
                low = middle
        return high

    def apply(self, log: Log) -> CurveStablePool:
        """Follows exchanges, liquidity, fees and the ramp of A. An exchange has to give by this value's maths what the
        log says. Raises UnknownState for what tells too little: another contract's rate moved, or coins left without
        the log telling how many."""
        return self._with(curve_logs.after(self.state, log))

    def apply_diff(self, diff: StateDiff) -> CurveStablePool:
        """By storage. Of a metapool before NG no slot is known: it is read anew at each block. Raises UnknownState."""
        change = diff.get(self.id)
        return self if change is None else self._with(curve_logs.stored(self.state, change.slots))

    def slots(self) -> dict[str, frozenset[int]]:
        storage = GENERATIONS[self.state.generation].storage
        return {} if storage is None else {self.id: storage.words(len(self.tokens))}

    def rate(self, i: int, j: int) -> float:
        return first_rate(self, i, j)

    def segments(self, i: int, j: int) -> Iterator[Segment]:
        """The curve in pieces, each with its slope at the start and its value at the end, from dust to 95 % of the
        output coin. Raises NoLiquidity."""
        return curve_segments.pieces(self.state, i, j)

    def _with(self, state: StableState) -> CurveStablePool:
        return self if state is self.state else CurveStablePool(self.id, self.tokens, state, self.moving)

    def _yield(self, i: int, j: int, amount_in: int) -> int:
        """quote_in; nothing where the pool refuses: a larger input, or a smaller one, may do."""
        try:
            return self.state.exchange(i, j, amount_in)[0]
        except NoLiquidity:
            return 0

    def _guess(self, i: int, j: int, amount_out: int) -> int:
        """About the input for an output: the invariant solved the other way, by the fee that NG would charge there.
        Raises NoLiquidity."""
        state, curve, kind = self.state, self.state.curve, GENERATIONS[self.state.generation]
        xp, fee = list(curve.xp), state.fee
        wanted = -(-amount_out * state.rates[j] // PRECISION)
        for _ in range(3 if kind.ng else 1):
            y = curve.xp[j] - 1 - -(-wanted * FEE_UNIT // max(FEE_UNIT - fee, 1))
            if y <= 0:
                raise NoLiquidity(f"{self.id} does not hold {amount_out}")
            xp[j] = y
            x = balance(kind, i, xp, state.amp, curve.d)
            if kind.ng:
                fee = dynamic_fee(state.fee, state.offpeg, (curve.xp[i] + x) // 2, (curve.xp[j] + y) // 2)
        return max(-(-(x - curve.xp[i]) * PRECISION // state.rates[i]), 1)
