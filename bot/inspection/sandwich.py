"""Sandwiches, as something that others did: a purchase before somebody's, in the same pool, and the sale behind it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.inspection.block import Tx
from bot.inspection.swap import Swap, gains

NEARLY = 10  # a tenth: by how much the sale may differ from the purchase


@dataclass(frozen=True, slots=True)
class Traded:
    """A transaction with its swaps."""

    tx: Tx
    swaps: tuple[Swap, ...]


@dataclass(frozen=True, slots=True)
class Sandwich:
    """``front`` and ``back`` are indices of transactions in the block, as are ``victims``; ``pools`` are where it
    happened, ``swaps`` all of the actor's in both transactions, since what it trades elsewhere is part of it;
    ``profit`` is what those bring by token, before gas and payments."""

    front: int
    back: int
    victims: tuple[int, ...]
    pools: tuple[str, ...]
    swaps: tuple[Swap, ...]
    profit: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Side:
    traded: Traded
    swap: Swap


def sandwiches(traded: Iterable[Traded], wrapped: str) -> list[Sandwich]:
    """Those of a block. One actor is who signs both, or who calls one contract that the victim does not call. The sale
    must be of what was bought, to a tenth, and bring more than the purchase took. A front stands in one only: with
    the first sale that fits it."""
    by_pool: dict[str, list[_Side]] = {}
    swaps: dict[int, tuple[Swap, ...]] = {}
    for item in traded:
        swaps[item.tx.index] = item.swaps
        for swap in item.swaps:
            by_pool.setdefault(swap.pool, []).append(_Side(item, swap))
    found: dict[tuple[int, int], tuple[dict[str, None], set[int]]] = {}
    for pool, sides in by_pool.items():
        for front, back, victims in _around(sides):
            pools, hit = found.setdefault((front, back), ({}, set()))
            pools[pool] = None
            hit.update(victims)
    made = []
    for (front, back), (pools, victims) in sorted(found.items()):
        own = swaps[front] + swaps[back]
        made.append(Sandwich(front, back, tuple(sorted(victims)), tuple(pools), own, gains(own, wrapped)))
    return [sandwich for sandwich in made if any(amount > 0 for amount in sandwich.profit.values())]


def _around(sides: Sequence[_Side]) -> list[tuple[int, int, set[int]]]:
    """Transactions that purchase in one pool and sell, with those whose purchases lie between."""
    found = []
    sold: set[int] = set()
    for place, front in enumerate(sides):
        for later in range(place + 1, len(sides)):
            back = sides[later]
            if later in sold or not _closes(front, back):
                continue
            victims = {side.traded.tx.index for side in sides[place + 1 : later] if _victim(side, front, back)}
            if victims:
                sold.add(later)
                found.append((front.traded.tx.index, back.traded.tx.index, victims))
                break
    return found


def _closes(front: _Side, back: _Side) -> bool:
    if front.traded.tx.index == back.traded.tx.index or not _same_actor(front.traded.tx, back.traded.tx):
        return False
    bought, sold = front.swap, back.swap
    opposite = bought.token_in == sold.token_out and bought.token_out == sold.token_in
    near = abs(bought.amount_out - sold.amount_in) * NEARLY <= bought.amount_out
    return opposite and near and sold.amount_out > bought.amount_in


def _victim(side: _Side, front: _Side, back: _Side) -> bool:
    tx, theirs = side.traded.tx, (front.traded.tx, back.traded.tx)
    same_way = side.swap.token_in == front.swap.token_in and side.swap.token_out == front.swap.token_out
    between = theirs[0].index < tx.index < theirs[1].index
    by_contract = theirs[0].sender != theirs[1].sender
    other = tx.sender not in (theirs[0].sender, theirs[1].sender) and not (by_contract and tx.to == theirs[0].to)
    return same_way and between and other


def _same_actor(one: Tx, other: Tx) -> bool:
    return one.sender == other.sender or (one.to is not None and one.to == other.to)
