"""Slow strategies in a process of their own, on a market that follows ours.

A head's full search and the joint solution take up to some hundred milliseconds, most of it Python that holds the GIL:
in a thread they would hold up pending transactions as much as in the loop. The process gets the pools that changed with
each event, and so sees the market as it was when it was asked, whatever happens meanwhile. It ends with its input, so
it does not outlive us.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import signal
import sys
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from bot.amm.pool import Pool
from bot.engine.seam import Strategy
from bot.engine.types import Event, Finding, Header, Hint, NewHead
from bot.market.market import BLOCK_TIME, Market
from bot.strategies.gas import GasPolicy
from bot.strategies.registry import BESIDE

_SIZE = 8  # bytes in front of each message: its length
NICENESS = 5  # where cores are few, the loop goes first
LARGEST = 1 << 30  # bytes that the reader buffers at most


class WorkerFailed(Exception):
    """The process ended, or raised: what it found is lost; the next event finds a new one."""


@dataclass(frozen=True, slots=True)
class _Start:
    bases: tuple[str, ...]
    max_hops: int
    block_time: int
    gas: GasPolicy


@dataclass(frozen=True, slots=True)
class _Job:
    """What changed since the last one, the head that the market is as of, and what to look at (None: nothing)."""

    pools: list[Pool]
    gone: list[str]
    head: Header
    event: Event | None


class Beside:
    """The strategies ``BESIDE`` of the registry. Heads and hints are looked at in their order; of heads only the
    newest."""

    name = "beside"

    def __init__(self, market: Market, gas: GasPolicy, block_time: int = BLOCK_TIME) -> None:
        """``block_time`` is the market's, seconds."""
        self._market, self._gas, self._block_time = market, gas, block_time
        self._known: dict[str, Pool] = {}  # what the process has, or will have
        self._worker: asyncio.subprocess.Process | None = None
        self._life = 0  # of the process: what was made for an earlier one is void
        self._turn = asyncio.Lock()
        self._head = ""

    async def start(self) -> None:
        """Starts the process, which takes a second to load."""
        async with self._turn:
            if self._worker is None:
                self._worker = await self._started()

    def begin(self, event: Event) -> Awaitable[Sequence[Finding]] | None:
        """Takes the pools that changed; the market must have followed the head already."""
        head = self._market.head
        if not isinstance(event, NewHead | Hint) or head is None:
            return None
        pools = self._market.pools()
        known, self._known = self._known, pools
        changed = [pool for pool_id, pool in pools.items() if known.get(pool_id) is not pool]
        gone = [pool_id for pool_id in known if pool_id not in pools]
        if isinstance(event, NewHead):
            event = replace(event, logs=(), diff=None, transactions=())  # the pools say it all
        self._head = head.hash
        return self._find(_Job(changed, gone, head, event), self._life)

    async def close(self) -> None:
        """Ends the process."""
        self._life += 1
        self._known = {}
        worker, self._worker = self._worker, None
        if worker is not None and worker.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                worker.kill()
            await worker.wait()

    async def _find(self, job: _Job, life: int) -> Sequence[Finding]:
        async with self._turn:
            if life != self._life:
                raise WorkerFailed("it was started anew meanwhile")
            if job.head.hash != self._head:
                job = replace(job, event=None)  # a newer head waits
            try:
                if self._worker is None:
                    self._worker = await self._started()
                return await _answer(self._worker, job)
            except BaseException:
                await self.close()
                raise

    async def _started(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot.cli.beside"), stdin=pipe, stdout=pipe, limit=LARGEST, process_group=0
        )
        assert worker.stdin is not None
        graph = self._market.graph
        worker.stdin.write(_packed(_Start(graph.bases, graph.max_hops, self._block_time, self._gas)))
        return worker


async def _answer(worker: asyncio.subprocess.Process, job: _Job) -> Sequence[Finding]:
    assert worker.stdin is not None and worker.stdout is not None
    try:
        worker.stdin.write(_packed(job))
        await worker.stdin.drain()
        size = int.from_bytes(await worker.stdout.readexactly(_SIZE), "big")
        found: Sequence[Finding] | str = pickle.loads(await worker.stdout.readexactly(size))
    except (ConnectionError, asyncio.IncompleteReadError):
        raise WorkerFailed("the process of the slow strategies ended") from None
    if isinstance(found, str):
        raise WorkerFailed(found)
    return found


def _packed(message: Any) -> bytes:
    raw = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return len(raw).to_bytes(_SIZE, "big") + raw


# --- the other side --------------------------------------------------------------------------------------------------


def main() -> None:
    """Answers jobs from stdin on stdout, until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the bot's to handle
    os.nice(NICENESS)
    answers, sys.stdout = sys.stdout.buffer, sys.stderr  # nobody else writes between them
    start: _Start = _read(sys.stdin.buffer)
    market = Market(start.bases, start.max_hops, start.block_time)
    strategies: list[Strategy] = [strategy(market, start.gas) for strategy in BESIDE]
    while True:
        try:
            job: _Job = _read(sys.stdin.buffer)
        except EOFError:
            return
        try:
            found: list[Finding] | str = _work(market, strategies, job)
        except Exception as error:
            found = f"{type(error).__name__}: {error}"
        answers.write(_packed(found))
        answers.flush()


def _work(market: Market, strategies: Sequence[Strategy], job: _Job) -> list[Finding]:
    market.remove(job.gone)
    market.add(job.pools)
    if market.head != job.head:
        market.anchor(job.head)
    if job.event is None:
        return []
    return [finding for strategy in strategies for finding in strategy.process(job.event)]


def _read(source: BinaryIO) -> Any:
    head = source.read(_SIZE)
    if len(head) < _SIZE:
        raise EOFError
    return pickle.loads(source.read(int.from_bytes(head, "big")))


if __name__ == "__main__":
    main()
