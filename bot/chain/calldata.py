"""What it takes to read swaps out of a stranger's calldata: words at offsets, paths, and an account of what was spent.

Readers raise ValueError, struct.error or OverflowError for what is not there. Upper bits of a word that its type does
not have are not looked at.
"""

from __future__ import annotations

from struct import Struct

from bot.engine.types import SwapIntent as SwapIntent
from bot.engine.types import Terms

MOST_SWAPS = 64
"""Of one transaction."""
MOST_HOPS = 16
"""Of one path."""
MOST_CALLS = 256
"""Inner calls, commands and actions of one transaction."""
MOST_DEPTH = 4
"""Of calls in calls."""
MOST_COPIED = 4
"""Bytes of all inner calls over those of the transaction. Honest ones lie side by side, and this is their depth."""


class Look:
    """What was found, and what may still be spent."""

    __slots__ = ("calls", "copied", "depth", "found", "target", "value")

    def __init__(self, target: str, value: int, size: int) -> None:
        self.target, self.value = target, value
        self.found: list[SwapIntent] = []
        self.calls, self.copied, self.depth = MOST_CALLS, MOST_COPIED * size, MOST_DEPTH

    def add(
        self,
        protocol: str,
        tokens: tuple[str, ...],
        pools: tuple[Terms, ...],
        exact_in: bool,
        amount: int | None,
        limit: int | None,
        price_limit: int = 0,
        sides: tuple[int, int] | None = None,
    ) -> None:
        """Raises ValueError where there are too many."""
        if len(self.found) >= MOST_SWAPS:
            raise ValueError
        self.found.append(SwapIntent(protocol, self.target, tokens, pools, exact_in, amount, limit, price_limit, sides))

    def part(self, data: bytes, at: int) -> bytes:
        """The ``bytes`` whose length is at ``at``. Raises ValueError."""
        size = uint(data, at)
        part = data[at + 32 : at + 32 + size]
        self.copied -= len(part)
        if len(part) != size or self.copied < 0:
            raise ValueError
        return part

    def parts(self, data: bytes, at: int) -> list[int]:
        """Where the elements of the array of dynamic values at ``at`` are. Raises ValueError."""
        count = uint(data, at)
        self.spend(count)
        return [at + 32 + uint(data, at + 32 + 32 * n) for n in range(count)]

    def spend(self, calls: int) -> None:
        """Raises ValueError where there are too many."""
        self.calls -= calls
        if self.calls < 0:
            raise ValueError


words_2 = Struct(">32s32s").unpack_from
words_3 = Struct(">32s32s32s").unpack_from
words_4 = Struct(">32s32s32s32s").unpack_from
number = int.from_bytes
single_7 = Struct(">12x20s12x20s29x3s32x32s32s32s").unpack_from  # tokens, fee, recipient, amount, limit, price
single_8 = Struct(">12x20s12x20s29x3s64x32s32s32s").unpack_from  # the same with a deadline
key_4 = Struct(">12x20s12x20s29x3s29x3s12x20s31xB16x16s16x16s").unpack_from  # PoolKey, direction, amount, limit
path_key = Struct(">12x20s29x3s29x3s12x20s").unpack_from


def uint(data: bytes, at: int) -> int:
    """Raises ValueError, also where ``at`` is from an offset that is none."""
    found = data[at : at + 32]
    if len(found) != 32:
        raise ValueError
    return number(found, "big")


def signed(word: bytes) -> int:
    return number(word, "big", signed=True)


def to_hex(raw: bytes) -> str:
    return "0x" + raw.hex()


def addresses(data: bytes, at: int) -> tuple[str, ...]:
    """A path of v2: an ``address[]`` of at least two. Raises ValueError."""
    count = uint(data, at)
    if not 2 <= count <= MOST_HOPS + 1:
        raise ValueError
    text = data[at + 32 : at + 32 + 32 * count].hex()
    if len(text) != 64 * count:
        raise ValueError
    return tuple(["0x" + text[start : start + 40] for start in range(24, 64 * count, 64)])


def packed(data: bytes, at: int) -> tuple[tuple[str, ...], tuple[Terms, ...]]:
    """A path of v3, tokens and fees (v3-periphery Path.sol), less a rest that is too short for one more hop. Raises
    ValueError."""
    size = uint(data, at)
    hops = (size - 20) // 23
    if not 1 <= hops <= MOST_HOPS:
        raise ValueError
    text = data[at + 32 : at + 32 + size].hex()
    if len(text) != 2 * size:
        raise ValueError
    end = 46 * hops + 40
    return (
        tuple(["0x" + text[start : start + 40] for start in range(0, end, 46)]),
        tuple([(int(text[start : start + 6], 16),) for start in range(40, end - 40, 46)]),
    )
