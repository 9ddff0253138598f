"""``mev run``: the bot on a node, by a profile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
from contextlib import AsyncExitStack
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot import abi
from bot.chain.nodes.node import Health
from bot.chain.nodes.pool import NodePool
from bot.chain.nodes.upstream import Upstream
from bot.chain.snapshot import load as load_market
from bot.cli.assembly import Bot, assemble
from bot.cli.profile import Profile, checked_address, load
from bot.cli.startup import check_chain, open_ledger, told_to_end
from bot.engine.clock import SystemClock
from bot.engine.types import StateDiff
from bot.errors import UserError
from bot.execution import paper as paper_mode
from bot.execution.accounts import Operator, Operators
from bot.execution.book import START, Book
from bot.execution.executor import is_operator
from bot.execution.keys import Signer
from bot.execution.recovery import settle_left_over
from bot.execution.relay import Relay
from bot.jsonrpc import JsonRpc
from bot.ledger.ledger import Ledger
from bot.ledger.records import RunKind

LAST_BLOCKS = 3  # block times that the end waits for outcomes; the next start learns the rest from the chain

app = typer.Typer(help="The bot on a node.")


@app.command(epilog="Example: mev run --profile forks/mainnet.toml --paper")
def run(
    profile: Annotated[Path, typer.Option(help="which chain, market, relays, limits and keys")],
    paper: Annotated[bool, typer.Option("--paper", help="prove, and send nothing")] = False,
    executor: Annotated[str | None, typer.Option(help="our contract, instead of the profile's")] = None,
    market: Annotated[Path | None, typer.Option(help="a file of mev market snapshot: its pools and no others")] = None,
    blocks: Annotated[int | None, typer.Option(min=1, help="end after so many blocks; else at Ctrl-C")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on stdout at the end")] = False,
) -> None:
    """Follows the chain, finds and proves trades, and sends them as bundles; without keys, or with --paper, it sends
    nothing. Ctrl-C ends it when the outcomes of what was sent are known."""
    console = Console(stderr=True)
    result = asyncio.run(_run(load(profile), paper, executor, market, blocks, console))
    if as_json:
        print(json.dumps(result))
    else:
        Console().print(result)


async def _run(
    profile: Profile, paper: bool, executor: str | None, market: Path | None, blocks: int | None, console: Console
) -> dict[str, object]:
    endpoints = profile.endpoints()
    signers = [] if paper else profile.operators()
    identity = profile.relay_signer()
    async with AsyncExitStack() as stack:
        nodes = await stack.enter_async_context(NodePool(endpoints))
        await check_chain(nodes, profile)
        book = Book.load(file) if (file := profile.book_file()) else Book.EMPTY
        contract, overrides = await _contract(nodes, profile, executor, signers, book)
        console.print(f"{'live' if signers else 'paper'} on chain {profile.chain_id}, executor {contract}")
        relays = [Relay(at.name, at.url.reveal(), identity) for at in profile.relays] if signers else []
        for relay in relays:
            await stack.enter_async_context(relay)
        ledger = stack.enter_context(open_ledger(profile.ledger_file(), console))
        for outcome in await settle_left_over(ledger, nodes, profile.chain_id):
            console.print(f"intent {outcome.intent_id} of an earlier run: {outcome.reason.value}")
        number = ledger.begin_run(
            RunKind.RUN if signers else RunKind.PAPER,
            profile=profile.name,
            chain_id=profile.chain_id,
            tokens=profile.units(),
            version=version("mevkit"),
        )
        bot = await assemble(
            profile,
            state_url=stack.enter_context(Upstream(endpoints)),
            nodes=nodes,
            contract=contract,
            ledger=ledger,
            run=number,
            relays=relays,
            operators=await _accounts(nodes, signers),
            clock=SystemClock(),
            rng=random.Random(os.urandom(8)),
            overrides=overrides,
            book=book,
            known=None if market is None else load_market(market),
        )
        await _until_told(bot, blocks, profile.block_time, console)
        await bot.executor.finish()
        await bot.signals.close()
        ledger.end_run()
        return _summary(bot, ledger, number, nodes)


async def _until_told(bot: Bot, blocks: int | None, block_time: int, console: Console) -> None:
    """Runs the bot until a signal, or the last block; then until nothing is open, but not for ever."""
    told = told_to_end()
    engine = asyncio.create_task(bot.engine.run())
    try:
        last = bot.fork.head.number + blocks if blocks else None
        while not told.is_set() and (last is None or bot.fork.head.number < last):
            await _next_head(bot, engine, told)
            _line(bot, console)
        bot.executor.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_BLOCKS * block_time):
                while bot.executor.open:
                    await _next_head(bot, engine, asyncio.Event())
    finally:
        engine.cancel()
        await asyncio.gather(engine, return_exceptions=True)


async def _next_head(bot: Bot, engine: asyncio.Task[None], told: asyncio.Event) -> None:
    """Returns at the next head or when told. Raises what ended the engine."""
    head = bot.fork.head.number
    while bot.fork.head.number == head and not told.is_set():
        if engine.done():
            engine.result()
        await asyncio.sleep(0.05)


def _line(bot: Bot, console: Console) -> None:
    stats, counts = bot.executor.stats, bot.engine.counts
    console.print(
        f"block {bot.fork.head.number}  pending {counts.events['PendingTx']}  found {counts.opportunities}  "
        f"proved {bot.prover.proved}  sent {stats.submitted}  open {bot.executor.open}"
        + (f"  [red]dropped {counts.dropped}[/]" if counts.dropped else "")
    )


def _summary(bot: Bot, ledger: Ledger, run: int, nodes: NodePool) -> dict[str, object]:
    summary = ledger.summary(run)
    return {
        "run": run,
        "found": summary.found,
        "simulated": bot.prover.proved,
        "submitted": summary.submitted,
        "landed": summary.landed,
        "reverted": summary.reverted,
        "profit_wei": summary.realised,
        "gas_wei": summary.gas_cost,
        "refused": {reason.value: count for reason, count in bot.executor.stats.refused.items()},
        "pending": {
            "now": len(bot.mempool.pending),
            "dropped": bot.engine.counts.dropped,
            "looked_at": dict(bot.fork.looked),
            "sources": [asdict(source) for source in bot.mempool.sources],
        },
        "collectors": {
            name: {"events": health.events, "restarts": health.restarts, "last_error": health.last_error}
            for name, health in bot.engine.health.items()
        },
        "nodes": {node.name: _health(node.health) for node in nodes.nodes},
        "disagreements": len(nodes.disagreements),
        "ledger": str(ledger.path),
    }


def _health(health: Health) -> dict[str, object]:
    counts = {name: getattr(health, name) for name in ("calls", "errors", "late", "silent", "disagreed")}
    return {**counts, "last_error": health.last_error}


# --- checks before anything is written -------------------------------------------------------------------------------


async def _contract(
    node: JsonRpc, profile: Profile, executor: str | None, signers: list[Signer], book: Book
) -> tuple[str, StateDiff]:
    """The executor's address and the state to assume on every head: none, or in paper mode an imagined executor."""
    if not signers:
        return paper_mode.CONTRACT, await paper_mode.imagined(node, profile.weth, book)
    try:
        contract = checked_address("--executor", executor) if executor else profile.bot.executor
    except ValueError as error:
        raise UserError(str(error)) from None
    if not contract:
        raise UserError("no executor: deploy one (README) and put its address into the profile's [bot], or use --paper")
    for signer in signers:
        request = {"to": contract, "data": abi.to_hex(is_operator(signer.address))}
        answer = await node.call("eth_call", request, "latest")
        if answer == "0x":
            raise UserError(f"there is no executor at {contract} on this chain: check the address")
        if not int(answer, 16):
            raise UserError(f"{signer.address} is not an operator of {contract}: let the owner call setOperator")
    if book:
        code = abi.to_bytes(await node.call("eth_getCode", contract, "latest"))
        if code[START:] != book.to_bytes():
            raise UserError(
                f"the book {profile.book_file()} is not what lies behind the code of {contract}: "
                "use the one that it was deployed with, or none"
            )
    return contract, {}


async def _accounts(node: JsonRpc, signers: list[Signer]) -> Operators | None:
    if not signers:
        return None
    counts = [int(await node.call("eth_getTransactionCount", signer.address, "latest"), 16) for signer in signers]
    return Operators([Operator(signer, count) for signer, count in zip(signers, counts, strict=True)])
