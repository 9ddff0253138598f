"""The proof of a cassette: its block, run again unmodified under its own rules, gives the header's receipts root.

Anvil forks from the cassette's server, not from a genesis file: so BLOCKHASH is right, and state that is missing fails
instead of reading as zero.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bot.abi import to_hex
from bot.engine.decode import logs as logs_of
from bot.engine.types import AccountDiff, Log, StateDiff
from bot.jsonrpc import JsonRpc, RpcError
from bot.simulation.anvil import Anvil
from bot.simulation.cassette import Cassette
from bot.simulation.cassette_server import CassetteServer
from bot.simulation.node import PRESTATE_DIFF
from bot.simulation.revm import ForkEvm
from bot.simulation.state import from_trace, merge
from bot.simulation.types import BlockContext, Call, UnrecordedState

BLOB_TRANSACTION = 3

BARE = (
    *("--order", "fifo", "--disable-pool-balance-checks"),
    *("--accounts", "0", "--disable-default-create2-deployer", "--retries", "0"),
)
"""A node that adds nothing of its own to the state, and keeps transactions in the order in which they came."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the block did when it was run again: per transaction its logs, gas and change of state.

    ``traced`` are the transactions whose diff had to come from the node: the EVM in process, which knows Cancun's
    rules and no access list, gave them another result or other gas, or they touched ``created`` contracts (those
    that the block deployed), whose slots nobody recorded.
    """

    matches: bool
    logs: tuple[tuple[Log, ...], ...] = ()
    gas_used: tuple[int, ...] = ()
    diffs: tuple[StateDiff, ...] = ()
    traced: tuple[int, ...] = ()
    created: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rerun:
    """A node that has run the block, and why it did not take a transaction, if so: then the block is not mined."""

    rpc: JsonRpc
    refused: str

    async def matches(self, block: dict[str, Any]) -> bool:
        """Whether it mined a block of the same receipts root."""
        mined = None if self.refused else await self.rpc.call("eth_getBlockByNumber", block["number"], False)
        return mined is not None and mined["receiptsRoot"] == block["receiptsRoot"]


async def prove(cassette: Cassette) -> Proof:
    """Runs the block again. Raises AnvilFailed; a block that comes out differently is a Proof that does not match."""
    with CassetteServer(cassette.path, unmodified=True) as url:
        async with run_on(cassette, url) as run:
            if not await run.matches(cassette.block):
                return Proof(matches=False)
            return await _outcome(run.rpc, url, cassette)


@dataclass(frozen=True, slots=True)
class Before:
    """The state before a recorded block: ``recorded`` is the server at ``url`` that knows just what was recorded,
    ``node`` one forked from it, which can be asked questions."""

    url: str
    recorded: JsonRpc
    node: JsonRpc


@asynccontextmanager
async def before(
    cassette: Cassette, *, hardfork: str | None = None, fresh: Collection[str] = ()
) -> AsyncIterator[Before]:
    """``hardfork`` are other rules than the block's own, ``fresh`` accounts that are known to be empty."""
    with CassetteServer(cassette.path, fresh) as url:
        async with (
            JsonRpc(url) as recorded,
            Anvil(
                hardfork=hardfork or cassette.hardfork,
                chain_id=cassette.chain_id,
                fork_url=url,
                fork_block=cassette.number - 1,
                args=BARE,
            ) as node,
        ):
            yield Before(url, recorded, node.rpc)


@asynccontextmanager
async def replayed(cassette: Cassette) -> AsyncIterator[tuple[JsonRpc, str]]:
    """A node under the block's own rules that has mined it, and the server that it is forked from."""
    with CassetteServer(cassette.path, unmodified=True) as url:
        async with run_on(cassette, url) as run:
            yield run.rpc, url


@asynccontextmanager
async def run_on(cassette: Cassette, url: str) -> AsyncIterator[Rerun]:
    """The block, run on the state of any node that has the one before it; of the cassette only the block is used."""
    async with Anvil(
        hardfork=cassette.hardfork,
        chain_id=cassette.chain_id,
        fork_url=url,
        fork_block=cassette.number - 1,
        args=BARE,
    ) as node:
        yield Rerun(node.rpc, await _mine(node.rpc, cassette))


async def _mine(rpc: JsonRpc, cassette: Cassette) -> str:
    """Why the block could not be mined, if so: in part it would say nothing more."""
    block = cassette.block
    await rpc.call("anvil_setCoinbase", block["miner"])
    await rpc.call("anvil_setNextBlockBaseFeePerGas", block["baseFeePerGas"])
    await rpc.call("evm_setBlockGasLimit", block["gasLimit"])
    await rpc.call("evm_setNextBlockTimestamp", int(block["timestamp"], 16))
    for index, raw in enumerate(cassette.raw_transactions):  # one by one: anvil works on a batch out of order
        try:
            if raw[0] == BLOB_TRANSACTION:  # without its blobs it is not accepted as signed
                await rpc.call("anvil_impersonateAccount", cassette.senders[index])
                await rpc.call("eth_sendTransaction", unsigned(block["transactions"][index], cassette.senders[index]))
            else:
                await rpc.call("eth_sendRawTransaction", to_hex(raw))
        except RpcError as error:
            return f"transaction {index} is refused: {error.message}"
    await rpc.call("evm_mine")
    return ""


def unsigned(transaction: dict[str, Any], sender: str) -> dict[str, Any]:
    """A transaction of a block as eth_sendTransaction takes it, for an account that is impersonated."""
    fields = (
        *("type", "nonce", "to", "value", "input", "gas", "maxFeePerGas", "maxPriorityFeePerGas"),
        *("maxFeePerBlobGas", "blobVersionedHashes", "accessList"),
    )
    return {"from": sender} | {name: transaction[name] for name in fields if name in transaction}


async def _outcome(rpc: JsonRpc, url: str, cassette: Cassette) -> Proof:
    """Steps through the block in process: a node traces a transaction by running all before it, each time anew."""
    receipts = await rpc.call("eth_getBlockReceipts", hex(cassette.number))
    evm = ForkEvm(url, cassette.number - 1, chain_id=cassette.chain_id, gas_limit=cassette.context.gas_limit)
    logs: list[tuple[Log, ...]] = []
    gas_used: list[int] = []
    diffs: list[StateDiff] = []
    traced: list[int] = []
    created: set[str] = set()
    for index, (call, receipt) in enumerate(zip(cassette.calls, receipts, strict=True)):
        logs.append(logs_of(receipt["logs"]))
        gas_used.append(int(receipt["gasUsed"], 16))
        outcome = receipt["status"] == "0x1", logs[-1], gas_used[-1]
        try:
            result, diff, touched = evm.changes(call, cassette.context, cassette.slots)
        except UnrecordedState:  # other rules led it where the block never was
            complete = False
        else:
            evm_agrees = (result.success, result.logs, result.gas_used) == outcome
            complete = evm_agrees and touched.isdisjoint(created | _deployed(cassette, diff))
        if not complete:
            traced.append(index)
            diff = from_trace(await rpc.call("debug_traceTransaction", receipt["transactionHash"], PRESTATE_DIFF))
        created |= _deployed(cassette, diff)
        evm.apply(diff)
        if complete:
            fee = _fee(evm, call, receipt, cassette.context)
            evm.apply(fee)
            diff = merge((diff, fee))
        diffs.append(diff)
    return Proof(True, tuple(logs), tuple(gas_used), tuple(diffs), tuple(traced), frozenset(created))


def _deployed(cassette: Cassette, diff: StateDiff) -> set[str]:
    """The accounts that a diff makes contracts, and that were none before the block."""
    accounts = cassette.accounts
    return {
        address
        for address, change in diff.items()
        if change.code and address in accounts and cassette.code(accounts[address]) == "0x"
    }


def _fee(evm: ForkEvm, call: Call, receipt: dict[str, Any], block: BlockContext) -> StateDiff:
    """What the sender pays, what of it the block's builder gets, and the sender's next nonce."""
    gas = int(receipt["gasUsed"], 16)
    paid = gas * call.gas_price + int(receipt.get("blobGasUsed", "0x0"), 16) * int(
        receipt.get("blobGasPrice", "0x0"), 16
    )
    nonce = evm.nonce(call.sender) + (call.to is not None)  # a deployment has counted already
    balances = {call.sender: evm.balance(call.sender) - paid}
    builder = block.coinbase
    balances[builder] = balances.get(builder, evm.balance(builder)) + gas * (call.gas_price - block.base_fee)
    return {
        address: AccountDiff(balance=balance, nonce=nonce if address == call.sender else None)
        for address, balance in balances.items()
    }
