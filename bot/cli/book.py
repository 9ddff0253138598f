"""``mev book``: the address book that a deployment puts behind the executor's code, made from a chain and checked
against it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from bot import abi
from bot.chain.discovery import Factories, from_tokens
from bot.chain.nodes.pool import NodePool
from bot.chain.pool_reader import PoolInfo
from bot.chain.state_reader import StateReader
from bot.cli.profile import Profile, load
from bot.cli.startup import check_chain
from bot.errors import UserError
from bot.execution.book import MOST, Book, Entry, Kind
from bot.jsonrpc import JsonRpc

app = typer.Typer()

UNSEEN = 160  # columns of output that is not a terminal
PROFILE = Path("forks/mainnet.toml")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
_Profile = Annotated[Path, typer.Option("--profile", help="The chain, its factories, tokens and lenders.")]


@app.callback()
def book() -> None:
    """Makes and checks books: addresses that programs name by 2 bytes, and genuine pools that routes rest on.

    Example: mev book make book.json --profile forks/mainnet.toml
    """


@app.command(epilog="Example: mev book make book.json --profile forks/mainnet.toml --most 100")
def make(
    file: Annotated[Path, typer.Argument(help="Where the book is written.")],
    profile: _Profile = PROFILE,
    most: Annotated[int, typer.Option(help=f"Entries at most, up to {MOST}.")] = MOST,
    as_json: _Json = False,
) -> None:
    """Writes the profile's lenders, and the pools that its factories say they made: those with most WETH first, then
    those between other tokens.

    Each entry costs 4,600 gas at deployment, and saves 290 gas whenever a program names it."""
    if not 1 <= most <= MOST:
        raise UserError(f"--most is {most}: say 1 to {MOST}")
    chosen = load(profile)
    made = asyncio.run(_make(chosen, most))
    made.save(file)
    _show(made, chosen, as_json)


@app.command(epilog="Example: mev book check book.json --profile forks/mainnet.toml")
def check(
    file: Annotated[Path, typer.Argument(help="A book.")],
    profile: _Profile = PROFILE,
    as_json: _Json = False,
) -> None:
    """Asks the chain whether each promise of a book holds: that a factory of the profile made the pool, with WETH on
    that side, and that the lenders are the profile's. Status 1 where one does not, with a line each."""
    written = Book.load(file)
    wrong = asyncio.run(_check(written, load(profile)))
    if as_json:
        print(json.dumps({"entries": len(written), "wrong": wrong}))
    else:
        print("\n".join(wrong) or f"all {len(written)} entries hold")
    if wrong:
        raise typer.Exit(1)


class Listed(NamedTuple):
    """A pool as Book.of takes it."""

    address: str
    kind: str
    token0: str
    token1: str

    @classmethod
    def of(cls, info: PoolInfo) -> Listed:
        return cls(info.id, info.protocol.removeprefix("uniswap-"), *info.tokens)


async def _make(profile: Profile, most: int) -> Book:
    async with NodePool(profile.endpoints()) as node:
        infos = await _pools(node, profile)
        reader = StateReader(node, "latest")
        ask = [(profile.weth, abi.call("balanceOf(address)", info.id)) for info in infos]
        held = [abi.uint(answer) if answer else 0 for answer in await reader.calls(ask)]
    ranked = [info for _, info in sorted(zip(held, infos, strict=True), key=lambda pair: -pair[0])]
    lenders = _lenders(profile)[:most]
    made = Book.of(profile.weth, (), lenders)
    for count in range(1, len(ranked) + 1):  # a pair brings its other token along
        larger = Book.of(profile.weth, map(Listed.of, ranked[:count]), lenders)
        if len(larger) > most:
            break
        made = larger
    return made


async def _check(book: Book, profile: Profile) -> list[str]:
    async with NodePool(profile.endpoints()) as node:
        infos = {info.id: info for info in await _pools(node, profile)}
    lenders = dict(_lenders(profile))
    said = (_wrong(entry, book, profile.weth, infos.get(entry.address), lenders) for entry in book.entries)
    return [words for words in said if words]


def _wrong(entry: Entry, book: Book, weth: str, info: PoolInfo | None, lenders: dict[str, Kind]) -> str:
    """Why the entry's promise does not hold; empty where it does, or there is none."""
    if entry.kind is Kind.OTHER or lenders.get(entry.address) is entry.kind:
        return ""
    name = f"{entry.address} as {entry.kind.name.lower()}"
    if Kind.LENDER_MORPHO <= entry.kind <= Kind.LENDER_V4:
        return f"{name}: the profile does not name it under [lenders]"
    if info is None:
        return f"{name}: no factory of the profile made it between its tokens"
    true = Book.of(weth, [Listed.of(info)])
    kind = true.entries[0].kind
    lends = {Kind.LENDER_V2_WETH_0 + kind - 1} if kind else set()  # in the order of the pools' kinds
    if entry.kind != kind and entry.kind not in lends:
        return f"{name}: it is {kind.name.lower()}"
    if entry.other is not None and book.entries[entry.other].address not in info.tokens:
        return f"{name}: {book.entries[entry.other].address} is not its token"
    return ""


async def _pools(node: JsonRpc, profile: Profile) -> list[PoolInfo]:
    """Those of the profile's factories between its tokens. Raises UserError for another chain's node."""
    await check_chain(node, profile)
    tokens = [token.address for token in profile.tokens]
    return await from_tokens(node, Factories(profile.v2_fees(), profile.v3_tiers()), tokens, "latest")


def _lenders(profile: Profile) -> list[tuple[str, Kind]]:
    named = (
        (profile.lenders.morpho, Kind.LENDER_MORPHO),
        (profile.lenders.balancer_vault, Kind.LENDER_BALANCER_V2),
        (profile.lenders.aave_pool, Kind.LENDER_AAVE_V3),
        (profile.lenders.v4_manager, Kind.LENDER_V4),
    )
    return [(address, kind) for address, kind in named if address]


def _show(made: Book, profile: Profile, as_json: bool) -> None:
    symbols = {token.address: token.symbol for token in profile.tokens}
    if as_json:
        print(json.dumps({"entries": len(made), "room": MOST}))
        return
    table = Table("index", "address", "kind", "other token", title=f"{len(made)} entries, room for {MOST}")
    for index, entry in enumerate(made.entries):
        other = "" if entry.other is None else made.entries[entry.other].address
        kind = entry.kind.name.lower()
        table.add_row(str(index), symbols.get(entry.address, entry.address), kind, symbols.get(other, other))
    Console(width=None if sys.stdout.isatty() else UNSEEN).print(table)
