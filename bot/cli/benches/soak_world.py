"""What ``mev bench soak`` runs on: the devnet's real protocols with order flow, a market of 1,000 pools, and a bot on
both that is like ``mev run``'s but for its executor.

As on a real chain others close what opens: trades in the blocks are small, ``mev run`` is a competitor that lands what
they leave, and the pools that are not on the devnet follow its prices at each head. So at a head hardly a cycle is open
that pays for its gas, and of the mempool's swaps some 2 to 3 % open one (``opportunities`` by ``effects``)."""

from __future__ import annotations

import asyncio
import json
import mmap
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Container, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bot.amm.pool import Pool
from bot.amm.v2 import V2Pool
from bot.chain.heads import HeadCollector
from bot.chain.mempool import MempoolCollector
from bot.chain.nodes.node import Endpoints
from bot.chain.nodes.pool import NodePool
from bot.chain.swap_calls import subject
from bot.cli.assembly import MarketFollower
from bot.cli.benches.soak_feeder import WORD
from bot.cli.benches.soak_messages import FIRST_GAS, PLACES, senders
from bot.cli.beside import Beside
from bot.cli.market_source import read_node
from bot.cli.profile import Profile, load
from bot.engine.clock import SystemClock
from bot.engine.loop import Engine
from bot.engine.seam import Strategy
from bot.engine.types import AccountDiff, Event, NewHead, Opportunity, PendingEffect, PendingTx
from bot.market.market import Market
from bot.paths import repo_root
from bot.simulation.fork import HeadFork
from bot.simulation.process import Child, wait_for_line
from bot.simulation.server_process import ServerProcess
from bot.strategies.gas import GasPolicy
from bot.strategies.registry import quick

PROFILE = repo_root() / "forks" / "devnet.toml"
POOLS = 1_000
SIZE = "0.1"  # of the trades in the blocks: with others taking what they open, few cycles stay open, as on mainnet
MEV = sys.executable, "-m", "bot.cli.main"
SEED = 20_261_125
START_SECONDS = 60.0
BIN_NS, BINS = 1 << 13, 1 << 16
"""Of the latencies: 8 µs each, the last holds all above half a second."""

Extra = Callable[[Market, GasPolicy], Sequence[Strategy]]


class Latencies:
    """A histogram: it does not grow with the messages."""

    def __init__(self) -> None:
        self._bins = [0] * BINS

    def add(self, ns: int) -> None:
        place = ns // BIN_NS
        self._bins[place if 0 <= place < BINS else 0 if place < 0 else -1] += 1

    def ms(self, share: float) -> float:
        """The latency that this share of the messages stayed below."""
        left = share * sum(self._bins)
        for place, count in enumerate(self._bins):
            left -= count
            if left <= 0:
                return (place + 1) * BIN_NS / 1e6
        return BINS * BIN_NS / 1e6


class Gauge:
    """Around the last adapter, and the first strategy: notes when a message has come as far as it comes.

    ``sent`` is counted from the time at which it was due at the feeder, so it holds what waited in buffers; ``seen``
    from the time at which the collector had its bytes."""

    name = "gauge"

    def __init__(self, fork: HeadFork, stamps: memoryview, clock: SystemClock) -> None:
        self._fork, self._stamps, self._clock = fork, stamps, clock
        self.reset()

    def reset(self) -> None:
        self.sent, self.seen, self.messages = Latencies(), Latencies(), 0

    async def adapt(self, event: Event) -> Event | None:
        adapted = await self._fork.adapt(event)
        if adapted is None and isinstance(event, PendingTx):
            self._note(event)
        return adapted

    def process(self, event: Event) -> Sequence[Opportunity]:
        if isinstance(event, PendingEffect):
            self._note(event)
        return ()

    def _note(self, event: PendingTx | PendingEffect) -> None:
        self.messages += 1
        place = event.tx.gas - FIRST_GAS
        if 0 <= place < PLACES:
            self.sent.add(time.monotonic_ns() - self._stamps[place])
        self.seen.add(self._clock.now_ns() - event.seen_ns)


class Counted:
    """An executor that takes nothing."""

    async def execute(self, opportunities: Sequence[Opportunity]) -> None:
        return

    async def drain(self) -> None:
        return


@dataclass(frozen=True, slots=True)
class World:
    """``node`` and ``url`` are the devnet's, ``block_seconds`` its pace, ``feeder`` the HTTP URL of the process that
    sends; ``stamps`` are the times at which its messages were due."""

    profile: Profile
    node: NodePool
    url: str
    block_seconds: float
    feeder: str
    stamps: memoryview


@dataclass(frozen=True, slots=True)
class SoakBot:
    """The bot under load."""

    engine: Engine
    mempool: MempoolCollector
    fork: HeadFork
    gauge: Gauge
    market: Market
    sources: int


@asynccontextmanager
async def world(block_seconds: float) -> AsyncIterator[World]:
    """The chain and the feeder, each a process of its own."""
    with _chain(block_seconds) as where, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stamps"
        file.write_bytes(bytes(WORD * PLACES))
        words = [str(SEED), str(file)]
        with ServerProcess("feeder", "bot.cli.benches.soak_feeder", words) as feeder, file.open("r+b") as stamps:
            view = memoryview(mmap.mmap(stamps.fileno(), WORD * PLACES)).cast("q")
            async with NodePool([Endpoints("devnet", http=where["http"], ws=where["ws"])]) as node:
                yield World(load(PROFILE), node, where["http"], block_seconds, feeder, view)


@contextmanager
def _chain(block_seconds: float) -> Iterator[Mapping[str, str]]:
    pace = ("--block-time", str(block_seconds), "--size", SIZE)
    words = ("nice", *MEV, "devnet", *pace, "--port", "0", "--relay-port", "0", "--json")
    child = Child("soak-chain", lambda _: words)
    try:
        told = wait_for_line(child, "{", START_SECONDS)
        if told is None:
            raise RuntimeError(f"the devnet did not start:\n{child.log_tail()}")
        where: Mapping[str, str] = json.loads("{" + told)
        with _competitor(where):
            yield where
    finally:
        child.stop()


@contextmanager
def _competitor(where: Mapping[str, str]) -> Iterator[None]:
    """``mev run`` on the devnet: it takes what opens there, block by block, as others do on a real chain."""

    def command(folder: Path) -> Sequence[str]:
        text = PROFILE.read_text()
        usual = {"http": "http://127.0.0.1:8545", "ws": "ws://127.0.0.1:8545", "relay": "http://127.0.0.1:8546"}
        for name, url in usual.items():
            text = text.replace(f'"{url}"', f'"{where[name]}"')
        text = text.replace('ledger = "ledger.sqlite"', f'ledger = "{folder / "ledger.sqlite"}"')
        (file := folder / PROFILE.name).write_text(text)
        return ["nice", "-n", "19", *MEV, "run", "--profile", str(file)]  # elsewhere it is on a machine of its own

    child = Child("soak-competitor", command)
    try:
        yield
    finally:
        child.stop()


async def bot(
    at: World, extra: Extra = lambda market, gas: (), watched: Container[str | None] = (), sources: int = 1
) -> SoakBot:
    """A bot on the devnet's pools and others beside them; ``extra`` strategies run too, and ``watched`` accounts are
    simulated whatever they do. Each of the ``sources`` tells it every transaction."""
    taken = await read_node(at.profile, at.node, checked=False)
    market = taken.market(at.profile.bot.max_hops)
    others = Others(market, at.profile.weth, POOLS - len(market.pools()))
    clock, gas = SystemClock(), GasPolicy(at.profile.weth)
    rich = AccountDiff(balance=10**24, nonce=0, code=b"")
    fork = HeadFork(
        at.url,
        taken.head,
        chain_id=at.profile.chain_id,
        block_time=at.profile.block_time,
        overrides=await asyncio.to_thread(lambda: dict.fromkeys(senders(), rich)),
        warm=sorted({account for pool in taken.pools for account in (pool.contract, pool.keeper) if account}),
        lacking=market.lacking,
        wanted=lambda log: market.graph.slot_of(log) is not None,
        subject=subject,
        watched=watched,
    )
    gauge = Gauge(fork, at.stamps, clock)
    mempool = MempoolCollector([at.feeder.replace("http", "ws", 1)] * sources, at.node, clock, frozenset(), fork)
    engine = Engine(
        collectors=[HeadCollector(at.node, clock, taken.head, at.block_seconds), mempool],
        adapters=[MarketFollower(market, at.node, taken), others, mempool, gauge],
        strategies=[gauge, *quick(market, gas), *extra(market, gas)],
        background=[Beside(market, gas, at.profile.block_time)],
        executor=Counted(),
        clock=clock,
        rng=random.Random(SEED),
    )
    return SoakBot(engine, mempool, fork, gauge, market, sources)


class Others:
    """v2 pairs of tokens of their own, each against two of the devnet's: so every swap there changes ways through some
    hundred of them. As an adapter it brings those back that went off by more than their fee, as arbitrageurs would."""

    def __init__(self, market: Market, weth: str, count: int) -> None:
        self._market, self._weth = market, weth
        self._ids: list[str] = []
        dice, names = random.Random(SEED), list(self._prices())
        self._own = {f"0x{10**9 + number:040x}": 0.001 * (1 + number) for number in range((count + 1) // 2)}
        prices, tokens = self._prices(), list(self._own)
        for number in range(count):
            token, against = tokens[number // 2], names[number // 2 % len(names)] if number % 2 else dice.choice(names)
            worth = 5e19 * dice.lognormvariate(0, 1)  # wei a side
            (token0, reserve0), (token1, reserve1) = sorted(
                ((token, int(worth / self._own[token])), (against, int(worth / prices[against])))
            )
            pool = V2Pool(f"0x{10**12 + number:040x}", token0, token1, reserve0, reserve1, 997, 1000)
            self._ids.append(pool.id)
            market.add([pool])

    async def adapt(self, event: Event) -> Event | None:
        if isinstance(event, NewHead):
            self._market.add(self._moved())
        return event

    def _moved(self) -> Iterator[Pool]:
        prices, pools = self._prices() | self._own, self._market.pools()
        for pool in map(pools.get, self._ids):
            assert isinstance(pool, V2Pool)
            off = pool.reserve0 * prices[pool.token0] / (pool.reserve1 * prices[pool.token1])
            if abs(off - 1) > 1 - pool.fee_num / pool.fee_den:
                yield replace(pool, reserve0=int(pool.reserve0 / off**0.5), reserve1=int(pool.reserve1 * off**0.5))

    def _prices(self) -> dict[str, float]:
        """Wei that a unit of each of the devnet's tokens is worth."""
        prices = {self._weth: 1.0}
        for pool in self._market.pools().values():
            if isinstance(pool, V2Pool) and self._weth in pool.tokens:
                first = pool.token0 == self._weth
                own, other = (pool.reserve0, pool.reserve1) if first else (pool.reserve1, pool.reserve0)
                prices[pool.token1 if first else pool.token0] = own / other
        return prices
