"""Transactions as they would be mined: in a private anvil, forked from a node or a recorded block, which nobody else
sees. It runs by the chain's own rules and tells all about each: what the quick simulators leave out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bot.abi import to_hex
from bot.engine.decode import logs
from bot.engine.types import StateDiff
from bot.jsonrpc import JsonRpc, RpcError
from bot.simulation.anvil import Anvil
from bot.simulation.cassette import Cassette
from bot.simulation.node import PRESTATE_DIFF, request
from bot.simulation.proof import BARE, BLOB_TRANSACTION, unsigned
from bot.simulation.state import from_trace
from bot.simulation.trace import CALL_TRACER, Frame, read
from bot.simulation.types import AccessList, BlockContext, Call, CallResult, UnrecordedState

PRESTATE = {"tracer": "prestateTracer"}
STRICT = (*BARE, "--enable-tx-gas-limit")
"""Anvil leaves the cap on a transaction's gas (EIP-7825) out unless told."""


class NotMined(Exception):
    """The transaction number ``place`` of those given could not be in the block; the message is the node's."""

    def __init__(self, place: int, message: str) -> None:
        super().__init__(message)
        self.place, self.message = place, message


@dataclass(frozen=True, slots=True)
class Mined:
    """A transaction that was mined: its result, its calls, what it changed (its fee included), and what it touched."""

    result: CallResult
    trace: Frame
    diff: StateDiff
    touched: AccessList
    gas_price: int
    created: str | None


class Sandbox:
    """``rpc`` is the private anvil's. Transactions given to ``send`` are in the block that ``mine`` makes."""

    def __init__(self, rpc: JsonRpc, block: BlockContext) -> None:
        self.rpc, self.block = rpc, block
        self._sent: list[tuple[str, Call]] = []

    async def place(self, account: str, code: bytes, slots: Mapping[str, Mapping[int, int]]) -> None:
        """Puts a contract there, and values into ``slots`` of contracts. Raises UnrecordedState."""
        await self._ask("anvil_setCode", account, to_hex(code))
        await self._ask("anvil_setNonce", account, "0x1")
        for contract, values in slots.items():
            for slot, value in values.items():
                await self._ask("anvil_setStorageAt", contract, f"0x{slot:064x}", f"0x{value:064x}")

    async def fund(self, account: str, wei: int) -> bool:
        """Gives an account what it lacks of ``wei``; whether it lacked any. Raises UnrecordedState."""
        held = int(await self._ask("eth_getBalance", account, "latest"), 16)
        if held < wei:
            await self._ask("anvil_setBalance", account, hex(wei))
        return held < wei

    async def nonce(self, account: str) -> int:
        """Of its next transaction, behind those that were sent. Raises UnrecordedState."""
        return int(await self._ask("eth_getTransactionCount", account, "pending"), 16)

    async def balance(self, account: str) -> int:
        """Wei that it has behind the transactions that were sent. Raises UnrecordedState."""
        return int(await self._ask("eth_getBalance", account, "pending"), 16)

    async def replay(self, cassette: Cassette, count: int) -> None:
        """The first ``count`` transactions of a recorded block, in front of ours."""
        for index, raw in enumerate(cassette.raw_transactions[:count]):
            if raw[0] == BLOB_TRANSACTION:  # without its blobs it is not accepted as signed
                sender = cassette.senders[index]
                await self._impersonated(unsigned(cassette.block["transactions"][index], sender))
            else:
                await self._ask("eth_sendRawTransaction", to_hex(raw))

    async def send(self, call: Call, raw: bytes | None = None) -> None:
        """A transaction: as signed where it is, else in its sender's name. Raises NotMined, UnrecordedState."""
        try:
            if raw is not None:
                sent = await self._ask("eth_sendRawTransaction", to_hex(raw))
            else:
                sent = await self._impersonated(request(call))
        except RpcError as error:
            raise NotMined(len(self._sent), error.message) from None
        self._sent.append((sent, call))

    async def mine(self) -> list[Mined]:
        """The block. A transaction that reverted is mined too. Raises NotMined, UnrecordedState."""
        await self._ask("evm_mine")
        # Not one by one: a transaction that anvil does not have it asks the forked node for.
        mined = await self._ask("eth_getBlockReceipts", hex(self.block.number))
        by_hash = {receipt["transactionHash"]: receipt for receipt in mined}
        for place, (sent, call) in enumerate(self._sent):
            if sent not in by_hash:
                raise NotMined(place, await self._why(call))
        receipts = [by_hash[sent] for sent, _ in self._sent]
        return [await self._mined(receipt) for receipt in receipts]

    async def _why(self, call: Call) -> str:
        """Anvil leaves out without a word what it cannot run. Raises UnrecordedState."""
        try:
            await self._ask("eth_call", request(call), "latest")
        except RpcError as error:
            return error.message
        return "the block has no room for it, or its money went to those in front"

    async def _mined(self, receipt: dict[str, Any]) -> Mined:
        name = receipt["transactionHash"]
        answer = await self._ask("debug_traceTransaction", name, CALL_TRACER)
        trace = read(answer | {"gasUsed": receipt["gasUsed"]})  # of the outermost call, anvil gives the limit
        diff = from_trace(await self._ask("debug_traceTransaction", name, PRESTATE_DIFF))
        before = await self._ask("debug_traceTransaction", name, PRESTATE)
        touched = tuple(
            (address.lower(), tuple(int(slot, 16) for slot in account.get("storage", {})))
            for address, account in before.items()
        )
        success = receipt["status"] == "0x1"
        result = CallResult(
            success,
            int(receipt["gasUsed"], 16),
            trace.output,
            logs(receipt["logs"]),
            "" if success else trace.error or "failed",
        )
        created = receipt.get("contractAddress")
        return Mined(result, trace, diff, touched, int(receipt["effectiveGasPrice"], 16), created and created.lower())

    async def _impersonated(self, fields: dict[str, Any]) -> str:
        await self._ask("anvil_impersonateAccount", fields["from"])
        return str(await self._ask("eth_sendTransaction", fields))

    async def _ask(self, method: str, *params: Any) -> Any:
        try:
            return await self.rpc.call(method, *params)
        except RpcError as error:
            if "not recorded" in error.message:
                raise UnrecordedState(_tail(error.message)) from None
            raise


@asynccontextmanager
async def sandbox(
    url: str, block: BlockContext, *, chain_id: int, hardfork: str, room: int = 0
) -> AsyncIterator[Sandbox]:
    """On the state of the node at ``url`` after the block before ``block``, with ``room`` for so much more gas than
    the block has. Its randomness is anvil's own: there is no way to set it. ``url`` shows in the list of processes: one
    that carries a key goes through bot.chain.nodes.upstream. Raises AnvilFailed."""
    async with Anvil(
        hardfork=hardfork, chain_id=chain_id, fork_url=url, fork_block=block.number - 1, args=STRICT
    ) as anvil:
        await anvil.rpc.call("anvil_setCoinbase", block.coinbase)
        await anvil.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(block.base_fee))
        await anvil.rpc.call("evm_setBlockGasLimit", hex(block.gas_limit + room))
        await anvil.rpc.call("evm_setNextBlockTimestamp", block.timestamp)
        yield Sandbox(anvil.rpc, block)


def _tail(message: str) -> str:
    """Anvil wraps the server's words in its own."""
    return message[message.index("not recorded") :].split('"')[0].rstrip("., ")
