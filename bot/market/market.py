"""The market: pools at the head of the chain, the cycles through them, and the way back when the head is undone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from bot.amm.pool import Pool, UnknownState
from bot.engine.types import Header, Log
from bot.market.graph import Graph
from bot.market.view import View

DEPTH = 64
"""Heads that can be undone: two epochs, after which mainnet is final."""


class Market:
    """Pools by address as of ``head``. ``view`` is a snapshot that stays valid; ``changed`` are the pools that are
    not what they were before the last ``apply`` or ``follow`` (all, at the first)."""

    def __init__(self, bases: Sequence[str], max_hops: int = 3) -> None:
        self.graph = Graph(bases, max_hops)
        self.view = View(self.graph)
        self.changed: frozenset[str] = frozenset()
        self._fresh: set[str] = set()
        self._heads: deque[tuple[Header, View]] = deque(maxlen=DEPTH + 1)

    @property
    def head(self) -> Header | None:
        """The block that the pools are as of; ``None`` before the first ``anchor``."""
        return self._heads[-1][0] if self._heads else None

    @property
    def unknown(self) -> Mapping[str, str]:
        """Pools left out and why; ``add`` brings one back with state read anew."""
        return self.view.unknown

    def pool(self, address: str) -> Pool | None:
        return self.view.pool(address)

    def pools(self) -> dict[str, Pool]:
        return self.view.pools()

    def add(self, pools: Iterable[Pool]) -> None:
        """Takes pools in, or in anew, as of ``head``."""
        values: dict[int, Pool | None] = {self.graph.slot(pool): pool for pool in pools}
        self._replace(values)
        self._fresh.update(self.graph.addresses[slot] for slot in values)

    def remove(self, addresses: Iterable[str]) -> None:
        """Takes pools out."""
        self._replace({self.graph.slots[address]: None for address in addresses if address in self.graph.slots})

    def anchor(self, header: Header) -> None:
        """Says which block the pools are as of now, and keeps this state to come back to."""
        self._heads.append((header, self.view))

    def apply(self, logs: Iterable[Log]) -> frozenset[str]:
        """Takes the logs in. Returns ``changed``: the pools that they changed and those added since the last time."""
        after = self.view.after(logs)
        self.changed = after.changed | self._fresh
        self._fresh.clear()
        if after.changed:
            self.view = after.flat()
        return self.changed

    def after(self, logs: Iterable[Log]) -> View:
        """The market as it would be after the logs, of a pending transaction say. The market itself stays as it is."""
        return self.view.after(logs)

    def follow(self, header: Header, logs: Iterable[Log]) -> frozenset[str]:
        """Goes to a new head, over a reorganisation if need be, and returns ``changed``.

        ``logs`` are those of this block alone. Raises UnknownState, with nothing changed, when the block's parent is
        not among the kept heads: blocks were missed, and the pools have to be read anew.
        """
        head = self.head
        if head is not None and header.hash == head.hash:
            return self.apply(())
        joins = head is not None and header.parent_hash == head.hash
        undone = frozenset() if joins else self.undo_to(header.parent_hash)
        self.changed = self.apply(logs) | undone
        self.anchor(header)
        return self.changed

    def undo_to(self, block_hash: str) -> frozenset[str]:
        """Goes back to the state at a kept head; returns the pools that differ from the state left behind.

        A pool that was added later is unknown there. Raises UnknownState when that head is not kept.
        """
        if all(header.hash != block_hash for header, _ in self._heads):
            raise UnknownState(
                f"block {block_hash} is not among the {len(self._heads)} kept heads: read the pools anew"
            )
        while self._heads[-1][0].hash != block_hash:
            self._heads.pop()
        header, view = self._heads[-1]
        left, kept = self.view.pools(), view.pools()
        later = left.keys() - kept.keys() - view.unknown.keys()
        reasons = dict.fromkeys(later, f"read after block {header.number}, which came back")
        self.view = view.replace({}, reasons).flat() if reasons else view
        self._heads[-1] = (header, self.view)
        return frozenset(a for a in left.keys() | kept.keys() if left.get(a) is not kept.get(a))

    def _replace(self, pools: Mapping[int, Pool | None]) -> None:
        at_head = bool(self._heads) and self._heads[-1][1] is self.view
        self.view = self.view.replace(pools, {}).flat()
        if at_head:
            self._heads[-1] = (self._heads[-1][0], self.view)
