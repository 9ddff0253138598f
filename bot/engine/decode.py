"""From a node's JSON to the engine's values.

What comes in numbers (logs, pending transactions) is decoded from bytes straight into the Structs here, which say what
of a message is looked at; the rest of it is passed over without becoming an object.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from coincurve import PublicKey

from bot.abi import keccak, to_bytes
from bot.engine import rlp
from bot.engine.types import Header, Log, MinedTx, Transaction

_FEES = {0: ("gas_price",), 1: ("gas_price",), 2: ("max_priority_fee_per_gas", "max_fee_per_gas")}
_SIGNED = {
    kind: (
        *(("chain_id", "nonce") if kind else ("nonce",)),
        *(*fees, "gas", "to", "value", "input"),
        *(("access_list", "y_parity") if kind else ("v",)),
        *("r", "s"),
    )
    for kind, fees in _FEES.items()
}
"""The fields of a signed transaction in their order, by its type (EIP-155, EIP-2930, EIP-1559)."""
_LIST = 0xC0  # the first byte of a list's encoding, and so of a transaction without a type
_CHAIN_IN_V = 35  # EIP-155: v is this, twice the chain's id, and the parity


class LogEntry(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A log as a subscription, eth_getLogs or a receipt gives it; ``transaction_index`` is a 0x string, its place in
    the block."""

    address: str
    topics: tuple[str, ...]
    data: str
    transaction_index: str | None = None


class AccessEntry(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One account of a transaction's access list (EIP-2930)."""

    address: str
    storage_keys: tuple[str, ...]


class TransactionBody(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A transaction as a subscription or a block gives it; quantities are 0x strings. What other types than Ethereum's
    leave out (a rollup's deposit has no signature) is None."""

    hash: str
    sender: str = msgspec.field(name="from")
    to: str | None = None
    input: str = "0x"
    value: str = "0x0"
    nonce: str = "0x0"
    gas: str = "0x0"
    type: str | None = None
    chain_id: str | None = None
    gas_price: str | None = None
    max_fee_per_gas: str | None = None
    max_priority_fee_per_gas: str | None = None
    access_list: tuple[AccessEntry, ...] | None = None
    v: str | None = None
    y_parity: str | None = None
    r: str | None = None
    s: str | None = None


def header(block: dict[str, Any]) -> Header:
    """A header as newHeads or eth_getBlockByNumber gives it."""
    return Header(
        number=int(block["number"], 16),
        hash=block["hash"],
        parent_hash=block["parentHash"],
        timestamp=int(block["timestamp"], 16),
        base_fee=int(block["baseFeePerGas"], 16),
        gas_limit=int(block["gasLimit"], 16),
        gas_used=int(block["gasUsed"], 16),
        coinbase=block["miner"].lower(),
    )


def log(entry: LogEntry) -> Log:
    """Raises ValueError where the data are not hexadecimal."""
    return Log(entry.address.lower(), entry.topics, bytes.fromhex(entry.data[2:]))


def logs(entries: Iterable[dict[str, Any]]) -> tuple[Log, ...]:
    """The logs of a receipt that was decoded already."""
    return tuple(map(log, msgspec.convert(entries, tuple[LogEntry, ...])))


def mined(bodies: Iterable[TransactionBody], entries: Iterable[LogEntry]) -> tuple[MinedTx, ...]:
    """The transactions of a block, in order, with each its logs, of which ``entries`` are all."""
    by_place: dict[int, list[Log]] = {}
    for entry in entries:
        by_place.setdefault(int(entry.transaction_index or "0x0", 16), []).append(log(entry))
    return tuple(
        MinedTx(
            body.hash,
            body.sender.lower(),
            body.to.lower() if body.to else None,
            int(body.nonce, 16),
            int(body.value, 16),
            body.input,
            tuple(by_place.get(place, ())),
        )
        for place, body in enumerate(bodies)
    )


class Announced(Transaction):
    """A transaction as somebody told of it. Its signed encoding is made when ``raw`` is first read, for of most nobody
    wants it: that raises ValueError where there is none (a blob transaction without its sidecar, an unknown type) or
    where it is not what hash and sender were said to be. Only what has been read so may go into a bundle."""

    __slots__ = ("_body",)
    _body: TransactionBody

    def __getattr__(self, name: str) -> bytes:  # called for what is not set: ``raw`` until it is read
        if name != "raw":
            raise AttributeError(name)
        raw = _signed(self._body)
        if raw is None or "0x" + keccak(raw).hex() != self.hash:
            raise ValueError(f"transaction {self.hash} is not told as it was signed")
        if recovered(self._body) != self.sender:
            raise ValueError(f"transaction {self.hash} was not signed by {self.sender}")
        object.__setattr__(self, "raw", raw)
        return raw


def announced(body: TransactionBody) -> Announced:
    """Raises ValueError where a field is not a hexadecimal number."""
    gas_price = body.gas_price or "0x0"
    tx = Announced(
        body.hash,
        body.sender.lower(),
        body.to.lower() if body.to else None,
        int(body.value, 16),
        to_bytes(body.input),
        int(body.nonce, 16),
        int(body.gas, 16),
        int(body.max_fee_per_gas or gas_price, 16),
        int(body.max_priority_fee_per_gas or gas_price, 16),
        b"",
        tuple((entry.address.lower(), tuple(int(key, 16) for key in entry.storage_keys)) for entry in body.access_list)
        if body.access_list
        else (),
    )
    object.__delattr__(tx, "raw")
    object.__setattr__(tx, "_body", body)
    return tx


def body_of(raw: bytes) -> TransactionBody:
    """The body of a signed transaction of type 0, 1 or 2, its sender recovered. Raises ValueError."""
    kind = raw[0] if raw and raw[0] < _LIST else 0
    names, fields = _SIGNED.get(kind), rlp.decode(raw[1:] if kind else raw)
    if names is None or len(fields) != len(names):
        raise ValueError(f"not a signed transaction of type {kind}")
    said: dict[str, Any] = {"hash": "0x" + keccak(raw).hex(), "sender": "", "type": hex(kind)}
    for name, field in zip(names, fields, strict=True):
        if name == "access_list":
            said[name] = _entries(field)
        elif not isinstance(field, bytes):
            raise ValueError(f"{name} is a list")
        elif name in ("to", "input"):
            said[name] = "0x" + field.hex()
        else:
            said[name] = hex(int.from_bytes(field, "big"))
    body = TransactionBody(**said | {"to": said["to"] if len(said["to"]) > 2 else None})
    sender = recovered(body)
    if sender is None:
        raise ValueError("nobody signed it")
    return msgspec.structs.replace(body, sender=sender)


def _entries(field: Any) -> tuple[AccessEntry, ...]:
    try:
        return tuple(AccessEntry("0x" + at.hex(), tuple("0x" + key.hex() for key in keys)) for at, keys in field)
    except (AttributeError, TypeError):
        raise ValueError("an access list is a list of an address and keys") from None


def transaction(body: TransactionBody) -> Transaction | None:
    """A transaction with its signed encoding; ``None`` where that cannot be had, or is not what the body tells: such a
    transaction cannot travel in a bundle."""
    tx = announced(body)
    try:
        tx.raw  # noqa: B018 # makes and proves it
    except ValueError:
        return None
    return tx


def recovered(body: TransactionBody) -> str | None:
    """The account that signed; None where nobody can have."""
    fields = _fields(body)
    parity, r, s = _parity(body), body.r, body.s
    if fields is None or parity is None or r is None or s is None:
        return None
    kind, v = int(body.type or "0x0", 16), int(body.v or "0x0", 16)
    if kind == 0 and v >= _CHAIN_IN_V:  # EIP-155
        fields += [_number(hex((v - _CHAIN_IN_V) // 2)), rlp.string(b""), rlp.string(b"")]
    payload = (bytes((kind,)) if kind else b"") + rlp.items(fields)
    try:
        signature = int(r, 16).to_bytes(32, "big") + int(s, 16).to_bytes(32, "big") + bytes((parity,))
        key = PublicKey.from_signature_and_message(signature, keccak(payload), hasher=None)
    except (ValueError, OverflowError):
        return None
    return "0x" + keccak(key.format(compressed=False)[1:])[12:].hex()


def _parity(body: TransactionBody) -> int | None:
    kind = int(body.type or "0x0", 16)
    if kind:
        parity = body.y_parity or body.v
        return None if parity is None else int(parity, 16)
    v = int(body.v or "0x0", 16)
    return (v - _CHAIN_IN_V) % 2 if v >= _CHAIN_IN_V else v - 27


def _fields(body: TransactionBody) -> list[bytes] | None:
    """What is signed, encoded, of types 0, 1 and 2 (EIP-155, EIP-2930, EIP-1559)."""
    kind = int(body.type or "0x0", 16)
    fees = [body.max_priority_fee_per_gas, body.max_fee_per_gas] if kind == 2 else [body.gas_price]
    head = [body.nonce, *fees] if kind == 0 else [body.chain_id, body.nonce, *fees]
    if kind > 2 or any(number is None for number in head):
        return None
    return [
        *map(_number, head),
        _number(body.gas),
        rlp.string(to_bytes(body.to) if body.to else b""),
        _number(body.value),
        rlp.string(to_bytes(body.input)),
        *([_access(body.access_list or ())] if kind else []),
    ]


def _signed(body: TransactionBody) -> bytes | None:
    """EIP-2718 encoding with the signature."""
    kind = int(body.type or "0x0", 16)
    parity = body.v if kind == 0 else body.y_parity or body.v
    fields = _fields(body)
    if fields is None or parity is None or body.r is None or body.s is None:
        return None
    encoded = rlp.items([*fields, *map(_number, (parity, body.r, body.s))])
    return bytes((kind,)) + encoded if kind else encoded


def _access(entries: Iterable[AccessEntry]) -> bytes:
    lists = []
    for entry in entries:
        keys = rlp.items(rlp.string(to_bytes(key)) for key in entry.storage_keys)
        lists.append(rlp.items((rlp.string(to_bytes(entry.address)), keys)))
    return rlp.items(lists)


def _number(hexadecimal: str | None) -> bytes:
    return rlp.number(int(hexadecimal or "0x0", 16))
