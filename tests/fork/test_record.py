"""A block that is recorded anew from a node is the same record; one that would not come out right is none."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recorded import BLOCKS, cassette_path, needs_recordings

from bot.errors import UserError
from bot.jsonrpc import JsonRpc, RpcUnreachable
from bot.simulation.anvil import Anvil
from bot.simulation.cassette import load
from bot.simulation.cassette_diff import diff
from bot.simulation.cassette_server import Answers, CassetteServer
from bot.simulation.proof import prove, replayed
from bot.simulation.record import RecordFailed, Recording, difference, record
from bot.simulation.server_process import listen

CHOSEN = BLOCKS if os.environ.get("MEV_VERIFY") == "1" else [15050000, 19426587, 20378342, 24628607]
"""An uncle's time; beacon roots; blob transactions; the newest rules."""


def url_of(server: asyncio.Server) -> str:
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def names(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


async def recorded(block: int, path: Path) -> Recording:
    with CassetteServer(cassette_path(block), whole=True) as url:
        async with JsonRpc(url) as node:
            return await record(node, block, path)


@needs_recordings
@pytest.mark.parametrize("block", CHOSEN)
async def test_the_same_record(block: int, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    original, path = load(cassette_path(block)), tmp_path / "new.json.gz"
    begun = time.perf_counter()
    made = await recorded(block, path)
    record_property(f"record_{block}", f"{time.perf_counter() - begun:.1f} s, {made.asked} questions")
    again = load(path)
    found = diff(original, again)
    assert found.equal, (found.contradictions[:5], list(found.only_a)[:5], list(found.only_b)[:5])
    assert (again.block, again.raw_transactions) == (original.block, original.raw_transactions)
    # What the node did not tell is no part of the original either, and no transaction needs it.
    assert not {name for name in made.left_out if name.split()[-1] in original.accounts and name.startswith("account")}
    assert names(tmp_path) == ["new.json.gz"]


async def test_the_same_block_gives_the_same_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.json.gz", "b.json.gz")]
    for path in paths:
        await recorded(15050000, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    proof = await prove(load(paths[0]))
    assert proof.matches and len(proof.logs) == len(load(paths[0]).raw_transactions)


async def test_a_node_that_traces_says_what_is_touched(tmp_path: Path) -> None:
    """An anvil that has mined the recorded block has its own header for it, and tracers. It serves the block before."""
    original = load(cassette_path(15050000))
    async with replayed(original) as (node, _):
        made = await record(node, original.number, tmp_path / "traced.json.gz", hardfork=original.hardfork)
    assert made.traced
    found = diff(original, load(made.path))
    assert all(name.startswith("block field") or name == "receipts differ" for name in found.contradictions)
    assert not found.only_a  # what the traces do not name is empty
    assert made.cassette.block["receiptsRoot"] == original.block["receiptsRoot"]


# --- nodes that are wrong ---------------------------------------------------------------------------------------------


Change = Callable[[dict[str, Any]], None]


def changed(tmp_path: Path, change: Change, block: int = 15050000) -> Path:
    content = json.loads(gzip.decompress(cassette_path(block).read_bytes()))
    change(content)
    path = tmp_path / "node" / "changed.json.gz"
    path.parent.mkdir()
    path.write_bytes(gzip.compress(json.dumps(content).encode()))
    return path


def poor(content: dict[str, Any]) -> None:
    content["accounts"][content["block"]["transactions"][4]["from"]]["balance"] = "0x1"


def stale(content: dict[str, Any]) -> None:
    content["accounts"][content["block"]["transactions"][4]["from"]]["nonce"] = "0xffffff"


def other_storage(content: dict[str, Any]) -> None:
    for account in content["accounts"].values():
        for slot, value in account["storage"].items():
            account["storage"][slot] = hex(int(value, 16) ^ 1)


def no_code(content: dict[str, Any]) -> None:
    for account in content["accounts"].values():
        account["codeHash"] = "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


def other_header(content: dict[str, Any]) -> None:
    content["block"]["gasUsed"] = "0x1"


def other_transaction(content: dict[str, Any]) -> None:
    content["block"]["transactions"][2]["value"] = "0x1"


def fewer_transactions(content: dict[str, Any]) -> None:
    content["block"]["transactions"].pop()
    content["rawTransactions"].pop()


def before_london(content: dict[str, Any]) -> None:
    content["block"]["number"], content["block"]["baseFeePerGas"] = "0x1", None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (poor, "transaction 4 does not run"),
        (stale, "transaction 4 is refused: nonce too low"),
        (other_storage, "transaction [0-9]+ does not run .the node said: not recorded in the cassette: "),
        (no_code, "transaction [0-9]+: (status|gasUsed|[0-9]+ logs|log)"),
    ],
)
async def test_wrong_state_is_named_and_not_written(tmp_path: Path, change: Change, said: str) -> None:
    server = await listen(Answers(load(changed(tmp_path, change), check=False), whole=True).answer)
    async with JsonRpc(url_of(server)) as node:
        with pytest.raises(RecordFailed, match=said):
            await record(node, 15050000, tmp_path / "new.json.gz")
    server.close()
    assert names(tmp_path) == ["node"]
    assert not (await prove(load(tmp_path / "node" / "changed.json.gz"))).matches


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_header, "header's hash"),
        (other_transaction, "transaction 2 has not the hash"),
        (fewer_transactions, "transactions are not those"),
    ],
)
async def test_a_wrong_block_is_refused(tmp_path: Path, change: Change, said: str) -> None:
    server = await listen(Answers(load(changed(tmp_path, change), check=False), whole=True).answer)
    async with JsonRpc(url_of(server)) as node:
        with pytest.raises(UserError, match=said):
            await record(node, 15050000, tmp_path / "new.json.gz")
        with pytest.raises(UserError, match="no block 15050001"):
            await record(node, 15050001, tmp_path / "new.json.gz")
    server.close()
    assert names(tmp_path) == ["node"]


async def test_a_node_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    answers, left = Answers(load(cassette_path(15050000), check=False), whole=True), 300

    async def answer(body: bytes) -> bytes:
        nonlocal left
        left -= len(json.loads(body)) if body.startswith(b"[") else 1
        if left < 0:
            raise ConnectionError
        return answers.answer(body)

    server = await listen(answer)
    async with JsonRpc(url_of(server), timeout=1) as node:
        with pytest.raises((RpcUnreachable, RecordFailed)):
            await record(node, 15050000, tmp_path / "new.json.gz")
    server.close()
    assert not names(tmp_path)


async def test_before_london_is_refused(tmp_path: Path) -> None:
    async with Anvil(hardfork="berlin", chain_id=1) as node:
        await node.rpc.call("evm_mine")
        with pytest.raises(UserError, match="London"):
            await record(node.rpc, 1, tmp_path / "new.json.gz")


def test_what_differs_first() -> None:
    log = {"address": "0xAA", "topics": ["0x01"], "data": "0x"}
    one = {"transactionHash": "0x01", "status": "0x1", "gasUsed": "0x5208", "logs": [log]}
    assert difference([one, one], [one, one]) == difference([], [one]) == ""
    assert difference([one, one], [one, {**one, "status": "0x0"}]) == "transaction 1: status is 0, not 1"
    assert difference([one], [{**one, "gasUsed": "0x5209"}]) == "transaction 0: gasUsed is 21001, not 21000"
    assert difference([one], [{**one, "logs": []}]) == "transaction 0: 0 logs, not 1"
    assert "log 0 of 0xbb" in difference([one], [{**one, "logs": [{**log, "address": "0xbb"}]}])
    assert difference([one], [{**one, "transactionHash": "0x02"}]) == "transaction 0 does not run"
    assert difference([one, one], [one]) == "1 transactions ran, not 2"
