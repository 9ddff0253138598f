"""What is known of a v3 pool's ticks: bitmap words and the liquidity at their initialised ticks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bot.amm.pool import UnknownState
from bot.amm.tick_math import MAX_TICK, MIN_TICK


class TickLiquidity(NamedTuple):
    """A tick's ``liquidityGross`` and ``liquidityNet`` (added to the active liquidity on the way up)."""

    gross: int
    net: int


@dataclass(frozen=True, slots=True)
class TickMap:
    """Immutable; pools share it. What was never read is not there, and is unknown: not empty.

    ``words`` are the contract's tickBitmap words, ``liquidity`` what their initialised ticks hold. A recorded block
    often knows a word without all of its ticks: a swap reads the liquidity only of those that it crosses.
    """

    spacing: int
    words: Mapping[int, int]
    liquidity: Mapping[int, TickLiquidity]

    @classmethod
    def complete(cls, spacing: int, liquidity: Mapping[int, TickLiquidity]) -> TickMap:
        """The map of a pool whose ticks are all known."""
        words = dict.fromkeys(all_words(spacing), 0)
        for tick in liquidity:
            words[word_of(tick, spacing)] |= 1 << (tick // spacing & 255)
        return cls(spacing, words, dict(liquidity))

    def next(self, tick: int, down: bool) -> tuple[int, bool]:
        """TickBitmap.nextInitializedTickWithinOneWord: the tick that a swap step goes to, and whether it is
        initialised. Raises UnknownState."""
        compressed = tick // self.spacing + (0 if down else 1)
        word, bit = compressed >> 8, compressed & 255
        bitmap = self.words.get(word)
        if bitmap is None:
            raise UnknownState(f"tick bitmap word {word} was never read")
        if down:
            masked = bitmap & ((2 << bit) - 1)
            found = masked.bit_length() - 1 if masked else 0
        else:
            masked = bitmap >> bit << bit
            found = (masked & -masked).bit_length() - 1 if masked else 255
        return (compressed - bit + found) * self.spacing, masked != 0

    def moved(self, lower: int, upper: int, amount: int) -> TickMap:
        """After ``amount`` of liquidity was added to (negative: taken from) a position. What is unknown stays so."""
        words, liquidity = dict(self.words), dict(self.liquidity)
        for tick, net in ((lower, amount), (upper, -amount)):
            word, mask = word_of(tick, self.spacing), 1 << (tick // self.spacing & 255)
            if word not in words:
                continue
            if words[word] & mask and tick not in liquidity:
                if amount < 0:  # nobody knows whether the tick is still initialised
                    del words[word]
                continue
            before = liquidity.pop(tick, TickLiquidity(0, 0))
            after = TickLiquidity(before.gross + amount, before.net + net)
            if after.gross < 0:  # more was taken out than we knew of: what we know of this word is wrong
                del words[word]
            elif after.gross:
                liquidity[tick] = after
                words[word] |= mask
            else:
                words[word] &= ~mask
        return TickMap(self.spacing, words, liquidity)


def word_of(tick: int, spacing: int) -> int:
    """The bitmap word that holds a tick."""
    return tick // spacing >> 8


def all_words(spacing: int) -> range:
    """Every bitmap word that a swap can look into."""
    return range(word_of(MIN_TICK, spacing), word_of(MAX_TICK, spacing) + 1)
