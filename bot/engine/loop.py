"""One asyncio loop for demo, replay and live: collectors → adapters → strategies → executor."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

import structlog

from bot.engine.clock import Clock
from bot.engine.queue import BoundedQueue
from bot.engine.seam import Adapter, Background, Collector, Executor, Strategy
from bot.engine.types import Event, Finding, Hint, NewHead, Opportunity, PendingTx, Signal

log = structlog.get_logger(__name__)

FIRST_BACKOFF = 0.2  # seconds
LONGEST_BACKOFF = 30.0
REMEMBERED = 20_000  # handled events that ``settled`` can still ask for
STABLE_AFTER = 60.0  # seconds without a crash, after which the backoff starts anew
YOUNG = 50_000  # objects between two looks for garbage: events are no cycles, and live for milliseconds
QUEUE = 8_192  # events: most of a second of the fastest mempool; what waits longer is worth little
LONGEST_TURN = 0.002  # seconds of events at a stretch, before collectors read on: too short, and they only read


@dataclass(slots=True)
class Health:
    """How one collector fares: what a user is shown."""

    events: int = 0
    restarts: int = 0
    last_error: str = ""


@dataclass(slots=True)
class Counts:
    """What the loop did. ``dropped``: pending transactions and hints that came faster than they could be looked at;
    ``stale``: what a background strategy found for a head that was no longer one; ``failed``: events on which an
    adapter, a strategy or the executor raised (the log has the trace)."""

    events: Counter[str] = field(default_factory=Counter)
    opportunities: int = 0
    signals: int = 0
    dropped: int = 0
    stale: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class _Found:
    """What the background strategies found on an event, on the state at ``head``."""

    event: Event
    findings: list[Finding]
    head: str


class EngineFailed(Exception):
    """A block could not be taken in: the state can no longer be trusted, so the engine stopped."""


class Engine:
    """Runs until cancelled. One bounded queue; heads wait for room in it, of pending transactions and hints the oldest
    goes for a new one, and is counted."""

    def __init__(
        self,
        *,
        collectors: Sequence[Collector],
        adapters: Sequence[Adapter],
        strategies: Sequence[Strategy],
        executor: Executor,
        clock: Clock,
        rng: random.Random,
        background: Sequence[Background] = (),
        queue_size: int = QUEUE,
        listener: Callable[[Signal], None] = lambda signal: None,
    ) -> None:
        """``background`` is closed when the engine ends. ``listener`` gets every signal; it must neither wait nor
        raise."""
        self._collectors, self._adapters, self._strategies = collectors, adapters, strategies
        self._background = background
        self._executor, self._clock, self._rng, self._listener = executor, clock, rng, listener
        self._queue: BoundedQueue[Event | _Found] = BoundedQueue(queue_size, _may_go)
        self._waiting: list[tuple[set[str], asyncio.Event]] = []
        self._handled: OrderedDict[str, None] = OrderedDict()  # by age; a dict gives up its first ever more slowly
        self._head = ""
        self._started: set[asyncio.Task[None]] = set()
        self.health = {collector.name: Health() for collector in collectors}
        self.counts = Counts()

    async def run(self) -> None:
        """Raises EngineFailed; a collector's failure only restarts the collector."""
        try:
            for strategy in self._background:
                await strategy.start()
            with _rare_collections():
                async with asyncio.TaskGroup() as group:
                    feeders = [group.create_task(self._supervise(collector)) for collector in self._collectors]
                    try:
                        await self._consume()
                    finally:
                        for task in (*feeders, *self._started):
                            task.cancel()
        except ExceptionGroup as failures:
            raise failures.exceptions[0]  # noqa: B904 # it has its own cause; a group tells a user nothing
        finally:
            for strategy in self._background:
                await strategy.close()

    async def settled(self, hashes: Sequence[str], *, timeout: float) -> None:
        """Returns when the blocks, hints or pending transactions with these hashes were handled, by the background too,
        and their bundles handed over. Raises TimeoutError."""
        missing = {each for each in hashes if each not in self._handled}
        async with asyncio.timeout(timeout):
            if missing:
                waiter = missing, asyncio.Event()
                self._waiting.append(waiter)
                try:
                    await waiter[1].wait()
                finally:
                    self._waiting.remove(waiter)
            await self._executor.drain()

    # --- the way of one event ----------------------------------------------------------------------------------------

    async def _consume(self) -> None:
        turn = self._clock.now_ns()
        while True:
            waited = not self._queue
            event = await self._queue.get()
            await (self._take(event) if isinstance(event, _Found) else self._handle(event))
            now = self._clock.now_ns()
            if waited:
                turn = now
            elif now - turn > LONGEST_TURN * 1e9:
                await asyncio.sleep(0)  # neither the queue nor the adapters wait while there are events
                turn = self._clock.now_ns()

    async def _handle(self, event: Event) -> None:
        self.counts.events[type(event).__name__] += 1
        started = False
        try:
            started = await self._process(event)
        except Exception as error:
            if isinstance(event, NewHead):
                raise EngineFailed(f"block {event.header.number}: {type(error).__name__}: {error}") from error
            self.counts.failed += 1
            log.exception("event failed", kind=type(event).__name__, hash=_key(event))
        if not started:
            self._done(_key(event))

    async def _process(self, event: Event) -> bool:
        """Whether a background strategy works on it: then it is not done yet."""
        for adapter in self._adapters:
            adapted = await adapter.adapt(event)
            if adapted is None:
                return False
            event = adapted
        if isinstance(event, NewHead):
            self._head = event.header.hash
        started = self._start(event)
        await self._act([finding for strategy in self._strategies for finding in self._asked(strategy, event)])
        return started

    async def _act(self, findings: Sequence[Finding]) -> None:
        found: list[Opportunity] = []
        for finding in findings:
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
            self._failed(strategy.name, event)
            return ()

    def _failed(self, strategy: str, event: Event) -> None:
        self.counts.failed += 1
        log.exception("strategy failed", strategy=strategy, kind=type(event).__name__, hash=_key(event))

    def _done(self, key: str) -> None:
        self._handled[key] = None
        if len(self._handled) > REMEMBERED:
            self._handled.popitem(last=False)
        for missing, complete in self._waiting:
            missing.discard(key)
            if not missing:
                complete.set()

    # --- background strategies ---------------------------------------------------------------------------------------

    def _start(self, event: Event) -> bool:
        works = [(each.name, work) for each in self._background if (work := each.begin(event)) is not None]
        if works:
            task = asyncio.create_task(self._beside(event, works, self._head))
            self._started.add(task)
            task.add_done_callback(self._started.discard)
        return bool(works)

    async def _beside(self, event: Event, works: Sequence[tuple[str, Awaitable[Sequence[Finding]]]], head: str) -> None:
        findings: list[Finding] = []
        for name, work in works:
            try:
                findings.extend(await work)
            except Exception:
                self._failed(name, event)
        await self._queue.put(_Found(event, findings, head))

    async def _take(self, found: _Found) -> None:
        """In its turn like an event: the executor is never asked twice at a time."""
        try:
            if found.head == self._head:
                await self._act(found.findings)
            else:
                self.counts.stale += len(found.findings)
        except Exception:
            self._failed("background", found.event)
        self._done(_key(found.event))

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
        await self._queue.put(event)
        self.counts.dropped = self._queue.dropped


@contextlib.contextmanager
def _rare_collections() -> Iterator[None]:
    """Python's garbage collector stops everything while it walks what there is. What is there already, the market above
    all, it leaves out meanwhile."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _may_go(item: Event | _Found) -> bool:
    return isinstance(item, PendingTx | Hint)


def _key(event: Event) -> str:
    """The hash of what it tells of."""
    if isinstance(event, NewHead):
        return event.header.hash
    return event.hash if isinstance(event, Hint) else event.tx.hash
