"""Uniswap v3 at its mainnet addresses: factory, SwapRouter, NonfungiblePositionManager."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt, log

from bot.abi import address, call
from bot.devnet.artifacts import Artifact
from bot.devnet.place import Site, arguments

FACTORY_ARTIFACT = Artifact("@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json")
POOL_ARTIFACT = Artifact("@uniswap/v3-core/artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json")
_PERIPHERY = "@uniswap/v3-periphery/artifacts/contracts"
ROUTER_ARTIFACT = Artifact(f"{_PERIPHERY}/SwapRouter.sol/SwapRouter.json")
POSITIONS_ARTIFACT = Artifact(f"{_PERIPHERY}/NonfungiblePositionManager.sol/NonfungiblePositionManager.json")
ARTIFACTS = (FACTORY_ARTIFACT, ROUTER_ARTIFACT, POSITIONS_ARTIFACT)

FACTORY = "0x1f98431c8ad98523631ae4a59f267346ea31f984"
ROUTER = "0xe592427a0aece92de3edee1f18e0157c05861564"
POSITIONS = "0xc36442b4a4522e871399cd717abdd847ab11fe88"
TOKEN_DESCRIPTOR = "0xee6a57ec80ea46401049e92587e52f5ec1c24785"  # mainnet's; only tokenURI asks it: no code here

SPACING = {100: 1, 500: 10, 3000: 60, 10000: 200}
"""Fee in millionths to tick spacing. Mainnet's factory has 100 by governance, so it is enabled here too."""
MAX_TICK = 887272
FOREVER = 2**256 - 1


@dataclass(frozen=True, slots=True)
class Band:
    """A position: ticks below and above the price (None is as far as ticks go), with ``percent`` of the pool's
    tokens."""

    below: int | None
    above: int | None
    percent: int


async def place(site: Site, weth: str) -> None:
    """Factory, router and position manager, no pools yet."""
    await site.place(
        {
            FACTORY: FACTORY_ARTIFACT.initcode(),
            ROUTER: ROUTER_ARTIFACT.initcode() + arguments("(address,address)", FACTORY, weth),
            POSITIONS: POSITIONS_ARTIFACT.initcode()
            + arguments("(address,address,address)", FACTORY, weth, TOKEN_DESCRIPTOR),
        }
    )
    site.send(FACTORY, call("enableFeeAmount(uint24,int24)", 100, SPACING[100]))
    await site.settle()


def add_pool(site: Site, token0: str, token1: str, fee: int, amounts: tuple[int, int], bands: Sequence[Band]) -> None:
    """Queues a pool at the price that ``amounts`` (of token0, of token1) have, with a position a band.

    The deployer has the amounts and the position manager may take them.
    """
    amount0, amount1 = amounts
    sqrt_price = isqrt((amount1 << 192) // amount0)
    create = "createAndInitializePoolIfNecessary(address,address,uint24,uint160)"
    site.send(POSITIONS, call(create, token0, token1, fee, sqrt_price))
    tick, spacing = int(log(amount1 / amount0) // log(1.0001)), SPACING[fee]
    mint = "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))"
    for band in bands:
        lower = -MAX_TICK if band.below is None else tick - band.below
        upper = MAX_TICK if band.above is None else tick + band.above
        lower, upper = -(-lower // spacing) * spacing, upper // spacing * spacing
        share0, share1 = (amount * band.percent // 100 for amount in amounts)
        data = call(mint, token0, token1, fee, lower, upper, share0, share1, 0, 0, site.deployer, FOREVER)
        site.send(POSITIONS, data)


async def pool_address(site: Site, token0: str, token1: str, fee: int) -> str:
    """The pool, by the factory's own word."""
    return address(await site.call(FACTORY, call("getPool(address,address,uint24)", token0, token1, fee)))
