"""Uniswap v2 pairs and their forks."""

from __future__ import annotations

from bot import abi
from bot.inspection.calls import Live
from bot.inspection.swap import Protocol, Swap
from bot.inspection.transfers import Flow, Transfer

SWAP = abi.topic("Swap(address,uint256,uint256,uint256,uint256,address)")
CALL = abi.selector("swap(uint256,uint256,address,bytes)")


def from_log(flow: Flow, at: int) -> Swap | None:
    assert flow.tx.logs is not None
    log = flow.tx.logs[at]
    in0, in1, out0, out1 = (abi.uint(log.data, i) for i in range(4))
    before = [t for t in flow.transfers if t.at < at]  # tokens that keep a share arrive as more transfers than one
    token_out = next((t.token for t in reversed(before) if t.sender == log.address), None)
    given = next((t for t in reversed(before) if t.to == log.address and t.token != token_out), None)
    if token_out is None or given is None:
        return None  # paid back in the token that was lent: a loan
    token_in = given.token
    first = int(token_in, 16) < int(token_out, 16)  # token0 is the one with the lesser address
    amount_in, back = (in0, in1) if first else (in1, in0)
    amount_out = min(out1 if first else out0, _arrived(flow, log.address, token_out, at)) - back
    if amount_in <= 0 or amount_out <= 0:
        return None
    amount_in += _kept(flow, given, amount_in)
    taker = "0x" + log.topics[1][-40:]
    return Swap("uniswap_v2", log.address, taker, token_in, amount_in, token_out, amount_out, at)


def _arrived(flow: Flow, pair: str, token: str, at: int) -> int:
    """The most that one transfer of this payment brought: the rest of it a token kept for itself."""
    assert flow.tx.logs is not None
    others = (i for i in range(at) if flow.tx.logs[i].address == pair and flow.tx.logs[i].topics[0] == SWAP)
    since = max(others, default=-1)
    return max(t.amount for t in flow.transfers if t.sender == pair and t.token == token and since < t.at < at)


def _kept(flow: Flow, given: Transfer, arrived: int) -> int:
    """What a token kept for itself of a payment to the pair, by the call that asked for it. Where another pair paid, it
    was taken off what that one's payment brought."""
    assert flow.tx.logs is not None
    pairs = {log.address for log in flow.tx.logs if log.topics and log.topics[0] == SWAP}
    if given.sender in pairs:
        return 0
    asked = (t.amount for t in flow.asked if (t.token, t.sender, t.to) == (given.token, given.sender, given.to))
    return min((amount for amount in asked if amount >= arrived), default=arrived) - arrived


def from_call(flow: Flow, place: Live) -> Swap | None:
    pair, data = place.call.to, place.call.arguments
    wanted = {abi.uint(data), abi.uint(data, 1)} - {0}
    paid = next((t for t in flow.within(place) if t.sender == pair and t.amount in wanted), None)
    if paid is None:
        return None
    taken = _taken(flow, place, paid)
    if not taken:
        return None
    amount_in = sum(t.amount for t in taken if t.token == taken[-1].token)
    return Swap("uniswap_v2", pair, place.call.sender, taken[-1].token, amount_in, paid.token, paid.amount, place.at)


def _taken(flow: Flow, place: Live, paid: Transfer) -> list[Transfer]:
    """What the pair was given for it: since the last call that it answered, and in this one."""
    pair = place.call.to
    before = [c.end for c in flow.calls if c.call.to == pair and c.call.selector == CALL and c.end < place.at]
    since = max(before, default=-1)
    return [t for t in flow.transfers if t.to == pair and since < t.at <= place.end and t.token != paid.token]


PROTOCOL = Protocol("uniswap_v2", {SWAP: from_log}, {CALL: from_call})
