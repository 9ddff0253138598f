"""What a command that runs on does first: look at the node's chain, open the ledger, say what an earlier run left under
way, await its end."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import structlog
from rich.console import Console

from bot.chain.nodes.pool import NodePool
from bot.cli.profile import Profile
from bot.engine.types import Outcome, Reason
from bot.errors import UserError
from bot.jsonrpc import JsonRpc, RpcError, RpcUnreachable
from bot.ledger.ledger import Ledger
from bot.ledger.records import RunKind

logger = structlog.get_logger(__name__)


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
    """Of every node of a pool. Raises UserError where one is on another chain, or none answers."""
    nodes = [(one.name, one.rpc) for one in node.nodes] if isinstance(node, NodePool) else [("", node)]
    said = await asyncio.gather(*(rpc.call("eth_chainId") for _, rpc in nodes), return_exceptions=True)
    if all(isinstance(chain, RpcError | RpcUnreachable) for chain in said):
        raise UserError(f"no node of profile {profile.name} answers ({said[0]}): is it running?")
    for (name, _), chain in zip(nodes, said, strict=True):
        if isinstance(chain, RpcError | RpcUnreachable):
            logger.warning("a node does not answer", node=name, error=str(chain))
        elif isinstance(chain, BaseException):
            raise chain
        elif _number(chain) != profile.chain_id:
            which = f"node {name}" if len(nodes) > 1 else "the node"
            raise UserError(
                f"{which} is on chain {_number(chain)}, profile {profile.name} is for chain {profile.chain_id}: "
                "use the profile of that chain"
            )


def _number(quantity: object) -> int | None:
    try:
        return int(str(quantity), 16)
    except ValueError:
        return None
