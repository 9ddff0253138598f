"""Programs in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bot.abi import to_hex
from bot.execution.book import Book, Kind
from bot.execution.codec import unpack
from bot.execution.layouts import ZERO, FieldKind, layout_of
from bot.execution.steps import (
    BalancerSwap,
    CurveSwap,
    Form,
    LiquidateAave,
    LiquidateCompoundV2,
    LiquidateMorpho,
    Loan,
    Pay,
    Recipient,
    RedeemCompoundV2,
    Route,
    Step,
    Steps,
    Tip,
    Unwrap,
    V2Chain,
    V2Flash,
    V2Hop,
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

_WORDS: dict[type[Any], str] = {
    V3Swap: "v3 swap: {pool} {zero_for_one} in {amount}, to {recipient}; in its callback:",
    V2Flash: "v2 flash: {pool} {zero_for_one} out {amount}; in its callback:",
    Pay: "pay: {amount} {token} to {to}",
    Tip: "tip: {amount} WETH, unwrapped, to the block's builder",
    Wrap: "wrap: {amount} ETH",
    Unwrap: "unwrap: {amount} WETH",
    Loan: "loan: {amount} {token} from {kind} {lender}{owed}; in its callback:",
    V3Flash: "v3 flash: {amount} of {token_1} of {pool}, to {to}; in its callback:",
    V4Unlock: "v4 unlock: {manager}; in its callback:",
    V4Sync: "v4 sync: {token}",
    V4Swap: (
        "v4 swap: {currency0} and {currency1}, fee {fee}, tick spacing {tick_spacing}, hooks {hooks}, "
        "{zero_for_one} in {amount}"
    ),
    V4Take: "v4 take: {amount} {currency}, to {to}",
    V4Settle: "v4 settle: {amount} {token}",
    V4SettlePaid: "v4 settle: what came in since the sync",
    CurveSwap: "curve: {pool} {kind}, coin {coins}, in {amount} {token}, at least {least}",
    BalancerSwap: ("balancer: {vault}, pool {pool} {rest}, in {amount} {token}, at least {least} of {token_out}"),
    VaultDeposit: "vault: {vault}, deposit {amount} {token}",
    VaultRedeem: "vault: redeem {amount} shares of {vault}",
    LiquidateAave: "liquidate: {user} at aave's {pool}, repay at most {amount} {token}, for {collateral}",
    LiquidateMorpho: (
        "liquidate: {borrower} at morpho's {lender}, market of {token} against {collateral}, oracle {oracle}, "
        "rate model {rate_model}, lltv {lltv}; seize {seized}, repay {shares} shares, at most {owed}; in its callback:"
    ),
    LiquidateCompoundV2: "liquidate: {borrower} at compound's {debt}, repay {amount} {token}, for {collateral}",
    RedeemCompoundV2: "compound: redeem {amount} of {ctoken}",
}

_RECIPIENTS = {
    Recipient.EXECUTOR: "the executor",
    Recipient.CALLER: "the caller",
    Recipient.NESTED_POOL: "the first pair below",
    Recipient.NEXT_POOL: "the first pair of the next step",
}


def decode(program: bytes, book: Book = Book.EMPTY) -> list[str]:
    """The program in words, a line a step, nested steps indented. Raises UserError where it is not a program."""
    read = unpack(program, book)
    body = _route_lines(read, book) if isinstance(read, Route) else _lines(read.steps, "")
    deadline = [] if read.deadline is None else [f"deadline: not after block {read.deadline}"]
    bid = [f"bid: {read.bid_bps} basis points of the gain in WETH, to the block's builder"] if read.bid_bps else []
    return [*deadline, *body, *bid, _check(read)]


def _check(read: Steps | Route) -> str:
    if isinstance(read, Route):
        return "check: no less WETH than at the start"
    first = read.tokens[0] if read.tokens else "WETH"
    others = "".join(f", no less {token}" for token in ("WETH", *read.tokens[1:]) if read.tokens)
    return f"check: at least {read.minimum} more {first} than at the start{others}"


# --- routes ----------------------------------------------------------------------------------------------------------


def _route_lines(route: Route, book: Book) -> list[str]:
    first, pairs = f"pay {route.paid} WETH to the first", _pairs(route.hops)
    match route.form:
        case Form.OWN:
            return [f"route: {first}; {pairs} → the executor"]
        case Form.LAST:
            sends = f"route: {route.anchor}, the last pool, sends at least {route.amount} WETH first; in its callback:"
            return [sends, f"  {first}; {pairs} → the anchor"]
        case Form.FIRST:
            sends = f"route: {route.anchor} v3 in {route.paid}, to the first pair; in its callback:"
            return [sends, f"  {pairs} → the executor; pay {route.paid} WETH to the anchor"]
        case Form.LOAN:
            return _loan_lines(route, book, first, pairs)


def _loan_lines(route: Route, book: Book, first: str, pairs: str) -> list[str]:
    entry = book.entry(route.anchor or "")
    pair = f"{route.amount} of the other token of {route.anchor}, a v2 pair, which gets {route.paid} WETH"
    loan = f"{route.paid} WETH from {route.anchor}, a lender, which gets {route.amount}"
    if entry is None:
        return [f"route: {pair}; or {loan}; in its callback:", f"  {pairs} → the executor"]
    if entry.kind < Kind.V3_WETH_0:
        return [f"route: {pair}; in its callback:", f"  pay it all to the first; {pairs} → the executor"]
    return [f"route: {loan}; in its callback:", f"  {first}; {pairs} → the executor"]


def _pairs(hops: Iterable[V2Hop]) -> str:
    return " → ".join(f"{hop.pool} {_side(hop.zero_for_one)} out {hop.amount_out}" for hop in hops)


# --- steps -----------------------------------------------------------------------------------------------------------


def _lines(steps: Iterable[Step], indent: str) -> Iterator[str]:
    for step in steps:
        yield indent + (_chain(step) if isinstance(step, V2Chain) else _step(step))
        yield from _lines(getattr(step, "nested", ()), indent + "  ")


def _chain(step: V2Chain) -> str:
    paid = "" if step.pay is None else f"pay {step.pay} {step.token or 'WETH'} to the first; "
    return f"v2 chain: {paid}{_pairs(step.hops)} → {'the caller' if step.to_caller else 'the executor'}"


def _step(step: Step) -> str:
    layout = layout_of(step)
    words = {name: _field(step, kind, getattr(step, name)) for name, kind, _ in layout.fields}
    words |= {name: _choice(name, getattr(step, name)) for name in layout.flags}
    match step:
        case Loan():
            words["kind"] = step.kind.replace("_", " ")
            words["owed"] = "" if step.owed is None else f", which gets {step.owed}"
        case CurveSwap():
            words["kind"] = step.kind.name.lower().replace("_", " ")
        case _:
            pass
    return _WORDS[type(step)].format_map(words)


def _field(step: Step, kind: FieldKind, value: Any) -> str:
    match kind:
        case FieldKind.SPENT | FieldKind.CURRENCY:
            return "ETH" if value == ZERO else str(value or "WETH")
        case FieldKind.TO:
            return str(value or "") or ("the caller" if isinstance(step, Pay) else "the executor")
        case FieldKind.COINS:
            return f"{value[0]}→{value[1]}"
        case FieldKind.BYTES:
            return to_hex(value)
        case _:
            return str(value)


def _choice(name: str, value: Any) -> str:
    if name == "recipient":
        return _RECIPIENTS[value]
    return f"token {int(value)}" if name == "token_1" else _side(value)


def _side(zero_for_one: bool) -> str:
    return "0→1" if zero_for_one else "1→0"
