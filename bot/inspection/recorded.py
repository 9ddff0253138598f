"""Blocks from what nodes answer: receipts, and traces in geth's or parity's form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.engine.decode import logs
from bot.inspection.block import LEAST_GAS, Block, Tx
from bot.inspection.calls import Call, from_parity

PARITY = "parity traces with receipts"
LIGHT = "parity traces without logs: tokens that keep a share count in full, and gas is known where recorded"


def from_node(
    block: Mapping[str, Any],
    receipts: Sequence[Mapping[str, Any]],
    roots: Mapping[int, Call] | None,
    wrapped: str,
    source: str,
) -> Block:
    """``block`` and ``receipts`` as eth_getBlockByNumber and eth_getBlockReceipts give them; ``roots`` are the
    outermost calls by index, None where the node has no tracer. Raises KeyError, ValueError where they are not so."""
    transactions = tuple(
        Tx(
            index=index,
            hash=receipt["transactionHash"],
            sender=receipt["from"].lower(),
            to=(receipt["to"] or receipt.get("contractAddress") or "").lower() or None,
            gas_used=int(receipt["gasUsed"], 16),
            gas_price=int(receipt["effectiveGasPrice"], 16),
            root=None if roots is None else roots.get(index),
            logs=logs(receipt["logs"]),
        )
        for index, receipt in enumerate(receipts)
    )
    base_fee = int(block.get("baseFeePerGas") or "0x0", 16)
    return Block(int(block["number"], 16), block["miner"].lower(), base_fee, transactions, source, wrapped)


def from_light(recording: Mapping[str, Any], wrapped: str) -> Block:
    """A file of parity traces with light receipts: ``{block_number, miner, base_fee_per_gas, traces, receipts}``.
    Raises KeyError, TypeError, ValueError where it is none."""
    roots = from_parity(recording["traces"])
    transactions = []
    for receipt in recording["receipts"]:
        index, gas_used = receipt["transaction_index"], receipt["gas_used"]
        root = roots.get(index)
        transactions.append(
            Tx(
                index=index,
                hash=receipt["transaction_hash"],
                sender=root.sender if root else "",
                to=(receipt["to"] or "").lower() or None,
                gas_used=gas_used if gas_used >= LEAST_GAS else None,
                gas_price=receipt["effective_gas_price"],
                root=root,
            )
        )
    number, base_fee = recording["block_number"], recording["base_fee_per_gas"] or 0
    return Block(number, recording["miner"].lower(), base_fee, tuple(transactions), LIGHT, wrapped)
