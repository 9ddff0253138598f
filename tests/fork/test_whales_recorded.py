"""Every transaction of the recorded blocks, looked at as a whale's: prices after it are the state's that it left."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import pytest
from recorded import BLOCKS, cassette_path, needs_recordings

from bot.amm.pool import NoLiquidity, Pool, UnknownState
from bot.amm.v2 import V2Pool
from bot.amm.v3 import V3Pool
from bot.amm.v4 import V4Pool
from bot.chain.swap_calls import swaps
from bot.cli.replay_block import FRESH, recorded_pools
from bot.engine.types import Header, MinedTx, NewHead, PendingEffect, Transaction
from bot.execution.program import MAINNET_WETH
from bot.market.market import Market
from bot.simulation.cassette import Cassette
from bot.simulation.cassette import load as load_cassette
from bot.simulation.proof import Proof, before, prove
from bot.strategies.gas import GasPolicy
from bot.strategies.whale_impact import price
from bot.strategies.whales import SizeRule, Whales

CHOSEN = BLOCKS if os.environ.get("MEV_VERIFY") == "1" else [17666333]

pytestmark = needs_recordings


@dataclass(frozen=True)
class Everybody:
    label: str = "anybody"
    kind: str = "wallet"


async def recorded(cassette: Cassette) -> tuple[Proof, list[Pool]]:
    proof = await prove(cassette)
    async with before(cassette, fresh=FRESH) as state:
        loaded = await recorded_pools(cassette, proof, state)
    return proof, list(loaded.pools.values())


def blank(sender: str, to: str | None, value: int, data: bytes, number: int) -> Transaction:
    return Transaction(f"0x{number:064x}", sender, to, value, data, 0, 0, 0, 0, b"")


@pytest.mark.parametrize("block", CHOSEN)
def test_impacts_are_the_states_that_were(block: int, record_property: Callable[[str, object], None]) -> None:
    cassette = load_cassette(cassette_path(block))
    proof, pools = asyncio.run(recorded(cassette))
    assert proof.matches
    timestamp = cassette.context.timestamp
    parent = Header(block - 1, "0xparent", "0x", timestamp - 12, 10**9, 30_000_000, 15_000_000, "0x")
    free = GasPolicy(MAINNET_WETH, base=0, per_hop={})

    def market_at_parent() -> Market:
        market = Market((MAINNET_WETH,), 3)
        market.add(pool.at(timestamp) for pool in pools)
        market.anchor(parent)
        return market

    market = market_at_parent()
    by_size = Whales(market, free, decode=swaps, size=SizeRule(bps=0))
    told: dict[str, list[dict[str, object]]] = {}
    tally, shadow = Counter[str](), {pool.id: pool.at(timestamp) for pool in pools}
    for number, (call, logs, diff) in enumerate(zip(cassette.calls, proof.logs, proof.diffs, strict=True)):
        tx = blank(call.sender, call.to, call.value, call.data, number)
        found = by_size.process(PendingEffect(tx, logs, 0, 1, diff))
        moved = market.apply(logs, diff, timestamp)
        for pool_id in moved & shadow.keys():  # an oracle of its own: storage alone
            shadow[pool_id] = shadow[pool_id].apply_diff(diff)
        for signal in found:
            told[tx.hash] = signal.data["impacts"]
            for one in signal.data["impacts"]:
                now = shadow[one["pool"]]
                if isinstance(now, V2Pool | V3Pool | V4Pool):
                    i, j = now.tokens.index(one["token_in"]), now.tokens.index(one["token_out"])
                    try:
                        assert Fraction(one["price_after"]) == price(now, i, j, 0), (number, one)
                    except (UnknownState, NoLiquidity):
                        continue
                    tally[one["kind"]] += 1
                tally["pools moved"] += 1
            tally["with a trade left behind"] += signal.data["behind"] is not None
            tally["transactions"] += 1
            tally["calldata read"] += bool(signal.data["intents"])
    record_property(f"block {block}: impacts equal to storage", dict(tally))
    assert tally["pools moved"]

    again = market_at_parent()
    watched = Whales(again, free, lambda address: Everybody(), decode=swaps)
    transactions = tuple(
        MinedTx(f"0x{number:064x}", call.sender, call.to, 0, call.value, "0x" + call.data.hex(), logs)
        for number, (call, logs) in enumerate(zip(cassette.calls, proof.logs, strict=True))
    )
    head = Header(block, "0xhead", "0xparent", timestamp, 10**9, 30_000_000, 15_000_000, "0x")
    every = tuple(log for logs in proof.logs for log in logs)
    again.follow(head, every)
    for signal in watched.process(NewHead(head, every, None, transactions, 2)):
        unknown = {str(pool) for pool in signal.data["unknown"]}
        expected = [one for one in told.get(signal.tx, []) if str(one["pool"]) not in unknown]
        if signal.data["impacts"] or expected:
            tally["mined"] += 1
            kept = [one for one in signal.data["impacts"] if one["pool"] not in unknown]
            assert kept == expected, signal.tx
    record_property(f"block {block}: the same from the mined block alone", tally["mined"])
    assert tally["mined"]
