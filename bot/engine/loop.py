"""One asyncio loop for demo, replay and live: collectors → adapters → strategies → executor."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from bot.engine.clock import Clock
from bot.engine.seam import Adapter, Collector, Executor, Strategy
from bot.engine.types import Event, Finding, Hint, NewHead, Opportunity, PendingTx, Signal

log = structlog.get_logger(__name__)

FIRST_BACKOFF = 0.2  # seconds
LONGEST_BACKOFF = 30.0
REMEMBERED = 20_000  # handled events that ``settled`` can still ask for
STABLE_AFTER = 60.0  # seconds without a crash, after which the backoff starts anew


@dataclass(slots=True)
class Health:
    """How one collector fares: what a user is shown."""

    events: int = 0
    restarts: int = 0
    last_error: str = ""


@dataclass(slots=True)
class Counts:
    """What the loop did. ``dropped``: pending transactions and hints that came faster than they could be looked at;
    ``failed``: events on which an adapter, a strategy or the executor raised (the log has the trace)."""

    events: Counter[str] = field(default_factory=Counter)
    opportunities: int = 0
    signals: int = 0
    dropped: int = 0
    failed: int = 0


class EngineFailed(Exception):
    """A block could not be taken in: the state can no longer be trusted, so the engine stopped."""


class Engine:
    """Runs until cancelled. One bounded queue; heads wait for room in it, pending transactions that find
    it full are dropped and counted."""

    def __init__(
        self,
        *,
        collectors: Sequence[Collector],
        adapters: Sequence[Adapter],
        strategies: Sequence[Strategy],
        executor: Executor,
        clock: Clock,
        rng: random.Random,
        queue_size: int = 4096,
        listener: Callable[[Signal], None] = lambda signal: None,
    ) -> None:
        """``listener`` gets every signal; it must neither wait nor raise."""
        self._collectors, self._adapters, self._strategies = collectors, adapters, strategies
        self._executor, self._clock, self._rng, self._listener = executor, clock, rng, listener
        self._queue: asyncio.Queue[Event] = asyncio.Queue(queue_size)
        self._changed = asyncio.Condition()
        self._handled: dict[str, None] = {}  # in order of age
        self.health = {collector.name: Health() for collector in collectors}
        self.counts = Counts()

    async def run(self) -> None:
        """Raises EngineFailed; a collector's failure only restarts the collector."""
        try:
            async with asyncio.TaskGroup() as group:
                feeders = [group.create_task(self._supervise(collector)) for collector in self._collectors]
                try:
                    while True:
                        await self._handle(await self._queue.get())
                finally:
                    for feeder in feeders:
                        feeder.cancel()
        except ExceptionGroup as failures:
            raise failures.exceptions[0]  # noqa: B904 # it has its own cause; a group tells a user nothing

    async def settled(self, hashes: Sequence[str], *, timeout: float) -> None:
        """Returns when the blocks or pending transactions with these hashes were handled and their bundles handed
        over. Raises TimeoutError."""
        wanted = set(hashes)
        async with asyncio.timeout(timeout):
            async with self._changed:
                await self._changed.wait_for(lambda: wanted <= self._handled.keys())
            await self._executor.drain()

    # --- the way of one event ----------------------------------------------------------------------------------------

    async def _handle(self, event: Event) -> None:
        key = _key(event)
        self.counts.events[type(event).__name__] += 1
        try:
            await self._process(event)
        except Exception as error:
            if isinstance(event, NewHead):
                raise EngineFailed(f"block {event.header.number}: {type(error).__name__}: {error}") from error
            self.counts.failed += 1
            log.exception("event failed", kind=type(event).__name__, hash=key)
        async with self._changed:
            self._handled[key] = None
            if len(self._handled) > REMEMBERED:
                del self._handled[next(iter(self._handled))]
            self._changed.notify_all()

    async def _process(self, event: Event) -> None:
        for adapter in self._adapters:
            adapted = await adapter.adapt(event)
            if adapted is None:
                return
            event = adapted
        found: list[Opportunity] = []
        for strategy in self._strategies:
            for finding in self._asked(strategy, event):
                if isinstance(finding, Opportunity):
                    found.append(finding)
                else:
                    self.counts.signals += 1
                    self._listener(finding)
        if found:
            self.counts.opportunities += len(found)
            await self._executor.execute(found)

    def _asked(self, strategy: Strategy, event: Event) -> Sequence[Finding]:
        """What a strategy finds. One that fails finds nothing: the others, and the state, are none the worse."""
        try:
            return strategy.process(event)
        except Exception:
            self.counts.failed += 1
            log.exception("strategy failed", strategy=strategy.name, kind=type(event).__name__, hash=_key(event))
            return ()

    # --- feeding -----------------------------------------------------------------------------------------------------

    async def _supervise(self, collector: Collector) -> None:
        health, backoff = self.health[collector.name], FIRST_BACKOFF
        while True:
            started = self._clock.now_ns()
            try:
                async for event in collector.events():
                    health.events += 1
                    await self._feed(event)
                health.last_error = "the stream ended"
            except asyncio.CancelledError:
                raise
            except Exception as error:
                health.last_error = f"{type(error).__name__}: {error}"
            if self._clock.now_ns() - started > STABLE_AFTER * 1e9:
                backoff = FIRST_BACKOFF
            health.restarts += 1
            pause = backoff * (0.5 + self._rng.random())
            log.warning("collector restarts", collector=collector.name, error=health.last_error, in_seconds=pause)
            await self._clock.sleep(pause)
            backoff = min(backoff * 2, LONGEST_BACKOFF)

    async def _feed(self, event: Event) -> None:
        if isinstance(event, PendingTx | Hint) and self._queue.full():
            self.counts.dropped += 1
            return
        await self._queue.put(event)


def _key(event: Event) -> str:
    """The hash of what it tells of."""
    if isinstance(event, NewHead):
        return event.header.hash
    return event.hash if isinstance(event, Hint) else event.tx.hash
