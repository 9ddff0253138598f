"""``mev bench``: the benchmarks, each against a peer or a floor in the same run."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bot.cli.benches.result import Result
from bot.errors import UserError

app = typer.Typer()

BENCHES: dict[str, tuple[str, str]] = {
    "gas": ("bot.cli.benches.gas", "the executor's gas against straight-line code for the same trade"),
    "market": ("bot.cli.benches.market", "search, sizing, quotes, routing and ingestion against other libraries"),
    "soak": ("bot.cli.benches.soak", "10,000 messages of a mempool a second through the whole bot, and its ceiling"),
    "simulate": ("bot.cli.benches.simulate", "a simulation in process, by a pool of processes, and by the node"),
    "nodes": ("bot.cli.benches.nodes", "a call to a node beside web3.py, and what the pool of nodes adds to it"),
    "growth": ("bot.cli.benches.growth", "time and memory of the market at 1,000, 10,000 and 50,000 pools"),
    "whales": ("bot.cli.benches.whales", "a whale's pending transaction to its signal, with 10,000 wallets watched"),
}
"""Name, the module whose ``run`` gives its results, and what it measures."""

UNSEEN = 160  # columns of output that is not a terminal


@app.command(name="bench", epilog="Example: mev bench gas --json")
def bench_command(
    names: Annotated[list[str] | None, typer.Argument(help="which; all if none is named")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the JSON to this file.")] = None,
) -> None:
    """Runs benchmarks: ours beside a peer or a floor, on the same input, with answers that are compared.

    The ratio is the peer's figure over ours where less is better: more than 1 is ahead. Status 1 when the two gave
    different answers. Benchmarks: gas (the executor's gas against straight-line code for the same trade), market
    (search, sizing, quotes, routing and ingestion against other libraries), soak (10,000 mempool messages a second
    through the whole bot, and its ceiling), whales (a watched wallet's transaction to its signal), simulate (in
    process, by a pool of processes, by the node), nodes (a call to a node, and what the pool of nodes adds), growth
    (time and memory of the market at 1,000, 10,000 and 50,000 pools; python -m bot.cli.benches.growth RESULTS.json
    PICTURE.svg draws them).
    """
    chosen = names or list(BENCHES)
    for name in chosen:
        if name not in BENCHES:
            raise UserError(f"no benchmark {name!r}: there is {', '.join(BENCHES)}")
    if out is not None and not out.parent.is_dir():
        raise UserError(f"{out} cannot be written: there is no folder {out.parent}")
    results = [result for name in chosen for result in _run(name)]
    text = json.dumps({"machine": machine(), "results": [asdict(result) for result in results]}, indent=1)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
    if as_json:
        print(text)
    else:
        _print(results)
    if not all(result.checked for result in results):
        raise typer.Exit(1)


def _run(name: str) -> list[Result]:
    print(f"bench {name} …", file=sys.stderr, flush=True)
    run: Callable[[], list[Result]] = import_module(BENCHES[name][0]).run
    return run()


def machine() -> dict[str, str | int]:
    """What it ran on."""
    return {
        "processor": platform.machine(),
        "processors": os.cpu_count() or 0,
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _print(results: list[Result]) -> None:
    console = Console(width=None if sys.stdout.isatty() else UNSEEN)
    for bench in dict.fromkeys(result.bench for result in results):
        rows = [result for result in results if result.bench == bench]
        table = Table(title=bench)
        for head in ("", "unit", "ours", "peer's", "peer", "ratio", "goal", "also"):
            table.add_column(head, justify="right" if head in ("ours", "peer's", "ratio", "goal") else "left")
        for row in rows:
            goals = [] if row.goal is None else [f"≤ {_figure(row.goal)}"]
            goals += [] if row.ahead is None else [f"≥ {_figure(row.ahead)} times"]
            goal = ", ".join(goals) + ("" if row.reached else " missed")
            also = ", ".join(f"{name} {_figure(figure)}" for name, figure in row.details.items())
            name = row.name if row.checked else f"{row.name} DIFFERS"
            figures = _figure(row.value), _figure(row.peer_value)
            table.add_row(name, row.unit, *figures, row.peer, f"{row.ratio:,.4g}", goal, also)
        console.print(table)


def _figure(value: float) -> str:
    return f"{value:,}" if float(value).is_integer() else f"{value:,.4g}"
