"""``mev devnet``: the chain of the demo, left running for ``mev run``."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Annotated

import typer
from rich.console import Console

from bot.cli.deployment import book_of, deploy_executor
from bot.cli.profile import load
from bot.cli.startup import told_to_end
from bot.devnet.network import Devnet
from bot.paths import data_dir, repo_root
from bot.simulation.server_process import check_free

PROFILE = "forks/devnet.toml"

app = typer.Typer(help="A chain of real protocols with order flow, for mev run.")


@app.command(epilog="Example: mev devnet --block-time 6")
def devnet(
    block_time: Annotated[float, typer.Option(min=0.2, help="seconds a block")] = 4.0,
    seed: Annotated[int, typer.Option(help="of the order flow")] = 7,
    size: Annotated[float, typer.Option(min=0, help="of its trades: 1 leaves much to take, 0.1 little")] = 1.0,
    port: Annotated[int, typer.Option(help="of the node; 0 for a free one")] = 8545,
    relay_port: Annotated[int, typer.Option(help="of the relay; 0 for a free one")] = 8546,
    as_json: Annotated[bool, typer.Option("--json", help="where it is, as JSON")] = False,
) -> None:
    """Runs until Ctrl-C. With the ports unchanged, `mev run --profile forks/devnet.toml` finds it."""
    for one in (port, relay_port):
        check_free(one, "--port, --relay-port")
    asyncio.run(_devnet(block_time, seed, size, port, relay_port, as_json))


async def _devnet(block_time: float, seed: int, size: float, port: int, relay_port: int, as_json: bool) -> None:
    profile = load(repo_root() / PROFILE)
    console = Console(stderr=True)
    told = told_to_end()
    async with Devnet(data_dir(), seed, wall_time=True, size=size, port=port, relay_port=relay_port) as net:
        book = book_of(net.deployment)
        if (file := profile.book_file()) is not None:
            book.save(file)
        contract = await deploy_executor(net, book, profile.operators())
        where = {"http": net.node.http_url, "ws": net.node.ws_url, "relay": net.relay_url, "executor": contract}
        print(json.dumps(where) if as_json else "\n".join(f"{k:9} {v}" for k, v in where.items()), flush=True)
        while not told.is_set():
            await net.send_flow(gap=block_time / 100)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), block_time / 2)
            built = await net.build_block()
            console.print(
                f"block {built.number}  {built.transactions} transactions  {len(built.bundles_included)} bundles in, "
                f"{len(built.bundles_dropped)} dropped"
            )
