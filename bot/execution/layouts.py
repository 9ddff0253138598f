"""How the executor's steps lie in bytes (grammar: contracts/libraries/Program.sol): a table, a line a step.

V2Chain alone is not in it: its fields are those of as many pairs as its first byte says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from bot.errors import UserError
from bot.execution.steps import (
    BalancerSwap,
    CurveSwap,
    Lender,
    LiquidateAave,
    LiquidateCompoundV2,
    LiquidateMorpho,
    Loan,
    Pay,
    Recipient,
    RedeemCompoundV2,
    Step,
    Tip,
    Unwrap,
    V2Chain,
    V2Flash,
    V3Flash,
    V3Swap,
    V4Settle,
    V4SettlePaid,
    V4Swap,
    V4Sync,
    V4Take,
    V4Unlock,
    VaultDeposit,
    VaultRedeem,
    Wrap,
)

ZERO = "0x" + "00" * 20
"""ETH, to Uniswap v4."""


class FieldKind(Enum):
    ACCOUNT = auto()
    SPENT = auto()  # a token, with TOKEN only, that the program must declare
    SHARES = auto()  # an account that is such a token
    CURRENCY = auto()  # a token, with TOKEN only
    TO = auto()  # an account, with TO only
    AMOUNT = auto()
    COINS = auto()  # two indices in a byte
    UINT = auto()
    BYTES = auto()
    NESTED = auto()


_Field = tuple[str, FieldKind, int]  # name, kind, size in bytes of UINT and BYTES


@dataclass(frozen=True, slots=True)
class Layout:
    """A step's first byte and fields. ``flags``: field to its bits in the first byte, and what reads them; ``given``
    are fields that the first byte says; ``variant`` is the flag that tells it from another step of that byte."""

    first: int
    step: type[Any]
    fields: tuple[_Field, ...] = ()
    flags: Mapping[str, tuple[int, Any]] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    variant: int = 0


def _fields(*names: str, **sizes: int) -> tuple[_Field, ...]:
    """``name`` or ``name:kind``; a bare one is an account."""
    found = []
    for text in names:
        name, _, kind = text.partition(":")
        found.append((name, FieldKind[(kind or "account").upper()], sizes.get(name, 0)))
    return tuple(found)


_ZERO_FOR_ONE = {"zero_for_one": (0x01, bool)}
_LOAN = ("lender", "token:spent", "amount:amount")
LAYOUTS = (
    Layout(
        0x40,
        V3Swap,
        _fields("pool", "amount:amount", "nested:nested"),
        {**_ZERO_FOR_ONE, "recipient": (0x18, Recipient)},
    ),
    Layout(0x60, V2Flash, _fields("pool", "amount:amount", "nested:nested"), _ZERO_FOR_ONE),
    Layout(0x68, Pay, _fields("token:spent", "to:to", "amount:amount")),
    Layout(0x70, Tip, _fields("amount:amount")),
    Layout(0x78, Wrap, _fields("amount:amount")),
    Layout(0x78, Unwrap, _fields("amount:amount"), variant=0x01),
    Layout(0x80, Loan, _fields(*_LOAN, "nested:nested"), given={"kind": Lender.MORPHO}),
    Layout(0x88, Loan, _fields(*_LOAN, "nested:nested"), given={"kind": Lender.BALANCER_V2}),
    Layout(0x90, Loan, _fields(*_LOAN, "owed:amount", "nested:nested"), given={"kind": Lender.AAVE_V3}),
    Layout(0x98, Loan, _fields(*_LOAN, "owed:amount", "nested:nested"), given={"kind": Lender.ERC3156}),
    Layout(0xA0, V3Flash, _fields("pool", "to:to", "amount:amount", "nested:nested"), {"token_1": (0x01, bool)}),
    Layout(0xA8, V4Unlock, _fields("manager", "nested:nested")),
    Layout(0xA9, V4Sync, _fields("token")),
    Layout(
        0xB8,
        V4Swap,
        _fields(
            "currency0", "currency1", "fee:uint", "tick_spacing:uint", "hooks", "amount:amount", fee=3, tick_spacing=3
        ),
        _ZERO_FOR_ONE,
    ),
    Layout(0xC0, V4Take, _fields("currency:currency", "to:to", "amount:amount")),
    Layout(0xC8, V4Settle, _fields("token:spent", "amount:amount")),
    Layout(0xC8, V4SettlePaid, variant=0x02),
    Layout(
        0xD0,
        CurveSwap,
        _fields("pool", "kind:uint", "coins:coins", "token:spent", "amount:amount", "least:amount", kind=1),
    ),
    Layout(
        0xD8,
        BalancerSwap,
        _fields(*("vault", "pool", "rest:bytes", "token:spent", "token_out", "amount:amount", "least:amount"), rest=12),
    ),
    Layout(0xE0, VaultDeposit, _fields("vault", "token:spent", "amount:amount")),
    Layout(0xE0, VaultRedeem, _fields("vault:shares", "amount:amount"), variant=0x02),
    Layout(0xE8, LiquidateAave, _fields("pool", "token:spent", "collateral", "user", "amount:amount")),
    Layout(
        0xF0,
        LiquidateMorpho,
        _fields(
            *("lender", "token:spent", "owed:amount", "collateral", "oracle", "rate_model", "lltv:uint", "borrower"),
            *("seized:amount", "shares:amount", "nested:nested"),
            lltv=8,
        ),
    ),
    Layout(0xF8, LiquidateCompoundV2, _fields("debt", "token:spent", "borrower", "collateral", "amount:amount")),
    Layout(0xF8, RedeemCompoundV2, _fields("ctoken:shares", "amount:amount"), variant=0x02),
)
_EXACT = (0xA8, 0xA9)  # the first bytes behind these are nobody's
_FIRSTS = sorted({layout.first for layout in LAYOUTS})


_BY_STEP = {(layout.step, layout.given.get("kind")): layout for layout in LAYOUTS}


def layout_of(step: Step) -> Layout:
    """Of any step but V2Chain. Raises ValueError for a loan from a lender that has no step of this kind."""
    kind = step.kind if isinstance(step, Loan) else None
    found = _BY_STEP.get((type(step), kind))
    if found is None:
        raise ValueError(f"there is no loan step for the lender {kind}")
    return found


def layout_at(head: int) -> Layout:
    """Raises UserError where no step begins so."""
    first = max(first for first in _FIRSTS if first <= head)
    if first in _EXACT and head != first:
        raise UserError(f"no step begins with the byte 0x{head:02x}; is this a program of this version?")
    found = [layout for layout in LAYOUTS if layout.first == first and head & layout.variant == layout.variant]
    return max(found, key=lambda layout: layout.variant)


def spent_tokens(steps: Iterable[Step]) -> Iterator[str]:
    """The tokens besides WETH that steps, nested ones too, spend, with repetitions: the program must declare them."""
    for step in steps:
        if isinstance(step, V2Chain):
            if step.token is not None:
                yield step.token
            continue
        for name, kind, _ in layout_of(step).fields:
            value = getattr(step, name)
            if kind in (FieldKind.SPENT, FieldKind.SHARES) and value is not None and value != ZERO:
                yield value
            elif kind is FieldKind.NESTED:
                yield from spent_tokens(value)
