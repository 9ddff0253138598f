"""A number in a part of a storage slot."""

from __future__ import annotations

from dataclasses import dataclass

from bot.engine.types import AccountDiff


@dataclass(frozen=True, slots=True)
class Field:
    """``bits`` of ``slot``, from bit ``shift`` on."""

    slot: int
    shift: int = 0
    bits: int = 256

    def of(self, word: int) -> int:
        """Its value in the slot's word."""
        return word >> self.shift & (1 << self.bits) - 1

    def after(self, change: AccountDiff | None) -> int | None:
        """Its value after a change of its contract, None where the slot did not change."""
        word = None if change is None else change.slots.get(self.slot)
        return None if word is None else self.of(word)
