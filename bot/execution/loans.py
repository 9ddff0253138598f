"""Steps on borrowed money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.execution.steps import Lender, Loan, Pay, Step, V2Flash, V3Flash, V4Settle, V4Take, V4Unlock


@dataclass(frozen=True, slots=True)
class LoanSource:
    """A lender. ``fee`` is wei of the token on the amount of this trade; Morpho and v4 take none. ``token_1`` tells
    which token of a v2 or v3 pool is lent."""

    kind: Lender
    address: str
    fee: int = 0
    token_1: bool = False


def lend(lender: LoanSource, amount: int, token: str | None, steps: Sequence[Step]) -> list[Step]:
    """``steps`` with ``amount`` wei of ``token`` (None is WETH) from the lender, who gets it back with its fee. Raises
    ValueError for a fee that the lender does not take."""
    owed = amount + lender.fee
    paid_back = (*steps, Pay(owed, token))
    if lender.fee and lender.kind in (Lender.MORPHO, Lender.V4):
        raise ValueError(f"{lender.kind} takes no fee")
    match lender.kind:
        case Lender.MORPHO:
            return [Loan(lender.kind, lender.address, amount, tuple(steps), token)]
        case Lender.BALANCER_V2:
            return [Loan(lender.kind, lender.address, amount, paid_back, token)]
        case Lender.AAVE_V3 | Lender.ERC3156:
            return [Loan(lender.kind, lender.address, amount, tuple(steps), token, owed)]
        case Lender.V4:
            nested = (V4Take(amount, token), *steps, V4Settle(owed, token))
            return [V4Unlock(lender.address, nested)]
        case Lender.V3:
            return [V3Flash(lender.address, lender.token_1, amount, paid_back)]
        case Lender.V2:
            return [V2Flash(lender.address, lender.token_1, amount, paid_back)]
