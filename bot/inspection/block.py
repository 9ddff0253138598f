"""A mined block as it is inspected: its transactions with their calls, their logs, or both."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.engine.types import Log
from bot.inspection.calls import Call, live

ETHER = "0x" + "e" * 40
"""Stands for the chain's own coin where tokens are named."""
NOBODY = "0x" + "0" * 40
LEAST_GAS = 21_000  # no transaction takes less: a receipt that says less does not know


@dataclass(frozen=True, slots=True)
class Tx:
    """A mined transaction. ``gas_used`` is None where the recording does not know it, ``gas_price`` is what it paid,
    wei a gas. ``root`` is None without a trace, ``logs`` without receipts that hold them."""

    index: int
    hash: str
    sender: str
    to: str | None
    gas_used: int | None
    gas_price: int
    root: Call | None = field(default=None, repr=False)
    logs: tuple[Log, ...] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Block:
    """``builder`` is the fee recipient, ``base_fee`` wei a gas (0 before London); ``source`` says in words what it was
    read from, ``wrapped`` is the token that holds ether."""

    number: int
    builder: str
    base_fee: int
    transactions: tuple[Tx, ...]
    source: str
    wrapped: str

    @property
    def traced(self) -> bool:
        """Whether ether's ways are known: without calls, payments to the builder are not."""
        return all(tx.root is not None for tx in self.transactions)


@dataclass(frozen=True, slots=True)
class Payments:
    """What a transaction paid, in wei: to the builder by its priority fee and directly, and what was burnt. None where
    the recording does not tell."""

    priority: int | None
    direct: int | None
    burnt: int | None

    @property
    def bid(self) -> int | None:
        """All that the builder got."""
        return None if self.priority is None or self.direct is None else self.priority + self.direct

    @property
    def total(self) -> int | None:
        """All that was paid to be in the block."""
        return None if self.bid is None or self.burnt is None else self.bid + self.burnt


def payments(tx: Tx, block: Block) -> Payments:
    """Blob fees are left out: no trade carries blobs."""
    priority = None if tx.gas_used is None else tx.gas_used * (tx.gas_price - block.base_fee)
    burnt = None if tx.gas_used is None else tx.gas_used * block.base_fee
    if tx.root is None:
        return Payments(priority, None, burnt)
    direct = sum(
        found.call.value
        for found in live(tx.root)
        if found.call.to == block.builder and found.call.kind in ("call", "selfdestruct")
    )
    return Payments(priority, direct, burnt)
