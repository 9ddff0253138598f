"""New heads as events, in order, without gaps: each with its logs and its change of state.

Of what a node announces only the hash is believed, and only when a block of that hash is to be had which fits on what
is known: whoever tells it first is followed at once. Where blocks at one height differ, that is a reorganisation or a
disagreement; the nodes are asked, and the branch is followed that more of them have. Of two with as many it is the one
that is at least ``AHEAD`` blocks longer, else the one that the node listed first has.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import msgspec
import structlog

from bot.chain import bloom
from bot.chain.announced import Announced, Announcements, asked
from bot.chain.nodes.node import Node
from bot.chain.nodes.pool import Disagreement, NodePool
from bot.engine.clock import Clock
from bot.engine.decode import LogEntry, TransactionBody, header, mined
from bot.engine.types import Event, Header, NewHead, StateDiff
from bot.jsonrpc import JsonRpc, RpcError, RpcUnreachable, parse
from bot.simulation.node import state_diffs
from bot.simulation.state import merge

logger = structlog.get_logger(__name__)

DEEPEST_REORG = 64
AHEAD = 3  # blocks
PATIENCE, REST = 3, 64  # refusals in a row; blocks until the nodes are asked for traces again
BACKWARD = 96  # blocks missed that are found from the newest back; of more the oldest are read first
CHUNK = 32  # headers read at a time while catching up


class Impossible(Exception):
    """A node told of a block that is not there, or does not fit."""


class HeadCollector:
    """Follows the chain from ``start`` (which is not repeated), however many blocks it missed. After a reorganisation
    it emits the new branch from the common ancestor on: whoever keeps state sees a ``parent_hash`` that is not its head
    and goes back first. One deeper than DEEPEST_REORG cannot be followed: the newest head is emitted as it is, its
    parent unknown to everybody, which ends the engine; the state has to be read anew."""

    name = "heads"

    def __init__(self, pool: NodePool, clock: Clock, start: Header, block_time: float) -> None:
        """``block_time`` is seconds."""
        self._pool, self._clock = pool, clock
        self._news = Announcements(pool, clock, block_time)
        self._branch: deque[Header] = deque([start], maxlen=DEEPEST_REORG)
        self._refusals = 0

    async def events(self) -> AsyncIterator[Event]:
        listening, failed = self._news.listen(), False
        try:
            while True:
                news = await self._news.next(soon=failed)
                failed = news is None
                if news is None:
                    continue
                try:
                    async for event in self._toward(news):
                        yield event
                except Impossible as error:
                    news.node.failed(str(error))
                    logger.warning("a node told of a block that cannot be", node=news.node.name, error=str(error))
                except (RpcError, RpcUnreachable) as error:
                    failed = True
                    logger.warning("block not read: asked for again", error=str(error))
        finally:
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)

    # --- the way to a new tip ----------------------------------------------------------------------------------------

    async def _toward(self, news: Announced) -> AsyncIterator[NewHead]:
        """The blocks from our branch to the announced one. Raises Impossible, RpcError, RpcUnreachable."""
        rpc = self._pool.through(news.node)
        tip, parent = str(news.block.get("hash")), news.block.get("parentHash")
        if (known := self._known(tip)) is not None:
            _heard(news.node, known)
            return
        path: list[str] | None = [tip]
        if parent != self._branch[-1].hash:
            told = header(await _block(rpc, tip))
            async for event in self._catch_up(rpc, told.number - BACKWARD, news.seen_ns):
                yield event
            path = await self._path(rpc, told)
            if path is not None and not await self._follows(path, told):
                return
        if path is None:
            await self._confirm_loss(tip)
            path = [tip]
        for block_hash in path:
            event = await self._complete(rpc, block_hash, news.seen_ns)
            self._append(event.header)
            _heard(news.node, event.header)
            yield event

    def _known(self, block_hash: str) -> Header | None:
        return next((block for block in self._branch if block.hash == block_hash), None)

    def _append(self, head: Header) -> None:
        """Raises Impossible."""
        if self._branch:
            parent = self._known(head.parent_hash)
            if parent is None or head.number != parent.number + 1:
                raise Impossible(f"block {head.number} {head.hash} does not stand where it was said to")
            while self._branch[-1] is not parent:
                self._branch.pop()
        self._branch.append(head)

    async def _path(self, rpc: JsonRpc, tip: Header) -> list[str] | None:
        """Hashes from behind a block of our branch up to ``tip``; None where our branch is not reached."""
        known = {ours.hash for ours in self._branch}
        path, block = [tip.hash], tip
        while block.parent_hash not in known:
            if block.number <= self._branch[0].number or len(path) > BACKWARD + DEEPEST_REORG:
                return None
            parent = header(await _block(rpc, block.parent_hash))
            if parent.number != block.number - 1:
                raise Impossible(f"block {block.number} stands on block {parent.number}")
            path.append(parent.hash)
            block = parent
        return path[::-1]

    async def _catch_up(self, rpc: JsonRpc, upto: int, seen_ns: int) -> AsyncIterator[NewHead]:
        """Blocks behind our tip by their numbers. Where the chain has left our branch, from the ancestor on; where it
        has no ancestor that is kept, none."""
        while (first := self._branch[-1].number + 1) <= upto:
            logger.info("catching up", block=first, blocks=upto - first + 1)
            blocks = await _at(rpc, range(first, min(first + CHUNK, upto + 1)))
            if not blocks:
                return
            if blocks[0].parent_hash != self._branch[-1].hash and not await self._go_back(rpc):
                return
            for block in blocks:
                if block.parent_hash != self._branch[-1].hash:
                    break
                event = await self._complete(rpc, block.hash, seen_ns)
                self._append(event.header)
                yield event

    async def _go_back(self, rpc: JsonRpc) -> bool:
        """To the newest block of ours that the chain still has; whether there is one."""
        there = {block.hash for block in await _at(rpc, [ours.number for ours in self._branch])}
        ancestor = next((ours for ours in reversed(self._branch) if ours.hash in there), None)
        if ancestor is None:
            return False
        while self._branch[-1] is not ancestor:
            self._branch.pop()
        return True

    async def _confirm_loss(self, tip: str) -> None:
        """Gives our branch up. Raises Impossible where a node still has it, or none has another: then the node that
        told of ``tip`` is far behind, or on a chain of its own."""
        ours = self._branch[-1]
        hashes = set((await self._votes(ours.number)).values())
        if not hashes or ours.hash in hashes:
            raise Impossible(f"block {tip} is not on a branch that reaches ours")
        logger.error("the chain was reorganised deeper than is kept", blocks=DEEPEST_REORG)
        self._branch.clear()

    # --- one of two branches -----------------------------------------------------------------------------------------

    async def _follows(self, path: Sequence[str], tip: Header) -> bool:
        """Whether the branch ``path`` to ``tip`` is to be followed in place of ours, if they differ."""
        theirs, number = path[0], tip.number - len(path) + 1
        ours = next((block.hash for block in self._branch if block.number == number), None)
        if ours is None or len(self._pool.nodes) == 1:
            return True
        hashes = await self._votes(number)
        listed = [hash_ for node in self._pool.nodes if (hash_ := hashes.get(node.name)) in (ours, theirs)]
        for_theirs, for_ours = listed.count(theirs), listed.count(ours)
        if not for_theirs:
            return False
        longer = tip.number >= self._branch[-1].number + AHEAD
        on_a_tie = longer or listed[0] == theirs
        follows = for_theirs > for_ours or (for_theirs == for_ours and on_a_tie)
        if for_ours:
            self._tell(Disagreement(number, hashes, theirs if follows else ours))
        return follows

    async def _votes(self, number: int) -> dict[str, str]:
        """The block that each node has at a height, by its name; without those that have none or do not say."""

        async def vote(node: Node) -> tuple[str, str]:
            return node.name, str((await asked(node, "eth_getBlockByNumber", hex(number), False))["hash"])

        said = await asyncio.gather(*map(vote, self._pool.nodes), return_exceptions=True)
        return dict(one for one in said if isinstance(one, tuple))

    def _tell(self, found: Disagreement) -> None:
        if found in self._pool.disagreements:
            return
        self._pool.disagreements.append(found)
        for node in self._pool.nodes:
            if found.hashes.get(node.name, found.followed) != found.followed:
                node.health.disagreed += 1
        logger.warning("nodes disagree", block=found.number, hashes=found.hashes, followed=found.followed)

    # --- one block ---------------------------------------------------------------------------------------------------

    async def _complete(self, rpc: JsonRpc, block_hash: str, seen_ns: int) -> NewHead:
        """Raises Impossible, RpcError, RpcUnreachable."""
        full, logs, diff = await asyncio.gather(
            _block(rpc, block_hash, whole=True), _logs(rpc, block_hash), self._diff(rpc, block_hash)
        )
        try:
            bodies, told = msgspec.convert(full["transactions"], list[TransactionBody]), full["logsBloom"]
        except (KeyError, msgspec.ValidationError) as error:
            raise RpcUnreachable(f"block {block_hash} is not as blocks are: {error}") from None
        if not bloom.complete(told, logs):
            logs = await self._logs_elsewhere(told, block_hash)
        transactions = mined(bodies, logs)
        every = tuple(log for tx in transactions for log in tx.logs)
        return NewHead(header(full), every, diff, transactions, seen_ns)

    async def _logs_elsewhere(self, told: str, block_hash: str) -> tuple[LogEntry, ...]:
        """From a node that gives all of them: some announce a block before its logs are indexed, and leave them out."""
        for node in self._pool.nodes:
            logs = await _logs(self._pool.through(node), block_hash)
            if bloom.complete(told, logs):
                return logs
        raise RpcUnreachable(f"no node gives all logs of block {block_hash}")

    async def _diff(self, rpc: JsonRpc, block_hash: str) -> StateDiff | None:
        """``None`` where no node gives one; nodes that refuse several times in a row are asked seldom."""
        if self._refusals >= PATIENCE:
            self._refusals += 1
            if self._refusals % REST:
                return None
        try:
            diff = merge(await state_diffs(rpc, block_hash))
        except (RpcError, KeyError, TypeError) as error:  # KeyError: one of the traces failed
            self._refusals += 1
            logger.warning("no state diff: simulation forks anew at this head", error=str(error))
            return None
        self._refusals = 0
        return diff


def _heard(node: Node, head: Header) -> None:
    node.health.head, node.health.head_hash = head.number, head.hash


async def _logs(rpc: JsonRpc, block_hash: str) -> tuple[LogEntry, ...]:
    return await rpc.call_as(tuple[LogEntry, ...], "eth_getLogs", {"blockHash": block_hash})


async def _block(rpc: JsonRpc, block_hash: str, *, whole: bool = False) -> dict[str, Any]:
    """A block as JSON; ``whole``: with its transactions. A node that gives another one has failed. Raises Impossible
    where there is none, RpcError, RpcUnreachable."""
    method = "eth_getBlockByHash"

    def decode(raw: bytes) -> Any:
        block = parse(method, raw)
        if block is not None and _header(block).hash != block_hash:
            raise RpcUnreachable(f"asked for block {block_hash}, got {block['hash']}")
        return block

    block: dict[str, Any] | None = await rpc.ask(method, rpc.request(method, [block_hash, whole]), decode)
    if block is None:
        raise Impossible(f"no node has block {block_hash}")
    return block


def _header(block: Any) -> Header:
    """Raises RpcUnreachable."""
    try:
        return header(block)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RpcUnreachable(f"a block is not as blocks are: {type(error).__name__} {error}") from None


async def _at(rpc: JsonRpc, numbers: Iterable[int]) -> list[Header]:
    """The headers at these heights, without those that are not there."""
    blocks = await rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
    return [_header(block) for block in blocks if isinstance(block, dict)]
