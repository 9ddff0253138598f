"""``mev demo``: a chain with the real protocols, order flow on it, and the bot, from nothing to landed bundles."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Coroutine
from importlib.metadata import version
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from bot import abi
from bot.chain.nodes.node import Endpoints
from bot.chain.nodes.pool import NodePool
from bot.cli.assembly import Bot, assemble
from bot.cli.demo_report import DemoResult, Progress
from bot.cli.deployment import book_of, deploy_executor
from bot.cli.profile import load
from bot.cli.startup import open_ledger
from bot.devnet.deployment import CHAIN_ID
from bot.devnet.network import Devnet
from bot.engine.clock import SystemClock
from bot.execution import keys
from bot.execution.accounts import Operator, Operators
from bot.execution.relay import Relay
from bot.ledger.ledger import Ledger
from bot.ledger.records import RunKind
from bot.paths import data_dir, repo_root

GAP = 0.02  # seconds between two transactions of the flow: three times mainnet's rate
NEWEST = 16  # intents looked through for those of the last block
PATIENCE = 30.0  # seconds that the bot may take over one slot

app = typer.Typer(help="The whole thing on this machine: chain, order flow, builder and bot.")
T = TypeVar("T")


@app.command(epilog="Example: mev demo --blocks 20 --seed 3")
def demo(
    blocks: Annotated[int, typer.Option(min=1, help="blocks to run")] = 60,
    seed: Annotated[int, typer.Option(help="of the order flow: the same seed, the same opportunities")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on stdout; progress on stderr")] = False,
) -> None:
    """Runs the bot on a chain of its own, with the real protocols' bytecode, and ends with a summary.

    Exit status 1 when anything went wrong: a revert on chain, a profit that is not the predicted one to the wei, an
    incomplete ledger.
    """
    result = asyncio.run(
        _demo(blocks, seed, Console(stderr=True, quiet=as_json and not Console(stderr=True).is_terminal))
    )
    if as_json:
        print(json.dumps(result.as_json()))
    else:
        result.print(Console(highlight=False))
    if result.wrong:
        raise typer.Exit(1)


async def _demo(blocks: int, seed: int, console: Console) -> DemoResult:
    profile = load(repo_root() / "forks" / "devnet.toml")
    with open_ledger(data_dir() / "ledger.sqlite", console) as ledger:
        console.print("starting the chain …")
        async with Devnet(data_dir(), seed) as net:
            clock = SystemClock(start_seconds=net.deployment.head_timestamp)
            signers = profile.operators()
            book = book_of(net.deployment)
            contract = await deploy_executor(net, book, signers)
            run = ledger.begin_run(
                RunKind.DEMO,
                profile=profile.name,
                chain_id=CHAIN_ID,
                seed=seed,
                tokens=profile.units(),
                version=version("mevkit"),
            )
            async with (
                Relay("devnet", net.relay_url, keys.ephemeral()) as relay,
                NodePool([Endpoints("devnet", net.node.http_url, net.node.ws_url)]) as nodes,
            ):
                bot = await assemble(
                    profile,
                    state_url=net.node.http_url,
                    nodes=nodes,
                    contract=contract,
                    ledger=ledger,
                    run=run,
                    relays=[relay],
                    operators=Operators([Operator(signer, mined=0) for signer in signers]),
                    clock=clock,
                    rng=random.Random(seed),
                    book=book,
                )
                await bot.fork.read(nodes, net.deployment.traders)  # who is not known yet is passed by others
                before = await _weth_of(net, contract)
                symbols = {token.address: token.symbol for token in profile.tokens}
                await _while_running(bot, _slots(net, bot, ledger, run, blocks, Progress(console, symbols)))
                await bot.executor.finish()
            ledger.end_run()
            gained = await _weth_of(net, contract) - before
            return DemoResult.of(blocks, bot, ledger, run, profile.weth, gained)


async def _slots(net: Devnet, bot: Bot, ledger: Ledger, run: int, blocks: int, progress: Progress) -> None:
    """Slot by slot: flow, the bot's answer to it, the block, and the bot's answer to that."""
    progress.begin()
    for number in range(blocks):
        flow = await net.send_flow(GAP)
        await bot.engine.settled(flow, timeout=PATIENCE)
        if number == blocks - 1:
            bot.executor.close()
        built = await net.build_block()
        await bot.engine.settled([built.hash], timeout=PATIENCE)
        progress.block(built, len(flow), bot, ledger.entries(run, limit=NEWEST))


async def _while_running(bot: Bot, work: Coroutine[None, None, T]) -> T:
    """The result of ``work``, which goes on while the bot runs; what ends the bot ends the work. Raises what either
    raised."""
    engine, worker = asyncio.create_task(bot.engine.run()), asyncio.create_task(work)
    try:
        await asyncio.wait([engine, worker], return_when=asyncio.FIRST_COMPLETED)
        if engine.done():
            engine.result()
        return await worker
    finally:
        for task in (engine, worker):
            task.cancel()
        await asyncio.gather(engine, worker, return_exceptions=True)


async def _weth_of(net: Devnet, holder: str) -> int:
    call = {"to": net.deployment.weth, "data": abi.to_hex(abi.call("balanceOf(address)", holder))}
    return int(await net.node.rpc.call("eth_call", call, "latest"), 16)
