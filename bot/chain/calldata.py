"""What it takes to read swaps out of a stranger's calldata: words at offsets, paths, calls in calls, and an account of
what was spent.

Readers raise ValueError, struct.error or OverflowError for what is not there. Upper bits of a word that its type does
not have are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import Struct
from struct import error as StructError
from typing import NoReturn

from bot.amm.vaults import ETH
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


_NATIVES = frozenset((ETH, "0x" + "ee" * 20))


class Look:
    """What was found, and what may still be spent. ``target`` and ``value`` (wei) are of the call that is read."""

    __slots__ = ("calls", "copied", "decoders", "depth", "found", "target", "value")

    def __init__(self, target: str, value: int, size: int, decoders: Mapping[bytes, Decoder]) -> None:
        self.target, self.value, self.decoders = target, value, decoders
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
            self._end()
        self.found.append(SwapIntent(protocol, self.target, tokens, pools, exact_in, amount, limit, price_limit, sides))

    def add_pool(
        self,
        protocol: str,
        pool: str,
        sides: tuple[int, int],
        amount: int | None,
        limit: int | None,
        *,
        said: bool = True,
    ) -> None:
        """Exact input into a pool that a router names. Not ``said``: how much is not in the calldata. Raises
        ValueError."""
        if len(self.found) >= MOST_SWAPS:
            self._end()
        exact = amount if said else None
        self.found.append(SwapIntent(protocol, pool, (), ((),), said, exact, limit, 0, sides))

    def add_order(
        self, protocol: str, sold: str, bought: str, exact_in: bool, amount: int | None, limit: int | None
    ) -> None:
        """What is sold for what; through which pools it goes is up to somebody else. Raises ValueError."""
        self.add(protocol, (native(sold), native(bought)), ((),), exact_in, amount, limit)

    def call(self, data: bytes, target: str | None = None, value: int | None = None) -> None:
        """What a call in the call asks for; of the same contract where no ``target`` is told."""
        decoder = self.decoders.get(data[:4])
        if decoder is None:
            return
        outer = self.target, self.value
        if target is not None:
            self.target = target
        if value is not None:
            self.value = value
        try:
            attempt(self, decoder, data)
        finally:
            self.target, self.value = outer

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

    def _end(self) -> NoReturn:
        """There are enough: nothing more is spent. Raises ValueError."""
        self.calls = self.copied = -1
        raise ValueError


Decoder = Callable[[Look, bytes], None]
"""Reads a call, its selector included, or a command's input, and adds what it asks for. What it raises ends it."""


def attempt(look: Look, decoder: Decoder, data: bytes) -> None:
    """One level deeper; what was found before the calldata stopped making sense stays."""
    if not look.depth:
        return
    look.depth -= 1
    try:
        decoder(look, data)
    except (StructError, ValueError, OverflowError):
        pass
    finally:
        look.depth += 1


_LOW_160 = (1 << 160) - 1
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


def word_address(word: int) -> str:
    """Of its lowest 160 bits."""
    return f"0x{word & _LOW_160:040x}"


def native(token: str) -> str:
    """ETH for every way of writing it."""
    return ETH if token in _NATIVES else token


def words(data: bytes, at: int) -> list[int]:
    """A ``uint256[]`` of at least one and at most MOST_HOPS. Raises ValueError."""
    count = uint(data, at)
    if not 1 <= count <= MOST_HOPS:
        raise ValueError
    return [uint(data, at + 32 + 32 * n) for n in range(count)]


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
