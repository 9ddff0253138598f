"""Heads as a node announces them: in order, without gaps, over reorganisations, each with its change of state."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from bot.chain.heads import HeadCollector
from bot.chain.mempool import MempoolCollector
from bot.chain.nodes.node import Endpoints
from bot.chain.nodes.pool import NodePool
from bot.engine.clock import SystemClock
from bot.engine.decode import header
from bot.engine.types import Event, NewHead, PendingTx
from bot.simulation.anvil import Anvil

PATIENCE = 10


@pytest.fixture
async def node() -> AsyncIterator[Anvil]:
    async with Anvil(chain_id=31337) as node:
        yield node


async def collector(node: Anvil) -> HeadCollector:
    start = header(await node.rpc.call("eth_getBlockByNumber", "latest", False))
    return HeadCollector(NodePool([Endpoints("anvil", node.http_url, node.ws_url)]), SystemClock(), start, 12)


async def send(node: Anvil, value: int) -> str:
    accounts = await node.rpc.call("eth_accounts")
    call = {"from": accounts[0], "to": accounts[1], "value": hex(value)}
    return str(await node.rpc.call("eth_sendTransaction", call))


async def take(events: AsyncIterator[Event], count: int) -> list[Event]:
    return [await asyncio.wait_for(anext(events), PATIENCE) for _ in range(count)]


async def test_blocks_missed_before_and_while_connected_are_filled_in(node: Anvil) -> None:
    heads = await collector(node)
    await node.rpc.call("anvil_mine", hex(3))
    events = heads.events()
    first = await take(events, 3)
    sent = await send(node, 5)
    await node.rpc.call("evm_mine")
    (last,) = await take(events, 1)
    numbers = [event.header.number for event in [*first, last] if isinstance(event, NewHead)]
    assert numbers == [1, 2, 3, 4]
    assert isinstance(last, NewHead)
    assert [tx.hash for tx in last.transactions] == [sent]
    receiver = (await node.rpc.call("eth_accounts"))[1]
    assert last.diff is not None
    assert last.diff[receiver].balance == int(await node.rpc.call("eth_getBalance", receiver, "latest"), 16)


async def test_a_reorganisation_is_told_from_the_common_ancestor_on(node: Anvil) -> None:
    heads = await collector(node)
    events = heads.events()
    for value in range(1, 5):
        await send(node, value)
        await node.rpc.call("evm_mine")
    before = [event for event in await take(events, 4) if isinstance(event, NewHead)]
    await node.rpc.call("anvil_reorg", 2, [])
    await node.rpc.call("evm_mine")
    after = [event for event in await take(events, 3) if isinstance(event, NewHead)]
    assert [event.header.number for event in before] == [1, 2, 3, 4]
    assert [event.header.number for event in after] == [3, 4, 5]
    assert after[0].header.parent_hash == before[1].header.hash
    for parent, child in itertools.pairwise(after):
        assert child.header.parent_hash == parent.header.hash
    tip = await node.rpc.call("eth_getBlockByNumber", "latest", False)
    assert after[-1].header.hash == tip["hash"]


async def test_after_a_restart_the_stream_goes_on_where_it_broke_off(node: Anvil) -> None:
    heads = await collector(node)
    events = heads.events()
    await node.rpc.call("evm_mine")
    assert len(await take(events, 1)) == 1
    await events.aclose()  # type: ignore[attr-defined]
    await node.rpc.call("anvil_mine", hex(2))
    again = await take(heads.events(), 2)
    assert [event.header.number for event in again if isinstance(event, NewHead)] == [2, 3]


async def test_pending_transactions_come_once_whole_and_without_our_own(node: Anvil) -> None:
    own, other, receiver = (await node.rpc.call("eth_accounts"))[:3]
    mempool = MempoolCollector([node.ws_url], node.rpc, SystemClock(), frozenset([own]))
    events = mempool.events()
    waiting = asyncio.create_task(anext(events))
    await asyncio.sleep(0.3)  # until it is subscribed
    for sender in (own, other):
        await node.rpc.call("eth_sendTransaction", {"from": sender, "to": receiver, "value": "0x7", "input": "0x1234"})
    event = await asyncio.wait_for(waiting, PATIENCE)
    assert isinstance(event, PendingTx)
    assert (event.tx.sender, event.tx.to, event.tx.value, event.tx.data) == (other, receiver, 7, b"\x12\x34")
    raw = await node.rpc.call("eth_getRawTransactionByHash", event.tx.hash)
    assert "0x" + event.tx.raw.hex() == raw
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(events), 0.3)
