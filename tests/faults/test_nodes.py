"""The pool of nodes: which node is asked, when another is, and what is never asked twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from faulty import FaultyNode, Message, cuts, drops, hangs, late

from bot.chain.nodes import node as one_node
from bot.chain.nodes.node import Endpoints, Usual
from bot.chain.nodes.pool import NodePool
from bot.chain.nodes.socket_rpc import SocketRpc
from bot.chain.nodes.upstream import answers
from bot.chain.subscription import subscribe
from bot.jsonrpc import JsonRpc, RpcError, RpcUnreachable
from bot.simulation.anvil import Anvil

REVERTING = "0x" + "bb" * 20  # PUSH0 PUSH0 REVERT
UNKNOWN = "0x" + "11" * 32


@pytest.fixture
async def node() -> AsyncIterator[Anvil]:
    async with Anvil(chain_id=31337) as node:
        await node.rpc.call("anvil_setCode", REVERTING, "0x5f5ffd")
        await node.rpc.call("evm_mine")
        yield node


@pytest.fixture
async def faulty(node: Anvil) -> AsyncIterator[FaultyNode]:
    async with FaultyNode(node.http_url) as faulty:
        yield faulty


@pytest.fixture
async def pool(node: Anvil, faulty: FaultyNode) -> AsyncIterator[NodePool]:
    """The node that fails before the one that does not."""
    async with NodePool([Endpoints.at(faulty.http_url, "faulty"), Endpoints.at(node.http_url, "well")]) as pool:
        yield pool


def answering(change: Callable[[dict[str, Any]], object]) -> Callable[[Message], Awaitable[Message]]:
    async def tamper(said: Message) -> Message:
        body = json.loads(said)
        change(body)
        return json.dumps(body).encode()

    return tamper


def error(code: int, message: str) -> Callable[[dict[str, Any]], object]:
    def change(body: dict[str, Any]) -> None:
        body.pop("result", None)
        body["error"] = {"code": code, "message": message}

    return change


async def test_the_first_is_asked_while_it_is_well(pool: NodePool) -> None:
    for _ in range(20):
        assert await pool.call("eth_chainId") == "0x7a69"
    assert pool.nodes[0].health.calls == 20


async def test_a_revert_is_an_answer(pool: NodePool, faulty: FaultyNode) -> None:
    """And so is a parameter that is none: no other node is bothered, nothing is tried again."""
    for params in ({"to": REVERTING}, "latest"), ("nonsense",):
        before = faulty.passed
        with pytest.raises(RpcError):
            await pool.call("eth_call", *params)
        assert faulty.passed == before + 1
    assert pool.nodes[1].health.calls == 0 and pool.nodes[0].health.errors == 0


@pytest.mark.parametrize(
    "tamper",
    [
        hangs(),
        late(3.0),
        cuts(1),
        answering(lambda body: body.update(id=10**9, result="0x9")),
        answering(lambda body: body.update(id=None, result="0x9")),
        answering(lambda body: body.pop("result")),
        answering(error(-32005, "limit exceeded")),
        answering(error(-32000, "header not found")),
        answering(error(-32601, "the method does not exist")),
        answering(error(-32603, "internal error")),
    ],
)
async def test_another_answers_in_its_place(
    pool: NodePool, faulty: FaultyNode, tamper: Callable[[Message], Awaitable[Message]]
) -> None:
    faulty.tamper = tamper
    async with asyncio.timeout(20):
        for _ in range(5):
            assert await pool.call("eth_getBalance", REVERTING, "latest") == "0x0"
            assert await pool.batch([("eth_getBalance", [REVERTING, "latest"])] * 3) == ["0x0"] * 3
            assert await pool.call_as(str, "eth_chainId") == "0x7a69"


async def test_a_node_that_fails_again_and_again_is_asked_last(pool: NodePool, faulty: FaultyNode) -> None:
    await faulty.die()
    for _ in range(one_node.THRESHOLD + 4):
        await pool.call("eth_chainId")
    assert pool.nodes[0].shut
    assert pool.nodes[0].health.calls == one_node.THRESHOLD


async def test_a_node_that_is_shut_and_the_only_one_is_asked_all_the_same(faulty: FaultyNode) -> None:
    async with NodePool([Endpoints.at(faulty.http_url)]) as pool:
        await faulty.die()
        with pytest.raises(RpcUnreachable):
            await pool.call("eth_chainId")
        assert pool.nodes[0].shut and pool.nodes[0].health.calls > 1, "it was tried again"
        await faulty.revive()
        assert await pool.call("eth_chainId") == "0x7a69"


async def test_what_changes_something_is_sent_once(pool: NodePool, node: Anvil, faulty: FaultyNode) -> None:
    """Though the answer is lost: another try might do it twice."""
    faulty.tamper = cuts(1)
    before = int(await node.rpc.call("eth_blockNumber"), 16)
    with pytest.raises(RpcUnreachable):
        await pool.call("evm_mine")
    assert int(await node.rpc.call("eth_blockNumber"), 16) == before + 1
    assert pool.nodes[1].health.calls == 0


async def test_a_block_that_one_has_not_is_asked_of_the_other(node: Anvil) -> None:
    async with Anvil(chain_id=31337) as fresh:
        await node.rpc.call("anvil_mine", "0x5")
        block = await node.rpc.call("eth_getBlockByNumber", "0x4", False)
        async with NodePool([Endpoints.at(fresh.http_url, "fresh"), Endpoints.at(node.http_url, "well")]) as pool:
            assert await pool.call("eth_getBlockByHash", block["hash"], False) == block
            assert await pool.call("eth_getBalance", REVERTING, "0x4") == "0x0"
            assert await pool.call("eth_getLogs", {"blockHash": block["hash"]}) == []
            assert await pool.batch([("eth_getBalance", [REVERTING, "0x4"])] * 2) == ["0x0"] * 2
            assert await pool.call("eth_getBlockByHash", UNKNOWN, False) is None, (
                "where none has it, that is the answer"
            )
            with pytest.raises(RpcError, match="unknown block"):
                await pool.call("eth_getLogs", {"blockHash": UNKNOWN})


async def test_a_node_behind_is_asked_last(pool: NodePool) -> None:
    pool.nodes[0].health.head, pool.nodes[1].health.head = 7, 9
    await pool.call("eth_chainId")
    assert [node.health.calls for node in pool.nodes] == [0, 1]
    pool.nodes[0].health.head = 8  # one block: the next it has not heard of yet
    await pool.call("eth_chainId")
    assert [node.health.calls for node in pool.nodes] == [1, 1]


async def test_a_rate_is_kept_and_another_node_takes_what_is_over(node: Anvil) -> None:
    nodes = [Endpoints("few", node.http_url, rate=5), Endpoints("many", node.http_url)]
    async with NodePool(nodes) as pool:
        for _ in range(20):
            await pool.call("eth_chainId")
        assert 5 <= pool.nodes[0].health.calls <= 10 <= pool.nodes[1].health.calls
    async with NodePool([Endpoints("few", node.http_url, rate=50)]) as pool:
        begun = asyncio.get_running_loop().time()
        await asyncio.gather(*(pool.call("eth_chainId") for _ in range(60)))
        assert asyncio.get_running_loop().time() - begun >= 0.15


def test_the_usual_latency_is_learned() -> None:
    usual = Usual(0.1, 0.05)
    for _ in range(200):
        usual.learn(0.1)
    assert usual.patience == pytest.approx(0.1, rel=0.01)
    for _ in range(200):
        usual.learn(0.0001)
    assert usual.patience == one_node.SHORTEST


# --- one connection, many calls ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ws_url", "ipc_path"])
async def test_calls_on_one_connection_get_each_its_own_answer(node: Anvil, kind: str) -> None:
    async with SocketRpc(getattr(node, kind)) as rpc:
        await node.rpc.call("anvil_mine", "0x20")
        numbers = list(range(32))
        blocks = await asyncio.gather(*(rpc.call("eth_getBlockByNumber", hex(n), True) for n in numbers))
        assert [int(block["number"], 16) for block in blocks] == numbers
        mixed = await rpc.batch([("eth_getBlockByNumber", [hex(n), False]) for n in numbers] + [("eth_nonsense", [])])
        assert [int(block["number"], 16) for block in mixed[:-1]] == numbers
        assert isinstance(mixed[-1], RpcError)
        with pytest.raises(RpcError, match="revert"):
            await rpc.call("eth_call", {"to": REVERTING}, "latest")


@pytest.mark.parametrize("tamper", [cuts(3), drops(3), answering(lambda body: body.update(id="x"))])
async def test_a_broken_connection_fails_what_waits_on_it_and_is_made_anew(
    faulty: FaultyNode, tamper: Callable[[Message], Awaitable[Message]]
) -> None:
    async with SocketRpc(faulty.ws_url, timeout=1.0) as rpc:
        faulty.tamper = tamper
        said = await asyncio.gather(*(rpc.call("eth_chainId") for _ in range(9)), return_exceptions=True)
        assert any(isinstance(one, RpcUnreachable) for one in said)
        assert all(one == "0x7a69" or isinstance(one, RpcUnreachable) for one in said)
        await faulty.well()
        async with asyncio.timeout(20):
            while isinstance((await asyncio.gather(rpc.call("eth_chainId"), return_exceptions=True))[0], BaseException):
                pass
        assert await rpc.call("eth_chainId") == "0x7a69"
        assert not rpc._waiting


async def test_no_node_behind_a_socket() -> None:
    for url in ("ws://127.0.0.1:1", "/nowhere.ipc"):
        async with SocketRpc(url) as rpc:
            for _ in range(2):
                with pytest.raises(RpcUnreachable):
                    await rpc.call("eth_chainId")


async def test_subscriptions_over_ipc(node: Anvil) -> None:
    stream = subscribe(node.ipc_path, dict[str, Any], "newHeads")
    async with asyncio.timeout(20):
        assert await anext(stream) is None
        await node.rpc.call("evm_mine")
        told = await anext(stream)
    assert told == {**(await node.rpc.call("eth_getBlockByNumber", "latest", False)), **(told or {})}
    await stream.aclose()  # type: ignore[attr-defined]


# --- what pyrevm reads through ----------------------------------------------------------------------------------------


async def test_the_upstream_says_what_the_nodes_say(pool: NodePool, node: Anvil, faulty: FaultyNode) -> None:
    answer = answers(pool, 2.0)

    async def ask(body: object) -> Any:
        return json.loads(await answer(json.dumps(body).encode()))

    one = {"jsonrpc": "2.0", "id": "a", "method": "eth_chainId"}
    assert await ask(one) == {"jsonrpc": "2.0", "id": "a", "result": "0x7a69"}
    assert await ask([one, {**one, "id": 7}]) == [await ask(one), {**await ask(one), "id": 7}]
    failed = await ask({**one, "method": "eth_nonsense", "params": []})
    assert failed["error"]["code"] == -32601
    await faulty.die()
    assert (await ask(one))["result"] == "0x7a69"


async def test_urls_keep_user_and_password_and_do_not_show_them(node: Anvil) -> None:
    at = Endpoints.at(node.http_url.replace("http://", "http://user:secret@"))
    assert "secret" not in repr(at)
    async with NodePool([at]) as pool:
        assert await pool.call("eth_chainId") == "0x7a69"
    async with JsonRpc("http://user:secret@127.0.0.1:1/key") as rpc:
        with pytest.raises(RpcUnreachable) as refused:
            await rpc.call("eth_chainId")
    assert "secret" not in str(refused.value) and "key" not in str(refused.value)
