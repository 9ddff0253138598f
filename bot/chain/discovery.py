"""Finds pools: from what factories logged, or by asking factories for the pools between given tokens.

What a log or a factory names is a candidate only. Its protocol's reader asks the contract itself, as pools.identify
does of any address; so a log of a stranger's contract brings nothing in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from bot import abi
from bot.amm.layouts import v4_layout
from bot.amm.v4 import INITIALIZE
from bot.chain.pool_reader import PoolInfo
from bot.chain.pools import READERS
from bot.chain.readers.uniswap_v4 import PoolKey, from_keys, from_logs
from bot.chain.readers.vaults import Vaults, Weth
from bot.chain.state_reader import Block, StateReader
from bot.engine.decode import LogEntry
from bot.engine.decode import log as decoded
from bot.engine.types import Log
from bot.jsonrpc import JsonRpc, RpcError

Progress = Callable[[str, int, int], None]
"""What is being done, and how much of how much is."""

ETH = "0x" + "00" * 20
NO_HOOK = ETH
V4_KEYS = ((100, 1), (500, 10), (3_000, 60), (10_000, 200))
"""Fee and tick spacing of the v4 keys without a hook that are tried."""
AT_ONCE = 500  # candidates asked what they are


@dataclass(frozen=True, slots=True)
class Factories:
    """Whom to ask. ``v2`` gives the fee that each factory's pairs charge, ``v3`` the fee tiers to look for; ``curve``
    are factories and registries that list their pools, ``balancer`` Vaults, ``v4`` managers."""

    v2: Mapping[str, int] = field(default_factory=dict)
    v3: Mapping[str, Sequence[int]] = field(default_factory=dict)
    solidly: tuple[str, ...] = ()
    curve: tuple[str, ...] = ()
    balancer: tuple[str, ...] = ()
    v4: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.v2, *self.v3, *self.solidly, *self.curve, *self.balancer, *self.v4)


@dataclass(frozen=True, slots=True)
class _Event:
    """A log that names a new pool: its address is this word of the topics, or of the data. ``tokens``: topics 1 and 2
    are the pool's tokens. ``protocol`` is its reader's name; None: any may know it."""

    signature: str
    protocol: str | None
    topic: int | None = None
    word: int = 0
    tokens: bool = True


_EVENTS = {
    abi.topic(event.signature): event
    for event in (
        _Event("PairCreated(address,address,address,uint256)", "uniswap-v2"),  # UniswapV2Factory
        _Event("PoolCreated(address,address,uint24,int24,address)", "uniswap-v3", word=1),  # UniswapV3Factory
        _Event("PoolCreated(address,address,bool,address,uint256)", "solidly"),  # Velodrome v2, Aerodrome
        _Event("PairCreated(address,address,bool,address,uint256)", "solidly", word=1),  # Solidly, Velodrome v1
        _Event("PoolRegistered(bytes32,address,uint8)", "balancer", topic=2, tokens=False),  # Balancer v2's Vault
        _Event("PoolAdded(address,bytes)", None, topic=1, tokens=False),  # Curve's Registry
        _Event("PoolAdded(address)", None, topic=1, tokens=False),  # its CryptoRegistry
        _Event(  # CurveTricryptoFactory
            "TricryptoPoolDeployed(address,string,string,address,address[3],address,bytes32,uint256,uint256,uint256,"
            "uint256,uint256,address)",
            None,
            tokens=False,
        ),
        _Event(  # CurveTwocryptoFactory
            "TwocryptoPoolDeployed(address,string,string,address[2],address,bytes32,uint256[2],uint256,uint256,uint256,"
            "uint256,address)",
            None,
            tokens=False,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class _Candidate:
    address: str
    factory: str
    protocol: str | None


def silent(what: str, done: int, all_: int) -> None:
    """Progress that nobody is told of."""


async def from_events(
    rpc: JsonRpc,
    factories: Factories,
    first: int,
    last: int,
    *,
    tokens: Collection[str] | None = None,
    progress: Progress = silent,
) -> list[PoolInfo]:
    """The pools that these factories logged in blocks ``first`` to ``last``, as they are after ``last``; with
    ``tokens`` only those with two or more of them. Curve's stable factories log pools without naming them: they are
    asked for their lists. Raises RpcUnreachable, and RpcError where the node refuses the logs of a single block."""
    topics = [*_EVENTS, INITIALIZE]
    logs = await logs_in(rpc, factories.all, topics, first, last, progress=progress)
    candidates, v4_logs = [], []
    for log in logs:
        if log.topics[0] == INITIALIZE:
            v4_logs.append(log)
        elif (candidate := _candidate(log, tokens)) is not None:
            candidates.append(candidate)
    candidates += await _listed(rpc, factories.curve, last)
    infos = await _confirmed(rpc, candidates, factories, last, progress)
    infos += from_logs(v4_logs, factories.v4)
    return [info for info in infos if _between(info, tokens)]


async def from_tokens(
    rpc: JsonRpc, factories: Factories, tokens: Iterable[str], block: Block, *, progress: Progress = silent
) -> list[PoolInfo]:
    """The pools that these factories have between any two of the tokens; of v4 those with usual keys (V4_KEYS).
    Balancer's Vault cannot be asked by tokens: from_events finds its pools.
    Raises RpcUnreachable."""
    wanted = sorted(set(tokens))
    calls = [call for pair in combinations(wanted, 2) for call in _questions(factories, *pair)]
    reader = StateReader(rpc, block)
    candidates = []
    for start in range(0, len(calls), AT_ONCE):
        part = calls[start : start + AT_ONCE]
        answers = await reader.calls((factory, data) for factory, data, _ in part)
        for (factory, _, protocol), answer in zip(part, answers, strict=True):
            if answer is not None and abi.uint(answer):
                candidates.append(_Candidate(abi.address(answer), factory, protocol))
        progress("factories asked", start + len(part), len(calls))
    candidates += await _listed(rpc, factories.curve, block)
    infos = await _confirmed(rpc, candidates, factories, block, progress)
    keys = [PoolKey(*pair, *key, NO_HOOK) for pair in combinations(sorted({*wanted, ETH}), 2) for key in V4_KEYS]
    usual = [info for manager in factories.v4 for info in from_keys(manager, keys)]
    prices = await reader.slots((str(info.extra[0]), v4_layout(info.id).price) for info in usual)
    infos += [info for info, price in zip(usual, prices, strict=True) if price]
    return [info for info in infos if _between(info, {*wanted, ETH})]


async def from_addresses(
    rpc: JsonRpc, addresses: Iterable[str], block: Block, *, progress: Progress = silent
) -> list[PoolInfo]:
    """Those of the addresses that are pools we can quote. Raises RpcUnreachable."""
    candidates = [_Candidate(address, "", None) for address in addresses]
    return await _confirmed(rpc, candidates, Factories(), block, progress)


async def wrappers(rpc: JsonRpc, tokens: Iterable[str], block: Block) -> list[PoolInfo]:
    """Those of the tokens that change another token for themselves: ERC-4626 vaults, WETH. Raises RpcUnreachable."""
    reader, asked = StateReader(rpc, block), list(dict.fromkeys(tokens))
    infos: list[PoolInfo] = []
    for protocol in READERS:
        if protocol.protocol in (Vaults.protocol, Weth.protocol):
            infos += await protocol.identify(reader, asked)
    return infos


async def logs_in(
    rpc: JsonRpc,
    addresses: Sequence[str],
    topics: Sequence[str],
    first: int,
    last: int,
    *,
    progress: Progress = silent,
) -> list[Log]:
    """All logs of these contracts with one of ``topics`` first, in order. A range that the node refuses (too many
    blocks, too many logs) is halved; after one that it serves, the next is larger again. Raises RpcUnreachable, and
    RpcError where a single block is refused."""
    logs: list[Log] = []
    at, span = first, last - first + 1
    while at <= last:
        end = min(at + span - 1, last)
        query = {"address": list(addresses), "topics": [list(topics)], "fromBlock": hex(at), "toBlock": hex(end)}
        try:
            entries = await rpc.call_as(list[LogEntry], "eth_getLogs", query)
        except RpcError:
            if end == at:
                raise
            span = (end - at + 1) // 2
            continue
        logs += map(decoded, entries)
        progress("blocks searched", end - first + 1, last - first + 1)
        at, span = end + 1, span + span // 4 + 1
    return logs


def _candidate(log: Log, tokens: Collection[str] | None) -> _Candidate | None:
    """None where the log is cut short, or of other tokens."""
    event = _EVENTS.get(log.topics[0])
    if event is None:
        return None
    try:
        named = abi.to_bytes(log.topics[event.topic]) if event.topic else log.data
        pool = abi.address(named, 0 if event.topic else event.word)
        if event.tokens and tokens is not None and not all(f"0x{log.topics[at][-40:]}" in tokens for at in (1, 2)):
            return None
    except (IndexError, ValueError):
        return None
    return _Candidate(pool, log.address, event.protocol)


def _questions(factories: Factories, token0: str, token1: str) -> Iterable[tuple[str, bytes, str]]:
    """Factory, call, and whose pool the answer would be."""
    for factory in factories.v2:
        yield factory, abi.call("getPair(address,address)", token0, token1), "uniswap-v2"
    for factory, fees in factories.v3.items():
        for fee in fees:
            yield factory, abi.call("getPool(address,address,uint24)", token0, token1, fee), "uniswap-v3"
    for factory in factories.solidly:
        for stable in (False, True):
            for name in ("getPool", "getPair"):  # Velodrome v2 and Aerodrome; Solidly and Velodrome v1
                yield factory, abi.call(f"{name}(address,address,bool)", token0, token1, stable), "solidly"


async def _listed(rpc: JsonRpc, registries: Sequence[str], block: Block) -> list[_Candidate]:
    """All pools of Curve's factories and registries, by pool_count and pool_list."""
    reader = StateReader(rpc, block)
    counts = await reader.calls((registry, abi.call("pool_count()")) for registry in registries)
    asked = [
        (registry, index)
        for registry, count in zip(registries, counts, strict=True)
        for index in range(0 if count is None else abi.uint(count))
    ]
    answers = await reader.calls((registry, abi.call("pool_list(uint256)", index)) for registry, index in asked)
    return [
        _Candidate(abi.address(answer), registry, None)
        for (registry, _), answer in zip(asked, answers, strict=True)
        if answer is not None and abi.uint(answer)
    ]


async def _confirmed(
    rpc: JsonRpc, candidates: Sequence[_Candidate], factories: Factories, block: Block, progress: Progress
) -> list[PoolInfo]:
    """What their readers say of the candidates, each once: with the factory, and of a v2 pair its fee. The reader that
    a candidate was logged for is asked first, the others about the rest."""
    reader = StateReader(rpc, block)
    rest = list({candidate.address: candidate for candidate in reversed(candidates)}.values())[::-1]
    infos: list[PoolInfo] = []
    done, count = 0, len(rest)
    for start in range(0, count, AT_ONCE):
        left = rest[start : start + AT_ONCE]
        for own in (True, False):
            for protocol in READERS:
                asked = [one for one in left if (one.protocol == protocol.protocol) == own]
                if not asked:
                    continue
                by_address = {one.address: one for one in asked}
                for info in await protocol.identify(reader, list(by_address)):
                    candidate = by_address[info.id[:42]]  # Balancer's ids begin with the pool's address
                    infos.append(_told(info, candidate, factories))
                    left.remove(candidate)
        done = min(start + AT_ONCE, count)
        progress("pools asked", done, count)
    return infos


def _told(info: PoolInfo, candidate: _Candidate, factories: Factories) -> PoolInfo:
    if not candidate.factory or candidate.factory in (*factories.curve, *factories.balancer):
        return info
    if info.protocol == "uniswap-v2" and candidate.factory in factories.v2:
        info = replace(info, fee=factories.v2[candidate.factory], fee_assumed=False)
    return replace(info, factory=candidate.factory)


def _between(info: PoolInfo, tokens: Collection[str] | None) -> bool:
    return tokens is None or sum(token in tokens for token in info.tokens) >= 2
