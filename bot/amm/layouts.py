"""Where pools keep their state: storage slots of Uniswap v2 and v3 and of the forks that changed them."""

from __future__ import annotations

from dataclasses import dataclass

from bot import abi
from bot.abi import keccak
from bot.amm.ticks import TickLiquidity


@dataclass(frozen=True, slots=True)
class V2Layout:
    """The slot of uint112 reserve0, uint112 reserve1, uint32 time; and, where the fee is not a constant in the code,
    the slots of its numerator and denominator."""

    name: str
    reserves: int
    fee: tuple[int, int] | None = None


V2_LAYOUTS = (
    V2Layout("uniswap-v2", reserves=8),  # UniswapV2Pair, behind UniswapV2ERC20's five slots
    V2Layout("stored-fee-v2", reserves=10, fee=(8, 9)),  # the fork of 0xaf9742157a67e35f1aa0803e6ec589ca4cfd0864
)
V2_LAYOUT = {layout.name: layout for layout in V2_LAYOUTS}

_MASK_112 = (1 << 112) - 1
_MASK_128 = (1 << 128) - 1
_MASK_160 = (1 << 160) - 1


@dataclass(frozen=True, slots=True)
class V3Layout:
    """The slots of Slot0's price and tick, of ``liquidity``, and of the mappings ``ticks`` and ``tickBitmap``."""

    name: str
    price: int
    liquidity: int
    ticks: int
    bitmap: int

    def word_slot(self, word: int) -> int:
        """Of one bitmap word."""
        return _mapping_slot(word, self.bitmap)

    def tick_slot(self, tick: int) -> int:
        """Of a tick's liquidityGross and liquidityNet."""
        return _mapping_slot(tick, self.ticks)


V3_LAYOUTS = (
    V3Layout("uniswap-v3", price=0, liquidity=4, ticks=5, bitmap=6),
    V3Layout("pancake-v3", price=0, liquidity=5, ticks=6, bitmap=7),  # a wider feeProtocol: Slot0 takes two slots
    V3Layout(
        "shifted-v3", price=1, liquidity=5, ticks=6, bitmap=7
    ),  # factory 0x075c42cd233a1c723c0f18f6dd575c8d679fea85
)
V3_LAYOUT = {layout.name: layout for layout in V3_LAYOUTS}


def reserves(word: int) -> tuple[int, int]:
    """Of a v2 pair's slot."""
    return word & _MASK_112, word >> 112 & _MASK_112


def price_and_tick(word: int) -> tuple[int, int]:
    """uint160 sqrtPriceX96, int24 tick, …: the beginning of Slot0."""
    tick = word >> 160 & 0xFFFFFF
    return word & _MASK_160, tick - (1 << 24) if tick >> 23 else tick


def tick_liquidity(word: int) -> TickLiquidity:
    """Of a tick's first slot."""
    net = word >> 128
    return TickLiquidity(word & _MASK_128, net - (1 << 128) if net >> 127 else net)


def _mapping_slot(key: int, slot: int) -> int:
    return int.from_bytes(keccak(abi.encode(key) + abi.encode(slot)), "big")
