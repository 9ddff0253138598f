"""Uniswap v2 pairs and their forks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from bot import abi
from bot.abi import keccak
from bot.amm import layouts
from bot.amm.v2 import V2Pool
from bot.amm.v3 import FEE_UNIT
from bot.chain.pool_reader import LoadResult, PoolInfo, ask, rows
from bot.chain.state_reader import StateReader
from bot.chain.v2_fees import ASSUMED, CODE_FEES, FACTORY_FEES, kept
from bot.jsonrpc import RpcError

_GETTERS = ("token0()", "token1()", "factory()", "getReserves()", "stable()")
_FEE_SHARE = 2
"""Where the fee is stored, the code holds k to whole ** share: any other share than this is no fee at all."""


class UniswapV2:
    """See PoolReader."""

    protocol = "uniswap-v2"

    async def identify(self, reader: StateReader, candidates: Sequence[str]) -> list[PoolInfo]:
        """With the fee where it is known. What says of itself whether it is ``stable()`` has another curve, or other
        rounding: bot.chain.readers.solidly."""
        pairs: list[tuple[PoolInfo, bytes]] = []
        answers = await ask(reader, candidates, _GETTERS)
        for address, (token0, token1, factory, reserves, stable) in zip(candidates, answers, strict=True):
            if token0 is None or token1 is None or reserves is None or stable is not None:
                continue
            claimed = None if factory is None else abi.address(factory)
            tokens = abi.address(token0), abi.address(token1)
            info = PoolInfo(address, self.protocol, "", claimed, tokens, ASSUMED, fee_assumed=True)
            pairs.append((info, reserves))
        return await _confirm_v2(reader, pairs)

    async def load(self, reader: StateReader, infos: Sequence[PoolInfo], reach: int | None) -> LoadResult:
        """Both reserves are in one slot."""
        result = LoadResult({}, {})
        stored = await reader.slots((info.id, layouts.V2_LAYOUT[info.layout].reserves) for info in infos)
        for info, word in zip(infos, stored, strict=True):
            if isinstance(word, RpcError):
                result.unknown[info.id] = f"reserves: {word.message}"
            else:
                token0, token1 = info.tokens
                amounts = layouts.reserves(word)
                result.pools[info.id] = V2Pool(info.id, token0, token1, *amounts, *kept(info.fee), info.layout)
        return result


async def _confirm_v2(reader: StateReader, pairs: list[tuple[PoolInfo, bytes]]) -> list[PoolInfo]:
    """Those that keep what getReserves answered where just one known layout does."""
    kept_at = [layout.reserves for layout in layouts.V2_LAYOUTS]
    slots = product((info.id for info, _ in pairs), kept_at)
    right: list[tuple[PoolInfo, layouts.V2Layout]] = []
    for (info, answer), words in zip(pairs, rows(await reader.slots(slots), len(kept_at)), strict=True):
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
    strangers = [info.id for info in infos if info.factory not in FACTORY_FEES]
    codes = dict(zip(strangers, await reader.codes(strangers), strict=True))
    known = []
    for info in infos:
        fee = FACTORY_FEES.get(info.factory or "")
        code = codes.get(info.id)
        if fee is None and isinstance(code, bytes):
            fee = CODE_FEES.get(abi.to_hex(keccak(code)))
        known.append(info if fee is None else replace(info, fee=fee, fee_assumed=False))
    return known


async def _stored_fees(reader: StateReader, stored: list[tuple[PoolInfo, int, int]]) -> list[PoolInfo]:
    """With the fee that the pair keeps in storage."""
    words = await reader.slots((info.id, slot) for info, *slots in stored for slot in slots)
    known = []
    for (info, *_), (share, whole) in zip(stored, rows(words, 2), strict=True):
        if isinstance(share, int) and isinstance(whole, int) and share == _FEE_SHARE < whole and FEE_UNIT % whole == 0:
            known.append(replace(info, fee=share * FEE_UNIT // whole, fee_assumed=False))
    return known
