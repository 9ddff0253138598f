"""Whether two cassettes say the same of a block.

State is compared by what it means: numbers as numbers, an empty account as an absent one (EIP-161), a code that is not
known as an entry that is missing. Source and proof notes are not compared. What only one of them holds does not
contradict the other; whether the block needs it shows when the block is run on the one that holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.simulation.cassette import EMPTY_CODE, Cassette


@dataclass(frozen=True, slots=True)
class Difference:
    """``contradictions``, in words. ``only_a``, ``only_b``: entries of one of them, by name, with their value."""

    contradictions: tuple[str, ...]
    only_a: Mapping[str, str]
    only_b: Mapping[str, str]

    @property
    def equal(self) -> bool:
        return not (self.contradictions or self.only_a or self.only_b)


def diff(a: Cassette, b: Cassette) -> Difference:
    """Between two cassettes, with their header, transactions, receipts, rules, state, codes and block hashes."""
    found = []
    told: tuple[tuple[str, Any, Any], ...] = (
        ("chain id", a.chain_id, b.chain_id),
        ("hardfork", a.hardfork, b.hardfork),
        ("parent hash", a.parent_hash, b.parent_hash),
        ("raw transactions", a.raw_transactions, b.raw_transactions),
        ("receipts", _receipts(a), _receipts(b)),
    )
    for name, one, other in told:
        if one != other:
            shown = f": {one} and {other}" if isinstance(one, str | int) else ""
            found.append(f"{name} differ{shown}")
    for name in sorted(a.block.keys() | b.block.keys()):
        if a.block.get(name) != b.block.get(name):
            found.append(f"block field {name} differs")
    mine, theirs = _entries(a), _entries(b)
    for name in sorted(mine.keys() & theirs.keys()):
        if mine[name] != theirs[name]:
            found.append(f"{name}: {mine[name]} and {theirs[name]}")
    return Difference(
        tuple(found),
        {name: mine[name] for name in sorted(mine.keys() - theirs.keys())},
        {name: theirs[name] for name in sorted(theirs.keys() - mine.keys())},
    )


def _entries(cassette: Cassette) -> dict[str, str]:
    """Everything that it says of state, one entry a fact."""
    facts = {f"hash of block {number}": value for number, value in cassette.block_hashes.items()}
    for address, account in cassette.accounts.items():
        facts[f"account {address}"] = f"nonce {int(account.nonce, 16)}, balance {int(account.balance, 16)}"
        code = EMPTY_CODE if account.nonexistent else account.codeHash
        if code is not None and (code == EMPTY_CODE or code in cassette.codes):
            facts[f"code of {address}"] = code
        for slot, value in account.storage.items():
            facts[f"slot 0x{int(slot, 16):x} of {address}"] = hex(int(value, 16))
    return facts


def _receipts(cassette: Cassette) -> list[Any]:
    return [
        (
            *(int(receipt[name], 16) for name in ("status", "gasUsed", "cumulativeGasUsed", "type")),
            [(log["address"].lower(), tuple(log["topics"]), log["data"]) for log in receipt["logs"]],
        )
        for receipt in cassette.receipts
    ]
