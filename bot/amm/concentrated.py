"""Concentrated liquidity, as Uniswap v3, its forks and v4 have it: the walk of a swap, and the quotes from it.

The contracts walk in steps, each to the next initialised tick or the end of a bitmap word, and round at each one.
A full step moves the same amounts whether the swap is exact in or exact out, and an exact input completes it just
when the input that is left covers the step's input and fee. So one table of running totals answers both.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from bot.amm.pool import NoLiquidity, Segment, UnknownState
from bot.amm.tick_math import MAX_SQRT_RATIO, MAX_TICK, MIN_SQRT_RATIO, MIN_TICK, sqrt_ratio_at_tick
from bot.amm.ticks import TickMap

FEE_UNIT = 1_000_000
"""A fee of 100 %."""

_MAX_256 = (1 << 256) - 1
_NEVER = 1 << 256
_Q96 = float(1 << 96)


def price_rate(sqrt_price: int, fee: int, down: bool) -> float:
    """What the next unit in yields at a price, as a square root Q64.96, that some liquidity stands at. ``fee`` in
    millionths."""
    root = sqrt_price / _Q96
    return root * root * (1 - fee / FEE_UNIT) if down else (1 - fee / FEE_UNIT) / (root * root)


_STRETCH = 16
"""Steps after which a stretch of one liquidity is handed out, though it goes on: where nothing is initialised over
thousands of bitmap words, its beginning is there at once."""


class Walk:
    """The full steps of a swap in one direction, found as far as they were asked for.

    Entry i of ``ins`` and ``outs`` are the totals after i full steps (fees are in ``ins``), entry i of ``prices``
    and ``liquidities`` what step i starts with. ``fee`` is the whole of it, in millionths of the input.
    """

    __slots__ = ("down", "ended", "fee", "ins", "liquidities", "outs", "prices", "tick", "ticks", "unknown")

    def __init__(self, price: int, tick: int, liquidity: int, ticks: TickMap, fee: int, down: bool) -> None:
        self.down, self.fee, self.ticks, self.tick = down, fee, ticks, tick
        self.ins, self.outs = [0], [0]
        self.prices, self.liquidities = [price], [liquidity]
        self.unknown: int | None = None
        self.ended = price <= MIN_SQRT_RATIO + 1 if down else not 0 < price < MAX_SQRT_RATIO - 1

    def extend(self) -> None:
        """Adds one step, as in the loops of UniswapV3Pool.swap and v4's Pool.swap. Raises UnknownState, NoLiquidity."""
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
        if initialised and not self.ended:
            crossed = self.ticks.liquidity.get(tick)
            if crossed is None:
                self.unknown = tick
            else:
                liquidity += -crossed.net if self.down else crossed.net
        self.tick = tick - 1 if self.down else tick
        self.ins.append(self.ins[-1] + self._with_fee(amount_in))
        self.outs.append(self.outs[-1] + amount_out)
        self.prices.append(target)
        self.liquidities.append(liquidity)

    def _with_fee(self, amount_in: int) -> int:
        """No input leaves anything to trade with where the fee is all of it."""
        if self.fee < FEE_UNIT:
            return amount_in + -(-amount_in * self.fee // (FEE_UNIT - self.fee))
        return _NEVER if amount_in else 0

    def quote_in(self, amount_in: int) -> int:
        """What comes out for exactly ``amount_in`` > 0. Raises UnknownState, NoLiquidity."""
        ins = self.ins
        while ins[-1] < amount_in:
            self.extend()
        done = bisect_right(ins, amount_in) - 1
        rest = (amount_in - ins[done]) * (FEE_UNIT - self.fee) // FEE_UNIT
        if not rest:
            return self.outs[done]
        price, liquidity = self.prices[done], self.liquidities[done]
        if self.down:
            return self.outs[done] + (liquidity * (price - price_after_0(price, liquidity, rest)) >> 96)
        moved = (rest << 96) // liquidity
        return self.outs[done] + (liquidity << 96) * moved // (price + moved) // price

    def quote_out(self, amount_out: int) -> int:
        """What is asked for exactly ``amount_out`` > 0. Raises UnknownState, NoLiquidity."""
        outs = self.outs
        while outs[-1] < amount_out:
            self.extend()
        done = bisect_left(outs, amount_out)
        if outs[done] == amount_out:
            return self.ins[done]
        done -= 1
        price, liquidity, rest = self.prices[done], self.liquidities[done], amount_out - outs[done]
        if self.down:  # getNextSqrtPriceFromAmount1RoundingDown
            amount_in = _amount0_up(price - -(-(rest << 96) // liquidity), price, liquidity)
        else:  # getNextSqrtPriceFromAmount0RoundingUp
            scaled = liquidity << 96
            after = -(-scaled * price // (scaled - rest * price))
            amount_in = -(-liquidity * (after - price) >> 96)
        return self.ins[done] + self._with_fee(amount_in)

    def segments(self) -> Iterator[Segment]:
        """Stretches of one liquidity, from the price outwards, without those that hold none; each is found when it is
        asked for. Raises UnknownState, NoLiquidity where there is not even a first."""
        if self.fee >= FEE_UNIT:
            raise NoLiquidity("the fee is all of the input")
        found = False
        ended: UnknownState | NoLiquidity | None = None
        start = end = 0
        while not ended:
            try:
                while len(self.ins) <= end + 1:
                    self.extend()
            except (UnknownState, NoLiquidity) as error:
                ended = error
            else:
                end += 1
                if self.liquidities[end] == self.liquidities[start] and end < start + _STRETCH:
                    continue
            if self.prices[end] != self.prices[start] and self.liquidities[start]:
                found = True
                yield self._segment(start, end)
            start = end
        if not found:
            raise ended

    def _segment(self, start: int, end: int) -> Segment:
        """The stretch between two prices, as virtual reserves."""
        liquidity, keep = float(self.liquidities[start]), 1 - self.fee / FEE_UNIT
        root, target = self.prices[start] / _Q96, self.prices[end] / _Q96
        if self.down:
            capacity = liquidity * (root - target) / (root * target) / keep
            return Segment(liquidity / root, liquidity * root, keep, capacity)
        return Segment(liquidity * root, liquidity / root, keep, liquidity * (target - root) / keep)


def _amount0_up(low: int, high: int, liquidity: int) -> int:
    """SqrtPriceMath.getAmount0Delta, rounded up."""
    return -(-(liquidity << 96) * (high - low) // high // low)


def price_after_0(price: int, liquidity: int, amount: int) -> int:
    """SqrtPriceMath.getNextSqrtPriceFromAmount0RoundingUp for an amount added, with its loss of precision where
    256 bits do not hold the product."""
    scaled = liquidity << 96
    denominator = scaled + amount * price
    if denominator <= _MAX_256:
        return -(-scaled * price // denominator)
    return -(-scaled // (scaled // price + amount))
