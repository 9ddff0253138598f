"""Where pools keep their state: storage slots of Uniswap v2, v3 and v4 and of the forks that changed them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from bot import abi
from bot.abi import keccak


@dataclass(frozen=True, slots=True)
class V2Layout:
    """The slot of uint112 reserve0, uint112 reserve1, uint32 time; and, where the fee is not a constant in the code,
    the slots of its numerator and denominator."""

    name: str
    reserves: int
    fee: tuple[int, int] | None = None


UNISWAP_V2 = V2Layout("uniswap-v2", reserves=8)  # UniswapV2Pair, behind UniswapV2ERC20's five slots
V2_LAYOUTS = (
    UNISWAP_V2,
    V2Layout("stored-fee-v2", reserves=10, fee=(8, 9)),  # the fork of 0xaf9742157a67e35f1aa0803e6ec589ca4cfd0864
)
V2_LAYOUT = {layout.name: layout for layout in V2_LAYOUTS}

_MASK_112 = (1 << 112) - 1
_MASK_160 = (1 << 160) - 1


@dataclass(frozen=True, slots=True)
class V3Layout:
    """The slots of Slot0's price and tick, of ``liquidity``, and of the mappings ``ticks`` and ``tickBitmap``.
    ``private``: the code lets only callers on a list of its own swap."""

    name: str
    price: int
    liquidity: int
    ticks: int
    bitmap: int
    private: bool = False

    def word_slot(self, word: int) -> int:
        """Of one bitmap word."""
        return mapping_slot(word, self.bitmap)

    def tick_slot(self, tick: int) -> int:
        """Of a tick's liquidityGross and liquidityNet."""
        return mapping_slot(tick, self.ticks)


UNISWAP_V3 = V3Layout("uniswap-v3", price=0, liquidity=4, ticks=5, bitmap=6)
V3_LAYOUTS = (
    UNISWAP_V3,
    V3Layout("pancake-v3", price=0, liquidity=5, ticks=6, bitmap=7),  # a wider feeProtocol: Slot0 takes two slots
    # factory 0x075c42cd233a1c723c0f18f6dd575c8d679fea85; slot 0 is the mapping of who may swap ("NOT_SWAPPER")
    V3Layout("shifted-v3", price=1, liquidity=5, ticks=6, bitmap=7, private=True),
)
V3_LAYOUT = {layout.name: layout for layout in V3_LAYOUTS}

_V4_POOLS = 6  # PoolManager's mapping of Pool.State (v4-core, StateLibrary.POOLS_SLOT)


@lru_cache(maxsize=1 << 16)
def v4_layout(pool_id: str) -> V3Layout:
    """Of a pool in v4's PoolManager: Pool.State is slot0, two fee growths, liquidity, ticks, tickBitmap, positions."""
    state = mapping_slot(int(pool_id, 16), _V4_POOLS)
    return V3Layout("uniswap-v4", price=state, liquidity=state + 3, ticks=state + 4, bitmap=state + 5)


def reserves(word: int) -> tuple[int, int]:
    """Of a v2 pair's slot."""
    return word & _MASK_112, word >> 112 & _MASK_112


def price_and_tick(word: int) -> tuple[int, int]:
    """uint160 sqrtPriceX96, int24 tick, …: the beginning of Slot0."""
    tick = word >> 160 & 0xFFFFFF
    return word & _MASK_160, tick - (1 << 24) if tick >> 23 else tick


def v4_fees(word: int) -> tuple[int, int]:
    """Of v4's Slot0: the protocol's fee (12 bits for 1 → 0, 12 bits for 0 → 1) and that of the liquidity providers."""
    return word >> 184 & 0xFFFFFF, word >> 208 & 0xFFFFFF


@lru_cache(maxsize=1 << 16)
def mapping_slot(key: int, slot: int) -> int:
    """Of a mapping's entry, as Solidity lays it out."""
    return int.from_bytes(keccak(abi.encode(key) + abi.encode(slot)), "big")
