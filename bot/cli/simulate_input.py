"""What ``mev simulate`` is asked to run: signed transactions, a bundle, an unsigned call."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rlp

from bot.abi import keccak, to_hex
from bot.errors import UserError
from bot.simulation.raw_transaction import FIELDS
from bot.simulation.types import Call

WANTED = (
    "a signed transaction (0x…), a file of several (one a line, or the JSON of eth_sendBundle), "
    "or a call by --from, --to, --data"
)
BLOB = 3
_RAW = re.compile(r"(0x)?[0-9a-fA-F]+")
_PRE_EIP155 = (27, 28)


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed transaction. ``call`` has the fee cap for a gas price; ``tip`` is the most of it that goes to the
    builder. ``chain_id`` is None where it was signed for any chain (before EIP-155)."""

    raw: bytes
    call: Call
    nonce: int
    tip: int
    chain_id: int | None

    @property
    def hash(self) -> str:
        return to_hex(keccak(self.raw))

    def price(self, base_fee: int) -> int:
        """Wei per gas that it would pay."""
        return min(self.call.gas_price, base_fee + self.tip)


@dataclass(frozen=True, slots=True)
class Asked:
    """In order. ``target`` is the block that a bundle is for; ``may_revert`` the hashes that it lets revert, None
    where this is no bundle."""

    transactions: tuple[Signed | Call, ...]
    target: int | None = None
    may_revert: frozenset[str] | None = None
    notes: list[str] = field(default_factory=list)


def read(what: str) -> Asked:
    """From the command line's word: hexadecimal, a file, or - for stdin. Raises UserError."""
    if what.startswith("0x"):
        return Asked((decode(_unhex(what, "the transaction"), "the transaction"),))
    text = read_text(what, WANTED)
    stripped = text.lstrip()
    if stripped.startswith(("{", "[")):
        return _bundle(what, stripped)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        raise UserError(f"{what} is empty: name {WANTED}")
    return Asked(tuple(_decoded(lines, what)))


def read_text(what: str, wanted: str) -> str:
    """Of a file, or of stdin for -. Raises UserError."""
    if what == "-":
        return sys.stdin.read()
    try:
        return Path(what).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{what} is not text: name {wanted}") from None
    except OSError as error:
        raise UserError(f"{what[:80]} cannot be read ({error.strerror}): name {wanted}") from None


def decode(raw: bytes, name: str) -> Signed:
    """A signed transaction of type 0, 1, 2 or 4. Raises UserError: ``name`` begins its line."""
    kind = raw[0] if raw and raw[0] < 0xC0 else 0
    if kind == BLOB:
        raise UserError(f"{name} carries blobs, which cannot be simulated as signed: leave it out, or use --from --to")
    if kind not in FIELDS:
        raise UserError(f"{name} has the type {kind}: types 0, 1, 2 and 4 can be simulated")
    names = FIELDS[kind]
    try:
        values: Any = rlp.decode(raw[1:] if kind else raw)
        if not isinstance(values, list) or len(values) != len(names) + 3:
            raise ValueError
        fields = dict(zip(names, values[:-3], strict=True))
        return _signed(raw, fields, int.from_bytes(values[-3], "big") if kind == 0 else None)
    except (rlp.DecodingError, ValueError, TypeError, KeyError, IndexError):
        raise UserError(
            f"{name} is not a signed transaction: take it whole, as eth_sendRawTransaction does; an unsigned call goes "
            "by --from, --to and --data"
        ) from None


def _signed(raw: bytes, fields: dict[str, Any], v: int | None) -> Signed:
    """Raises ValueError, TypeError."""
    from eth_account import Account  # slow to import

    numbers = {name: int.from_bytes(value, "big") for name, value in fields.items() if isinstance(value, bytes)}
    if v is None:
        chain_id: int | None = numbers["chainId"]
    else:
        chain_id = None if v in _PRE_EIP155 else (v - 35) // 2
    try:
        sender = Account.recover_transaction(raw).lower()
    except Exception as error:  # of many kinds, for a signature that is none
        raise ValueError(str(error)) from None
    cap = numbers["maxFeePerGas"] if "maxFeePerGas" in numbers else numbers["gasPrice"]
    listed = tuple(
        (to_hex(address), tuple(int.from_bytes(key, "big") for key in keys))
        for address, keys in fields.get("accessList", ())
    )
    to = to_hex(fields["to"]) if fields["to"] else None
    call = Call(sender, to, bytes(fields["input"]), numbers["value"], numbers["gas"], cap, listed)
    return Signed(raw, call, numbers["nonce"], numbers.get("maxPriorityFeePerGas", cap), chain_id)


def _bundle(what: str, text: str) -> Asked:
    """Of eth_sendBundle: its request, its parameters, or a list of transactions alone."""
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError(f"{what} is not JSON ({error}): name {WANTED}") from None
    params = content.get("params", content) if isinstance(content, dict) else content
    if isinstance(params, list) and len(params) == 1 and isinstance(params[0], dict):
        params = params[0]
    listed = params if isinstance(params, list) else params.get("txs") if isinstance(params, dict) else None
    if not isinstance(listed, list) or not listed or not all(isinstance(one, str) for one in listed):
        raise UserError(f'{what} has no transactions: eth_sendBundle wants {{"txs": ["0x…", …], "blockNumber": "0x…"}}')
    transactions = tuple(_decoded(listed, what))
    if not isinstance(params, dict):
        return Asked(transactions, may_revert=frozenset())
    target, may_revert = params.get("blockNumber"), params.get("revertingTxHashes") or []
    try:
        block = int(target, 16) if isinstance(target, str) else target
        allowed = frozenset(one.lower() for one in may_revert)
    except (ValueError, TypeError, AttributeError):
        raise UserError(f"{what}: blockNumber is a number in hexadecimal, revertingTxHashes a list of hashes") from None
    ignored = sorted(params.keys() & {"minTimestamp", "maxTimestamp", "droppingTxHashes", "refundPercent"})
    notes = [f"not looked at: {', '.join(ignored)}"] if ignored else []
    return Asked(transactions, block, allowed, notes)


def _decoded(lines: Sequence[str], what: str) -> list[Signed]:
    return [
        decode(_unhex(line, f"{what}: transaction {place}"), f"{what}: transaction {place}")
        for place, line in enumerate(lines)
    ]


def _unhex(text: str, name: str) -> bytes:
    digits = text.removeprefix("0x")
    if len(digits) % 2 or not _RAW.fullmatch(text):
        raise UserError(f"{name} is not hexadecimal, or cut off: it has {len(digits)} digits")
    return bytes.fromhex(digits)
