"""Uniswap v2 at its mainnet addresses, and the same code once more at Sushi's.

The second factory makes pairs of Uniswap's code, so their CREATE2 salt and init-code hash are Uniswap's.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.abi import address, call
from bot.devnet.artifacts import Artifact
from bot.devnet.place import Site, arguments

FACTORY_ARTIFACT = Artifact("@uniswap/v2-core/build/UniswapV2Factory.json")
PAIR_ARTIFACT = Artifact("@uniswap/v2-core/build/UniswapV2Pair.json")
ROUTER_ARTIFACT = Artifact("@uniswap/v2-periphery/build/UniswapV2Router02.json")
ARTIFACTS = (FACTORY_ARTIFACT, ROUTER_ARTIFACT)

FEE = 3000
FOREVER = 2**256 - 1


@dataclass(frozen=True, slots=True)
class Exchange:
    """One deployment: a factory and the router that trades on it."""

    factory: str
    router: str


UNISWAP = Exchange("0x5c69bee701ef814a2b6a3edd4b1652cb9cc5aa6f", "0x7a250d5630b4cf539739df2c5dacb4c659f2488d")
SUSHI = Exchange("0xc0aee478e3658e2610c5f7a4a2e1777ce9e4f2ac", "0xd9e1ce17f2641f24ae83637ab66a2cca9c378b9f")


async def place(site: Site, weth: str) -> None:
    """Both factories and both routers, no pairs yet."""
    codes = {}
    for exchange in (UNISWAP, SUSHI):
        codes[exchange.factory] = FACTORY_ARTIFACT.initcode() + arguments("(address)", site.deployer)
        codes[exchange.router] = ROUTER_ARTIFACT.initcode() + arguments("(address,address)", exchange.factory, weth)
    await site.place(codes)


def add_pool(site: Site, exchange: Exchange, token_a: str, token_b: str, amount_a: int, amount_b: int) -> None:
    """Queues a new pair with these reserves, which the deployer has and the router may take."""
    signature = "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)"
    data = call(signature, token_a, token_b, amount_a, amount_b, 0, 0, site.deployer, FOREVER)
    site.send(exchange.router, data)


async def pool_address(site: Site, exchange: Exchange, token_a: str, token_b: str) -> str:
    """The pair, by the factory's own word."""
    return address(await site.call(exchange.factory, call("getPair(address,address)", token_a, token_b)))
