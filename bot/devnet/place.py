"""Puts code where mainnet has it, and runs the deployer's transactions, many a block.

Code is put at a given address without its key: the creation bytecode, arguments behind it, is set as the account's
code. A call of it returns the runtime code with ``address(this)`` and all immutables as they will be; a transaction to
it makes the constructor's writes stick; then the runtime code is set in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode
from eth_abi.grammar import TupleType, parse

from bot.abi import selector, to_bytes, to_hex
from bot.devnet.deployment import BLOCK_SECONDS
from bot.jsonrpc import JsonRpc, RpcError

GAS = 10_000_000
TXS_A_BLOCK = 90
"""A block's limit, set by whoever starts the node, must hold the gas that these use."""


class PlacingFailed(RuntimeError):
    """A transaction of the build reverted: the devnet's code is wrong, no user can mend it."""


@dataclass(frozen=True, slots=True)
class Tx:
    """A transaction to be sent; ``to`` None creates a contract, value is wei."""

    sender: str
    to: str | None
    data: bytes
    value: int


class Site:
    """An anvil under construction, which mines on demand and impersonates every sender."""

    def __init__(self, rpc: JsonRpc, deployer: str, timestamp: int) -> None:
        """``timestamp`` is that of the head; each block is 12 s later."""
        self.rpc, self.deployer, self.timestamp = rpc, deployer, timestamp
        self._queue: list[Tx] = []
        self._nonces: dict[str, int] = {}

    def send(self, to: str, data: bytes, *, sender: str | None = None, value: int = 0) -> None:
        """Queues a transaction, from the deployer unless said otherwise. It is mined by the next ``settle``."""
        self._queue.append(Tx(sender or self.deployer, to, data, value))

    async def settle(self) -> list[dict[str, Any]]:
        """Mines the queue in order; the receipts. Raises PlacingFailed when a transaction reverts."""
        queue, self._queue = self._queue, []
        receipts: list[dict[str, Any]] = []
        for start in range(0, len(queue), TXS_A_BLOCK):
            receipts += await self._mine(queue[start : start + TXS_A_BLOCK])
        return receipts

    async def mine(self) -> None:
        """One block, with whatever is pending."""
        self.timestamp += BLOCK_SECONDS
        await self.rpc.call("evm_mine", self.timestamp)

    async def call(self, to: str, data: bytes, *, sender: str | None = None) -> bytes:
        """Return data of a call on the head. Raises RpcError."""
        asked = {"from": sender or self.deployer, "to": to, "data": to_hex(data)}
        return to_bytes(await self.rpc.call("eth_call", asked, "latest"))

    async def create(self, *initcodes: bytes) -> list[str]:
        """Ordinary deployments by the deployer; their addresses."""
        self._queue += [Tx(self.deployer, None, initcode, 0) for initcode in initcodes]
        receipts = await self.settle()
        return [receipt["contractAddress"].lower() for receipt in receipts[-len(initcodes) :]]

    async def place(self, initcodes: Mapping[str, bytes]) -> None:
        """Address to creation bytecode with arguments: the deployer constructs each there."""
        await self._each("anvil_setCode", [[at, to_hex(code)] for at, code in initcodes.items()])
        await self._each("anvil_setNonce", [[at, "0x1"] for at in initcodes])  # a contract's first
        calls = [[{"from": self.deployer, "to": at, "gas": hex(GAS)}, "latest"] for at in initcodes]
        runtimes = await self._each("eth_call", calls)
        for at in initcodes:
            self.send(at, b"")
        await self.settle()
        await self._each("anvil_setCode", [[at, code] for at, code in zip(initcodes, runtimes, strict=True)])

    async def _each(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        results = await self.rpc.batch([(method, each) for each in params])
        for result in results:
            if isinstance(result, RpcError):
                raise PlacingFailed(str(result))
        return results

    async def _mine(self, txs: Sequence[Tx]) -> list[dict[str, Any]]:
        await self._learn_nonces({tx.sender for tx in txs})
        hashes = await self._each("eth_sendTransaction", [[self._request(tx)] for tx in txs])
        await self.mine()
        receipts = await self._each("eth_getTransactionReceipt", [[tx_hash] for tx_hash in hashes])
        for tx, tx_hash, receipt in zip(txs, hashes, receipts, strict=True):
            if receipt is None or receipt["status"] != "0x1":
                raise PlacingFailed(await self._why(tx, tx_hash))
        return receipts

    async def _learn_nonces(self, senders: set[str]) -> None:
        unknown = sorted(senders - self._nonces.keys())
        nonces = await self._each("eth_getTransactionCount", [[sender, "latest"] for sender in unknown])
        self._nonces |= {sender: int(nonce, 16) for sender, nonce in zip(unknown, nonces, strict=True)}

    def _request(self, tx: Tx) -> dict[str, str]:
        nonce = self._nonces[tx.sender]
        self._nonces[tx.sender] = nonce + 1
        request = {
            "from": tx.sender,
            "data": to_hex(tx.data),
            "value": hex(tx.value),
            "gas": hex(GAS),
            "nonce": hex(nonce),  # given, as a batch is served in no certain order
        }
        return request if tx.to is None else {**request, "to": tx.to}

    async def _why(self, tx: Tx, tx_hash: str) -> str:
        trace = await self.rpc.call("debug_traceTransaction", tx_hash, {"tracer": "callTracer"})
        said = trace.get("revertReason") or trace.get("output") or trace.get("error")
        return f"call of {tx.data[:4].hex()} at {tx.to} by {tx.sender} failed: {said}"


def calldata(signature: str, *args: Any) -> bytes:
    """Calldata of any function, dynamic arguments too: ``calldata("f(uint256,bytes)", 1, b"")``."""
    return selector(signature) + arguments(signature[signature.index("(") :], *args)


def arguments(types: str, *args: Any) -> bytes:
    """ABI encoding of arguments whose types are ``(…)``, as a constructor takes them."""
    parsed = parse(types)
    assert isinstance(parsed, TupleType)
    return encode([component.to_type_str() for component in parsed.components], args)
