"""``mev launches``: new pools, and whether their tokens can be trusted."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import OrderedDict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bot.chain.launches.report import Report, Severity, Verdict
from bot.chain.nodes.pool import NodePool
from bot.cli.launch_source import LaunchSource
from bot.cli.market_source import on_stderr
from bot.cli.profile import checked_address
from bot.cli.profile import load as load_profile
from bot.cli.startup import check_chain
from bot.errors import UserError
from bot.strategies.launches import WAITING, Launch

app = typer.Typer()

UNSEEN = 160  # columns of output that is not a terminal
PROFILE = Path("forks/mainnet.toml")
BLOCKS = 100
BEHIND = 2  # blocks looked at again, which a reorganisation may have changed
COLOURS = {
    Verdict.SAFE: "green",
    Verdict.RISKY: "yellow",
    Verdict.TRAP: "red",
    Verdict.UNKNOWN: "dim",
    Severity.TRAP: "red",
    Severity.HIGH: "yellow",
    Severity.MEDIUM: "yellow",
    Severity.GAP: "dim",
    Severity.INFO: "dim",
}

_Profile = Annotated[Path, typer.Option(help="The chain, its factories and base tokens.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


@app.callback(invoke_without_command=True, epilog="Example: mev launches --profile forks/mainnet.toml --blocks 50")
def launches(
    context: typer.Context,
    profile: _Profile = PROFILE,
    blocks: Annotated[int, typer.Option(min=1, help="How many blocks back from the head.")] = BLOCKS,
    watch: Annotated[bool, typer.Option("--watch", help="Go on with every new block.")] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Also pools of factories that the profile does not name.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Lists new pairs and pools of the profile's factories, each with a verdict on its token by simulation.

    safe: all that was tried went as with an ordinary token. risky: somebody can change that, or a part is kept. trap:
    what goes in does not come out. unknown: it could not be tried. Nothing is sent; with --json one line a pool.
    """
    if context.invoked_subcommand is None:
        asyncio.run(_list(profile, blocks, watch, every, as_json))


@app.command(name="check", epilog="Example: mev launches check 0x6982508145454Ce325dDbE47a25d4ec3d2311933 --json")
def check(
    token: Annotated[str, typer.Argument(help="The token's address.")],
    pool: Annotated[str | None, typer.Option(help="The pool to trade it through; else the deepest.")] = None,
    profile: _Profile = PROFILE,
    as_json: _Json = False,
) -> None:
    """Tries one token by simulation: bought and sold in many ways, its owner's powers used; the reasons in full."""
    try:
        address, at = checked_address("the token", token), pool and checked_address("--pool", pool)
    except ValueError as error:
        raise UserError(str(error)) from None
    report = asyncio.run(_check(profile, address, at))
    if as_json:
        print(json.dumps(report.json()))
    else:
        _show(report)


async def _check(path: Path, token: str, pool: str | None) -> Report:
    profile = load_profile(path)
    async with NodePool(profile.endpoints()) as node:
        await check_chain(node, profile)
        source = LaunchSource(profile, node)
        return await source.report_token(token, pool, await source.head(), on_stderr())


async def _list(path: Path, blocks: int, watch: bool, every: bool, as_json: bool) -> None:
    profile = load_profile(path)
    console = Console(width=None if sys.stdout.isatty() else UNSEEN)
    async with NodePool(profile.endpoints()) as node:
        await check_chain(node, profile)
        source = LaunchSource(profile, node, every=every)
        count = 0
        table = _table()
        async for launch, report in reports(source, blocks, profile.block_time / 4 if watch else None):
            count += 1
            if as_json:
                print(json.dumps(_json(launch, report)), flush=True)
            elif watch:
                console.print(*_row(launch, report))
            else:
                table.add_row(*_row(launch, report))
    if not as_json and not watch:
        console.print(table if count else f"no new pools in the last {blocks} blocks")


async def reports(
    source: LaunchSource, blocks: int, pause: float | None
) -> AsyncIterator[tuple[Launch, Report | None]]:
    """Of new pools. With a ``pause`` (seconds between two looks at the head) for ever: a pool without liquidity is
    told of when it has some."""
    tell = on_stderr()
    seen: OrderedDict[str, None] = OrderedDict()
    waiting: OrderedDict[str, Launch] = OrderedDict()
    head = await source.head()
    begin = first = max(head.number - blocks + 1, 0)
    while True:
        fresh = [launch for launch in await source.found(first, head.number, tell) if launch.pool not in seen]
        seen.update(dict.fromkeys(launch.pool for launch in fresh))
        waiting.update((launch.pool, launch) for launch in fresh)
        asked = list(waiting.values())
        liquid = await source.liquid(asked)
        ready = [launch for launch, has in zip(asked, liquid, strict=True) if has or pause is None]
        for done, launch in enumerate(ready):
            del waiting[launch.pool]
            tell("tokens tried", done, len(ready))
            yield launch, await source.report(launch, head, lambda what, done, all_: None)
        tell("tokens tried", len(ready), len(ready))
        if pause is None:
            return
        for kept in (seen, waiting):
            while len(kept) > WAITING:
                kept.popitem(last=False)
        last = head
        while head.hash == last.hash:
            await asyncio.sleep(pause)
            head = await source.head()
        first = max(min(last.number, head.number) - BEHIND, begin)


def _json(launch: Launch, report: Report | None) -> dict[str, Any]:
    origin = {
        "pool": launch.pool,
        "protocol": launch.protocol,
        "factory": launch.factory,
        "known_factory": launch.known,
        "tokens": list(launch.tokens),
        "fee": launch.fee,
        "created_block": launch.block,
        "tx": launch.tx,
        "creator": launch.creator,
    }
    return {**origin, "report": None if report is None else report.json()}


def _table() -> Table:
    table = Table(box=None)
    for name in ("verdict", "score", "token", "pool", "block", "tax buy/sell/transfer", "why"):
        table.add_column(name, overflow="fold" if name == "why" else "ellipsis")
    return table


def _row(launch: Launch, report: Report | None) -> tuple[str, ...]:
    pool = f"{launch.protocol} {launch.pool}"
    if report is None:
        return "", "", " and ".join(launch.tokens), pool, str(launch.block), "", "no token besides base tokens, or two"
    verdict = f"[{COLOURS[report.verdict]}]{report.verdict}[/]"
    why = report.reasons[0].text if report.reasons else ""
    return verdict, str(report.score), _symbol(report), pool, str(launch.block), _tax(report), why


def _symbol(report: Report) -> str:
    """A token's own words are no markup."""
    return report.symbol.replace("[", "(")


def _tax(report: Report) -> str:
    taxes = report.taxes
    return "/".join("?" if tax is None else f"{tax / 100:g} %" for tax in (taxes.buy, taxes.sell, taxes.transfer))


def _show(report: Report) -> None:
    console = Console(width=None if sys.stdout.isatty() else UNSEEN)
    console.print(
        f"[{COLOURS[report.verdict]}]{report.verdict}[/], {report.score} of 100: {_symbol(report)} {report.token} "
        f"at block {report.block}, in {report.protocol} {report.pool}; {report.simulations} simulations"
    )
    console.print(f"tax on buying/selling/a transfer: {_tax(report)}")
    table = Table(box=None)
    for name in ("severity", "what", "evidence"):
        table.add_column(name, overflow="fold")
    for reason in report.reasons:
        colour = COLOURS[reason.severity]
        table.add_row(f"[{colour}]{reason.severity}[/]", reason.text, reason.evidence.replace("[", "("))
    console.print(table)
