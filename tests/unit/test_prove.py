"""The proof and its access list: the node is asked in parallel, and what it does not say costs nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.abi import encode, to_hex
from bot.engine.types import AccountDiff, Header, Log, Reason, StateDiff
from bot.execution.profit import TRANSFER
from bot.execution.prove import Proof, ProofFailed, Prover
from bot.jsonrpc import JsonRpc, RpcError, RpcUnreachable
from bot.simulation.fork import HeadFork
from bot.simulation.types import AccessList, BlockContext, Call, CallResult

SENDER, EXECUTOR, WETH, POOL, BUILDER = ("0x" + f"{n:02x}" * 20 for n in range(0xA0, 0xA5))
HEAD = Header(99, "0xh99", "0xh98", 1_000, 1, 30_000_000, 0, BUILDER)
OURS, BEFORE = Call(SENDER, EXECUTOR, b"\x20"), Call(POOL, WETH, b"")
GAS = 150_000
LISTED: AccessList = ((WETH, (1,)), (POOL, (6, 8)))
SAVED = 2 * 200 + 3 * 200


def gain(amount: int) -> Log:
    return Log(WETH, (TRANSFER, to_hex(encode(POOL)), to_hex(encode(EXECUTOR))), encode(amount))


class Node:
    """Answers each method as told; a list makes the last transaction cost ``with_list``."""

    def __init__(self, **answers: Any) -> None:
        self.answers, self.asked, self.with_list = answers, list[str](), GAS - SAVED

    async def call(self, method: str, *params: Any) -> Any:
        self.asked.append(method)
        if method == "eth_simulateV1":
            calls = params[0]["blockStateCalls"][0]["calls"]
            gas = self.with_list if "accessList" in calls[-1] else GAS
            log = {"address": WETH, "topics": list(gain(7).topics), "data": to_hex(encode(7))}
            done = {"status": "0x1", "gasUsed": hex(gas), "logs": [log], "returnData": "0x"}
            return [{"calls": [done for _ in calls]}]
        answer = self.answers.get(method, RpcError(method, -32601, "not found"))
        if isinstance(answer, Exception):
            raise answer
        return answer


async def prove(node: Node, *calls: Call, expected: AccessList = (), overrides: StateDiff | None = None) -> Proof:
    block = BlockContext(100, 1_012, 1, BUILDER, HEAD.gas_limit)
    results = [CallResult(True, GAS, b"", (gain(7),)) for _ in calls]
    fork = SimpleNamespace(head=HEAD, block=block, run=lambda _: results)
    prover = Prover(cast(HeadFork, fork), cast(JsonRpc, node), overrides)
    return await prover.prove(calls, EXECUTOR, WETH, expected)


def answer(listed: AccessList) -> dict[str, Any]:
    entries = [{"address": a, "storageKeys": [f"0x{key:064x}" for key in keys]} for a, keys in listed]
    return {"accessList": entries, "gasUsed": hex(GAS)}


async def test_what_the_node_lists_is_attached_where_it_pays() -> None:
    listed = (*LISTED, (EXECUTOR, (0,)), (BUILDER, ()))
    proof = await prove(Node(eth_createAccessList=answer(listed)), OURS)
    assert proof == Proof(GAS - SAVED, 7, LISTED)


@pytest.mark.parametrize(
    "said",
    [
        RpcError("eth_createAccessList", 3, "execution reverted"),
        RpcUnreachable("gone"),
        None,
        {"accessList": "none"},
        answer(LISTED) | {"error": "execution reverted"},
        answer(((EXECUTOR, (0,)),)),
    ],
)
async def test_no_list_costs_no_trade(said: Any) -> None:
    assert await prove(Node(eth_createAccessList=said), OURS) == Proof(GAS, 7)


async def test_behind_another_transaction_it_is_measured() -> None:
    node = Node()
    assert await prove(node, BEFORE, OURS, expected=LISTED) == Proof(GAS - SAVED, 7, LISTED)
    assert node.asked == ["eth_simulateV1"] * 2
    node.with_list = GAS
    assert await prove(node, BEFORE, OURS, expected=LISTED) == Proof(GAS, 7)
    node = Node()
    assert await prove(node, BEFORE, OURS) == Proof(GAS, 7)
    assert node.asked == ["eth_simulateV1"]


async def test_an_imagined_executor_gets_none() -> None:
    node = Node(eth_createAccessList=answer(LISTED))
    assert await prove(node, OURS, overrides={EXECUTOR: AccountDiff(code=b"\0")}) == Proof(GAS, 7)
    assert node.asked == ["eth_simulateV1"]


async def test_opinions_that_differ() -> None:
    node = Node(eth_createAccessList=answer(LISTED))
    block = BlockContext(100, 1_012, 1, BUILDER, HEAD.gas_limit)
    fork = SimpleNamespace(head=HEAD, block=block, run=lambda _: [CallResult(True, GAS, b"", (gain(8),))])
    with pytest.raises(ProofFailed) as failed:
        await Prover(cast(HeadFork, fork), cast(JsonRpc, node)).prove([OURS], EXECUTOR, WETH)
    assert failed.value.reason is Reason.OPINIONS_DIFFER
