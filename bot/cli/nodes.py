"""``mev nodes``: the nodes of a profile, how they fare, and whether they agree."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bot.chain.nodes.pool import Disagreement, NodePool
from bot.chain.nodes.report import NodeReport, survey
from bot.cli.profile import Profile, load

app = typer.Typer()

UNSEEN = 160  # columns of output that is not a terminal


@app.command(name="nodes", epilog="Example: mev nodes --profile forks/mainnet.toml --json")
def nodes(
    profile: Annotated[Path, typer.Option(help="whose nodes")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Asks each node what it is and can do: whether it answers, its chain and client, how far its head is behind, its
    latency, whether it traces blocks, simulates, and tells pending transactions; and whether the nodes agree.

    Exit status 1 when one does not answer, is on another chain, or they disagree.
    """
    chosen = load(profile)
    reports, disagreement = asyncio.run(_survey(chosen))
    wrong = problems(chosen, reports, disagreement)
    if as_json:
        print(json.dumps(_json(reports, disagreement, wrong)))
    else:
        _print(reports, wrong)
    if wrong:
        raise typer.Exit(1)


async def _survey(profile: Profile) -> tuple[list[NodeReport], Disagreement | None]:
    async with NodePool(profile.endpoints()) as pool:
        return await survey(pool)


def problems(profile: Profile, reports: list[NodeReport], disagreement: Disagreement | None) -> list[str]:
    """One line each."""
    lines = []
    for report in reports:
        if not report.reachable:
            why = "; ".join(report.unreachable.values())
            lines.append(f"{report.name} does not answer ({why}): is it running?")
        elif report.chain_id != profile.chain_id:
            lines.append(f"{report.name} is on chain {report.chain_id}, the profile is for chain {profile.chain_id}")
        else:
            lines += [f"{report.name}: {kind} does not answer ({why})" for kind, why in report.unreachable.items()]
    if disagreement is not None:
        said = ", ".join(f"{name} {hash_}" for name, hash_ in disagreement.hashes.items())
        lines.append(f"block {disagreement.number} differs: {said}; followed is {disagreement.followed}")
    return lines


def _json(reports: list[NodeReport], disagreement: Disagreement | None, wrong: list[str]) -> dict[str, Any]:
    """Latencies in milliseconds."""
    rows = []
    for report in reports:
        row = asdict(report)
        row["latency_ms"] = {"p50": _ms(row.pop("p50")), "p99": _ms(row.pop("p99"))}
        rows.append(row)
    return {"nodes": rows, "disagreement": None if disagreement is None else asdict(disagreement), "problems": wrong}


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 3)


def _print(reports: list[NodeReport], wrong: list[str]) -> None:
    console = Console(width=None if sys.stdout.isatty() else UNSEEN, highlight=False)
    table = Table(box=None, padding=(0, 2))
    for column in ("node", "over", "chain", "client"):
        table.add_column(column, overflow="fold")
    for column in ("head", "lag", "p50 ms", "p99 ms", "errors"):
        table.add_column(column, justify="right")
    for column in ("traces", "simulates", "mempool"):
        table.add_column(column)
    for report in reports:
        table.add_row(
            report.name,
            " ".join(report.reachable) or "-",
            _shown(report.chain_id),
            report.client.split("/linux")[0],
            _shown(report.head),
            _shown(report.lag),
            *(_shown(_ms(seconds)) for seconds in (report.p50, report.p99)),
            str(report.errors),
            "yes" if report.tracer else "no",
            "yes" if report.simulate else "no",
            report.mempool,
        )
    console.print(table)
    for line in wrong:
        console.print(f"[yellow]{line}[/]")


def _shown(number: float | None) -> str:
    return "-" if number is None else f"{number:,}"
