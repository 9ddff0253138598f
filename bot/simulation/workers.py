"""A pool of processes that simulate: each has the head's state, warm, and follows it.

pyrevm holds the GIL, so more than one simulation at a time takes more than one process. Every job names the head that
it is for; one for another head than the pool's is refused, and never answered on the wrong state. A worker that dies
is started again and brought to where the others are; its jobs go to another. A job that kills three is given up.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from bot.engine.types import Header, NewHead, StateDiff
from bot.simulation import worker
from bot.simulation.jobs import Done, Follow, Fork, Job, frame, messages
from bot.simulation.process import Child
from bot.simulation.state import absorb
from bot.simulation.types import BlockContext, Call, CallResult, UnrecordedState

logger = structlog.get_logger(__name__)

START_SECONDS = 30.0
PATIENCE = 10.0  # seconds without an answer after which a worker that has jobs counts as hanging
FORK_AGE = 96  # blocks: what was not read yet is read as of the fork, and nodes keep the state of the last 128
TRIES = 3  # workers that one job may take with it


class StaleHead(Exception):
    """The job is for another head than the pool's."""


class WorkersDied(Exception):
    """No worker could do the job: those that tried died of it or hung, or none is left."""


class WorkerPool:
    """``async with WorkerPool(url, head, workers=2, chain_id=1) as pool``; feed it every head (``follow``).

    ``url`` is passed on by the environment, not the command line. ``overrides`` is state assumed on top of every head,
    ``warm`` are contracts that are read ahead.
    """

    def __init__(
        self,
        url: str,
        head: Header,
        *,
        workers: int,
        chain_id: int,
        hardfork: str = "cancun",
        overrides: StateDiff | None = None,
        warm: Collection[str] = (),
        patience: float = PATIENCE,
    ) -> None:
        self._url, self._chain_id, self._hardfork = url, chain_id, hardfork
        self._overrides, self._warm, self._patience = overrides or {}, tuple(warm), patience
        self._places = [_Place(number, self) for number in range(workers)]
        self._jobs = itertools.count()
        self._server: asyncio.Server | None = None
        self._restarts: set[asyncio.Task[None]] = set()
        self._directory: Path | None = None
        self._closing = False
        self._watching: asyncio.TimerHandle | None = None
        self.restarted = 0
        self.head, self._forked_at = head, head.number
        self._diff: StateDiff = {}
        self._stand_on(head)

    # --- life --------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Returns when all workers are there. Raises WorkersDied."""
        self._directory = Path(tempfile.mkdtemp(prefix="mev-workers-"))  # for us alone: mode 0700
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Connection(self), self._socket)
        try:
            await asyncio.gather(*(place.start() for place in self._places))
            self._watch(loop)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the workers; what they had under way fails. Calling it again does nothing."""
        self._closing = True
        if self._watching is not None:
            self._watching.cancel()
        for task in self._restarts:
            task.cancel()
        for place in self._places:
            place.fail(WorkersDied("the pool was closed"))
        await asyncio.gather(*(place.stop() for place in self._places))
        if self._server is not None:
            self._server.close()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends workers that hang. Not a timer a job: there are thousands a second."""
        for place in self._places:
            if place.waiting and loop.time() - place.heard > self._patience:
                place.kill(self._patience)
        self._watching = loop.call_later(self._patience / 4, self._watch, loop)

    @property
    def pids(self) -> list[int]:
        """Of the workers that are there."""
        return [place.child.pid for place in self._places if place.child is not None and place.there]

    @property
    def _socket(self) -> str:
        assert self._directory is not None, "not started"
        return str(self._directory / "pool")

    # --- the head ----------------------------------------------------------------------------------------------------

    def follow(self, event: NewHead) -> None:
        """To the next head: by its diff, or by forking anew where there is none, after a reorg, and now and then."""
        old = event.header.number - self._forked_at >= FORK_AGE
        if event.diff is None or old or event.header.parent_hash != self.head.hash:
            self._stand_on(event.header)
            message: Fork | Follow = self._fork()
        else:
            self.head = event.header
            absorb(self._diff, event.diff)
            absorb(self._diff, self._overrides)
            message = Follow(event.header.hash, {**event.diff, **_only(self._diff, self._overrides)})
        self._tell(message)

    def _stand_on(self, head: Header) -> None:
        self.head, self._forked_at, self._diff = head, head.number, {}
        absorb(self._diff, self._overrides)

    def _fork(self) -> Fork:
        return Fork(
            self._forked_at,
            self._chain_id,
            self.head.gas_limit,
            self._hardfork,
            self.head.hash,
            self._diff,
            self._warm,
        )

    def _tell(self, message: Fork | Follow) -> None:
        data = frame(message)
        for place in self._places:
            if place.connection is not None and place.there:
                place.connection.write(data)

    # --- jobs --------------------------------------------------------------------------------------------------------

    async def simulate(self, calls: Sequence[Call], block: BlockContext) -> list[CallResult]:
        """Runs ``calls`` on the head as it is now (bot.simulation.simulator). Raises as ``run``."""
        return await self.run(calls, block, self.head.hash)

    async def run(self, calls: Sequence[Call], block: BlockContext, head: str) -> list[CallResult]:
        """Runs ``calls`` on the state after the block of that hash, and rolls them back. Raises StaleHead,
        UnrecordedState, WorkersDied."""
        job = Job(next(self._jobs), head, tuple(calls), block)
        for _ in range(TRIES):
            if head != self.head.hash:
                raise StaleHead(f"the head is {self.head.hash}, not {head}")
            done = await self._tried(job)
            if done is None:
                continue
            if done.stale:
                raise StaleHead(f"the worker does not stand on {head}")
            if done.unrecorded:
                raise UnrecordedState(done.unrecorded)
            return list(done.results)
        raise WorkersDied(f"{TRIES} workers died of it")

    async def _tried(self, job: Job) -> Done | None:
        """None where the worker died of it, or meanwhile."""
        ready = [place for place in self._places if place.there]
        if not ready:
            ready = [await self._revived()]
        place = min(ready, key=lambda one: len(one.waiting))
        try:
            return await place.give(job)
        except ConnectionError:
            return None
        finally:
            place.waiting.pop(job.number, None)

    async def _revived(self) -> _Place:
        while self._restarts:
            await asyncio.wait(self._restarts, return_when=asyncio.FIRST_COMPLETED)
            for place in self._places:
                if place.there:
                    return place
        raise WorkersDied("none is left")

    # --- what connections say ----------------------------------------------------------------------------------------

    def connected(self, number: int, connection: asyncio.Transport) -> _Place:
        """A worker is there: it is told where we are before any job."""
        place = self._places[number]
        connection.write(frame(self._fork()))
        place.connection = connection
        place.ready.set()
        return place

    def lost(self, place: _Place) -> None:
        """A worker is gone."""
        place.connection = None
        place.ready.clear()
        place.fail(ConnectionError())
        if not self._closing:
            tail = place.child.log_tail() if place.child else ""
            logger.warning("worker died", worker=place.number, log=tail[-400:])
            task = asyncio.ensure_future(self._restart(place))
            self._restarts.add(task)
            task.add_done_callback(self._restarts.discard)

    async def _restart(self, place: _Place) -> None:
        self.restarted += 1
        try:
            await place.stop()
            await place.start()
        except WorkersDied as error:
            logger.error("worker not started again", worker=place.number, error=str(error))


class _Place:
    """One worker's, and what it has under way."""

    def __init__(self, number: int, pool: WorkerPool) -> None:
        self.number, self._pool = number, pool
        self.child: Child | None = None
        self.connection: asyncio.Transport | None = None
        self.ready = asyncio.Event()
        self.waiting: dict[int, asyncio.Future[Done]] = {}
        self.heard = 0.0  # when it last said something, or was given its first job

    @property
    def there(self) -> bool:
        """Whether it can be given anything."""
        return self.connection is not None and not self.connection.is_closing()

    async def start(self) -> None:
        """Returns when it is connected. Raises WorkersDied."""
        words = [sys.executable, "-m", worker.__name__, self._pool._socket, str(self.number)]
        self.child = Child("worker", lambda _: words, {worker.URL: self._pool._url})
        try:
            await asyncio.wait_for(self.ready.wait(), START_SECONDS)
        except TimeoutError:
            raise WorkersDied(f"worker {self.number} did not start: {self.child.log_tail()}") from None

    async def stop(self) -> None:
        if self.child is not None:
            await asyncio.to_thread(self.child.stop)

    def kill(self, seconds: float) -> None:
        """Ends a worker that has not answered for so long."""
        if self.connection is not None and self.there:
            logger.warning("worker hangs", worker=self.number, seconds=seconds)
            connection = self.connection
            self._pool.lost(self)  # now, not when the loop comes to it: the next try has to know
            connection.abort()

    def give(self, job: Job) -> asyncio.Future[Done]:
        assert self.connection is not None
        loop = asyncio.get_running_loop()
        if not self.waiting:
            self.heard = loop.time()
        answer: asyncio.Future[Done] = loop.create_future()
        self.waiting[job.number] = answer
        self.connection.write(frame(job))
        return answer

    def fail(self, error: Exception) -> None:
        for answer in self.waiting.values():
            if not answer.done():
                answer.set_exception(error)
                answer.exception()  # somebody waits for it, or nobody any more
        self.waiting.clear()


class _Connection(asyncio.Protocol):
    """A worker's: its number first, then what it has done."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self._buffer = bytearray()
        self._place: _Place | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        for message in messages(self._buffer):
            self._take(message)

    def _take(self, message: Any) -> None:
        if self._place is None:
            self._place = self._pool.connected(message, self._transport)
            return
        self._place.heard = asyncio.get_running_loop().time()
        answer = self._place.waiting.pop(message.number, None)
        if answer is not None and not answer.done():
            answer.set_result(message)

    def connection_lost(self, error: Exception | None) -> None:
        if self._place is not None and self._place.connection is self._transport:
            self._pool.lost(self._place)


def _only(diff: StateDiff, addresses: Collection[str]) -> StateDiff:
    return {address: diff[address] for address in addresses}
