"""Which pools join which tokens, and every cycle through them that starts in a base token.

Inside the market a pool is a *slot* (a small integer) and a *leg* is a slot with a direction: ``2 * slot`` swaps
token0 for token1, ``2 * slot + 1`` the other way. A cycle is a tuple of legs, so that search is lookups by integer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bot.amm.pool import Pool
from bot.engine.types import Hop, Route

Cycle = tuple[int, ...]


class Graph:
    """Tokens, slots and stored cycles. It only grows: what a pool is worth, or whether it is known, is the View's.

    ``bases`` are the tokens that a cycle may start in, best first: a cycle through several is stored once, from the
    first of them. No token, and so no pool, occurs twice in a cycle.
    """

    def __init__(self, bases: Sequence[str], max_hops: int = 3) -> None:
        if max_hops < 2:
            raise ValueError("a cycle has at least two hops")
        self.bases = tuple(bases)
        self.max_hops = max_hops
        self.slots: dict[str, int] = {}
        self.addresses: list[str] = []
        self.hops: list[Hop] = []  # by leg
        self._through: list[list[Cycle]] = []  # by slot
        self._joins: dict[str, dict[str, list[int]]] = {}  # token in -> token out -> legs
        self._rank = {token: rank for rank, token in enumerate(self.bases)}

    def slot(self, pool: Pool) -> int:
        """The pool's slot; a new pool gets one, and all cycles through it and the pools before it are stored."""
        if pool.address in self.slots:
            return self.slots[pool.address]
        slot = len(self.addresses)
        self.slots[pool.address] = slot
        self.addresses.append(pool.address)
        self._through.append([])
        for token_in, token_out in ((pool.token0, pool.token1), (pool.token1, pool.token0)):
            self.hops.append(Hop(pool.address, pool.kind, token_in, token_out))
        for path in self._paths(pool.token1, pool.token0):
            for cycle in ((2 * slot, *path), (2 * slot + 1, *(leg ^ 1 for leg in reversed(path)))):
                self._store(cycle)
        for leg in (2 * slot, 2 * slot + 1):
            hop = self.hops[leg]
            self._joins.setdefault(hop.token_in, {}).setdefault(hop.token_out, []).append(leg)
        return slot

    def through(self, touched: Iterable[str]) -> Iterator[Cycle]:
        """Every cycle with at least one of these pools in it, each once. Unknown addresses have none."""
        slots = sorted(self.slots[address] for address in touched if address in self.slots)
        if len(slots) == 1:
            yield from self._through[slots[0]]
            return
        seen: set[Cycle] = set()
        for slot in slots:
            for cycle in self._through[slot]:
                if cycle not in seen:
                    seen.add(cycle)
                    yield cycle

    def cycles(self) -> Iterator[Cycle]:
        """Every cycle once: under the first of its slots."""
        for slot, cycles in enumerate(self._through):
            yield from (cycle for cycle in cycles if min(cycle) >> 1 == slot)

    def route(self, cycle: Cycle) -> Route:
        return tuple(self.hops[leg] for leg in cycle)

    def cycle(self, route: Route) -> Cycle:
        """The legs of a route through pools of this graph."""
        slots = [self.slots[hop.pool] for hop in route]
        return tuple(2 * slot + (self.hops[2 * slot] != hop) for slot, hop in zip(slots, route, strict=True))

    def _store(self, cycle: Cycle) -> None:
        """Turns the cycle so that it starts in its best base token; one without any is not ours to trade."""
        ranked = [
            (self._rank[token], start)
            for start, leg in enumerate(cycle)
            if (token := self.hops[leg].token_in) in self._rank
        ]
        if ranked:
            start = min(ranked)[1]
            turned = cycle[start:] + cycle[:start]
            for leg in turned:
                self._through[leg >> 1].append(turned)

    def _paths(self, start: str, end: str) -> Iterator[Cycle]:
        """Legs from ``start`` to ``end`` in at most ``max_hops - 1`` hops that visit no token twice."""
        stack: list[tuple[str, Cycle, tuple[str, ...]]] = [(start, (), (start, end))]
        while stack:
            token, legs, visited = stack.pop()
            joins = self._joins.get(token, {})
            for leg in joins.get(end, ()):
                yield (*legs, leg)
            if len(legs) + 2 < self.max_hops:
                for following, steps in joins.items():
                    if following not in visited:
                        stack.extend((following, (*legs, leg), (*visited, following)) for leg in steps)
