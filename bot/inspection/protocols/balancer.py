"""Balancer v1 pools, and v2's, which all lie in one vault."""

from __future__ import annotations

from bot import abi
from bot.inspection.calls import Live
from bot.inspection.swap import Protocol, Swap
from bot.inspection.transfers import Flow

V1_SWAP = abi.topic("LOG_SWAP(address,address,address,uint256,uint256)")
V1_EXACT_IN = abi.selector("swapExactAmountIn(address,uint256,address,uint256,uint256)")
V1_EXACT_OUT = abi.selector("swapExactAmountOut(address,uint256,address,uint256,uint256)")

V2_SWAP = abi.topic("Swap(bytes32,address,address,uint256,uint256)")
_REQUEST = "(uint8,address,address,uint256,bytes32,uint256,address,address,bytes)"
V2_ON_SWAP = (
    abi.selector(f"onSwap({_REQUEST},uint256,uint256)"),
    abi.selector(f"onSwap({_REQUEST},uint256[],uint256,uint256)"),
)
GIVEN_IN = 0


def v1_from_log(flow: Flow, at: int) -> Swap | None:
    assert flow.tx.logs is not None
    log = flow.tx.logs[at]
    taker, token_in, token_out = ("0x" + topic[-40:] for topic in log.topics[1:4])
    amount_in, amount_out = abi.uint(log.data), abi.uint(log.data, 1)
    return Swap("balancer_v1", log.address, taker, token_in, amount_in, token_out, amount_out, at)


def v1_from_call(flow: Flow, place: Live) -> Swap | None:
    call, data = place.call, place.call.arguments
    answer = abi.uint(call.output)
    given_in = call.selector == V1_EXACT_IN
    amount_in, amount_out = (abi.uint(data, 1), answer) if given_in else (answer, abi.uint(data, 3))
    tokens = abi.address(data), abi.address(data, 2)
    return Swap("balancer_v1", call.to, call.sender, tokens[0], amount_in, tokens[1], amount_out, place.at)


def v2_from_log(flow: Flow, at: int) -> Swap | None:
    assert flow.tx.logs is not None
    log = flow.tx.logs[at]
    token_in, token_out = ("0x" + topic[-40:] for topic in log.topics[2:4])
    amount_in, amount_out = abi.uint(log.data), abi.uint(log.data, 1)
    if not amount_in or not amount_out:
        return None
    taker = flow.tx.to or ""
    return Swap("balancer_v2", log.topics[1], taker, token_in, amount_in, token_out, amount_out, at)


def v2_from_call(flow: Flow, place: Live) -> Swap | None:
    """The vault asks the pool with all that is to know; the pool answers with the other amount."""
    data = place.call.arguments
    request = data[abi.uint(data) :]
    tokens, amount = (abi.address(request, 1), abi.address(request, 2)), abi.uint(request, 3)
    answer = abi.uint(place.call.output)
    amount_in, amount_out = (amount, answer) if abi.uint(request) == GIVEN_IN else (answer, amount)
    if not amount_in or not amount_out:
        return None
    pool, taker = abi.to_hex(abi.word(request, 4)), abi.address(request, 6)
    return Swap("balancer_v2", pool, taker, tokens[0], amount_in, tokens[1], amount_out, place.at)


V1 = Protocol("balancer_v1", {V1_SWAP: v1_from_log}, {V1_EXACT_IN: v1_from_call, V1_EXACT_OUT: v1_from_call})
V2 = Protocol("balancer_v2", {V2_SWAP: v2_from_log}, dict.fromkeys(V2_ON_SWAP, v2_from_call))
