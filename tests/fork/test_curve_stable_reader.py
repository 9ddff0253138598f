"""Curve's StableSwap pools in recorded blocks: known by their code, read, and each exchange that happened replayed."""

from __future__ import annotations

import asyncio
import gzip
import json
from dataclasses import replace

import pytest
from recorded import cassette_path, needs_recordings
from venue_chain import PROBE, by
from venue_recorded import Recordings

from bot import abi
from bot.amm.curve.stable import CurveStablePool
from bot.amm.pool import UnknownState
from bot.chain.pool_reader import LoadResult, PoolInfo
from bot.chain.readers.curve_stable import CurveStable
from bot.chain.state_reader import StateReader
from bot.engine.types import Log
from bot.execution.steps import CurveKind
from bot.simulation.anvil import Anvil
from bot.simulation.cassette_server import CassetteServer

pytestmark = needs_recordings

DAI = "0x6b175474e89094c44da98b954eedeac495271d0f"
USDC = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
USDT = "0xdac17f958d2ee523a2206206994597c13d831ec7"
CRVUSD = "0xf939e0a03fb07f59a73314e73794be0e57ac1b4e"
USDE = "0x4c9edd5852cd905f086c759e8383e09bff1e68b3"
SUSDE = "0x9d39a5de30e57443bff2a8307a4256c8797a3497"
USD = "0x57ab1ec28d129707052df4df418d58a2d46d5f51"

POOLS = [
    (17666333, "0xbebc44782c7db0a1a60cb6fe97d0b483032ff1c7", "stable-2020", (DAI, USDC, USDT), False),
    (19426586, "0x4dece678ceceb27446b35c672dc7d61f30bad69e", "stable-ema", (USDC, CRVUSD), False),
    (19932148, "0x02950460e2b9529d0e00284a5fa2d7bdf3fa4d72", "stable-ng-first", (USDE, USDC), False),
    (24628607, "0x4b5e827f4c0a1042272a11857a355da1f4ceebae", "stable-ng", (USD, SUSDE), True),
]
EXCHANGED = abi.topic("TokenExchange(address,int128,uint256,int128,uint256)")


def read(block: int) -> tuple[list[PoolInfo], LoadResult, list[Log]]:
    """What is found among all accounts of a block, in the state before it, and the block's logs."""
    path = cassette_path(block)
    file = json.loads(gzip.decompress(path.read_bytes()))
    logs = [
        Log(log["address"].lower(), tuple(log["topics"]), abi.to_bytes(log["data"]))
        for receipt in file["replayReceipts"]
        for log in receipt["logs"]
    ]

    async def find() -> tuple[list[PoolInfo], LoadResult]:
        with CassetteServer(path) as url:
            async with Anvil(fork_url=url, fork_block=block - 1, chain_id=1, args=("--accounts", "0")) as node:
                reader, curve = StateReader(node.rpc, block - 1), CurveStable()
                infos = await curve.identify(reader, [address.lower() for address in file["accounts"]])
                return infos, await curve.load(reader, infos, None)

    return *asyncio.run(find()), logs


@pytest.mark.parametrize("block, address, generation, tokens, silent", POOLS)
def test_the_pool_is_read_and_its_exchange_replayed(
    block: int, address: str, generation: str, tokens: tuple[str, ...], silent: bool
) -> None:
    (info,), loaded, logs = read(block)
    assert (info.id, info.layout, info.tokens) == (address, generation, tokens)
    assert not loaded.unknown
    pool = loaded.pools[address]
    assert isinstance(pool, CurveStablePool)
    assert pool.silent == silent and pool.terms(1, 0) == (CurveKind.PLAIN, 1, 0)
    (log,) = [log for log in logs if log.address == address and log.topics[0] == EXCHANGED]
    if silent:  # the vault's rate goes with the time: as of the block before it is another
        with pytest.raises(UnknownState):
            pool.apply(log)
        rates = rates_within(block, address)
        assert rates[0] == pool.state.rates[0] and 0 < rates[1] - pool.state.rates[1] < rates[1] // 10**7
        pool = replace(pool, state=replace(pool.state, rates=rates))
    i, sold, j, bought = (abi.uint(log.data, index) for index in range(4))
    assert pool.quote_in(i, j, sold) == bought
    least = pool.quote_out(i, j, bought)
    assert least <= sold and pool.quote_in(i, j, least) >= bought
    after = pool.apply(log)
    assert after.state.balances[i] == pool.state.balances[i] + sold


def rates_within(block: int, address: str) -> tuple[int, int]:
    """What the pool's stored_rates answers at the block's own time."""
    with Recordings() as recordings:
        (result,) = recordings.after(block, 0).run([by(PROBE, address, abi.call("stored_rates()"))])
    return abi.uint(result.output, 2), abi.uint(result.output, 3)
