"""How a basket's swaps hang together."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from bot.engine.types import Basket, Swap

_SENDING = ("v2", "v3")  # kinds of pools that can send to the next one and be paid by the one before
_CHAIN = 4  # swaps without the executor between them, at most


def paths(basket: Basket) -> list[list[Swap]]:
    """The basket's swaps, together those that pass on all of a token that no other swap has: as in a cycle, such tokens
    need not come by the executor. A path stands where its last swap stood: until then nobody misses what it brings."""
    taken, given = (Counter(getattr(swap.hop, end) for swap in basket.swaps) for end in ("token_in", "token_out"))
    amounts = {swap.hop.token_out: swap.amount_out for swap in basket.swaps}
    passed = {
        swap.hop.token_in
        for swap in basket.swaps
        if taken[swap.hop.token_in] == given[swap.hop.token_in] == 1
        and amounts[swap.hop.token_in] == swap.amount_in
        and swap.hop.token_in != basket.token
    }
    ahead: dict[str, list[Swap]] = {}
    found = []
    for swap in basket.swaps:
        path = [*ahead.pop(swap.hop.token_in, ()), swap]
        if swap.hop.token_out in passed:
            ahead[swap.hop.token_out] = path
        else:
            found.append(path)
    return found


def handled(basket: Basket) -> set[str]:
    """Tokens that come by the executor, so that it spends them; it may be a few more than really do."""
    tokens = {basket.token}
    for path in paths(basket):
        tokens.add(path[0].hop.token_in)
        for before, swap in pairwise(path):
            if len(path) > _CHAIN or not {before.hop.kind, swap.hop.kind} <= set(_SENDING):
                tokens.add(swap.hop.token_in)
    return tokens
