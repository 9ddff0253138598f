"""Arbitrages: swaps after which those who traded have more of at least one token and less of none.

Every token that was paid in then came out of another swap, so the swaps are closed cycles, however they are split over
routes and whatever was lent for them meanwhile; and it makes no difference to which account the profit went. Somebody
who swaps one token for another, by whatever way, has less of the first: an aggregator's user is no arbitrageur.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.inspection.swap import Swap, gains, turnover

DUST = 1_000_000
"""Of what went through in a token, the part whose loss or gain is rounding."""
LONGEST = 6  # swaps in a cycle that is looked for among other swaps


@dataclass(frozen=True, slots=True)
class Arbitrage:
    """``profit`` by token, in its smallest unit, before what was paid for gas and to the builder; a loss within
    rounding stands in it as it is. ``swaps`` are in order."""

    swaps: tuple[Swap, ...]
    profit: dict[str, int]

    @property
    def pools(self) -> tuple[str, ...]:
        """Each once, in order."""
        return tuple(dict.fromkeys(swap.pool for swap in self.swaps))


def arbitrages(swaps: Sequence[Swap], wrapped: str) -> list[Arbitrage]:
    """Those of one transaction. All its swaps together are tried first; then those of each caller, since a router may
    serve its user and a contract behind it trade for itself; then single cycles in which each swap sells just what
    the one before it bought."""
    whole = _arbitrage(swaps, wrapped)
    if whole is not None:
        return [whole]
    found = []
    left = []
    for group in _by_taker(swaps):
        own = _arbitrage(group, wrapped) if len(group) < len(swaps) else None
        if own is None:
            left.extend(group)
        else:
            found.append(own)
    return [*found, *_chains(sorted(left, key=lambda swap: swap.at), wrapped)]


def _arbitrage(swaps: Sequence[Swap], wrapped: str) -> Arbitrage | None:
    """None also where one pool gave all: nobody earns by a pool's own price there and back."""
    if len({swap.pool for swap in swaps}) < 2:
        return None
    moved, profit = turnover(tuple(swaps), wrapped), gains(tuple(swaps), wrapped)
    if any(amount < 0 and -amount * DUST > moved[token] for token, amount in profit.items()):
        return None
    if not any(amount > 0 and amount * DUST > moved[token] for token, amount in profit.items()):
        return None
    return Arbitrage(tuple(swaps), profit)


def _by_taker(swaps: Iterable[Swap]) -> list[list[Swap]]:
    groups: dict[str, list[Swap]] = {}
    for swap in swaps:
        groups.setdefault(swap.taker, []).append(swap)
    return list(groups.values())


def _chains(swaps: Sequence[Swap], wrapped: str) -> Iterator[Arbitrage]:
    """Cycles that are exact but for their profit, the shortest first, none of whose swaps another one has."""
    used: set[int] = set()
    for length in range(2, LONGEST + 1):
        for first in swaps:
            chain = [first]
            while len(chain) < length and (following := _next(chain[-1], swaps, used, wrapped)) is not None:
                chain.append(following)
            tokens = chain[0].reads(wrapped)[0], chain[-1].reads(wrapped)[1]
            closed = len(chain) == length and tokens[0] == tokens[1] and used.isdisjoint(swap.at for swap in chain)
            found = _arbitrage(sorted(chain, key=lambda swap: swap.at), wrapped) if closed else None
            if found is not None:
                used.update(swap.at for swap in chain)
                yield found


def _next(swap: Swap, swaps: Sequence[Swap], used: set[int], wrapped: str) -> Swap | None:
    """The swap that sells just what this one bought."""
    bought = swap.reads(wrapped)[1]
    for other in swaps:
        sells = other.reads(wrapped)[0] == bought and other.amount_in == swap.amount_out
        if sells and other is not swap and other.at not in used:
            return other
    return None
