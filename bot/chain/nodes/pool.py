"""Several nodes as one: a call goes to the best of them, and to another when that is late, wrong or gone.

The order is that of the profile, but a node behind the newest head, one at its rate, and one that failed again and
again come last. A node that does not answer within its usual latency is not given up: another is asked beside it, and
the first answer is the one (a hedge). An error of the call's own (a revert, a bad parameter) is an answer, and so is
null, but not where another node may know better: a block that this one has not, a method that it does not offer.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import stamina

from bot.chain.nodes.node import LIMIT_EXCEEDED, Endpoints, Node
from bot.jsonrpc import JsonRpc, RpcError, RpcUnreachable

TIMEOUT = 15.0  # seconds an attempt; after half of it there is no other
ATTEMPTS = 4  # at all the nodes
FIRST_WAIT, LONGEST_WAIT, JITTER = 0.05, 1.0, 0.05  # seconds between attempts
MOST_LAG = 1  # blocks behind the newest head: more, and other nodes are asked first
DISAGREEMENTS = 100  # remembered

_READS = ("eth_", "debug_trace", "debug_get", "net_", "web3_", "trace_", "txpool_")
_NOT_READS = ("eth_send", "eth_sign", "eth_subscribe", "eth_unsubscribe", "eth_new", "eth_submit", "eth_getFilter")
_MAY_BE_THERE = ("eth_getBlockByHash", "eth_getBlockByNumber", "eth_getTransactionReceipt", "eth_getBlockReceipts")
"""Null says that this node has not got it."""

_UNABLE = (-32600, -32601, -32603, -32700, -32001, -32004, LIMIT_EXCEEDED)
"""Not a request, no such method, internal, not JSON; not found, not supported, asked too often (EIP-1474). None is
about what was asked for, as a revert is."""

_UNKNOWN_BLOCK = re.compile(
    r"header not found|unknown block|block not found|BlockOutOfRange|missing trie node|resource not found"
    r"|state .*not available|historical state|no state found|pruned",
    re.IGNORECASE,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Nodes that have different blocks at a height: hash by node, and the one that is followed."""

    number: int
    hashes: dict[str, str]
    followed: str


class NodePool(JsonRpc):
    """A JsonRpc whose calls go to one of several nodes. ``timeout`` is seconds an attempt. Calls that change something
    (sending, mining) go to one node, once."""

    def __init__(self, nodes: Sequence[Endpoints], *, timeout: float = TIMEOUT) -> None:
        super().__init__(" ".join(at.name for at in nodes), timeout=timeout)
        self.nodes = [Node(at, timeout) for at in nodes]
        self.disagreements: deque[Disagreement] = deque(maxlen=DISAGREEMENTS)

    @property
    def streams(self) -> list[str]:
        """Where subscriptions are to be had, of every node that has them."""
        return [node.at.stream for node in self.nodes if node.at.stream is not None]

    async def close(self) -> None:
        await asyncio.gather(*(node.close() for node in self.nodes))

    async def post(self, body: bytes, headers: dict[str, str] | None = None) -> bytes:
        return await self._order()[0].rpc.post(body, headers)

    async def ask(self, method: str, body: bytes, decode: Callable[[bytes], T]) -> T:
        return await self._ask(method, body, decode, None)

    def through(self, node: Node) -> JsonRpc:
        """The same pool, but ``node`` is asked first: it told of what is asked for."""
        return _Through(self, node)

    async def _ask(self, method: str, body: bytes, decode: Callable[[bytes], T], first: Node | None) -> T:
        nodes = self._order(first)
        if not _is_read(method):
            return await nodes[0].ask(method, body, decode)
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            return await _race(nodes, method, body, decode)
        except RpcUnreachable:
            left = self.timeout / 2 - (loop.time() - started)
            if left <= 0:
                raise
        async for attempt in stamina.retry_context(
            on=RpcUnreachable,
            attempts=ATTEMPTS - 1,
            timeout=left,
            wait_initial=FIRST_WAIT,
            wait_max=LONGEST_WAIT,
            wait_jitter=JITTER,
        ):
            with attempt:
                return await _race(self._order(first), method, body, decode)
        raise AssertionError("unreachable")

    def _order(self, first: Node | None = None) -> list[Node]:
        if len(self.nodes) == 1:
            return self.nodes
        newest = max(node.health.head for node in self.nodes)
        return sorted(
            self.nodes,
            key=lambda node: (
                node.shut,
                node is not first,
                newest - node.health.head > MOST_LAG,
                node.busy,
            ),
        )


class _Through(JsonRpc):
    def __init__(self, pool: NodePool, node: Node) -> None:
        super().__init__(pool.url, timeout=pool.timeout)
        self._pool, self._node = pool, node

    async def ask(self, method: str, body: bytes, decode: Callable[[bytes], T]) -> T:
        return await self._pool._ask(method, body, decode, self._node)


async def _race(nodes: Sequence[Node], method: str, body: bytes, decode: Callable[[bytes], T]) -> T:
    """Asks the nodes in their order, the next one when those before are late or of no use. The first answer wins; where
    every node that answered says that it does not know, that is the answer. Raises RpcError, RpcUnreachable."""
    if len(nodes) == 1:
        return await nodes[0].ask(method, body, decode)
    rest = list(nodes)
    running: dict[asyncio.Task[T], Node] = {}
    useless: list[asyncio.Task[T]] = []
    failed: list[asyncio.Task[T]] = []
    try:
        while rest or running:
            patience = None
            if rest:
                node = rest.pop(0)
                running[asyncio.create_task(node.ask(method, body, decode))] = node
                patience = node.patience(method) if rest else None
            done, _ = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in running if task in done]:
                error = task.exception()
                if isinstance(error, RpcUnreachable):
                    failed.append(task)
                elif _another_may_know(method, error or task.result()):
                    useless.append(task)
                else:
                    _mark_late(running, task, method)
                    return task.result()
                del running[task]
        return (useless or failed)[0].result()
    finally:
        for task in running:
            task.cancel()


def _mark_late(running: dict[asyncio.Task[T], Node], winner: asyncio.Task[T], method: str) -> None:
    """Those who were asked before the winner and have not answered yet."""
    for task, node in running.items():
        if task is winner:
            return
        if not task.done():
            node.was_late(method)


def _is_read(method: str) -> bool:
    return method.startswith(_READS) and not method.startswith(_NOT_READS)


def _another_may_know(method: str, answer: Any) -> bool:
    """``answer`` is a result, an error, or a batch of both."""
    if answer is None:
        return method in _MAY_BE_THERE
    if isinstance(answer, RpcError):
        return answer.code in _UNABLE or _UNKNOWN_BLOCK.search(answer.message) is not None
    return isinstance(answer, list) and any(
        isinstance(one, RpcError) and _another_may_know(method, one) for one in answer
    )
