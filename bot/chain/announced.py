"""What nodes say their newest block is: by subscription, else by asking again and again."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any, NoReturn

import structlog

from bot.chain.nodes.node import Node
from bot.chain.nodes.pool import NodePool
from bot.chain.subscription import subscribe
from bot.engine.clock import Clock
from bot.jsonrpc import RpcError, RpcUnreachable, parse

logger = structlog.get_logger(__name__)

SILENCE = 3  # block times without news, after which a subscription is made anew
UNHEARD = 1.5  # block times without news of any node, after which one is asked
AGAIN = 0.25  # seconds, after a block could not be read
POLLS = 8  # a block time, at a node that has no subscriptions
ANSWER_SECONDS = 1.0  # for a node's own word on its newest block
FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Announced:
    """A node's word for its newest block, a header as JSON that nobody has checked; when it came."""

    node: Node
    block: dict[str, Any]
    seen_ns: int


class Announcements:
    """What all nodes of a pool announce. ``block_time`` is seconds."""

    def __init__(self, pool: NodePool, clock: Clock, block_time: float) -> None:
        self._pool, self._clock, self._block_time = pool, clock, block_time
        self._queue: asyncio.Queue[Announced] = asyncio.Queue()

    def listen(self) -> list[asyncio.Task[NoReturn]]:
        """Listens to every node, until these tasks are cancelled."""
        return [asyncio.create_task(self._listen(node)) for node in self._pool.nodes]

    async def next(self, *, soon: bool = False) -> Announced | None:
        """The next one. Where none comes in time (``soon``: at once) a node is asked; None when that fails too."""
        try:
            async with asyncio.timeout(AGAIN if soon else UNHEARD * self._block_time):
                return await self._queue.get()
        except TimeoutError:
            pass
        for node in sorted(self._pool.nodes, key=lambda node: node.shut):
            try:
                return Announced(node, await newest(node), self._clock.now_ns())
            except (RpcError, RpcUnreachable):
                continue
        return None

    async def _listen(self, node: Node) -> NoReturn:
        backoff = FIRST_BACKOFF
        while True:
            started = self._clock.now_ns()
            try:
                await (self._subscribed(node, node.at.stream) if node.at.stream else self._polled(node))
                why = "the stream ended"
            except (RpcError, RpcUnreachable, TimeoutError) as error:
                why = str(error) or "no news"
                node.failed(why)
            if self._clock.now_ns() - started > SILENCE * self._block_time * 1e9:
                backoff = FIRST_BACKOFF
            pause = backoff * (0.5 + random.random())
            logger.warning("heads of a node: listened to anew", node=node.name, error=why, in_seconds=round(pause, 2))
            await self._clock.sleep(pause)
            backoff = min(2 * backoff, LONGEST_BACKOFF)

    async def _subscribed(self, node: Node, url: str) -> None:
        """Returns when the node closes. Raises RpcError, RpcUnreachable, and TimeoutError when it has fallen silent."""
        stream = subscribe(url, dict[str, Any], "newHeads")
        last: dict[str, Any] | None = None
        try:
            while True:
                async with asyncio.timeout(SILENCE * self._block_time):
                    told = await anext(stream)
                seen_ns = self._clock.now_ns()
                last = told or await newest(node)
                self._queue.put_nowait(Announced(node, last, seen_ns))
        except StopAsyncIteration:
            return
        except TimeoutError:
            block = await newest(node)
            if last is not None and block.get("hash") == last.get("hash"):
                return  # there was no news: but who knows whether the subscription still lives
            node.health.silent += 1
            self._queue.put_nowait(Announced(node, block, self._clock.now_ns()))
            raise
        finally:
            await stream.aclose()  # type: ignore[attr-defined]

    async def _polled(self, node: Node) -> None:
        last = ""
        while True:
            block = await newest(node)
            if block.get("hash") != last:
                last = str(block.get("hash"))
                self._queue.put_nowait(Announced(node, block, self._clock.now_ns()))
            await self._clock.sleep(self._block_time / POLLS)


async def newest(node: Node) -> dict[str, Any]:
    """A node's own newest header. Raises RpcError, RpcUnreachable."""
    return await asked(node, "eth_getBlockByNumber", "latest", False)


async def asked(node: Node, method: str, *params: Any) -> dict[str, Any]:
    """An object from this node alone, and soon. Raises RpcError, RpcUnreachable."""
    body = node.rpc.request(method, params)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await node.ask(method, body, lambda raw: _object(method, raw))
    except TimeoutError:
        node.was_late(method)
        raise RpcUnreachable(f"{method}: no answer in {ANSWER_SECONDS:g} s") from None


def _object(method: str, raw: bytes) -> dict[str, Any]:
    result: dict[str, Any] = parse(method, raw, dict[str, Any])
    return result
