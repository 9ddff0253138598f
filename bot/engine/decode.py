"""From a node's JSON to the engine's values.

What comes in numbers (logs, pending transactions) is decoded from bytes straight into the Structs here, which say what
of a message is looked at; the rest of it is passed over without becoming an object.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from bot.abi import keccak, to_bytes
from bot.engine.types import Header, Log, MinedTx, Transaction


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


def transaction(body: TransactionBody) -> Transaction | None:
    """A transaction, its signed encoding rebuilt; ``None`` where that cannot be had (a blob transaction without its
    sidecar, an unknown type): such a transaction cannot travel in a bundle."""
    raw = _encode(body)
    if raw is None or "0x" + keccak(raw).hex() != body.hash:
        return None
    gas_price = body.gas_price or "0x0"
    return Transaction(
        hash=body.hash,
        sender=body.sender.lower(),
        to=body.to.lower() if body.to else None,
        value=int(body.value, 16),
        data=to_bytes(body.input),
        nonce=int(body.nonce, 16),
        gas=int(body.gas, 16),
        max_fee_per_gas=int(body.max_fee_per_gas or gas_price, 16),
        max_priority_fee_per_gas=int(body.max_priority_fee_per_gas or gas_price, 16),
        raw=raw,
        access_list=tuple(
            (entry.address.lower(), tuple(int(key, 16) for key in entry.storage_keys))
            for entry in body.access_list or ()
        ),
    )


def _encode(body: TransactionBody) -> bytes | None:
    """EIP-2718 encoding of types 0, 1 and 2 (EIP-155, EIP-2930, EIP-1559)."""
    kind = int(body.type or "0x0", 16)
    parity = body.v if kind == 0 else body.y_parity or body.v
    fees = [body.max_priority_fee_per_gas, body.max_fee_per_gas] if kind == 2 else [body.gas_price]
    head = [body.nonce, *fees] if kind == 0 else [body.chain_id, body.nonce, *fees]
    if kind > 2 or any(number is None for number in (*head, parity, body.r, body.s)):
        return None
    encoded = _list(
        [
            *map(_number, head),
            _number(body.gas),
            _string(to_bytes(body.to) if body.to else b""),
            _number(body.value),
            _string(to_bytes(body.input)),
            *([_access(body.access_list or ())] if kind else []),
            *map(_number, (parity, body.r, body.s)),
        ]
    )
    return bytes((kind,)) + encoded if kind else encoded


# --- RLP, by hand: the library takes ten times as long ----------------------------------------------------------------


def _access(entries: Iterable[AccessEntry]) -> bytes:
    lists = []
    for entry in entries:
        keys = _list([_string(to_bytes(key)) for key in entry.storage_keys])
        lists.append(_list([_string(to_bytes(entry.address)), keys]))
    return _list(lists)


def _number(hexadecimal: str | None) -> bytes:
    value = int(hexadecimal or "0x0", 16)
    return _string(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _string(raw: bytes) -> bytes:
    return raw if len(raw) == 1 and raw[0] < 0x80 else _head(0x80, len(raw)) + raw


def _list(encoded: list[bytes]) -> bytes:
    whole = b"".join(encoded)
    return _head(0xC0, len(whole)) + whole


def _head(kind: int, size: int) -> bytes:
    if size < 56:
        return bytes((kind + size,))
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((kind + 55 + len(length),)) + length
