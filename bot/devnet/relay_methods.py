"""What the local relay's JSON-RPC methods take, check and answer.

The documented fields of Flashbots' relay are taken and no others: a field that is unknown or of the wrong type is
refused with -32602 and its name. Fields that mean nothing with one builder (``builders``, a private transaction's
``preferences``) are checked and have no effect. Beyond the documented methods there is

``mevkit_bundleStatus [{"bundleHash"}]`` → ``{"status", "reason", "blockNumber", "builderPayment"}``:
``status`` is pending, included, dropped, cancelled or unknown; ``reason`` says why a bundle did not land;
``builderPayment`` is wei. Only the account that sent the bundle is told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from bot.abi import to_bytes, to_hex
from bot.devnet.blocks import BlockEnv, Executed, next_block, simulate
from bot.devnet.bundles import BundleBook, HeldBundle, bundle_hash
from bot.devnet.relay_server import FAILED, INVALID_PARAMS, METHOD_NOT_FOUND, Refused
from bot.devnet.transactions import BadTransaction, decode
from bot.engine.types import Transaction
from bot.jsonrpc import JsonRpc, RpcError

MAX_TXS = 100
MAX_BYTES = 300_000  # of a bundle's signed transactions
PRIVATE_BLOCKS = 25  # a private transaction is tried for so many

Number = Annotated[str, Meta(pattern="^0x(0|[1-9a-f][0-9a-f]{0,15})$")]
Hash = Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{64}$")]
Address = Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{40}$")]
Seconds = Annotated[int, Meta(ge=0)]
Percent = Annotated[int, Meta(ge=0, le=100)]


class _Params(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    pass


class _SendBundle(_Params):
    txs: list[str]
    block_number: Number
    min_timestamp: Seconds = 0
    max_timestamp: Seconds = 0
    reverting_tx_hashes: list[Hash] = []
    replacement_uuid: str | None = None
    builders: list[str] = []


class _CallBundle(_Params):
    txs: list[str]
    block_number: Number
    state_block_number: str
    timestamp: Seconds | None = None


class _CancelBundle(_Params):
    replacement_uuid: str


class _Privacy(_Params):
    hints: list[str] = []
    builders: list[str] = []


class _Refund(_Params):
    address: Address
    percent: Percent


class _Validity(_Params):
    refund: list[_Refund] = []


class _Preferences(_Params):
    fast: bool = False
    privacy: _Privacy | None = None
    validity: _Validity | None = None


class _SendPrivate(_Params):
    tx: str
    max_block_number: Number | None = None
    preferences: _Preferences | None = None


class _CancelPrivate(_Params):
    tx_hash: Hash


class _BundleStatus(_Params):
    bundle_hash: Hash


class RelayMethods:
    """The methods over one book of bundles. ``head`` is the number of the newest block."""

    def __init__(self, node: JsonRpc, book: BundleBook, coinbase: str, chain_id: int, head: int) -> None:
        self._node, self._book, self._coinbase, self._chain_id = node, book, coinbase, chain_id
        self.head = head
        self._methods: dict[str, tuple[type[_Params], Callable[[str, Any], Awaitable[Any]]]] = {
            "eth_sendBundle": (_SendBundle, self._send_bundle),
            "eth_callBundle": (_CallBundle, self._call_bundle),
            "eth_cancelBundle": (_CancelBundle, self._cancel_bundle),
            "eth_sendPrivateTransaction": (_SendPrivate, self._send_private),
            "eth_cancelPrivateTransaction": (_CancelPrivate, self._cancel_private),
            "mevkit_bundleStatus": (_BundleStatus, self._bundle_status),
        }

    async def handle(self, sender: str, method: str, params: Any) -> Any:
        """The result of one request of ``sender``. Raises Refused."""
        if method not in self._methods:
            raise Refused(METHOD_NOT_FOUND, f"the method {method} does not exist")
        kind, run = self._methods[method]
        if not isinstance(params, list) or len(params) != 1:
            raise Refused(INVALID_PARAMS, f"{method} takes a list of one object")
        try:
            checked = msgspec.convert(params[0], kind)
        except msgspec.ValidationError as error:
            raise Refused(INVALID_PARAMS, f"{method}: {error}") from None
        return await run(sender, checked)

    async def _send_bundle(self, sender: str, params: _SendBundle) -> dict[str, str]:
        txs = self._decode(params.txs)
        number = int(params.block_number, 16)
        if number <= self.head:
            raise Refused(INVALID_PARAMS, f"blockNumber {number} is not after the head, {self.head}")
        reverting = frozenset(hash_.lower() for hash_ in params.reverting_tx_hashes)
        if strangers := reverting - {tx.hash for tx in txs}:
            raise Refused(INVALID_PARAMS, f"revertingTxHashes: {min(strangers)} is not in txs")
        bundle = HeldBundle(
            hash=bundle_hash(txs),
            txs=txs,
            first_block=number,
            last_block=number,
            owner=sender,
            min_timestamp=params.min_timestamp,
            max_timestamp=params.max_timestamp,
            reverting=reverting,
            uuid=None if params.replacement_uuid is None else _uuid(params.replacement_uuid),
        )
        self._book.add(bundle)
        return {"bundleHash": bundle.hash}

    async def _cancel_bundle(self, sender: str, params: _CancelBundle) -> dict[str, list[str]]:
        return {"bundleHashes": self._book.cancel(sender, _uuid(params.replacement_uuid))}

    async def _send_private(self, sender: str, params: _SendPrivate) -> str:
        txs = self._decode([params.tx], "tx")
        first = self.head + 1
        last = int(params.max_block_number, 16) if params.max_block_number else self.head + PRIVATE_BLOCKS
        if last < first:
            raise Refused(INVALID_PARAMS, f"maxBlockNumber {last} is not after the head, {self.head}")
        last = min(last, self.head + PRIVATE_BLOCKS)
        self._book.add(HeldBundle(bundle_hash(txs), txs, first, last, sender, private=True))
        return txs[0].hash

    async def _cancel_private(self, sender: str, params: _CancelPrivate) -> bool:
        return self._book.cancel_private(sender, params.tx_hash.lower())

    async def _bundle_status(self, sender: str, params: _BundleStatus) -> dict[str, Any]:
        verdict = self._book.status(sender, params.bundle_hash.lower())
        if verdict is None:
            return {"status": "unknown", "reason": "never received from this sender", "blockNumber": None}
        return {
            "status": verdict.status,
            "reason": verdict.reason,
            "blockNumber": hex(verdict.block_number),
            "builderPayment": hex(verdict.payment),
        }

    async def _call_bundle(self, _: str, params: _CallBundle) -> dict[str, Any]:
        txs = self._decode(params.txs)
        number = int(params.block_number, 16)
        try:
            env = await next_block(
                self._node, self._coinbase, params.timestamp, parent=params.state_block_number, number=number
            )
            executed = await simulate(self._node, env, [], txs)
        except RpcError as error:
            raise Refused(FAILED, str(error)) from None
        return _simulation(env, txs, executed)

    def _decode(self, raws: Sequence[str], field: str = "txs") -> tuple[Transaction, ...]:
        """A bundle's transactions. Raises Refused, which names the transaction."""
        if not 0 < len(raws) <= MAX_TXS:
            raise Refused(INVALID_PARAMS, f"{field}: {len(raws)} transactions, must be 1 to {MAX_TXS}")
        if sum(len(raw) // 2 - 1 for raw in raws) > MAX_BYTES:
            raise Refused(INVALID_PARAMS, f"{field}: more than {MAX_BYTES} bytes")
        decoded: dict[str, Transaction] = {}
        for n, raw in enumerate(raws):
            name = field if field == "tx" else f"{field}[{n}]"
            try:
                if not raw.startswith("0x"):
                    raise BadTransaction("not a 0x string")
                tx = decode(_unhex(raw), self._chain_id)
            except BadTransaction as error:
                raise Refused(INVALID_PARAMS, f"{name}: {error}") from None
            if tx.to is None:  # anvil's eth_simulateV1 cannot
                raise Refused(INVALID_PARAMS, f"{name}: this builder takes no contract creation")
            if tx.hash in decoded:
                raise Refused(INVALID_PARAMS, f"{name}: {tx.hash} is there twice")
            decoded[tx.hash] = tx
        return tuple(decoded.values())


def _simulation(env: BlockEnv, txs: Sequence[Transaction], executed: Sequence[Executed]) -> dict[str, Any]:
    """eth_callBundle's answer. Wei are decimal strings, gas numbers, as documented by Flashbots."""
    results: list[dict[str, Any]] = []
    for tx, result in zip(txs, executed, strict=True):
        fees = result.gas_used * env.tip(tx)
        entry = {
            "txHash": tx.hash,
            "fromAddress": tx.sender,
            "toAddress": tx.to,
            "gasUsed": result.gas_used,
            "gasPrice": str(result.gain // result.gas_used),
            "gasFees": str(fees),
            "coinbaseDiff": str(result.gain),
            "ethSentToCoinbase": str(result.gain - fees),
        }
        if result.success:
            entry["value"] = to_hex(result.output)
        else:
            entry |= {"error": "execution reverted", "revert": to_hex(result.output)}
        results.append(entry)
    gas = sum(result.gas_used for result in executed)
    gain = sum(result.gain for result in executed)
    fees = sum(result.gas_used * env.tip(tx) for tx, result in zip(txs, executed, strict=True))
    return {
        "bundleHash": bundle_hash(txs),
        "bundleGasPrice": str(gain // gas),
        "coinbaseDiff": str(gain),
        "ethSentToCoinbase": str(gain - fees),
        "gasFees": str(fees),
        "results": results,
        "stateBlockNumber": int(env.parent, 16),
        "totalGasUsed": gas,
    }


def _unhex(raw: str) -> bytes:
    try:
        return to_bytes(raw)
    except ValueError:
        raise BadTransaction("not a 0x string") from None


def _uuid(text: str) -> str:
    """The uuid in its one spelling. Raises Refused."""
    try:
        uuid = UUID(text)
    except ValueError:
        uuid = None
    if uuid is None or uuid.version != 4:
        raise Refused(INVALID_PARAMS, f"replacementUuid: {text!r} is not a version 4 UUID")
    return str(uuid)
