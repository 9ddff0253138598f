"""What every pool can do, and the two ways in which it cannot answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import NamedTuple, Protocol, Self

from bot.engine.types import Log, StateDiff, Terms


class UnknownState(Exception):
    """The answer needs state that was never read. Not known is not zero: the caller leaves the pool out."""


class NoLiquidity(Exception):
    """The pool is known and cannot fill this amount."""


class Segment(NamedTuple):
    """One stretch of constant liquidity: an input dx <= ``capacity`` yields ``y * g / (x + g)``, g = dx * ``keep``.

    ``x`` and ``y`` are the (virtual) reserves at its start, ``keep`` is one less the fee, ``capacity`` the input,
    fee included, that uses it up (infinite for v2). Curves of other shapes are approached by several."""

    x: float
    y: float
    keep: float
    capacity: float


class Pool(Protocol):
    """An immutable pool value. ``i`` and ``j`` are indices in ``tokens`` of what goes in and what comes out; amounts
    are integers in the tokens' smallest units."""

    @property
    def id(self) -> str:
        """Its address; of a pool that one contract keeps beside others (v4's manager, Balancer's Vault), its id there,
        a 0x string of 32 bytes."""
        ...

    @property
    def contract(self) -> str | None:
        """The contract of its own, all of whose logs tell of it; None where it has none (v4)."""
        ...

    @property
    def keeper(self) -> str | None:
        """The contract that keeps it beside others, whose logs about it have ``id`` as topic 1; None where there is
        none."""
        ...

    @property
    def kind(self) -> str:
        """The swap interface, as in ``Hop.kind``."""
        ...

    @property
    def tokens(self) -> tuple[str, ...]: ...

    @property
    def silent(self) -> bool:
        """Whether its state also moves without a log of its own (by time, or another contract's rate): then it holds
        for the block that it was read at, and has to be read anew at the next."""
        ...

    def at(self, timestamp: int) -> Self:
        """The pool in a block of that time, in seconds; most return themselves. Logs carry no time: whoever follows
        them says with this which block they are of."""
        ...

    def terms(self, i: int, j: int) -> Terms:
        """As in ``Hop.terms``."""
        ...

    def quote_in(self, i: int, j: int, amount_in: int) -> int:
        """Exact amount out for ``amount_in``; nothing in gives nothing out. Raises UnknownState, NoLiquidity."""
        ...

    def quote_out(self, i: int, j: int, amount_out: int) -> int:
        """The input for at least ``amount_out``: what the contract asks for it, or the least that will do; where it
        rounds up a unit or two less may do as well. Raises UnknownState, NoLiquidity."""
        ...

    def apply(self, log: Log) -> Self:
        """The pool after a log about it; one that moves nothing returns the same value. Raises UnknownState for a log
        that tells too little to follow."""
        ...

    def apply_diff(self, diff: StateDiff) -> Self:
        """The pool after a change of state; one that touches none of ``slots`` returns the same value. Raises
        UnknownState."""
        ...

    def slots(self) -> Mapping[str, Set[int]]:
        """The storage slots, by contract, that hold its state as far as it is known."""
        ...

    def rate(self, i: int, j: int) -> float:
        """What the next (infinitely small) unit in yields, fee taken; 0 where it is unknown or dry."""
        ...

    def segments(self, i: int, j: int) -> Iterator[Segment]:
        """Float view of the liquidity from the current price outwards, for sizing: it finds, it never decides.
        Ends where state ends; raises UnknownState, NoLiquidity when not even the first segment is there."""
        ...


def first_rate(pool: Pool, i: int, j: int) -> float:
    """``rate`` by the first of the segments."""
    try:
        first = next(pool.segments(i, j), None)
    except (UnknownState, NoLiquidity):
        return 0.0
    return 0.0 if first is None else first.y * first.keep / first.x


class Plain:
    """What most pools have in common: a contract of their own, no terms, no clock, and a rate by their segments."""

    __slots__ = ()

    id: str

    @property
    def contract(self) -> str | None:
        return self.id

    @property
    def keeper(self) -> str | None:
        return None

    @property
    def silent(self) -> bool:
        return False

    def at(self, timestamp: int) -> Self:
        return self

    def terms(self, i: int, j: int) -> Terms:
        return ()
