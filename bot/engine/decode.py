"""From a node's JSON to the engine's values."""

from __future__ import annotations

from typing import Any

import rlp

from bot.abi import keccak, to_bytes
from bot.engine.types import Header, Log, Transaction


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


def log(entry: dict[str, Any]) -> Log:
    """A log as eth_getLogs or a receipt gives it."""
    return Log(entry["address"].lower(), tuple(entry["topics"]), to_bytes(entry["data"]))


def transaction(body: dict[str, Any]) -> Transaction | None:
    """A full transaction body, its signed encoding rebuilt; ``None`` where that cannot be had (a blob transaction
    without its sidecar, an unknown type): such a transaction cannot travel in a bundle."""
    raw = _encode(body)
    if raw is None or "0x" + keccak(raw).hex() != body["hash"]:
        return None
    gas_price = int(body.get("gasPrice") or "0x0", 16)
    return Transaction(
        hash=body["hash"],
        sender=body["from"].lower(),
        to=body["to"].lower() if body.get("to") else None,
        value=int(body["value"], 16),
        data=to_bytes(body["input"]),
        nonce=int(body["nonce"], 16),
        gas=int(body["gas"], 16),
        max_fee_per_gas=int(body.get("maxFeePerGas") or hex(gas_price), 16),
        max_priority_fee_per_gas=int(body.get("maxPriorityFeePerGas") or hex(gas_price), 16),
        raw=raw,
        access_list=tuple(
            (entry["address"].lower(), tuple(int(key, 16) for key in entry["storageKeys"]))
            for entry in body.get("accessList") or ()
        ),
    )


def _encode(body: dict[str, Any]) -> bytes | None:
    """EIP-2718 encoding of types 0, 1 and 2 (EIP-155, EIP-2930, EIP-1559)."""
    kind = int(body.get("type") or "0x0", 16)
    to = to_bytes(body["to"]) if body.get("to") else b""
    call = [_number(body["gas"]), to, _number(body["value"]), to_bytes(body["input"])]
    signature = [_number(body["r"]), _number(body["s"])]
    if kind == 0:
        return _rlp([_number(body["nonce"]), _number(body["gasPrice"]), *call, _number(body["v"]), *signature])
    parity = _number(body.get("yParity") or body["v"])
    access = [[to_bytes(e["address"]), [to_bytes(k) for k in e["storageKeys"]]] for e in body.get("accessList") or ()]
    head = [_number(body["chainId"]), _number(body["nonce"])]
    if kind == 1:
        return b"\x01" + _rlp([*head, _number(body["gasPrice"]), *call, access, parity, *signature])
    if kind == 2:
        fees = [_number(body["maxPriorityFeePerGas"]), _number(body["maxFeePerGas"])]
        return b"\x02" + _rlp([*head, *fees, *call, access, parity, *signature])
    return None


def _number(hexadecimal: str) -> bytes:
    value = int(hexadecimal, 16)
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _rlp(items: list[Any]) -> bytes:
    encoded: bytes = rlp.encode(items)
    return encoded
