"""Finds pools by asking contracts what they are, and reads them into exact pool values.

The same calls serve a node, an anvil and a server of a recorded block. Where that has no record it answers with an
error: such state is unknown, never zero, and a pool that cannot be read whole enough is named with the reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import TypeVar

from bot import abi
from bot.abi import keccak
from bot.amm.pool import Pool, UnknownState
from bot.amm.tick_math import MAX_TICK, MIN_TICK, sqrt_ratio_at_tick
from bot.amm.ticks import TickLiquidity, TickMap, all_words, word_of
from bot.amm.v2 import V2Pool
from bot.amm.v3 import FEE_UNIT, V3Pool
from bot.chain import pool_layouts as layouts
from bot.chain.state_reader import Block, StateReader
from bot.chain.v2_fees import ASSUMED, CODE_FEES, FACTORY_FEES, kept
from bot.jsonrpc import JsonRpc, RpcError

_T = TypeVar("_T")

WORDS = {"getReserves()": 2, "slot0()": 2}
"""What a getter has to answer at least, where that is more than a word."""

REACH = 10_000
"""Ticks to each side of the price that ``load`` reads: a factor of 2.7 in price."""


@dataclass(frozen=True, slots=True)
class PoolInfo:
    """What of a pool never changes. ``fee`` is in millionths of the input.

    ``factory`` is what the pool claims, None where that was not recorded; ``fee_assumed`` marks a v2 pair of which
    nobody knows the fee (bot.chain.v2_fees.likely_fee asks its logs).
    """

    address: str
    kind: str
    layout: str
    factory: str | None
    token0: str
    token1: str
    fee: int
    tick_spacing: int = 0
    fee_assumed: bool = False


@dataclass(frozen=True, slots=True)
class LoadResult:
    """Pools by address, and by address why the others could not be read."""

    pools: dict[str, Pool]
    unknown: dict[str, str]


# --- finding ----------------------------------------------------------------------------------------------------------


async def identify(rpc: JsonRpc, addresses: Iterable[str], block: Block) -> list[PoolInfo]:
    """Those of the addresses that are pools we can quote, in order. Raises RpcUnreachable.

    A pool has to keep in storage what its getters tell, where a known layout keeps it: a contract that merely
    answers the same questions (a stable pair, say) is not taken for one.
    """
    asked = list(dict.fromkeys(addresses))
    reader = StateReader(rpc, block)
    names = ("token0()", "token1()", "factory()", "getReserves()", "fee()")
    answers = await _ask(reader, asked, names)
    pairs: list[tuple[PoolInfo, bytes]] = []
    v3: list[PoolInfo] = []
    for address, (token0, token1, factory, reserves, fee) in zip(asked, answers, strict=True):
        if token0 is None or token1 is None:
            continue
        claimed = None if factory is None else abi.address(factory)
        tokens = abi.address(token0), abi.address(token1)
        if reserves is not None:
            info = PoolInfo(address, "v2", "", claimed, *tokens, ASSUMED, fee_assumed=True)
            pairs.append((info, reserves))
        elif fee is not None and abi.uint(fee) < FEE_UNIT:
            v3.append(PoolInfo(address, "v3", "", claimed, *tokens, abi.uint(fee)))
    found = {info.address: info for info in [*await _confirm_v2(reader, pairs), *await _confirm_v3(reader, v3)]}
    return [found[address] for address in asked if address in found]


async def from_factories(
    rpc: JsonRpc,
    v2_factories: Mapping[str, int],
    v3_factories: Mapping[str, Sequence[int]],
    tokens: Iterable[str],
    block: Block,
) -> list[PoolInfo]:
    """The pools of these factories between any two of the tokens. Raises RpcUnreachable.

    ``v2_factories`` gives the fee that each one's pairs charge, ``v3_factories`` the fee tiers to look for.
    """
    calls: list[tuple[str, bytes]] = []
    for token0, token1 in combinations(sorted(set(tokens)), 2):
        for factory in v2_factories:
            calls.append((factory, abi.call("getPair(address,address)", token0, token1)))
        for factory, fees in v3_factories.items():
            for fee in fees:
                calls.append((factory, abi.call("getPool(address,address,uint24)", token0, token1, fee)))
    answers = await StateReader(rpc, block).calls(calls)
    made_by = {
        abi.address(answer): factory
        for (factory, _), answer in zip(calls, answers, strict=True)
        if answer is not None and abi.uint(answer)
    }
    infos = []
    for info in await identify(rpc, made_by, block):
        factory = made_by[info.address]
        if info.kind == "v2":
            info = replace(info, fee=v2_factories[factory], fee_assumed=False)
        infos.append(replace(info, factory=factory))
    return infos


async def _ask(reader: StateReader, addresses: Sequence[str], names: Sequence[str]) -> list[list[bytes | None]]:
    """A row of answers for each address; one that is shorter than the getter's is none."""
    questions = list(product(addresses, names))
    answers = await reader.calls((address, abi.call(name)) for address, name in questions)
    flat = [
        answer if answer is not None and len(answer) >= abi.WORD * WORDS.get(name, 1) else None
        for (_, name), answer in zip(questions, answers, strict=True)
    ]
    return _rows(flat, len(names))


def _rows(flat: list[_T], width: int) -> list[list[_T]]:
    return [flat[start : start + width] for start in range(0, len(flat), width)]


async def _confirm_v2(reader: StateReader, pairs: list[tuple[PoolInfo, bytes]]) -> list[PoolInfo]:
    """Those that keep what getReserves answered where just one known layout does."""
    kept_at = [layout.reserves for layout in layouts.V2_LAYOUTS]
    slots = product((info.address for info, _ in pairs), kept_at)
    right: list[tuple[PoolInfo, layouts.V2Layout]] = []
    for (info, answer), words in zip(pairs, _rows(await reader.slots(slots), len(kept_at)), strict=True):
        told = abi.uint(answer), abi.uint(answer, 1)
        fitting = [
            layout
            for layout, word in zip(layouts.V2_LAYOUTS, words, strict=True)
            if isinstance(word, int) and layouts.reserves(word) == told
        ]
        if len(fitting) == 1:
            right.append((replace(info, layout=fitting[0].name), fitting[0]))
    constant = [info for info, layout in right if layout.fee is None]
    stored = [(info, *layout.fee) for info, layout in right if layout.fee is not None]
    return [*await _constant_fees(reader, constant), *await _stored_fees(reader, stored)]


async def _constant_fees(reader: StateReader, infos: list[PoolInfo]) -> list[PoolInfo]:
    """With the fee that the factory or the code is known for."""
    strangers = [info.address for info in infos if info.factory not in FACTORY_FEES]
    codes = dict(zip(strangers, await reader.codes(strangers), strict=True))
    known = []
    for info in infos:
        fee = FACTORY_FEES.get(info.factory or "")
        code = codes.get(info.address)
        if fee is None and isinstance(code, bytes):
            fee = CODE_FEES.get(abi.to_hex(keccak(code)))
        known.append(info if fee is None else replace(info, fee=fee, fee_assumed=False))
    return known


async def _stored_fees(reader: StateReader, stored: list[tuple[PoolInfo, int, int]]) -> list[PoolInfo]:
    """With the fee that the pair keeps in storage."""
    words = await reader.slots((info.address, slot) for info, *slots in stored for slot in slots)
    known = []
    for (info, *_), (share, whole) in zip(stored, _rows(words, 2), strict=True):
        if isinstance(share, int) and isinstance(whole, int) and 0 <= share < whole and FEE_UNIT % whole == 0:
            known.append(replace(info, fee=share * FEE_UNIT // whole, fee_assumed=False))
    return known


async def _confirm_v3(reader: StateReader, infos: list[PoolInfo]) -> list[PoolInfo]:
    """Those whose price, liquidity and current bitmap word lie where just one known layout has them."""
    addresses = [info.address for info in infos]
    answers = await _ask(reader, addresses, ("slot0()", "liquidity()", "tickSpacing()"))
    kept_at = [slot for layout in layouts.V3_LAYOUTS for slot in (layout.price, layout.liquidity)]
    stored = _rows(await reader.slots(product(addresses, kept_at)), len(kept_at))
    suspects: list[tuple[PoolInfo, layouts.V3Layout, int]] = []
    for info, (slot0, liquidity, spacing), words in zip(infos, answers, stored, strict=True):
        if slot0 is None or liquidity is None or spacing is None or abi.sint(spacing) < 1:
            continue
        told = abi.uint(slot0), abi.sint(slot0, 1)
        info = replace(info, tick_spacing=abi.sint(spacing))
        for layout, (price, value) in zip(layouts.V3_LAYOUTS, _rows(words, 2), strict=True):
            if isinstance(price, int) and layouts.price_and_tick(price) == told and value == abi.uint(liquidity):
                suspects.append((info, layout, word_of(told[1], info.tick_spacing)))
    bitmaps = await reader.calls((info.address, abi.call("tickBitmap(int16)", word)) for info, _, word in suspects)
    kept_bitmaps = await reader.slots((info.address, layout.word_slot(word)) for info, layout, word in suspects)
    possible: defaultdict[str, list[PoolInfo]] = defaultdict(list)
    for (info, layout, _), getter, raw in zip(suspects, bitmaps, kept_bitmaps, strict=True):
        if getter is None or abi.uint(getter) == raw:
            possible[info.address].append(replace(info, layout=layout.name))
    return [only for only, *others in possible.values() if not others]


# --- reading ----------------------------------------------------------------------------------------------------------


async def load(rpc: JsonRpc, infos: Iterable[PoolInfo], block: Block, *, reach: int | None = REACH) -> LoadResult:
    """Reads pools' state. Raises RpcUnreachable.

    Of v3 pools the ticks up to ``reach`` from the price are read, all of them with None; farther out, and where
    the server has no record, the pool value raises UnknownState.
    """
    reader = StateReader(rpc, block)
    result = LoadResult({}, {})
    infos = list(infos)
    pairs = [info for info in infos if info.kind == "v2"]
    stored = await reader.slots((info.address, layouts.V2_LAYOUT[info.layout].reserves) for info in pairs)
    for info, word in zip(pairs, stored, strict=True):
        if isinstance(word, RpcError):
            result.unknown[info.address] = f"reserves: {word.message}"
        else:
            amounts = layouts.reserves(word)
            result.pools[info.address] = V2Pool(info.address, info.token0, info.token1, *amounts, *kept(info.fee))
    empty = await _load_prices(reader, [info for info in infos if info.kind == "v3"], result.unknown)
    ticks = await _load_ticks(reader, empty, reach)
    for info, pool in empty:
        whole = replace(pool, ticks=ticks[info.address])
        if _blind(whole):
            result.unknown[info.address] = "ticks: nothing is recorded around the price"
        else:
            result.pools[info.address] = whole
    return result


async def _load_prices(
    reader: StateReader, infos: list[PoolInfo], unknown: dict[str, str]
) -> list[tuple[PoolInfo, V3Pool]]:
    """Pools with price and liquidity, that know no tick yet."""
    slots = [(info.address, slot) for info in infos for slot in (_layout(info).price, _layout(info).liquidity)]
    loaded = []
    for info, (first, liquidity) in zip(infos, _rows(await reader.slots(slots), 2), strict=True):
        if isinstance(first, RpcError) or isinstance(liquidity, RpcError):
            failed = first if isinstance(first, RpcError) else liquidity
            unknown[info.address] = f"price and liquidity: {failed}"
            continue
        price, tick = layouts.price_and_tick(first)
        if price and not _at_tick(price, tick):
            unknown[info.address] = "price: it does not lie at its tick"
        else:
            ticks = TickMap(info.tick_spacing, {}, {})
            fixed = info.address, info.token0, info.token1, info.fee, info.tick_spacing
            loaded.append((info, V3Pool(*fixed, price, tick, liquidity, ticks)))
    return loaded


async def _load_ticks(
    reader: StateReader, pools: list[tuple[PoolInfo, V3Pool]], reach: int | None
) -> dict[str, TickMap]:
    """By pool: the words that could be read, and of their ticks those that could."""
    asked = [(info, word) for info, pool in pools for word in _words(pool, reach)]
    slots = ((info.address, _layout(info).word_slot(word)) for info, word in asked)
    words: dict[str, dict[int, int]] = {info.address: {} for info, _ in pools}
    ticks: list[tuple[PoolInfo, int]] = []
    for (info, word), bitmap in zip(asked, await reader.slots(slots), strict=True):
        if isinstance(bitmap, int):
            words[info.address][word] = bitmap
            first = word << 8
            ticks += [(info, (first + bit) * info.tick_spacing) for bit in range(256) if bitmap >> bit & 1]
    slots = ((info.address, _layout(info).tick_slot(tick)) for info, tick in ticks)
    liquidity: dict[str, dict[int, TickLiquidity]] = {info.address: {} for info, _ in pools}
    for (info, tick), value in zip(ticks, await reader.slots(slots), strict=True):
        if isinstance(value, int):
            liquidity[info.address][tick] = layouts.tick_liquidity(value)
    return {info.address: TickMap(info.tick_spacing, words[info.address], liquidity[info.address]) for info, _ in pools}


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
