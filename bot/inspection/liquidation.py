"""A liquidation as it happened, whatever the protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.inspection.calls import Live
from bot.inspection.transfers import Flow


@dataclass(frozen=True, slots=True)
class Liquidation:
    """``liquidator`` called ``market`` and repaid ``debt_amount`` of ``borrower``'s debt for ``collateral_amount``.
    Tokens are what really moved: ``collateral`` may be the protocol's own receipt token. Smallest units."""

    protocol: str
    market: str
    liquidator: str
    borrower: str
    debt: str
    debt_amount: int
    collateral: str
    collateral_amount: int
    at: int


@dataclass(frozen=True, slots=True)
class Lender:
    """How one protocol's liquidations are read, as swap.Protocol for swaps."""

    name: str
    events: Mapping[str, Callable[[Flow, int], Liquidation | None]]
    functions: Mapping[bytes, Callable[[Flow, Live], Liquidation | None]]
