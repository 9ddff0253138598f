"""``mev inspect``: the MEV in a mined block, who took it and what was left for us."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bot.chain.nodes.pool import NodePool
from bot.cli import profile as profiles
from bot.cli.inspect_left import Left, left
from bot.cli.inspect_source import KINDS, SECONDS, address, of_cassette, of_node, recording, wrapped_on
from bot.cli.market_source import on_stderr
from bot.cli.startup import check_chain
from bot.errors import UserError
from bot.inspection.arbitrage import Arbitrage
from bot.inspection.block import ETHER
from bot.inspection.inspect import Find, Inspection, inspect
from bot.inspection.sandwich import Sandwich
from bot.inspection.swap import Swap
from bot.jsonrpc import JsonRpc
from bot.paths import repo_root
from bot.simulation.cassette import load

app = typer.Typer()

UNSEEN = 180  # columns of output that is not a terminal
SHORT = 10
COIN = 10**18
NO_STATE = "a recording without state cannot be searched: take a cassette"
ON_NODE = "a node's block is not searched: record it with mev fork and inspect the file"


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums in wei over those ``finds`` whose worth and payments are all known, of which there are ``priced``."""

    finds: int
    priced: int
    worth: int
    builder: int
    burnt: int

    @property
    def net(self) -> int:
        """Left to the takers."""
        return self.worth - self.builder - self.burnt


@app.command(name="inspect", epilog="Example: mev inspect ../shared/data/mainnet/13217637.json.gz --json")
def inspect_command(
    source: Annotated[str, typer.Argument(help="A block's number (of a node), a cassette, or a file of traces.")],
    profile: Annotated[Path | None, typer.Option(help="Whose node is asked.")] = None,
    url: Annotated[str | None, typer.Option(help="The node to ask, or ${VARIABLE} that holds its URL.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Shows the arbitrages, liquidations and sandwiches of a mined block: profit by token, what of it went to the
    builder (priority fees and direct payments) and was burnt, and the rest.

    Profit is what pools paid out over what they took in, before payments; in ether where the block's own swaps price
    the token. On a recorded block with its state our own search says what was left for us, and why we did not have it.
    """
    inspection, ours, unsearched = asyncio.run(_inspect(source, profile, url))
    if as_json:
        print(json.dumps(report(inspection, ours, unsearched)))
    else:
        _print(inspection, ours, unsearched)


async def _inspect(source: str, profile: Path | None, url: str | None) -> tuple[Inspection, dict[int, Left], str]:
    progress = on_stderr()
    if source.isdecimal():
        return await _from_node(int(source), profile, url), {}, ON_NODE
    if profile is not None or url is not None:
        raise UserError(f"--profile and --url ask a node for a block by its number, which {source!r} is not")
    light = recording(Path(source))
    if light is not None:
        return inspect(light, progress), {}, NO_STATE
    cassette = load(Path(source))
    progress("runs (the block again, our search on it)", 0, 2)
    inspection = inspect(await of_cassette(cassette))
    progress("runs (the block again, our search on it)", 1, 2)
    ours = await left(cassette, inspection)
    progress("runs (the block again, our search on it)", 2, 2)
    return inspection, ours, ""


async def _from_node(number: int, profile: Path | None, url: str | None) -> Inspection:
    if (profile is None) == (url is None):
        raise UserError(f"say which node has block {number}, by --profile or --url: {KINDS}")
    progress = on_stderr()
    if profile is not None:
        chosen = profiles.load(profile)
        async with NodePool(chosen.endpoints(), timeout=SECONDS) as nodes:
            await check_chain(nodes, chosen)
            return inspect(await of_node(nodes, number, chosen.weth), progress)
    assert url is not None
    async with JsonRpc(address(url), timeout=SECONDS) as rpc:
        return inspect(await of_node(rpc, number, await wrapped_on(rpc)), progress)


# --- JSON ------------------------------------------------------------------------------------------------------------


def report(inspection: Inspection, ours: Mapping[int, Left], unsearched: str) -> dict[str, Any]:
    """Everything, amounts in smallest units as integers; null is what is not known."""
    block, sums = inspection.block, totals(inspection)
    return {
        "block": block.number,
        "builder": block.builder,
        "base_fee": block.base_fee,
        "source": block.source,
        "transactions": len(block.transactions),
        "swaps": inspection.swaps,
        "mev": [_find(find, ours.get(place)) for place, find in enumerate(inspection.finds)],
        "total": {
            "finds": sums.finds,
            "priced": sums.priced,
            "worth_wei": sums.worth,
            "builder_wei": sums.builder,
            "burnt_wei": sums.burnt,
            "net_wei": sums.net,
        },
        "not_searched": unsearched or None,
    }


def totals(inspection: Inspection) -> Totals:
    """A transaction with several finds is paid for once."""
    known = [find for find in inspection.finds if find.net is not None]
    paid = {find.transactions: find.paid for find in known}.values()
    worth = sum(find.worth or 0 for find in known)
    builder, burnt = sum(one.bid or 0 for one in paid), sum(one.burnt or 0 for one in paid)
    return Totals(len(inspection.finds), len(known), worth, builder, burnt)


def _find(find: Find, ours: Left | None) -> dict[str, Any]:
    return {
        "kind": find.kind,
        "transactions": [
            {"index": tx.index, "hash": tx.hash, "sender": tx.sender, "contract": tx.to, "gas_used": tx.gas_used}
            for tx in find.transactions
        ],
        "profit": find.profit,
        "worth_wei": find.worth,
        "priority_fee_wei": find.paid.priority,
        "direct_payment_wei": find.paid.direct,
        "burnt_wei": find.paid.burnt,
        "net_wei": find.net,
        **_details(find),
        "left_for_us": None if ours is None else _ours(ours),
    }


def _details(find: Find) -> dict[str, Any]:
    if isinstance(find.what, Arbitrage):
        return {"swaps": [_swap(swap) for swap in find.what.swaps]}
    if isinstance(find.what, Sandwich):
        what = find.what
        return {"victims": what.victims, "pools": what.pools, "swaps": [_swap(swap) for swap in what.swaps]}
    fields = ("protocol", "market", "liquidator", "borrower", "debt", "debt_amount", "collateral", "collateral_amount")
    return {"liquidations": [{name: getattr(one, name) for name in fields} for one in find.what]}


def _swap(swap: Swap) -> dict[str, Any]:
    fields = ("protocol", "pool", "taker", "token_in", "amount_in", "token_out", "amount_out")
    return {name: getattr(swap, name) for name in fields}


def _ours(ours: Left) -> dict[str, Any]:
    trade = None if ours.window is None else ours.window.trade
    return {
        "found": trade is not None,
        "same_pools": ours.same,
        "open_since": ours.since,
        "pools": None if trade is None else [hop.pool for hop in trade.route],
        "amount_in": None if trade is None else trade.amounts[0],
        "gross_profit_wei": None if trade is None else trade.gross_profit,
        "gas": ours.gas,
        "net_at_their_bid_wei": ours.net,
        "not_followed": ours.unknown,
        "why": ours.why,
    }


# --- for people ------------------------------------------------------------------------------------------------------


def _print(inspection: Inspection, ours: Mapping[int, Left], unsearched: str) -> None:
    console = Console(width=None if sys.stdout.isatty() else UNSEEN, highlight=False)
    block, sums = inspection.block, totals(inspection)
    console.print(
        f"[bold]block {block.number}[/]: {len(block.transactions)} transactions, {inspection.swaps} swaps, "
        f"builder {block.builder}; from {block.source}"
    )
    if not inspection.finds:
        console.print("no arbitrage, liquidation or sandwich in it")
        return
    names = _names(block.wrapped)
    table = Table(box=None, padding=(0, 2))
    for column in ("tx", "what", "contract, signer", "how"):
        table.add_column(column, overflow="fold")
    table.add_column("profit", overflow="fold")
    for column in ("worth", "builder", "burnt", "net"):
        table.add_column(column, justify="right")
    table.add_column("left for us", overflow="fold")
    for place, find in enumerate(inspection.finds):
        mine = ours.get(place)
        table.add_row(
            " ".join(str(tx.index) for tx in find.transactions),
            find.kind,
            f"{(find.transactions[0].to or '')[:SHORT]} by {find.transactions[0].sender[:SHORT]}",
            _how(find),
            ", ".join(_amount(token, amount, names) for token, amount in find.profit.items()),
            *(_ether(amount) for amount in (find.worth, find.paid.bid, find.paid.burnt, find.net)),
            "" if mine is None else _why(mine),
        )
    console.print(table)
    unknown = sums.finds - sums.priced
    console.print(
        f"total: {_ether(sums.worth)} ETH"
        + (f", {100 * sums.builder / sums.worth:.0f} % of it to the builder" if sums.worth > 0 else "")
        + f"; {_ether(sums.burnt)} burnt, {_ether(sums.net)} net"
        + (f"; without {unknown} of {sums.finds} whose worth or payments are not known" if unknown else "")
    )
    if unsearched:
        console.print(f"left for us: {unsearched}")


def _how(find: Find) -> str:
    if isinstance(find.what, Arbitrage):
        return " ".join(f"{swap.protocol}:{swap.pool[:8]}" for swap in find.what.swaps)
    if isinstance(find.what, Sandwich):
        return f"around {', '.join(map(str, find.what.victims))} in {' '.join(pool[:8] for pool in find.what.pools)}"
    return " ".join(f"{one.protocol} of {one.borrower[:SHORT]}" for one in find.what)


def _why(ours: Left) -> str:
    profit = "" if ours.window is None else f"{_ether(ours.window.trade.gross_profit)} before gas: "
    return profit + ours.why


def _names(wrapped: str) -> dict[str, tuple[str, int]]:
    """Token to symbol and decimals, by the profiles of the chain that has this wrapped ether."""
    known = {ETHER: ("ETH", 18), wrapped: ("WETH", 18)}
    for file in sorted((repo_root() / "forks").glob("*.toml")):
        profile = profiles.load(file)
        if profile.weth == wrapped:
            known = profile.units() | known
    return known


def _amount(token: str, amount: int, names: Mapping[str, tuple[str, int]]) -> str:
    if token not in names:
        return f"{amount} of {token[:SHORT]}"
    symbol, decimals = names[token]
    return f"{amount / 10**decimals:.9g} {symbol}"


def _ether(wei: int | None) -> str:
    return "?" if wei is None else f"{wei / COIN:.6f}"
