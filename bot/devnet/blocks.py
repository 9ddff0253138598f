"""How the local builder makes a block: which bundles go in, in what order, and the mempool behind them.

A bundle is worth what it adds to the fee recipient's balance, that is priority fees and direct payments, less the
priority fees of those of its transactions that stand in the public mempool and would pay without it. The more it is
worth the earlier it is tried, first come first served among equals. Each is simulated on top of those already in.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from bot.abi import to_bytes, uint
from bot.devnet.bundles import HeldBundle, Status, Verdict
from bot.devnet.deployment import BLOCK_SECONDS
from bot.devnet.transactions import as_call
from bot.engine.types import Transaction
from bot.jsonrpc import JsonRpc, RpcError

READER = "0x00000000000000000000000000000000c01ba5e0"  # holds code in simulations only
READER_CODE = "0x413160005260206000f3"  # return BALANCE(COINBASE)
READ_BALANCE = {"from": READER, "to": READER, "gas": hex(100_000)}


@dataclass(frozen=True, slots=True)
class BlockEnv:
    """The block being built. ``base_fee`` is wei per gas, ``parent`` the number of the block whose state it
    stands on, in hex."""

    number: int
    timestamp: int
    base_fee: int
    gas_limit: int
    coinbase: str
    parent: str

    def tip(self, tx: Transaction) -> int:
        """Wei per gas that the transaction pays the fee recipient."""
        return min(tx.max_priority_fee_per_gas, tx.max_fee_per_gas - self.base_fee)


@dataclass(frozen=True, slots=True)
class Executed:
    """One simulated transaction. ``gain`` is the change of the fee recipient's balance in wei."""

    success: bool
    gas_used: int
    output: bytes
    gain: int


@dataclass(frozen=True, slots=True)
class Account:
    """What the head says of a sender; ``balance`` in wei."""

    nonce: int
    balance: int


@dataclass(frozen=True, slots=True)
class Trial:
    """A bundle simulated on top of others. ``reason`` says why it may not go in; empty when it may."""

    reason: str
    gas_used: int = 0
    payment: int = 0


@dataclass(frozen=True, slots=True)
class Selection:
    """The bundles of a block in order, and the verdict on every candidate."""

    bundles: tuple[HeldBundle, ...]
    verdicts: tuple[tuple[HeldBundle, Verdict], ...]

    @property
    def txs(self) -> tuple[Transaction, ...]:
        return tuple(tx for bundle in self.bundles for tx in bundle.txs)


async def simulate(
    node: JsonRpc, env: BlockEnv, prefix: Sequence[Transaction], txs: Sequence[Transaction]
) -> list[Executed]:
    """Runs ``txs`` behind ``prefix`` and reports on ``txs``. Raises RpcError when one cannot even start (no funds,
    gas below the intrinsic cost). Anvil's eth_simulateV1 checks neither nonces, fees nor the block's gas limit, and
    cannot create contracts: the caller sees to that."""
    calls = [as_call(tx) for tx in prefix] + [READ_BALANCE]
    for tx in txs:
        calls += [as_call(tx), READ_BALANCE]
    overrides = {
        "number": hex(env.number),
        "time": hex(env.timestamp),
        "feeRecipient": env.coinbase,
        "baseFeePerGas": hex(env.base_fee),
        "gasLimit": hex(env.gas_limit),
    }
    state = {READER: {"code": READER_CODE}}
    block = {"blockOverrides": overrides, "stateOverrides": state, "calls": calls}
    answer = await node.call("eth_simulateV1", {"blockStateCalls": [block], "validation": True}, env.parent)
    results: list[dict[str, Any]] = answer[0]["calls"][len(prefix) :]
    balances = [uint(to_bytes(result["returnData"])) for result in results[::2]]
    return [
        Executed(
            success=result["status"] == "0x1",
            gas_used=int(result["gasUsed"], 16),
            output=to_bytes(result["returnData"]),
            gain=balances[n + 1] - balances[n],
        )
        for n, result in enumerate(results[1::2])
    ]


async def accounts(node: JsonRpc, senders: Collection[str]) -> dict[str, Account]:
    """Nonce and balance of each sender at the head."""
    ordered = sorted(senders)
    answers = await node.batch(
        [("eth_getTransactionCount", [sender, "latest"]) for sender in ordered]
        + [("eth_getBalance", [sender, "latest"]) for sender in ordered]
    )
    numbers = [int(answer, 16) for answer in answers]
    return {sender: Account(numbers[n], numbers[n + len(ordered)]) for n, sender in enumerate(ordered)}


async def next_block(
    node: JsonRpc, coinbase: str, timestamp: int | None, *, parent: str = "latest", number: int | None = None
) -> BlockEnv:
    """The block on top of ``parent``; its number and time may be told, else they follow. Raises RpcError."""
    header = await node.call("eth_getBlockByNumber", parent, False)
    if header is None:
        raise RpcError("eth_getBlockByNumber", -32000, f"no block {parent}")
    fees = await node.call("eth_feeHistory", "0x1", header["number"], [])
    return BlockEnv(
        number=int(header["number"], 16) + 1 if number is None else number,
        timestamp=int(header["timestamp"], 16) + BLOCK_SECONDS if timestamp is None else timestamp,
        base_fee=int(fees["baseFeePerGas"][-1], 16),
        gas_limit=int(header["gasLimit"], 16),
        coinbase=coinbase,
        parent=header["number"],
    )


class Selector:
    """Chooses the bundles of one block. ``public`` are the hashes in the mempool."""

    def __init__(self, node: JsonRpc, env: BlockEnv, public: Collection[str], held: dict[str, Account]) -> None:
        self._node, self._env, self._public, self._accounts = node, env, public, held
        self._chosen: list[Transaction] = []
        self._gas_used = 0

    async def choose(self, candidates: Sequence[HeldBundle]) -> Selection:
        """Greedy by worth. What cannot stand alone is tried last: it may build on a better one."""
        alone = {bundle.key: await self._try(bundle) for bundle in candidates}
        worth = {key: trial.payment for key, trial in alone.items() if not trial.reason}
        order = sorted(candidates, key=lambda bundle: -worth.get(bundle.key, 0))  # stable: arrival among equals
        included: list[HeldBundle] = []
        verdicts: list[tuple[HeldBundle, Verdict]] = []
        for bundle in order:
            trial = await self._try(bundle) if self._chosen else alone[bundle.key]
            if trial.reason:
                behind = " behind better bundles, not alone" if bundle.key in worth else ""
                verdict = Verdict(Status.DROPPED, self._env.number, trial.reason + behind)
            else:
                verdict = Verdict(Status.INCLUDED, self._env.number, payment=trial.payment)
                included.append(bundle)
                self._chosen += bundle.txs
                self._gas_used += trial.gas_used
            verdicts.append((bundle, verdict))
        return Selection(tuple(included), tuple(verdicts))

    async def _try(self, bundle: HeldBundle) -> Trial:
        reason = self._out_of_time(bundle) or self._cannot_start(bundle)
        if reason:
            return Trial(reason)
        try:
            executed = await simulate(self._node, self._env, self._chosen, bundle.txs)
        except RpcError as error:
            return Trial(f"cannot be executed: {error}")
        gas = self._gas_used
        payment = 0
        for tx, result in zip(bundle.txs, executed, strict=True):
            if not result.success and tx.hash not in bundle.reverting:
                return Trial(f"transaction {tx.hash} reverts")
            if gas + tx.gas > self._env.gas_limit:
                return Trial(f"transaction {tx.hash} does not fit in the block's gas limit")
            gas += result.gas_used
            pays_anyway = result.gas_used * self._env.tip(tx) if tx.hash in self._public else 0
            payment += result.gain - pays_anyway
        if payment <= 0:
            return Trial("pays the builder nothing")
        return Trial("", gas - self._gas_used, payment)

    def _out_of_time(self, bundle: HeldBundle) -> str:
        if bundle.min_timestamp and self._env.timestamp < bundle.min_timestamp:
            return f"block time {self._env.timestamp} is before minTimestamp {bundle.min_timestamp}"
        if bundle.max_timestamp and self._env.timestamp > bundle.max_timestamp:
            return f"block time {self._env.timestamp} is after maxTimestamp {bundle.max_timestamp}"
        return ""

    def _cannot_start(self, bundle: HeldBundle) -> str:
        """What simulation does not check. Funds are checked at the head, as anvil's pool will: an account that is
        first funded inside the block cannot send in it."""
        chosen = {tx.hash for tx in self._chosen}
        nonces = {sender: account.nonce for sender, account in self._accounts.items()}
        for tx in self._chosen:
            nonces[tx.sender] = tx.nonce + 1
        for tx in bundle.txs:
            if tx.hash in chosen:
                return f"transaction {tx.hash} is already in the block"
            if tx.nonce != nonces[tx.sender]:
                what = "already used" if tx.nonce < nonces[tx.sender] else "too high"
                return f"transaction {tx.hash}: nonce {tx.nonce} of {tx.sender} is {what}"
            if tx.max_fee_per_gas < self._env.base_fee:
                return f"transaction {tx.hash}: its maximum fee is below the base fee {self._env.base_fee}"
            if tx.value + tx.gas * tx.max_fee_per_gas > self._accounts[tx.sender].balance:
                return f"transaction {tx.hash}: {tx.sender} has not the funds"
            nonces[tx.sender] += 1
        return ""
