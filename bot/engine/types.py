"""The values that flow from collectors to outcomes.

Units: amounts are integers in the token's smallest unit (wei), gas in units, prices of gas in wei, times in
nanoseconds of the passed-in clock. Addresses and hashes are lower-case 0x strings, calldata is bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

# --- what the chain says ---------------------------------------------------------------------------------------------


class Log(msgspec.Struct, frozen=True, gc=False):
    """An event log. ``topics`` are 0x strings. A Struct, as it is made by the hundred thousand: a frozen dataclass
    takes three times as long."""

    address: str
    topics: tuple[str, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """What of a block header the bot uses. ``base_fee`` is wei per gas."""

    number: int
    hash: str
    parent_hash: str
    timestamp: int
    base_fee: int
    gas_limit: int
    gas_used: int
    coinbase: str


@dataclass(frozen=True, slots=True)
class Transaction:
    """A signed transaction, pending or mined. ``raw`` is its signed encoding, what a bundle carries."""

    hash: str
    sender: str
    to: str | None
    value: int
    data: bytes
    nonce: int
    gas: int
    max_fee_per_gas: int
    max_priority_fee_per_gas: int
    raw: bytes
    access_list: tuple[tuple[str, tuple[int, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class AccountDiff:
    """What changed in one account: ``None`` means unchanged. ``slots`` maps slot to its new value."""

    balance: int | None = None
    nonce: int | None = None
    code: bytes | None = None
    slots: dict[int, int] = field(default_factory=dict)


StateDiff = dict[str, AccountDiff]
"""Address to what changed there."""


class MinedTx(msgspec.Struct, frozen=True, gc=False):
    """A transaction in a block, with the logs it left (none where it failed). ``input`` is a 0x string: of most nobody
    wants the bytes. ``value`` is wei."""

    hash: str
    sender: str
    to: str | None
    nonce: int
    value: int
    input: str
    logs: tuple[Log, ...] = ()


# --- events ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewHead:
    """A block became the head. ``logs`` are all its logs in order, ``transactions`` have each its own; ``diff`` is the
    change of state it made, or ``None`` where the node gives none (no debug methods)."""

    header: Header
    logs: tuple[Log, ...]
    diff: StateDiff | None
    transactions: tuple[MinedTx, ...]
    seen_ns: int


@dataclass(frozen=True, slots=True)
class PendingTx:
    """A transaction entered the mempool. ``replaces`` is the hash of the one whose place it took, by paying more: a
    bundle behind that one cannot land."""

    tx: Transaction
    seen_ns: int
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class PendingEffect:
    """A pending transaction with the logs it would emit on the head's state, in the next block. ``diff`` is what it
    would change in the pools that cannot follow those logs; None where all can."""

    tx: Transaction
    logs: tuple[Log, ...]
    gas_used: int
    seen_ns: int
    diff: StateDiff | None = None


@dataclass(frozen=True, slots=True)
class Hint:
    """What is told of a private transaction, or of a bundle: as much as its sender lets out.

    ``hash`` is the name by which a bundle puts it in front; it is not the transaction's own. A log whose contents are
    kept back has no data, and zeros for topics. ``swaps`` are those that shown calldata asks for.
    """

    hash: str
    logs: tuple[Log, ...]
    swaps: tuple[SwapIntent, ...]
    seen_ns: int


Event = NewHead | PendingTx | PendingEffect | Hint

# --- trades ----------------------------------------------------------------------------------------------------------


Terms = tuple[int | str, ...]
"""What a call of a pool names besides its id and the tokens: see ``Hop``."""


class SwapIntent(msgspec.Struct, frozen=True, gc=False):
    """One swap as asked for.

    ``protocol`` is as in ``Hop.kind``, "curve underlying" for coins of a Curve pool's base, and "1inch", "0x", "cow"
    for orders whose way others choose. ``target`` is the contract that was called: the router, or the pool. ``tokens``
    are the path from what is paid to what is got; empty where ``target`` is a pool, called or named by a router with
    the indices ``sides`` of what goes in and what comes out. v4 and Balancer name the chain's own money by the zero
    address. ``pools`` says of each hop what the call does: nothing (v2), fee (v3), fee, spacing and hooks (v4), pool
    id (balancer).

    ``amount`` is exact, in wei of the first token (``exact_in``) or the last; None where it is what the router holds
    by then (``exact_in``), or is not said. ``limit`` is the least to get or the most to pay, None if the call has none;
    ``price_limit`` the Q64.96 at which v3 stops, 0 if none.
    """

    protocol: str
    target: str
    tokens: tuple[str, ...]
    pools: tuple[Terms, ...]
    exact_in: bool
    amount: int | None
    limit: int | None
    price_limit: int = 0
    sides: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Hop:
    """One pool, by its id, and the direction through it. ``kind`` names the swap interface, ``terms`` what it wants:

    ``v2``, ``v3``: none; ``v4``: manager, fee, tick spacing, hooks; ``curve``: the CurveKind, the coin in, the coin
    out; ``balancer``: vault; ``vault`` (ERC-4626) and ``weth``: "in" to what the wrapper gives, "out" from it.
    """

    pool: str
    kind: str
    token_in: str
    token_out: str
    terms: Terms = ()

    @property
    def zero_for_one(self) -> bool:
        """Uniswap orders a pool's tokens by address."""
        return int(self.token_in, 16) < int(self.token_out, 16)


Route = tuple[Hop, ...]
"""Pools and direction of a trade; a cycle begins and ends in the same token."""


@dataclass(frozen=True, slots=True)
class Trade:
    """A route with exact integer amounts: ``amounts[i]`` goes into hop i, ``amounts[i + 1]`` comes out of it."""

    route: Route
    amounts: tuple[int, ...]

    @property
    def token(self) -> str:
        """The token that the cycle begins and ends in."""
        return self.route[0].token_in

    @property
    def gross_profit(self) -> int:
        """Wei of ``token`` left over, before gas, tip and premium."""
        return self.amounts[-1] - self.amounts[0]

    @property
    def needed(self) -> int:
        """Wei of ``token`` that have to be at hand, one's own or borrowed."""
        return self.amounts[0]


@dataclass(frozen=True, slots=True)
class Swap:
    """``amount_in`` into one pool, exactly ``amount_out`` out of it."""

    hop: Hop
    amount_in: int
    amount_out: int


@dataclass(frozen=True, slots=True)
class Basket:
    """Swaps in the order of execution, no pool twice. They begin with ``needed`` wei of ``token`` at hand and end with
    ``gross_profit`` more than that; of no other token anything is short or left over."""

    token: str
    needed: int
    gross_profit: int
    swaps: tuple[Swap, ...]

    @property
    def route(self) -> Route:
        """The hops in order."""
        return tuple(swap.hop for swap in self.swaps)


Deal = Trade | Basket


@dataclass(frozen=True, slots=True)
class Opportunity:
    """Something that could be done in ``block_number``: a trade, alone or directly behind ``behind``. Behind a hint it
    is a guess at what the private transaction does, good in any case, as our own reverts where it does less.

    ``gas`` is an estimate in units, to drop early what cannot pay for itself; the proof measures it. ``moved`` are the
    pools that ``behind`` changes."""

    strategy: str
    trade: Deal
    block_number: int
    behind: Transaction | Hint | None
    seen_ns: int
    gas: int = 0
    moved: frozenset[str] = frozenset()

    @property
    def pools(self) -> frozenset[str]:
        """The pools whose state is other than before once it is taken."""
        return self.moved.union(hop.pool for hop in self.trade.route)

    @property
    def id(self) -> str:
        """The same opportunity has the same id in every run: no clock in it."""
        after = self.behind.hash if self.behind else "head"
        pools = ">".join(hop.pool for hop in self.trade.route)
        guess = f":{self.trade.needed}+{self.trade.gross_profit}" if isinstance(self.behind, Hint) else ""
        return f"{self.block_number}:{after}:{self.trade.token}:{pools}{guess}"


@dataclass(frozen=True, slots=True)
class Signal:
    """Something to know, not to do: a strategy's finding that goes to people and programs instead of the executor.

    ``subject`` is the address that it is about, ``tx`` the transaction behind it ("" if none), ``block_number``
    the block that it is about. ``confidence`` is the probability, 0 to 1, that what it foretells comes true; None where
    it foretells nothing. ``text`` is one line for people, ``data`` the same for programs, JSON's types only.
    """

    strategy: str
    subject: str
    tx: str
    block_number: int
    seen_ns: int
    confidence: float | None
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)


Finding = Opportunity | Signal
"""What a strategy finds."""


@dataclass(frozen=True, slots=True)
class Intent:
    """Our decision to take an opportunity, journalled before anything is sent.

    ``predicted_profit`` is what the executor will have gained in ``opportunity.trade.token`` (gross less ``bid``),
    before the gas that ``sender`` pays. ``raw`` is our signed transaction, ``program`` its calldata.
    """

    id: str
    opportunity: Opportunity
    sender: str
    nonce: int
    program: bytes
    bid: int
    gas: int
    predicted_profit: int
    raw: bytes
    tx_hash: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """Signed transactions in order for one block. ``own`` is the index of ours: always the last.

    Foreign transactions stand only in front of ours, never behind it (design rule: no sandwich, no displacement).
    """

    txs: tuple[bytes, ...]
    hashes: tuple[str, ...]
    own: int
    block_number: int

    def __post_init__(self) -> None:
        if self.own != len(self.txs) - 1 or len(self.txs) != len(self.hashes):
            raise ValueError("a bundle holds foreign transactions only in front of our own")


class Reason(StrEnum):
    """Why an intent ended as it did."""

    LANDED = "landed"
    NOT_PROFITABLE = "not_profitable"  # net of gas and bid
    SIMULATION_FAILED = "simulation_failed"
    OPINIONS_DIFFER = "opinions_differ"  # the two EVMs disagree
    RISK_REFUSED = "risk_refused"
    RELAY_REFUSED = "relay_refused"
    RELAY_UNREACHABLE = "relay_unreachable"
    NOT_INCLUDED = "not_included"  # the target block came without it
    REVERTED = "reverted"  # on chain: must not happen
    STALE = "stale"  # the head moved on before it was sent
    CONFLICT = "conflict"  # better intents of ours hold its pools, or stand behind the same transaction
    SUPERSEDED = "superseded"  # taken back for a better intent of ours that needs one of its pools
    NO_CAPITAL = "no_capital"  # no pool of it pays first, and no lender holds enough
    NO_OPERATOR = "no_operator"  # every operator account has an open bundle
    CLOSING = "closing"  # the bot is about to end
    PAPER = "paper"  # proven, and not sent because there is no key
    INTERRUPTED = "interrupted"  # the process ended before the outcome was known


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an intent. ``realised_profit`` is the executor's gain on chain; gas is the sender's."""

    intent_id: str
    reason: Reason
    detail: str = ""
    block_number: int | None = None
    gas_used: int = 0
    gas_price: int = 0
    realised_profit: int = 0
