"""The reader of v4 pools, on a manager's slots."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import pytest

from bot.amm.layouts import v4_layout
from bot.amm.pool import Pool
from bot.amm.tick_math import sqrt_ratio_at_tick
from bot.amm.ticks import TickMap
from bot.amm.v4 import BEFORE_SWAP, DYNAMIC_FEE, V4Pool
from bot.chain.pool_reader import LoadResult
from bot.chain.readers.uniswap_v4 import PoolKey, UniswapV4, from_keys
from bot.chain.state_reader import StateReader
from bot.jsonrpc import JsonRpc, RpcError

MANAGER, ETH, TOKEN = "0x" + "44" * 20, "0x" + "00" * 20, "0x" + "aa" * 20
STATIC = PoolKey(ETH, TOKEN, 3000, 60, ETH)
DYNAMIC = PoolKey(ETH, TOKEN, DYNAMIC_FEE, 60, f"0x{0x77 << 14:040x}")
HOOKED = STATIC._replace(hooks=f"0x{0x77 << 14 | BEFORE_SWAP:040x}")


def made(key: PoolKey, lp_fee: int = 3000) -> V4Pool:
    (info,) = from_keys(MANAGER, [key])
    ticks = TickMap.complete(60, {}).moved(-60, 60, 10**18).moved(-30_000, 30_000, 10**18)
    return V4Pool(info.id, MANAGER, *key, sqrt_ratio_at_tick(10) + 1, 10, 2 * 10**18, ticks, lp_fee, 4097)


class Manager(StateReader):
    """Knows these slots, and that all others are zero or, ``recorded``, nothing of them."""

    def __init__(self, *pools: V4Pool, recorded: bool = False) -> None:
        super().__init__(JsonRpc("http://127.0.0.1:1"), 1)
        self.known = {slot: value for pool in pools for slot, value in stored(pool).items()}
        self.recorded = recorded

    async def slots(self, slots: Iterable[tuple[str, int]]) -> list[int | RpcError]:
        lost = RpcError("eth_getStorageAt", -1, "not recorded")
        return [self.known.get(slot, lost if self.recorded else 0) for contract, slot in slots if contract == MANAGER]


def stored(pool: V4Pool) -> dict[int, int]:
    """What the manager's storage has of a pool."""
    layout = v4_layout(pool.id)
    fees = (pool.lp_fee or 0) << 208 | pool.protocol_fee << 184
    slots = {layout.price: fees | (pool.tick & 0xFFFFFF) << 160 | pool.sqrt_price, layout.liquidity: pool.liquidity}
    slots |= {layout.word_slot(word): bitmap for word, bitmap in pool.ticks.words.items()}
    for tick, entry in pool.ticks.liquidity.items():
        slots[layout.tick_slot(tick)] = (entry.net % (1 << 128)) << 128 | entry.gross
    return slots


def load(reader: Manager, *keys: PoolKey, reach: int | None = None) -> LoadResult:
    return asyncio.run(UniswapV4().load(reader, from_keys(MANAGER, keys), reach))


@pytest.mark.parametrize("key", [STATIC, DYNAMIC])
def test_a_pool_is_read_whole(key: PoolKey) -> None:
    pool = made(key)
    assert load(Manager(pool), key).pools == {pool.id: pool}


def test_ticks_are_read_within_reach() -> None:
    pool = made(STATIC)
    (near,) = load(Manager(pool), STATIC, reach=1_000).pools.values()
    assert isinstance(near, V4Pool) and set(near.ticks.words) == {-1, 0} and set(near.ticks.liquidity) == {-60, 60}


def test_no_ticks_are_read_of_a_pool_that_only_a_simulation_quotes() -> None:
    pool = made(HOOKED)
    expected: dict[str, Pool] = {pool.id: replace(pool, ticks=TickMap(60, {}, {}))}
    assert load(Manager(pool), HOOKED).pools == expected


def test_what_is_no_pool_is_named() -> None:
    pool, wrong = made(STATIC), made(STATIC, lp_fee=500)
    off = replace(pool, tick=11_000)
    blind = Manager(replace(pool, ticks=TickMap(60, {}, {})), recorded=True)
    for reader, reason in (
        (Manager(), "no such pool"),
        (Manager(wrong), "not the key's"),
        (Manager(off), "does not lie at its tick"),
        (Manager(recorded=True), "not recorded"),
        (blind, "nothing is recorded around the price"),
    ):
        result = load(reader, STATIC)
        assert not result.pools and reason in result.unknown[pool.id]
