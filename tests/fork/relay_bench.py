"""A bare anvil with a builder, and accounts that make transactions and bundles for it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils import keccak, to_checksum_address

from bot.devnet.builder import Builder, BuiltBlock
from bot.devnet.deployment import CHAIN_ID, account
from bot.jsonrpc import JsonRpc, parse
from bot.simulation.anvil import Anvil

COINBASE = account(5).address.lower()
GWEI = 10**9

PAYER, REVERTER, GATE = ("0x" + f"{n:040x}" for n in (0xA11CE, 0xBAD, 0x6A7E))
CODE = {
    PAYER: "0x600060006000600034415af100",  # sends what it gets to the fee recipient
    REVERTER: "0x60006000fd",
    GATE: "0x600054600c576001600055005b60006000fd",  # lets the first through, reverts for all behind
}


@dataclass
class Bench:
    node: Anvil
    builder: Builder
    relay: JsonRpc
    nonces: dict[int, int] = field(default_factory=dict)

    async def fresh(self) -> None:
        """Clean contracts, empty pool, nonces as on chain."""
        await self.node.rpc.call("anvil_dropAllTransactions")
        for address, code in CODE.items():
            await self.node.rpc.call("anvil_setCode", address, code)
        await self.node.rpc.call("anvil_setStorageAt", GATE, "0x0", "0x" + "00" * 32)
        for n in range(10):
            self.nonces[n] = int(await self.node.rpc.call("eth_getTransactionCount", account(n).address, "latest"), 16)

    def tx(self, who: int, to: str | None = None, *, tip: int = GWEI, nonce: int | None = None, **more: Any) -> str:
        """A signed transaction of account ``who``; its nonce follows the last one made, unless told."""
        if nonce is None:
            nonce = self.nonces[who]
            self.nonces[who] += 1
        body = {
            "type": 2,
            "chainId": CHAIN_ID,
            "nonce": nonce,
            "gas": 100_000,
            "maxFeePerGas": 100 * GWEI,
            "maxPriorityFeePerGas": tip,
            "to": Account.from_key(b"\x09" * 32).address if to is None else to and to_checksum_address(to),
            "value": 1,
        } | more
        return "0x" + bytes(account(who).sign_transaction(body).raw_transaction).hex()

    async def head(self) -> int:
        return int(await self.node.rpc.call("eth_blockNumber"), 16)

    async def public(self, *raws: str) -> None:
        for raw in raws:
            await self.node.rpc.call("eth_sendRawTransaction", raw)

    async def call(self, method: str, params: Any, *, signer: int = 6) -> Any:
        """One signed request to the relay. Raises RpcError."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": [params]}).encode()
        return parse(method, await self.relay.post(body, {"X-Flashbots-Signature": sign(body, signer)}))

    async def send(self, *raws: str, signer: int = 6, **more: Any) -> str:
        """Sends a bundle for the next block; its hash."""
        params = {"txs": list(raws), "blockNumber": hex(await self.head() + 1), "replacementUuid": str(uuid4())} | more
        return str((await self.call("eth_sendBundle", params, signer=signer))["bundleHash"])

    async def build(self) -> BuiltBlock:
        block = await self.node.rpc.call("eth_getBlockByNumber", "latest", False)
        return await self.builder.build_block(int(block["timestamp"], 16) + 12)

    async def block_hashes(self) -> list[str]:
        block = await self.node.rpc.call("eth_getBlockByNumber", "latest", False)
        return list(block["transactions"])


def sign(body: bytes, signer: int) -> str:
    signed = account(signer).sign_message(encode_defunct(text="0x" + keccak(body).hex()))
    return f"{account(signer).address}:0x{bytes(signed.signature).hex()}"


def hash_of(raw: str) -> str:
    return "0x" + keccak(bytes.fromhex(raw[2:])).hex()


@asynccontextmanager
async def running() -> AsyncIterator[Bench]:
    args = ("--order", "fifo", "--timestamp", "1700000000")
    async with (
        Anvil(chain_id=CHAIN_ID, args=args) as node,
        Builder(node.rpc, COINBASE) as builder,
        JsonRpc(builder.url) as relay,
    ):
        yield Bench(node, builder, relay)
