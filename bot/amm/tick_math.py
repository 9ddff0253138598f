"""Uniswap v3's TickMath: prices of ticks. Prices are square roots of token1 per token0, as Q64.96 integers."""

from __future__ import annotations

from functools import lru_cache
from math import log

MIN_TICK = -887272
MAX_TICK = 887272
MIN_SQRT_RATIO = 4295128739
MAX_SQRT_RATIO = 1461446703485210103287273052203988822378723970342

_MAX_256 = (1 << 256) - 1
# Entry i is 1.0001 ** (-2 ** i / 2) as Q128.128: the constants of TickMath.getSqrtRatioAtTick.
_POWERS = (
    0xFFFCB933BD6FAD37AA2D162D1A594001,
    0xFFF97272373D413259A46990580E213A,
    0xFFF2E50F5F656932EF12357CF3C7FDCC,
    0xFFE5CACA7E10E4E61C3624EAA0941CD0,
    0xFFCB9843D60F6159C9DB58835C926644,
    0xFF973B41FA98C081472E6896DFB254C0,
    0xFF2EA16466C96A3843EC78B326B52861,
    0xFE5DEE046A99A2A811C461F1969C3053,
    0xFCBE86C7900A88AEDCFFC83B479AA3A4,
    0xF987A7253AC413176F2B074CF7815E54,
    0xF3392B0822B70005940C7A398E4B70F3,
    0xE7159475A2C29B7443B29C7FA6E889D9,
    0xD097F3BDFD2022B8845AD8F792AA5825,
    0xA9F746462D870FDF8A65DC1F90E061E5,
    0x70D869A156D2A1B890BB3DF62BAF32F7,
    0x31BE135F97D08FD981231505542FCFA6,
    0x9AA508B5B7A84E1C677DE54F3E99BC9,
    0x5D6AF8DEDB81196699C329225EE604,
    0x2216E584F5FA1EA926041BEDFE98,
    0x48A170391F7DC42444E8FA2,
)
_LOG_SQRT_BASE = log(1.0001) / 2
_LOG_Q96 = log(1 << 96)


@lru_cache(maxsize=1 << 16)
def sqrt_ratio_at_tick(tick: int) -> int:
    """TickMath.getSqrtRatioAtTick. Raises ValueError outside of the ticks that exist."""
    if not MIN_TICK <= tick <= MAX_TICK:
        raise ValueError(f"tick {tick} does not exist")
    ratio = 1 << 128
    rest = abs(tick)
    for power in _POWERS:
        if rest & 1:
            ratio = ratio * power >> 128
        rest >>= 1
    if tick > 0:
        ratio = _MAX_256 // ratio
    return -(-ratio >> 32)


def tick_at_sqrt_ratio(sqrt_price: int) -> int:
    """TickMath.getTickAtSqrtRatio: the greatest tick whose price is not above. Raises ValueError out of range."""
    if not MIN_SQRT_RATIO <= sqrt_price < MAX_SQRT_RATIO:
        raise ValueError(f"sqrt price {sqrt_price} does not exist")
    # The float is right to far less than a tick, so that at most one correction is needed.
    tick = int((log(sqrt_price) - _LOG_Q96) // _LOG_SQRT_BASE)
    tick = max(MIN_TICK, min(MAX_TICK - 1, tick))
    if sqrt_ratio_at_tick(tick) > sqrt_price:
        return tick - 1
    return tick + 1 if sqrt_ratio_at_tick(tick + 1) <= sqrt_price else tick
