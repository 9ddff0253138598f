"""What stands between a fork and its node: asks each question once, by the block's hash, and passes nothing else on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tiny_cassette import CODE, tiny, write

from bot.jsonrpc import JsonRpc, RpcError, RpcUnreachable
from bot.simulation.cassette import load
from bot.simulation.cassette_server import Answers
from bot.simulation.fork_cache import ForkCache
from bot.simulation.pinned import PinnedNode, pin
from bot.simulation.server_process import listen

HOLDER, PAID, STRANGER = ("0x" + byte * 20 for byte in ("aa", "bb", "cc"))


class Node:
    """A tiny recorded block; ``by_number`` knows no EIP-1898, ``dead`` does not answer."""

    def __init__(self, folder: Path) -> None:
        self._answers = Answers(load(write(folder, tiny())), whole=True)
        self.by_number = self.dead = False
        self.questions: list[tuple[str, Any]] = []

    def answer(self, body: bytes) -> bytes:
        if self.dead:
            return b"gone"
        request = json.loads(body)
        many = request if isinstance(request, list) else [request]
        self.questions += [(one["method"], one["params"]) for one in many]
        if self.by_number and any(isinstance(param, dict) for one in many for param in one["params"]):
            error = {"code": -32602, "message": "invalid argument 1"}
            answers = [{"jsonrpc": "2.0", "id": one["id"], "error": error} for one in many]
            return json.dumps(answers if isinstance(request, list) else answers[0]).encode()
        return self._answers.answer(body)


@asynccontextmanager
async def pinned(
    node: Node, cache: ForkCache | None = None, **options: bool
) -> AsyncIterator[tuple[PinnedNode, JsonRpc]]:
    """The pinned node, and a client of it."""
    server = await listen(node.answer)
    async with JsonRpc(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout=5) as rpc:
        between = PinnedNode(rpc, await pin(rpc), cache, **options)
        async with between.served() as url, JsonRpc(url) as client:
            yield between, client
    server.close()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


async def test_it_answers_as_the_node(node: Node) -> None:
    async with pinned(node) as (between, client):
        assert await client.call("eth_blockNumber") == "0xf"
        assert await client.call("eth_chainId") == "0x1"
        assert await client.call("eth_getBalance", HOLDER, "latest") == "0x5"
        assert await client.call("eth_getTransactionCount", HOLDER, "0xf") == "0x1"
        assert await client.call("eth_getCode", HOLDER.upper().replace("X", "x"), "latest") == CODE
        assert int(await client.call("eth_getStorageAt", HOLDER, "0x0", "latest"), 16) == 7
        assert (await client.call("eth_getAccountInfo", HOLDER, "latest"))["balance"] == "0x5"
        assert (await client.call("eth_getBlockByNumber", "0xe", False))["hash"] == "0x" + "0e" * 32
        assert await client.call("eth_getBlockByNumber", "0x10", False) is None  # comes after the pinned block
        assert await client.call("eth_getBlockByHash", tiny()["block"]["hash"], False) is None
        assert (await client.call("eth_getBlockByHash", between.pin.hash, False))["number"] == "0xf"
        assert between.hashes[14] == "0x" + "0e" * 32


async def test_each_question_is_asked_once(node: Node) -> None:
    async with pinned(node) as (between, client):
        for _ in range(3):
            names = ("eth_getBalance", "eth_getTransactionCount", "eth_getCode", "eth_getAccountInfo")
            await asyncio.gather(*(client.call(name, HOLDER, "0xf") for name in names))
            await asyncio.gather(*(client.call("eth_getStorageAt", HOLDER, slot, "0xf") for slot in ("0x0", "0x00")))
        asked = [name for name, params in node.questions if HOLDER in params]
        assert sorted(asked) == ["eth_getBalance", "eth_getCode", "eth_getStorageAt", "eth_getTransactionCount"]
        assert between.asked == len(asked) + 1  # how to name the block


@pytest.mark.parametrize("by_number", [False, True])
async def test_the_block_is_named_by_its_hash_where_the_node_can(node: Node, by_number: bool) -> None:
    node.by_number = by_number
    async with pinned(node) as (between, client):
        assert await client.call("eth_getBalance", HOLDER, "latest") == "0x5"
        wanted = "0xf" if by_number else {"blockHash": between.pin.hash}
        assert [params[-1] for name, params in node.questions if params[:1] == [HOLDER]] == [wanted] * 3


async def test_what_the_node_does_not_hold_is_its_error(node: Node) -> None:
    async with pinned(node) as (between, client):
        for question in (
            ("eth_getBalance", STRANGER),
            ("eth_getCode", PAID),
            ("eth_getStorageAt", HOLDER, "0x5"),
            ("eth_getBlockByNumber", "0xd"),
        ):
            with pytest.raises(RpcError, match="not recorded"):
                await client.call(*question, *(() if question[0] == "eth_getBlockByNumber" else ("latest",)))
        assert STRANGER in between.refused
        assert await between.read([STRANGER, HOLDER], [(HOLDER, 0), (HOLDER, 9)], lenient=True) == [
            f"account {STRANGER}",
            f"slot 0x9 of {HOLDER}",
        ]


async def test_code_that_only_the_block_itself_does_not_need(node: Node) -> None:
    async with pinned(node, unmodified=True) as (between, client):
        assert await client.call("eth_getCode", PAID, "latest") == "0x"
        assert between.accounts[PAID].code is None


async def test_nothing_is_sent(node: Node) -> None:
    async with pinned(node) as (_, client):
        for method in ("eth_sendRawTransaction", "eth_sendTransaction", "anvil_setBalance", "personal_sign", ""):
            with pytest.raises(RpcError, match="passed on"):
                await client.call(method, "0x00")
        assert not [name for name, _ in node.questions if "send" in name or "anvil" in name]
        for body in (
            b"{",
            b"[]",
            b"7",
            b"[7]",
            b"{}",
            b'{"method": 7}',
            b'{"method": "eth_getBalance", "params": [1]}',
        ):
            assert b"result" not in await client.post(body)


async def test_a_node_that_is_gone_is_said_and_the_cache_goes_on(node: Node, tmp_path: Path) -> None:
    cache = ForkCache(1, "0x00", tmp_path / "forks")
    async with pinned(node, cache) as (_, client):
        await client.call("eth_getBalance", HOLDER, "latest")
        await client.call("eth_getStorageAt", HOLDER, "0x0", "latest")
        node.dead = True
        with pytest.raises(RpcError, match="does not answer"):
            await client.call("eth_getBalance", STRANGER, "latest")
    node.dead = False
    async with pinned(node, ForkCache(1, "0x00", tmp_path / "forks")) as (between, client):
        node.dead = True
        assert await client.call("eth_getCode", HOLDER, "latest") == CODE
        assert int(await client.call("eth_getStorageAt", HOLDER, "0x0", "latest"), 16) == 7
        assert between.asked == 0
        with pytest.raises((RpcError, RpcUnreachable)):
            await client.call("eth_getStorageAt", HOLDER, "0x1", "latest")
