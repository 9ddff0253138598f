"""Uniswap v3 pools and their forks: bit-exact with UniswapV3Pool.swap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from struct import Struct
from struct import error as StructError
from typing import ClassVar

from bot import abi
from bot.amm.concentrated import FEE_UNIT as FEE_UNIT
from bot.amm.concentrated import Walk, price_rate
from bot.amm.layouts import UNISWAP_V3, V3_LAYOUT, V3Layout, price_and_tick
from bot.amm.pool import NoLiquidity, Plain, Segment, UnknownState, first_rate
from bot.amm.ticks import TickMap
from bot.amm.value import value
from bot.engine.types import Log, StateDiff

SWAP = abi.topic("Swap(address,address,int256,int256,uint160,uint128,int24)")
SWAP_PANCAKE = abi.topic("Swap(address,address,int256,int256,uint160,uint128,int24,uint128,uint128)")
MINT = abi.topic("Mint(address,address,int24,int24,uint128,uint256,uint256)")
BURN = abi.topic("Burn(address,int24,int24,uint128,uint256,uint256)")
INITIALIZE = abi.topic("Initialize(uint160,int24)")

_MAX_INT256 = (1 << 255) - 1
_NUMBERED = 1 << 17
"""Contracts' variables and the oracle's 65,535 observations lie in slots below it, entries of mappings far above."""
_SWAPPED = Struct(">76x20s16x16s28xi").unpack_from
"""Price, liquidity and tick of a Swap's data, behind two amounts."""


@value
class V3Pool(Plain):
    """A pool. ``fee`` is in millionths of the input, ``sqrt_price`` a Q64.96 (0 before initialisation)."""

    id: str
    token0: str
    token1: str
    fee: int
    tick_spacing: int
    sqrt_price: int
    tick: int
    liquidity: int
    ticks: TickMap
    layout: str = UNISWAP_V3.name
    _walks: list[Walk | None] = field(default_factory=lambda: [None, None], init=False, repr=False, compare=False)

    kind: ClassVar[str] = "v3"

    @property
    def tokens(self) -> tuple[str, str]:
        return self.token0, self.token1

    @property
    def storage(self) -> V3Layout:
        """Where its contract keeps it."""
        return V3_LAYOUT[self.layout]

    def quote_in(self, i: int, j: int, amount_in: int) -> int:
        """What swap pays for exactly ``amount_in``; nothing in gives nothing out. Raises UnknownState, NoLiquidity."""
        if amount_in <= 0:
            return 0
        if amount_in > _MAX_INT256:
            raise NoLiquidity("the amount does not fit an int256")
        return (self._walks[i] or self._walk(i)).quote_in(amount_in)

    def quote_out(self, i: int, j: int, amount_out: int) -> int:
        """What swap asks for exactly ``amount_out``. Raises UnknownState, NoLiquidity."""
        if amount_out <= 0:
            return 0
        return (self._walks[i] or self._walk(i)).quote_out(amount_out)

    def apply(self, log: Log) -> V3Pool:
        """Follows Swap, Mint, Burn and Initialize; the rest does not move quotes."""
        topic = log.topics[0]
        if topic in (SWAP, SWAP_PANCAKE):
            try:
                price, liquidity, tick = _SWAPPED(log.data)
            except StructError:
                raise UnknownState(f"a Swap of {self.id} is cut short") from None
            return self._at(int.from_bytes(price), tick, int.from_bytes(liquidity), self.ticks)
        if topic == MINT:
            return self._moved(log, abi.uint(log.data, 1))
        if topic == BURN:
            return self._moved(log, -abi.uint(log.data))
        if topic == INITIALIZE:
            return self._at(abi.uint(log.data), abi.sint(log.data, 1), self.liquidity, self.ticks)
        return self

    def apply_diff(self, diff: StateDiff) -> V3Pool:
        """A swap that crosses no tick changes numbered slots only."""
        change = diff.get(self.id)
        if change is None or not change.slots:
            return self
        slots, layout, ticks = change.slots, self.storage, self.ticks
        if max(slots) >= _NUMBERED:
            ticks = ticks.stored(layout, slots)
        word = slots.get(layout.price)
        price, tick = (self.sqrt_price, self.tick) if word is None else price_and_tick(word)
        liquidity = slots.get(layout.liquidity, self.liquidity)
        if word is None and liquidity == self.liquidity and ticks is self.ticks:
            return self
        return self._at(price, tick, liquidity, ticks)

    def slots(self) -> dict[str, frozenset[int]]:
        layout = self.storage
        words, ticks = self.ticks.places(layout)
        return {self.id: frozenset((layout.price, layout.liquidity, *words, *ticks))}

    def rate(self, i: int, j: int) -> float:
        if not self.liquidity or not self.sqrt_price:
            return first_rate(self, i, j)
        return price_rate(self.sqrt_price, self.fee, i == 0)

    def segments(self, i: int, j: int) -> Iterator[Segment]:
        """See Walk.segments."""
        return (self._walks[i] or self._walk(i)).segments()

    def _walk(self, i: int) -> Walk:
        walk = Walk(self.sqrt_price, self.tick, self.liquidity, self.ticks, self.fee, i == 0)
        self._walks[i] = walk
        return walk

    def _at(self, sqrt_price: int, tick: int, liquidity: int, ticks: TickMap) -> V3Pool:
        fixed = self.id, self.token0, self.token1, self.fee, self.tick_spacing
        return V3Pool(*fixed, sqrt_price, tick, liquidity, ticks, self.layout)

    def _moved(self, log: Log, amount: int) -> V3Pool:
        if not amount:  # a burn of nothing collects fees
            return self
        lower, upper = (abi.sint(abi.to_bytes(word)) for word in log.topics[2:4])
        active = self.liquidity + (amount if lower <= self.tick < upper else 0)
        return self._at(self.sqrt_price, self.tick, active, self.ticks.moved(lower, upper, amount))
