"""Launched pools of a node, found by logs, with what it takes to check them. For ``mev launches``."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot import abi
from bot.amm.layouts import v4_layout
from bot.chain.discovery import ETH, from_addresses, from_tokens
from bot.chain.launches.check import TRIED, check
from bot.chain.launches.probe import V4
from bot.chain.launches.report import Report
from bot.chain.pool_reader import PoolInfo
from bot.chain.readers.uniswap_v4 import PoolKey, from_keys
from bot.chain.state_reader import StateReader
from bot.cli.profile import Profile
from bot.engine.decode import LogEntry, header
from bot.engine.decode import log as decoded
from bot.engine.types import Header
from bot.errors import UserError
from bot.jsonrpc import JsonRpc, RpcError
from bot.strategies.launches import CREATED, Launch, created

Progress = Callable[[str, int, int], None]


class _Entry(LogEntry, frozen=True, gc=False, rename="camel"):
    transaction_hash: str = ""
    block_number: str = "0x0"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a pool comes from; ``since`` is None where nobody knows."""

    creators: tuple[str, ...] = ()
    since: int | None = None


class LaunchSource:
    """The launches on a profile's node. ``every``: of factories besides the profile's too."""

    def __init__(self, profile: Profile, node: JsonRpc, *, every: bool = False) -> None:
        self._profile, self._node, self._every = profile, node, every
        self._factories = profile.factories()
        self._bases = (*profile.base_tokens, ETH)  # which v4 trades as itself
        self._seed = secrets.token_bytes(32)

    async def head(self) -> Header:
        """Raises RpcUnreachable."""
        return header(await self._node.call("eth_getBlockByNumber", "latest", False))

    async def found(self, first: int, last: int, progress: Progress) -> list[Launch]:
        """New pools in these blocks, in order. Raises RpcError where the node refuses a single block's logs,
        RpcUnreachable."""
        entries: list[_Entry] = []
        at, span = first, last - first + 1
        while at <= last:
            end = min(at + span - 1, last)
            try:
                entries += await self._logs(at, end, [list(CREATED)])
            except RpcError:
                if end == at:
                    raise
                span = (end - at + 1) // 2
                continue
            progress("blocks searched", end - first + 1, last - first + 1)
            at = end + 1
        return await self._launches(entries)

    async def liquid(self, launches: Sequence[Launch]) -> list[bool]:
        """Whether each has any of its base token. Raises RpcUnreachable."""
        reader, with_id = StateReader(self._node, "latest"), [one for one in launches if one.protocol == V4]
        slots = await reader.slots((one.factory, v4_layout(one.pool).liquidity) for one in with_id)
        some = {one.pool for one, slot in zip(with_id, slots, strict=True) if not isinstance(slot, RpcError) and slot}
        rest = [one for one in launches if one.protocol != V4]
        asked = ((one.base(self._bases) or one.tokens[0], abi.call("balanceOf(address)", one.pool)) for one in rest)
        answers = await reader.calls(asked)
        some |= {one.pool for one, answer in zip(rest, answers, strict=True) if answer and abi.uint(answer)}
        return [launch.pool in some for launch in launches]

    async def report(self, launch: Launch, head: Header, progress: Progress) -> Report | None:
        """A check of its token; None where it has no token besides base tokens. Raises RpcUnreachable."""
        token = launch.token(self._bases)
        if token is None:
            return None
        info = PoolInfo(launch.pool, launch.protocol, "", launch.factory, launch.tokens, launch.fee or 0)
        if launch.protocol == V4:
            key = PoolKey(*launch.tokens, launch.fee or 0, launch.spacing, launch.hooks)
            (info,) = from_keys(launch.factory, [key])
        elif launch.protocol in TRIED:
            pools = await from_addresses(self._node, [launch.pool], head.number)
            info = self._told(pools[0]) if pools else replace(info, protocol=f"no {launch.protocol} that is known")
        return await self._check(token, info, head, Origin((launch.creator,), launch.block), progress)

    async def report_token(self, token: str, pool: str | None, head: Header, progress: Progress) -> Report:
        """A check of a token, through ``pool`` or the one with most of a base token. Raises UserError,
        RpcUnreachable."""
        info = await self._pool(token, pool, head)
        return await self._check(token, info, head, await self._origin(token, info, head), progress)

    async def _check(self, token: str, info: PoolInfo, head: Header, origin: Origin, progress: Progress) -> Report:
        profile = self._profile
        return await check(
            self._node,
            token,
            info,
            self._bases,
            head,
            profile.block_time,
            seed=self._seed,
            creators=origin.creators,
            since=origin.since,
            progress=progress,
        )

    async def _pool(self, token: str, pool: str | None, head: Header) -> PoolInfo:
        bases = self._bases
        if pool is not None:
            found = await from_addresses(self._node, [pool], head.number)
            if not found or token not in found[0].tokens:
                raise UserError(f"{pool} is no pool of {token}: leave --pool out to have one found")
            return self._told(found[0])
        infos = await from_tokens(self._node, self._factories, [token, *bases], head.number)
        mine = [info for info in infos if token in info.tokens and any(base in info.tokens for base in bases)]
        if not mine:
            raise UserError(f"the profile's factories have no pool of {token} with a base token: name one with --pool")
        asked = [
            (base, abi.call("balanceOf(address)", info.id[:42]))
            for info in mine
            for base in [next(base for base in bases if base in info.tokens)]
        ]
        answers = await StateReader(self._node, head.number).calls(asked)
        depth = {info.id: abi.uint(answer) if answer else 0 for info, answer in zip(mine, answers, strict=True)}
        return self._told(max(mine, key=lambda info: (info.protocol in TRIED, depth[info.id])))

    async def _origin(self, token: str, info: PoolInfo, head: Header) -> Origin:
        """By the factory's logs of this token, if the node looks for them."""
        word = "0x" + abi.encode(token).hex()
        try:
            entries = [
                entry
                for topics in ([list(CREATED), word], [list(CREATED), None, word])
                for entry in await self._logs(0, head.number, topics)
            ]
        except RpcError:
            return Origin()
        launches = await self._launches(entries)
        mine = [launch for launch in launches if launch.pool == info.id]
        if not mine:
            return Origin()
        return Origin(tuple(dict.fromkeys(launch.creator for launch in launches)), mine[0].block)

    async def _logs(self, first: int, last: int, topics: list[Any]) -> list[_Entry]:
        query: dict[str, Any] = {"topics": topics, "fromBlock": hex(first), "toBlock": hex(last)}
        if not self._every:
            query["address"] = list(self._factories.all)
        return await self._node.call_as(list[_Entry], "eth_getLogs", query)

    async def _launches(self, entries: Sequence[_Entry]) -> list[Launch]:
        hashes = list(dict.fromkeys(entry.transaction_hash for entry in entries))
        answers = await self._node.batch([("eth_getTransactionByHash", [one]) for one in hashes])
        senders = {
            one: answer["from"].lower() if isinstance(answer, dict) else ""
            for one, answer in zip(hashes, answers, strict=True)
        }
        ours, found = self._factories.all, []
        for entry in entries:
            tx = entry.transaction_hash
            launch = created(decoded(entry), int(entry.block_number, 16), tx, senders[tx], ours)
            if launch is not None and (launch.known or self._every):
                found.append(launch)
        return found

    def _told(self, info: PoolInfo) -> PoolInfo:
        """A v2 pair's fee is its factory's."""
        fee = self._factories.v2.get(info.factory or "")
        return info if fee is None else replace(info, fee=fee, fee_assumed=False)
