"""A node as an EVM: the second opinion (eth_simulateV1), and what a block changed (debug_traceBlock…)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.abi import to_bytes, to_hex
from bot.engine.decode import logs
from bot.engine.types import StateDiff
from bot.jsonrpc import JsonRpc, RpcError
from bot.simulation.state import from_trace, overrides
from bot.simulation.types import BlockContext, Call, CallResult

REFUSED = (-32000, -32003, *range(-38026, -38009))
"""Error codes of a transaction that cannot start: geth's for all, EIP-1474's, eth_simulateV1's own."""

PRESTATE_DIFF = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}


async def simulate(
    rpc: JsonRpc,
    calls: Sequence[Call],
    block: BlockContext,
    state: StateDiff | None = None,
    *,
    on: str = "latest",
) -> list[CallResult]:
    """Runs ``calls`` as transactions one after the other in ``block``, on the state at ``on`` with ``state`` over it.

    The node says for all together when one cannot start: then every result is failed, with gas 0 and its message.
    Raises RpcUnreachable, and RpcError for any other refusal: anvil 1.7.1 refuses deployments here. Where every call
    pays the base fee, BASEFEE is the block's; a call with a lower gas price makes the node take it as 0.
    """
    asked = {
        "blockStateCalls": [
            {
                "blockOverrides": _block(block),
                "stateOverrides": overrides(state or {}),
                "calls": [request(call) for call in calls],
            }
        ],
        "validation": all(call.gas_price >= block.base_fee for call in calls),
    }
    try:
        answer = await rpc.call("eth_simulateV1", asked, on)
    except RpcError as error:
        if error.code in REFUSED:
            return [CallResult(False, 0, b"", (), error.message)] * len(calls)
        raise
    return [_result(result) for result in answer[0]["calls"]]


async def state_diffs(rpc: JsonRpc, block: int | str) -> list[StateDiff]:
    """What each transaction of a block changed, in order. ``block`` is its number, or its hash: the block at a number
    may be another by the time it is traced.

    Not among them: withdrawals, the block reward of old, and the system calls at a block's beginning. Raises RpcError
    when the node has no tracer, RpcUnreachable.
    """
    method = "debug_traceBlockByHash" if isinstance(block, str) else "debug_traceBlockByNumber"
    traces = await rpc.call(method, block if isinstance(block, str) else hex(block), PRESTATE_DIFF)
    return [from_trace(trace["result"]) for trace in traces]


def _block(block: BlockContext) -> dict[str, str]:
    return {
        "number": hex(block.number),
        "time": hex(block.timestamp),
        "baseFeePerGas": hex(block.base_fee),
        "feeRecipient": block.coinbase,
        "gasLimit": hex(block.gas_limit),
        "prevRandao": block.prev_randao,
    }


def request(call: Call) -> dict[str, Any]:
    """A call as a node takes it."""
    fields: dict[str, Any] = {
        "from": call.sender,
        "input": to_hex(call.data),
        "gas": hex(call.gas),
        "gasPrice": hex(call.gas_price),
        "value": hex(call.value),
    }
    if call.to is not None:
        fields["to"] = call.to
    if call.access_list:
        fields["accessList"] = [
            {"address": address, "storageKeys": [f"0x{slot:064x}" for slot in slots]}
            for address, slots in call.access_list
        ]
    return fields


def _result(result: dict[str, Any]) -> CallResult:
    success = result["status"] == "0x1"
    error = "" if success else result.get("error", {}).get("message", "failed")
    output = to_bytes(result["returnData"])
    return CallResult(success, int(result["gasUsed"], 16), output, logs(result["logs"]) if success else (), error)
