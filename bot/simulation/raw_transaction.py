"""Signed bytes of a transaction from the JSON that nodes tell it in: types 0 to 4 (EIP-155, 2930, 1559, 4844, 7702)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rlp

from bot.abi import to_bytes

_HEAD = ("gas", "to", "value", "input")
_FEES = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", *_HEAD, "accessList")
FIELDS: dict[int, tuple[str, ...]] = {
    0: ("nonce", "gasPrice", *_HEAD),
    1: ("chainId", "nonce", "gasPrice", *_HEAD, "accessList"),
    2: _FEES,
    3: (*_FEES, "maxFeePerBlobGas", "blobVersionedHashes"),
    4: (*_FEES, "authorizationList"),
}
"""By type, in the order of the encoding; the signature follows."""


def encode(tx: Mapping[str, Any]) -> bytes:
    """The bytes whose hash is the transaction's; a blob transaction without its blobs. Raises ValueError for another
    type, or where a field is missing or not readable."""
    kind = int(tx.get("type") or "0x0", 16)
    if kind not in FIELDS:
        raise ValueError(f"transactions of type {kind} are not known here")
    try:
        fields = [_field(name, tx[name]) for name in FIELDS[kind]]
        parity = tx["v"] if kind == 0 else tx.get("yParity", tx.get("v"))
        fields += [_number(parity), _number(tx["r"]), _number(tx["s"])]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a transaction of type {kind} is not readable ({type(error).__name__}: {error})") from None
    payload: bytes = rlp.encode(fields)
    return payload if kind == 0 else bytes([kind]) + payload


def _field(name: str, value: Any) -> Any:
    if name in ("to", "input"):
        return to_bytes(value) if value else b""
    if name == "accessList":
        return [[to_bytes(one["address"]), [to_bytes(key) for key in one["storageKeys"]]] for one in value]
    if name == "blobVersionedHashes":
        return [to_bytes(one) for one in value]
    if name == "authorizationList":
        return [
            [
                *(_number(one["chainId"]), to_bytes(one["address"]), _number(one["nonce"])),
                *(_number(one.get("yParity", one.get("v"))), _number(one["r"]), _number(one["s"])),
            ]
            for one in value
        ]
    return _number(value)


def _number(value: str) -> int:
    return int(value, 16)
