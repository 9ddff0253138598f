"""Balancer v2 pools: weighted, stable, meta-stable, phantom and composable stable ones, of the one Vault.

Candidates are the pools' own contracts. Pools whose weights move, or that can refuse swaps, are not taken: they answer
getSwapEnabled().
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bot import abi
from bot.amm.balancer.stable import AMP_SLOT, FIXED, Amp, Rate, StablePool
from bot.amm.balancer.vault import VAULT, Holdings, unread
from bot.amm.balancer.weighted import FEE_FIELDS, WeightedPool
from bot.amm.pool import Pool
from bot.chain.pool_reader import LoadResult, PoolInfo, ask, rows
from bot.chain.state_reader import StateReader
from bot.engine.types import Terms
from bot.jsonrpc import RpcError

GETTERS = (
    *("getPoolId()", "getVault()", "getSwapFeePercentage()", "getSwapEnabled()", "inRecoveryMode()", "getBptIndex()"),
    *("getNormalizedWeights()", "getAmplificationParameter()", "getOracleMiscData()", "getDueProtocolFeeBptAmount()"),
)
RATE_CACHES = {"meta": "getPriceRateCache(address)", "phantom": "getTokenRateCache(address)"}
RATE_CACHES["composable"] = RATE_CACHES["phantom"]


@dataclass(frozen=True, slots=True)
class _Found:
    """A candidate that answers like a pool."""

    address: str
    pool_id: str
    family: str
    fee: int
    bpt: int | None
    weights: tuple[int, ...]


class Balancer:
    """See PoolReader. ``layout`` names where the fee is kept (FEE_FIELDS); ``extra`` is: the family, the index of the
    pool's own token among those registered (-1: none), the scaling of each of ``tokens``, and the weights if any."""

    protocol = "balancer"

    async def identify(self, reader: StateReader, candidates: Sequence[str]) -> list[PoolInfo]:
        """Confirmed by the Vault's registry, and by fee and amplification where the versions keep them."""
        answers = await ask(reader, candidates, GETTERS)
        found = [pool for pool in map(_recognise, candidates, answers) if pool is not None]
        tokens = await _registered(reader, found)
        infos = await asyncio.gather(*(self._confirm(reader, *pair) for pair in zip(found, tokens, strict=True)))
        return [info for info in infos if info is not None]

    async def _confirm(self, reader: StateReader, pool: _Found, tokens: tuple[str, ...]) -> PoolInfo | None:
        traded = tuple(token for token in tokens if token != pool.address)
        layout, scaling = await _layout(reader, pool), await _scaling(reader, traded)
        if not tokens or layout is None or scaling is None or pool.family not in _FAMILIES[layout]:
            return None
        extra: Terms = (pool.family, -1 if pool.bpt is None else pool.bpt, *scaling, *pool.weights)
        return PoolInfo(pool.pool_id, self.protocol, layout, VAULT, traded, extra=extra)

    async def load(self, reader: StateReader, infos: Sequence[PoolInfo], reach: int | None) -> LoadResult:
        """Balances from the Vault's storage, fee and amplification from the pool's, rates by its getters."""
        result = LoadResult({}, {})
        if not infos:
            return result
        time = await reader.timestamp()
        if time is None:
            return LoadResult({}, {info.id: "the block's time is not known" for info in infos})
        tasks = (_load(reader, info, time) for info in infos)
        for info, pool in zip(infos, await asyncio.gather(*tasks), strict=True):
            if isinstance(pool, str):
                result.unknown[info.id] = pool
            else:
                result.pools[info.id] = pool
        return result


_FAMILIES = {
    "weighted-2021": ("weighted-old",),
    "two-tokens-2021": ("weighted-old",),
    "stable-2021": ("stable-old",),
    "packed": ("weighted-new", "stable-new", "meta", "phantom", "composable"),
}


class _Unread(Exception):
    """Why a pool could not be read."""


def _recognise(address: str, answers: Sequence[bytes | None]) -> _Found | None:
    pool_id, vault, fee, swap_enabled, recovery, bpt, weights, amp, oracle, due_fee = answers
    if pool_id is None or vault is None or fee is None or swap_enabled is not None or abi.address(vault) != VAULT:
        return None
    if weights is not None:
        family = "weighted-old" if recovery is None else "weighted-new"
    elif amp is None or len(amp) < 3 * abi.WORD:
        return None
    elif bpt is not None:
        family = "phantom" if due_fee is not None else "composable"
        if family == "composable" and recovery is None:
            return None
    elif recovery is not None:
        family = "stable-new"
    else:
        family = "stable-old" if oracle is None else "meta"
    own = None if bpt is None else abi.uint(bpt)
    return _Found(address, abi.to_hex(pool_id[:32]), family, abi.uint(fee), own, tuple(_words(weights)))


def _words(answer: bytes | None) -> list[int]:
    """Of an answer that is one array."""
    if answer is None:
        return []
    array = answer[abi.uint(answer) :]
    return [abi.uint(array, 1 + index) for index in range(abi.uint(array))]


async def _registered(reader: StateReader, found: Sequence[_Found]) -> list[tuple[str, ...]]:
    """The tokens that the Vault keeps for each pool; none where it knows another pool by that id."""
    names = ("getPool(bytes32)", "getPoolTokens(bytes32)")
    answers = await reader.calls(
        (VAULT, abi.call(name, abi.to_bytes(pool.pool_id))) for pool in found for name in names
    )
    tokens: list[tuple[str, ...]] = []
    for pool, (owner, listed) in zip(found, rows(answers, 2), strict=True):
        known = owner is not None and abi.address(owner) == pool.address
        tokens.append(tuple(f"0x{word:040x}" for word in _words(listed)) if known else ())
    return tokens


async def _layout(reader: StateReader, pool: _Found) -> str | None:
    """The one place of the fee that holds what the getter told; None where none or two do."""
    slots = [(pool.address, field.slot) for field in FEE_FIELDS.values()]
    words = await reader.slots(slots)
    fitting = [
        name
        for (name, field), word in zip(FEE_FIELDS.items(), words, strict=True)
        if isinstance(word, int) and field.of(word) == pool.fee
    ]
    return fitting[0] if len(fitting) == 1 else None


async def _scaling(reader: StateReader, tokens: Sequence[str]) -> tuple[int, ...] | None:
    """What makes 18 decimals of each token's amounts."""
    answers = [row[0] for row in await ask(reader, tokens, ("decimals()",))]
    decimals = [abi.uint(answer) for answer in answers if answer is not None]
    return tuple(10 ** (18 - places) for places in decimals) if len(decimals) == len(tokens) else None


async def _load(reader: StateReader, info: PoolInfo, time: int) -> Pool | str:
    """The pool, or why it could not be read."""
    try:
        return await _read(reader, info, time)
    except _Unread as error:
        return str(error)


async def _read(reader: StateReader, info: PoolInfo, time: int) -> Pool:
    """Raises _Unread."""
    family, bpt = str(info.extra[0]), int(info.extra[1])
    numbers = tuple(int(number) for number in info.extra[2:])
    scaling, weights = numbers[: len(info.tokens)], numbers[len(info.tokens) :]
    address, fee_at = info.id[:42], FEE_FIELDS[info.layout]
    registered = info.tokens if bpt < 0 else (*info.tokens[:bpt], address, *info.tokens[bpt:])
    holdings = await _holdings(reader, info.id, registered)
    paused = await reader.calls((to, abi.call("getPausedState()")) for to in (address, VAULT))
    if any(answer is None or abi.uint(answer) for answer in paused):
        raise _Unread("pool or Vault is paused, or does not say")
    fee_word, amp_word = await _stored(reader, address, (fee_at.slot, AMP_SLOT))
    fee = fee_at.of(fee_word)
    if weights:
        return WeightedPool(holdings, weights, scaling, fee, family == "weighted-new", fee_at)
    rates = (FIXED,) * len(scaling)
    if family in RATE_CACHES:
        rates = await _rates(reader, address, registered, info.tokens, RATE_CACHES[family])
    old, late = family in ("stable-old", "meta", "phantom"), family == "phantom"
    return StablePool(holdings, scaling, fee, Amp.of(amp_word), rates, old, time, late, fee_at, AMP_SLOT)


async def _holdings(reader: StateReader, pool_id: str, tokens: tuple[str, ...]) -> Holdings:
    empty = unread(VAULT, pool_id, tokens)
    slots = sorted(empty.slots())
    return empty.from_words(dict(zip(slots, await _stored(reader, VAULT, slots), strict=True)))


async def _stored(reader: StateReader, address: str, slots: Sequence[int]) -> list[int]:
    words = []
    for word in await reader.slots((address, slot) for slot in slots):
        if isinstance(word, RpcError):
            raise _Unread(f"storage of {address}: {word.message}")
        words.append(word)
    return words


async def _rates(
    reader: StateReader, address: str, registered: Sequence[str], tokens: Sequence[str], getter: str
) -> tuple[Rate, ...]:
    """Each token's cached rate, and what its provider says now."""
    (listed,) = await reader.calls([(address, abi.call("getRateProviders()"))])
    providers = [f"0x{word:040x}" for word in _words(listed)]
    if len(providers) == len(registered):  # the pool's own token among them
        providers = [provider for token, provider in zip(registered, providers, strict=True) if token != address]
    if len(providers) != len(tokens):
        raise _Unread("rate providers are not known")
    rates = []
    for token, provider in zip(tokens, providers, strict=True):
        if not int(provider, 16):
            rates.append(FIXED)
            continue
        questions = [(address, abi.call(getter, token)), (provider, abi.call("getRate()"))]
        cache, fresh = await reader.calls(questions)
        if cache is None or fresh is None or len(cache) < 3 * abi.WORD:
            raise _Unread(f"the rate of {token} is not known")
        *_, duration, expires = (abi.uint(cache, index) for index in range(len(cache) // abi.WORD))
        rates.append(Rate(abi.uint(cache), expires, abi.uint(fresh), duration))
    return tuple(rates)
