"""What the ledger tells: runs, and intents with all that is known of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

from bot.engine.types import Basket, Deal, Hop, Reason, Swap, Trade


class RunKind(StrEnum):
    """What a run trades on. Only ``RUN`` is a chain that outlives the process: its nonces bind the next run too."""

    DEMO = "demo"
    RUN = "run"
    PAPER = "paper"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Run:
    """``ended_ns`` is None while it runs, and for ever after a crash. ``tokens``: address to symbol and decimals."""

    id: int
    kind: RunKind
    profile: str
    seed: int | None
    chain_id: int
    tokens: dict[str, tuple[str, int]]
    version: str
    started_ns: int
    ended_ns: int | None
    status: str
    detail: str


@dataclass(frozen=True, slots=True)
class Sent:
    """One submission. ``answered_ns`` is None when no answer is known: the relay may have it or not."""

    id: int
    relay: str
    sent_ns: int
    answered_ns: int | None
    bundle_hash: str
    error: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The last outcome recorded for an intent. Gas price in wei, ``realised_profit`` in the trade's token."""

    reason: Reason
    detail: str
    block_number: int | None
    gas_used: int
    gas_price: int
    realised_profit: int
    ended_ns: int

    @property
    def gas_cost(self) -> int:
        """Wei of ETH that the sender paid."""
        return self.gas_used * self.gas_price


@dataclass(frozen=True, slots=True)
class Entry:
    """An intent with its submissions and its outcome. Without ``outcome`` it is under way."""

    run: int
    kind: RunKind
    chain_id: int
    id: str
    opportunity: str
    strategy: str
    block_number: int
    behind: str | None
    trade: Deal
    sender: str
    nonce: int
    tx_hash: str
    bid: int
    gas: int
    predicted_profit: int
    created_ns: int
    submissions: tuple[Sent, ...]
    outcome: Ended | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Totals of one run. Profits and bids are by token, in its smallest unit, and of the landed intents only, so that
    ``predicted`` compares with ``realised``; ``gas_cost`` is wei of ETH over all outcomes."""

    run: Run
    found: int
    intents: int
    submitted: int
    landed: int
    reverted: int
    under_way: int
    reasons: dict[Reason, int]
    realised: dict[str, int]
    predicted: dict[str, int]
    bids: dict[str, int]
    gas_cost: int


def trade_to_text(trade: Deal) -> str:
    """A trade as JSON; amounts as decimal text, for they outgrow other readers' numbers. Of a basket the amounts are
    those of each swap, in and out."""
    hops = [[hop.pool, hop.kind, hop.token_in, hop.token_out, *hop.terms] for hop in trade.route]
    if isinstance(trade, Trade):
        return json.dumps({"hops": hops, "amounts": [str(amount) for amount in trade.amounts]})
    amounts = [str(amount) for swap in trade.swaps for amount in (swap.amount_in, swap.amount_out)]
    basket = [trade.token, str(trade.needed), str(trade.gross_profit)]
    return json.dumps({"hops": hops, "amounts": amounts, "basket": basket})


def trade_from_text(text: str) -> Deal:
    value = json.loads(text)
    hops = tuple(Hop(pool, kind, token_in, out, tuple(terms)) for pool, kind, token_in, out, *terms in value["hops"])
    amounts = tuple(map(int, value["amounts"]))
    if "basket" not in value:
        return Trade(hops, amounts)
    token, needed, profit = value["basket"]
    swaps = map(Swap, hops, amounts[::2], amounts[1::2])
    return Basket(token, int(needed), int(profit), tuple(swaps))
