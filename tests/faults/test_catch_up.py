"""However many blocks were missed, whatever became of our branch meanwhile: in order, without gaps, or not at all."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from faulty import LIES, FaultyNode, lies

from bot.chain import heads
from bot.chain.heads import HeadCollector
from bot.chain.nodes.node import Endpoints
from bot.chain.nodes.pool import NodePool
from bot.engine.clock import SystemClock
from bot.engine.decode import header
from bot.engine.types import Event, Header, NewHead
from bot.simulation.anvil import Anvil

MISSED = 5_000 if os.environ.get("MEV_VERIFY") else 700  # more than 640, which once was the end
WHERE = [(True, True), (False, True), (True, False)][: 3 if os.environ.get("MEV_VERIFY") else 2]
PATIENCE = 60.0
BLOCK_TIME = 0.3


@pytest.fixture
async def node() -> AsyncIterator[Anvil]:
    async with Anvil(chain_id=31337) as node:
        yield node


async def tip(node: Anvil) -> Header:
    return header(await node.rpc.call("eth_getBlockByNumber", "latest", False))


async def send(node: Anvil, value: int) -> None:
    accounts = await node.rpc.call("eth_accounts")
    await node.rpc.call("eth_sendTransaction", {"from": accounts[0], "to": accounts[1], "value": hex(value)})


async def upto(events: AsyncIterator[Event], block_hash: str) -> list[Header]:
    """The heads until that one. Raises TimeoutError."""
    told = []
    async with asyncio.timeout(PATIENCE):
        async for event in events:
            assert isinstance(event, NewHead)
            told.append(event.header)
            if event.header.hash == block_hash:
                return told
    raise AssertionError("the stream ended")


def in_order(start: Header, told: Sequence[Header]) -> None:
    for parent, child in itertools.pairwise([start, *told]):
        assert child.parent_hash == parent.hash


async def test_any_number_of_missed_blocks(node: Anvil, record_property: Callable[[str, object], None]) -> None:
    start = await tip(node)
    await node.rpc.call("anvil_mine", hex(MISSED))
    last = await tip(node)
    async with NodePool([Endpoints.at(node.ipc_path)]) as pool:
        begun = asyncio.get_running_loop().time()
        told = await upto(HeadCollector(pool, SystemClock(), start, BLOCK_TIME).events(), last.hash)
        seconds = asyncio.get_running_loop().time() - begun
    in_order(start, told)
    assert len(told) == MISSED
    record_property("blocks caught up with a second", round(MISSED / seconds))


async def test_missed_blocks_on_another_branch(node: Anvil) -> None:
    """Our last blocks were undone, then far more came than are looked through from the newest back."""
    async with NodePool([Endpoints.at(node.ws_url)]) as pool:
        start = await tip(node)
        collector = HeadCollector(pool, SystemClock(), start, BLOCK_TIME)
        events = collector.events()
        for value in range(6):
            await send(node, value)
            await node.rpc.call("evm_mine")
        ours = await upto(events, (await tip(node)).hash)
        await events.aclose()  # type: ignore[attr-defined]
        await node.rpc.call("anvil_reorg", 3, [])
        await node.rpc.call("anvil_mine", hex(heads.BACKWARD + 2 * heads.CHUNK))
        told = await upto(collector.events(), (await tip(node)).hash)
    in_order(ours[2], told)


async def test_a_reorganisation_deeper_than_is_kept_is_told_as_what_it_is(node: Anvil) -> None:
    """Its head stands on nothing that anybody knows: the engine stops, and says so."""
    async with NodePool([Endpoints.at(node.ws_url)]) as pool:
        await node.rpc.call("anvil_mine", hex(2))
        start = await tip(node)
        collector = HeadCollector(pool, SystemClock(), start, BLOCK_TIME)
        snapshot = await node.rpc.call("evm_snapshot")
        events = collector.events()
        await node.rpc.call("anvil_mine", hex(heads.DEEPEST_REORG + 6))
        ours = await upto(events, (await tip(node)).hash)
        await node.rpc.call("evm_revert", snapshot)
        await send(node, 1)
        await node.rpc.call("anvil_mine", hex(heads.DEEPEST_REORG + 8), hex(7))
        told = await upto(events, (await tip(node)).hash)
    assert told[0].parent_hash not in {block.hash for block in ours}


async def test_a_node_far_behind_undoes_nothing(node: Anvil) -> None:
    """One that starts anew tells of old blocks, which are no reorganisation."""
    async with Anvil(chain_id=31337, fork_url=node.http_url, fork_block=0) as behind:
        await node.rpc.call("anvil_mine", hex(2 * heads.DEEPEST_REORG))
        start = await tip(node)
        nodes = [Endpoints("behind", behind.http_url, behind.ws_url), Endpoints("well", node.http_url, node.ws_url)]
        async with NodePool(nodes) as pool:
            events = HeadCollector(pool, SystemClock(), start, BLOCK_TIME).events()
            for _ in range(3):
                await behind.rpc.call("evm_mine")
                await node.rpc.call("evm_mine")
                in_order(start, told := await upto(events, (await tip(node)).hash))
                start = told[-1]
            assert pool.nodes[0].health.errors and "not on a branch" in pool.nodes[0].health.last_error


async def test_nodes_that_disagree_are_shown_and_the_rule_holds(node: Anvil) -> None:
    """Two with one block each: that of the first listed. It is told that they differ, and when the first has come over
    to the other's branch we go with it."""
    await node.rpc.call("anvil_mine", hex(3))
    start = await tip(node)
    async with Anvil(chain_id=31337, fork_url=node.http_url, fork_block=start.number) as other:
        nodes = [Endpoints("first", node.http_url, node.ws_url), Endpoints("other", other.http_url, other.ws_url)]
        async with NodePool(nodes) as pool:
            events = HeadCollector(pool, SystemClock(), start, BLOCK_TIME).events()
            waiting = asyncio.create_task(upto(events, start.hash))  # which never comes: it collects
            await asyncio.sleep(0.5)
            seen = pool.nodes
            await send(other, 5)
            await other.rpc.call("evm_mine")
            theirs = await tip(other)
            await _until(lambda: seen[1].health.head_hash == theirs.hash)  # followed at once, as nobody has another
            await send(node, 7)
            await node.rpc.call("evm_mine")
            ours = await tip(node)
            assert ours.hash != theirs.hash and ours.number == theirs.number
            await _until(lambda: seen[0].health.head_hash == ours.hash)
            (found,) = pool.disagreements
            assert found.followed == ours.hash
            assert found.hashes == {"first": ours.hash, "other": theirs.hash}
            assert (seen[0].health.disagreed, seen[1].health.disagreed) == (0, 1)
            await other.rpc.call("anvil_mine", hex(heads.AHEAD - 1))  # longer, but not by enough
            await asyncio.sleep(4 * BLOCK_TIME)
            assert seen[0].health.head_hash == ours.hash != (await tip(other)).parent_hash
            assert seen[1].health.head < (await tip(other)).number
            await other.rpc.call("evm_mine")
            longer = await tip(other)
            await _until(lambda: seen[1].health.head_hash == longer.hash)
            waiting.cancel()


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_silent_subscription_is_made_anew(node: Anvil) -> None:
    """The connection stands, calls are answered, and no head comes: the blocks are found all the same, and counted."""

    async def no_heads(said: bytes) -> bytes | None:
        return None if b"eth_subscription" in said else said

    start = await tip(node)
    async with FaultyNode(node.http_url) as faulty:
        faulty.tamper = no_heads
        async with NodePool([Endpoints("silent", faulty.http_url, faulty.ws_url)]) as pool:
            events = HeadCollector(pool, SystemClock(), start, BLOCK_TIME).events()
            while not pool.nodes[0].health.silent:
                await node.rpc.call("evm_mine")
                in_order(start, told := await upto(events, (await tip(node)).hash))
                start = told[-1]


@pytest.mark.parametrize(("told", "asked"), WHERE)
@pytest.mark.parametrize("kind", LIES)
async def test_a_lie_changes_nothing(node: Anvil, kind: str, told: bool, asked: bool) -> None:
    """Whatever a node says of the head, and of each block that it is asked for: what we tell stands on what we told."""
    rng = random.Random(kind)
    start = await tip(node)
    async with FaultyNode(node.http_url) as faulty:
        faulty.tamper = lies(rng, kind, told=told, asked=asked)
        nodes = [Endpoints("liar", faulty.http_url, faulty.ws_url), Endpoints("well", node.http_url)]
        async with NodePool(nodes) as pool:
            events = HeadCollector(pool, SystemClock(), start, BLOCK_TIME).events()
            for value in range(4):
                await send(node, value)
                await node.rpc.call("evm_mine")
                in_order(start, heads_ := await upto(events, (await tip(node)).hash))
                start = heads_[-1]
                await asyncio.sleep(BLOCK_TIME / 8)


async def test_a_parent_that_is_not_the_block_s_own(node: Anvil) -> None:
    """Every other head is not told, and those that are claim to stand on the last one told."""
    start = await tip(node)
    last = start.hash
    count = 0

    async def tamper(said: bytes) -> bytes | None:
        nonlocal last, count
        body = json.loads(said)
        if not isinstance(body.get("params"), dict):
            return said
        count += 1
        if count % 2:
            return None
        head = body["params"]["result"]
        head["parentHash"], last = last, head["hash"]
        return json.dumps(body).encode()

    async with FaultyNode(node.http_url) as faulty:
        faulty.tamper = tamper
        async with NodePool([Endpoints.at(faulty.ws_url)]) as pool:
            events = HeadCollector(pool, SystemClock(), start, BLOCK_TIME).events()
            waiting = asyncio.create_task(anext(events))
            await asyncio.sleep(BLOCK_TIME)  # subscribed
            await node.rpc.call("anvil_mine", "0x6")
            first = await asyncio.wait_for(waiting, PATIENCE)
            assert isinstance(first, NewHead)
            in_order(start, [first.header, *await upto(events, (await tip(node)).hash)])
            assert pool.nodes[0].health.errors


async def test_a_node_without_subscriptions_is_asked(node: Anvil) -> None:
    start = await tip(node)
    async with NodePool([Endpoints.at(node.http_url)]) as pool:
        events = HeadCollector(pool, SystemClock(), start, BLOCK_TIME).events()
        for _ in range(3):
            await node.rpc.call("anvil_mine", "0x2")
            in_order(start, told := await upto(events, (await tip(node)).hash))
            start = told[-1]


async def test_logs_that_a_node_leaves_out_are_not_believed(node: Anvil) -> None:
    """It announces a block before it has indexed the logs; the header's bloom filter says that there are some."""
    left_out = 0

    async def without_logs(said: bytes) -> bytes:
        nonlocal left_out
        if b'"topics"' not in said or left_out == 3:
            return said
        left_out += 1
        return said[: said.index(b'"result"')] + b'"result":[]}'

    emitter = "0x" + "e1" * 20  # LOG1 of nothing, with topic 7
    await node.rpc.call("anvil_setCode", emitter, "0x600760006000a100")
    start = await tip(node)
    async with FaultyNode(node.http_url) as faulty:
        faulty.tamper = without_logs
        async with NodePool([Endpoints.at(faulty.http_url)]) as pool:
            events = HeadCollector(pool, SystemClock(), start, BLOCK_TIME).events()
            accounts = await node.rpc.call("eth_accounts")
            await node.rpc.call("eth_sendTransaction", {"from": accounts[0], "to": emitter})
            await node.rpc.call("evm_mine")
            async with asyncio.timeout(PATIENCE):
                event = await anext(events)
            assert isinstance(event, NewHead)
            assert [log.topics for log in event.logs] == [("0x" + "7".rjust(64, "0"),)]
            assert left_out == 3
