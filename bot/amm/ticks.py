"""What is known of a pool's ticks, v3 or v4: bitmap words and the liquidity at their initialised ticks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bot.amm.layouts import V3Layout
from bot.amm.pool import UnknownState
from bot.amm.tick_math import MAX_TICK, MIN_TICK

_MASK_128 = (1 << 128) - 1


class TickLiquidity(NamedTuple):
    """A tick's ``liquidityGross`` and ``liquidityNet`` (added to the active liquidity on the way up)."""

    gross: int
    net: int

    @classmethod
    def stored(cls, slot: int) -> TickLiquidity:
        """Of the first slot of a contract's Tick.Info."""
        net = slot >> 128
        return cls(slot & _MASK_128, net - (1 << 128) if net >> 127 else net)


class Places(NamedTuple):
    """What lies in which storage slot: bitmap words, and the ticks that are initialised in them."""

    words: Mapping[int, int]
    ticks: Mapping[int, int]


_NOTHING = TickLiquidity(0, 0)


@dataclass(frozen=True, slots=True)
class TickMap:
    """Immutable; pools share it. What was never read is not there, and is unknown: not empty.

    ``words`` are the contract's tickBitmap words, ``liquidity`` what their initialised ticks hold. A recorded block
    often knows a word without all of its ticks: a swap reads the liquidity only of those that it crosses.
    """

    spacing: int
    words: Mapping[int, int]
    liquidity: Mapping[int, TickLiquidity]
    _places: dict[int, Places] = field(default_factory=dict, init=False, repr=False, compare=False)

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
        words, liquidity = self.words, dict(self.liquidity)
        for tick, net in ((lower, amount), (upper, -amount)):
            word, mask = word_of(tick, self.spacing), 1 << (tick // self.spacing & 255)
            bitmap = words.get(word)
            if bitmap is None:
                continue
            if bitmap & mask and tick not in liquidity:
                if amount < 0:  # nobody knows whether the tick is still initialised
                    words = _but(words, word, None)
                continue
            before = liquidity.pop(tick, _NOTHING)
            after = TickLiquidity(before.gross + amount, before.net + net)
            if after.gross < 0:  # more was taken out than we knew of: what we know of this word is wrong
                words = _but(words, word, None)
            elif after.gross:
                liquidity[tick] = after
                words = _but(words, word, bitmap | mask)
            else:
                words = _but(words, word, bitmap & ~mask)
        return self._with(words, liquidity)

    def _with(self, words: Mapping[int, int], liquidity: Mapping[int, TickLiquidity]) -> TickMap:
        after = TickMap(self.spacing, words, liquidity)
        if words is self.words:
            after._places.update(self._places)
        return after

    def places(self, layout: V3Layout) -> Places:
        """Where the contract keeps what is known here; hashed when first asked for."""
        found = self._places.get(layout.bitmap)
        if found is None:
            words = {layout.word_slot(word): word for word in self.words}
            found = Places(words, {layout.tick_slot(tick): tick for tick in self.initialised()})
            self._places[layout.bitmap] = found
        return found

    def initialised(self) -> Iterator[int]:
        """The ticks that are so by the known words, also those whose liquidity was not read."""
        for word, bitmap in self.words.items():
            yield from ticks_in(word, bitmap, self.spacing)

    def stored(self, layout: V3Layout, slots: Mapping[int, int]) -> TickMap:
        """After these slots of the contract got new values. What is unknown stays so, but a tick whose liquidity is
        among them."""
        places = self.places(layout)
        moved_words, moved_ticks = slots.keys() & places.words.keys(), slots.keys() & places.ticks.keys()
        if not moved_words and not moved_ticks:
            return self
        words, liquidity = self.words, dict(self.liquidity)
        for slot in moved_ticks:
            liquidity[places.ticks[slot]] = TickLiquidity.stored(slots[slot])
        for slot in moved_words:
            word = places.words[slot]
            before, after = words[word], slots[slot]
            words = _but(words, word, after)
            for tick in ticks_in(word, before & ~after, self.spacing):
                liquidity.pop(tick, None)
            for tick in ticks_in(word, after & ~before, self.spacing):
                value = slots.get(layout.tick_slot(tick))
                if value is not None:
                    liquidity[tick] = TickLiquidity.stored(value)
        return self._with(words, liquidity)


def _but(words: Mapping[int, int], word: int, bitmap: int | None) -> Mapping[int, int]:
    """The words with another value of one, without it for None; the same mapping where nothing changes."""
    if words[word] == bitmap:
        return words
    changed = dict(words)
    if bitmap is None:
        del changed[word]
    else:
        changed[word] = bitmap
    return changed


def word_of(tick: int, spacing: int) -> int:
    """The bitmap word that holds a tick."""
    return tick // spacing >> 8


def ticks_in(word: int, bitmap: int, spacing: int) -> Iterator[int]:
    """The ticks whose bits are set in a bitmap word, upwards."""
    while bitmap:
        lowest = bitmap & -bitmap
        yield ((word << 8) + lowest.bit_length() - 1) * spacing
        bitmap ^= lowest


def all_words(spacing: int) -> range:
    """Every bitmap word that a swap can look into."""
    return range(word_of(MIN_TICK, spacing), word_of(MAX_TICK, spacing) + 1)
