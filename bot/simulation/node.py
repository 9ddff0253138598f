"""A node as an EVM: the second opinion (eth_simulateV1), and what a block changed (debug_traceBlockByNumber)."""

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
    request = {
        "blockStateCalls": [
            {
                "blockOverrides": _block(block),
                "stateOverrides": overrides(state or {}),
                "calls": [_call(call) for call in calls],
            }
        ],
        "validation": all(call.gas_price >= block.base_fee for call in calls),
    }
    try:
        answer = await rpc.call("eth_simulateV1", request, on)
    except RpcError as error:
        if error.code in REFUSED:
            return [CallResult(False, 0, b"", (), error.message)] * len(calls)
        raise
    return [_result(result) for result in answer[0]["calls"]]


async def state_diffs(rpc: JsonRpc, block_number: int) -> list[StateDiff]:
    """What each transaction of a block changed, in order.

    Not among them: withdrawals, the block reward of old, and the system calls at a block's beginning. Raises RpcError
    when the node has no tracer, RpcUnreachable.
    """
    traces = await rpc.call("debug_traceBlockByNumber", hex(block_number), PRESTATE_DIFF)
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


def _call(call: Call) -> dict[str, Any]:
    request: dict[str, Any] = {
        "from": call.sender,
        "input": to_hex(call.data),
        "gas": hex(call.gas),
        "gasPrice": hex(call.gas_price),
        "value": hex(call.value),
    }
    if call.to is not None:
        request["to"] = call.to
    if call.access_list:
        request["accessList"] = [
            {"address": address, "storageKeys": [f"0x{slot:064x}" for slot in slots]}
            for address, slots in call.access_list
        ]
    return request


def _result(result: dict[str, Any]) -> CallResult:
    success = result["status"] == "0x1"
    error = "" if success else result.get("error", {}).get("message", "failed")
    output = to_bytes(result["returnData"])
    return CallResult(success, int(result["gasUsed"], 16), output, logs(result["logs"]) if success else (), error)
