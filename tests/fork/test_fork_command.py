"""``mev fork``: a second fork of a block needs the node hardly at all; what a fork says is what its block holds."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from recorded import cassette_path

from bot.abi import call, to_bytes, to_hex, uint
from bot.cli.main import run
from bot.jsonrpc import JsonRpc
from bot.simulation.cassette import load
from bot.simulation.cassette_server import Answers
from bot.simulation.erc20_slots import NOBODY
from bot.simulation.fork_cache import ForkCache, cacheable
from bot.simulation.server_process import listen

MEV = [os.sys.executable, "-m", "bot.cli.main"]
BLOCK = 24628607
USDC, DECIMALS = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", 6
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
FRESH = "0x" + "ab" * 20


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEV_HOME", str(tmp_path / "home"))
    return tmp_path


class Node:
    """A recorded block as a node that says it is ``client``, and counts what it answers."""

    def __init__(self, block: int, client: str) -> None:
        self._answers = Answers(load(cassette_path(block), check=False), [FRESH, NOBODY], whole=True)
        self._client = client
        self.answered: Counter[str] = Counter()

    def answer(self, body: bytes) -> bytes:
        request = json.loads(body)
        many = request if isinstance(request, list) else [request]
        if many[0]["method"] == "web3_clientVersion":
            return json.dumps({"jsonrpc": "2.0", "id": many[0]["id"], "result": self._client}).encode()
        raw = self._answers.answer(body)
        answers = json.loads(raw)
        pairs = zip(many, answers if isinstance(answers, list) else [answers], strict=True)
        self.answered.update(one["method"] for one, answer in pairs if answer.get("result") is not None)
        return raw


@asynccontextmanager
async def node(client: str = "Geth/v1.16.7") -> AsyncIterator[tuple[Node, str]]:
    told = Node(BLOCK, client)
    server = await listen(told.answer)
    yield told, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


@asynccontextmanager
async def mev(*words: str) -> AsyncIterator[dict[str, Any]]:
    """What a command that runs on says first; it ends with the block, by Ctrl-C."""
    process = await asyncio.create_subprocess_exec(
        *MEV, *words, "--port", "0", "--json", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    assert line, (await process.stderr.read()).decode()
    try:
        yield json.loads(line)
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0, errors.decode()


def mover() -> tuple[str, str]:
    """Who gave USDC to whom in the block: both balances were recorded."""
    logs = [log for receipt in load(cassette_path(BLOCK)).receipts for log in receipt["logs"]]
    topics = next(log["topics"] for log in logs if log["address"] == USDC and log["topics"][0] == TRANSFER)
    return "0x" + topics[1][-40:], "0x" + topics[2][-40:]


async def balance(rpc: JsonRpc, holder: str) -> int:
    question = {"to": USDC, "data": to_hex(call("balanceOf(address)", holder))}
    return uint(to_bytes(await rpc.call("eth_call", question, "latest")))


async def receipt_of(rpc: JsonRpc, sent: str) -> dict[str, Any]:
    for _ in range(500):
        if receipt := await rpc.call("eth_getTransactionReceipt", sent):
            found: dict[str, Any] = receipt
            return found
        await asyncio.sleep(0.01)
    pytest.fail(f"{sent} was not mined")


async def test_funded_impersonated_and_cached(record_property: Callable[[str, object], None]) -> None:
    giver, taker = mover()
    words = ["--profile", "forks/mainnet.toml", "--fund", f"{FRESH}=3.5", "--fund", f"{giver}=1"]
    words += ["--token", f"{giver}:USDC=123.456789"]
    words += ["--impersonate", giver]
    counts = []
    async with node() as (told, url):
        for _ in range(2):
            told.answered.clear()
            async with mev("fork", "up", "--url", url, *words) as up, JsonRpc(up["http"]) as fork:
                assert (up["chain_id"], up["block"], up["hardfork"]) == (1, BLOCK - 1, "osaka")
                assert up["hash"] == load(cassette_path(BLOCK)).parent_hash
                assert int(await fork.call("eth_getBalance", FRESH, "latest"), 16) == 35 * 10**17
                assert await balance(fork, giver) == 123_456_789 == up["tokens"][0]["amount"]
                before = await balance(fork, taker)
                data = to_hex(call("transfer(address,uint256)", taker, 456))
                sent = await fork.call("eth_sendTransaction", {"from": giver, "to": USDC, "data": data})
                receipt = await receipt_of(fork, sent)
                assert receipt["status"] == "0x1" and int(receipt["blockNumber"], 16) == BLOCK
                assert (await balance(fork, giver), await balance(fork, taker)) == (123_456_333, before + 456)
                assert up["cache"]["path"].endswith(f"/1/{up['hash']}.sqlite")
            counts.append(dict(told.answered))
    assert sum(counts[0].values()) > 20
    state = ("eth_getCode", "eth_getTransactionCount", "eth_getStorageAt")
    assert not [method for method in state if counts[1].get(method)]
    assert sum(counts[1].values()) <= 4, counts[1]  # the head, the chain twice, how to name a block
    record_property(
        "fork_up_questions", f"{sum(counts[0].values())} at first, {sum(counts[1].values())} from the cache"
    )


async def test_a_fork_of_what_can_be_edited_is_not_cached(home: Path) -> None:
    async with node("anvil/v1.7.1") as (_, url), mev("fork", "up", "--url", url) as up:
        assert up["cache"] is None
    assert not (home / "home" / "forks").exists()


async def test_what_the_node_does_not_have_is_an_error_that_names_it() -> None:
    stranger = "0x" + "cd" * 20
    async with node() as (_, url), mev("fork", "up", "--url", url) as up, JsonRpc(up["http"]) as fork:
        answers = await fork.batch([("eth_getBalance", (stranger, "latest"))])
        assert stranger in str(answers[0]).lower()


async def test_a_node_behind_a_key_does_not_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with node() as (_, url):
        monkeypatch.setenv("FORK_TEST_URL", url + "/v3/0123456789abcdef")
        async with mev("fork", "up", "--url", "${FORK_TEST_URL}") as up:
            listed = await asyncio.create_subprocess_exec("ps", "-ww", "-eo", "args", stdout=asyncio.subprocess.PIPE)
            lines = (await listed.communicate())[0].decode().splitlines()
            assert [line for line in lines if "--fork-url" in line]
            assert not [line for line in lines if "0123456789abcdef" in line]
            assert "0123456789abcdef" not in json.dumps(up)


async def test_serve_then_record_is_the_same(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    original, made = cassette_path(15050000), tmp_path / "made.json.gz"
    async with mev("fork", "serve", str(original)) as served:
        words = ["fork", "record", "--block", "15050000", "--url", served["http"], "-o", str(made), "--json"]
        assert await asyncio.to_thread(run, words) == 0
        said = json.loads(capfd.readouterr().out)
        assert said["receipts_root_matches"] and (said["transactions"], said["hardfork"]) == (35, "grayglacier")
        assert await asyncio.to_thread(run, words) == 2  # it is there already
        assert "there already" in capfd.readouterr().err
        assert await asyncio.to_thread(run, ["fork", "record", "--block", "7", "--url", served["http"]]) == 1
    capfd.readouterr()
    assert run(["fork", "diff", str(original), str(made), "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"equal": True, "contradictions": [], "only_a": {}, "only_b": {}}
    assert run(["fork", "diff", str(original), str(cassette_path(BLOCK))]) == 1
    assert "different" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["up"], "--url"),
        (["up", "--url", "ftp://x"], "http"),
        (["up", "--url", "${NO_SUCH_URL}"], "NO_SUCH_URL"),
        (["up", "--profile", "forks/none.toml"], "no profile"),
        (["up", "--url", "http://x", "--hardfork", "cancan"], "hardfork"),
        (["up", "--url", "http://x", "--fund", "0x12=1"], "address"),
        (["up", "--url", "http://x", "--fund", FRESH], "ADDRESS=ETHER"),
        (["up", "--url", "http://x", "--fund", f"{FRESH}=1e5"], "decimal"),
        (["up", "--url", "http://x", "--token", f"{FRESH}=5"], "HOLDER:TOKEN=AMOUNT"),
        (["up", "--url", "http://x", "--token", f"{FRESH}:USDC=5"], "USDC"),
        (["up", "--url", "http://x", "--impersonate", "bob"], "address"),
        (["record", "--block", "5"], "--url"),
        (["record", "--block", "5", "--url", "http://x", "-o", "no/such/folder/a.gz"], "folder"),
        (["serve", "none.json.gz"], "none.json.gz"),
        (["diff", "none.json.gz", "none.json.gz"], "none.json.gz"),
    ],
)
def test_bad_input_is_one_line(words: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["fork", *words]) == 2
    told = capfd.readouterr()
    assert told.out == "" and len(told.err.splitlines()) == 1 and said in told.err


# --- the cache --------------------------------------------------------------------------------------------------------


def test_a_cache_is_a_blocks_own(tmp_path: Path) -> None:
    one, other = ForkCache(1, "0xaa", tmp_path), ForkCache(1, "0xbb", tmp_path)
    one.put("slot", "0x1")
    other.put("slot", "0x2")
    one.put("slot", "0x3")  # what was there stays
    assert (one.get("slot"), other.get("slot"), one.get("none")) == ("0x1", "0x2", None)
    assert ForkCache(2, "0xaa", tmp_path).get("slot") is None
    again = ForkCache(1, "0xaa", tmp_path)  # beside the first, as by another process
    again.put("more", "0x4")
    assert (again.get("slot"), one.get("more"), one.entries) == ("0x1", "0x4", 2)
    assert one.size > 0


@pytest.mark.parametrize("damage", [b"not a database, but long enough to look at", b""])
def test_a_damaged_cache_is_begun_anew(tmp_path: Path, damage: bytes) -> None:
    cache = ForkCache(1, "0xaa", tmp_path)
    cache.put("slot", "0x1")
    cache.close()
    cache.path.write_bytes(damage)
    again = ForkCache(1, "0xaa", tmp_path)
    assert again.get("slot") is None
    again.put("slot", "0x2")
    assert again.get("slot") == "0x2"


def test_whose_state_a_hash_stands_for() -> None:
    assert cacheable("Geth/v1.16.7-stable") and cacheable("reth/v1.9") and cacheable("erigon/3.2")
    for client in ("anvil/v1.7.1", "HardhatNetwork/2", "mevkit-cassette/1"):
        assert not cacheable(client)
