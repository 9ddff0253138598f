"""Pending transactions as events."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from bot.chain.subscription import subscribe
from bot.engine.clock import Clock
from bot.engine.decode import TransactionBody, transaction
from bot.engine.types import Event, PendingTx
from bot.jsonrpc import JsonRpc

REMEMBERED = 50_000  # hashes; a transaction announced twice is one event


class MempoolCollector:
    """Subscribes to full bodies; a node that announces hashes only is asked for each body. Transactions of our ``own``
    accounts are no events."""

    name = "mempool"

    def __init__(self, ws_url: str, rpc: JsonRpc, clock: Clock, own: frozenset[str]) -> None:
        self._ws_url, self._rpc, self._clock, self._own = ws_url, rpc, clock, own
        self._seen: dict[str, None] = {}

    async def events(self) -> AsyncIterator[Event]:
        announcements = subscribe(self._ws_url, TransactionBody | str, "newPendingTransactions", True)  # type: ignore[arg-type]
        async for announced in announcements:
            seen_ns = self._clock.now_ns()
            body = await self._body(announced)
            if body is None or body.hash in self._seen or body.sender.lower() in self._own:
                continue
            self._seen[body.hash] = None
            if len(self._seen) > REMEMBERED:
                del self._seen[next(iter(self._seen))]
            decoded = transaction(body)
            if decoded is not None:
                yield PendingTx(decoded, seen_ns)

    async def _body(self, announced: TransactionBody | str | None) -> TransactionBody | None:
        if not isinstance(announced, str):
            return announced
        body = await self._rpc.call("eth_getTransactionByHash", announced)
        return msgspec.convert(body, TransactionBody | None)
