"""Reads the ticks of concentrated liquidity, of v3 and v4 pools alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.amm.pool import UnknownState
from bot.amm.tick_math import MAX_TICK, MIN_TICK, sqrt_ratio_at_tick
from bot.amm.ticks import TickLiquidity, TickMap, all_words, ticks_in, word_of
from bot.amm.v3 import V3Pool
from bot.amm.v4 import V4Pool
from bot.chain.pool_reader import LoadResult
from bot.chain.state_reader import StateReader

TickPool = V3Pool | V4Pool


async def load_with_ticks(
    reader: StateReader, pools: Sequence[TickPool], reach: int | None, result: LoadResult
) -> None:
    """Puts the pools into the result, with the ticks within ``reach``; those that would trade in the unknown at once as
    unknown. Raises RpcUnreachable."""
    found = await load_ticks(reader, pools, reach)
    for pool in pools:
        ticks = found[pool.id]
        if blind(pool, ticks):
            result.unknown[pool.id] = "ticks: nothing is recorded around the price"
        else:
            result.pools[pool.id] = replace(pool, ticks=ticks)


async def load_ticks(reader: StateReader, pools: Sequence[TickPool], reach: int | None) -> dict[str, TickMap]:
    """By pool: the bitmap words within ``reach`` ticks of the price (None: all) that could be read, and of their ticks
    those that could. Raises RpcUnreachable."""
    words: dict[str, dict[int, int]] = {pool.id: {} for pool in pools}
    liquidity: dict[str, dict[int, TickLiquidity]] = {pool.id: {} for pool in pools}
    asked = [(pool, word) for pool in pools for word in _words(pool, reach)]
    slots = ((pool.keeper or pool.id, pool.storage.word_slot(word)) for pool, word in asked)
    ticks: list[tuple[TickPool, int]] = []
    for (pool, word), bitmap in zip(asked, await reader.slots(slots), strict=True):
        if isinstance(bitmap, int):
            words[pool.id][word] = bitmap
            ticks += [(pool, tick) for tick in ticks_in(word, bitmap, pool.tick_spacing)]
    slots = ((pool.keeper or pool.id, pool.storage.tick_slot(tick)) for pool, tick in ticks)
    for (pool, tick), value in zip(ticks, await reader.slots(slots), strict=True):
        if isinstance(value, int):
            liquidity[pool.id][tick] = TickLiquidity.stored(value)
    return {pool.id: TickMap(pool.tick_spacing, words[pool.id], liquidity[pool.id]) for pool in pools}


def at_tick(price: int, tick: int) -> bool:
    """Whether a price lies at its tick; equal above: a tick just left downwards."""
    return MIN_TICK <= tick < MAX_TICK and sqrt_ratio_at_tick(tick) <= price <= sqrt_ratio_at_tick(tick + 1)


def blind(pool: TickPool, ticks: TickMap) -> bool:
    """Whether a swap in either direction would begin in the unknown."""
    try:
        ticks.next(pool.tick, True)
    except UnknownState:
        try:
            ticks.next(pool.tick, False)
        except UnknownState:
            return True
    return False


def _words(pool: TickPool, reach: int | None) -> range:
    """The bitmap words that hold the ticks within reach: all of them before the pool has a price."""
    if reach is None or not pool.sqrt_price:
        return all_words(pool.tick_spacing)
    lowest, highest = max(pool.tick - reach, MIN_TICK), min(pool.tick + reach, MAX_TICK)
    return range(word_of(lowest, pool.tick_spacing), word_of(highest, pool.tick_spacing) + 1)
