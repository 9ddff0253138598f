"""``mev fork``: forks of a chain that can be trusted, recorded blocks, and whether two records say the same."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bot.chain.nodes.node import Endpoints
from bot.chain.nodes.pool import NodePool
from bot.cli import profile as profiles
from bot.cli.fork_accounts import Funding, fund, parse
from bot.cli.profile import Profile
from bot.cli.startup import check_chain, told_to_end
from bot.cli.urls import HttpUrl
from bot.errors import UserError
from bot.jsonrpc import JsonRpc, RpcError
from bot.simulation import hardforks
from bot.simulation.anvil import Anvil
from bot.simulation.cassette import Cassette, load
from bot.simulation.cassette_diff import diff as cassette_diff
from bot.simulation.cassette_server import Answers
from bot.simulation.fork_cache import ForkCache, cacheable
from bot.simulation.pinned import Pin, PinnedNode, pin
from bot.simulation.record import RecordFailed, Recording
from bot.simulation.record import record as record_block
from bot.simulation.rules import ORDER
from bot.simulation.server_process import check_free, listen

PLAIN = ("--accounts", "0", "--disable-default-create2-deployer", "--retries", "0")
"""Nothing of anvil's own in the state: its well-known accounts have a past on real chains."""
SECONDS = 120.0  # a node may take to trace a block
PATIENCE = 60.0  # seconds that a fork may wait for a distant node and not count as hanging
SHOWN = 20  # differences

app = typer.Typer(
    help="Forks of a chain, recorded blocks, and whether two records say the same.",
    epilog="Example: mev fork up --profile forks/mainnet.toml",
)

ProfileFile = Annotated[Path | None, typer.Option("--profile", help="Its node, chain and hardfork.")]
NodeUrl = Annotated[str | None, typer.Option("--url", help="A node, http(s)://…, or ${VARIABLE} that holds it.")]
Rules = Annotated[str | None, typer.Option(help="Rules by anvil's name; without it the profile's, or the block's.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


# --- up ---------------------------------------------------------------------------------------------------------------


@app.command(epilog="Example: mev fork up --profile forks/mainnet.toml --fund 0x…=100 --token 0x…:WETH=25")
def up(
    profile: ProfileFile = None,
    url: NodeUrl = None,
    block: Annotated[int | None, typer.Option(min=0, help="The block to fork after; without it the head.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the fork; 0 for a free one.")] = 8545,
    ether: Annotated[list[str] | None, typer.Option("--fund", help="ADDRESS=ETHER, any number of times.")] = None,
    tokens: Annotated[list[str] | None, typer.Option("--token", help="HOLDER:TOKEN=AMOUNT, in whole tokens.")] = None,
    impersonate: Annotated[list[str] | None, typer.Option(help="An address to send from without its key.")] = None,
    hardfork: Rules = None,
    cache: Annotated[bool, typer.Option(help="Keep what was read from the node for later forks of the block.")] = True,
    as_json: AsJson = False,
) -> None:
    """A fork of one block on 127.0.0.1, until Ctrl-C. It mines each transaction at once.

    What it reads is kept by chain and block hash, so a second fork of the block needs the node hardly at all. Nodes
    whose state can be edited (anvil, a recorded block) are not cached. A token is any ERC-20 by its address, or one of
    the profile by its symbol: where it keeps the balance is found by trying.
    """
    source = _profile(profile, url, hardfork)
    nodes = _nodes(source, url)
    funding = parse(ether or (), tokens or (), impersonate or (), source)
    check_free(port)
    asyncio.run(_up(nodes, source, block, port, funding, hardfork, cache, as_json))


async def _up(
    nodes: list[Endpoints],
    source: Profile | None,
    block: int | None,
    port: int,
    funding: Funding,
    hardfork: str | None,
    cached: bool,
    as_json: bool,
) -> None:
    told, console = told_to_end(), Console(stderr=True, highlight=False)
    async with NodePool(nodes, timeout=SECONDS) as node:
        await _check(node, source)
        at = await pin(node, "latest" if block is None else block)
        rules = hardfork or _rules(at, source) or ORDER[-1]
        cache = ForkCache(at.chain_id, at.hash) if cached and cacheable(await _client(node)) else None
        pinned = PinnedNode(node, at, cache)
        options: dict[str, Any] = {"chain_id": at.chain_id, "fork_block": at.number, "port": port, "automine": True}
        try:
            async with (
                pinned.served() as upstream,
                Anvil(hardfork=rules, fork_url=upstream, args=PLAIN, **options) as anvil,
            ):
                accounts = await fund(anvil.rpc, funding)
                report = {
                    **{"http": anvil.http_url, "ws": anvil.ws_url, "chain_id": at.chain_id, "block": at.number},
                    **{"hash": at.hash, "hardfork": rules, **accounts, "cache": _cache(cache), "asked": pinned.asked},
                }
                print(json.dumps(report) if as_json else _told(report), flush=True)
                watch = asyncio.ensure_future(anvil.watch(patience=PATIENCE))
                await asyncio.wait({asyncio.ensure_future(told.wait()), watch}, return_when=asyncio.FIRST_COMPLETED)
                if watch.done():
                    watch.result()
                watch.cancel()
        finally:
            words = f"{pinned.asked} questions to the node; cache: {_cache_words(_cache(cache))}"
            console.print(words, soft_wrap=True)
            if cache is not None:
                cache.close()


def _cache(cache: ForkCache | None) -> dict[str, Any] | None:
    return None if cache is None else {"path": str(cache.path), "bytes": cache.size, "entries": cache.entries}


def _cache_words(cache: dict[str, Any] | None) -> str:
    if cache is None:
        return "none (this node's state can be edited, or --no-cache)"
    return f"{cache['path']}, {cache['entries']:,} answers, {cache['bytes'] / 1e6:.1f} MB"


def _told(report: dict[str, Any]) -> str:
    lines = [f"{name:9} {report[name]}" for name in ("http", "ws", "chain_id", "hardfork")]
    lines.append(f"{'block':9} {report['block']} {report['hash']}")
    lines.append(f"{'cache':9} {_cache_words(report['cache'])}")
    for account in report["accounts"]:
        what = " (impersonated)" if account["impersonated"] else ""
        lines.append(f"{'account':9} {account['address']} {account['balance_wei'] / 10**18:g} ETH{what}")
    for token in report["tokens"]:
        place = f"slot 0x{token['slot']:x} of {token['contract']}"
        lines.append(f"{'token':9} {token['holder']} {token['amount']} of {token['token']} ({place})")
        if token["total_supply"] is not None and token["amount"] > token["total_supply"]:
            lines.append(f"{'':9} that is more than its total supply, {token['total_supply']}")
    return "\n".join(lines)


# --- record -----------------------------------------------------------------------------------------------------------


@app.command(epilog="Example: mev fork record --block 24628607 --url '${NODE_URL}' -o 24628607.json.gz")
def record(
    block: Annotated[int, typer.Option(min=1, help="Its number.")],
    profile: ProfileFile = None,
    url: NodeUrl = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Without it BLOCK.json.gz, here.")] = None,
    hardfork: Rules = None,
    as_json: AsJson = False,
) -> None:
    """Runs a block of a node and writes a cassette: its transactions, and every account and slot that it touches, as
    they were before it.

    The node has to have the state of the block before. The file is written only after the block, run on it alone, gave
    the receipts root of its header; status 1 says what came out differently first.
    """
    source = _profile(profile, url, hardfork)
    path = output or Path(f"{block}.json.gz")
    if path.exists():
        raise UserError(f"{path} is there already: remove it, or choose another name (-o)")
    if not path.absolute().parent.is_dir():
        raise UserError(f"there is no folder {path.absolute().parent}: make it, or choose another name (-o)")
    begun = time.perf_counter()
    try:
        made = asyncio.run(_record(_nodes(source, url), source, block, path, hardfork))
    except RecordFailed as error:
        print(f"mev: block {block} is not recorded: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    seconds = time.perf_counter() - begun
    if as_json:
        print(json.dumps({**_recorded(made), "seconds": round(seconds, 3)}))
        return
    found = _recorded(made)
    print(f"{path}: block {block} of chain {made.cassette.chain_id} ({made.cassette.hardfork}), {seconds:.1f} s")
    print("  " + ", ".join(f"{found[name]:,} {name}" for name in ("transactions", "accounts", "slots", "codes")))
    print("  run on this file alone, it gives the header's receipts root")
    if made.left_out:
        print(f"  not told by the node, and not needed: {len(made.left_out)} ({made.left_out[0]} …)")


async def _record(
    nodes: list[Endpoints], source: Profile | None, block: int, path: Path, hardfork: str | None
) -> Recording:
    console = Console(stderr=True, highlight=False)

    def progress(what: str) -> None:
        console.print(what)

    async with NodePool(nodes, timeout=SECONDS) as node:
        await _check(node, source)
        at = await pin(node, block)
        return await record_block(node, block, path, hardfork=hardfork or _rules(at, source), progress=progress)


def _recorded(made: Recording) -> dict[str, Any]:
    cassette = made.cassette
    return {
        "file": str(made.path),
        "block": cassette.number,
        "chain_id": cassette.chain_id,
        "hardfork": cassette.hardfork,
        "transactions": len(cassette.raw_transactions),
        "accounts": len(cassette.accounts),
        "slots": _slots(cassette),
        "codes": len(cassette.codes),
        "block_hashes": len(cassette.block_hashes),
        "receipts_root_matches": True,
        "traced": made.traced,
        "asked": made.asked,
        "left_out": list(made.left_out),
    }


def _slots(cassette: Cassette) -> int:
    return sum(len(account.storage) for account in cassette.accounts.values())


# --- serve ------------------------------------------------------------------------------------------------------------


@app.command(epilog="Example: mev fork serve ../shared/data/mainnet/24628607.json.gz --port 8547")
def serve(
    file: Annotated[Path, typer.Argument(help="A cassette: a recorded block with its state.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for a free one.")] = 8547,
    fresh: Annotated[list[str] | None, typer.Option(help="A new address: empty, not unknown.")] = None,
    as_json: AsJson = False,
) -> None:
    """A node that knows one recorded block, on 127.0.0.1 until Ctrl-C.

    Its head is the block before, whose state it has; the block itself, its transactions, receipts and logs are there
    too. What was not recorded is an error that names it, never zero. It runs nothing: fork it for that, `mev fork up`.
    """
    cassette = load(file)
    created = [_address("--fresh", text) for text in fresh or ()]
    check_free(port)
    asyncio.run(_serve(cassette, created, port, as_json))


async def _serve(cassette: Cassette, fresh: Iterable[str], port: int, as_json: bool) -> None:
    told = told_to_end()
    server = await listen(Answers(cassette, fresh, whole=True).answer, port)
    host, bound = server.sockets[0].getsockname()[:2]
    where = {"http": f"http://{host}:{bound}", "chain_id": cassette.chain_id, "block": cassette.number}
    state = {"state_of": cassette.number - 1, "accounts": len(cassette.accounts), "slots": _slots(cassette)}
    print(json.dumps({**where, **state}) if as_json else _lines({**where, **state}), flush=True)
    await told.wait()
    server.close()


def _lines(report: dict[str, Any]) -> str:
    return "\n".join(f"{name:9} {value}" for name, value in report.items())


# --- diff -------------------------------------------------------------------------------------------------------------


@app.command(epilog="Example: mev fork diff one.json.gz another.json.gz")
def diff(
    a: Annotated[Path, typer.Argument(help="A cassette.")],
    b: Annotated[Path, typer.Argument(help="Another of the same block.")],
    as_json: AsJson = False,
) -> None:
    """Whether two cassettes say the same: header, transactions, receipts, rules, accounts, codes, slots, block hashes.

    An empty account and an absent one are the same, and a code that is not known is an entry that is missing. Status 1
    when they differ.
    """
    found = cassette_diff(load(a), load(b))
    if as_json:
        parts = {"contradictions": list(found.contradictions), "only_a": found.only_a, "only_b": found.only_b}
        print(json.dumps({"equal": found.equal, **parts}))
    else:
        print("equal" if found.equal else "different")
        _few("", found.contradictions)
        _few(f"only in {a}: ", [f"{name}: {value}" for name, value in found.only_a.items()])
        _few(f"only in {b}: ", [f"{name}: {value}" for name, value in found.only_b.items()])
    if not found.equal:
        raise typer.Exit(1)


def _few(before: str, lines: Iterable[str]) -> None:
    every = list(lines)
    for line in every[:SHOWN]:
        print(f"  {before}{line}")
    if len(every) > SHOWN:
        print(f"  {before}and {len(every) - SHOWN:,} more: --json")


# --- the node ---------------------------------------------------------------------------------------------------------


def _profile(path: Path | None, url: str | None, hardfork: str | None) -> Profile | None:
    if path is None and url is None:
        raise UserError("no node: name one by --url, or a profile with one by --profile")
    if hardfork is not None and hardfork not in ORDER:
        raise UserError(f"no hardfork {hardfork!r}: say one of {', '.join(ORDER)}")
    return None if path is None else profiles.load(path)


def _nodes(source: Profile | None, url: str | None) -> list[Endpoints]:
    """``--url`` goes before the profile's nodes. Raises UserError."""
    if url is None:
        assert source is not None
        return source.endpoints()
    try:
        return [Endpoints.at(HttpUrl(url).reveal())]
    except ValueError as error:
        raise UserError(f"--url: {error}") from None


async def _check(node: JsonRpc, source: Profile | None) -> None:
    if source is not None:
        await check_chain(node, source)


def _rules(at: Pin, source: Profile | None) -> str | None:
    """The block's own where the chain's schedule is known; else those that the profile says the chain has now."""
    own = hardforks.of_block(at.chain_id, at.header)
    return own if source is None or at.chain_id == hardforks.MAINNET else source.hardfork


async def _client(node: JsonRpc) -> str:
    try:
        return str(await node.call("web3_clientVersion"))
    except RpcError:
        return ""


def _address(option: str, text: str) -> str:
    try:
        return profiles.checked_address(option, text)
    except ValueError as error:
        raise UserError(str(error)) from None
