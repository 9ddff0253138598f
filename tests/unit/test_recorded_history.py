"""What a cassette tells of its block is what the header commits to, by hashes that are computed here."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.abi import keccak, to_hex
from bot.paths import repo_root
from bot.simulation import hardforks
from bot.simulation.cassette import Cassette, load
from bot.simulation.cassette_server import Answers
from bot.simulation.raw_transaction import encode
from bot.simulation.recorded_history import receipts_root

MAINNET = repo_root().parent / "shared" / "data" / "mainnet"
BLOCKS = sorted(int(path.name.split(".")[0]) for path in MAINNET.glob("*.json.gz"))
pytestmark = pytest.mark.skipif(not BLOCKS, reason=f"the recorded blocks are not at {MAINNET}")
BLOCK = 24628607

Ask = Callable[..., Any]


def cassette_of(block: int) -> Cassette:
    path = MAINNET / f"{block}.json.gz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    return load(path, check=False)


@pytest.mark.parametrize("block", BLOCKS)
def test_transactions_are_told_as_they_were_signed(block: int) -> None:
    cassette = cassette_of(block)
    for transaction, raw in zip(cassette.block["transactions"], cassette.raw_transactions, strict=True):
        assert encode(transaction) == raw
        assert to_hex(keccak(raw)) == transaction["hash"]


@pytest.mark.parametrize("block", BLOCKS)
def test_receipts_are_the_headers(block: int) -> None:
    cassette = cassette_of(block)
    assert receipts_root(cassette.receipts) == cassette.block["receiptsRoot"]


@pytest.mark.parametrize("block", BLOCKS)
def test_rules_are_the_blocks(block: int) -> None:
    cassette = cassette_of(block)
    assert hardforks.of_block(1, cassette.block) == cassette.hardfork
    shown = hardforks.of_block(10, cassette.block)  # elsewhere a header cannot tell each from the one before
    assert shown is not None and (shown == cassette.hardfork or cassette.hardfork in ("grayglacier", "osaka"))


def test_before_london_there_are_no_rules() -> None:
    assert hardforks.of_block(1, {"number": "0x1", "timestamp": "0x1"}) is None
    with pytest.raises(ValueError, match="126"):
        encode({"type": "0x7e"})
    with pytest.raises(ValueError, match="gasPrice"):
        encode({"type": "0x0", "nonce": "0x0"})


@pytest.fixture(scope="module")
def cassette() -> Cassette:
    return cassette_of(BLOCK)


@pytest.fixture(scope="module")
def ask(cassette: Cassette) -> Ask:
    answers = Answers(cassette, whole=True)

    def ask(method: str, *params: Any) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        answer = json.loads(answers.answer(body))
        return answer["result"] if "result" in answer else answer["error"]["message"]

    return ask


def test_the_block_and_what_is_in_it(ask: Ask, cassette: Cassette) -> None:
    block = cassette.block
    assert ask("eth_blockNumber") == hex(BLOCK - 1)
    assert ask("eth_getBlockByNumber", hex(BLOCK), True) == block == ask("eth_getBlockByHash", block["hash"], True)
    hashes = [transaction["hash"] for transaction in block["transactions"]]
    assert ask("eth_getBlockByNumber", hex(BLOCK), False)["transactions"] == hashes
    assert ask("eth_getBlockByNumber", hex(BLOCK + 1), False) is None
    assert ask("eth_getBlockByNumber", "latest", False)["hash"] == cassette.parent_hash
    assert ask("eth_getTransactionByHash", hashes[3]) == block["transactions"][3]
    assert ask("eth_getRawTransactionByHash", hashes[3]) == to_hex(cassette.raw_transactions[3])
    assert ask("eth_getTransactionByHash", cassette.parent_hash) is None
    receipts = ask("eth_getBlockReceipts", hex(BLOCK))
    assert receipts == ask("eth_getBlockReceipts", block["hash"])
    assert receipts_root(receipts) == block["receiptsRoot"]
    assert sum(int(receipt["gasUsed"], 16) for receipt in receipts) == int(block["gasUsed"], 16)
    assert [int(log["logIndex"], 16) for receipt in receipts for log in receipt["logs"]] == list(
        range(sum(len(receipt["logs"]) for receipt in receipts))
    )
    assert ask("eth_getTransactionReceipt", hashes[3]) == receipts[3]


def test_a_fork_that_runs_the_block_is_not_told_how_it_came_out(cassette: Cassette) -> None:
    answers = Answers(cassette)
    for method, params in (
        ("eth_getBlockByNumber", (hex(BLOCK), False)),
        ("eth_getBlockByHash", (cassette.block["hash"], False)),
        ("eth_getTransactionReceipt", (cassette.block["transactions"][0]["hash"],)),
        ("eth_getBlockReceipts", (hex(BLOCK),)),
        ("eth_getLogs", ({"fromBlock": hex(BLOCK)},)),
    ):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        assert not json.loads(answers.answer(body)).get("result")


def test_logs_are_filtered(ask: Ask, cassette: Cassette) -> None:
    every = [log for receipt in ask("eth_getBlockReceipts", hex(BLOCK)) for log in receipt["logs"]]
    here = {"fromBlock": hex(BLOCK), "toBlock": hex(BLOCK)}
    assert ask("eth_getLogs", here) == every == ask("eth_getLogs", {"blockHash": cassette.block["hash"]})
    one = every[0]
    same = [log for log in every if log["address"] == one["address"]]
    assert ask("eth_getLogs", {**here, "address": one["address"]}) == same
    assert ask("eth_getLogs", {**here, "address": [one["address"], "0x" + "11" * 20]}) == same
    named = [log for log in every if log["topics"][:1] == one["topics"][:1]]
    assert ask("eth_getLogs", {**here, "topics": [one["topics"][0]]}) == named
    assert ask("eth_getLogs", {**here, "topics": [[one["topics"][0]], None, None]}) == [
        log for log in named if len(log["topics"]) >= 3
    ]
    assert "logs of block" in ask("eth_getLogs", {"fromBlock": hex(BLOCK - 5), "toBlock": hex(BLOCK)})
    assert "logs of block" in ask("eth_getLogs", {})


def test_state_of_another_block_is_not_this_one(ask: Ask, cassette: Cassette) -> None:
    address = cassette.senders[0]
    for same in ("latest", hex(BLOCK - 1), {"blockHash": cassette.parent_hash}, {"blockNumber": hex(BLOCK - 1)}):
        assert ask("eth_getBalance", address, same) == cassette.accounts[address].balance
    for other in (hex(BLOCK), hex(BLOCK - 2), "earliest", {"blockHash": cassette.block["hash"]}):
        for question in (("eth_getBalance", address), ("eth_getStorageAt", address, "0x0")):
            said = ask(*question, other)
            assert "state at block" in said or "parameters" in said


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"7", b"[7]", b'{"method": "eth_getBalance"}', b'{"method": "eth_getBalance", "params": 7}'],
)
def test_bad_questions_are_answered(cassette: Cassette, body: bytes) -> None:
    answer = json.loads(Answers(cassette, whole=True).answer(body))
    assert all("error" in one for one in (answer if isinstance(answer, list) else [answer]))


def test_wrong_receipts_are_not_served(cassette: Cassette) -> None:
    receipts = cassette.receipts
    receipts[5]["cumulativeGasUsed"] = "0x1"
    wrong = replace(cassette, receipts_json=json.dumps(receipts).encode())
    body = json.dumps({"id": 1, "method": "eth_getBlockReceipts", "params": [hex(BLOCK)]}).encode()
    assert "receipts" in json.loads(Answers(wrong, whole=True).answer(body))["error"]["message"]
