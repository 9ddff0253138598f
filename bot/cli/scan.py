"""``mev scan``: what is profitable now."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bot.cli.market_source import Source, open_source
from bot.engine.types import Trade
from bot.market.kernels import MAX_HOPS
from bot.market.search import search
from bot.strategies.gas import GasPolicy

app = typer.Typer()

UNSEEN = 160  # columns of output that is not a terminal


@dataclass(frozen=True, slots=True)
class Row:
    """A trade with its gas in units and what is left after it, in wei; None where another token is earned than gas is
    paid in."""

    trade: Trade
    gas: int
    net: int | None

    @property
    def worth(self) -> int:
        """What rows are sorted by."""
        return self.trade.gross_profit if self.net is None else self.net


@app.command(name="scan", epilog="Example: mev scan forks/devnet.toml --hops 4 --json")
def scan(
    source: Annotated[Path, typer.Argument(help="A profile (its node), a snapshot file, or a recorded block.")],
    hops: Annotated[int, typer.Option(min=2, max=MAX_HOPS, help="Pools in a cycle at most.")] = 3,
    top: Annotated[int, typer.Option(min=1, help="Trades shown at most.")] = 20,
    index: Annotated[int | None, typer.Option(help="Of a recorded block: after so many transactions.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also what does not pay for its gas.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Shows the cycles that gain at the source's state, best first, each sized to the wei by exact quotes.

    Gas is an estimate at the next block's base fee; nothing is simulated, so a token that takes its cut is found only
    where the source's tokens were tried (mev market snapshot). Cycles may share pools: then one excludes the other.
    """
    opened = open_source(source, hops, index)
    begun = time.perf_counter()
    rows = profitable(opened, every=every)
    seconds = time.perf_counter() - begun
    if as_json:
        print(json.dumps(_report(opened, rows[:top], len(rows), seconds)))
    else:
        _print(opened, rows[:top], len(rows), seconds)


def profitable(source: Source, *, every: bool = False) -> list[Row]:
    """Best first; ``every``: also what its gas makes a loss."""
    policy = GasPolicy(source.weth)
    least = None if every else policy.least(source.base_fee)
    rows = [_row(trade, policy, source.base_fee) for trade in search(source.market.view, least=least)]
    return sorted((row for row in rows if every or row.worth > 0), key=lambda row: -row.worth)


def _row(trade: Trade, policy: GasPolicy, base_fee: int) -> Row:
    gas = policy.gas(trade.route)
    net = trade.gross_profit - gas * base_fee if trade.token == policy.wrapped else None
    return Row(trade, gas, net)


def _report(source: Source, rows: list[Row], count: int, seconds: float) -> dict[str, Any]:
    return {
        "source": source.what,
        "block": source.block,
        "base_fee": source.base_fee,
        "pools": len(source.market.pools()),
        "pools_unknown": len(source.left_out),
        "seconds": round(seconds, 6),
        "found": count,
        "opportunities": [
            {
                "pools": [hop.pool for hop in row.trade.route],
                "kinds": [hop.kind for hop in row.trade.route],
                "tokens": [hop.token_in for hop in row.trade.route],
                "amounts": list(row.trade.amounts),
                "gross_profit_wei": row.trade.gross_profit,
                "gas": row.gas,
                "net_profit_wei": row.net,
            }
            for row in rows
        ],
    }


def _print(source: Source, rows: list[Row], count: int, seconds: float) -> None:
    console = Console(width=None if sys.stdout.isatty() else UNSEEN, highlight=False)
    console.print(
        f"[bold]{source.what}[/]: {len(source.market.pools()):,} pools, {len(source.left_out):,} unknown, "
        f"base fee {source.base_fee / 1e9:.3g} gwei, searched in {seconds * 1e3:.1f} ms"
    )
    if not rows:
        console.print("nothing is profitable")
        return
    table = Table(box=None, padding=(0, 2))
    for column in ("in", "gross", "gas", "net"):
        table.add_column(column, justify="right")
    table.add_column("through", overflow="fold")
    for row in rows:
        trade = row.trade
        way = " ".join(f"{source.symbol(hop.token_in)} {hop.kind}:{hop.pool[:8]}" for hop in trade.route)
        table.add_row(
            f"{source.amount(trade.token, trade.amounts[0])} {source.symbol(trade.token)}",
            source.amount(trade.token, trade.gross_profit),
            f"{row.gas:,}",
            "" if row.net is None else source.amount(trade.token, row.net),
            f"{way} {source.symbol(trade.token)}",
        )
    console.print(table)
    if count > len(rows):
        console.print(f"and {count - len(rows):,} more: --top {count}")
