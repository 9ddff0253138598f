"""New heads as events, in order, without gaps: each with its logs and its change of state."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import structlog

from bot.chain.subscription import subscribe
from bot.engine.clock import Clock
from bot.engine.decode import LogEntry, TransactionBody, header, mined
from bot.engine.types import Event, Header, NewHead, StateDiff
from bot.jsonrpc import JsonRpc, RpcError
from bot.simulation.node import state_diffs
from bot.simulation.state import merge

logger = structlog.get_logger(__name__)

DEEPEST_REORG = 64
PATIENCE = 3  # refusals in a row


class HeadCollector:
    """Follows the chain from ``start`` (which is not repeated). After a reorg it emits the new branch from the common
    ancestor on: whoever keeps state sees a ``parent_hash`` that is not its head and goes back first."""

    name = "heads"

    def __init__(self, ws_url: str, rpc: JsonRpc, clock: Clock, start: Header) -> None:
        self._ws_url, self._rpc, self._clock = ws_url, rpc, clock
        self._branch: deque[Header] = deque([start], maxlen=DEEPEST_REORG)
        self._refusals = 0

    async def events(self) -> AsyncIterator[Event]:
        async for announced in subscribe(self._ws_url, dict[str, Any], "newHeads"):
            seen_ns = self._clock.now_ns()
            tip = announced or await self._rpc.call("eth_getBlockByNumber", "latest", False)
            for block in await self._missing(tip):
                event = await self._complete(block, seen_ns)
                self._branch.append(event.header)
                yield event

    async def _missing(self, tip: dict[str, Any]) -> list[dict[str, Any]]:
        """Blocks from our branch (its end cut back to the common ancestor) up to ``tip``."""
        blocks: list[dict[str, Any]] = []
        known = {known.hash for known in self._branch}
        while tip["hash"] not in known:
            blocks.append(tip)
            if len(blocks) > 10 * DEEPEST_REORG or int(tip["number"], 16) <= self._branch[0].number:
                raise RuntimeError(f"block {int(tip['number'], 16)} is not on a branch that reaches ours")
            tip = await self._rpc.call("eth_getBlockByHash", tip["parentHash"], False)
        if blocks:
            while self._branch[-1].hash != tip["hash"]:
                self._branch.pop()
        return blocks[::-1]

    async def _complete(self, block: dict[str, Any], seen_ns: int) -> NewHead:
        full, logs, diff = await asyncio.gather(
            self._rpc.call("eth_getBlockByHash", block["hash"], True),
            self._rpc.call_as(tuple[LogEntry, ...], "eth_getLogs", {"blockHash": block["hash"]}),
            self._diff(int(block["number"], 16)),
        )
        transactions = mined(msgspec.convert(full["transactions"], list[TransactionBody]), logs)
        every = tuple(log for tx in transactions for log in tx.logs)
        return NewHead(header(full), every, diff, transactions, seen_ns)

    async def _diff(self, number: int) -> StateDiff | None:
        """``None`` where the node gives none; one that refuses several times in a row is not asked again."""
        if self._refusals >= PATIENCE:
            return None
        try:
            diff = merge(await state_diffs(self._rpc, number))
        except RpcError as error:
            self._refusals += 1
            logger.warning("no state diff: simulation forks anew at this head", error=error.message)
            return None
        self._refusals = 0
        return diff
