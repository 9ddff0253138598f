"""What a command that runs on does first: look at the node's chain, open the ledger, say what an earlier run left under
way, await its end."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from rich.console import Console

from bot.cli.profile import Profile
from bot.engine.types import Outcome, Reason
from bot.errors import UserError
from bot.jsonrpc import JsonRpc
from bot.ledger.ledger import Ledger
from bot.ledger.records import RunKind


def told_to_end() -> asyncio.Event:
    """Is set at Ctrl-C or SIGTERM, which from now on end nothing by themselves. Call it inside the loop."""
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told


def open_ledger(path: Path, console: Console) -> Ledger:
    """The ledger, for writing. Names the intents that a crashed run left behind; those of a demo, whose chain is gone
    with it, end here as interrupted. Raises LedgerError."""
    ledger = Ledger.open(path)
    for entry in ledger.under_way():
        sent = ", ".join(one.relay for one in entry.submissions) or "no relay"
        console.print(
            f"[yellow]run {entry.run} was cut off with intent {entry.id} under way[/]: {entry.strategy} for block "
            f"{entry.block_number}, nonce {entry.nonce} of {entry.sender}, sent to {sent}"
        )
        if entry.kind is not RunKind.RUN:
            ledger.record_outcome(Outcome(entry.id, Reason.INTERRUPTED, "the process and its chain ended"), entry.run)
    return ledger


async def check_chain(node: JsonRpc, profile: Profile) -> None:
    """Raises UserError for another chain's node, RpcUnreachable."""
    chain_id = int(await node.call("eth_chainId"), 16)
    if chain_id != profile.chain_id:
        raise UserError(f"the node is on chain {chain_id}, profile {profile.name} is for {profile.chain_id}")
