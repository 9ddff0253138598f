"""The values of the pools at one moment, and that moment after some logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.amm.pool import NoLiquidity, Pool, UnknownState
from bot.engine.types import Log
from bot.market.graph import Cycle, Graph


class View:
    """Pool values by slot and marginal rates by leg: a few changed ones over a shared base, and neither ever altered.

    The rate of a leg is what the next (infinitely small) unit in yields, fee taken; 0 where the pool is unknown or
    dry in that direction. ``changed`` holds the pools that the last step changed, ``unknown`` why a pool is left out.
    """

    __slots__ = ("_pools", "_pools_over", "_rates", "_rates_over", "changed", "graph", "unknown")

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.changed: frozenset[str] = frozenset()
        self.unknown: Mapping[str, str] = {}
        self._pools: dict[int, Pool] = {}
        self._rates: dict[int, float] = {}
        self._pools_over: dict[int, Pool | None] = {}
        self._rates_over: dict[int, float] = {}

    def pool(self, address: str) -> Pool | None:
        """The pool as it is here; ``None`` when it is unknown or not in the market."""
        slot = self.graph.slots.get(address)
        return None if slot is None else self._pool(slot)

    def pools(self) -> dict[str, Pool]:
        """All known pools by address."""
        merged = {**self._pools, **self._pools_over}
        return {pool.address: pool for pool in merged.values() if pool is not None}

    def legs(self, cycle: Cycle) -> list[tuple[Pool, bool]] | None:
        """The cycle's pools with ``zero_for_one``; ``None`` when one of them is unknown."""
        legs = []
        for leg in cycle:
            pool = self._pool(leg >> 1)
            if pool is None:
                return None
            legs.append((pool, not leg & 1))
        return legs

    def open(self, cycles: Iterable[Cycle]) -> list[Cycle]:
        """The cycles whose product of rates exceeds one: the only ones that any amount can gain on."""
        base, over = self._rates, self._rates_over
        found = []
        for cycle in cycles:
            product = 1.0
            for leg in cycle:
                rate = over.get(leg)
                product *= base.get(leg, 0.0) if rate is None else rate
            if product > 1.0:
                found.append(cycle)
        return found

    def after(self, logs: Iterable[Log]) -> View:
        """This view after ``logs``, in time that grows with the changed pools only; this one stays as it is.

        A pool that cannot follow one of its logs is unknown from there on, with the reason kept: never guessed.
        """
        slots = self.graph.slots
        replaced: dict[int, Pool | None] = {}
        reasons: dict[str, str] = {}
        for log in logs:
            slot = slots.get(log.address)
            if slot is None:
                continue
            pool = replaced[slot] if slot in replaced else self._pool(slot)
            if pool is None:
                continue
            try:
                after = pool.apply(log)
            except Exception as error:  # whatever the log broke, the pool's state is no longer known
                replaced[slot] = None
                reasons[log.address] = f"{type(error).__name__}: {error}"
            else:
                if after is not pool:
                    replaced[slot] = after
        return self.replace(replaced, reasons)

    def replace(self, pools: Mapping[int, Pool | None], reasons: Mapping[str, str]) -> View:
        """This view with other values in some slots; ``None`` takes a pool out, for the reason if one is given."""
        view = self._shared()
        view._pools_over = {**self._pools_over, **pools}
        view._rates_over = dict(self._rates_over)
        for slot, pool in pools.items():
            view._rates_over[2 * slot] = _rate(pool, True)
            view._rates_over[2 * slot + 1] = _rate(pool, False)
        view.changed = frozenset(self.graph.addresses[slot] for slot in pools)
        if reasons or not view.changed.isdisjoint(self.unknown):
            kept = {address: why for address, why in self.unknown.items() if address not in view.changed}
            view.unknown = kept | dict(reasons)
        return view

    def flat(self) -> View:
        """The same values without an overlay: the base of the next ones."""
        view = self._shared()
        merged = {**self._pools, **self._pools_over}
        view._pools = {slot: pool for slot, pool in merged.items() if pool is not None}
        view._rates = {**self._rates, **self._rates_over}
        view.changed = self.changed
        return view

    def _shared(self) -> View:
        view = View(self.graph)
        view._pools, view._rates, view.unknown = self._pools, self._rates, self.unknown
        return view

    def _pool(self, slot: int) -> Pool | None:
        if slot in self._pools_over:
            return self._pools_over[slot]
        return self._pools.get(slot)


def _rate(pool: Pool | None, zero_for_one: bool) -> float:
    if pool is None:
        return 0.0
    try:
        first = next(pool.segments(zero_for_one), None)
    except (UnknownState, NoLiquidity):
        return 0.0
    return 0.0 if first is None else first.y * first.keep / first.x
