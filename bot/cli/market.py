"""``mev market``: snapshots of a market: taken from a node, looked at, and compared with the chain."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bot.chain import snapshot
from bot.chain.nodes.node import Endpoints
from bot.chain.nodes.pool import NodePool
from bot.chain.pools import load as load_pools
from bot.chain.snapshot import Snapshot, differences
from bot.cli.market_source import on_stderr, read_node
from bot.cli.profile import Profile
from bot.cli.profile import load as load_profile
from bot.cli.urls import HttpUrl
from bot.engine.decode import header
from bot.errors import UserError
from bot.jsonrpc import JsonRpc, RpcError

app = typer.Typer()

UNSEEN = 160  # columns of output that is not a terminal
PROFILE = Path("forks/mainnet.toml")
SHOWN = 20  # rows of a table

_Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
_Url = Annotated[str | None, typer.Option("--url", help="The node, instead of the profile's.")]


@app.callback()
def market() -> None:
    """Takes, shows and checks snapshots: files from which a market starts at once.

    Example: mev market snapshot --profile forks/mainnet.toml -o market.snapshot
    """


@app.command(name="snapshot", epilog="Example: mev market snapshot --profile forks/mainnet.toml -o market.snapshot")
def take(
    out: Annotated[Path, typer.Option("-o", "--out", help="The file to write.")],
    profile: Annotated[Path, typer.Option(help="The chain, its factories and tokens.")] = PROFILE,
    url: _Url = None,
    from_block: Annotated[
        int | None, typer.Option(min=0, help="Find pools by the factories' logs since this block, of any tokens.")
    ] = None,
    checked: Annotated[
        bool, typer.Option("--check-tokens/--no-check-tokens", help="Buy and sell each token by simulation.")
    ] = True,
    as_json: _Json = False,
) -> None:
    """Finds the pools of the profile's factories, reads them at the node's head, and writes all to one file.

    Without --from-block: the pools between the profile's tokens. Tokens are bought and sold by simulation; whoever
    starts from the file leaves out the pools of those that cost a tax or cannot be sold.
    """
    if not out.parent.is_dir():
        raise UserError(f"{out} cannot be written: there is no folder {out.parent}")
    chosen = load_profile(profile)
    taken = asyncio.run(_take(chosen, _nodes(chosen, url), from_block, checked))
    size = snapshot.save(taken, out)
    if as_json:
        print(json.dumps({"file": str(out), "bytes": size, **_summary(taken)}))
        return
    bad = sum(token.bad for token in taken.tokens)
    print(
        f"{out}: block {taken.head.number}, {len(taken.pools):,} pools, {len(taken.unknown):,} not read, "
        f"{len(taken.tokens):,} tokens, {bad:,} of them bad; {size:,} bytes"
    )


@app.command(epilog="Example: mev market show market.snapshot")
def show(
    file: Annotated[Path, typer.Argument(help="A snapshot.")],
    as_json: _Json = False,
) -> None:
    """What a snapshot holds: pools by protocol, tokens by pools, what is not known and why."""
    taken = snapshot.load(file)
    if as_json:
        print(json.dumps(_summary(taken)))
    else:
        _show(taken)


@app.command(epilog="Example: mev market check market.snapshot --profile forks/mainnet.toml")
def check(
    file: Annotated[Path, typer.Argument(help="A snapshot.")],
    profile: Annotated[Path, typer.Option(help="Whose node is asked.")] = PROFILE,
    url: _Url = None,
    at_head: Annotated[bool, typer.Option("--head", help="At the node's head, not the snapshot's block.")] = False,
    as_json: _Json = False,
) -> None:
    """Reads every stored pool from the chain again, and names those that are not as they are stored. Status 1 if any.

    At the snapshot's own block all must agree; the node has to have that block's state (an archive's, if it is old).
    """
    taken = snapshot.load(file)
    report = asyncio.run(_check(taken, _nodes(load_profile(profile), url), at_head))
    if as_json:
        print(json.dumps(report.json()))
    else:
        lines = [f"{pool}: {what}" for pool, what in report.differ.items()]
        lines.append(f"block {report.block}: {report.pools - len(report.differ):,} of {report.pools:,} pools agree")
        print("\n".join(lines))
    if report.differ:
        raise typer.Exit(1)


# --- snapshot ---------------------------------------------------------------------------------------------------------


def _nodes(profile: Profile, url: str | None) -> list[Endpoints]:
    if url is None:
        return profile.endpoints()
    try:
        return [Endpoints.at(HttpUrl(url).reveal())]
    except ValueError as error:
        raise UserError(f"--url: {error}") from None


async def _take(profile: Profile, nodes: list[Endpoints], from_block: int | None, checked: bool) -> Snapshot:
    async with NodePool(nodes) as node:
        return await read_node(profile, node, from_block=from_block, checked=checked, progress=on_stderr())


# --- check ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of it: ``differ`` says by pool what is other than stored."""

    block: int
    pools: int
    differ: dict[str, str]

    def json(self) -> dict[str, Any]:
        return {"block": self.block, "pools": self.pools, "differ": self.differ}


async def _check(taken: Snapshot, nodes: list[Endpoints], at_head: bool) -> Checked:
    async with NodePool(nodes) as node:
        chain_id = int(await node.call("eth_chainId"), 16)
        if chain_id != taken.chain_id:
            raise UserError(f"the node is on chain {chain_id}, the snapshot is of chain {taken.chain_id}")
        number = taken.head.number
        if at_head:
            number = int(await node.call("eth_blockNumber"), 16)
        else:
            await _same_block(node, taken)
        fresh = await load_pools(node, taken.infos, number, reach=taken.reach)
    differ = {}
    for pool in taken.pools:
        again = fresh.pools.get(pool.id)
        if again is None:
            differ[pool.id] = f"it cannot be read: {fresh.unknown.get(pool.id, 'it is not there')}"
        elif names := differences(pool, again):
            differ[pool.id] = f"{type(pool).__name__}: other {', '.join(names)}"
    return Checked(number, len(taken.pools), differ)


async def _same_block(node: JsonRpc, taken: Snapshot) -> None:
    try:
        found = await node.call("eth_getBlockByNumber", hex(taken.head.number), False)
    except RpcError as error:
        raise UserError(f"the node does not give block {taken.head.number}: {error}") from None
    if found is None or header(found).hash != taken.head.hash:
        raise UserError(
            f"block {taken.head.number} of the snapshot is not on the node's chain (it lags, or the chain was "
            "reorganised): compare with its head by --head, or take the snapshot anew"
        )


# --- show -------------------------------------------------------------------------------------------------------------


def _summary(taken: Snapshot) -> dict[str, Any]:
    protocols = {info.id: info.protocol for info in taken.infos}
    uses = Counter(token for pool in taken.pools for token in pool.tokens)
    return {
        "chain_id": taken.chain_id,
        "block": taken.head.number,
        "block_hash": taken.head.hash,
        "pools": len(taken.pools),
        "by_protocol": dict(Counter(protocols.get(pool.id, pool.kind) for pool in taken.pools).most_common()),
        "tokens": [
            {
                "address": token.address,
                "symbol": token.symbol,
                "decimals": token.decimals,
                "pools": uses[token.address],
                "verdict": str(token.verdict),
                "tax_bps": token.tax,
                "why": token.why,
            }
            for token in sorted(taken.tokens, key=lambda token: (-uses[token.address], token.address))
        ],
        "unknown": dict(taken.unknown),
    }


def _show(taken: Snapshot) -> None:
    console = Console(width=None if sys.stdout.isatty() else UNSEEN, highlight=False)
    told = _summary(taken)
    console.print(
        f"chain {told['chain_id']}, block {told['block']} ({told['block_hash']}): {told['pools']:,} pools, "
        f"{len(told['tokens']):,} tokens, {len(told['unknown']):,} pools not read"
    )
    protocols = Table("protocol", "pools", box=None, padding=(0, 2))
    for name, count in told["by_protocol"].items():
        protocols.add_row(name, f"{count:,}")
    console.print(protocols)
    tokens = Table("token", "pools", "decimals", "verdict", "why", box=None, padding=(0, 2))
    bad = [token for token in told["tokens"] if token["verdict"] in ("taxed", "unsellable")]
    others = [token for token in told["tokens"] if token not in bad]
    for token in (*others[:SHOWN], *bad[:SHOWN]):
        verdict = f"{token['verdict']} {token['tax_bps'] / 100:g} %" if token["tax_bps"] else token["verdict"]
        decimals = "" if token["decimals"] is None else str(token["decimals"])
        tokens.add_row(token["symbol"], f"{token['pools']:,}", decimals, verdict, token["why"])
    console.print(tokens)
    if told["unknown"]:
        reasons = Table("not read", "pools", "such as", box=None, padding=(0, 2))
        whys = Counter(told["unknown"].values())
        for why, count in whys.most_common(SHOWN):
            example = next(pool for pool, reason in told["unknown"].items() if reason == why)
            reasons.add_row(why, f"{count:,}", example)
        console.print(reasons)
