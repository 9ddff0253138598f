"""A pending transaction in process: its logs, and of pools that cannot follow them what it changes, say the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass

import msgspec
import pytest

from bot.amm.pool import Pool
from bot.chain.discovery import Factories, from_tokens
from bot.chain.pools import load
from bot.chain.swap_calls import swaps
from bot.cli import profile as profiles
from bot.devnet.network import Devnet
from bot.engine.decode import TransactionBody, header, transaction
from bot.engine.types import Hint, Log, PendingEffect, PendingTx, Transaction
from bot.market.effect import after_swaps
from bot.market.market import Market
from bot.paths import data_dir, repo_root
from bot.simulation.fork import HeadFork
from bot.strategies.backrun import Backrun
from bot.strategies.gas import GasPolicy
from bot.strategies.hint import HintBackrun

SLOTS = 3


@dataclass(frozen=True)
class World:
    market: Market
    fork: HeadFork
    pending: list[Transaction]
    asked: list[tuple[Log, ...]]
    """The logs that ``lacking`` was asked about."""


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
        asked: list[tuple[Log, ...]] = []

        def lacking(logs: Iterable[Log]) -> Mapping[str, set[int]]:
            """As if no pool could follow its logs."""
            asked.append(tuple(logs))
            slots: dict[str, set[int]] = {}
            for log in asked[-1]:
                pool = market.pool(log.address)
                for contract, numbers in {} if pool is None else pool.slots().items():
                    slots.setdefault(contract, set()).update(numbers)
            return slots

        fork = HeadFork(
            net.node.rpc.url, head, chain_id=profile.chain_id, block_time=profile.block_time, lacking=lacking
        )
        for _ in range(SLOTS):
            await net.send_flow()
        content = await net.node.rpc.call("txpool_content")
        bodies = [body for sender in content["pending"].values() for body in sender.values()]
        pending = [transaction(msgspec.convert(body, TransactionBody)) for body in bodies]
        yield World(market, fork, [tx for tx in pending if tx is not None], asked)


async def effects(world: World) -> list[PendingEffect]:
    adapted = [await world.fork.adapt(PendingTx(tx, 1)) for tx in world.pending]
    return [event for event in adapted if isinstance(event, PendingEffect)]


async def test_the_diff_leads_where_the_logs_do(world: World) -> None:
    followed: dict[str, Pool] = {}
    for event in await effects(world):
        after = world.market.after(event.logs)
        assert (event.diff is not None) == bool(after.changed)
        for pool_id in after.changed:
            before, expected = world.market.pool(pool_id), after.pool(pool_id)
            assert before is not None and expected is not None and event.diff is not None
            assert before.apply_diff(event.diff) == expected != before
            followed[pool_id] = expected
    assert {pool.kind for pool in followed.values()} == {"v2", "v3"} and len(followed) > 5


async def test_nothing_is_run_twice_where_all_pools_follow(world: World) -> None:
    world.fork._lacking = world.market.lacking
    events = await effects(world)
    assert events and all(event.diff is None for event in events)


async def test_exact_maths_leads_where_the_simulation_does(world: World) -> None:
    """And so a hint that shows calldata is as good as the public transaction."""
    policy = GasPolicy("0x", base=0, per_hop={"v2": 0, "v3": 0})
    public, private, compared, found = Backrun(world.market, policy), HintBackrun(world.market, policy), 0, 0
    for event in await effects(world):
        intents = swaps(event.tx.to, event.tx.data, event.tx.value)
        if not intents:
            continue
        after = world.market.after(event.logs)
        states = [state.changes for state in after_swaps(world.market.view, intents)]
        assert after.changes in states
        compared += 1
        kept_back = tuple(Log(log.address, log.topics, b"") for log in event.logs)
        hint = Hint(event.tx.hash, kept_back, intents, 0)
        trades = [one.trade for one in public.process(event)]
        assert [one.trade for one in private.process(hint)] == trades
        found += len(trades)
    assert compared >= 8 and found
