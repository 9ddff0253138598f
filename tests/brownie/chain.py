"""A chain to fork, with an arbitrage open on it: the devnet's state, and one large swap on top.

Runs in the project's own environment. Prints one line of JSON (`url`, `weth`, `program`, `profit`: the executor's
calldata in hex, and the wei of WETH that it must bring), then serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable

from bot import abi
from bot.amm.v2 import V2Pool
from bot.devnet.deployment import Deployment, DevPool
from bot.devnet.place import Site, calldata
from bot.devnet.state import devnet_node, ensure_state
from bot.engine.types import Hop, Trade
from bot.execution.program import Capital, encode, plan
from bot.paths import data_dir

SOLD = 400 * 10**18  # wei of WETH: enough to pay both pools' fees twice over
FOREVER = 2**255


async def main() -> None:
    state, deployment = await ensure_state(data_dir())
    async with devnet_node(state, deployment) as node:
        await node.rpc.call("anvil_autoImpersonateAccount", True)
        site = Site(node.rpc, deployment.traders[0], deployment.head_timestamp)
        trade = await open_arbitrage(site, deployment)
        told = {"url": node.http_url, "weth": deployment.weth, "profit": trade.gross_profit}
        print(json.dumps(told | {"program": abi.to_hex(program(trade, deployment.weth))}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


def program(trade: Trade, weth: str) -> bytes:
    """Needs no capital, and reverts unless it brings the whole profit."""
    return encode(plan(trade, Capital.NESTED, weth=weth), token=weth, min_profit=trade.gross_profit, weth=weth)


async def open_arbitrage(site: Site, deployment: Deployment) -> Trade:
    """Makes WETH cheap on the first exchange; the trade that sells it on the second and buys it back there."""
    weth, usdc = deployment.weth, deployment.token("USDC").address
    swap = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
    site.send(deployment.v2_routers[0], calldata(swap, SOLD, 0, [weth, usdc], site.deployer, FOREVER))
    await site.settle()
    cheap, dear = [await read(site, pair(deployment, factory, weth, usdc)) for factory in deployment.v2_factories[:2]]
    route = (Hop(dear.id, "v2", weth, usdc), Hop(cheap.id, "v2", usdc, weth))

    def amounts(amount: int) -> tuple[int, int, int]:
        between = dear.quote_in(int(not route[0].zero_for_one), int(route[0].zero_for_one), amount)
        return amount, between, cheap.quote_in(int(not route[1].zero_for_one), int(route[1].zero_for_one), between)

    return Trade(route, amounts(best(lambda amount: amounts(amount)[2] - amount, SOLD)))


def best(gain: Callable[[int], int], most: int) -> int:
    """Where ``gain``, which first rises and then falls, is greatest between 0 and ``most``."""
    low, high = 0, most
    while high - low > 2:
        third = (high - low) // 3
        if gain(low + third) < gain(high - third):
            low += third
        else:
            high -= third
    return max(range(low, high + 1), key=gain)


def pair(deployment: Deployment, factory: str, *tokens: str) -> DevPool:
    """The exchange's pair of these tokens."""
    fits = (p for p in deployment.pools if p.factory == factory and {p.token0, p.token1} == set(tokens))
    return next(fits)


async def read(site: Site, pool: DevPool) -> V2Pool:
    """The pair with its reserves at the head."""
    reserves = await site.call(pool.address, abi.call("getReserves()"))
    return V2Pool(pool.address, pool.token0, pool.token1, abi.uint(reserves, 0), abi.uint(reserves, 1))


if __name__ == "__main__":
    asyncio.run(main())
