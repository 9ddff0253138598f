"""The keys of v4 pools that only their ids are known of: a manager's logs of swaps name pools by the hash of the key.

A key is found where a transaction says it, or by trying what its parts may be; the hash decides. Nothing is asked of a
node.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from bot import abi
from bot.amm.v4 import DONATE, DYNAMIC_FEE, MODIFY_LIQUIDITY, SWAP, pool_id
from bot.chain.pool_reader import PoolInfo
from bot.chain.readers.uniswap_v4 import MAINNET_MANAGER, PoolKey, from_keys, from_logs
from bot.engine.types import Log

ETH = "0x" + "00" * 20  # as a currency; as hooks: none
TIERS = ((100, 1), (500, 10), (3_000, 60), (10_000, 200))
"""Fee and tick spacing of most keys."""
DYNAMIC_TIERS = tuple((DYNAMIC_FEE, spacing) for _, spacing in TIERS)

_TRANSFER = abi.topic("Transfer(address,address,uint256)")
_NAMING = frozenset((SWAP, MODIFY_LIQUIDITY, DONATE))
_ADDRESS, _WORD_3, _WORD_2 = rb"\x00{12}(.{20})", rb"\x00{29}(.{3})", rb"\x00{30}(.{2})"
_KEY = re.compile(rb"(?=" + 2 * _ADDRESS + _WORD_3 + _WORD_2 + _ADDRESS + rb")", re.DOTALL)  # PoolKey
_TIER = re.compile(rb"(?=" + _WORD_3 + _WORD_2 + _ADDRESS + rb")", re.DOTALL)  # PathKey behind its currency
_PACKED = 20 + 20 + 3 + 3 + 20
_MOST_CALLDATA = 1 << 16  # bytes of one transaction that are looked through


@dataclass(frozen=True, slots=True)
class Mined:
    """What is looked at of a transaction."""

    to: str | None
    data: bytes
    logs: Sequence[Log]

    def named(self, managers: Collection[str]) -> dict[str, str]:
        """The pools that these managers' logs are about, and their managers."""
        return {
            log.topics[1]: log.address
            for log in self.logs
            if log.address in managers and len(log.topics) > 1 and log.topics[0] in _NAMING
        }

    @property
    def currencies(self) -> list[str]:
        """ETH, and the tokens that moved."""
        return sorted({ETH, *(log.address for log in self.logs if log.topics and log.topics[0] == _TRANSFER)})


def from_transactions(
    transactions: Iterable[Mined], managers: Collection[str] = (MAINNET_MANAGER,)
) -> tuple[list[PoolInfo], list[str]]:
    """The pools that the managers' logs are about, and the ids of those whose keys cannot be told."""
    seen = [mined for mined in transactions if any(log.address in managers for log in mined.logs)]
    infos = {info.id: info for mined in seen for info in from_logs(mined.logs, managers)}
    named = {name: manager for mined in seen for name, manager in mined.named(managers).items()}
    left = named.keys() - infos.keys()
    found: dict[str, PoolKey] = {}
    for ways in (_likely, _stated):
        for mined in seen:
            wanted = left & mined.named(managers).keys()
            if wanted:
                found |= matching(ways(mined), wanted)
                left -= found.keys()
    if left:
        currencies = sorted({currency for mined in seen for currency in mined.currencies})
        found |= matching(_usual(currencies), left)
        left -= found.keys()
    for name, key in found.items():
        infos |= {info.id: info for info in from_keys(named[name], [key])}
    return list(infos.values()), sorted(left)


def matching(keys: Iterable[PoolKey], ids: Collection[str]) -> dict[str, PoolKey]:
    """Those of the keys that are of these pools, by id; the search ends with the last."""
    wanted = set(ids)
    found: dict[str, PoolKey] = {}
    for key in keys:
        name = pool_id(*key)
        if name in wanted:
            found[name] = key
            wanted.remove(name)
            if not wanted:
                break
    return found


def _stated(mined: Mined) -> Iterator[PoolKey]:
    """Whatever in the calldata may be a key: five words, or packed."""
    data = mined.data[:_MOST_CALLDATA]
    for match in _KEY.finditer(data):
        yield _key(*match.groups())
    for at in range(len(data) - _PACKED + 1):
        fee, spacing = data[at + 40 : at + 43], data[at + 43 : at + 46]
        if data[at : at + 20] < data[at + 20 : at + 40] and not spacing[0]:
            yield _key(data[at : at + 20], data[at + 20 : at + 40], fee, spacing, data[at + 46 : at + _PACKED])


def _likely(mined: Mined) -> Iterator[PoolKey]:
    """Between the currencies that moved: the usual keys, those of a path in the calldata, and usual ones with a hook
    among the contracts that the transaction shows."""
    pairs = list(combinations(mined.currencies, 2))
    yield from _usual(mined.currencies)
    for fee, spacing, hooks in {match.groups() for match in _TIER.finditer(mined.data[:_MOST_CALLDATA])}:
        tier = int.from_bytes(fee, "big"), int.from_bytes(spacing, "big")
        for pair in pairs:
            for chosen in {ETH, abi.to_hex(hooks)}:
                yield PoolKey(*pair, *tier, chosen)
    shown = {log.address for log in mined.logs} | ({mined.to} if mined.to else set())
    for hooks, tier, pair in product(sorted(shown), (*DYNAMIC_TIERS, *TIERS), pairs):
        yield PoolKey(*pair, *tier, hooks)


def _usual(currencies: Sequence[str]) -> Iterator[PoolKey]:
    """Without a hook."""
    for tier, pair in product(TIERS, combinations(currencies, 2)):
        yield PoolKey(*pair, *tier, ETH)


def _key(token0: bytes, token1: bytes, fee: bytes, spacing: bytes, hooks: bytes) -> PoolKey:
    numbers = int.from_bytes(fee, "big"), int.from_bytes(spacing, "big")
    return PoolKey(abi.to_hex(token0), abi.to_hex(token1), *numbers, abi.to_hex(hooks))
