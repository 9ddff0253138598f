"""Pools of a running node: found by their factories, read, quoted, and followed by their logs."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bot import abi
from bot.amm.pool import NoLiquidity, Pool
from bot.amm.v2 import V2Pool
from bot.amm.v3 import SWAP as V3_SWAP
from bot.amm.v3 import V3Pool
from bot.chain.discovery import Factories, from_tokens
from bot.chain.pool_reader import PoolInfo
from bot.chain.pools import identify, load
from bot.chain.v2_fees import SWAP as V2_SWAP
from bot.devnet.deployment import Deployment
from bot.devnet.place import Site
from bot.devnet.state import devnet_node, ensure_state
from bot.engine.types import Log
from bot.paths import data_dir

FEES = (100, 500, 3_000, 10_000)


@dataclass(frozen=True)
class Devnet:
    site: Site
    deployment: Deployment

    async def find(self) -> list[PoolInfo]:
        tokens = [token.address for token in self.deployment.tokens]
        v2 = dict.fromkeys(self.deployment.v2_factories, 3_000)
        v3 = {self.deployment.v3_factory: FEES}
        return await from_tokens(self.site.rpc, Factories(v2, v3), tokens, self.deployment.head_number)


@pytest.fixture
async def devnet() -> AsyncIterator[Devnet]:
    state, deployment = await ensure_state(data_dir())
    async with devnet_node(state, deployment) as node:
        await node.rpc.call("anvil_autoImpersonateAccount", True)
        yield Devnet(Site(node.rpc, deployment.traders[0], deployment.head_timestamp), deployment)


async def test_all_pools_are_found(devnet: Devnet) -> None:
    expected = {
        (f"uniswap-{pool.kind}", pool.factory, pool.address, (pool.token0, pool.token1), pool.fee)
        for pool in devnet.deployment.pools
    }
    found = await devnet.find()
    assert {(info.protocol, info.factory, info.id, info.tokens, info.fee) for info in found} == expected
    assert not any(info.fee_assumed for info in found)


async def test_asked_themselves_pools_say_the_same(devnet: Devnet) -> None:
    found = {info.id: info for info in await devnet.find()}
    others = [token.address for token in devnet.deployment.tokens]
    others += [devnet.deployment.v3_factory, devnet.deployment.aave_pool, "0x" + "ab" * 20]
    asked = await identify(devnet.site.rpc, [*others, *found], devnet.deployment.head_number)
    (wrapper,) = (info for info in asked if info.protocol == "weth")
    assert wrapper.id == devnet.deployment.weth
    asked.remove(wrapper)
    assert {info.id: replace(info, fee=found[info.id].fee, fee_assumed=False) for info in asked} == found


async def test_reach_bounds_what_is_known_and_nothing_else(devnet: Devnet) -> None:
    infos = await devnet.find()
    number = devnet.deployment.head_number
    near = await load(devnet.site.rpc, infos, number)
    whole = await load(devnet.site.rpc, infos, number, reach=None)
    assert near.unknown == whole.unknown == {}
    assert set(near.pools) == set(whole.pools) == {info.id for info in infos}
    narrower = 0
    for address, pool in whole.pools.items():
        part = near.pools[address]
        if isinstance(pool, V3Pool) and isinstance(part, V3Pool):
            narrower += len(part.ticks.words) < len(pool.ticks.words)
            assert part.ticks.words.items() <= pool.ticks.words.items()
            assert replace(part, ticks=pool.ticks) == pool
            assert sum(entry.net for entry in pool.ticks.liquidity.values()) == 0
            assert pool.liquidity == sum(entry.net for tick, entry in pool.ticks.liquidity.items() if tick <= pool.tick)
    assert narrower


async def test_swaps_pay_what_was_quoted_and_are_followed(devnet: Devnet) -> None:
    infos = {info.id: info for info in await devnet.find()}
    pools = dict((await load(devnet.site.rpc, infos.values(), devnet.deployment.head_number)).pools)
    dice = random.Random(7)
    for pool in pools.values():
        zero_for_one = dice.random() < 0.5
        segment = next(pool.segments(int(not zero_for_one), int(zero_for_one)))
        amount = int(min(segment.x * 0.001, segment.capacity) * dice.random()) + 1000
        devnet.site.send(*trade(devnet.deployment, infos[pool.id], zero_for_one, amount))
    receipts = await devnet.site.settle()
    quoted = 0
    for log in (log_of(raw) for receipt in receipts for raw in receipt["logs"]):
        pool = pools.get(log.address)
        if pool is None:
            continue
        amounts = swapped(log)
        if amounts:
            zero_for_one, paid, got = amounts
            # A v2 pair logs Sync in front of Swap: the pool in hand is already the one after it.
            before = pool if pool.kind == "v3" else undone(pool, *amounts)
            assert before.quote_in(int(not zero_for_one), int(zero_for_one), paid) == got, pool
            quoted += 1
        pools[log.address] = pool.apply(log)
    assert quoted == len(pools)
    head = int(receipts[-1]["blockNumber"], 16)
    assert (await load(devnet.site.rpc, infos.values(), head)).pools == pools


async def test_pools_that_a_block_makes_are_empty_before_it_and_followed_from_there(devnet: Devnet) -> None:
    deployment, site = devnet.deployment, devnet.site
    tokens = sorted(["0x" + "71" * 20, deployment.weth])
    site.send(deployment.v2_factories[0], abi.call("createPair(address,address)", *tokens))
    site.send(deployment.v3_factory, abi.call("createPool(address,address,uint24)", *tokens, 3_000))
    made_pair, made_pool = await site.settle()
    pair = abi.address(abi.to_bytes(made_pair["logs"][0]["data"]))
    pool = abi.address(abi.to_bytes(made_pool["logs"][0]["data"])[abi.WORD :])
    site.send(pool, abi.call("initialize(uint160)", 3 << 96))
    initialised = await site.settle()
    infos = [
        PoolInfo(pair, "uniswap-v2", "uniswap-v2", None, (tokens[0], tokens[1]), 3_000),
        PoolInfo(pool, "uniswap-v3", "uniswap-v3", None, (tokens[0], tokens[1]), 3_000, tick_spacing=60),
    ]
    before = await load(site.rpc, infos, deployment.head_number)
    assert before.unknown == {}
    for empty in before.pools.values():
        for zero_for_one in (True, False):
            with pytest.raises(NoLiquidity):
                empty.quote_in(int(not zero_for_one), int(zero_for_one), 1)
    after = before.pools[pool]
    for raw in initialised[0]["logs"]:
        after = after.apply(log_of(raw))
    assert isinstance(after, V3Pool)
    assert (after.sqrt_price, after.liquidity) == (3 << 96, 0)
    assert after == (await load(site.rpc, infos, "latest", reach=None)).pools[pool]


def swapped(log: Log) -> tuple[bool, int, int] | None:
    """Direction, input and output in a Swap log of either kind."""
    if log.topics[0] == V3_SWAP:
        deltas = abi.sint(log.data), abi.sint(log.data, 1)
        return (True, deltas[0], -deltas[1]) if deltas[0] > 0 else (False, deltas[1], -deltas[0])
    if log.topics[0] == V2_SWAP:
        in0, in1, out0, out1 = (abi.uint(log.data, index) for index in range(4))
        return (True, in0, out1) if in0 else (False, in1, out0)
    return None


def undone(pool: Pool, zero_for_one: bool, paid: int, got: int) -> Pool:
    assert isinstance(pool, V2Pool)
    moved0, moved1 = (paid, -got) if zero_for_one else (-got, paid)
    return replace(pool, reserve0=pool.reserve0 - moved0, reserve1=pool.reserve1 - moved1)


def trade(deployment: Deployment, info: PoolInfo, zero_for_one: bool, amount: int) -> tuple[str, bytes]:
    """Router and calldata of a swap through one pool, for the first trader."""
    tokens = info.tokens if zero_for_one else info.tokens[::-1]
    trader, deadline = deployment.traders[0], 2**40
    if info.protocol == "uniswap-v3":
        signature = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
        return deployment.v3_router, abi.call(signature, *tokens, info.fee, trader, deadline, amount, 0, 0)
    router = deployment.v2_routers[deployment.v2_factories.index(info.factory or "")]
    signature = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
    return router, abi.call(signature, amount, 0, 160, trader, deadline, 2, *tokens)


def log_of(raw: dict[str, Any]) -> Log:
    return Log(raw["address"].lower(), tuple(raw["topics"]), abi.to_bytes(raw["data"]))
