"""What every pool can do, and the two ways in which it cannot answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol, Self

from bot.engine.types import Log


class UnknownState(Exception):
    """The answer needs state that was never read. Not known is not zero: the caller leaves the pool out."""


class NoLiquidity(Exception):
    """The pool is known and cannot fill this amount."""


class Segment(NamedTuple):
    """One stretch of constant liquidity: an input dx <= ``capacity`` yields ``y * g / (x + g)``, g = dx * ``keep``.

    ``x`` and ``y`` are the (virtual) reserves at its start, ``keep`` is one less the fee, ``capacity`` the input,
    fee included, that uses it up (infinite for v2)."""

    x: float
    y: float
    keep: float
    capacity: float


class Pool(Protocol):
    """An immutable pool value. Amounts are integers in the tokens' smallest units."""

    @property
    def address(self) -> str: ...
    @property
    def kind(self) -> str:
        """The swap interface, as in ``Hop.kind``: ``v2`` or ``v3``."""
        ...

    @property
    def token0(self) -> str: ...
    @property
    def token1(self) -> str: ...

    def quote_in(self, zero_for_one: bool, amount_in: int) -> int:
        """Exact amount out for ``amount_in``. Raises UnknownState, NoLiquidity."""
        ...

    def quote_out(self, zero_for_one: bool, amount_out: int) -> int:
        """What the contract asks for exactly ``amount_out``; v3 rounds it up, so a unit or two less may do as well.
        Raises UnknownState, NoLiquidity."""
        ...

    def apply(self, log: Log) -> Self:
        """The pool after one of its own logs; a log that moves nothing returns the same value."""
        ...

    def segments(self, zero_for_one: bool) -> Iterator[Segment]:
        """Float view of the liquidity from the current price outwards, for sizing: it finds, it never decides.
        Ends where state ends; raises UnknownState, NoLiquidity when not even the first segment is there."""
        ...
