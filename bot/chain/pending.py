"""What is pending now: known by what a transaction competes for, its sender's next place."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from enum import Enum, auto

from bot.engine.types import MinedTx, Transaction

MOST = 200_000
"""Transactions; a node's pool holds some ten thousand. Beyond that the oldest are forgotten."""


class News(Enum):
    """What one more transaction is to those that are known."""

    NEW = auto()
    KNOWN = auto()
    OUTBID = auto()  # another one of its sender has its place, and pays at least as much
    REPLACES = auto()


class Pending:
    """By sender and nonce the transaction that pays most: of the others no block will hold one. ``replaced``,
    ``dropped`` (another one took the place, in a block) and ``mined`` are counts."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._by_place: OrderedDict[tuple[str, int], tuple[str, int]] = OrderedDict()  # to hash and fee
        self.replaced = self.dropped = self.mined = 0

    def __len__(self) -> int:
        return len(self._by_place)

    def at(self, sender: str, nonce: int) -> str | None:
        """The hash of the one that has this place."""
        found = self._by_place.get((sender, nonce))
        return None if found is None else found[0]

    def add(self, tx: Transaction) -> tuple[News, str | None]:
        """Takes it in; where it REPLACES another one, the hash of that, which can hardly be in a block any more."""
        place = tx.sender, tx.nonce
        before = self._by_place.get(place)
        if before is not None:
            if before[0] == tx.hash:
                return News.KNOWN, None
            if before[1] >= tx.max_fee_per_gas:
                return News.OUTBID, None
            self.replaced += 1
        self._by_place[place] = tx.hash, tx.max_fee_per_gas
        if len(self._by_place) > self._most:
            self._by_place.popitem(last=False)
        return (News.NEW, None) if before is None else (News.REPLACES, before[0])

    def block(self, transactions: Iterable[MinedTx]) -> None:
        """Forgets what a block holds, and what lost its place to it."""
        for tx in transactions:
            gone = self._by_place.pop((tx.sender, tx.nonce), None)
            if gone is not None:
                if gone[0] == tx.hash:
                    self.mined += 1
                else:
                    self.dropped += 1
