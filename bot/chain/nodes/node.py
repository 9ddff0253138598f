"""One node of a pool: where it is, how it is asked, and how it fares."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from aiolimiter import AsyncLimiter
from purgatory.domain.model import Context, OpenedState

from bot.chain.nodes.socket_rpc import SocketRpc
from bot.jsonrpc import JsonRpc, RpcError, RpcUnreachable

THRESHOLD = 3  # failures in a row, after which a node is asked last
SHUT_SECONDS = 5.0  # for so long; then one more failure is enough
REMEMBERED = 512  # latencies, for the percentiles
UNKNOWN_LATENCY = 0.25  # seconds: how long a method is waited for that was never asked
SHORTEST, LONGEST = 0.02, 2.0  # seconds: a pause of either process is not a slow node
SMOOTH = 0.125  # the weight of a new latency, as in TCP (RFC 6298), and half of that of its deviation
LIMIT_EXCEEDED = -32005  # EIP-1474

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a node is: an HTTP URL, a websocket's, the path of its IPC socket; at least one. ``rate`` is the calls a
    second that it allows."""

    name: str
    http: str | None = field(default=None, repr=False)
    ws: str | None = field(default=None, repr=False)
    ipc: str | None = None
    rate: float | None = None

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if not (self.http or self.ws or self.ipc):
            raise ValueError(f"node {self.name!r} has no endpoint: give it http, ws or ipc")

    @classmethod
    def at(cls, url: str, name: str = "node") -> Endpoints:
        """Of a node with one endpoint."""
        scheme = url.partition("://")[0] if "://" in url else "ipc"
        return cls(name, **{{"https": "http", "wss": "ws"}.get(scheme, scheme): url})  # type: ignore[arg-type]

    @property
    def stream(self) -> str | None:
        """For subscriptions."""
        return self.ipc or self.ws

    def client(self, timeout: float) -> JsonRpc:
        """For calls. IPC is the fastest; over HTTP a large answer does not hold up the others, as on a websocket."""
        if self.ipc or not self.http:
            return SocketRpc(self.ipc or self.ws or "", timeout=timeout)
        return JsonRpc(self.http, timeout=timeout)


@dataclass(slots=True)
class Usual:
    """The latency of one method, seconds: smoothed, with its mean deviation."""

    mean: float
    deviation: float

    def learn(self, seconds: float) -> None:
        self.deviation += 2 * SMOOTH * (abs(seconds - self.mean) - self.deviation)
        self.mean += SMOOTH * (seconds - self.mean)

    @property
    def patience(self) -> float:
        """Seconds after which an answer is late."""
        return min(max(self.mean + 4 * self.deviation, SHORTEST), LONGEST)


@dataclass(slots=True)
class Health:
    """What is known of a node. ``head`` is the newest block that it told of; ``late`` counts calls that another node
    answered first, after waiting; ``silent`` how often its heads had to be subscribed to anew for want of news;
    ``disagreed`` the blocks at which it had another than the one that was followed."""

    head: int = 0
    head_hash: str = ""
    calls: int = 0
    errors: int = 0
    late: int = 0
    silent: int = 0
    disagreed: int = 0
    last_error: str = ""
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def percentile(self, share: float) -> float | None:
        """Of the last latencies, seconds."""
        ordered = sorted(self.latencies)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else None


class Node:
    """Asks one node, within its rate, and keeps count. ``timeout`` is seconds a call."""

    def __init__(self, at: Endpoints, timeout: float) -> None:
        self.at, self.name, self.health = at, at.name, Health()
        self.rpc = at.client(timeout)
        self._limiter = AsyncLimiter(max(at.rate, 1.0), max(1.0, 1.0 / at.rate)) if at.rate else None
        self._breaker = Context(at.name, THRESHOLD, SHUT_SECONDS)
        self._usual: dict[str, Usual] = {}

    @property
    def shut(self) -> bool:
        """It failed again and again: ask others first."""
        opened = self._breaker.opened_at
        return opened is not None and time.time() <= opened + SHUT_SECONDS

    @property
    def busy(self) -> bool:
        """Its rate is used up."""
        return self._limiter is not None and not self._limiter.has_capacity()

    def patience(self, method: str) -> float:
        """Seconds after which its answer is late."""
        usual = self._usual.get(method)
        return UNKNOWN_LATENCY if usual is None else usual.patience

    async def ask(self, method: str, body: bytes, decode: Callable[[bytes], T]) -> T:
        """JsonRpc.ask, counted. Raises RpcError, RpcUnreachable."""
        if self._limiter is not None:
            await self._limiter.acquire()
        with contextlib.suppress(OpenedState):  # the pool asks one that is shut only when it has no other
            self._breaker.handle_new_request()
        self.health.calls += 1
        started = time.perf_counter()
        try:
            result = await self.rpc.ask(method, body, decode)
        except RpcUnreachable as error:
            self.failed(str(error))
            raise
        except RpcError as error:
            if error.code == LIMIT_EXCEEDED:
                self.failed(error.message)
            else:
                self._answered(method, time.perf_counter() - started)
            raise
        self._answered(method, time.perf_counter() - started)
        return result

    def failed(self, why: str) -> None:
        """Counts a call, or a subscription, that came to nothing."""
        self.health.errors += 1
        self.health.last_error = why
        self._breaker.handle_exception(RpcUnreachable(why))
        self._breaker.messages.clear()

    def was_late(self, method: str) -> None:
        """Counts a call that another node answered before it did."""
        self.health.late += 1
        self.health.last_error = f"{method}: late"
        self._breaker.handle_exception(TimeoutError())
        self._breaker.messages.clear()

    def _answered(self, method: str, seconds: float) -> None:
        self.health.latencies.append(seconds)
        usual = self._usual.get(method)
        if usual is None:
            self._usual[method] = Usual(seconds, seconds / 2)
        else:
            usual.learn(seconds)
        self._breaker.handle_end_request()
        self._breaker.messages.clear()

    async def close(self) -> None:
        await self.rpc.close()
