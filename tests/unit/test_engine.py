"""The loop: order, restarts, pressure, and what a failure stops."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.loop import Engine, EngineFailed
from bot.engine.queue import BoundedQueue
from bot.engine.seam import Background, Strategy
from bot.engine.types import Event, Finding, Header, Hint, Hop, NewHead, Opportunity, PendingTx, Trade, Transaction

TX = Transaction("0x01", "0xaa", "0xbb", 0, b"", 0, 21000, 1, 0, b"raw")
HEADER = Header(1, "0xh1", "0xh0", 12, 7, 30_000_000, 0, "0xcc")
TRADE = Trade((Hop("0xp", "v2", "0x01", "0x02"), Hop("0xq", "v2", "0x02", "0x01")), (10, 20, 30))


class VirtualClock:
    """Time passes only by sleeping."""

    source = "virtual"

    def __init__(self) -> None:
        self.now = 0
        self.slept: list[float] = []

    def now_ns(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += int(seconds * 1e9)
        await asyncio.sleep(0)


class Stream:
    """Emits its lists one after the other, raising at the end of each; then waits for ever."""

    name = "stream"

    def __init__(self, *runs: list[Event]) -> None:
        self.runs = list(runs)

    async def events(self) -> AsyncIterator[Event]:
        if not self.runs:
            await asyncio.Event().wait()
        for event in self.runs.pop(0):
            yield event
        raise ConnectionError("node went away")


class Recorder:
    """Adapter, strategy and executor in one: notes what passes."""

    name = "recorder"

    def __init__(self, *, fail_on: type[Event] | None = None) -> None:
        self.seen: list[Event] = []
        self.executed: list[Opportunity] = []
        self.fail_on = fail_on

    async def adapt(self, event: Event) -> Event | None:
        if self.fail_on is not None and isinstance(event, self.fail_on):
            raise ValueError("broken state")
        self.seen.append(event)
        return event

    def process(self, event: Event) -> Sequence[Opportunity]:
        return [Opportunity("recorder", TRADE, 2, None, 0)] if isinstance(event, PendingTx) else []

    async def execute(self, opportunities: Sequence[Opportunity]) -> None:
        self.executed.extend(opportunities)

    async def drain(self) -> None:
        return


def pending(number: int) -> PendingTx:
    return PendingTx(replace(TX, hash=f"0x{number:064x}"), 0)


def engine_of(
    stream: Stream,
    part: Recorder,
    clock: VirtualClock,
    queue_size: int = 100,
    strategies: Sequence[Strategy] = (),
    background: Sequence[Background] = (),
) -> Engine:
    return Engine(
        background=background,
        collectors=[stream],
        adapters=[part],
        strategies=strategies or [part],
        executor=part,
        clock=clock,
        rng=random.Random(1),
        queue_size=queue_size,
    )


async def run_until_settled(engine: Engine, hashes: list[str]) -> None:
    task = asyncio.create_task(engine.run())
    try:
        await engine.settled(hashes, timeout=5)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_crashed_collector_restarts_with_growing_pauses_and_loses_nothing() -> None:
    events = [[pending(1)], [pending(2)], [], [pending(3)]]
    part, clock = Recorder(), VirtualClock()
    engine = engine_of(Stream(*events), part, clock)
    await run_until_settled(engine, [pending(n).tx.hash for n in (1, 2, 3)])
    assert [event.tx.hash for event in part.seen if isinstance(event, PendingTx)] == [
        pending(n).tx.hash for n in (1, 2, 3)
    ]
    assert len(part.executed) == 3
    health = engine.health["stream"]
    assert health.restarts >= 3
    assert "node went away" in health.last_error
    assert clock.slept[1] > clock.slept[0] / 2 and clock.slept[2] > clock.slept[0]


async def test_a_failing_event_is_counted_and_the_next_one_is_handled() -> None:
    part = Recorder(fail_on=PendingTx)
    engine = engine_of(Stream([pending(1), NewHead(HEADER, (), {}, (), 0)]), part, VirtualClock())
    await run_until_settled(engine, [pending(1).tx.hash, HEADER.hash])
    assert engine.counts.failed == 1
    assert [type(event) for event in part.seen] == [NewHead]


async def test_a_block_that_cannot_be_taken_in_stops_the_engine() -> None:
    engine = engine_of(Stream([NewHead(HEADER, (), {}, (), 0)]), Recorder(fail_on=NewHead), VirtualClock())
    with pytest.raises(EngineFailed, match="block 1: ValueError: broken state"):
        await engine.run()


class Broken:
    """A strategy with a bug."""

    name = "broken"

    def process(self, event: Event) -> Sequence[Opportunity]:
        raise ZeroDivisionError("a price of nothing")


async def test_a_strategy_that_fails_takes_nothing_from_the_others() -> None:
    """Not even at a head: the state is none the worse."""
    part = Recorder()
    events = Stream([NewHead(HEADER, (), {}, (), 0), pending(1)])
    engine = engine_of(events, part, VirtualClock(), strategies=[Broken(), part])
    await run_until_settled(engine, [HEADER.hash, pending(1).tx.hash])
    assert engine.counts.failed == 2
    assert len(part.executed) == 1


def hint(number: int) -> Hint:
    return Hint(f"0x{number:064x}", (), (), 0)


async def test_hints_go_the_way_of_all_events() -> None:
    part = Recorder()
    engine = engine_of(Stream([hint(1), pending(2)]), part, VirtualClock())
    await run_until_settled(engine, [hint(1).hash, pending(2).tx.hash])
    assert part.seen == [hint(1), pending(2)]


@pytest.mark.parametrize("make", [pending, hint])
async def test_under_pressure_transactions_are_dropped_and_heads_are_not(make: Callable[[int], Event]) -> None:
    head = NewHead(HEADER, (), {}, (), 0)
    part = Recorder()
    engine = engine_of(Stream([*map(make, range(10)), head]), part, VirtualClock(), queue_size=2)
    await run_until_settled(engine, [HEADER.hash])
    assert head in part.seen
    assert engine.counts.dropped > 0
    assert engine.counts.dropped + engine.counts.events[type(make(0)).__name__] == 10


async def test_what_is_dropped_is_the_oldest() -> None:
    part = Recorder()
    engine = engine_of(Stream([*map(pending, range(10))]), part, VirtualClock(), queue_size=3)
    await run_until_settled(engine, [pending(9).tx.hash])
    assert [*part.seen[-3:]] == [pending(7), pending(8), pending(9)]
    assert engine.counts.dropped == 10 - len(part.seen) > 0


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2)), max_size=60), st.integers(1, 5))
def test_the_queue_keeps_order_and_loses_only_the_oldest_that_may_go(steps: list[tuple[bool, int]], size: int) -> None:
    """Against a list. A step puts a number that may go, or may not, and takes so many."""

    async def run() -> None:
        queue: BoundedQueue[tuple[int, bool]] = BoundedQueue(size, lambda item: item[1])
        model: list[tuple[int, bool]] = []
        dropped = 0
        for number, (may_go, takes) in enumerate(steps):
            if len(model) == size:
                droppable = [item for item in model if item[1]]
                if droppable:
                    model.remove(droppable[0])
                    dropped += 1
                elif may_go:
                    await queue.put((number, may_go))  # gone at once
                    dropped += 1
                    continue
                else:
                    putting = asyncio.create_task(queue.put((number, may_go)))
                    await asyncio.sleep(0)
                    assert not putting.done()
                    assert await queue.get() == model.pop(0)
                    await putting
                    model.append((number, may_go))
                    continue
            await queue.put((number, may_go))
            model.append((number, may_go))
            for _ in range(min(takes, len(model))):
                assert await queue.get() == model.pop(0)
            assert (len(queue), queue.dropped) == (len(model), dropped)

    asyncio.run(run())


class Slow:
    """In the background: answers when it is let."""

    name = "slow"

    def __init__(self, *, broken: bool = False) -> None:
        self.begun: list[Event] = []
        self.answer, self.second = asyncio.Event(), asyncio.Event()
        self.broken, self.closed = broken, False

    async def start(self) -> None:
        return

    def begin(self, event: Event) -> Awaitable[Sequence[Finding]] | None:
        if not isinstance(event, NewHead):
            return None
        self.begun.append(event)
        if len(self.begun) == 2:
            self.second.set()
        return self._found(event)

    async def _found(self, event: NewHead) -> Sequence[Finding]:
        await self.answer.wait()
        if self.broken:
            raise ZeroDivisionError("a price of nothing")
        return [Opportunity("slow", TRADE, event.header.number + 1, None, 0)]

    async def close(self) -> None:
        self.closed = True


async def test_a_slow_strategy_holds_up_nothing_and_a_head_is_settled_only_with_it() -> None:
    part, slow = Recorder(), Slow()
    stream = Stream([NewHead(HEADER, (), {}, (), 0), pending(1)])
    engine = engine_of(stream, part, VirtualClock(), background=[slow])
    task = asyncio.create_task(engine.run())
    await engine.settled([pending(1).tx.hash], timeout=5)
    assert [one.strategy for one in part.executed] == ["recorder"]
    with pytest.raises(TimeoutError):
        await engine.settled([HEADER.hash], timeout=0.05)
    slow.answer.set()
    await engine.settled([HEADER.hash], timeout=5)
    assert [one.strategy for one in part.executed] == ["recorder", "slow"]
    assert (engine.counts.opportunities, engine.counts.stale) == (2, 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert slow.closed


async def test_what_was_found_for_an_old_head_is_dropped() -> None:
    part, slow = Recorder(), Slow()
    second = replace(HEADER, number=2, hash="0xh2", parent_hash=HEADER.hash)
    stream = Stream([NewHead(HEADER, (), {}, (), 0), NewHead(second, (), {}, (), 0)])
    engine = engine_of(stream, part, VirtualClock(), background=[slow])
    task = asyncio.create_task(engine.run())
    async with asyncio.timeout(5):
        await slow.second.wait()
    slow.answer.set()
    await engine.settled([HEADER.hash, second.hash], timeout=5)
    assert [one.block_number for one in part.executed] == [3]
    assert engine.counts.stale == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_slow_strategy_that_fails_is_counted_and_the_head_is_settled() -> None:
    part, slow = Recorder(), Slow(broken=True)
    slow.answer.set()
    engine = engine_of(Stream([NewHead(HEADER, (), {}, (), 0)]), part, VirtualClock(), background=[slow])
    await run_until_settled(engine, [HEADER.hash])
    assert (engine.counts.failed, part.executed) == (1, [])
