"""Changes of state: read from a node's traces, merged, and written as a call's overrides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bot.abi import to_bytes, to_hex
from bot.engine.types import AccountDiff, StateDiff


def merge(diffs: Iterable[StateDiff]) -> StateDiff:
    """One diff with the effect of all, in order: what comes later wins."""
    merged: StateDiff = {}
    for diff in diffs:
        absorb(merged, diff)
    return merged


def absorb(merged: StateDiff, diff: StateDiff) -> None:
    """Adds the effect of ``diff`` to ``merged``, which must own its slots (as ``merge`` makes them)."""
    for address, change in diff.items():
        before = merged.get(address)
        if before is None:
            merged[address] = AccountDiff(change.balance, change.nonce, change.code, dict(change.slots))
            continue
        before.slots.update(change.slots)
        merged[address] = AccountDiff(
            before.balance if change.balance is None else change.balance,
            before.nonce if change.nonce is None else change.nonce,
            before.code if change.code is None else change.code,
            before.slots,
        )


def from_trace(trace: Mapping[str, Any]) -> StateDiff:
    """The diff in a prestateTracer's answer in diffMode.

    ``pre`` holds the changed accounts whole (what it leaves out is zero) with their changed slots; ``post`` what is
    different afterwards. A slot that is in ``pre`` and not in ``post`` became zero, an account likewise was destroyed.
    Balance, nonce and code are always given, so that nobody has to read the account to apply the diff.
    """
    pre: dict[str, dict[str, Any]] = trace["pre"]
    post: dict[str, dict[str, Any]] = trace["post"]
    diff: StateDiff = {}
    for address in pre.keys() | post.keys():
        before, after = pre.get(address, {}), post.get(address, {})
        if address in pre and address not in post:
            known: dict[str, Any] = {"balance": "0x0", "nonce": 0, "code": "0x"}
        else:
            known = {**before, **after}
        slots = dict.fromkeys((int(slot, 16) for slot in before.get("storage", {})), 0)
        slots |= {int(slot, 16): int(value, 16) for slot, value in after.get("storage", {}).items()}
        diff[address.lower()] = AccountDiff(
            _quantity(known.get("balance", "0x0")),
            _quantity(known.get("nonce", 0)),
            to_bytes(known.get("code", "0x")),
            slots,
        )
    return diff


def overrides(diff: StateDiff) -> dict[str, dict[str, Any]]:
    """The diff as the state overrides of eth_call and eth_simulateV1."""
    return {address: _override(change) for address, change in diff.items()}


def _override(change: AccountDiff) -> dict[str, Any]:
    override: dict[str, Any] = {}
    if change.balance is not None:
        override["balance"] = hex(change.balance)
    if change.nonce is not None:
        override["nonce"] = hex(change.nonce)
    if change.code is not None:
        override["code"] = to_hex(change.code)
    if change.slots:
        override["stateDiff"] = {f"0x{slot:064x}": f"0x{value:064x}" for slot, value in change.slots.items()}
    return override


def _quantity(value: str | int) -> int:
    return int(value, 16) if isinstance(value, str) else value
