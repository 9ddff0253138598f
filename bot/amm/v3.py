"""Uniswap v3 pools and their forks: concentrated liquidity, bit-exact with UniswapV3Pool.swap.

The contract walks in steps, each to the next initialised tick or the end of a bitmap word, and rounds at each one.
A full step moves the same amounts whether the swap is exact in or exact out, and an exact input completes it just
when the input that is left covers the step's input and fee. So one table of running totals answers both.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from bot import abi
from bot.amm.pool import NoLiquidity, Segment, UnknownState
from bot.amm.tick_math import MAX_SQRT_RATIO, MAX_TICK, MIN_SQRT_RATIO, MIN_TICK, sqrt_ratio_at_tick
from bot.amm.ticks import TickMap
from bot.engine.types import Log

SWAP = abi.topic("Swap(address,address,int256,int256,uint160,uint128,int24)")
SWAP_PANCAKE = abi.topic("Swap(address,address,int256,int256,uint160,uint128,int24,uint128,uint128)")
MINT = abi.topic("Mint(address,address,int24,int24,uint128,uint256,uint256)")
BURN = abi.topic("Burn(address,int24,int24,uint128,uint256,uint256)")
INITIALIZE = abi.topic("Initialize(uint160,int24)")

FEE_UNIT = 1_000_000
_MAX_256 = (1 << 256) - 1
_MAX_INT256 = (1 << 255) - 1
_Q96 = float(1 << 96)


class _Walk:
    """The full steps of a swap in one direction, found as far as they were asked for.

    Entry i of ``ins`` and ``outs`` are the totals after i full steps (fees are in ``ins``), entry i of ``prices``
    and ``liquidities`` what step i starts with.
    """

    __slots__ = ("down", "ended", "fee", "ins", "liquidities", "outs", "prices", "tick", "ticks", "unknown")

    def __init__(self, pool: V3Pool, down: bool) -> None:
        self.down, self.fee, self.ticks, self.tick = down, pool.fee, pool.ticks, pool.tick
        self.ins, self.outs = [0], [0]
        self.prices, self.liquidities = [pool.sqrt_price], [pool.liquidity]
        self.unknown: int | None = None
        price = pool.sqrt_price
        self.ended = price <= MIN_SQRT_RATIO + 1 if down else not 0 < price < MAX_SQRT_RATIO - 1

    def reach(self, steps: int) -> None:
        """Finds so many full steps. Raises UnknownState, NoLiquidity."""
        while len(self.ins) <= steps:
            self.extend()

    def extend(self) -> None:
        """Adds one step, as in the loop of UniswapV3Pool.swap. Raises UnknownState, NoLiquidity."""
        if self.ended:
            raise NoLiquidity("the liquidity runs out before the amount does")
        if self.unknown is not None:
            raise UnknownState(f"the liquidity at tick {self.unknown} was never read")
        tick, initialised = self.ticks.next(self.tick, self.down)
        price, liquidity = self.prices[-1], self.liquidities[-1]
        if self.down:
            target = max(sqrt_ratio_at_tick(max(tick, MIN_TICK)), MIN_SQRT_RATIO + 1)
            self.ended = target == MIN_SQRT_RATIO + 1
            amount_in, amount_out = _amount0_up(target, price, liquidity), liquidity * (price - target) >> 96
        else:
            target = min(sqrt_ratio_at_tick(min(tick, MAX_TICK)), MAX_SQRT_RATIO - 1)
            self.ended = target == MAX_SQRT_RATIO - 1
            amount_in = -(-liquidity * (target - price) >> 96)
            amount_out = (liquidity << 96) * (target - price) // target // price
        fee = -(-amount_in * self.fee // (FEE_UNIT - self.fee))
        if initialised and not self.ended:
            crossed = self.ticks.liquidity.get(tick)
            if crossed is None:
                self.unknown = tick
            else:
                liquidity += -crossed.net if self.down else crossed.net
        self.tick = tick - 1 if self.down else tick
        self.ins.append(self.ins[-1] + amount_in + fee)
        self.outs.append(self.outs[-1] + amount_out)
        self.prices.append(target)
        self.liquidities.append(liquidity)


@dataclass(frozen=True, slots=True)
class V3Pool:
    """A pool. ``fee`` is in millionths of the input, ``sqrt_price`` a Q64.96 (0 before initialisation)."""

    address: str
    token0: str
    token1: str
    fee: int
    tick_spacing: int
    sqrt_price: int
    tick: int
    liquidity: int
    ticks: TickMap
    _walks: list[_Walk | None] = field(default_factory=lambda: [None, None], init=False, repr=False, compare=False)

    kind: ClassVar[str] = "v3"

    def quote_in(self, zero_for_one: bool, amount_in: int) -> int:
        """What swap pays for exactly ``amount_in``; nothing in gives nothing out. Raises UnknownState, NoLiquidity."""
        if amount_in <= 0:
            return 0
        if amount_in > _MAX_INT256:
            raise NoLiquidity("the amount does not fit an int256")
        walk = self._walks[zero_for_one] or self._walk(zero_for_one)
        ins = walk.ins
        while ins[-1] < amount_in:
            walk.extend()
        done = bisect_right(ins, amount_in) - 1
        rest = (amount_in - ins[done]) * (FEE_UNIT - self.fee) // FEE_UNIT
        if not rest:
            return walk.outs[done]
        price, liquidity = walk.prices[done], walk.liquidities[done]
        if zero_for_one:
            return walk.outs[done] + (liquidity * (price - _price_after_0(price, liquidity, rest)) >> 96)
        moved = (rest << 96) // liquidity
        return walk.outs[done] + (liquidity << 96) * moved // (price + moved) // price

    def quote_out(self, zero_for_one: bool, amount_out: int) -> int:
        """What swap asks for exactly ``amount_out``. Raises UnknownState, NoLiquidity."""
        if amount_out <= 0:
            return 0
        walk = self._walks[zero_for_one] or self._walk(zero_for_one)
        outs = walk.outs
        while outs[-1] < amount_out:
            walk.extend()
        done = bisect_left(outs, amount_out)
        if outs[done] == amount_out:
            return walk.ins[done]
        done -= 1
        price, liquidity, rest = walk.prices[done], walk.liquidities[done], amount_out - outs[done]
        if zero_for_one:  # getNextSqrtPriceFromAmount1RoundingDown
            amount_in = _amount0_up(price - -(-(rest << 96) // liquidity), price, liquidity)
        else:  # getNextSqrtPriceFromAmount0RoundingUp
            scaled = liquidity << 96
            after = -(-scaled * price // (scaled - rest * price))
            amount_in = -(-liquidity * (after - price) >> 96)
        return walk.ins[done] + amount_in + -(-amount_in * self.fee // (FEE_UNIT - self.fee))

    def apply(self, log: Log) -> V3Pool:
        """Follows Swap, Mint, Burn and Initialize; the rest does not move quotes."""
        topic = log.topics[0]
        if topic in (SWAP, SWAP_PANCAKE):
            return self._at(abi.uint(log.data, 2), abi.sint(log.data, 4), abi.uint(log.data, 3), self.ticks)
        if topic == MINT:
            return self._moved(log, abi.uint(log.data, 1))
        if topic == BURN:
            return self._moved(log, -abi.uint(log.data))
        if topic == INITIALIZE:
            return self._at(abi.uint(log.data), abi.sint(log.data, 1), self.liquidity, self.ticks)
        return self

    def segments(self, zero_for_one: bool) -> Iterator[Segment]:
        """Stretches of one liquidity, from the price outwards, without those that hold none."""
        walk = self._walks[zero_for_one] or self._walk(zero_for_one)
        keep = 1 - self.fee / FEE_UNIT
        found = False
        ended: UnknownState | NoLiquidity | None = None
        start = end = 0
        while True:
            try:
                walk.reach(end + 1)
            except (UnknownState, NoLiquidity) as error:
                ended = error
            else:
                end += 1
                if walk.liquidities[end] == walk.liquidities[start]:
                    continue
            if walk.prices[end] != walk.prices[start] and walk.liquidities[start]:
                found = True
                yield _segment(walk, start, end, keep)
            if ended:
                break
            start = end
        if not found:
            raise ended

    def _walk(self, zero_for_one: bool) -> _Walk:
        walk = self._walks[zero_for_one] = _Walk(self, zero_for_one)
        return walk

    def _at(self, sqrt_price: int, tick: int, liquidity: int, ticks: TickMap) -> V3Pool:
        return V3Pool(
            self.address,
            self.token0,
            self.token1,
            self.fee,
            self.tick_spacing,
            sqrt_price,
            tick,
            liquidity,
            ticks,
        )

    def _moved(self, log: Log, amount: int) -> V3Pool:
        if not amount:  # a burn of nothing collects fees
            return self
        lower, upper = (abi.sint(abi.to_bytes(word)) for word in log.topics[2:4])
        active = self.liquidity + (amount if lower <= self.tick < upper else 0)
        return self._at(self.sqrt_price, self.tick, active, self.ticks.moved(lower, upper, amount))


def _amount0_up(low: int, high: int, liquidity: int) -> int:
    """SqrtPriceMath.getAmount0Delta, rounded up."""
    return -(-(liquidity << 96) * (high - low) // high // low)


def _price_after_0(price: int, liquidity: int, amount: int) -> int:
    """SqrtPriceMath.getNextSqrtPriceFromAmount0RoundingUp for an amount added, with its loss of precision where
    256 bits do not hold the product."""
    scaled = liquidity << 96
    denominator = scaled + amount * price
    if denominator <= _MAX_256:
        return -(-scaled * price // denominator)
    return -(-scaled // (scaled // price + amount))


def _segment(walk: _Walk, start: int, end: int, keep: float) -> Segment:
    """The stretch between two of a walk's prices, as virtual reserves."""
    liquidity = float(walk.liquidities[start])
    root, target = walk.prices[start] / _Q96, walk.prices[end] / _Q96
    if walk.down:
        return Segment(liquidity / root, liquidity * root, keep, liquidity * (root - target) / (root * target) / keep)
    return Segment(liquidity * root, liquidity / root, keep, liquidity * (target - root) / keep)
