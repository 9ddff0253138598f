"""``mev replay``: the bot on recorded real blocks."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bot.cli.replay_block import Failure, Find, Report, replay
from bot.engine.types import Trade
from bot.simulation.cassette import load

UNSEEN = 160  # columns of output that is not a terminal
ETHER = 10**18

app = typer.Typer(help="The bot on recorded real blocks.")


@app.command(name="replay", epilog="Example: mev replay ../shared/data/mainnet/13217637.json.gz")
def replay_command(
    files: Annotated[list[Path], typer.Argument(help="cassettes: recorded blocks with their state")],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON line a block on stdout")] = False,
) -> None:
    """Proves each recorded block, finds every opportunity in it, and takes each with our executor.

    An opportunity at index k exists in the state after the block's first k transactions. It is reported where it
    opens, and again at the last index at which it is open. All of them were executed on that state by two EVMs, with
    the profit that was computed, to the wei; what failed is listed apart, and so is what would have needed state
    that was not recorded. Profit is in wei of WETH, before gas. Status 1 when a block does not come out as recorded.
    """
    cassettes = [load(path) for path in files]  # all of them are looked at before the first is run
    told = Console(stderr=True)
    proven = True
    for cassette in cassettes:
        told.print(f"block {cassette.number}: {len(cassette.raw_transactions)} transactions", highlight=False)
        report = asyncio.run(replay(cassette))
        proven &= report.matches
        if as_json:
            print(json.dumps(_line(report)), flush=True)
        else:
            _print(report)
    if not proven:
        raise typer.Exit(1)


# --- JSON ------------------------------------------------------------------------------------------------------------


def _line(report: Report) -> dict[str, Any]:
    return {
        "block": report.block,
        "transactions": report.transactions,
        "hardfork": report.hardfork,
        "executor_rules": report.executor_rules,
        "receipts_root_matches": report.matches,
        "pools": report.pools,
        "pools_unknown": report.unknown_pools,
        "seconds": round(report.seconds, 3),
        "opportunities": [_opportunity(find) for find in report.finds],
        "rejected": [_failure(failure) for failure in report.rejected],
        "unknown": [_failure(failure) for failure in report.unknown],
    }


def _opportunity(find: Find) -> dict[str, Any]:
    trade = find.window.trade
    return {
        "index": find.index,
        "open_from": find.window.first,
        "open_until": find.window.last,
        "strategy": find.strategy,
        **_cycle(trade),
        "amount_in": trade.amounts[0],
        "gross_profit_wei": trade.gross_profit,
        "gas": find.gas,
        "realised_profit_wei": find.realised,
    }


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "index": failure.index,
        **_cycle(failure.trade),
        "gross_profit_wei": failure.trade.gross_profit,
        "reason": failure.reason,
    }


def _cycle(trade: Trade) -> dict[str, Any]:
    return {"pools": [hop.pool for hop in trade.route], "tokens": [hop.token_in for hop in trade.route]}


# --- for people ------------------------------------------------------------------------------------------------------


def _print(report: Report) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=UNSEEN)
    proof = "[green]receipts root matches[/]" if report.matches else "[red]receipts root DIFFERS: not searched[/]"
    console.print(
        f"[bold]block {report.block}[/] ({report.hardfork}): {report.transactions} transactions, {proof}, "
        f"{report.pools} pools, {report.seconds:.1f} s",
        highlight=False,
    )
    if report.executor_rules != report.hardfork:
        console.print(
            f"  our executor ran on this state under {report.executor_rules}'s rules, not {report.hardfork}'s"
        )
    if report.finds:
        console.print(_table(report))
    for word, failures in (("rejected when executed", report.rejected), ("needs unrecorded state", report.unknown)):
        if failures:
            console.print(f"  {word}: {len(failures)} (the best: {_best(failures)})", highlight=False)
    console.print()


def _table(report: Report) -> Table:
    table = Table(box=None, padding=(0, 2))
    for column in ("index", "open", "gross WETH", "realised", "gas", "in WETH"):
        table.add_column(column, justify="right")
    table.add_column("strategy")
    table.add_column("pools", overflow="fold")
    for find in report.finds:
        trade = find.window.trade
        table.add_row(
            str(find.index),
            f"{find.window.first}–{find.window.last}",  # noqa: RUF001
            f"{trade.gross_profit / ETHER:.9f}",
            "to the wei" if find.realised == trade.gross_profit else str(find.realised),
            f"{find.gas:,}",
            f"{trade.amounts[0] / ETHER:.4f}",
            find.strategy,
            " ".join(f"{hop.kind}:{hop.pool[:8]}" for hop in trade.route),
        )
    return table


def _best(failures: list[Failure]) -> str:
    best = max(failures, key=lambda failure: failure.trade.gross_profit)
    return f"{best.trade.gross_profit / ETHER:.6f} WETH at {best.index}: {best.reason}"
