"""Uniswap v4's PoolManager at its mainnet address, with two pools whose tokens it can lend."""

from __future__ import annotations

from math import isqrt

from bot.devnet.artifacts import Artifact
from bot.devnet.place import Site, arguments, calldata
from bot.devnet.tokens import TOKENS, approve

MANAGER_ARTIFACT = Artifact("@uniswap/v4-core/out/PoolManager.sol/PoolManager.json")
LIQUIDITY_ARTIFACT = Artifact("@uniswap/v4-core/out/PoolModifyLiquidityTest.sol/PoolModifyLiquidityTest.json")
ARTIFACTS = (MANAGER_ARTIFACT, LIQUIDITY_ARTIFACT)

MANAGER = "0x000000000004444c5dc75cb358380d2e3de08a90"
NO_HOOKS = "0x" + "00" * 20
FEE, SPACING = 3000, 60
MAX_TICK = 887272 // SPACING * SPACING

POOLS = (("USDC", "WETH", 60_000_000), ("DAI", "WETH", 20_000_000))
"""Tokens in the order of their addresses, dollars on both sides together."""

_KEY = "(address,address,uint24,int24,address)"


async def place(site: Site) -> None:
    """Manager, and pools filled over their whole range through the package's own test router."""
    await site.place({MANAGER: MANAGER_ARTIFACT.initcode() + arguments("(address)", site.deployer)})
    (router,) = await site.create(LIQUIDITY_ARTIFACT.initcode() + arguments("(address)", MANAGER))
    for symbol in sorted({symbol for pair in POOLS for symbol in pair[:2]}):
        approve(site, TOKENS[symbol].address, router)
    for symbol0, symbol1, usd in POOLS:
        token0, token1 = TOKENS[symbol0], TOKENS[symbol1]
        amount0, amount1 = token0.worth(usd // 2), token1.worth(usd // 2)
        key = (token0.address, token1.address, FEE, SPACING, NO_HOOKS)
        site.send(MANAGER, calldata(f"initialize({_KEY},uint160)", key, isqrt((amount1 << 192) // amount0)))
        position = (-MAX_TICK, MAX_TICK, isqrt(amount0 * amount1), bytes(32))
        modify = f"modifyLiquidity({_KEY},(int24,int24,int256,bytes32),bytes)"
        site.send(router, calldata(modify, key, position, b""))
    await site.settle()
