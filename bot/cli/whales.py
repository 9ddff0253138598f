"""``mev whales``: whom to watch, what they did, and what a transaction of theirs would do."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.chain import watchlist
from bot.chain.watchlist import Kind, Watched
from bot.cli.market_source import on_stderr
from bot.cli.profile import Profile, load
from bot.cli.whales_find import Found, holders, trades
from bot.cli.whales_impact import Report, impact_of
from bot.errors import UserError
from bot.ledger.forecasts import Forecast, Score, Tallies, score
from bot.ledger.reader import Reader
from bot.paths import data_dir

app = typer.Typer()

UNSEEN = 200  # columns of output that is not a terminal
FILE = "whales.csv"
PROFILE = Path("forks/mainnet.toml")
KINDS = "whale"  # the beginning of the kinds of forecasts

_Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
_File = Annotated[Path | None, typer.Option("--file", help="The watch list; else whales.csv in MEV_HOME or ./.mev.")]
_Ledger = Annotated[Path | None, typer.Option("--ledger", help="The ledger's file; else in MEV_HOME or ./.mev.")]
_Profile = Annotated[Path, typer.Option("--profile", help="The chain, its node, factories and tokens.")]
_Address = Annotated[str, typer.Argument(help="An address, 0x and 40 hexadecimal digits.")]


@app.callback()
def whales() -> None:
    """Watched wallets and large trades: who is watched, what was foretold and came true, what a transaction does.

    Example: mev whales add 0x28C6c06298d514Db089934071355E5743bf21d60 --label "Exchange X" --kind exchange
    """


@app.command(name="list", epilog="Example: mev whales list --kind wallet")
def list_(
    file: _File = None,
    ledger: _Ledger = None,
    kind: Annotated[Kind | None, typer.Option(help="Only these.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Rows of the table at most; JSON has all.")] = 50,
    as_json: _Json = False,
) -> None:
    """Shows the watch list, with how many trades of each were foretold and how many of these came true."""
    path = _path(file)
    entries = {one: what for one, what in watchlist.load(path).items() if kind in (None, what.kind)}
    records = _records(_tallies(ledger))
    if as_json:
        rows = [
            {"address": one, "label": what.label, "kind": what.kind.value, **_record(records.get(one, (0, 0)))}
            for one, what in entries.items()
        ]
        print(json.dumps({"file": str(path), "addresses": rows}))
        return
    table = _table(f"{path}: {len(entries):,} addresses", ("address", "label", "kind", "known", "came true"), "known")
    first = sorted(entries.items(), key=lambda item: -records.get(item[0], (0, 0))[1])[:most]
    for one, what in first:
        hits, tries = records.get(one, (0, 0))
        table.add_row(one, Text(what.label), what.kind.value, str(tries), _share(hits, tries))
    _console().print(table)
    if len(entries) > most:
        _console().print(f"and {len(entries) - most:,} more: --most {len(entries)}")


@app.command(epilog='Example: mev whales add 0x28C6c06298d514Db089934071355E5743bf21d60 --label "Exchange X"')
def add(
    address: _Address,
    label: Annotated[str, typer.Option(help="What to call it; its address where none is given.")] = "",
    kind: Annotated[Kind, typer.Option(help="wallet, or exchange, deposit, ignored.")] = Kind.WALLET,
    file: _File = None,
    as_json: _Json = False,
) -> None:
    """Writes an address behind the watch list, which a running bot takes in at the next head."""
    path, entries = _path(file), watchlist.named([(address, label, kind)])
    _told(path, entries, watchlist.add(path, entries), as_json)


@app.command(epilog="Example: mev whales remove 0x28C6c06298d514Db089934071355E5743bf21d60")
def remove(address: _Address, file: _File = None, as_json: _Json = False) -> None:
    """Takes an address off the watch list. What it did stays in the ledger."""
    path, one = _path(file), _checked(address)
    was = watchlist.remove(path, one)
    if as_json:
        print(json.dumps({"file": str(path), "removed": one, "label": was.label}))
    else:
        _console().print(f"{one} ({was.label}) is no longer in {path}", markup=False)


@app.command(epilog="Example: mev whales find --profile forks/mainnet.toml --token USDC --blocks 5000 --top 20 --add")
def find(
    profile: _Profile = PROFILE,
    token: Annotated[str | None, typer.Option(help="Its top holders: a symbol of the profile, or an address.")] = None,
    blocks: Annotated[int, typer.Option(min=1, help="How many blocks back from the head to look.")] = 100,
    top: Annotated[int, typer.Option(min=1, help="So many at most.")] = 20,
    bps: Annotated[int, typer.Option(min=1, help="Of trades: makes dearer by so many basis points, or …")] = 50,
    worth: Annotated[str | None, typer.Option(help="… is so many whole base tokens large, 100 say.")] = None,
    write: Annotated[bool, typer.Option("--add", help="Also write them to the watch list.")] = False,
    file: _File = None,
    as_json: _Json = False,
) -> None:
    """Finds wallets by rule. With --token: who holds most of it at the head, of all that got or sent some in those
    blocks. Without: whose trades in those blocks were large; the node must keep the state of the first of them."""
    chosen, path = load(profile), _path(file)
    known = watchlist.load(path) if path.exists() else {}
    if token is not None:
        found = asyncio.run(holders(chosen, _token(chosen, token), blocks, top, on_stderr()))
    else:
        found = asyncio.run(trades(chosen, blocks, top, bps, worth, on_stderr()))
    if write:
        new = [(one.address, one.why, Kind.WALLET) for one in found if one.address not in known]
        watchlist.add(path, watchlist.named(new))
    if as_json:
        rows = [{**asdict(one), "label": _label(known, one.address)} for one in found]
        print(json.dumps({"blocks": blocks, "token": token, "found": rows, "added": str(path) if write else None}))
        return
    _print_found(found, known)
    if write:
        _console().print(f"{len(new)} of them are new in {path}")


@app.command(epilog="Example: mev whales history 0x28C6c06298d514Db089934071355E5743bf21d60")
def history(
    address: Annotated[str | None, typer.Argument(help="Of this wallet only.")] = None,
    ledger: _Ledger = None,
    file: _File = None,
    limit: Annotated[int, typer.Option(min=1, help="The last N signals are shown; all are scored.")] = 20,
    as_json: _Json = False,
) -> None:
    """Shows what was foretold, whether it came true, and how good the confidence was: the Brier score beside what the
    best single number would have had, and by bins of confidence the share that came true."""
    subject = None if address is None else _checked(address)
    with Reader.open(_ledger_path(ledger)) as reader:
        forecasts = reader.forecasts(KINDS, subject)
    found = score(forecasts)
    if as_json:
        shown = [asdict(one) for one in forecasts[:limit]]
        print(json.dumps({"address": subject, "score": asdict(found), "signals": shown}))
        return
    path = _path(file)
    _print_history(forecasts[:limit], found, watchlist.load(path) if path.exists() else {})


@app.command(epilog="Example: mev whales impact --raw 0x02f8… --profile forks/mainnet.toml")
def impact(
    tx: Annotated[str | None, typer.Argument(help="The hash of a pending transaction, as the node knows it.")] = None,
    raw: Annotated[str | None, typer.Option(help="A signed transaction instead, 0x and hexadecimal digits.")] = None,
    profile: _Profile = PROFILE,
    file: _File = None,
    ledger: _Ledger = None,
    as_json: _Json = False,
) -> None:
    """Simulates a transaction in the next block on the node's head: what it asks for, what it does to each pool, what
    is left directly behind it, what goes to or comes from exchanges. Status 1 where it would not go through."""
    if (tx is None) == (raw is None):
        raise UserError("name the hash of a pending transaction, or a signed one by --raw")
    chosen, path = load(profile), _path(file)
    known = watchlist.load(path) if path.exists() else {}
    report = asyncio.run(impact_of(chosen, tx, raw, known, _tallies(ledger), on_stderr()))
    if as_json:
        print(json.dumps(asdict(report)))
    else:
        _print_impact(report)
    if report.why:
        raise typer.Exit(1)


# --- files -----------------------------------------------------------------------------------------------------------


def _path(file: Path | None) -> Path:
    return file or data_dir() / FILE


def _ledger_path(ledger: Path | None) -> Path:
    return ledger or data_dir() / "ledger.sqlite"


def _tallies(ledger: Path | None) -> Tallies:
    """None recorded where there is no ledger yet, and none was named."""
    path = _ledger_path(ledger)
    if ledger is None and not path.exists():
        return {}
    with Reader.open(path) as reader:
        return reader.tallies()


def _checked(address: str) -> str:
    try:
        return watchlist.address_of(address)
    except ValueError as error:
        raise UserError(str(error)) from None


def _token(profile: Profile, word: str) -> str:
    for token in profile.tokens:
        if token.symbol == word:
            return token.address
    if not word.startswith("0x"):
        names = ", ".join(token.symbol for token in profile.tokens)
        raise UserError(f"profile {profile.name} has no token {word!r}: say {names}, or an address")
    return _checked(word)


# --- words and tables ------------------------------------------------------------------------------------------------


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else UNSEEN, highlight=False)


def _table(title: str, columns: Sequence[str], right: str = "") -> Table:
    """``right``: the columns, separated by blanks, whose values are numbers."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2))
    for column in columns:
        table.add_column(column, justify="right" if column in right.split() else "left", overflow="fold")
    return table


def _records(tallies: Tallies) -> dict[str, tuple[int, int]]:
    """By wallet, over the kinds of forecasts."""
    records: dict[str, tuple[int, int]] = {}
    for (kind, subject), (hits, tries) in tallies.items():
        if kind.startswith(KINDS):
            before = records.get(subject, (0, 0))
            records[subject] = before[0] + hits, before[1] + tries
    return records


def _record(record: tuple[int, int]) -> dict[str, Any]:
    hits, tries = record
    return {"known": tries, "came_true": hits, "hit_rate": hits / tries if tries else None}


def _share(hits: int, tries: int) -> str:
    return f"{hits} ({hits / tries:.0%})" if tries else ""


def _label(known: Mapping[str, Watched], address: str) -> str | None:
    return known[address].label if address in known else None


def _told(path: Path, entries: Mapping[str, Watched], count: int, as_json: bool) -> None:
    ((address, watched),) = entries.items()
    if as_json:
        row = {"file": str(path), "address": address, "label": watched.label, "kind": watched.kind.value}
        print(json.dumps({**row, "addresses": count}))
    else:
        _console().print(f"{watched.kind.value} {address} ({watched.label}) is in {path}, with {count - 1} others")


def _print_found(found: Sequence[Found], known: Mapping[str, Watched]) -> None:
    table = _table(f"{len(found)} found", ("address", "contract", "why", "watched as"))
    for one in found:
        is_contract = "yes" if one.contract else ""
        table.add_row(one.address, is_contract, one.why, Text(_label(known, one.address) or ""))
    _console().print(table)


def _print_history(forecasts: Sequence[Forecast], found: Score, known: Mapping[str, Watched]) -> None:
    columns = ("block", "wallet", "transaction", "kind", "confidence", "pool", "bps", "came true")
    table = _table(f"The last {len(forecasts)} of {found.made} signals", columns, "block confidence bps")
    for one in forecasts:
        impacts = one.data.get("impacts") or [{}]
        came = "not known" if one.happened is None else "yes" if one.happened else "no"
        table.add_row(
            str(one.block_number),
            Text(_label(known, one.subject) or one.subject),
            one.tx,
            one.kind,
            f"{one.confidence:.2f}",
            str(impacts[0].get("pool", ""))[:10],
            f"{impacts[0].get('bps', 0):.1f}",
            came,
        )
    console = _console()
    console.print(table)
    if found.brier is None or found.baseline is None or found.rate is None:
        console.print("of none it is known whether it came true: they are due some blocks after they are made")
        return
    console.print(
        f"{found.known} known, {found.rate:.1%} came true; Brier score {found.brier:.4f}, "
        f"the best single number {found.baseline:.4f} (less is better)"
    )
    table = _table("", ("confidence", "signals", "foretold", "came true"), "signals foretold")
    for part in found.bins:
        name = f"{part.low:.1f} to {part.high:.1f}"
        table.add_row(name, str(part.count), f"{part.foretold:.1%}", f"{part.happened:.1%}")
    console.print(table)


def _print_impact(report: Report) -> None:
    console = _console()
    console.print(f"{report.tx} of {report.sender}, in block {report.block}", markup=False)
    if report.why:
        console.print(f"would not go through: {report.why}", markup=False)
        return
    console.print(report.text, markup=False)
    table = _table("", ("pool", "kind", "in", "out", "bps"), "in out bps")
    for one in report.data.get("impacts", ()):
        ends = (f"{one['amount_in']} of {one['token_in'][:10]}", f"{one['amount_out']} of {one['token_out'][:10]}")
        table.add_row(one["pool"][:42], one["kind"], *ends, f"{one['bps']:+.2f}")
    if table.row_count:
        console.print(table)
    for pool, why in report.data.get("unknown", {}).items():
        console.print(f"{pool} moves, and how far is not known: {why}", markup=False)
