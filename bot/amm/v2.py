"""Uniswap v2 pairs and their forks: constant product with a fee on the input."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import ClassVar

from bot import abi
from bot.amm.layouts import UNISWAP_V2, V2_LAYOUT, reserves
from bot.amm.pool import NoLiquidity, Plain, Segment
from bot.amm.value import value
from bot.engine.types import Log, StateDiff

SYNC = abi.topic("Sync(uint112,uint112)")
_MAX_RESERVE = (1 << 112) - 1


@value
class V2Pool(Plain):
    """A pair. ``fee_num / fee_den`` is the share of the input that trades (997 / 1000 is a fee of 0.3 %)."""

    id: str
    token0: str
    token1: str
    reserve0: int
    reserve1: int
    fee_num: int = 997
    fee_den: int = 1000
    layout: str = UNISWAP_V2.name

    kind: ClassVar[str] = "v2"

    @property
    def tokens(self) -> tuple[str, str]:
        return self.token0, self.token1

    def quote_in(self, i: int, j: int, amount_in: int) -> int:
        """UniswapV2Library.getAmountOut; nothing in gives nothing out. Raises NoLiquidity."""
        if i == 0:
            reserve_in, reserve_out = self.reserve0, self.reserve1
        else:
            reserve_in, reserve_out = self.reserve1, self.reserve0
        if amount_in <= 0:
            return 0
        if not reserve_in or not reserve_out:
            raise NoLiquidity(f"{self.id} is empty")
        if reserve_in + amount_in > _MAX_RESERVE:  # UniswapV2Pair._update: OVERFLOW
            raise NoLiquidity(f"{self.id} cannot hold {amount_in} more")
        with_fee = amount_in * self.fee_num
        return with_fee * reserve_out // (reserve_in * self.fee_den + with_fee)

    def quote_out(self, i: int, j: int, amount_out: int) -> int:
        """The least input that UniswapV2Pair.swap's K check accepts. Raises NoLiquidity.

        UniswapV2Library.getAmountIn asks for one wei more where the division has no remainder.
        """
        if i == 0:
            reserve_in, reserve_out = self.reserve0, self.reserve1
        else:
            reserve_in, reserve_out = self.reserve1, self.reserve0
        if amount_out <= 0:
            return 0
        if amount_out >= reserve_out or not reserve_in:
            raise NoLiquidity(f"{self.id} does not hold {amount_out}")
        amount_in = -(-reserve_in * amount_out * self.fee_den // ((reserve_out - amount_out) * self.fee_num))
        if reserve_in + amount_in > _MAX_RESERVE:
            raise NoLiquidity(f"{self.id} cannot hold {amount_in} more")
        return amount_in

    def apply(self, log: Log) -> V2Pool:
        """Every change of reserves emits Sync."""
        if log.topics[0] != SYNC:
            return self
        return self._holding(abi.uint(log.data), abi.uint(log.data, 1))

    def apply_diff(self, diff: StateDiff) -> V2Pool:
        """Both reserves are in one slot."""
        change = diff.get(self.id)
        word = None if change is None else change.slots.get(V2_LAYOUT[self.layout].reserves)
        return self if word is None else self._holding(*reserves(word))

    def slots(self) -> dict[str, frozenset[int]]:
        return {self.id: frozenset((V2_LAYOUT[self.layout].reserves,))}

    def rate(self, i: int, j: int) -> float:
        x, y = (self.reserve0, self.reserve1) if i == 0 else (self.reserve1, self.reserve0)
        return y * self.fee_num / (x * self.fee_den) if x else 0.0

    def segments(self, i: int, j: int) -> Iterator[Segment]:
        """One stretch without end. Raises NoLiquidity."""
        if not self.reserve0 or not self.reserve1:
            raise NoLiquidity(f"{self.id} is empty")
        x, y = (self.reserve0, self.reserve1) if i == 0 else (self.reserve1, self.reserve0)
        yield Segment(float(x), float(y), self.fee_num / self.fee_den, inf)

    def _holding(self, reserve0: int, reserve1: int) -> V2Pool:
        fixed = self.fee_num, self.fee_den, self.layout
        return V2Pool(self.id, self.token0, self.token1, reserve0, reserve1, *fixed)
