"""Order flow on the real protocols: the same for the same seed, alive, and worth a back-run."""

from __future__ import annotations

import math
import os
from pathlib import Path

from bot.devnet import flow_pools
from bot.devnet.flow_pools import PoolView
from bot.devnet.network import Devnet
from bot.paths import data_dir

BLOCKS = 300 if os.environ.get("MEV_VERIFY") else 30


async def first_slots(folder: Path, seed: int, slots: int) -> tuple[list[str], str]:
    """Transaction hashes and the last block's hash."""
    async with Devnet(folder, seed) as net:
        hashes = []
        for _ in range(slots):
            hashes += await net.send_flow()
            block = await net.build_block()
        return hashes, block.hash


async def test_same_seed_same_chain() -> None:
    one, again, other = [await first_slots(data_dir(), seed, 4) for seed in (7, 7, 8)]
    assert one == again
    assert not set(one[0]) & set(other[0])


async def test_flow_stays_alive_and_leaves_something_behind() -> None:
    async with Devnet(data_dir(), 7) as net:
        price = {token.address: token.price_usd / 10**token.decimals for token in net.deployment.tokens}
        sent = mined = failed = rich = 0
        earned: dict[tuple[str, str], float] = {}
        for _ in range(BLOCKS):
            sent += len(await net.send_flow())
            block = await net.build_block()
            receipts = await net.node.rpc.call("eth_getBlockReceipts", hex(block.number))
            mined += len(receipts)
            failed += sum(receipt["status"] != "0x1" for receipt in receipts)
            views = await flow_pools.read(net.node.rpc, net.deployment.pools)
            before, earned = earned, gaps(views, price)
            rich += any(usd - before.get(pair, 0.0) > 10 for pair, usd in earned.items())
        assert len(views) == len(net.deployment.pools)
        assert mined == sent >= 10 * BLOCKS
        assert 0 < failed < 0.15 * mined
        assert rich >= 0.8 * BLOCKS
        for view in views:
            off = math.log(view.depth1 * price[view.pool.token1] / (view.depth0 * price[view.pool.token0]))
            assert abs(off) < 0.3, view


def gaps(views: list[PoolView], price: dict[str, float]) -> dict[tuple[str, str], float]:
    """Dollars that a loop through two pools of the same pair would earn, both taken as constant products: with gains
    a and b out of x, y*g*x / (X + g*x) twice is A x / (B + C x), best at (sqrt(A B) - B) / C."""
    found = {}
    for first in views:
        for second in views:
            pair = (first.pool.token0, first.pool.token1)
            if first is second or pair != (second.pool.token0, second.pool.token1):
                continue
            keep1, keep2 = 1 - first.pool.fee / 1e6, 1 - second.pool.fee / 1e6
            a = keep1 * keep2 * first.depth1 * second.depth0
            b = first.depth0 * second.depth1
            c = keep1 * (second.depth1 + keep2 * first.depth1)
            if a > b:
                found[first.pool.address, second.pool.address] = (
                    (math.sqrt(a) - math.sqrt(b)) ** 2 / c * price[first.pool.token0]
                )
    return found
