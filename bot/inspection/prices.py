"""What tokens were worth in a block, by its own swaps: what all of them together gave for what they took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from bot.inspection.swap import Swap


class Prices:
    """Ether by token, from the block's swaps against ether, and against tokens that have such a price."""

    def __init__(self, swaps: Iterable[Swap], wrapped: str) -> None:
        pairs: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        for swap in swaps:
            token_in, token_out = swap.reads(wrapped)
            for token, amount, other, for_it in (
                (token_in, swap.amount_in, token_out, swap.amount_out),
                (token_out, swap.amount_out, token_in, swap.amount_in),
            ):
                pairs[token, other][0] += amount
                pairs[token, other][1] += for_it
        self._ether = {wrapped: (1, 1)}
        direct = {token: tuple(sums) for (token, other), sums in pairs.items() if other == wrapped and all(sums)}
        self._ether |= {token: (sums[0], sums[1]) for token, sums in direct.items() if token != wrapped}
        best: dict[str, int] = {}
        for (token, other), (amount, for_it) in pairs.items():
            if token in direct or token == wrapped or other not in direct or not amount or not for_it:
                continue
            of_other, ether = self._ether[other]
            if for_it * ether // of_other > best.get(token, 0):  # of several ways the one that more went
                best[token] = for_it * ether // of_other
                self._ether[token] = amount * of_other, for_it * ether

    def ether(self, amounts: Mapping[str, int]) -> int | None:
        """Wei that the amounts are worth together; None where the block prices one of them nowhere."""
        worth = 0
        for token, amount in amounts.items():
            if token not in self._ether:
                return None
            per, ether = self._ether[token]
            worth += amount * ether // per
        return worth
