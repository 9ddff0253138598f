"""After a crash: what became of the intents that an earlier run left under way. Until that is known, their nonces
are held and the accounts cannot trade."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.devnet.deployment import CHAIN_ID as DEVNET
from bot.engine.types import Intent, Opportunity, Outcome, Reason
from bot.errors import UserError
from bot.execution.outcomes import from_receipt
from bot.jsonrpc import JsonRpc
from bot.ledger.ledger import Ledger
from bot.ledger.records import Entry, RunKind

POLL = 0.5  # seconds


async def settle_left_over(ledger: Ledger, node: JsonRpc, chain_id: int, *, patience: float = 36.0) -> list[Outcome]:
    """Records, by what the chain says, the outcomes of intents that earlier runs left under way on it. Call it
    between opening the ledger and beginning the run.

    A bundle is for one block: once that has come without it, it cannot be mined any more. Waits ``patience`` seconds
    for that block; raises UserError when it does not come, RpcUnreachable.
    """
    outcomes = []
    for entry in reversed(ledger.under_way()):
        if entry.kind is RunKind.RUN and entry.chain_id == chain_id:
            outcome = await _fate(entry, node, patience)
            ledger.record_outcome(outcome, entry.run)
            outcomes.append(outcome)
    return outcomes


async def _fate(entry: Entry, node: JsonRpc, patience: float) -> Outcome:
    head = await _head(node)
    if entry.chain_id == DEVNET and head < entry.block_number - 1:
        return Outcome(entry.id, Reason.INTERRUPTED, "the devnet began anew")
    waited = 0.0
    while head < entry.block_number:
        if waited >= patience:
            raise UserError(
                f"intent {entry.id} is under way for block {entry.block_number} and the node is at {head}: "
                "start again when the node has caught up"
            )
        await asyncio.sleep(POLL)
        waited += POLL
        head = await _head(node)
    receipt: dict[str, Any] | None = await node.call("eth_getTransactionReceipt", entry.tx_hash)
    if receipt is None:
        return Outcome(entry.id, Reason.NOT_INCLUDED, "found so after a restart", entry.block_number)
    return from_receipt(_intent(entry), receipt, receipt["to"].lower())


async def _head(node: JsonRpc) -> int:
    return int(await node.call("eth_blockNumber"), 16)


def _intent(entry: Entry) -> Intent:
    """What the ledger tells of the intent; its bytes are not needed any more."""
    opportunity = Opportunity(entry.strategy, entry.trade, entry.block_number, None, entry.created_ns)
    return Intent(
        id=entry.id,
        opportunity=opportunity,
        sender=entry.sender,
        nonce=entry.nonce,
        program=b"",
        bid=entry.bid,
        gas=entry.gas,
        predicted_profit=entry.predicted_profit,
        raw=b"",
        tx_hash=entry.tx_hash,
    )
