"""Curve's crypto pools found and read in real blocks; then every recorded swap followed, log by log, to the wei."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest
from curve_crypto_evm import TRICRYPTO_2, TRICRYPTO_CRV, TRICRYPTO_USDC, Recorded
from recorded import cassette_path, needs_recordings

from bot import abi
from bot.amm.curve.crypto import CryptoPool
from bot.chain.pool_reader import LoadResult
from bot.chain.readers.curve_crypto import CurveCrypto
from bot.chain.state_reader import StateReader
from bot.engine.types import Log
from bot.simulation.anvil import Anvil
from bot.simulation.cassette_server import CassetteServer

pytestmark = needs_recordings

BLOCKS = [
    (13217637, TRICRYPTO_2),
    (17666333, TRICRYPTO_2),
    (19426586, TRICRYPTO_CRV),
    (24628607, TRICRYPTO_USDC),
]


@pytest.mark.parametrize("block, of", BLOCKS, ids=[str(block) for block, _ in BLOCKS])
def test_recorded_swaps_are_followed_to_the_wei(block: int, of: Recorded) -> None:
    file = json.loads(gzip.decompress(cassette_path(block).read_bytes()))
    logs = [
        Log(log["address"].lower(), tuple(log["topics"]), abi.to_bytes(log["data"]))
        for receipt in file["replayReceipts"]
        for log in receipt["logs"]
        if log["address"].lower() == of.pool
    ]
    swaps = [log for log in logs if len(log.data) >= 4 * abi.WORD]
    assert swaps
    loaded = asyncio.run(read(block, [of.pool, *of.coins, of.math]))
    pool = loaded.pools[of.pool]
    assert isinstance(pool, CryptoPool)
    assert (pool.generation, pool.tokens, pool.lp_token) == (of.generation, of.coins, of.lp_token)
    assert pool.time == int(file["block"]["timestamp"], 16)
    pool = pool.at(pool.time)
    for log in swaps:
        i, paid, j, got = (abi.uint(log.data, word) for word in range(4))
        assert pool.quote_in(i, j, paid) == got
        pool = pool.apply(log)


async def read(block: int, candidates: list[str]) -> LoadResult:
    """In the state before a block."""
    with CassetteServer(cassette_path(block)) as url:
        async with Anvil(fork_url=url, fork_block=block - 1, chain_id=1, args=("--accounts", "0")) as node:
            reader = StateReader(node.rpc, block - 1)
            infos = await CurveCrypto().identify(reader, candidates)
            assert [info.id for info in infos] == [candidates[0]]
            return await CurveCrypto().load(reader, infos, None)
