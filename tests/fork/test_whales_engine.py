"""Whales in the engine on the devnet: the list changes while it runs, signals go to the ledger, and the next run
remembers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

from whale_world import FREE, World, running

from bot.chain import watchlist
from bot.chain.watchlist import Kind, Watched
from bot.cli.profile import Profile, load
from bot.cli.signals import Signals
from bot.engine.clock import SystemClock
from bot.engine.loop import Engine
from bot.engine.types import Event, NewHead, PendingTx, Signal
from bot.ledger.ledger import Ledger
from bot.ledger.records import RunKind
from bot.paths import repo_root
from bot.strategies.registry import strategies
from bot.strategies.whale_record import HORIZON, PENDING
from bot.strategies.whales import Whales

PATIENCE = 20.0


class Fed:
    """A collector that gives what the test puts in."""

    name = "fed"

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Event] = asyncio.Queue()

    async def events(self) -> AsyncIterator[Event]:
        while True:
            yield await self.queue.get()


class Follower:
    """Keeps the world's market and fork at the head."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def adapt(self, event: Event) -> Event | None:
        if isinstance(event, NewHead):
            self._world.market.follow(event.header, event.logs, event.diff)
        return await self._world.fork.adapt(event)


class Idle:
    async def execute(self, opportunities: object) -> None:
        return

    async def drain(self) -> None:
        return


def watching(path: Path) -> Profile:
    """The devnet's profile with a watch list."""
    file = path.with_name("devnet.toml")
    words = (repo_root() / "forks" / "devnet.toml").read_text(encoding="utf-8")
    file.write_text(f'{words}\n[whales]\nfile = "{path}"\n', encoding="utf-8")
    return load(file)


async def test_from_the_file_to_the_ledger_and_back(tmp_path: Path) -> None:
    dice, path = Random("engine"), tmp_path / "whales.csv"
    async with running(47) as world:
        traders = world.net.deployment.traders
        watchlist.add(path, {traders[3]: Watched("first", Kind.WALLET)})
        with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
            ledger.begin_run(RunKind.RUN, profile="devnet", chain_id=31337)
            others = strategies(world.market, FREE)
            put = Signals(watching(path), world.market, FREE, ledger, others)
            heard: list[Signal] = []

            def hear(signal: Signal) -> None:
                heard.append(signal)
                put.hear(signal)

            fed = Fed()
            engine = Engine(
                collectors=[fed],
                adapters=[*put.adapters, Follower(world)],
                strategies=[*others, *put.strategies],
                executor=Idle(),
                clock=SystemClock(),
                rng=dice,
                listener=hear,
            )
            task = asyncio.create_task(engine.run())

            async def round_of(who: int) -> list[Signal]:
                """A pending swap and its block; what was told of it before the block."""
                tx = await world.send(who, *world.random_swap(dice, who, "v2"))
                await fed.queue.put(PendingTx(tx, 1))
                await engine.settled([tx.hash], timeout=PATIENCE)
                told = [signal for signal in heard if signal.tx == tx.hash]
                await world.net.build_block()
                head = await world.head_event()
                await fed.queue.put(head)
                await engine.settled([head.header.hash], timeout=PATIENCE)
                return told

            try:
                assert not await round_of(1)
                watchlist.add(path, {traders[1]: Watched("second", Kind.WALLET)})
                assert not await round_of(2)
                assert isinstance(put.watched, watchlist.WatchList) and put.watched._reading is not None
                await asyncio.wait_for(put.watched._reading, PATIENCE)
                (signal,) = await round_of(1)
                assert signal.text.startswith("pending: second (")
                await asyncio.to_thread(path.write_text, "nonsense\n")
                for _ in range(HORIZON + 1):
                    await round_of(3)
                assert engine.counts.failed == 0 and engine.counts.signals == len(heard)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await put.close()
            kept = {one.tx: one for one in ledger.forecasts(PENDING)}
            assert set(kept) == {one.tx for one in heard if "forecast" in one.data} and signal.tx in kept
            assert kept[signal.tx].happened is not None and kept[signal.tx].confidence == signal.confidence
            ledger.end_run()
        with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
            ledger.begin_run(RunKind.RUN, profile="devnet", chain_id=31337)
            await asyncio.to_thread(path.write_text, f"{traders[1]},second\n")
            (whales,) = Signals(watching(path), world.market, FREE, ledger).strategies
            assert isinstance(whales, Whales)
            assert whales.record.basis(PENDING, traders[1])[0] == (int(bool(kept[signal.tx].happened)), 1)
