"""What one transaction would do, for ``mev whales impact``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from bot import abi
from bot.chain.discovery import Progress
from bot.chain.nodes.pool import NodePool
from bot.chain.nodes.upstream import Upstream
from bot.chain.swap_calls import swaps
from bot.chain.watchlist import Kind, Watched
from bot.cli.market_source import read_node
from bot.cli.profile import Profile
from bot.devnet.transactions import BadTransaction, decode
from bot.engine.decode import TransactionBody, transaction
from bot.engine.types import PendingEffect, PendingTx, Transaction
from bot.errors import UserError
from bot.jsonrpc import JsonRpc
from bot.ledger.forecasts import Tallies
from bot.simulation.fork import HeadFork, call_of
from bot.simulation.types import UnrecordedState
from bot.strategies.gas import GasPolicy
from bot.strategies.whale_record import Record
from bot.strategies.whales import Whales


@dataclass(frozen=True, slots=True)
class Report:
    """``why`` it would not go through, empty where it would; ``text`` and ``data`` are the signal's."""

    tx: str
    sender: str
    block: int
    why: str = ""
    text: str = "it moves none of the pools known here, and nothing to or from an exchange"
    confidence: float | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


async def impact_of(
    profile: Profile,
    tx_hash: str | None,
    raw: str | None,
    known: Mapping[str, Watched],
    tallies: Tallies,
    progress: Progress,
) -> Report:
    """By hash or signed bytes. Raises UserError, RpcUnreachable."""
    endpoints = profile.endpoints()
    async with NodePool(endpoints) as node:
        tx = _from_raw(raw, profile.chain_id) if raw is not None else await _from_node(node, str(tx_hash))
        taken = await read_node(profile, node, progress=progress)
        market = taken.market(profile.bot.max_hops)
        label = known[tx.sender].label if tx.sender in known else tx.sender
        watch = {**known, tx.sender: Watched(label, Kind.WALLET)}
        with Upstream(endpoints) as state_url:
            fork = HeadFork(
                state_url,
                taken.head,
                chain_id=profile.chain_id,
                block_time=profile.block_time,
                lacking=market.lacking,
                watched=watch,
            )
            event = await fork.adapt(PendingTx(tx, 0))
            if not isinstance(event, PendingEffect):
                return Report(tx.hash, tx.sender, fork.block.number, _why(fork, tx))
        whales = Whales(
            market,
            GasPolicy(profile.weth),
            watch.get,  # type: ignore[arg-type]  # of None there is none
            decode=swaps,
            record=Record(tallies),
            names=profile.units(),
        )
        for signal in whales.process(event):
            return Report(tx.hash, tx.sender, fork.block.number, "", signal.text, signal.confidence, {**signal.data})
        return Report(tx.hash, tx.sender, fork.block.number)


def _why(fork: HeadFork, tx: Transaction) -> str:
    """Why there is no effect."""
    if tx.max_fee_per_gas < fork.block.base_fee:
        return f"it pays at most {tx.max_fee_per_gas} wei a gas, and the next block's base fee is {fork.block.base_fee}"
    try:
        (result,) = fork.run([call_of(tx, fork.block.base_fee)])
    except UnrecordedState as error:
        return f"the node does not give the state that it needs: {error}"
    if not result.success:
        return f"{result.error}{': ' + _reason(result.output) if result.output else ''}"
    return f"its nonce is {tx.nonce}, which is not its sender's next: it waits for another transaction, or is too late"


def _reason(output: bytes) -> str:
    """The text of an Error(string), else the bytes."""
    if output[:4] == abi.selector("Error(string)") and len(output) >= 68:
        return output[68 : 68 + abi.uint(output[4:], 1)].decode(errors="replace")
    return abi.to_hex(output[:68])


def _from_raw(text: str, chain_id: int) -> Transaction:
    try:
        return decode(bytes.fromhex(text.removeprefix("0x")), chain_id)
    except (ValueError, BadTransaction) as error:
        raise UserError(f"--raw is no transaction for chain {chain_id}: {error}") from None


async def _from_node(node: JsonRpc, tx_hash: str) -> Transaction:
    if len(tx_hash) != 66 or not tx_hash.startswith("0x"):
        raise UserError(f"{tx_hash!r} is not the hash of a transaction: 0x and 64 hexadecimal digits")
    body = await node.call("eth_getTransactionByHash", tx_hash)
    if body is None:
        raise UserError(f"the node does not know {tx_hash}: give the signed transaction by --raw")
    if body.get("blockNumber") is not None:
        number = int(body["blockNumber"], 16)
        raise UserError(f"{tx_hash} is in block {number} already: mev inspect {number} says what it did")
    tx = transaction(msgspec.convert(body, TransactionBody))
    if tx is None:
        raise UserError(f"{tx_hash} is of a kind that cannot be simulated here: give a transaction without blobs")
    return tx
