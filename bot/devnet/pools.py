"""The devnet's pools: which, how deep, and how far off the price list.

At rest nothing is to be earned: a pool stands off the list by less than half its fee, and any cycle through two
pools pays both fees. Depths span a thousandfold, so order flow moves some pools much and some hardly.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.devnet.deployment import DevPool
from bot.devnet.place import Site
from bot.devnet.protocols import uniswap_v2, uniswap_v3
from bot.devnet.protocols.uniswap_v3 import Band
from bot.devnet.tokens import TOKENS, TokenSpec

V2, SUSHI, V3 = "v2", "sushi", "v3"

VOLATILE = (Band(180, 180, 20), Band(700, 400, 20), Band(400, 900, 20), Band(3000, 3000, 25), Band(None, None, 15))
CALM = (Band(10, 10, 30), Band(40, 20, 25), Band(30, 60, 25), Band(400, 400, 15), Band(None, None, 5))
WIDE = (Band(600, 600, 25), Band(2000, 1000, 25), Band(1200, 3000, 25), Band(None, None, 25))


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """``usd`` thousand dollars on both sides together; the price of ``base`` in ``quote`` is ``skew`` hundredths of
    a basis point above the list's. ``fee`` is in millionths."""

    where: str
    base: str
    quote: str
    fee: int
    usd: int
    skew: int

    def amounts(self) -> dict[str, int]:
        """Token address to what goes in."""
        base, quote = TOKENS[self.base], TOKENS[self.quote]
        half = self.usd * 500
        return {base.address: base.worth(half), quote.address: quote.worth(half) * (10**6 + self.skew) // 10**6}

    @property
    def bands(self) -> tuple[Band, ...]:
        if self.fee <= 500 and not {self.base, self.quote} & {"WETH", "WBTC"}:
            return CALM
        return WIDE if self.fee == 10_000 else VOLATILE


def _v2(where: str, base: str, quote: str, usd: int, skew: int) -> PoolSpec:
    return PoolSpec(where, base, quote, uniswap_v2.FEE, usd, skew)


POOLS: tuple[PoolSpec, ...] = (
    _v2(V2, "WETH", "USDC", 24_000, 600),
    _v2(V2, "WETH", "USDT", 16_000, -500),
    _v2(V2, "WETH", "DAI", 9_000, 300),
    _v2(V2, "WBTC", "WETH", 8_000, -700),
    _v2(V2, "LINK", "WETH", 2_400, 900),
    _v2(V2, "UNI", "WETH", 3_000, -400),
    _v2(V2, "AAVE", "WETH", 1_200, 800),
    _v2(V2, "MKR", "WETH", 2_000, -600),
    _v2(V2, "PEPE", "WETH", 6_000, 1000),
    _v2(V2, "USDC", "USDT", 1_500, 0),
    _v2(V2, "DAI", "USDC", 1_000, 100),
    _v2(V2, "LINK", "USDC", 400, -900),
    _v2(V2, "UNI", "USDT", 250, 700),
    _v2(V2, "WBTC", "USDC", 900, -300),
    _v2(SUSHI, "WETH", "USDC", 12_000, -600),
    _v2(SUSHI, "WETH", "USDT", 5_000, 700),
    _v2(SUSHI, "WETH", "DAI", 7_000, -400),
    _v2(SUSHI, "WBTC", "WETH", 10_000, 500),
    _v2(SUSHI, "LINK", "WETH", 1_500, -800),
    _v2(SUSHI, "UNI", "WETH", 600, 300),
    _v2(SUSHI, "AAVE", "WETH", 2_200, -200),
    _v2(SUSHI, "MKR", "WETH", 700, 900),
    _v2(SUSHI, "PEPE", "WETH", 800, -1000),
    _v2(SUSHI, "WBTC", "DAI", 120, 400),
    _v2(SUSHI, "LINK", "USDT", 80, -500),
    _v2(SUSHI, "AAVE", "USDC", 60, 600),
    PoolSpec(V3, "WETH", "USDC", 500, 2_500, 50),
    PoolSpec(V3, "WETH", "USDC", 3000, 1_500, -400),
    PoolSpec(V3, "WETH", "USDC", 10000, 200, 1500),
    PoolSpec(V3, "WETH", "USDT", 500, 800, -50),
    PoolSpec(V3, "WETH", "USDT", 3000, 900, 500),
    PoolSpec(V3, "WETH", "DAI", 500, 250, 0),
    PoolSpec(V3, "WETH", "DAI", 3000, 400, -300),
    PoolSpec(V3, "WBTC", "WETH", 500, 1_200, 40),
    PoolSpec(V3, "WBTC", "WETH", 3000, 1_600, 300),
    PoolSpec(V3, "WBTC", "USDC", 3000, 500, -200),
    PoolSpec(V3, "WBTC", "USDT", 3000, 250, 400),
    PoolSpec(V3, "USDC", "USDT", 100, 800, 0),
    PoolSpec(V3, "USDC", "USDT", 500, 200, 30),
    PoolSpec(V3, "DAI", "USDC", 500, 400, -30),
    PoolSpec(V3, "DAI", "USDT", 3000, 60, 300),
    PoolSpec(V3, "LINK", "WETH", 3000, 350, 200),
    PoolSpec(V3, "LINK", "WETH", 10000, 120, -2000),
    PoolSpec(V3, "UNI", "WETH", 3000, 450, -300),
    PoolSpec(V3, "UNI", "USDC", 10000, 70, 1800),
    PoolSpec(V3, "AAVE", "WETH", 3000, 250, 100),
    PoolSpec(V3, "MKR", "WETH", 3000, 300, -200),
    PoolSpec(V3, "PEPE", "WETH", 10000, 300, 2500),
)


def totals() -> dict[str, int]:
    """Symbol to what all pools together take of it."""
    sums = dict.fromkeys(TOKENS, 0)
    for spec in POOLS:
        amounts = spec.amounts()
        for symbol in (spec.base, spec.quote):
            sums[symbol] += amounts[TOKENS[symbol].address]
    return sums


async def add_pools(site: Site) -> list[DevPool]:
    """Makes and fills every pool; the deployer has ``totals`` and approved routers and position manager."""
    for spec in POOLS:
        token0, token1 = _ordered(spec)
        amounts = spec.amounts()
        amount0, amount1 = amounts[token0.address], amounts[token1.address]
        if spec.where == V3:
            pair = token0.address, token1.address
            uniswap_v3.add_pool(site, *pair, spec.fee, (amount0, amount1), spec.bands)
        else:
            exchange = _exchange(spec)
            uniswap_v2.add_pool(site, exchange, token0.address, token1.address, amount0, amount1)
    await site.settle()
    return [await _describe(site, spec) for spec in POOLS]


async def _describe(site: Site, spec: PoolSpec) -> DevPool:
    token0, token1 = (token.address for token in _ordered(spec))
    if spec.where == V3:
        at = await uniswap_v3.pool_address(site, token0, token1, spec.fee)
        return DevPool("v3", uniswap_v3.FACTORY, at, token0, token1, spec.fee)
    exchange = _exchange(spec)
    at = await uniswap_v2.pool_address(site, exchange, token0, token1)
    return DevPool("v2", exchange.factory, at, token0, token1, spec.fee)


def _ordered(spec: PoolSpec) -> tuple[TokenSpec, TokenSpec]:
    a, b = TOKENS[spec.base], TOKENS[spec.quote]
    return (a, b) if int(a.address, 16) < int(b.address, 16) else (b, a)


def _exchange(spec: PoolSpec) -> uniswap_v2.Exchange:
    return uniswap_v2.UNISWAP if spec.where == V2 else uniswap_v2.SUSHI
