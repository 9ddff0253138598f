"""The mempool from several sources: once each, from whoever is first, whatever the others do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from bot.chain import mempool as module
from bot.chain.mempool import MempoolCollector
from bot.engine.clock import SystemClock
from bot.engine.types import Event, Header, MinedTx, NewHead, PendingTx
from bot.jsonrpc import JsonRpc
from bot.simulation.anvil import Anvil

PATIENCE = 20.0
SENT = 12


@pytest.fixture
async def node() -> AsyncIterator[Anvil]:
    async with Anvil(chain_id=31337) as anvil:
        await anvil.rpc.call("evm_setAutomine", False)
        yield anvil


class Source:
    """A node's websocket that tells what it is told to tell, as hostile as need be."""

    def __init__(self, *, refuses_bodies: bool = False) -> None:
        self.refuses_bodies, self.subscribed, self.connections = refuses_bodies, asyncio.Event(), 0
        self._sockets: list[web.WebSocketResponse] = []
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Source]:
        app = web.Application()
        app.add_routes([web.get("/key-of-ours", self._feed)])
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        self.url = f"ws://{host}:{port}/key-of-ours"
        try:
            yield self
        finally:
            await self.drop()
            await runner.cleanup()

    async def _feed(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connections += 1
        async for message in socket:
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                asked = json.loads(message.data)
                if self.refuses_bodies and len(asked["params"]) > 1:
                    answer = {"id": asked["id"], "error": {"code": -32602, "message": "too many parameters"}}
                    await socket.send_json({"jsonrpc": "2.0", **answer})
                    continue
                await socket.send_json({"jsonrpc": "2.0", "id": asked["id"], "result": "0x1"})
                self._sockets.append(socket)
                self.subscribed.set()
        return socket

    async def tell(self, result: Any) -> None:
        params = {"subscription": "0x1", "result": result}
        for socket in self._sockets:
            await socket.send_json({"jsonrpc": "2.0", "method": "eth_subscription", "params": params})

    async def drop(self) -> None:
        """Closes the connections."""
        self.subscribed.clear()
        sockets, self._sockets = self._sockets, []
        for socket in sockets:
            await socket.close()


class Reader:
    """Follows the collector, as the engine does."""

    def __init__(self, collector: MempoolCollector) -> None:
        self.events: list[PendingTx] = []
        self._collector, self._more = collector, asyncio.Condition()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for event in self._collector.events():
            assert isinstance(event, PendingTx)
            async with self._more:
                self.events.append(event)
                self._more.notify_all()

    async def hashes(self, count: int) -> list[str]:
        async with asyncio.timeout(PATIENCE), self._more:
            await self._more.wait_for(lambda: len(self.events) >= count)
        return [event.tx.hash for event in self.events]

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.fixture
async def follow(node: Anvil) -> AsyncIterator[Callable[[Sequence[str]], tuple[MempoolCollector, Reader]]]:
    readers: list[Reader] = []

    def start(sources: Sequence[str]) -> tuple[MempoolCollector, Reader]:
        collector = MempoolCollector(sources, node.rpc, SystemClock(), frozenset())
        readers.append(Reader(collector))
        return collector, readers[-1]

    yield start
    for reader in readers:
        await reader.end()


async def send(node: Anvil, count: int, **fields: str) -> list[str]:
    """So many from the node's first account, in its pool."""
    sender, receiver = (await node.rpc.call("eth_accounts"))[:2]
    call = {"from": sender, "to": receiver, "value": "0x7", **fields}
    return [await node.rpc.call("eth_sendTransaction", call) for _ in range(count)]


async def bodies(rpc: JsonRpc, hashes: Sequence[str]) -> list[dict[str, Any]]:
    return [await rpc.call("eth_getTransactionByHash", each) for each in hashes]


async def test_each_is_told_once_by_whoever_is_first(node: Anvil, follow: Any) -> None:
    async with Source().running() as full, Source(refuses_bodies=True).running() as short:
        collector, reader = follow([full.url, short.url, node.ws_url])
        await asyncio.wait_for(full.subscribed.wait(), PATIENCE)
        await asyncio.wait_for(short.subscribed.wait(), PATIENCE)
        hashes = await send(node, SENT)
        for place, body in enumerate(await bodies(node.rpc, hashes)):
            await (short.tell(hashes[place]) if place % 2 else full.tell(body))
            await full.tell(body)
            await short.tell(hashes[place])
        assert sorted(await reader.hashes(SENT)) == sorted(hashes)
        await asyncio.sleep(0.3)
        assert sorted(await reader.hashes(SENT)) == sorted(hashes)
        for event in reader.events:
            assert event.tx.raw.hex() == (await node.rpc.call("eth_getRawTransactionByHash", event.tx.hash))[2:]
        assert collector.sources[0].messages >= SENT and len(collector.pending) == SENT
        assert "key-of-ours" not in str(collector.sources)


async def test_hashes_alone_are_fetched_in_batches(node: Anvil, follow: Any) -> None:
    class Counting(JsonRpc):
        batches = 0

        async def batch(self, *args: Any, **rest: Any) -> list[Any]:
            self.batches += 1
            await asyncio.sleep(0.05)  # a node further away
            return await super().batch(*args, **rest)

    hashes = await send(node, 60)
    async with Source(refuses_bodies=True).running() as source, Counting(node.http_url) as rpc:
        collector = MempoolCollector([source.url], rpc, SystemClock(), frozenset())
        reader = Reader(collector)
        await asyncio.wait_for(source.subscribed.wait(), PATIENCE)
        for each in [*hashes, "0x" + "77" * 32]:  # nobody has the last one
            await source.tell(each)
        assert sorted(await reader.hashes(60)) == sorted(hashes)
        assert rpc.batches <= 20
        await reader.end()


async def test_a_source_that_fails_stops_no_other_and_comes_back(
    node: Anvil, follow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_BACKOFF", 0.01)
    async with Source().running() as one, Source().running() as other:
        collector, reader = follow([one.url, "ws://127.0.0.1:1/nobody", other.url])
        await asyncio.wait_for(one.subscribed.wait(), PATIENCE)
        await asyncio.wait_for(other.subscribed.wait(), PATIENCE)
        hashes = await send(node, 4)
        first, second, third, fourth = await bodies(node.rpc, hashes)
        await one.tell(first)
        await reader.hashes(1)
        await one.drop()
        await other.tell(second)
        await reader.hashes(2)
        await asyncio.wait_for(one.subscribed.wait(), PATIENCE)
        await one.tell("not a hash")
        await one.tell({**third, "gas": "0xyz"})  # cannot be read: not the end of the source
        await one.tell(third)
        await reader.hashes(3)
        await one.tell({"hash": 7})  # no transaction at all: the source starts anew
        await other.tell(fourth)
        assert await reader.hashes(4) == hashes
        assert collector.sources[0].restarts >= 1 and collector.sources[1].restarts >= 1
        assert collector.sources[0].bad == 1


async def test_replaced_mined_and_dropped_ones_are_followed(node: Anvil, follow: Any) -> None:
    collector, reader = follow([node.ws_url])
    await asyncio.sleep(0.5)  # until it is subscribed
    gwei = 10**9
    fees = {"maxFeePerGas": hex(5 * gwei), "maxPriorityFeePerGas": hex(gwei), "nonce": "0x0"}
    (old,) = await send(node, 1, **fees)
    (body,) = await bodies(node.rpc, [old])
    assert await reader.hashes(1) == [old]
    dearer = {"maxFeePerGas": hex(9 * gwei), "maxPriorityFeePerGas": hex(3 * gwei), "nonce": "0x0"}
    (new,) = await send(node, 1, **dearer)
    assert await reader.hashes(2) == [old, new]
    assert [event.replaces for event in reader.events] == [None, old]
    assert collector.pending.at(body["from"].lower(), 0) == new
    await node.rpc.call("evm_mine")
    await collector.adapt(head([mined(body["from"], 0, new)]))
    assert (len(collector.pending), collector.pending.replaced, collector.pending.mined) == (0, 1, 1)
    (third,) = await send(node, 1, nonce="0x1")
    await reader.hashes(3)
    await collector.adapt(head([mined(body["from"], 1, "0x" + "99" * 32)]))
    assert (len(collector.pending), collector.pending.dropped) == (0, 1)
    assert collector.pending.at(body["from"].lower(), 1) is None and third


async def test_what_an_undone_block_held_may_come_again(node: Anvil, follow: Any) -> None:
    async with Source().running() as source:
        collector, reader = follow([source.url])
        await asyncio.wait_for(source.subscribed.wait(), PATIENCE)
        (tx_hash,) = await send(node, 1)
        (body,) = await bodies(node.rpc, [tx_hash])
        await source.tell(body)
        await reader.hashes(1)
        await collector.adapt(head([mined(body["from"], int(body["nonce"], 16), tx_hash)]))
        await source.tell(body)
        assert await reader.hashes(2) == [tx_hash, tx_hash]


def mined(sender: str, nonce: int, tx_hash: str) -> MinedTx:
    return MinedTx(tx_hash, sender.lower(), None, nonce, 0, "0x")


def head(transactions: Sequence[MinedTx]) -> Event:
    return NewHead(Header(1, "0xh", "0xp", 12, 7, 30_000_000, 0, "0xcc"), (), {}, tuple(transactions), 0)
