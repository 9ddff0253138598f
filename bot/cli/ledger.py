"""``mev ledger``: what was intended, submitted, and what became of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.ledger.reader import Reader
from bot.ledger.records import Entry, Run, Sent, Summary
from bot.paths import data_dir

UNSEEN = 200  # columns of output that is not a terminal

app = typer.Typer(help="What was intended, submitted, and what became of it.")


@app.command(epilog="Example: mev ledger --run 3 --json | jq '.intents[] | select(.outcome.reason == \"landed\")'")
def ledger(
    run: Annotated[int | None, typer.Option(help="the run to show; the newest when not given")] = None,
    limit: Annotated[int, typer.Option(min=1, help="the last N runs and intents")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout: exact amounts in wei")] = False,
    file: Annotated[Path | None, typer.Option("--ledger", help="the ledger's file; else in MEV_HOME or ./.mev")] = None,
) -> None:
    """Runs, the intents of one run with their outcomes, totals by reason, and what is still under way."""
    path = file or data_dir() / "ledger.sqlite"
    with Reader.open(path) as reader:
        runs = [reader.summary(one.id) for one in reader.runs(limit)]
        chosen = reader.summary(run) if run is not None else (runs[0] if runs else None)
        intents = reader.entries(chosen.run.id, limit) if chosen else []
        under_way = reader.under_way(run)
    if as_json:
        json.dump(
            {
                "ledger": str(path),
                "runs": [asdict(one) for one in runs],
                "run": asdict(chosen) if chosen else None,
                "intents": [asdict(entry) for entry in intents],
                "under_way": [asdict(entry) for entry in under_way],
            },
            sys.stdout,
        )
        print()
        return
    console = Console() if sys.stdout.isatty() else Console(width=UNSEEN)
    if chosen is None:
        console.print(f"{path}: no run yet")
        return
    console.print(_runs_table(runs))
    console.print(_intents_table(intents, chosen))
    console.print(_totals_table(chosen))
    if under_way:
        console.print(_under_way_table(under_way))


# --- tables ----------------------------------------------------------------------------------------------------------


def _table(title: str, columns: Iterable[str], *, right: str = "") -> Table:
    """``right``: the columns, separated by blanks, whose values are numbers."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in right.split() else "left"
        table.add_column(column, justify=justify, overflow="fold", no_wrap=column in ("intent", "time"))
    return table


def _runs_table(runs: list[Summary]) -> Table:
    table = _table(
        "Runs",
        ("run", "kind", "profile", "seed", "started", "lasted", "found", "intents", "landed", "profit", "gas", "end"),
        right="run seed lasted found intents landed profit gas",
    )
    for total in runs:
        run = total.run
        table.add_row(
            str(run.id),
            run.kind,
            run.profile,
            "" if run.seed is None else str(run.seed),
            _when(run.started_ns),
            _lasted(run),
            str(total.found),
            str(total.intents),
            str(total.landed),
            _amounts(total.realised, run),
            _eth(total.gas_cost),
            f"{run.status} {run.detail}".strip() or "runs, or crashed",
        )
    return table


def _intents_table(intents: list[Entry], chosen: Summary) -> Table:
    run = chosen.run
    table = _table(
        f"Intents of run {run.id}: the last {len(intents)} of {chosen.intents}",
        ("intent", "time", "block", "strategy", "pools", "in", "predicted", "realised", "bid", "gas", "outcome"),
        right="block in predicted realised bid gas",
    )
    for entry in intents:
        token, outcome = entry.trade.token, entry.outcome
        table.add_row(
            entry.id,
            _when(entry.created_ns)[-8:],
            str(entry.block_number),
            entry.strategy,
            " ".join(f"{hop.kind}:{hop.pool[:6]}" for hop in entry.trade.route),
            _amount(entry.trade.needed, token, run),
            _amount(entry.predicted_profit, token, run),
            _amount(outcome.realised_profit, token, run) if outcome else "",
            _amount(entry.bid, token, run),
            _eth(outcome.gas_cost) if outcome else "",
            Text(f"{outcome.reason} {outcome.detail}".strip() if outcome else "under way"),
        )
    return table


def _totals_table(chosen: Summary) -> Table:
    run = chosen.run
    table = _table(f"Outcomes of run {run.id}", ("outcome", "intents"), right="intents")
    for reason, count in sorted(chosen.reasons.items(), key=lambda item: -item[1]):
        table.add_row(reason, str(count))
    if chosen.under_way:
        table.add_row("under way", str(chosen.under_way))
    table.add_section()
    table.add_row("profit of the landed", _amounts(chosen.realised, run))
    table.add_row("predicted for them", _amounts(chosen.predicted, run))
    table.add_row("bids of the landed", _amounts(chosen.bids, run))
    table.add_row("gas paid", _eth(chosen.gas_cost))
    return table


def _under_way_table(entries: list[Entry]) -> Table:
    table = _table(
        "Under way: no outcome is recorded, the transaction may have been mined",
        ("run", "intent", "time", "block", "sender", "nonce", "transaction", "sent to"),
        right="run block nonce",
    )
    for entry in entries:
        table.add_row(
            str(entry.run),
            entry.id,
            _when(entry.created_ns),
            str(entry.block_number),
            entry.sender,
            str(entry.nonce),
            entry.tx_hash,
            Text(", ".join(map(_sent, entry.submissions)) or "nobody"),
        )
    return table


# --- words -----------------------------------------------------------------------------------------------------------


def _sent(sent: Sent) -> str:
    if sent.answered_ns is None:
        return f"{sent.relay} (no answer)"
    return f"{sent.relay} (refused: {sent.error})" if sent.error else f"{sent.relay} (accepted)"


def _when(ns: int) -> str:
    """Local time."""
    return datetime.fromtimestamp(ns // 10**9).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _lasted(run: Run) -> str:
    if run.ended_ns is None:
        return ""
    seconds = (run.ended_ns - run.started_ns) // 10**9
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _amounts(amounts: dict[str, int], run: Run) -> str:
    return ", ".join(_amount(amount, token, run) for token, amount in amounts.items()) or "0"


def _amount(amount: int, token: str, run: Run) -> str:
    """In the token's own unit where the run knew it, else in its smallest."""
    symbol, decimals = run.tokens.get(token, (f"of {token[:8]}…", 0))
    return f"{_decimal(amount, decimals)} {symbol}"


def _eth(wei: int) -> str:
    return f"{_decimal(wei, 18)} ETH" if wei else "0"


def _decimal(amount: int, decimals: int) -> str:
    """Nine digits behind the point, the rest cut; never a float."""
    whole, rest = divmod(abs(amount), 10**decimals)
    digits = str(rest).rjust(decimals, "0")[:9].rstrip("0") if decimals else ""
    return f"{'-' if amount < 0 else ''}{whole:,}{'.' if digits else ''}{digits}"
