"""The devnet, a market and a fork that follow it through nodes that fail, and the comparison with a rebuild."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from faulty import FaultyNode

from bot.chain.heads import HeadCollector
from bot.chain.nodes.node import Endpoints
from bot.chain.nodes.pool import NodePool
from bot.chain.nodes.upstream import Upstream
from bot.chain.pools import load_from
from bot.chain.snapshot import Snapshot, differences
from bot.chain.state_reader import StateReader
from bot.cli.assembly import MarketFollower
from bot.cli.market_source import read_node
from bot.cli.profile import Profile, load
from bot.devnet.network import Devnet
from bot.engine.clock import SystemClock
from bot.engine.decode import LogEntry, log
from bot.engine.types import Log, NewHead
from bot.market.market import Market
from bot.paths import data_dir, repo_root
from bot.simulation.fork import HeadFork

BLOCK_TIME = 0.4  # seconds, as the collector is told
PATIENCE = 60.0  # seconds until a test gives up
PAIR_SLOTS = 13


@dataclass
class World:
    """``net`` is the chain, ``faulty`` the node before it that fails, ``pool`` the nodes that the collector has."""

    net: Devnet
    faulty: FaultyNode
    pool: NodePool
    taken: Snapshot
    market: Market
    fork: HeadFork
    follower: MarketFollower
    collector: HeadCollector
    chain: list[NewHead] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self) -> None:
        """As the engine does: every event through the adapters, in order."""
        async for event in self.collector.events():
            assert isinstance(event, NewHead)
            head = event.header
            while self.chain and self.chain[-1].header.hash != head.parent_hash:
                self.chain.pop()
            assert self.chain or head.parent_hash == self.taken.head.hash, "a gap"
            self.chain.append(event)
            self.seen.append(head.hash)
            await self.follower.adapt(event)
            await self.fork.adapt(event)
            self.moved.set()

    async def build(self, *, flow: bool = True) -> str:
        """One more block, with swaps in it; its hash."""
        if flow:
            await self.net.send_flow()
        return (await self.net.build_block()).hash

    async def reached(self, block_hash: str) -> float:
        """Seconds until the bot was there. Raises TimeoutError."""
        started = time.perf_counter()
        async with asyncio.timeout(PATIENCE):
            while self.fork.head.hash != block_hash:
                self.moved.clear()
                await self.moved.wait()
        return time.perf_counter() - started

    async def check(self) -> None:
        """Nothing lost, nothing doubled, and the state of market and fork is what a rebuild gives."""
        rpc, head = self.net.node.rpc, self.fork.head
        tip = await rpc.call("eth_getBlockByNumber", "latest", False)
        assert head.hash == tip["hash"] and self.market.head == head
        assert len(set(self.seen)) == len(self.seen), "a block was told twice"
        numbers = [event.header.number for event in self.chain]
        assert numbers == list(range(self.taken.head.number + 1, head.number + 1))
        said = [entry for event in self.chain for entry in event.logs]
        first = hex(self.taken.head.number + 1)
        entries = await rpc.call_as(
            tuple[LogEntry, ...], "eth_getLogs", {"fromBlock": first, "toBlock": hex(head.number)}
        )
        assert said == [log(entry) for entry in entries]
        await self._check_market(head.number)
        await self._check_fork(head.number)

    async def _check_market(self, number: int) -> None:
        assert self.fork.head.number == number
        reader = StateReader.before_next(self.net.node.rpc, self.fork.head, 12)
        fresh = await load_from(reader, self.taken.infos, reach=self.taken.reach)
        assert set(self.market.pools()) == set(fresh.pools) and fresh.pools
        for pool_id, pool in fresh.pools.items():
            ours = self.market.pool(pool_id)
            assert ours is not None
            at = self.fork.head.timestamp + 12
            assert not differences(ours.at(at), pool.at(at)), pool_id

    async def _check_fork(self, number: int) -> None:
        contracts = sorted({pool.contract for pool in self.taken.pools if pool.contract})
        wanted = [(contract, slot) for contract in contracts for slot in range(PAIR_SLOTS)]
        calls = [("eth_getStorageAt", [contract, hex(slot), hex(number)]) for contract, slot in wanted]
        answers = await self.net.node.rpc.batch(calls)
        for (contract, slot), answer in zip(wanted, answers, strict=True):
            assert self.fork._evm.storage(contract, slot) == int(answer, 16), (contract, slot)

    def logs(self) -> Sequence[Log]:
        return [entry for event in self.chain for entry in event.logs]


def profile() -> Profile:
    return load(repo_root() / "forks" / "devnet.toml")


@asynccontextmanager
async def world(seed: int, *, second: bool) -> AsyncIterator[World]:
    """``second``: beside the node that fails there is one that does not."""
    async with Devnet(data_dir(), seed) as net, FaultyNode(net.node.http_url) as faulty:
        nodes = [Endpoints("faulty", faulty.http_url, faulty.ws_url)]
        if second:
            nodes.append(Endpoints("well", net.node.http_url, net.node.ws_url))
        async with NodePool(nodes, timeout=4.0) as pool:
            taken = await read_node(profile(), net.node.rpc, checked=False)
            market = taken.market(3)
            # pyrevm stands still while it reads, and with it the proxy in this process: it reads past that one.
            with Upstream([Endpoints.at(net.node.http_url)], patience=2.0) as state_url:
                warm = sorted({pool.contract for pool in taken.pools if pool.contract})
                fork = HeadFork(state_url, taken.head, chain_id=31337, block_time=12, warm=warm)
                collector = HeadCollector(pool, SystemClock(), taken.head, BLOCK_TIME)
                follower = MarketFollower(market, pool, taken)
                made = World(net, faulty, pool, taken, market, fork, follower, collector)
                task = asyncio.create_task(made.follow())
                try:
                    yield made
                finally:
                    failed = task.done() and not task.cancelled() and task.exception()
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                    if failed:
                        raise failed
