"""Which pending transactions are worth a simulation: learnt from what those before them did."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from bot.engine.types import Transaction

FIRST_LOOKS = 2
"""Simulations in a row in which calls of one kind touch nothing wanted, before the kind is passed over; and ..."""
LOOKS = 64
"""... where the kind has touched something before: then only those that went through count, as anybody can send calls
that fail."""
AGAIN = 1024
"""Of a kind that is passed over some are simulated even so, as it may begin to matter: the 4th, 8th, 16th and so on,
from here on every so many-th."""
REMEMBERED = 100_000
"""Kinds."""


@dataclass(slots=True)
class _Kind:
    misses: int = 0
    touched: bool = False


class Triage:
    """A kind is a contract and a selector; where that has ever touched something wanted, it is told apart further by
    what a call is about: ``subject`` says that (of a router the tokens, of a contract that it cannot read nothing).

    What it costs: of a kind that touches something with probability p a call, and did so in none of its first
    ``FIRST_LOOKS`` calls ((1 - p) ** FIRST_LOOKS), only those that ``AGAIN`` tells are looked at, until one touches.
    """

    def __init__(self, subject: Callable[[Transaction], Hashable] = lambda tx: None) -> None:
        self._subject = subject
        self._kinds: OrderedDict[Hashable, _Kind] = OrderedDict()

    def kind(self, tx: Transaction) -> Hashable:
        """What the two below are asked about."""
        call = tx.to, tx.data[:4]
        broad = self._kinds.get(call)
        return (call, self._subject(tx)) if broad is not None and broad.touched else call

    def matters(self, kind: Hashable) -> bool:
        """Whether the next one of the kind is to be simulated."""
        known = self._kinds.get(kind)
        if known is None or known.misses < (LOOKS if known.touched else FIRST_LOOKS):
            return True
        place = known.misses + 1
        return place & known.misses == 0 or place % AGAIN == 0

    def worth(self, kind: Hashable) -> bool:
        """The same, for one that is not looked at again."""
        if self.matters(kind):
            return True
        self._kinds[kind].misses += 1
        return False

    def learn(self, kind: Hashable, tx: Transaction, *, touched: bool, success: bool) -> None:
        """What a simulation showed."""
        known = self._kinds.get(kind)
        if known is None:
            known = self._kinds[kind] = _Kind()
            if len(self._kinds) > REMEMBERED:
                self._kinds.popitem(last=False)
        if touched:
            known.misses, known.touched = 0, True
            if kind == (tx.to, tx.data[:4]):
                self._kinds[kind, self._subject(tx)] = _Kind(touched=True)
        elif success or not known.touched:
            known.misses += 1
