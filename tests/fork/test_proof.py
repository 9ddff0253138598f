"""Every recorded block comes out as mainnet had it; a changed one does not."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from recorded import BLOCKS, cassette_path, needs_recordings

from bot.abi import to_hex
from bot.simulation.cassette import load
from bot.simulation.proof import prove, replayed
from bot.simulation.state import merge

HISTORY = "0x0000f90827f1c53a10cb7a02335b175320002935"
"""Written by the block itself, not by a transaction (EIP-2935)."""


@needs_recordings
@pytest.mark.parametrize("block", BLOCKS)
async def test_receipts_root_is_mainnets(block: int) -> None:
    cassette = load(cassette_path(block))
    proof = await prove(cassette)
    assert proof.matches
    assert sum(proof.gas_used) == int(cassette.block["gasUsed"], 16)
    assert len(proof.logs) == len(proof.diffs) == len(cassette.raw_transactions) > 0
    assert len(proof.traced) < len(proof.diffs) / 10  # Cancun's EVM in process agrees on almost all


@pytest.mark.parametrize("block", [24628607, 19932148])  # with and without transactions that the node had to trace
async def test_diffs_lead_to_the_nodes_state(block: int) -> None:
    cassette = load(cassette_path(block))
    proof = await prove(cassette)
    changed = merge(proof.diffs)
    async with replayed(cassette) as (rpc, _):
        for address, recorded in cassette.accounts.items():
            if address == HISTORY:
                continue
            change = changed.get(address)
            for slot, before in recorded.storage.items():
                expected = int(before, 16) if change is None else change.slots.get(int(slot, 16), int(before, 16))
                assert int(await rpc.call("eth_getStorageAt", address, slot, "latest"), 16) == expected
            nonce = None if change is None else change.nonce
            after = int(await rpc.call("eth_getTransactionCount", address, "latest"), 16)
            assert after == (int(recorded.nonce, 16) if nonce is None else nonce)
            if change is not None and change.balance is not None:
                assert int(await rpc.call("eth_getBalance", address, "latest"), 16) == change.balance
            if change is not None and change.code is not None:
                assert await rpc.call("eth_getCode", address, "latest") == to_hex(change.code)


@pytest.mark.parametrize(("block", "index", "slots"), [(19426587, 0, 10), (19932148, 130, 1)])
async def test_storage_of_what_the_block_deploys_is_in_the_diffs(block: int, index: int, slots: int) -> None:
    cassette = load(cassette_path(block))
    proof = await prove(cassette)
    (created,) = proof.created
    assert len(proof.diffs[index][created].slots) == slots
    async with replayed(cassette) as (rpc, _):
        for slot, value in merge(proof.diffs)[created].slots.items():
            assert int(await rpc.call("eth_getStorageAt", created, hex(slot), "latest"), 16) == value


async def test_other_state_does_not_match(tmp_path: Path) -> None:
    content = json.loads(gzip.decompress(cassette_path(15050000).read_bytes()))
    sender = load(cassette_path(15050000)).senders[0]
    content["accounts"][sender]["balance"] = "0x1"
    path = tmp_path / "poor.json.gz"
    path.write_bytes(gzip.compress(json.dumps(content).encode()))
    proof = await prove(load(path))
    assert not proof.matches
    assert proof.logs == proof.diffs == ()
