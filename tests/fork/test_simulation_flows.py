"""What moved in recorded transactions, against what their state says: ether to the wei, wrapped ether by its slots, and
the profits of known arbitrages."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from recorded import BLOCKS, MAINNET, cassette_path, needs_recordings

from bot.amm.layouts import mapping_slot
from bot.execution.program import MAINNET_WETH
from bot.jsonrpc import JsonRpc
from bot.simulation.cassette import Cassette, load
from bot.simulation.flows import ETHER, NOBODY, flows, gains
from bot.simulation.node import PRESTATE_DIFF
from bot.simulation.proof import replayed
from bot.simulation.trace import CALL_TRACER, Frame, failure, read

VERIFY = bool(os.environ.get("MEV_VERIFY"))
TOO_LONG = {13217637, 17666333}  # of a thousand transactions, to be traced each by running all before it
CHOSEN = sorted(set(BLOCKS) - TOO_LONG) if VERIFY else [15050000, 24628607]
TRACE_SECONDS = 900.0  # a node traces a transaction by running those before it
WETH9_BALANCES = 3


@dataclass(frozen=True)
class Ran:
    """A recorded transaction: its calls, its receipt, and the accounts that it changed, before and after."""

    trace: Frame
    receipt: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]


@asynccontextmanager
async def ran(cassette: Cassette) -> AsyncIterator[list[Ran]]:
    async with replayed(cassette) as (node, _), JsonRpc(node.url, timeout=TRACE_SECONDS) as rpc:
        number = hex(cassette.number)
        traces = await rpc.call("debug_traceBlockByNumber", number, CALL_TRACER)
        diffs = await rpc.call("debug_traceBlockByNumber", number, PRESTATE_DIFF)
        receipts = await rpc.call("eth_getBlockReceipts", number)
        yield [
            Ran(read(trace["result"]), receipt, diff["result"]["pre"], diff["result"]["post"])
            for trace, diff, receipt in zip(traces, diffs, receipts, strict=True)
        ]


def ether_by_state(tx: Ran) -> dict[str, int]:
    found = {}
    for address in tx.before.keys() | tx.after.keys():
        was = int(tx.before.get(address, {}).get("balance", "0x0"), 16)
        now = was if address in tx.after else 0  # destroyed
        if "balance" in tx.after.get(address, {}):
            now = int(tx.after[address]["balance"], 16)
        found[address.lower()] = now - was
    return {address: amount for address, amount in found.items() if amount}


def ether_by_flows(tx: Ran, cassette: Cassette) -> dict[str, int]:
    """With the fee, of which the builder gets what is above the base fee."""
    got = {account: by[ETHER] for account, by in gains(flows(tx.trace)).items() if ETHER in by}
    receipt, builder = tx.receipt, cassette.context.coinbase
    gas, price = int(receipt["gasUsed"], 16), int(receipt["effectiveGasPrice"], 16)
    blobs = int(receipt.get("blobGasUsed") or "0x0", 16) * int(receipt.get("blobGasPrice") or "0x0", 16)
    got[tx.trace.sender] = got.get(tx.trace.sender, 0) - gas * price - blobs
    got[builder] = got.get(builder, 0) + gas * (price - cassette.context.base_fee)
    return {account: amount for account, amount in got.items() if amount}


def check_weth(tx: Ran) -> int:
    """Balances that changed, each by what the flows say."""
    was = tx.before.get(MAINNET_WETH, {}).get("storage", {})
    now = tx.after.get(MAINNET_WETH, {}).get("storage", {})
    slots = {int(slot, 16): (int(was.get(slot, "0x0"), 16), int(now.get(slot, "0x0"), 16)) for slot in was.keys() | now}
    changed = 0
    moved = {account: by[MAINNET_WETH] for account, by in gains(flows(tx.trace)).items() if MAINNET_WETH in by}
    for account, amount in moved.items():
        if account == NOBODY:
            continue
        before, after = slots[mapping_slot(int(account, 16), WETH9_BALANCES)]
        assert after - before == amount
        changed += 1
    return changed


def check_labels(transactions: list[Ran], cassette: Cassette) -> int:
    """Profits of known arbitrages. A label counts what went to the one who called, to his contract, and by it to the
    builder."""
    labels = json.loads((MAINNET / "labels.json").read_text())[str(cassette.number)]["atomicArbCandidates"]
    for label in labels:
        trace = transactions[label["txIndex"]].trace
        got = gains(flows(trace))
        accounts = {trace.sender, trace.to, cassette.context.coinbase}
        made = sum(got.get(one, {}).get(token, 0) for one in accounts for token in (ETHER, MAINNET_WETH))
        assert made == int(label["ethLikeProfitWei"])
    return len(labels)


@needs_recordings
@pytest.mark.parametrize("block", CHOSEN)
async def test_flows_are_what_the_state_says(block: int, record_property: Any) -> None:
    cassette = load(cassette_path(block))
    balances = tokens = 0
    async with ran(cassette) as transactions:
        for tx in transactions:
            assert ether_by_flows(tx, cassette) == ether_by_state(tx)
            balances += len(ether_by_state(tx))
            tokens += check_weth(tx)
            moved = flows(tx.trace)
            assert sum(sum(by.values()) for by in gains(moved).values()) == 0
            assert bool(tx.trace.error) == (tx.receipt["status"] == "0x0") == bool(failure(tx.trace))
            assert not (tx.trace.error and moved)
        assert check_labels(transactions, cassette) or block != 24628607
    assert balances > len(transactions)
    record_property(f"block {block}, balances of ether as the flows say", balances)
    record_property(f"block {block}, balances of WETH as the flows say", tokens)
