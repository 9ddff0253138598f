"""Bancor v2: conversions through its network contract, along a path of pools and their tokens."""

from __future__ import annotations

from bot import abi
from bot.inspection.calls import Live
from bot.inspection.swap import Protocol, Swap
from bot.inspection.transfers import Flow

CONVERSION = abi.topic("Conversion(address,address,address,uint256,uint256,address)")
CALLS = (
    abi.selector("convertByPath(address[],uint256,uint256,address,address,uint256)"),
    abi.selector("convertByPath2(address[],uint256,uint256,address)"),
)


def from_log(flow: Flow, at: int) -> Swap | None:
    """One step of a path."""
    assert flow.tx.logs is not None
    log = flow.tx.logs[at]
    pool, token_in, token_out = ("0x" + topic[-40:] for topic in log.topics[1:4])
    taken, paid, taker = abi.uint(log.data), abi.uint(log.data, 1), abi.address(log.data, 2)
    return Swap("bancor", pool, taker, token_in, taken, token_out, paid, at) if taken and paid else None


def from_call(flow: Flow, place: Live) -> Swap | None:
    """The whole path as one: what goes in is said, what comes out is answered."""
    call, data = place.call, place.call.arguments
    path = data[abi.uint(data) :]
    taken, paid, steps = abi.uint(data, 1), abi.uint(call.output), abi.uint(path)
    token_in, token_out = abi.address(path, 1), abi.address(path, steps)
    return Swap("bancor", call.to, call.sender, token_in, taken, token_out, paid, place.at) if taken and paid else None


PROTOCOL = Protocol("bancor", {CONVERSION: from_log}, dict.fromkeys(CALLS, from_call))
