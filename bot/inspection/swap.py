"""A swap as it happened, whatever the protocol."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.inspection.block import ETHER
from bot.inspection.calls import Live
from bot.inspection.transfers import Flow, net


@dataclass(frozen=True, slots=True)
class Swap:
    """``pool`` is its address, or its id where many share one contract; ``taker`` called it. Amounts are in the tokens'
    smallest units: what the pool got, and what arrived of what it paid. ``at`` orders the swaps of a transaction."""

    protocol: str
    pool: str
    taker: str
    token_in: str
    amount_in: int
    token_out: str
    amount_out: int
    at: int

    def reads(self, wrapped: str) -> tuple[str, str]:
        """Both tokens, with ether as the token that holds it."""
        return _wrapped(self.token_in, wrapped), _wrapped(self.token_out, wrapped)


@dataclass(frozen=True, slots=True)
class Protocol:
    """How one protocol's swaps are read. ``events`` maps topic 0 to a reader of the log at a place; ``functions`` maps
    a selector to a reader of the call. A reader gives None for what is no swap, or none that tells its tokens, and may
    raise ValueError for data that are not the protocol's. ``exact``: a call's answer tells both amounts, so that it is
    believed also where the pool left a log that nobody knows."""

    name: str
    events: Mapping[str, Callable[[Flow, int], Swap | None]]
    functions: Mapping[bytes, Callable[[Flow, Live], Swap | None]]
    exact: bool = False


def gains(swaps: list[Swap] | tuple[Swap, ...], wrapped: str) -> dict[str, int]:
    """What those who traded have more of after ``swaps``, by token; ether counts as the token that holds it."""
    change: dict[str, int] = defaultdict(int)
    for swap in swaps:
        token_in, token_out = swap.reads(wrapped)
        change[token_in] -= swap.amount_in
        change[token_out] += swap.amount_out
    return {token: amount for token, amount in change.items() if amount}


def turnover(swaps: list[Swap] | tuple[Swap, ...], wrapped: str) -> dict[str, int]:
    """What went through the swaps' hands, by token: the larger of all that came in and all that went out."""
    paid: dict[str, int] = defaultdict(int)
    got: dict[str, int] = defaultdict(int)
    for swap in swaps:
        token_in, token_out = swap.reads(wrapped)
        paid[token_in] += swap.amount_in
        got[token_out] += swap.amount_out
    return {token: max(paid[token], got[token]) for token in {*paid, *got}}


def through(flow: Flow, place: Live, protocol: str) -> Swap | None:
    """The swap of a call that took one token in and paid one out, by what moved below it; None where it did else."""
    pool = place.call.to
    change = net(flow.within(place), pool)
    paid = [(token, amount) for token, amount in change.items() if amount < 0]
    took = [(token, amount) for token, amount in change.items() if amount > 0]
    if len(paid) != 1 or len(took) != 1:
        return None
    return Swap(protocol, pool, place.call.sender, *took[0], paid[0][0], -paid[0][1], place.at)


def _wrapped(token: str, wrapped: str) -> str:
    return wrapped if token == ETHER else token
