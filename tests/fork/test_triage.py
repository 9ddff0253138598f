"""What is passed over without a simulation: on the devnet and on real blocks, none that moves a pool. And the accounts
that are read ahead are those that the node has."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

import msgspec
import pytest
from recorded import BLOCKS, cassette_path, needs_recordings

from bot.amm import v3, v4
from bot.amm.v2 import SYNC
from bot.chain.discovery import Factories, from_tokens
from bot.chain.pools import load
from bot.chain.swap_calls import subject
from bot.cli import profile as profiles
from bot.devnet.network import Devnet
from bot.engine.decode import TransactionBody, announced, header, transaction
from bot.engine.types import Header, PendingEffect, PendingTx, Transaction
from bot.jsonrpc import JsonRpc
from bot.market.market import Market
from bot.paths import data_dir, repo_root
from bot.simulation.fork import HeadFork
from bot.simulation.triage import Triage
from bot.strategies.hint import SWAPS

SLOTS = 40 if os.environ.get("MEV_VERIFY") else 3
TOUCH = SWAPS | {SYNC, v3.SWAP, v4.SWAP}


@dataclass(frozen=True)
class World:
    net: Devnet
    market: Market
    head: Header
    pending: list[Transaction]

    def fork(self, **more: object) -> HeadFork:
        url = self.net.node.rpc.url
        return HeadFork(url, self.head, chain_id=31337, block_time=12, lacking=self.market.lacking, **more)  # type: ignore[arg-type]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    profile = profiles.load(repo_root() / "forks" / "devnet.toml")
    async with Devnet(data_dir(), seed=5) as net:
        await net.build_block()
        head = header(await net.node.rpc.call("eth_getBlockByNumber", "latest", False))
        tokens = [token.address for token in profile.tokens]
        infos = await from_tokens(net.node.rpc, Factories(profile.v2_fees(), profile.v3_tiers()), tokens, head.number)
        market = Market(profile.base_tokens, 3)
        market.add((await load(net.node.rpc, infos, head.number)).pools.values())
        market.anchor(head)
        for _ in range(SLOTS):
            await net.send_flow()
        content = await net.node.rpc.call("txpool_content")
        bodies = [body for sender in content["pending"].values() for body in sender.values()]
        pending = [transaction(msgspec.convert(body, TransactionBody)) for body in bodies]
        yield World(net, market, head, [tx for tx in pending if tx is not None])


async def effects(fork: HeadFork, pending: list[Transaction]) -> dict[str, PendingEffect]:
    adapted = [await fork.adapt(PendingTx(tx, 1)) for tx in pending]
    return {event.tx.hash: event for event in adapted if isinstance(event, PendingEffect)}


async def test_none_that_moves_a_pool_is_passed_over(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    """Twice the same, so that all kinds are learnt in the first round."""
    market = world.market
    everything = world.fork()
    told = {h: e for h, e in (await effects(everything, world.pending)).items() if market.after(e.logs).changed}
    learnt = world.fork(wanted=lambda log: market.graph.slot_of(log) is not None, subject=subject)
    for _ in range(2):
        found = await effects(learnt, world.pending)
        assert found == told
    passed = learnt.looked["of a kind that does not matter"]
    record_property("triage on the devnet: transactions", 2 * len(world.pending))
    record_property("triage on the devnet: moved a pool, none missed", len(told))
    record_property("triage on the devnet: passed over", passed)
    assert len(told) >= 8


async def test_watched_accounts_are_looked_at_whatever_they_do(world: World) -> None:
    ether = next(tx for tx in world.pending if not tx.data and tx.to is not None)
    wanted = {"wanted": lambda log: False, "subject": subject}
    assert await effects(world.fork(**wanted), [ether]) == {}
    for account in (ether.sender, ether.to):
        first = min((tx for tx in world.pending if tx.sender == ether.sender), key=lambda tx: tx.nonce)
        fork = world.fork(**wanted, watched=frozenset([account]))
        if first.hash == ether.hash:
            assert (await effects(fork, [ether]))[ether.hash].logs == ()
        swap = next(tx for tx in world.pending if tx.data)
        watching = world.fork(**wanted, watched={swap.sender: "a whale"})
        assert (await effects(watching, [swap] * 9)).keys() <= {swap.hash}


async def test_accounts_read_ahead_are_the_nodes(world: World) -> None:
    fork, rpc = world.fork(), world.net.node.rpc
    trader, token = world.net.deployment.traders[0], world.net.deployment.weth
    wanted = Transaction("0x1", trader, token, 0, b"call", 0, 21_000, 10**12, 0, b"raw")
    assert fork.lacks(wanted) == (trader, token)
    assert fork.lacks(replace(wanted, data=b"")) == () == fork.lacks(replace(wanted, max_fee_per_gas=0))
    await fork.read(rpc, fork.lacks(wanted))
    assert fork.lacks(wanted) == ()
    block = hex(world.head.number)
    assert fork._evm.balance(trader) == int(await rpc.call("eth_getBalance", trader, block), 16)
    assert fork._evm.nonce(trader) == int(await rpc.call("eth_getTransactionCount", trader, block), 16)
    first = {tx.sender: tx for tx in reversed(world.pending)}
    lacking = sorted({account for tx in first.values() for account in fork.lacks(tx)})
    await fork.read(rpc, lacking)
    assert await effects(fork, list(first.values())) == await effects(world.fork(), list(first.values()))


async def test_what_was_read_at_an_old_head_is_not_taken(world: World) -> None:
    fork, trader = world.fork(), world.net.deployment.traders[0]
    wanted = Transaction("0x1", trader, None, 0, b"call", 0, 21_000, 10**12, 0, b"raw")

    class Late(JsonRpc):
        async def batch(self, *args: object, **rest: object) -> list[object]:
            answers = await super().batch(*args, **rest)  # type: ignore[arg-type]
            fork.head = replace(fork.head, number=fork.head.number + 1)
            return answers

    async with Late(world.net.node.rpc.url) as rpc:
        await fork.read(rpc, [trader])
    assert fork.lacks(wanted) == (trader,)


@needs_recordings
def test_real_blocks(record_property: Callable[[str, object], None]) -> None:
    """The transactions of all recorded blocks in their order, as if they had been pending one after the other: what the
    rule misses of those that swap. The blocks are months apart, so the learning starts anew with each, which is the
    worst for it: in a block most kinds occur once."""
    looked = touching = missed = calls = 0
    for block in BLOCKS:
        cassette = json.loads(gzip.decompress(cassette_path(block).read_bytes()))
        learnt = Triage(subject)
        for body, receipt in zip(cassette["block"]["transactions"], cassette["replayReceipts"], strict=True):
            tx = announced(msgspec.convert(body, TransactionBody))
            if not tx.data:
                continue
            touched = any(entry["topics"] and entry["topics"][0] in TOUCH for entry in receipt["logs"])
            kind, calls = learnt.kind(tx), calls + 1
            touching += touched
            if learnt.worth(kind):
                looked += 1
                learnt.learn(kind, tx, touched=touched, success=receipt["status"] == "0x1")
            else:
                missed += touched
    record_property("triage on recorded blocks: calls", calls)
    record_property("triage on recorded blocks: simulated", looked)
    record_property("triage on recorded blocks: swap", touching)
    record_property("triage on recorded blocks: swap and missed", missed)
    assert missed <= touching // 50 and touching > 100
    assert looked < calls
