"""The pool of processes: the same answers as the EVM in this process, on the right head or none, whoever dies."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bot.abi import call
from bot.devnet.deployment import account
from bot.devnet.network import Devnet
from bot.engine import decode
from bot.engine.decode import TransactionBody
from bot.engine.types import AccountDiff, Header, NewHead
from bot.paths import data_dir
from bot.simulation.fork import call_of
from bot.simulation.node import state_diffs
from bot.simulation.revm import ForkEvm
from bot.simulation.state import merge
from bot.simulation.types import BlockContext, Call, CallResult, UnrecordedState
from bot.simulation.workers import StaleHead, WorkerPool, WorkersDied

SLOTS = 40 if os.environ.get("MEV_VERIFY") else 3
RICH = account(7).address.lower()
NOBODY = "0x" + "77" * 20


@dataclass
class World:
    net: Devnet
    pool: WorkerPool
    evm: ForkEvm

    @property
    def block(self) -> BlockContext:
        return block_after(self.pool.head)

    async def pending(self) -> list[Call]:
        get = self.net.node.rpc.call_as
        hashes = await self.net.send_flow()
        bodies = [await get(TransactionBody, "eth_getTransactionByHash", one) for one in hashes]
        return [call_of(tx, self.block.base_fee) for one in bodies if (tx := decode.transaction(one)) is not None]

    async def mine(self) -> NewHead:
        """The next head; the EVM in this process follows it, the pool does not yet."""
        rpc = self.net.node.rpc
        mined = await self.net.build_block()
        diff = merge(await state_diffs(rpc, mined.number))
        self.evm.apply(diff)
        return NewHead(await head_of(self.net), (), diff, (), 0)

    async def same(self, calls: list[Call]) -> int:
        """Answers of the pool, asked all at once, beside those of the EVM; how many."""
        ours = await asyncio.gather(*(self.pool.simulate([one], self.block) for one in calls))
        assert ours == [self.evm.run([one], self.block, doubtful=True) for one in calls]
        return len(ours)


def block_after(head: Header) -> BlockContext:
    return BlockContext(head.number + 1, head.timestamp + 12, head.base_fee, RICH, head.gas_limit)


async def head_of(net: Devnet) -> Header:
    return decode.header(await net.node.rpc.call("eth_getBlockByNumber", "latest", False))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with Devnet(data_dir(), 5) as net:
        await net.build_block()
        head = await head_of(net)
        evm = ForkEvm(net.node.http_url, head.number, chain_id=31337, gas_limit=head.gas_limit)
        async with WorkerPool(net.node.http_url, head, workers=2, chain_id=31337, patience=20.0) as pool:
            yield World(net, pool, evm)


async def test_order_flow_head_after_head(world: World) -> None:
    compared = 0
    for _ in range(SLOTS):
        compared += await world.same(await world.pending())
        world.pool.follow(await world.mine())
    assert compared > 10 * SLOTS
    assert world.pool.restarted == 0


async def test_job_for_another_head_is_refused(world: World) -> None:
    (swap, *_) = await world.pending()
    old = world.pool.head.hash
    before, old_block = await world.pool.run([swap], world.block, old), world.block
    under_way = asyncio.ensure_future(world.pool.run([swap], old_block, old))
    await asyncio.sleep(0)
    event = await world.mine()
    world.pool.follow(event)
    assert await under_way == before  # it was sent before the head moved
    with pytest.raises(StaleHead):
        await world.pool.run([swap], old_block, old)
    with pytest.raises(StaleHead):
        await world.pool.run([swap], old_block, "0x" + "00" * 32)
    assert await world.same([swap])


async def test_reorg_forks_anew(world: World) -> None:
    """A head whose parent is not ours is no step: the state is read again as of that block."""
    calls = await world.pending()
    await world.mine()
    await world.mine()
    head = await head_of(world.net)
    world.pool.follow(NewHead(replace(head, parent_hash="0x" + "11" * 32), (), {}, (), 0))
    assert await world.same(calls[:4])


async def test_worker_that_dies_is_rebuilt_where_the_others_are(world: World) -> None:
    calls = await world.pending()
    for _ in range(2):
        world.pool.follow(await world.mine())
    for _ in range(2):
        (victim, *_) = world.pool.pids
        jobs = [asyncio.ensure_future(world.pool.simulate([one], world.block)) for one in calls]
        await asyncio.sleep(0)
        os.kill(victim, signal.SIGKILL)
        answers = await asyncio.gather(*jobs)
        assert answers == [world.evm.run([one], world.block, doubtful=True) for one in calls]
    for pid in world.pool.pids:
        os.kill(pid, signal.SIGKILL)
    assert await world.same(calls) == len(calls)  # none was left: the next job waits for one
    world.pool.follow(await world.mine())
    await world.same(calls)
    assert world.pool.restarted >= 3


def stop(pid: int) -> None:
    """Returns when it has stopped, which a busy machine takes its time for."""
    os.kill(pid, signal.SIGSTOP)
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        time.sleep(0.01)


async def test_worker_that_hangs_is_killed_and_the_job_not_tried_for_ever(world: World) -> None:
    head = world.pool.head
    async with WorkerPool(world.net.node.http_url, head, workers=1, chain_id=31337, patience=0.8) as pool:
        (swap, *_) = await world.pending()
        stop(*pool.pids)
        answer: list[CallResult] = []
        while not answer:  # on a busy machine a new worker may look as if it hung, too
            with suppress(WorkersDied):
                answer = await pool.simulate([swap], world.block)
        assert answer == world.evm.run([swap], world.block, doubtful=True)
        assert pool.restarted >= 1
        stop(world.net.node.pid)  # now everybody who needs new state hangs
        try:
            with pytest.raises((WorkersDied, UnrecordedState)):
                await pool.simulate([Call(NOBODY, "0x" + "99" * 20, b"", gas=99_999)], world.block)
        finally:
            os.kill(world.net.node.pid, signal.SIGCONT)


async def test_state_assumed_on_top_of_every_head(world: World) -> None:
    probe = "0x" + "e1" * 20
    assumed = {probe: AccountDiff(0, 1, bytes.fromhex("5f545f5260205ff3"), {0: 42})}  # returns its slot 0
    pool = WorkerPool(
        world.net.node.http_url, world.pool.head, workers=1, chain_id=31337, overrides=assumed, warm=(probe,)
    )
    async with pool:
        for _ in range(2):
            (result,) = await pool.simulate([Call(NOBODY, probe, b"", gas=99_999)], world.block)
            assert int.from_bytes(result.output, "big") == 42
            event = await world.mine()
            spoilt = {**(event.diff or {}), probe: AccountDiff(slots={0: 7})}
            pool.follow(replace(event, diff=spoilt))
            world.pool.follow(event)


async def test_what_is_not_known_and_what_cannot_start(world: World) -> None:
    (result,) = await world.pool.simulate([Call(NOBODY, RICH, b"", value=1)], world.block)
    assert (result.success, result.gas_used) == (False, 0)
    assert result.error
    weth = world.net.deployment.weth
    read = Call(NOBODY, weth, call("balanceOf(address)", RICH), gas=99_999)
    assert (await world.pool.simulate([read, read], world.block))[1].doubts  # its gas is a lower bound
