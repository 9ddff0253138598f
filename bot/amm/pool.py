"""What every pool can do, and the two ways in which it cannot answer."""

from __future__ import annotations

from typing import Protocol, Self

from bot.engine.types import Log


class UnknownState(Exception):
    """The answer needs state that was never read. Not known is not zero: the caller leaves the pool out."""


class NoLiquidity(Exception):
    """The pool is known and cannot fill this amount."""


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
        """Exact, least amount in that yields ``amount_out``. Raises UnknownState, NoLiquidity."""
        ...

    def apply(self, log: Log) -> Self:
        """The pool after one of its own logs; a log that moves nothing returns the same value."""
        ...

    def marginal(self, zero_for_one: bool) -> tuple[float, float, float]:
        """Float view of the liquidity in range, for sizing: (x, y, keep), where an input dx that stays in this
        range yields y * g / (x + g) with g = dx * keep. Raises UnknownState, NoLiquidity."""
        ...
