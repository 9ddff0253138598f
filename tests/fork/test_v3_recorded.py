"""v3 pools through recorded blocks: after each transaction the same by its logs and by its change of state."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

import pytest
from recorded import BLOCKS, cassette_path

from bot.amm.pool import Pool
from bot.amm.v3 import SWAP, SWAP_PANCAKE
from bot.chain.readers.uniswap_v3 import UniswapV3
from bot.chain.state_reader import StateReader
from bot.simulation.anvil import Anvil
from bot.simulation.cassette import Cassette, load
from bot.simulation.cassette_server import CassetteServer
from bot.simulation.proof import prove

CHOSEN = BLOCKS if os.environ.get("MEV_VERIFY") == "1" else [block for block in BLOCKS if block == 19426586]
"""The one with a fork's pool."""
WITHOUT_SWAPS = (19426587, 20378342)


async def pools_before(cassette: Cassette) -> Mapping[str, Pool]:
    parent = cassette.number - 1
    with CassetteServer(cassette.path) as url:
        async with Anvil(fork_url=url, fork_block=parent, chain_id=1, args=("--accounts", "0")) as node:
            reader = StateReader(node.rpc, parent)
            infos = await UniswapV3().identify(reader, [address.lower() for address in cassette.accounts])
            return (await UniswapV3().load(reader, infos, 10_000)).pools


@pytest.mark.parametrize("block", CHOSEN)
def test_logs_and_changes_of_state_lead_to_the_same_pools(block: int) -> None:
    cassette = load(cassette_path(block))
    proof = asyncio.run(prove(cassette))
    assert proof.matches
    pools = dict(asyncio.run(pools_before(cassette)))
    moved = swapped = 0
    for logs, diff in zip(proof.logs, proof.diffs, strict=True):
        followed = {id: pool.apply_diff(diff) for id, pool in pools.items()}
        moved += sum(followed[id] is not pool for id, pool in pools.items())
        swaps = (log.address for log in logs if log.topics and log.topics[0] in (SWAP, SWAP_PANCAKE))
        swapped += len(set(swaps) & set(pools))
        for log in logs:
            if log.address in pools and log.topics:
                pools[log.address] = pools[log.address].apply(log)
        assert followed == pools
    assert moved >= swapped
    assert swapped or block in WITHOUT_SWAPS
