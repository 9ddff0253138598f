"""Signed transactions as a builder receives them: raw bytes to the engine's value, and on to a simulated call."""

from __future__ import annotations

from typing import Any

import rlp

from bot.abi import keccak, to_hex
from bot.devnet.signature import recover
from bot.engine.types import Transaction

HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0  # EIP-2: a larger s is invalid
FIELDS = {0: 9, 1: 11, 2: 12}


class BadTransaction(ValueError):
    """Not a signed transaction of type 0, 1 or 2 for this chain. The message says why."""


def decode(raw: bytes, chain_id: int) -> Transaction:
    """The transaction, its sender recovered. A legacy gas price fills both fees: it pays the same.
    Raises BadTransaction."""
    kind = raw[0] if raw and raw[0] < 0xC0 else 0
    if kind not in FIELDS:
        raise BadTransaction(f"transaction type {kind} is not supported")
    try:
        fields: list[Any] = rlp.decode(raw[1:] if kind else raw)
        if not isinstance(fields, list) or len(fields) != FIELDS[kind]:
            raise BadTransaction(f"a transaction of type {kind} has {FIELDS[kind]} fields")
        return _transaction(kind, fields, raw, chain_id)
    except BadTransaction:
        raise
    except (rlp.DecodingError, ValueError, TypeError, IndexError):
        raise BadTransaction("not a signed transaction") from None


def _transaction(kind: int, fields: list[Any], raw: bytes, chain_id: int) -> Transaction:
    if kind == 0:
        nonce, fee, gas, to, value, data, v, r, s = fields
        tip, access = fee, []
        chain, parity = divmod(_int(v) - 35, 2) if _int(v) >= 35 else (chain_id, _int(v) - 27)
        signed = fields[:6] + ([_bytes(chain), b"", b""] if _int(v) >= 35 else [])
        payload: bytes = rlp.encode(signed)
    else:
        if kind == 1:
            chain_field, nonce, fee, gas, to, value, data, access, y, r, s = fields
            tip = fee
        else:
            chain_field, nonce, tip, fee, gas, to, value, data, access, y, r, s = fields
        chain, parity = _int(chain_field), _int(y)
        payload = bytes([kind]) + rlp.encode(fields[:-3])
    if chain != chain_id:
        raise BadTransaction(f"signed for chain {chain}, this is {chain_id}")
    if _int(s) > HALF_ORDER or parity not in (0, 1) or len(to) not in (0, 20):
        raise BadTransaction("not a signed transaction")
    return Transaction(
        hash=to_hex(keccak(raw)),
        sender=recover(r.rjust(32, b"\0") + s.rjust(32, b"\0") + bytes([parity]), keccak(payload)),
        to=to_hex(to) if to else None,
        value=_int(value),
        data=bytes(data),
        nonce=_int(nonce),
        gas=_int(gas),
        max_fee_per_gas=_int(fee),
        max_priority_fee_per_gas=_int(tip),
        raw=raw,
        access_list=tuple((to_hex(address), tuple(_int(key) for key in keys)) for address, keys in access),
    )


def as_call(tx: Transaction) -> dict[str, Any]:
    """The transaction as a call of eth_simulateV1."""
    call: dict[str, Any] = {
        "type": "0x2",
        "from": tx.sender,
        "to": tx.to,
        "nonce": hex(tx.nonce),
        "gas": hex(tx.gas),
        "value": hex(tx.value),
        "input": to_hex(tx.data),
        "maxFeePerGas": hex(tx.max_fee_per_gas),
        "maxPriorityFeePerGas": hex(tx.max_priority_fee_per_gas),
    }
    if tx.access_list:
        call["accessList"] = [
            {"address": address, "storageKeys": [f"0x{key:064x}" for key in keys]} for address, keys in tx.access_list
        ]
    return call


def _int(field: bytes) -> int:
    return int.from_bytes(field, "big")


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
