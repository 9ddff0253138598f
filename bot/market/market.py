"""The market: pools at the head of the chain, and the way back when the head is undone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.amm.pool import Pool, UnknownState
from bot.engine.types import Header, Log, StateDiff
from bot.market.arrays import Arrays
from bot.market.graph import Graph
from bot.market.view import View

DEPTH = 64
"""Heads that can be undone: two epochs, after which mainnet is final."""

BLOCK_TIME = 12
"""Seconds between mainnet's blocks."""

SILENT = "it moves without logs of its own: read it anew at this head"


@dataclass(slots=True)
class _Head:
    """A block, and by slot what was there before it: the pool, and why it was unknown."""

    header: Header
    before: dict[int, tuple[Pool | None, str | None]] = field(default_factory=dict)


class Market:
    """Pools by id as of ``head``. ``changed`` are the pools that are not what they were before the last ``apply`` or
    ``follow`` (all, at the first). ``block_time`` is the seconds from a head to the next block."""

    def __init__(self, bases: Sequence[str], max_hops: int = 3, block_time: int = BLOCK_TIME) -> None:
        self._block_time = block_time
        self.graph = Graph(bases, max_hops)
        self.arrays = Arrays(self.graph)
        self.changed: frozenset[str] = frozenset()
        self._pools: list[Pool | None] = []  # by slot
        self._unknown: dict[str, str] = {}
        self._silent: set[int] = set()
        self._fresh: set[str] = set()
        self._heads: deque[_Head] = deque(maxlen=DEPTH + 1)
        self._asked: tuple[Iterable[Log], View] | None = None  # the last answer of ``after``: it is asked for twice

    @property
    def head(self) -> Header | None:
        """The block that the pools are as of; ``None`` before the first ``anchor``."""
        return self._heads[-1].header if self._heads else None

    @property
    def unknown(self) -> Mapping[str, str]:
        """Pools left out and why; ``add`` brings one back with state read anew."""
        return self._unknown

    @property
    def silent(self) -> list[str]:
        """The pools that have to be read anew at every head, and added."""
        return [self.graph.ids[slot] for slot in sorted(self._silent)]

    @property
    def view(self) -> View:
        """The market as it is now; good until the market moves on."""
        return View(self.graph, self.arrays, self._pools)

    def pool(self, pool_id: str) -> Pool | None:
        """``None`` when it is unknown or not in the market."""
        return self.view.pool(pool_id)

    def pools(self) -> dict[str, Pool]:
        """All known pools by id."""
        return {pool.id: pool for pool in self._pools if pool is not None}

    def add(self, pools: Iterable[Pool]) -> None:
        """Takes pools in, or in anew, as of ``head``."""
        values: dict[int, Pool | None] = {self.graph.slot(pool): pool for pool in pools}
        new = range(len(self._pools), len(self.graph.ids))
        self._pools.extend([None] * len(new))
        if self._heads:
            why = f"read after block {self._heads[-1].header.number}, which came back"
            self._heads[-1].before.update((slot, (None, why)) for slot in new)
        self._put(values, {})
        self._silent.update(slot for slot, pool in values.items() if pool is not None and pool.silent)
        self._fresh.update(self.graph.ids[slot] for slot in values)

    def remove(self, ids: Iterable[str], why: str | None = None) -> None:
        """Takes pools out; with a reason they count as unknown."""
        slots = [self.graph.slots[pool_id] for pool_id in ids if pool_id in self.graph.slots]
        self._silent.difference_update(slots)
        self._put(dict.fromkeys(slots), {self.graph.ids[slot]: why for slot in slots if why})

    def anchor(self, header: Header) -> None:
        """Says which block the pools are as of now, and keeps this state to come back to."""
        self._heads.append(_Head(header))
        self._asked = None

    def apply(self, logs: Iterable[Log], diff: StateDiff | None = None, timestamp: int | None = None) -> frozenset[str]:
        """Takes the logs in (View.after). Returns ``changed``: the pools that they changed and those added since the
        last time."""
        after = self.view.after(logs, diff, timestamp)
        self._put(after.changes, after.reasons)
        self.changed = after.changed | self._fresh
        self._fresh.clear()
        return self.changed

    def after(self, logs: Iterable[Log], diff: StateDiff | None = None) -> View:
        """The market as it would be after the logs, of a pending transaction say, in the block behind ``head``. The
        market itself stays as it is."""
        if diff is None and self._asked is not None and self._asked[0] is logs:
            return self._asked[1]
        head = self.head
        after = self.view.after(logs, diff, None if head is None else head.timestamp + self._block_time)
        if diff is None and isinstance(logs, tuple):
            self._asked = logs, after
        return after

    def lacking(self, logs: Iterable[Log]) -> dict[str, set[int]]:
        """The slots, by contract, of the pools that cannot follow these logs: what ``after`` wants of a diff."""
        lacking: dict[str, set[int]] = {}
        for slot, pool in self.after(logs).changes.items():
            before = self._pools[slot]
            if pool is None and before is not None:
                for contract, numbers in before.slots().items():
                    lacking.setdefault(contract, set()).update(numbers)
        return lacking

    def follow(self, header: Header, logs: Iterable[Log], diff: StateDiff | None = None) -> frozenset[str]:
        """Goes to a new head, over a reorganisation if need be, and returns ``changed``.

        ``logs`` are those of this block alone, ``diff`` its change of state where it is known. Silent pools become
        unknown. Raises UnknownState, with nothing changed, when the block's parent is not among the kept heads: blocks
        were missed, and the pools have to be read anew.
        """
        head = self.head
        if head is not None and header.hash == head.hash:
            return self.apply(())
        joins = head is not None and header.parent_hash == head.hash
        undone = frozenset() if joins else self.undo_to(header.parent_hash)
        after = self.view.after(logs, diff, header.timestamp)
        self.anchor(header)
        self._put(after.changes, after.reasons)
        asleep = {slot: None for slot in self._silent if self._pools[slot] is not None}
        self._put(asleep, {self.graph.ids[slot]: SILENT for slot in asleep})
        silent = frozenset(self.graph.ids[slot] for slot in asleep)
        self.changed = after.changed | self._fresh | undone | silent
        self._fresh.clear()
        return self.changed

    def undo_to(self, block_hash: str) -> frozenset[str]:
        """Goes back to the state at a kept head; returns the pools that differ from the state left behind.

        A pool that was added later is unknown there. Raises UnknownState when that head is not kept.
        """
        if all(kept.header.hash != block_hash for kept in self._heads):
            raise UnknownState(
                f"block {block_hash} is not among the {len(self._heads)} kept heads: read the pools anew"
            )
        restored: dict[int, tuple[Pool | None, str | None]] = {}
        while self._heads[-1].header.hash != block_hash:
            restored |= self._heads.pop().before
        differ = {slot for slot, (pool, _) in restored.items() if pool is not self._pools[slot]}
        reasons = {self.graph.ids[slot]: why for slot, (_, why) in restored.items() if why is not None}
        self._set({slot: pool for slot, (pool, _) in restored.items()}, reasons)
        self._silent.update(
            slot for slot, (pool, why) in restored.items() if why == SILENT or (pool is not None and pool.silent)
        )
        return frozenset(self.graph.ids[slot] for slot in differ)

    def _put(self, pools: Mapping[int, Pool | None], reasons: Mapping[str, str]) -> None:
        """Sets pools so that the head can be undone."""
        if self._heads:
            before = self._heads[-1].before
            for slot in pools:
                if slot not in before:
                    before[slot] = self._pools[slot], self._unknown.get(self.graph.ids[slot])
        self._set(pools, reasons)

    def _set(self, pools: Mapping[int, Pool | None], reasons: Mapping[str, str]) -> None:
        self._asked = None
        for slot, pool in pools.items():
            self._pools[slot] = pool
            self.arrays.put(slot, pool)
            self._unknown.pop(self.graph.ids[slot], None)
        self._unknown.update(reasons)
