"""Where pools keep their state: storage slots of Uniswap v2 and v3 and of the forks that changed them."""

from __future__ import annotations

from dataclasses import dataclass

from eth_utils.crypto import keccak

from bot import abi
from bot.amm.ticks import TickLiquidity

V2_RESERVES = 8
"""uint112 reserve0, uint112 reserve1, uint32 time (UniswapV2Pair, behind UniswapV2ERC20's five slots)."""

V3_PRICE = 0
"""uint160 sqrtPriceX96, int24 tick, … in every v3 layout (Slot0 is the first of UniswapV3Pool's storage)."""

_MASK_112 = (1 << 112) - 1
_MASK_128 = (1 << 128) - 1
_MASK_160 = (1 << 160) - 1


@dataclass(frozen=True, slots=True)
class V3Layout:
    """The slots of ``liquidity``, and of the mappings ``ticks`` and ``tickBitmap``."""

    name: str
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
    V3Layout("uniswap-v3", liquidity=4, ticks=5, bitmap=6),
    V3Layout("pancake-v3", liquidity=5, ticks=6, bitmap=7),  # feeProtocol is wider: Slot0 takes two slots
)
V3_LAYOUT = {layout.name: layout for layout in V3_LAYOUTS}
V2_LAYOUT = "uniswap-v2"


def reserves(word: int) -> tuple[int, int]:
    """Of a v2 pair's slot."""
    return word & _MASK_112, word >> 112 & _MASK_112


def price_and_tick(word: int) -> tuple[int, int]:
    """Of a v3 pool's first slot."""
    tick = word >> 160 & 0xFFFFFF
    return word & _MASK_160, tick - (1 << 24) if tick >> 23 else tick


def tick_liquidity(word: int) -> TickLiquidity:
    """Of a tick's first slot."""
    net = word >> 128
    return TickLiquidity(word & _MASK_128, net - (1 << 128) if net >> 127 else net)


def _mapping_slot(key: int, slot: int) -> int:
    return int.from_bytes(keccak(abi.encode(key) + abi.encode(slot)), "big")
