"""Mainnet's v4 pools in a recorded block: read by their keys, every swap quoted, and followed by logs and by changes of
state alike."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from recorded import cassette_path, needs_recordings

from bot import abi
from bot.amm.pool import NoLiquidity, UnknownState
from bot.amm.v4 import DYNAMIC_FEE, INITIALIZE, SWAP, V4Pool
from bot.chain.pool_reader import LoadResult, PoolInfo
from bot.chain.readers.uniswap_v4 import MAINNET_MANAGER, PoolKey, UniswapV4, from_keys, from_logs
from bot.chain.state_reader import StateReader
from bot.engine.types import Log
from bot.jsonrpc import JsonRpc
from bot.simulation.cassette import load
from bot.simulation.cassette_server import CassetteServer
from bot.simulation.proof import prove

BLOCK = 24628607
ETH = "0x" + "00" * 20
WBTC = "0x2260fac5e5542a773aa44fbcfedf7c193bc2c599"
USDC = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
CBBTC = "0xcbb7c0000ab88b473b1f5afd9ef808440eed33bf"
USDT = "0xdac17f958d2ee523a2206206994597c13d831ec7"
ANGSTROM = "0x0000000aa232009084bd71a5797d089aa4edfad4"
KEYS = (
    PoolKey(ETH, USDC, 100, 1, ETH),
    PoolKey(ETH, USDT, 100, 1, ETH),
    PoolKey(WBTC, USDC, 500, 10, ETH),
    PoolKey(WBTC, USDC, 3000, 60, ETH),
    PoolKey(WBTC, CBBTC, 100, 1, ETH),
    PoolKey(WBTC, USDT, 3000, 60, ETH),
    PoolKey(USDC, CBBTC, 3000, 60, ETH),
)
HOOKED = (
    PoolKey(USDC, WETH, DYNAMIC_FEE, 10, ANGSTROM),
    PoolKey(WETH, USDT, DYNAMIC_FEE, 10, ANGSTROM),
)


def read(infos: Sequence[PoolInfo]) -> LoadResult:
    async def ask(url: str) -> LoadResult:
        async with JsonRpc(url) as rpc:
            return await UniswapV4().load(StateReader(rpc, BLOCK - 1), infos, 10_000)

    with CassetteServer(cassette_path(BLOCK)) as url:
        return asyncio.run(ask(url))


@needs_recordings
def test_every_swap_of_the_block() -> None:
    proof = asyncio.run(prove(load(cassette_path(BLOCK))))
    assert proof.matches
    infos = from_keys(MAINNET_MANAGER, KEYS + HOOKED)
    loaded = read(infos)
    assert not loaded.unknown
    pools = {id: pool for id, pool in loaded.pools.items() if isinstance(pool, V4Pool)}
    exact = hooked = 0
    for logs, diff in zip(proof.logs, proof.diffs, strict=True):
        before = dict(pools)
        for log in logs:
            if log.address == MAINNET_MANAGER and log.topics[1] in pools:
                pool = pools[log.topics[1]]
                if log.topics[0] == SWAP:
                    exact += fits(pool, log)
                    hooked += pool.simulated
                pools[pool.id] = pool.apply(log)
        for id, pool in pools.items():
            followed = before[id].apply_diff(diff)
            assert followed == (replace(pool, lp_fee=followed.lp_fee) if pool.simulated else pool)
    assert (exact, hooked) == (8, 2)


def fits(pool: V4Pool, log: Log) -> bool:
    """Whether a swap was exact in or exact out; nothing says which."""
    deltas = abi.sint(log.data), abi.sint(log.data, 1)
    i = 0 if deltas[0] < 0 else 1
    for quote, given, expected in (
        (pool.quote_in, -deltas[i], deltas[1 - i]),
        (pool.quote_out, deltas[1 - i], -deltas[i]),
    ):
        try:
            if quote(i, 1 - i, given) == expected:
                return True
        except (UnknownState, NoLiquidity):
            pass
    return False


@needs_recordings
def test_pools_with_a_hook_in_the_swap_are_marked() -> None:
    infos = from_keys(MAINNET_MANAGER, HOOKED)
    for pool in read(infos).pools.values():
        assert isinstance(pool, V4Pool) and pool.simulated and pool.silent
        for ask in (pool.quote_in, pool.quote_out):
            with pytest.raises(UnknownState, match="only by simulation"):
                ask(0, 1, 10**9)
        with pytest.raises(UnknownState, match="only by simulation"):
            pool.segments(0, 1)


@needs_recordings
def test_what_cannot_be_read_is_named() -> None:
    """The record has no slot of a pool that nobody touched."""
    (info,) = from_keys(MAINNET_MANAGER, [KEYS[0]._replace(tick_spacing=7)])
    assert "not recorded" in read([info]).unknown[info.id]


def test_addresses_are_no_pools() -> None:
    reader = StateReader(JsonRpc("http://127.0.0.1:1"), 1)
    assert asyncio.run(UniswapV4().identify(reader, [MAINNET_MANAGER])) == []


def test_infos_from_logs_are_those_from_keys() -> None:
    key = HOOKED[0]
    (info,) = from_keys(MAINNET_MANAGER, [key])
    assert (info.fee, info.tokens, info.extra) == (0, key[:2], (MAINNET_MANAGER, *key[2:]))
    assert from_keys(MAINNET_MANAGER, [KEYS[0]])[0].fee == 100
    topics = (INITIALIZE, info.id, *(abi.to_hex(abi.encode(token)) for token in info.tokens))
    data = b"".join(abi.encode(word) for word in (*key[2:], 1 << 96, 0))
    logs = [Log(MAINNET_MANAGER, topics, data), Log(ANGSTROM, topics, data), Log(MAINNET_MANAGER, (SWAP,), b"")]
    assert from_logs(logs) == [info]
