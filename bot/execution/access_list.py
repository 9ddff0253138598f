"""EIP-2930 access lists: paying in advance, and less, for what a transaction touches.

Gas is units. A list is worth it only for what would be cold otherwise and is touched indeed.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from typing import Any

from bot.simulation.types import AccessList

ADDRESS, KEY = 2_400, 1_900  # in advance (EIP-2930)
COLD_ACCOUNT, COLD_SLOAD = 2_600, 2_100  # at the first access (EIP-2929)

PRECOMPILES = frozenset(f"0x{number:040x}" for number in (*range(1, 0x12), 0x100))
"""Those of any hardfork so far: warm from the beginning."""

ROUTES = 4_096  # that are remembered


def paying(touched: Iterable[tuple[str, Iterable[int]]], warm: Collection[str]) -> AccessList:
    """The entries of ``touched`` that cost less in advance. ``warm`` are the transaction's sender, its ``to`` and the
    block's coinbase, which is warm since Shanghai; precompiles are so too."""
    slots: dict[str, set[int]] = {}
    for address, keys in touched:
        slots.setdefault(address, set()).update(keys)
    return tuple(
        (address, tuple(sorted(keys)))
        for address, keys in sorted(slots.items())
        if entry_saving(address, len(keys), warm) > 0
    )


def entry_saving(address: str, keys: int, warm: Collection[str]) -> int:
    """Gas that an entry of so many keys saves; less than zero where it costs more."""
    cold = 0 if address in warm or address in PRECOMPILES else COLD_ACCOUNT
    return cold - ADDRESS + keys * (COLD_SLOAD - KEY)


def saving(listed: AccessList, warm: Collection[str]) -> int:
    """Gas that a list saves when all of it is touched."""
    return sum(entry_saving(address, len(keys), warm) for address, keys in listed)


def cost(listed: AccessList) -> int:
    """Gas that a list costs in advance."""
    return sum(ADDRESS + len(keys) * KEY for _, keys in listed)


def from_answer(answer: Any) -> AccessList:
    """What eth_createAccessList says is touched; nothing where the call failed, or in an answer of another form."""
    try:
        if answer.get("error"):
            return ()
        return tuple(
            (entry["address"].lower(), tuple(int(key, 16) for key in entry["storageKeys"]))
            for entry in answer["accessList"]
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return ()


def from_prestate(answer: Any) -> AccessList:
    """What a transaction touched, by the prestateTracer's answer; nothing where that has another form."""
    try:
        return tuple(
            (address.lower(), tuple(int(key, 16) for key in account.get("storage", {})))
            for address, account in answer.items()
        )
    except (AttributeError, TypeError, ValueError):
        return ()


class Learned:
    """What the last two landed trades of a route both touched: what every one of them does. It is for trades behind
    other transactions, of which no node says in one call what they touch."""

    def __init__(self) -> None:
        self._last: dict[Hashable, AccessList] = {}
        self._both: dict[Hashable, AccessList] = {}

    def remember(self, route: Hashable, touched: AccessList) -> None:
        """After a trade has landed."""
        before = self._last.pop(route, None)
        self._last[route] = touched
        if before is not None:
            self._both[route] = _common(before, touched)
        if len(self._last) > ROUTES:
            oldest = next(iter(self._last))
            del self._last[oldest]
            self._both.pop(oldest, None)

    def of(self, route: Hashable) -> AccessList:
        """Empty where fewer than two have landed."""
        return self._both.get(route, ())


def _common(one: AccessList, other: AccessList) -> AccessList:
    slots = {address: set(keys) for address, keys in other}
    return tuple(
        (address, tuple(key for key in keys if key in slots[address])) for address, keys in one if address in slots
    )
