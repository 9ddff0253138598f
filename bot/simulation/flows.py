"""Who gave what to whom in a transaction: ERC-20 transfers by their logs, wrapped ether, and ether by the calls.

Ether that a fee takes is not among them. Tokens that move balances without a Transfer (rebasing ones) show less than
they do. ERC-721's Transfer, which has its id as a topic, is none of these.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bot.abi import topic, uint
from bot.engine.types import Log
from bot.simulation.trace import MOVES, Frame

ETHER = "0x" + "00" * 20
"""Stands for the chain's own money among tokens."""
NOBODY = ETHER
"""Gives what is minted, and gets what is burnt."""

TRANSFER = topic("Transfer(address,address,uint256)")
DEPOSIT = topic("Deposit(address,uint256)")
WITHDRAWAL = topic("Withdrawal(address,uint256)")


@dataclass(frozen=True, slots=True)
class Flow:
    """``amount``, in the token's smallest unit, went from ``giver`` to ``taker``."""

    token: str
    giver: str
    taker: str
    amount: int


def flows(trace: Frame) -> list[Flow]:
    """All of a transaction, in order, less those of nothing. Empty where it failed."""
    return [flow for flow in _of(trace) if flow.amount]


def gains(moved: Iterable[Flow]) -> dict[str, dict[str, int]]:
    """Account to token to what it has more, or less, than before; without zeros. ``NOBODY`` is no account: what it
    lacks was minted."""
    totals: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for flow in moved:
        totals[flow.giver][flow.token] -= flow.amount
        totals[flow.taker][flow.token] += flow.amount
    kept = {account: {token: n for token, n in by.items() if n} for account, by in totals.items()}
    return {account: by for account, by in kept.items() if by}


def _of(frame: Frame) -> Iterator[Flow]:
    if frame.error:
        return
    if frame.value and frame.kind in MOVES:
        yield Flow(ETHER, frame.sender, frame.to, frame.value)
    for one in frame.inside:
        if isinstance(one, Frame):
            yield from _of(one)
        else:
            yield from _of_log(one, frame)


def _of_log(log: Log, frame: Frame) -> Iterator[Flow]:
    topics = log.topics
    if len(topics) == 3 and topics[0] == TRANSFER and len(log.data) == 32:
        yield Flow(log.address, _account(topics[1]), _account(topics[2]), uint(log.data))
    elif len(topics) == 2 and len(log.data) == 32 and _wraps(log, frame):
        giver, taker = (NOBODY, _account(topics[1]))[:: 1 if topics[0] == DEPOSIT else -1]
        yield Flow(log.address, giver, taker, uint(log.data))


def _wraps(log: Log, frame: Frame) -> bool:
    """Whether this is ether being wrapped or unwrapped in the way of WETH9, which tells no Transfer: the ether comes in
    with the call, or goes out within it."""
    kind, amount = log.topics[0], uint(log.data)
    if kind not in (DEPOSIT, WITHDRAWAL) or any(_transfers(one, log.address) for one in frame.inside):
        return False
    if kind == DEPOSIT:
        return frame.to == log.address and frame.value == amount
    return any(call.kind == "CALL" and call.sender == log.address and call.value == amount for call in frame.calls)


def _transfers(one: Frame | Log, token: str) -> bool:
    return isinstance(one, Log) and one.address == token and one.topics[:1] == (TRANSFER,)


def _account(word: str) -> str:
    return "0x" + word[-40:]
