"""The devnet's block builder, with the relay that takes its bundles. Its JSON-RPC is in relay_methods.py."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from bot.devnet.blocks import Selection, Selector, accounts, next_block
from bot.devnet.bundles import BundleBook, Status, Verdict
from bot.devnet.mining import BuilderFailed, Mempool, Mined, mine
from bot.devnet.relay_methods import RelayMethods
from bot.devnet.relay_server import RelayServer
from bot.jsonrpc import JsonRpc


@dataclass(frozen=True, slots=True)
class BuiltBlock:
    """A block that the builder made. ``bundles_dropped`` are (bundle hash, reason); ``evicted`` are hashes of public
    transactions that can no longer be included and left the mempool; ``payment`` is what bundles paid, in wei."""

    number: int
    hash: str
    timestamp: int
    transactions: int
    gas_used: int
    bundles_included: tuple[str, ...]
    bundles_dropped: tuple[tuple[str, str], ...]
    evicted: tuple[str, ...]
    payment: int


class Builder:
    """Builds every block of ``node``, an anvil run with ``--no-mining --order fifo`` that nobody else mines on.

    ``async with Builder(node, coinbase) as builder`` serves bundles on ``builder.url`` and builds on demand.
    """

    def __init__(self, node: JsonRpc, coinbase: str, *, port: int = 0) -> None:
        self.node, self.coinbase, self._port = node, coinbase, port
        self._book = BundleBook()
        self._mempool = Mempool(node)
        self._methods: RelayMethods | None = None
        self._server: RelayServer | None = None
        self._building = asyncio.Lock()

    @property
    def url(self) -> str:
        """Where bundles are taken."""
        assert self._server is not None, "not started"
        return self._server.url

    async def __aenter__(self) -> Self:
        await self.node.call("anvil_setCoinbase", self.coinbase)
        chain_id = int(await self.node.call("eth_chainId"), 16)
        head = int(await self.node.call("eth_blockNumber"), 16)
        self._methods = RelayMethods(self.node, self._book, self.coinbase, chain_id, head)
        self._server = RelayServer(self._methods.handle, self._port)
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            await self._server.stop()

    def status(self, owner: str, bundle_hash: str) -> Verdict | None:
        """What became of a bundle that ``owner`` sent; ``None`` when it never came."""
        return self._book.status(owner, bundle_hash)

    async def build_block(self, timestamp: int) -> BuiltBlock:
        """Ends the slot: the bundles due, best first, and the mempool behind. Raises BuilderFailed when the node's
        block is not the one built, RpcUnreachable when there is no node. Nobody may send to the mempool meanwhile:
        what comes in between is lost or a stranger in the block."""
        async with self._building:
            assert self._methods is not None, "not started"
            env = await next_block(self.node, self.coinbase, timestamp)
            candidates = self._book.due(env.number)
            pool = await self._mempool.read()
            senders = {tx.sender for bundle in candidates for tx in bundle.txs}
            held = await accounts(self.node, senders) if senders else {}
            selection = await Selector(self.node, env, {tx.hash for tx in pool}, held).choose(candidates)
            mined = await mine(self.node, selection.txs, pool, timestamp)
            self._check_bundles(mined, selection)
            self._methods.head = env.number
            self._book.settle(env.number, selection.verdicts)
            return _built(mined, selection)

    def _check_bundles(self, mined: Mined, selection: Selection) -> None:
        """On chain each bundle must end as it simulated."""
        failed = {receipt["transactionHash"] for receipt in mined.receipts if receipt["status"] != "0x1"}
        for bundle in selection.bundles:
            for tx in bundle.txs:
                if tx.hash in failed - bundle.reverting:
                    raise BuilderFailed(f"{tx.hash} of bundle {bundle.hash} simulated well and reverted on chain")
        if mined.header["miner"].lower() != self.coinbase:
            raise BuilderFailed(f"the block pays {mined.header['miner']}, not {self.coinbase}")


def _built(mined: Mined, selection: Selection) -> BuiltBlock:
    header: dict[str, Any] = mined.header
    verdicts = selection.verdicts
    return BuiltBlock(
        number=int(header["number"], 16),
        hash=header["hash"],
        timestamp=int(header["timestamp"], 16),
        transactions=len(mined.hashes),
        gas_used=int(header["gasUsed"], 16),
        bundles_included=tuple(bundle.hash for bundle in selection.bundles),
        bundles_dropped=tuple((b.hash, v.reason) for b, v in verdicts if v.status is Status.DROPPED),
        evicted=mined.evicted,
        payment=sum(verdict.payment for _, verdict in verdicts),
    )
