"""How ``mev simulate`` says what a transaction did: for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.abi import to_hex
from bot.cli.simulate_names import Names, function, whole
from bot.execution.access_list import paying, saving
from bot.execution.executor import explain
from bot.simulation.flows import ETHER, NOBODY, Flow, flows, gains
from bot.simulation.sandbox import Mined
from bot.simulation.trace import Frame, failure
from bot.simulation.types import AccessList, BlockContext

CREATES = ("CREATE", "CREATE2")
MOST_ROWS = 40  # of a table


@dataclass(frozen=True, slots=True)
class Told:
    """A transaction, what it did, and what follows from that. Wei and gas."""

    hash: str
    mined: Mined
    block: BlockContext
    weth: str
    moved: list[Flow]
    gains: dict[str, dict[str, int]]
    access_list: AccessList
    saves: int

    @classmethod
    def of(cls, name: str, mined: Mined, block: BlockContext, weth: str) -> Told:
        moved = flows(mined.trace)
        trace = mined.trace
        warm = (trace.sender, trace.to, block.coinbase)
        listed = paying(mined.touched, warm)
        return cls(name, mined, block, weth, moved, gains(moved), listed, saving(listed, warm))

    @property
    def fee(self) -> int:
        return self.mined.result.gas_used * self.mined.gas_price

    @property
    def reason(self) -> str:
        """Why it reverted; empty where it did not."""
        result = self.mined.result
        if result.success:
            return ""
        return explain(result.output) if result.output else result.error

    def money(self, *accounts: str) -> int:
        """What accounts gained in ether and wrapped ether."""
        return sum(self.gains.get(one, {}).get(token, 0) for one in set(accounts) for token in (ETHER, self.weth))


# --- for programs ----------------------------------------------------------------------------------------------------


def as_json(told: Told, names: Names, depth: int | None) -> dict[str, Any]:
    """Amounts are decimal strings: they do not go into a JSON number."""
    mined, trace = told.mined, told.mined.trace
    result = mined.result
    return {
        "hash": told.hash,
        "from": trace.sender,
        "to": trace.to,
        "created": mined.created,
        "status": "success" if result.success else "reverted",
        "reason": told.reason,
        "reverted_at": [_place(frame) for frame in failure(trace)],
        "gas_used": result.gas_used,
        "gas_price_wei": str(mined.gas_price),
        "fee_wei": str(told.fee),
        "output": to_hex(result.output),
        "flows": [
            {
                "token": flow.token,
                "symbol": names.token(flow.token),
                "from": flow.giver,
                "to": flow.taker,
                "amount": str(flow.amount),
            }
            for flow in told.moved
        ],
        "gains": {account: {token: str(amount) for token, amount in by.items()} for account, by in told.gains.items()},
        "profit": {
            "sender_wei": str(told.money(trace.sender)),
            "target_wei": str(told.money(trace.to)),
            "builder_wei": str(told.money(told.block.coinbase)),
            "gross_wei": str(told.money(trace.sender, trace.to, told.block.coinbase)),
            "both_net_of_fee_wei": str(told.money(trace.sender, trace.to) - told.fee),
        },
        "access_list": {
            "entries": [
                {"address": address, "storageKeys": [f"0x{slot:064x}" for slot in slots]}
                for address, slots in told.access_list
            ],
            "saves_gas": told.saves,
        },
        "state": {
            address: {
                "balance": None if change.balance is None else str(change.balance),
                "nonce": change.nonce,
                "slots": {f"0x{slot:064x}": f"0x{value:064x}" for slot, value in change.slots.items()},
            }
            for address, change in mined.diff.items()
        },
        "trace": _frame(trace, names, depth),
    }


def _place(frame: Frame) -> dict[str, str]:
    return {"to": frame.to, "function": function(frame.data), "error": _why(frame)}


def _frame(frame: Frame, names: Names, depth: int | None) -> dict[str, Any]:
    below = None if depth is None else depth - 1
    return {
        "kind": frame.kind,
        "from": frame.sender,
        "to": frame.to,
        "name": names.accounts.get(frame.to) or (names.token(frame.to) if frame.to in names.tokens else ""),
        "function": "" if frame.kind in CREATES else function(frame.data),
        "value_wei": str(frame.value),
        "gas_used": frame.gas_used,
        "error": _why(frame),
        "input": to_hex(frame.data),
        "output": to_hex(frame.output),
        "calls": [] if depth == 0 else [_frame(call, names, below) for call in frame.calls],
    }


# --- for people ------------------------------------------------------------------------------------------------------


def show(console: Console, told: Told, names: Names, depth: int) -> None:
    """Status, what moved, who gained, access list, trace."""
    mined, trace = told.mined, told.mined.trace
    console.print(_status(told))
    console.print(f"  from {names.account(trace.sender)}")
    console.print(f"  to   {names.account(mined.created or trace.to)}{' (created)' if mined.created else ''}")
    gwei = mined.gas_price / 1e9
    console.print(f"  gas  {mined.result.gas_used:,} at {gwei:.4g} gwei: {whole(told.fee, 18)} ETH")
    if told.moved:
        console.print(_moved(told, names))
        console.print(_gains(told, names))
        both = told.money(trace.sender, trace.to)
        console.print(
            f"  ETH and WETH: sender {whole(told.money(trace.sender), 18)}, target {whole(told.money(trace.to), 18)}, "
            f"builder {whole(told.money(told.block.coinbase), 18)}; "
            f"sender and target, less the fee, {whole(both - told.fee, 18)}"
        )
    where = ", ".join(names.account(address) for address, _ in told.access_list[:4])
    more = f" and {len(told.access_list) - 4} more" if len(told.access_list) > 4 else ""
    listed = f"an access list of {where}{more} saves {told.saves:,} gas" if told.saves else "no access list pays"
    console.print(f"  {listed}")
    for line in lines(trace, names, depth):
        console.print(Text("  " + line, overflow="fold"))


def _status(told: Told) -> Text:
    if told.mined.result.success:
        return Text("success", style="green")
    text = Text(f"reverted: {told.reason}", style="red")
    path = failure(told.mined.trace)
    if len(path) > 1:
        last = path[-1]
        text.append(f"\n  at {last.to} {function(last.data)}: {_why(last)}")
    return text


def _moved(told: Told, names: Names) -> Table:
    table = Table(box=None, padding=(0, 2), title_justify="left")
    for column in ("from", "to", "amount"):
        table.add_column(column, justify="right" if column == "amount" else "left", overflow="fold")
    for flow in told.moved[:MOST_ROWS]:
        giver = "(minted)" if flow.giver == NOBODY else names.account(flow.giver)
        taker = "(burnt)" if flow.taker == NOBODY else names.account(flow.taker)
        table.add_row(giver, taker, names.amount(flow.token, flow.amount))
    if len(told.moved) > MOST_ROWS:
        table.add_row(f"and {len(told.moved) - MOST_ROWS} more: --json", "", "")
    return table


def _gains(told: Told, names: Names) -> Table:
    table = Table(box=None, padding=(0, 2))
    table.add_column("account", overflow="fold")
    table.add_column("has more, or less", justify="right", overflow="fold")
    shown = [one for one in told.gains if one != NOBODY]
    ours = (told.mined.trace.sender, told.mined.trace.to)
    for account in sorted(shown, key=lambda one: one not in ours)[:MOST_ROWS]:
        amounts = ", ".join(names.amount(token, amount) for token, amount in told.gains[account].items())
        table.add_row(names.account(account), amounts)
    return table


def lines(frame: Frame, names: Names, depth: int) -> Iterator[str]:
    """The calls as an indented tree, ``depth`` levels below the first."""
    yield from _lines(frame, names, depth, "")


def _lines(frame: Frame, names: Names, depth: int, indent: str) -> Iterator[str]:
    kind = "" if frame.kind == "CALL" else f"{frame.kind.lower()} "
    called = "" if frame.kind in CREATES else f" {function(frame.data)}".rstrip()
    value = f" {whole(frame.value, 18)} ETH" if frame.value and frame.kind != "DELEGATECALL" else ""
    failed = f" ✗ {_why(frame)}" if frame.error else ""
    yield f"{indent}{kind}{names.account(frame.to)}{called}{value} [{frame.gas_used:,}]{failed}"
    calls = list(frame.calls)
    if calls and not depth:
        inside = sum(1 for call in calls for _ in call.all())
        yield f"{indent}  … {inside} call{'s' if inside > 1 else ''} deeper (--depth)"
        return
    for call in calls:
        yield from _lines(call, names, depth - 1, indent + "  ")


def _why(frame: Frame) -> str:
    if not frame.error:
        return ""
    return explain(frame.output) if frame.output else frame.error
