"""``mev bench soak``: a mempool of 10,000 messages a second through the whole bot, beside a bare websocket that only
parses them. What is sent: bot.cli.benches.soak_messages; on what it falls: soak_world."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from bot.chain.pending import Pending
from bot.chain.subscription import Frame
from bot.cli.benches.result import Result
from bot.cli.benches.soak_messages import FIRST_GAS, PLACES, Messages
from bot.cli.benches.soak_world import SEED, Extra, Latencies, SoakBot, World, bot, world
from bot.devnet.state import ensure_state
from bot.engine.decode import Announced, TransactionBody, announced
from bot.paths import data_dir

RATE, SECONDS, WARM = 10_000, 20.0, 60.0
"""Messages a second, how long, and how long before that: until most kinds of calls were looked at (Triage)."""
NODES = 2  # that tell the same, in the second row
STEPS = (12_500, 15_000, 17_500, 20_000, 25_000, 30_000)
"""Messages a second that are tried for the ceiling."""
STEP_SECONDS = 5.0
BLOCK_SECONDS = 12.0
GOAL_MS = 5.0
_PAGE = 4096


@dataclass(frozen=True, slots=True)
class Window:
    """What a stretch of time showed. ``lost`` are messages that were neither handled nor dropped for want of room;
    latencies are milliseconds, of the messages from due at the feeder to the strategies; ``cpu_us`` is the processor
    time of this process by message, heads included; ``growth`` is the share that its memory grew by."""

    rate: int
    seconds: float
    messages: int
    dropped: int
    lost: int
    p50: float
    p99: float
    p999: float
    seen_p99: float
    cpu_us: float
    growth: float
    heads: int
    effects: int
    opportunities: int
    looked: dict[str, int] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        return self.p99 <= GOAL_MS and not self.dropped and not self.lost


def run() -> list[Result]:
    """The goal's rate, the ceiling, and the floor under both."""
    window, twice, ceiling, floor = asyncio.run(_all())
    stages = asyncio.run(_stages())
    looked = {f"{share}, %": round(100 * count / window.messages, 1) for share, count in window.looked.items()}
    return [
        Result(
            bench="soak",
            name=f"due → strategy, p99 at {RATE:,}/s",
            value=window.p99,
            unit="ms",
            peer="bare websocket and json",
            peer_value=floor.p99,
            checked=not window.lost and not window.dropped,
            goal=GOAL_MS,
            details={
                "p50": window.p50,
                "p99.9": window.p999,
                "p99 from bytes there": window.seen_p99,
                "messages": window.messages,
                "dropped": window.dropped,
                "heads": window.heads,
                "effects": window.effects,
                "opportunities": window.opportunities,
                "memory growth, %": round(100 * window.growth, 2),
            },
        ),
        Result(
            bench="soak",
            name=f"due → strategy, p99 at {RATE:,}/s of {NODES} nodes that tell the same",
            value=twice.p99,
            unit="ms",
            peer="bare websocket and json",
            peer_value=floor.p99,
            checked=not twice.lost and not twice.dropped,
            goal=GOAL_MS,
            details={
                "p50": twice.p50,
                "p99.9": twice.p999,
                "p99 from bytes there": twice.seen_p99,
                "different messages": twice.messages,
                "µs of processor, of all messages": twice.cpu_us / NODES,
            },
        ),
        Result(
            bench="soak",
            name="a message, all in all",
            value=window.cpu_us,
            unit="µs of processor",
            peer="bare websocket and json",
            peer_value=floor.cpu_us,
            checked=True,
            details={**stages, **looked},
        ),
        Result(
            bench="soak",
            name="a message at the ceiling",
            value=1e6 / ceiling.rate,
            unit="µs",
            peer="bare websocket and json, processor",
            peer_value=floor.cpu_us,
            checked=True,
            goal=1e6 / RATE,
            details={"messages/s": ceiling.rate, "p99 there, ms": ceiling.p99},
        ),
    ]


async def _all() -> tuple[Window, Window, Window, Window]:
    async with world(BLOCK_SECONDS) as at:
        under = await bot(at)
        async with running(under):
            window = ceiling = await measure(at, under, RATE, SECONDS, WARM)
            for rate in STEPS if window.reached else ():
                step = await measure(at, under, rate, STEP_SECONDS, 1.0)
                if not step.reached:
                    break
                ceiling = step
        under = await bot(at, sources=NODES)
        async with running(under):
            twice = await measure(at, under, RATE, SECONDS, WARM)
        return window, twice, ceiling, await _floor(at, RATE, STEP_SECONDS)


async def soak(
    seconds: float,
    rate: int = RATE,
    warm: float = WARM,
    extra: Extra = lambda market, gas: (),
    watched: Container[str | None] = (),
    block_seconds: float = BLOCK_SECONDS,
) -> Window:
    """One rate for a while, with more strategies if need be."""
    async with world(block_seconds) as at:
        under = await bot(at, extra, watched)
        async with running(under):
            return await measure(at, under, rate, seconds, warm)


class running:
    """``async with`` it: the bot's engine runs. What ended it is raised at the end."""

    def __init__(self, under: SoakBot) -> None:
        self._under = under

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._under.engine.run())

    async def __aexit__(self, *_: object) -> None:
        if self._task.done():
            self._task.result()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def measure(at: World, under: SoakBot, rate: int, seconds: float, warm: float) -> Window:
    """Feeds ``rate`` messages a second, of all sources together, for ``warm`` seconds, then measures; then waits until
    all is handled."""
    async with aiohttp.ClientSession() as session:
        before = await _count(session, at)
        handled_before, dropped_before = _handled(under), under.engine.counts.dropped
        await session.post(f"{at.feeder}/rate/{rate // under.sources}")
        await asyncio.sleep(warm)
        under.gauge.reset()
        heads, found = under.engine.counts.events["NewHead"], under.engine.counts.opportunities
        looked, memory = under.fork.looked.copy(), _memory()
        processor, start = time.process_time_ns(), time.monotonic()
        await asyncio.sleep(seconds)
        processor, took = time.process_time_ns() - processor, time.monotonic() - start
        gauge, growth = under.gauge, _memory() / memory - 1
        sent, seen, messages = gauge.sent, gauge.seen, gauge.messages
        looked = under.fork.looked - looked
        await session.post(f"{at.feeder}/rate/0")
        dropped = lost = 0
        for _ in range(50):
            dropped = under.engine.counts.dropped - dropped_before
            different = (await _count(session, at)) - before
            lost = different - (_handled(under) - handled_before) - dropped
            if not lost:
                break
            await asyncio.sleep(0.1)
    return Window(
        rate=rate,
        seconds=took,
        messages=messages,
        dropped=dropped,
        lost=lost,
        p50=sent.ms(0.5),
        p99=sent.ms(0.99),
        p999=sent.ms(0.999),
        seen_p99=seen.ms(0.99),
        cpu_us=processor / 1000 / max(messages, 1),
        growth=growth,
        heads=under.engine.counts.events["NewHead"] - heads,
        effects=looked["effect"],
        opportunities=under.engine.counts.opportunities - found,
        looked=dict(looked),
    )


def _handled(under: SoakBot) -> int:
    return under.engine.counts.events["PendingTx"]


async def _count(session: aiohttp.ClientSession, at: World) -> int:
    async with session.get(f"{at.feeder}/count") as answer:
        return int((await answer.json())["different"])


def _memory() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


async def _floor(at: World, rate: int, seconds: float) -> Window:
    """The same messages, read and parsed by what Python brings, and nothing more."""
    latencies, messages = Latencies(), 0
    async with aiohttp.ClientSession() as session, session.ws_connect(at.feeder) as socket:
        await socket.send_str("{}")
        await session.post(f"{at.feeder}/rate/{rate}")
        processor, start = time.process_time_ns(), time.monotonic()
        async for message in socket:
            body = json.loads(message.data)
            if "params" in body:
                place = int(body["params"]["result"]["gas"], 16) - FIRST_GAS
                latencies.add(time.monotonic_ns() - at.stamps[place % PLACES])
                messages += 1
            if time.monotonic() - start > seconds:
                break
        processor = time.process_time_ns() - processor
        await session.post(f"{at.feeder}/rate/0")
    p50, p99, p999 = (latencies.ms(share) for share in (0.5, 0.99, 0.999))
    cpu_us = processor / 1000 / max(messages, 1)
    return Window(rate, seconds, messages, 0, 0, p50, p99, p999, p99, cpu_us, 0.0, 0, 0, 0)


async def _stages() -> dict[str, float]:
    """Microseconds a message, each stage by itself."""
    _, deployment = await ensure_state(data_dir())
    feed = Messages(deployment, SEED, keys=100)
    told = [text.encode() for text, place in (feed.next() for _ in range(4_000)) if place is not None]
    decode = msgspec.json.Decoder(Frame[TransactionBody]).decode
    bodies = [frame.params.result for frame in map(decode, told) if frame.params is not None]
    transactions = [announced(body) for body in bodies]
    pending = Pending()
    signed = [tx for tx in map(announced, bodies) if _proves(tx)]
    fresh = iter([announced(body) for body in bodies if body.hash in {tx.hash for tx in signed}])
    return {
        "decode, µs": _each(told, decode),
        "as a transaction, µs": _each(bodies, announced),
        "its place, µs": _each(transactions, pending.add),
        "encoding and sender proven, µs": _each(signed, lambda _: next(fresh).raw),
    }


def _proves(tx: Announced) -> bool:
    try:
        return bool(tx.raw)
    except ValueError:
        return False


def _each(what: list[Any], work: Callable[[Any], Any]) -> float:
    start = time.process_time_ns()
    for one in what:
        work(one)
    return round((time.process_time_ns() - start) / 1000 / len(what), 2)
