"""Pools found and read in real blocks, where most state is not recorded; then every recorded swap quoted."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from bot import abi
from bot.amm.pool import NoLiquidity, Pool, UnknownState
from bot.amm.v2 import SYNC
from bot.amm.v3 import SWAP, SWAP_PANCAKE, V3Pool
from bot.chain import v2_fees
from bot.chain.pool_reader import LoadResult, PoolInfo
from bot.chain.pools import identify, load
from bot.engine.types import Log
from bot.simulation.anvil import Anvil
from bot.simulation.cassette_server import CassetteServer

DATA = Path(__file__).parents[2].parent / "shared/data/mainnet"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="no ../shared/data beside the repository")

# How many v3 swaps each block holds; without MEV_VERIFY=1 only the blocks that hold something of their own.
BLOCKS = {"13217637": 10, "17666333": 8, "19426586": 12, "24628607": 24}
if os.environ.get("MEV_VERIFY") == "1":
    BLOCKS |= {"15050000": 4, "15537394": 5, "17034869": 3, "18085863": 5, "19426587": 0}
    BLOCKS |= {"19932148": 2, "20378342": 0, "22244135": 2, "23879620": 1}
every_block = pytest.mark.parametrize("block", BLOCKS)


@dataclass(frozen=True)
class Recorded:
    """A block's logs, and what was found in the state before it."""

    logs: list[Log]
    infos: dict[str, PoolInfo]
    loaded: LoadResult

    @property
    def pool_logs(self) -> dict[str, list[Log]]:
        by_address = defaultdict(list)
        for log in self.logs:
            if log.topics:
                by_address[log.address].append(log)
        return by_address


@lru_cache
def recorded(block: str) -> Recorded:
    path = DATA / f"{block}.json.gz"
    file: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    logs = [
        Log(log["address"].lower(), tuple(log["topics"]), abi.to_bytes(log["data"]))
        for receipt in file["replayReceipts"]
        for log in receipt["logs"]
    ]
    parent = int(block) - 1

    async def find() -> tuple[list[PoolInfo], LoadResult]:
        with CassetteServer(path) as url:
            async with Anvil(fork_url=url, fork_block=parent, chain_id=1, args=("--accounts", "0")) as node:
                infos = await identify(node.rpc, (address.lower() for address in file["accounts"]), parent)
                pair = next(info for info in infos if info.protocol.startswith("uniswap-v"))
                nowhere = replace(pair, id="0x" + "ab" * 20)
                return infos, await load(node.rpc, [*infos, nowhere], parent)

    infos, loaded = asyncio.run(find())
    return Recorded(logs, {info.id: info for info in infos}, loaded)


@every_block
def test_every_pool_that_traded_is_found_and_read(block: str) -> None:
    found = recorded(block)
    traded = {log.address for log in found.logs if log.topics and log.topics[0] in (SYNC, SWAP, SWAP_PANCAKE)}
    assert traded <= set(found.infos)
    assert traded <= set(found.loaded.pools)


@every_block
def test_tokens_and_fees_are_those_of_the_labels(block: str) -> None:
    found = recorded(block)
    pairs = json.loads((DATA / "labels.json").read_text())[block]["pairsOn2plusPools"]
    for pair in pairs:
        for kind, _, fee, address in pair["pools"]:
            info = found.infos[address]
            assert (info.protocol, list(info.tokens)) == (f"uniswap-{kind}", sorted(pair["tokens"]))
            assert fee in (None, info.fee)


@every_block
def test_what_is_not_recorded_is_named(block: str) -> None:
    unknown = recorded(block).loaded.unknown
    assert "not recorded" in unknown["0x" + "ab" * 20]


@every_block
def test_every_v3_swap_is_quoted_exactly(block: str) -> None:
    found = recorded(block)
    pools, exact = dict(found.loaded.pools), 0
    for address, logs in found.pool_logs.items():
        for log in logs if isinstance(pools.get(address), V3Pool) else []:
            if log.topics[0] in (SWAP, SWAP_PANCAKE):
                delta0, delta1 = abi.sint(log.data), abi.sint(log.data, 1)
                zero_for_one = delta0 > 0
                paid, got = (delta0, -delta1) if zero_for_one else (delta1, -delta0)
                assert fits(pools[address], zero_for_one, paid, got), (address, zero_for_one, paid, got)
                exact += 1
            pools[address] = pools[address].apply(log)
    assert exact == BLOCKS[block]


def fits(pool: Pool, zero_for_one: bool, paid: int, got: int) -> bool:
    """Whether a swap was exact in or exact out; nothing says which, and one of the ways may need unknown ticks."""
    for quote, given, expected in ((pool.quote_in, paid, got), (pool.quote_out, got, paid)):
        try:
            if quote(int(not zero_for_one), int(zero_for_one), given) == expected:
                return True
        except (UnknownState, NoLiquidity):
            pass
    return False


@every_block
def test_v2_swaps_agree_with_the_fees(block: str) -> None:
    found = recorded(block)
    told = 0
    for address, logs in found.pool_logs.items():
        info = found.infos.get(address)
        if info is not None and info.protocol == "uniswap-v2":
            assert v2_fees.fee_allowed(info.fee, logs), address
            assert not info.fee_assumed or v2_fees.likely_fee(info.fee, logs) == info.fee, address
            told += v2_fees.fee_from_swaps(logs) == info.fee
    assert told or not any(log.topics and log.topics[0] == v2_fees.SWAP for log in found.logs)


def test_forks_are_found_in_their_layouts() -> None:
    infos = recorded("17666333").infos
    for address in ("0xaf9742157a67e35f1aa0803e6ec589ca4cfd0864", "0x9467a2d9c07cebce3708ca32eeb2b9219aeb31b8"):
        assert (infos[address].layout, infos[address].fee) == ("stored-fee-v2", 2_000)
    shifted = recorded("19426586").infos["0x9afe20b4b51c417e130e0339692e5a32dfc4764c"]
    assert (shifted.layout, shifted.factory) == ("shifted-v3", "0x075c42cd233a1c723c0f18f6dd575c8d679fea85")
