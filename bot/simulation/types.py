"""What goes into a simulation and what comes out of it. Amounts are wei, gas is units."""

from __future__ import annotations

from dataclasses import dataclass

from bot.engine.types import Log

AccessList = tuple[tuple[str, tuple[int, ...]], ...]
"""Addresses with their slots, as EIP-2930 lists them."""


class UnrecordedState(Exception):
    """The execution touched state that its source does not hold. Not known is not zero: the result is no result."""


@dataclass(frozen=True, slots=True)
class BlockContext:
    """The block that calls run in. ``prev_randao`` is a 0x string of 32 bytes."""

    number: int
    timestamp: int
    base_fee: int
    coinbase: str
    gas_limit: int
    prev_randao: str = "0x" + "00" * 32


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction to try. ``to`` None deploys ``data``. ``gas`` is its limit, ``gas_price`` what it pays in all."""

    sender: str
    to: str | None
    data: bytes
    value: int = 0
    gas: int = 10_000_000
    gas_price: int = 0
    access_list: AccessList = ()


@dataclass(frozen=True, slots=True)
class CallResult:
    """``output`` is the return data, or the revert data; ``gas_used`` is what the sender pays for, after refunds.

    ``error`` is empty on success. ``logs`` are empty on failure. ``doubts`` are the reasons why it may come out
    otherwise on the chain, where that was looked at (bot.simulation.rules).
    """

    success: bool
    gas_used: int
    output: bytes
    logs: tuple[Log, ...]
    error: str = ""
    doubts: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether nothing speaks against its being what the chain would do."""
        return not self.doubts
