"""Anvil's mempool in order of arrival, and a block in exactly the order we want.

Anvil run with ``--no-mining --order fifo`` mines its pool as it came in. To put bundles in front, the pool is emptied
and refilled: bundles, then the rest as they had arrived. Subscribers to pending transactions therefore hear of the
bundles' transactions some 20 ms before the block (with 25 behind them), and of public ones a second time. A block
without bundles is mined as the pool stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any

from bot.abi import to_hex
from bot.engine.types import Transaction
from bot.jsonrpc import JsonRpc, RpcError


class BuilderFailed(Exception):
    """The node did not do as told: the block is not the one that was built. The message says what differs."""


@dataclass(frozen=True, slots=True)
class PoolTx:
    """A transaction of the public mempool."""

    hash: str
    sender: str
    nonce: int


@dataclass(frozen=True, slots=True)
class Mined:
    """A block as the node gives it. ``evicted`` are public transactions that the pool did not take back."""

    header: dict[str, Any]
    hashes: tuple[str, ...]
    receipts: tuple[dict[str, Any], ...]
    evicted: tuple[str, ...]


class Mempool:
    """The public mempool of one anvil."""

    def __init__(self, node: JsonRpc) -> None:
        self._node = node
        self._arrived: dict[str, None] = {}  # an ordered set: what waits longer keeps its place

    async def read(self) -> list[PoolTx]:
        """All transactions in order of arrival. Anvil tells the order only by its pending block; what is not in that
        (a nonce gap, no room) follows by nonce."""
        content = await self._node.call("txpool_content")
        pending = await self._node.call("eth_getBlockByNumber", "pending", False)
        found = {
            tx["hash"]: PoolTx(tx["hash"], sender.lower(), int(tx["nonce"], 16))
            for part in ("pending", "queued")
            for sender, by_nonce in content[part].items()
            for tx in by_nonce.values()
        }
        rest = sorted(found.values(), key=lambda tx: (tx.nonce, tx.hash))
        order = [*self._arrived, *pending["transactions"], *(tx.hash for tx in rest)]
        self._arrived = dict.fromkeys(hash_ for hash_ in order if hash_ in found)
        return [found[hash_] for hash_ in self._arrived]


async def mine(node: JsonRpc, front: Sequence[Transaction], pool: Sequence[PoolTx], timestamp: int) -> Mined:
    """Mines one block: ``front`` in this order, the mempool behind. Raises BuilderFailed when the block is not so."""
    evicted = await _refill(node, front, pool) if front else ()
    await node.call("evm_setNextBlockTimestamp", timestamp)
    await node.call("evm_mine")
    header = await node.call("eth_getBlockByNumber", "latest", False)
    receipts = await node.call("eth_getBlockReceipts", header["number"])
    mined = Mined(header, tuple(header["transactions"]), tuple(receipts), evicted)
    _check(mined, [tx.hash for tx in front], pool, timestamp)
    return mined


async def _refill(node: JsonRpc, front: Sequence[Transaction], pool: Sequence[PoolTx]) -> tuple[str, ...]:
    """Puts ``front`` before the rest of ``pool``; the public transactions that the pool did not take back (their
    nonce went to a bundle, or the fee fell below the base fee). Raises BuilderFailed."""
    nonces = {tx.sender: tx.nonce for tx in front}
    there = {tx.hash for tx in front}
    rest = [tx for tx in pool if tx.hash not in there]
    again = [tx for tx in rest if tx.nonce > nonces.get(tx.sender, -1)]
    raws = await node.batch([("eth_getRawTransactionByHash", [tx.hash]) for tx in again])
    evicted = [tx.hash for tx in rest if tx.nonce <= nonces.get(tx.sender, -1)]
    await node.call("anvil_dropAllTransactions")
    for tx in front:
        try:
            await node.call("eth_sendRawTransaction", to_hex(tx.raw))
        except RpcError as error:
            raise BuilderFailed(f"anvil's pool refuses {tx.hash} of a bundle that simulated: {error}") from None
    for public, raw in zip(again, raws, strict=True):
        try:
            await node.call("eth_sendRawTransaction", raw)
        except RpcError:
            evicted.append(public.hash)
    return tuple(evicted)


def _check(mined: Mined, front: Sequence[str], pool: Sequence[PoolTx], timestamp: int) -> None:
    name = f"block {int(mined.header['number'], 16)}"
    if int(mined.header["timestamp"], 16) != timestamp:
        raise BuilderFailed(f"{name} has another time than {timestamp}")
    if list(mined.hashes[: len(front)]) != list(front):
        raise BuilderFailed(f"{name} begins {mined.hashes[: len(front)]}, not {front}")
    behind = mined.hashes[len(front) :]
    known = {tx.hash for tx in pool}
    strangers = [hash_ for hash_ in behind if hash_ not in known]
    if strangers:
        raise BuilderFailed(f"{name} holds {strangers}, which nobody put there")
    in_block = set(behind)
    if front and [tx.hash for tx in fifo([tx for tx in pool if tx.hash in in_block])] != list(behind):
        raise BuilderFailed(f"{name}: the mempool is not in its order of arrival")


def fifo(txs: Sequence[PoolTx]) -> list[PoolTx]:
    """First come first served, but each sender's by nonce: one that came before its predecessor waits for it."""
    queues: dict[str, list[tuple[int, int]]] = {}
    for place, tx in enumerate(txs):
        heappush(queues.setdefault(tx.sender, []), (tx.nonce, place))
    ready = [heappop(queue)[1] for queue in queues.values()]
    heapify(ready)
    order: list[PoolTx] = []
    while ready:
        order.append(txs[heappop(ready)])
        if queue := queues[order[-1].sender]:
            heappush(ready, heappop(queue)[1])
    return order
