"""Which rules pyrevm 0.3.7 runs by, what it therefore cannot know, and how that shows.

Its newest are Cancun's. Of the later ones the floor of calldata's gas (EIP-7623) and the cap on a transaction's gas
(EIP-7825) are put around it here; of the others only what a run touches tells whether they matter. A doubt is raised
too often rather than too seldom: the code of every touched contract is looked at, also what of it did not run. One
thing is not seen: what a frame touched that reverted inside of a transaction which went on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from bot.simulation.types import Call

SPECS = {
    **dict.fromkeys(("london", "arrowglacier", "grayglacier"), "London"),
    "paris": "Merge",
    "shanghai": "Shanghai",
    **dict.fromkeys(("cancun", "prague", "osaka"), "Cancun"),
}
"""Hardforks by anvil's names, to pyrevm's, which are case-sensitive: a wrong one means LATEST silently."""

ORDER = tuple(SPECS)
TX_GAS_CAP = 1 << 24  # EIP-7825
FLOOR_GAS_A_TOKEN = 10  # EIP-7623
INTRINSIC_GAS = 21_000
ADDRESS_GAS, KEY_GAS = 2_400, 1_900  # EIP-2930

BLOB_BASE_FEE, BLOB_HASH, BASE_FEE, DIFFICULTY, CLZ = 0x4A, 0x49, 0x48, 0x44, 0x1E
DELEGATION = bytes.fromhex("ef0100")  # EIP-7702
MODEXP, P256 = 0x05, 0x100
BLS = range(0x0B, 0x12)  # EIP-2537

_PUSHES = re.compile(b"|".join(re.escape(bytes([0x5F + n])) + b".{%d}" % n for n in range(1, 33)), re.DOTALL)


class Doubt(StrEnum):
    """Why a result may come out otherwise on the chain."""

    WARM = "earlier calls of the run left warm what they touched: the gas is a lower bound"
    REFUND = "the refund is at its cap, which the access list would lift"
    BASE_FEE = "touches code that may read the base fee, which is 0 here"
    BLOBS = "touches code that may read blob hashes or the blob base fee"
    DIFFICULTY = "touches code that may read the difficulty, which is not known here"
    OPCODE = "touches code that may use an opcode newer than Cancun"
    FAILED = "failed: what it touched before is not known, nor whether newer rules let it pass"
    DELEGATED = "touches an account that runs another's code (EIP-7702)"
    PRECOMPILE = "touches a precompile that is new or priced anew since Cancun"


def at_least(hardfork: str, other: str) -> bool:
    """Whether ``hardfork`` has the rules of ``other``."""
    return ORDER.index(hardfork) >= ORDER.index(other)


def floor_gas(call: Call, hardfork: str) -> int:
    """The least that a transaction pays for, in gas (EIP-7623); 0 before Prague."""
    if not at_least(hardfork, "prague"):
        return 0
    zeros = call.data.count(0)
    return INTRINSIC_GAS + FLOOR_GAS_A_TOKEN * (zeros + 4 * (len(call.data) - zeros))


def list_gas(call: Call) -> int:
    """What its access list costs in advance."""
    return sum(ADDRESS_GAS + KEY_GAS * len(slots) for _, slots in call.access_list)


def refusal(call: Call, hardfork: str) -> str:
    """Why a transaction cannot be in a block by the rules that pyrevm does not know; empty where it can."""
    if at_least(hardfork, "osaka") and call.gas > TX_GAS_CAP:
        return f"gas limit {call.gas} is above the {TX_GAS_CAP} that a transaction may have"
    if call.gas < (floor := floor_gas(call, hardfork)):
        return f"gas limit {call.gas} is below the {floor} that its calldata costs at least"
    return ""


def doubts(touched: Iterable[tuple[str, bytes, bytes]], hardfork: str) -> tuple[Doubt, ...]:
    """Of a run that touched these accounts: address, hash of the code, and the code, empty where it was not loaded."""
    found: set[Doubt] = set()
    for address, code_hash, code in touched:
        number = int(address, 16)
        if number <= P256:
            if number in BLS and at_least(hardfork, "prague"):
                found.add(Doubt.PRECOMPILE)
            if number in (MODEXP, P256) and at_least(hardfork, "osaka"):
                found.add(Doubt.PRECOMPILE)
        elif len(code) > 1:
            known = _known.get((code_hash, hardfork))
            if known is None:
                known = _known[code_hash, hardfork] = _of_code(code, hardfork)
            found |= known
    return tuple(sorted(found, key=list(Doubt).index))


_known: dict[tuple[bytes, str], frozenset[Doubt]] = {}
"""By hash, since hashing the code itself takes longer than the rest."""


def _of_code(code: bytes, hardfork: str) -> frozenset[Doubt]:
    if code.startswith(DELEGATION):
        return frozenset({Doubt.DELEGATED} if at_least(hardfork, "prague") else ())
    used = _opcodes(code)
    cancun, merged = at_least(hardfork, "cancun"), at_least(hardfork, "paris")
    asked = {
        Doubt.BASE_FEE: BASE_FEE in used,
        Doubt.BLOBS: cancun and not used.isdisjoint((BLOB_HASH, BLOB_BASE_FEE)),
        Doubt.DIFFICULTY: not merged and DIFFICULTY in used,
        Doubt.OPCODE: at_least(hardfork, "osaka") and CLZ in used,
    }
    return frozenset(doubt for doubt, applies in asked.items() if applies)


def _opcodes(code: bytes) -> frozenset[int]:
    """What stands in the code but for the operands of pushes and the compiler's metadata at its end."""
    code = code.rstrip(b"\0")  # revm pads what it has analysed
    end = len(code)
    size = int.from_bytes(code[-2:], "big") + 2
    if size < end and code[-size] in (0xA1, 0xA2, 0xA3, 0xA4):  # a CBOR map (Solidity's documentation, metadata)
        end -= size
    return frozenset(_PUSHES.sub(b"", code[:end]))
