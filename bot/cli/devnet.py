"""``mev devnet``: the chain of the demo, left running for ``mev run``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from typing import Annotated

import typer
from rich.console import Console

from bot.cli.deployment import deploy_executor
from bot.cli.profile import load
from bot.devnet.network import Devnet
from bot.paths import data_dir, repo_root

PROFILE = "forks/devnet.toml"

app = typer.Typer(help="A chain of real protocols with order flow, for mev run.")


@app.command(epilog="Example: mev devnet --block-time 6")
def devnet(
    block_time: Annotated[float, typer.Option(min=0.2, help="seconds a block")] = 4.0,
    seed: Annotated[int, typer.Option(help="of the order flow")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="the environment and the command as JSON")] = False,
) -> None:
    """Runs until Ctrl-C. Says which environment and command let a bot run on it."""
    asyncio.run(_devnet(block_time, seed, as_json))


async def _devnet(block_time: float, seed: int, as_json: bool) -> None:
    profile = load(repo_root() / PROFILE)
    console = Console(stderr=True)
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    async with Devnet(data_dir(), seed, wall_time=True) as net:
        contract = await deploy_executor(net, profile.weth, profile.operators())
        environment = {
            "MEV_DEVNET_HTTP": net.node.http_url,
            "MEV_DEVNET_WS": net.node.ws_url,
            "MEV_DEVNET_RELAY": net.relay_url,
        }
        command = f"mev run --profile {PROFILE} --executor {contract}"
        if as_json:
            print(json.dumps({"environment": environment, "command": command, "executor": contract}), flush=True)
        else:
            print(*(f"export {name}={url}" for name, url in environment.items()), command, sep="\n", flush=True)
        while not told.is_set():
            await net.send_flow(gap=block_time / 100)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), block_time / 2)
            built = await net.build_block()
            console.print(
                f"block {built.number}  {built.transactions} transactions  {len(built.bundles_included)} bundles in, "
                f"{len(built.bundles_dropped)} dropped"
            )
