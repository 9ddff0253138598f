"""Curve pools of all kinds."""

from __future__ import annotations

from bot import abi
from bot.inspection.calls import Live
from bot.inspection.swap import Protocol, Swap, through
from bot.inspection.transfers import Flow

_ARGUMENTS = "(address,{id},uint256,{id},uint256{more})"
EVENTS = tuple(
    abi.topic(name + _ARGUMENTS.format(id=id_, more=more))
    for name in ("TokenExchange", "TokenExchangeUnderlying")
    for id_, more in (("int128", ""), ("uint256", ""), ("uint256", ",uint256,uint256"))
)
CALLS = tuple(
    abi.selector(f"{name}({id_},{id_},uint256,uint256{more})")
    for name in ("exchange", "exchange_underlying", "exchange_received")
    for id_ in ("int128", "uint256")
    for more in ("", ",address", ",bool", ",bool,address")
) + tuple(
    abi.selector(f"exchange_extended(uint256,uint256,uint256,uint256{more},address,address,bytes32)")
    for more in ("", ",bool", ",address")
)


def from_log(flow: Flow, at: int) -> Swap | None:
    assert flow.tx.logs is not None
    log = flow.tx.logs[at]
    sold, bought = abi.uint(log.data, 1), abi.uint(log.data, 3)
    token_in = flow.token_of(log.address, sold, at, paid=False)
    token_out = flow.token_of(log.address, bought, at, paid=True)
    if token_in is None or token_out is None or token_in == token_out:
        return None
    return Swap("curve", log.address, "0x" + log.topics[1][-40:], token_in, sold, token_out, bought, at)


def from_call(flow: Flow, place: Live) -> Swap | None:
    """Pools of old answer nothing: there what moved has to tell it."""
    call = place.call
    if len(call.output) != abi.WORD:
        return through(flow, place, "curve")
    sold, bought = abi.uint(call.arguments, 2), abi.uint(call.output)
    moved = flow.within(place)
    token_out = next((t.token for t in moved if t.sender == call.to and t.amount == bought), None)
    token_in = next((t.token for t in moved if t.to == call.to and t.amount == sold), None)
    if token_in is None:  # sent before the call
        token_in = flow.token_of(call.to, sold, place.at, paid=False)
    if token_in is None or token_out is None or token_in == token_out:
        return through(flow, place, "curve")
    return Swap("curve", call.to, call.sender, token_in, sold, token_out, bought, place.at)


PROTOCOL = Protocol("curve", dict.fromkeys(EVENTS, from_log), dict.fromkeys(CALLS, from_call))
