"""Uniswap v3 pools and their forks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from bot import abi
from bot.amm import layouts
from bot.amm.pool import UnknownState
from bot.amm.tick_math import MAX_TICK, MIN_TICK, sqrt_ratio_at_tick
from bot.amm.ticks import TickLiquidity, TickMap, all_words, word_of
from bot.amm.v3 import FEE_UNIT, V3Pool
from bot.chain.pool_reader import LoadResult, PoolInfo, ask, rows
from bot.chain.state_reader import StateReader
from bot.jsonrpc import RpcError


class UniswapV3:
    """See PoolReader."""

    protocol = "uniswap-v3"

    async def identify(self, reader: StateReader, candidates: Sequence[str]) -> list[PoolInfo]:
        """With its tick spacing."""
        infos = []
        answers = await ask(reader, candidates, ("token0()", "token1()", "factory()", "fee()"))
        for address, (token0, token1, factory, fee) in zip(candidates, answers, strict=True):
            if token0 is None or token1 is None or fee is None or abi.uint(fee) >= FEE_UNIT:
                continue
            claimed = None if factory is None else abi.address(factory)
            tokens = abi.address(token0), abi.address(token1)
            infos.append(PoolInfo(address, self.protocol, "", claimed, tokens, abi.uint(fee)))
        return await _confirm_v3(reader, infos)

    async def load(self, reader: StateReader, infos: Sequence[PoolInfo], reach: int | None) -> LoadResult:
        """Farther out than ``reach``, and where the server has no record, the pool value raises UnknownState."""
        result = LoadResult({}, {})
        empty = await _load_prices(reader, infos, result.unknown)
        ticks = await _load_ticks(reader, empty, reach)
        for info, pool in empty:
            whole = replace(pool, ticks=ticks[info.id])
            if _blind(whole):
                result.unknown[info.id] = "ticks: nothing is recorded around the price"
            else:
                result.pools[info.id] = whole
        return result


async def _confirm_v3(reader: StateReader, infos: list[PoolInfo]) -> list[PoolInfo]:
    """Those whose price, liquidity and current bitmap word lie where just one known layout has them."""
    addresses = [info.id for info in infos]
    answers = await ask(reader, addresses, ("slot0()", "liquidity()", "tickSpacing()"))
    kept_at = [slot for layout in layouts.V3_LAYOUTS for slot in (layout.price, layout.liquidity)]
    stored = rows(await reader.slots(product(addresses, kept_at)), len(kept_at))
    suspects: list[tuple[PoolInfo, layouts.V3Layout, int]] = []
    for info, (slot0, liquidity, spacing), words in zip(infos, answers, stored, strict=True):
        if slot0 is None or liquidity is None or spacing is None or abi.sint(spacing) < 1:
            continue
        told = abi.uint(slot0), abi.sint(slot0, 1)
        info = replace(info, tick_spacing=abi.sint(spacing))
        for layout, (price, value) in zip(layouts.V3_LAYOUTS, rows(words, 2), strict=True):
            if isinstance(price, int) and layouts.price_and_tick(price) == told and value == abi.uint(liquidity):
                suspects.append((info, layout, word_of(told[1], info.tick_spacing)))
    bitmaps = await reader.calls((info.id, abi.call("tickBitmap(int16)", word)) for info, _, word in suspects)
    kept_bitmaps = await reader.slots((info.id, layout.word_slot(word)) for info, layout, word in suspects)
    possible: defaultdict[str, list[PoolInfo]] = defaultdict(list)
    for (info, layout, _), getter, raw in zip(suspects, bitmaps, kept_bitmaps, strict=True):
        if getter is None or abi.uint(getter) == raw:
            possible[info.id].append(replace(info, layout=layout.name))
    return [only for only, *others in possible.values() if not others]


async def _load_prices(
    reader: StateReader, infos: Sequence[PoolInfo], unknown: dict[str, str]
) -> list[tuple[PoolInfo, V3Pool]]:
    """Pools with price and liquidity, that know no tick yet."""
    slots = [(info.id, slot) for info in infos for slot in (_layout(info).price, _layout(info).liquidity)]
    loaded = []
    for info, (first, liquidity) in zip(infos, rows(await reader.slots(slots), 2), strict=True):
        if isinstance(first, RpcError) or isinstance(liquidity, RpcError):
            failed = first if isinstance(first, RpcError) else liquidity
            unknown[info.id] = f"price and liquidity: {failed}"
            continue
        price, tick = layouts.price_and_tick(first)
        if price and not _at_tick(price, tick):
            unknown[info.id] = "price: it does not lie at its tick"
        else:
            ticks = TickMap(info.tick_spacing, {}, {})
            fixed = info.id, *info.tokens, info.fee, info.tick_spacing
            loaded.append((info, V3Pool(*fixed, price, tick, liquidity, ticks, info.layout)))
    return loaded


async def _load_ticks(
    reader: StateReader, pools: list[tuple[PoolInfo, V3Pool]], reach: int | None
) -> dict[str, TickMap]:
    """By pool: the words that could be read, and of their ticks those that could."""
    asked = [(info, word) for info, pool in pools for word in _words(pool, reach)]
    slots = ((info.id, _layout(info).word_slot(word)) for info, word in asked)
    words: dict[str, dict[int, int]] = {info.id: {} for info, _ in pools}
    ticks: list[tuple[PoolInfo, int]] = []
    for (info, word), bitmap in zip(asked, await reader.slots(slots), strict=True):
        if isinstance(bitmap, int):
            words[info.id][word] = bitmap
            first = word << 8
            ticks += [(info, (first + bit) * info.tick_spacing) for bit in range(256) if bitmap >> bit & 1]
    slots = ((info.id, _layout(info).tick_slot(tick)) for info, tick in ticks)
    liquidity: dict[str, dict[int, TickLiquidity]] = {info.id: {} for info, _ in pools}
    for (info, tick), value in zip(ticks, await reader.slots(slots), strict=True):
        if isinstance(value, int):
            liquidity[info.id][tick] = layouts.tick_liquidity(value)
    return {info.id: TickMap(info.tick_spacing, words[info.id], liquidity[info.id]) for info, _ in pools}


def _at_tick(price: int, tick: int) -> bool:
    """Equal above: a tick just left downwards."""
    return MIN_TICK <= tick < MAX_TICK and sqrt_ratio_at_tick(tick) <= price <= sqrt_ratio_at_tick(tick + 1)


def _words(pool: V3Pool, reach: int | None) -> range:
    """The bitmap words that hold the ticks within reach: all of them before the pool has a price."""
    if reach is None or not pool.sqrt_price:
        return all_words(pool.tick_spacing)
    lowest, highest = max(pool.tick - reach, MIN_TICK), min(pool.tick + reach, MAX_TICK)
    return range(word_of(lowest, pool.tick_spacing), word_of(highest, pool.tick_spacing) + 1)


def _blind(pool: V3Pool) -> bool:
    """Whether a swap in either direction would begin in the unknown."""
    try:
        pool.ticks.next(pool.tick, True)
    except UnknownState:
        try:
            pool.ticks.next(pool.tick, False)
        except UnknownState:
            return True
    return False


def _layout(info: PoolInfo) -> layouts.V3Layout:
    return layouts.V3_LAYOUT[info.layout]
