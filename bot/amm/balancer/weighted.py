"""Balancer v2 weighted pools: the product of balances to the power of their weights is constant.

Sources: balancer-v2-monorepo, WeightedMath.sol, BaseMinimalSwapInfoPool.sol (onSwap), BasePool.sol (fee, scaling), and
WeightedPool2Tokens.sol, which computes the same. Version 1 (April 2021) raises to every power by logarithms, later
ones multiply the exponents 1, 2 and 4 out. Not modelled: pools whose weights move (LBP, managed pools).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from bot import abi
from bot.amm.balancer import fixed_point as fp
from bot.amm.balancer.storage_field import Field
from bot.amm.balancer.vault import Holdings, InVault, enough
from bot.amm.pool import NoLiquidity, Segment, first_rate
from bot.amm.value import value
from bot.engine.types import Log, StateDiff

FEE_CHANGED = abi.topic("SwapFeePercentageChanged(uint256)")
FEE_FIELDS = {
    "weighted-2021": Field(7),
    "two-tokens-2021": Field(8, 86, 64),  # WeightedPool2Tokens: _miscData
    "stable-2021": Field(8),
    "packed": Field(8, 192, 63),  # BasePool._miscData, MetaStablePool and StablePhantomPool included
}
"""Where the versions keep their fee; of none another's place holds the same."""
PIECES = 24
_SPAN = 1e5  # the last piece ends this many times further out than the first


@value
class WeightedPool(InVault):
    """``weights``, ``fee`` (of the input) in 1e-18; ``scaling`` makes 18 decimals of each token's amounts;
    ``shortcuts`` as in fixed_point.pow_up; ``fee_at`` is where the pool itself keeps its fee, None where that is not
    known: then only the pool's own log tells of a change."""

    holdings: Holdings
    weights: tuple[int, ...]
    scaling: tuple[int, ...]
    fee: int
    shortcuts: bool
    fee_at: Field | None = None

    kind: ClassVar[str] = "balancer"
    silent: ClassVar[bool] = False

    @property
    def tokens(self) -> tuple[str, ...]:
        return self.holdings.tokens

    def at(self, timestamp: int) -> WeightedPool:
        return self

    def quote_in(self, i: int, j: int, amount_in: int) -> int:
        """What the Vault's swap GIVEN_IN gives. Raises NoLiquidity."""
        if amount_in <= 0:
            return 0
        balance_in, balance_out = self._scaled(i), self._scaled(j)
        net = (amount_in - fp.mul_up(amount_in, self.fee)) * self.scaling[i]
        if net > balance_in * 3 // 10:  # WeightedMath._MAX_IN_RATIO
            raise NoLiquidity(f"{self.id} takes at most 30 % of its balance")
        if not balance_in or not balance_out:  # an oracle reverts, others give nothing
            raise NoLiquidity(f"{self.id} is empty")
        exponent = fp.div_down(self.weights[i], self.weights[j])
        share = fp.pow_up(fp.div_up(balance_in, balance_in + net), exponent, self.shortcuts)
        amount_out = balance_out * (fp.ONE - share) // fp.ONE // self.scaling[j] if share < fp.ONE else 0
        self.holdings.check_swap(i, amount_in, j, amount_out)
        return amount_out

    def given_out(self, i: int, j: int, amount_out: int) -> int:
        """What the Vault's swap GIVEN_OUT takes. Raises NoLiquidity."""
        if amount_out <= 0:
            return 0
        balance_in, balance_out = self._scaled(i), self._scaled(j)
        scaled = amount_out * self.scaling[j]
        if scaled > balance_out * 3 // 10:  # WeightedMath._MAX_OUT_RATIO
            raise NoLiquidity(f"{self.id} gives at most 30 % of its balance")
        if not balance_in:
            raise NoLiquidity(f"{self.id} is empty")
        exponent = fp.div_up(self.weights[j], self.weights[i])
        ratio = fp.pow_up(fp.div_up(balance_out, balance_out - scaled), exponent, self.shortcuts) - fp.ONE
        net = -(-fp.mul_up(balance_in, ratio) // self.scaling[i])
        amount_in = fp.div_up(net, fp.ONE - self.fee)
        self.holdings.check_swap(i, amount_in, j, amount_out)
        return amount_in

    def quote_out(self, i: int, j: int, amount_out: int) -> int:
        """``given_out``, and a little more where swapping that GIVEN_IN, as our programs do, would give less than
        ``amount_out`` (see ``enough``). Raises NoLiquidity."""
        if amount_out <= 0:
            return 0
        asked = self.given_out(i, j, amount_out)
        return enough(lambda amount: self.quote_in(i, j, amount), max(1, asked), amount_out)

    def apply(self, log: Log) -> WeightedPool:
        """The Vault's logs, and the pool's own of its fee where those are handed in too."""
        if log.address == self.contract:
            return replace(self, fee=abi.uint(log.data)) if log.topics[0] == FEE_CHANGED else self
        return self._holding(self.holdings.apply(log))

    def apply_diff(self, diff: StateDiff) -> WeightedPool:
        """Balances in the Vault, and the fee where it is known where the pool keeps it."""
        after = self._holding(self.holdings.apply_diff(diff))
        fee = None if self.fee_at is None else self.fee_at.after(diff.get(self.contract))
        return after if fee is None or fee == self.fee else replace(after, fee=fee)

    def slots(self) -> dict[str, frozenset[int]]:
        own = {} if self.fee_at is None else {self.contract: frozenset((self.fee_at.slot,))}
        return {self.holdings.vault: self.holdings.slots()} | own

    def rate(self, i: int, j: int) -> float:
        return first_rate(self, i, j)

    def segments(self, i: int, j: int) -> Iterator[Segment]:
        """One exact stretch for equal weights, else pieces that grow outwards, each with the slope of its start and
        the value of its end; to the most that may go in. Raises NoLiquidity."""
        totals = self.holdings.totals
        x, y, keep = float(totals[i]), float(totals[j]), 1 - self.fee / fp.ONE
        if not x or not y:
            raise NoLiquidity(f"{self.id} is empty")
        exponent = self.weights[i] / self.weights[j]
        if exponent == 1:
            yield Segment(x, y, keep, 0.3 * x / keep)
            return
        start, share = 0.0, 1.0
        for piece in range(PIECES):
            end = 0.3 * x * _SPAN ** ((piece + 1) / PIECES - 1)
            next_share = (x / (x + end)) ** exponent
            slope = exponent * y * share / (x + start)
            yield stretch(end - start, y * (share - next_share), slope, keep)
            start, share = end, next_share

    def _holding(self, holdings: Holdings) -> WeightedPool:
        if holdings is self.holdings:
            return self
        return WeightedPool(holdings, self.weights, self.scaling, self.fee, self.shortcuts, self.fee_at)

    def _scaled(self, i: int) -> int:
        return (self.holdings.cash[i] + self.holdings.managed[i]) * self.scaling[i]


def stretch(net: float, out: float, slope: float, keep: float) -> Segment:
    """The stretch that yields ``out`` for ``net`` (the fee is off) and has this slope at its start: a curve that bends
    less than floats can tell is taken for a straight line."""
    bend = max(slope * net - out, 1e-13 * out)
    x = out * net / bend
    return Segment(x, slope * x, keep, net / keep)
