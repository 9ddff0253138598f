"""Solidly pairs and their descendants: Velodrome, Aerodrome and others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from bot import abi
from bot.amm.pool import NoLiquidity
from bot.amm.solidly import FEE_UNIT, Place, SolidlyPool
from bot.chain.pool_reader import LoadResult, PoolInfo, ask, rows
from bot.chain.state_reader import StateReader
from bot.engine.types import AccountDiff
from bot.jsonrpc import RpcError

PACKED, SPLIT = "solidly-packed", "solidly-split"
"""Layouts: uint112 reserve0, uint112 reserve1, uint32 time in one slot, or a slot each in this order."""

_SLOTS = range(8, 27)
"""Where the versions have them: 8 (Solidly, Velodrome v1), 17 to 20 (Velodrome v2, Aerodrome, by the version of
OpenZeppelin that they were built with), and some room for forks."""

_METADATA_WORDS = 7
_AMOUNT_OUT = "getAmountOut(uint256,address)"
_GETTERS = ("token0()", "token1()", "factory()", "getReserves()", "stable()", "metadata()")
_CLOSE = 2
"""What getAmountOut's Newton steps may be off."""


class Solidly:
    """See PoolReader. Versions keep their fee in the code, the pair or the factory, and factories can change it: it is
    read with the state, off what the pair's own getAmountOut takes."""

    protocol = "solidly"

    async def identify(self, reader: StateReader, candidates: Sequence[str]) -> list[PoolInfo]:
        """With their kind of curve, a whole token of each, and the slot of the reserves as ``extra``."""
        told: list[tuple[PoolInfo, tuple[int, int, int]]] = []
        answers = await ask(reader, candidates, _GETTERS)
        for address, (*getters, metadata) in zip(candidates, answers, strict=True):
            token0, token1, factory, held, stable = getters
            if token0 is None or token1 is None or held is None or stable is None or metadata is None:
                continue
            tokens = abi.address(token0), abi.address(token1)
            if len(held) < 3 * abi.WORD or not _agrees(metadata, held, stable, tokens):
                continue
            claimed = None if factory is None else abi.address(factory)
            extra = abi.uint(stable), abi.uint(metadata), abi.uint(metadata, 1)
            info = PoolInfo(address, self.protocol, "", claimed, tokens, extra=extra)
            told.append((info, (abi.uint(held), abi.uint(held, 1), abi.uint(held, 2))))
        return await _confirm(reader, told)

    async def load(self, reader: StateReader, infos: Sequence[PoolInfo], reach: int | None) -> LoadResult:
        """Reserves from storage, then the fee. Pairs of a factory that is paused refuse to swap."""
        result = LoadResult({}, {})
        paused = await _paused(reader, infos)
        result.unknown |= {info.id: "its factory is paused" for info in infos if info.factory in paused}
        untaxed = await _load_reserves(reader, [i for i in infos if i.factory not in paused], result.unknown)
        questions = [(pool, max(1, pool.reserve0 // 2)) for pool in untaxed]
        answers = await reader.calls(
            (pool.id, abi.call(_AMOUNT_OUT, amount, pool.token0)) for pool, amount in questions
        )
        for (pool, amount), answer in zip(questions, answers, strict=True):
            fee = None if answer is None else fee_told(pool, amount, abi.uint(answer))
            if fee is None:
                result.unknown[pool.id] = "fee: getAmountOut does not tell it"
            else:
                result.pools[pool.id] = replace(pool, fee=fee)
        return result


def fee_told(pool: SolidlyPool, amount_in: int, amount_out: int) -> int | None:
    """The fee, in millionths, at which a pool gives ``amount_out`` of token1 for ``amount_in`` of token0, but for what
    getAmountOut may be off. None where none does. Among so little that a millionth does not show, the one
    that is a whole basis point; None where several are."""
    lowest = _first_fee(pool, amount_in, amount_out + _CLOSE)
    after = _first_fee(pool, amount_in, amount_out - _CLOSE - 1)
    fees = range(lowest, after)
    if len(fees) == 1:
        return lowest
    bips = range(-(-lowest // 100) * 100, after, 100)
    return bips[0] if len(bips) == 1 else None


def _first_fee(pool: SolidlyPool, amount_in: int, most: int) -> int:
    """The lowest fee at which no more than ``most`` comes out; all of the input where none is enough."""
    low, high = 0, FEE_UNIT
    while low < high:
        fee = (low + high) // 2
        try:
            enough = replace(pool, fee=fee).quote_in(0, 1, amount_in) <= most
        except NoLiquidity:
            return FEE_UNIT
        if enough:
            high = fee
        else:
            low = fee + 1
    return low


def _agrees(metadata: bytes, held: bytes, stable: bytes, tokens: tuple[str, str]) -> bool:
    """Whether metadata(), (decimals0, decimals1, reserve0, reserve1, stable, token0, token1), repeats the getters."""
    if len(metadata) < _METADATA_WORDS * abi.WORD or not abi.uint(metadata) or not abi.uint(metadata, 1):
        return False
    again = abi.uint(metadata, 2), abi.uint(metadata, 3), abi.uint(metadata, 4)
    if again != (abi.uint(held), abi.uint(held, 1), abi.uint(stable)) or again[2] > 1:
        return False
    return (abi.address(metadata, 5), abi.address(metadata, 6)) == tokens


async def _confirm(reader: StateReader, told: list[tuple[PoolInfo, tuple[int, int, int]]]) -> list[PoolInfo]:
    """Those that keep at just one place what getReserves answered, time included."""
    slots = product((info.id for info, _ in told), _SLOTS)
    found = []
    stored = rows(await reader.slots(slots), len(_SLOTS))
    for (info, (reserve0, reserve1, time)), words in zip(told, stored, strict=True):
        packed = time << 224 | reserve1 << 112 | reserve0
        split = [reserve0, reserve1, time]
        fitting = [(PACKED, _SLOTS[index]) for index, word in enumerate(words) if word == packed]
        fitting += [(SPLIT, _SLOTS[index]) for index in range(len(words) - 2) if words[index : index + 3] == split]
        if len(fitting) == 1:
            layout, slot = fitting[0]
            found.append(replace(info, layout=layout, extra=(*info.extra, slot)))
    return found


async def _paused(reader: StateReader, infos: Sequence[PoolInfo]) -> set[str | None]:
    """The factories that say they are; Solidly's own has no such switch."""
    factories = sorted({info.factory for info in infos if info.factory is not None})
    answers = await reader.calls((factory, abi.call("isPaused()")) for factory in factories)
    return {
        factory for factory, answer in zip(factories, answers, strict=True) if answer is not None and abi.uint(answer)
    }


async def _load_reserves(reader: StateReader, infos: Sequence[PoolInfo], unknown: dict[str, str]) -> list[SolidlyPool]:
    """Pools that charge nothing yet."""
    empty = [_pool(info) for info in infos]
    slots = [(pool.id, slot) for pool in empty for slot in sorted(pool.slots()[pool.id])]
    values = iter(await reader.slots(slots))
    loaded = []
    for pool in empty:
        stored = {slot: next(values) for slot in sorted(pool.slots()[pool.id])}
        failed = [word.message for word in stored.values() if isinstance(word, RpcError)]
        if failed:
            unknown[pool.id] = f"reserves: {failed[0]}"
        else:
            words = {slot: word for slot, word in stored.items() if isinstance(word, int)}
            loaded.append(pool.apply_diff({pool.id: AccountDiff(slots=words)}))
    return loaded


def _pool(info: PoolInfo) -> SolidlyPool:
    """Without reserves and fee."""
    stable, unit0, unit1, slot = (int(number) for number in info.extra)
    token0, token1 = info.tokens
    place = Place(slot, info.layout == PACKED)
    return SolidlyPool(info.id, token0, token1, 0, 0, 0, bool(stable), unit0, unit1, place)
