"""The values of the pools at one moment, and that moment after some logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bot.amm.pool import Pool
from bot.engine.types import Log, StateDiff
from bot.market.arrays import Arrays
from bot.market.graph import Cycle, Graph

Legs = Sequence[tuple[Pool, int, int]]
"""The pools of a cycle in order, each with its indices of what goes in and what comes out."""


class View:
    """The market with other pools in some slots: ``changes``, where None is unknown, for one of the ``reasons``.

    It costs as much as it changes, and is good until the market moves on."""

    __slots__ = ("_pools", "arrays", "changes", "graph", "reasons")

    def __init__(
        self,
        graph: Graph,
        arrays: Arrays,
        pools: Sequence[Pool | None],
        changes: Mapping[int, Pool | None] | None = None,
        reasons: Mapping[str, str] | None = None,
    ) -> None:
        self.graph, self.arrays, self._pools = graph, arrays, pools
        self.changes, self.reasons = changes or {}, reasons or {}

    @property
    def changed(self) -> frozenset[str]:
        """The pools that are other than in the market."""
        return frozenset(self.graph.ids[slot] for slot in self.changes)

    @property
    def market(self) -> View:
        """Without the changes."""
        return View(self.graph, self.arrays, self._pools)

    def pool(self, pool_id: str) -> Pool | None:
        """``None`` when it is unknown or not in the market."""
        slot = self.graph.slots.get(pool_id)
        return None if slot is None else self.at(slot)

    def at(self, slot: int) -> Pool | None:
        """The pool in a slot."""
        return self.changes[slot] if slot in self.changes else self._pools[slot]

    def legs(self, cycle: Cycle) -> Legs | None:
        """The cycle's pools; ``None`` when one of them is unknown."""
        legs = []
        for leg in cycle:
            pool = self.at(self.graph.leg_slot[leg])
            if pool is None:
                return None
            legs.append((pool, *self.graph.ends[leg]))
        return legs

    def with_pools(self, pools: Iterable[Pool]) -> View:
        """This view with other values of pools that it has."""
        changes = dict(self.changes) | {self.graph.slots[pool.id]: pool for pool in pools}
        reasons = {pool_id: why for pool_id, why in self.reasons.items() if self.graph.slots[pool_id] not in changes}
        return View(self.graph, self.arrays, self._pools, changes, reasons)

    def without(self, slots: Iterable[int], why: str) -> View:
        """This view with the pools in some slots unknown."""
        gone = list(slots)
        reasons = {**self.reasons, **{self.graph.ids[slot]: why for slot in gone}}
        return View(self.graph, self.arrays, self._pools, {**self.changes, **dict.fromkeys(gone)}, reasons)

    def after(self, logs: Iterable[Log], diff: StateDiff | None = None, timestamp: int | None = None) -> View:
        """This view after ``logs`` of a block of time ``timestamp`` (seconds; None: not known), and the change of state
        ``diff`` that came with them where it is known.

        A pool that cannot follow one of its logs takes its state from ``diff``; without one it is unknown from there
        on, with the reason kept: never guessed.
        """
        changes = dict(self.changes)
        reasons = dict(self.reasons)
        for log in logs:
            slot = self.graph.slot_of(log)
            pool = None if slot is None else changes.get(slot, self._pools[slot])
            if pool is None or slot is None:
                continue
            try:
                pool = pool if timestamp is None else pool.at(timestamp)
                after = pool.apply(log)
            except Exception as error:  # whatever the log broke, the pool's state is no longer known
                changes[slot] = None
                reasons[pool.id] = f"{type(error).__name__}: {error}"
            else:
                if after is not pool:
                    changes[slot] = after
        if diff is not None:
            self._mend(changes, reasons, diff)
        return View(self.graph, self.arrays, self._pools, changes, reasons)

    def _mend(self, changes: dict[int, Pool | None], reasons: dict[str, str], diff: StateDiff) -> None:
        """Gives pools that could not follow their logs the state that ``diff`` has of them."""
        for slot in [slot for slot, pool in changes.items() if pool is None]:
            before = self.at(slot)
            if before is None:
                continue
            try:
                changes[slot] = before.apply_diff(diff)
            except Exception as error:
                reasons[before.id] = f"{type(error).__name__}: {error}"
            else:
                del reasons[before.id]
