"""Pending transactions as events, from several nodes at once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import structlog

from bot.abi import to_bytes
from bot.chain.pending import News, Pending
from bot.chain.subscription import subscribe
from bot.engine.clock import Clock
from bot.engine.decode import TransactionBody, announced, body_of
from bot.engine.types import Event, NewHead, PendingTx, Transaction
from bot.jsonrpc import JsonRpc, RpcError, RpcUnreachable, shown

REMEMBERED = 100_000  # hashes; a transaction announced twice is one event
FIRST_BACKOFF, LONGEST_BACKOFF = 0.2, 30.0  # seconds
STABLE_AFTER = 60.0  # seconds of a subscription, after which the backoff starts anew
BATCH, IN_FLIGHT = 200, 4  # bodies a request, and requests at a time
HASH = 66  # characters; what is longer are the signed bytes
READ_AHEAD = 25  # transactions whose accounts are read in one request: of more the first would wait for the last
READING = 2  # such requests at a time: what comes meanwhile waits, and is read together
LONGEST_TURN = 0.0005  # seconds of reading at a stretch: a quarter of the engine's, as reading costs a quarter
MOST_ASKED = 20_000  # hashes that wait for their bodies

logger = structlog.get_logger(__name__)


@dataclass(slots=True)
class Source:
    """How one source fares. ``first`` are the transactions that it was the first to tell; ``bad`` those that cannot be
    read."""

    name: str
    messages: int = 0
    first: int = 0
    bad: int = 0
    restarts: int = 0
    last_error: str = ""


class State(Protocol):
    """On what transactions are simulated (bot.simulation.fork)."""

    def lacks(self, tx: Transaction) -> Collection[str]: ...
    async def read(self, node: JsonRpc, accounts: Collection[str]) -> None: ...


class MempoolCollector:
    """Subscribes to full bodies at every source (websocket URLs or IPC paths); one may as well tell the signed bytes,
    and what one announces by hash only is asked for in batches. Each transaction is one event, whoever tells it first;
    those of our ``own`` accounts are none, and none is one that another of its sender and nonce outbids. A source that
    fails comes back, the others go on.

    A transaction of accounts that ``state`` lacks waits until they were read, many in one request; others pass it.

    As an adapter it learns from the heads what is pending no more."""

    name = "mempool"

    def __init__(
        self,
        sources: Sequence[str],
        rpc: JsonRpc,
        clock: Clock,
        own: frozenset[str],
        state: State | None = None,
    ) -> None:
        self._urls, self._rpc, self._clock, self._own, self._state = sources, rpc, clock, own, state
        self.sources = [Source(shown(url)) for url in sources]
        self.pending = Pending()
        self.unasked = 0  # announced by hash, and never asked for: there were too many
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._asked: OrderedDict[str, int] = (
            OrderedDict()
        )  # hashes whose bodies are wanted, to the time they were announced
        self._ready: deque[PendingTx] = deque()
        self._some = asyncio.Event()
        self._coming: set[str] = set()  # hashes that were asked for
        self._wanted = asyncio.Event()
        self._held: deque[tuple[PendingTx, Collection[str]]] = deque()
        self._holding = asyncio.Event()

    async def events(self) -> AsyncIterator[Event]:
        followers = [self._follow(url, source) for url, source in zip(self._urls, self.sources, strict=True)]
        fetching = [self._fetch() for _ in range(IN_FLIGHT)]
        reading = [self._read_ahead() for _ in range(READING)]
        tasks = [asyncio.create_task(work) for work in (*followers, *fetching, *reading)]
        for task in tasks:
            task.add_done_callback(lambda _: self._some.set())  # none ends but by a failure of ours
        try:
            while True:
                while self._ready:
                    yield self._ready.popleft()
                for task in tasks:
                    if task.done():
                        task.result()
                self._some.clear()
                await self._some.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def adapt(self, event: Event) -> Event | None:
        """What a block holds is pending no more; if the block is undone, it may be told of again."""
        if isinstance(event, NewHead):
            self.pending.block(event.transactions)
            for tx in event.transactions:
                self._seen.pop(tx.hash, None)
        return event

    # --- one source --------------------------------------------------------------------------------------------------

    async def _follow(self, url: str, source: Source) -> None:
        backoff, full = FIRST_BACKOFF, True
        while True:
            started = self._clock.now_ns()
            try:
                await self._listen(url, source, full)
                source.last_error = "the stream ended"
            except RpcError as error:
                full = not full  # some nodes refuse the parameter that asks for bodies
                source.last_error = f"{error.message} (code {error.code})"
            except Exception as error:
                source.last_error = f"{type(error).__name__}: {error}"
            if self._clock.now_ns() - started > STABLE_AFTER * 1e9:
                backoff = FIRST_BACKOFF
            source.restarts += 1
            logger.warning("mempool source restarts", source=source.name, error=source.last_error, in_seconds=backoff)
            await self._clock.sleep(backoff)
            backoff = min(2 * backoff, LONGEST_BACKOFF)

    async def _listen(self, url: str, source: Source, full: bool) -> None:
        turn = self._clock.now_ns()
        wanted = ("newPendingTransactions", True) if full else ("newPendingTransactions",)
        async for told in subscribe(url, TransactionBody | str, *wanted):  # type: ignore[arg-type]
            if told is None:
                continue
            source.messages += 1
            seen_ns = self._clock.now_ns()
            if seen_ns - turn > LONGEST_TURN * 1e9:
                await asyncio.sleep(0)  # reading what has come meanwhile waits for nothing: the engine would not run
                turn = self._clock.now_ns()
            if isinstance(told, str):
                if len(told) <= HASH:
                    self._ask(told, seen_ns)
                    continue
                try:
                    told = body_of(to_bytes(told))
                except ValueError:
                    source.bad += 1
                    continue
            if told.hash not in self._seen:
                self._take(told, seen_ns, source)

    def _take(self, body: TransactionBody, seen_ns: int, source: Source | None) -> None:
        try:
            tx = announced(body)
        except ValueError:
            if source is not None:
                source.bad += 1
            return
        self._seen[body.hash] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        if tx.sender in self._own:
            return
        news, replaced = self.pending.add(tx)
        if news is News.NEW or news is News.REPLACES:
            if source is not None:
                source.first += 1
            self._pass_on(PendingTx(tx, seen_ns, replaced))

    def _pass_on(self, event: PendingTx) -> None:
        lacking = self._state.lacks(event.tx) if self._state is not None else ()
        if lacking:
            self._held.append((event, lacking))
            self._holding.set()
        else:
            self._ready.append(event)
            self._some.set()

    async def _read_ahead(self) -> None:
        while True:
            await self._holding.wait()
            held = [self._held.popleft() for _ in range(min(READ_AHEAD, len(self._held)))]
            if not self._held:
                self._holding.clear()
            if held and self._state is not None:
                try:
                    await self._state.read(self._rpc, {account for _, lacking in held for account in lacking})
                finally:
                    self._ready.extend(event for event, _ in held)
                    self._some.set()

    # --- bodies of what is announced by hash -------------------------------------------------------------------------

    def _ask(self, tx_hash: str, seen_ns: int) -> None:
        if tx_hash in self._seen or tx_hash in self._asked or tx_hash in self._coming:
            return
        self._asked[tx_hash] = seen_ns
        if len(self._asked) > MOST_ASKED:
            self._asked.popitem(last=False)
            self.unasked += 1
        self._wanted.set()

    async def _fetch(self) -> None:
        while True:
            await self._wanted.wait()
            asked = [self._asked.popitem(last=False) for _ in range(min(BATCH, len(self._asked)))]
            if not self._asked:
                self._wanted.clear()
            wanted = [(tx_hash, seen_ns) for tx_hash, seen_ns in asked if tx_hash not in self._seen]
            if wanted:
                coming = {tx_hash for tx_hash, _ in wanted}
                self._coming |= coming
                try:
                    await self._bodies(wanted)
                finally:
                    self._coming -= coming

    async def _bodies(self, wanted: Sequence[tuple[str, int]]) -> None:
        try:
            answers = await self._rpc.batch([("eth_getTransactionByHash", [tx_hash]) for tx_hash, _ in wanted])
        except (RpcUnreachable, RpcError) as error:
            logger.warning("bodies of pending transactions not read", count=len(wanted), error=str(error))
            return
        for (tx_hash, seen_ns), answer in zip(wanted, answers, strict=True):
            try:
                body = msgspec.convert(answer, TransactionBody)
            except msgspec.ValidationError:
                continue  # not there (any more), or another one announces it later with more luck
            if body.hash == tx_hash and tx_hash not in self._seen:
                self._take(body, seen_ns, None)
