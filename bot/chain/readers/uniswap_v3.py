"""Uniswap v3 pools and their forks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from bot import abi
from bot.amm import layouts
from bot.amm.concentrated import FEE_UNIT
from bot.amm.ticks import TickMap, word_of
from bot.amm.v3 import V3Pool
from bot.chain.pool_reader import LoadResult, PoolInfo, ask, rows
from bot.chain.readers.ticks import at_tick, load_with_ticks
from bot.chain.state_reader import StateReader
from bot.jsonrpc import RpcError


def is_private(info: PoolInfo) -> bool:
    """Whether only callers on a list of its own may swap."""
    return info.protocol == UniswapV3.protocol and layouts.V3_LAYOUT[info.layout].private


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
        await load_with_ticks(reader, empty, reach, result)
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


async def _load_prices(reader: StateReader, infos: Sequence[PoolInfo], unknown: dict[str, str]) -> list[V3Pool]:
    """Pools with price and liquidity, that know no tick yet."""
    slots = [(info.id, slot) for info in infos for slot in (_layout(info).price, _layout(info).liquidity)]
    loaded = []
    for info, (first, liquidity) in zip(infos, rows(await reader.slots(slots), 2), strict=True):
        if isinstance(first, RpcError) or isinstance(liquidity, RpcError):
            failed = first if isinstance(first, RpcError) else liquidity
            unknown[info.id] = f"price and liquidity: {failed}"
            continue
        price, tick = layouts.price_and_tick(first)
        if price and not at_tick(price, tick):
            unknown[info.id] = "price: it does not lie at its tick"
        else:
            token0, token1 = info.tokens
            fixed = info.id, token0, token1, info.fee, info.tick_spacing
            loaded.append(V3Pool(*fixed, price, tick, liquidity, TickMap(info.tick_spacing, {}, {}), info.layout))
    return loaded


def _layout(info: PoolInfo) -> layouts.V3Layout:
    return layouts.V3_LAYOUT[info.layout]
