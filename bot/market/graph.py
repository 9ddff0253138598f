"""Which pools join which tokens. It only grows: what a pool is worth, or whether it is known, is the market's.

Inside the market a pool is a *slot*, and a *leg* is one direction between two of its tokens; both are small integers. A
pool of n tokens has n(n-1) legs in a row; ``leg ^ 1`` is the way back. A *pair* is a direction between two tokens that
some leg goes. A *cycle* is a tuple of legs that begins and ends in a base token.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from bot.amm.pool import Pool
from bot.engine.types import Hop, Log, Route
from bot.market.kernels import MAX_HOPS, NONE, Ints

Cycle = tuple[int, ...]


class Index(NamedTuple):
    """The graph as flat arrays. Pairs are numbered so that those out of one token follow each other."""

    leg_pair: Ints  # by leg
    leg_slot: Ints
    pair_in: Ints  # by pair: tokens
    pair_out: Ints
    back: Ints  # by pair: the pair the other way
    pair_start: Ints  # by pair, and the end: where its legs are in ``pair_legs``
    pair_legs: Ints
    out_start: Ints  # by token, and the end: its first pair
    from_base: Ints  # by base and token: the pair, or NONE
    to_base: Ints
    rank: Ints  # by token: the base's place, or more than any


class Graph:
    """Tokens, slots and legs. ``bases`` are the tokens that a cycle may start in, best first: one through several
    starts in the first of them. No token and no pool occurs twice in a cycle."""

    def __init__(self, bases: Sequence[str], max_hops: int = 3) -> None:
        if not 2 <= max_hops <= MAX_HOPS:
            raise ValueError(f"a cycle has 2 to {MAX_HOPS} hops, not {max_hops}")
        self.bases = tuple(dict.fromkeys(bases))
        self.max_hops = max_hops
        self.tokens: dict[str, int] = {token: number for number, token in enumerate(self.bases)}
        self.slots: dict[str, int] = {}
        self.ids: list[str] = []  # by slot
        self.first_leg: list[int] = []  # by slot, and the end
        self.hops: list[Hop] = []  # by leg
        self.leg_slot: list[int] = []
        self.ends: list[tuple[int, int]] = []  # by leg: the pool's indices of what goes in and out
        self._own: dict[str, int] = {}  # by a pool's own contract
        self._kept: dict[str, dict[str, int]] = {}  # by keeper, and there by id
        self._index: Index | None = None

    def slot(self, pool: Pool) -> int:
        """The pool's slot; a new pool gets one."""
        known = self.slots.get(pool.id)
        if known is not None:
            return known
        slot = self.slots[pool.id] = len(self.ids)
        self.ids.append(pool.id)
        self.first_leg.append(len(self.hops))
        if pool.contract is not None:
            self._own[pool.contract] = slot
        if pool.keeper is not None:
            self._kept.setdefault(pool.keeper, {})[pool.id] = slot
        for token in pool.tokens:
            self.tokens.setdefault(token, len(self.tokens))
        for low, high in combinations(range(len(pool.tokens)), 2):
            for i, j in ((low, high), (high, low)):
                self.hops.append(Hop(pool.id, pool.kind, pool.tokens[i], pool.tokens[j], pool.terms(i, j)))
                self.leg_slot.append(slot)
                self.ends.append((i, j))
        self._index = None
        return slot

    def legs(self, slot: int) -> range:
        """Of a pool."""
        end = self.first_leg[slot + 1] if slot + 1 < len(self.first_leg) else len(self.hops)
        return range(self.first_leg[slot], end)

    def slot_of(self, log: Log) -> int | None:
        """The slot of the pool that a log is about; None where it is about none of ours. About a pool only its own
        contract's word counts, and its keeper's."""
        slot = self._own.get(log.address)
        if slot is not None:
            return slot
        kept = self._kept.get(log.address)
        return None if kept is None or len(log.topics) < 2 else kept.get(log.topics[1])

    def route(self, cycle: Cycle) -> Route:
        return tuple(self.hops[leg] for leg in cycle)

    def cycle(self, route: Route) -> Cycle:
        """The legs of a route through pools of this graph."""
        return tuple(
            next(
                leg
                for leg in self.legs(self.slots[hop.pool])
                if self.hops[leg].token_in == hop.token_in and self.hops[leg].token_out == hop.token_out
            )
            for hop in route
        )

    @property
    def index(self) -> Index:
        """As it is now: made anew after pools came in."""
        if self._index is None:
            self._index = self._make_index()
        return self._index

    def _make_index(self) -> Index:
        tokens, legs = len(self.tokens), len(self.hops)
        number = self.tokens
        ends = np.fromiter(
            (number[hop.token_in] * tokens + number[hop.token_out] for hop in self.hops), np.int64, count=legs
        )
        keys, leg_pair = np.unique(ends, return_inverse=True)
        pair_in, pair_out = (keys // tokens).astype(np.int32), (keys % tokens).astype(np.int32)
        pair_legs = np.argsort(leg_pair, kind="stable").astype(np.int32)
        rank = np.full(tokens, len(self.bases), np.int32)
        rank[: len(self.bases)] = np.arange(len(self.bases))
        from_base = np.full((len(self.bases), tokens), NONE, np.int32)
        to_base = from_base.copy()
        pairs = np.arange(len(keys), dtype=np.int32)
        for base in range(len(self.bases)):
            from_base[base, pair_out[pair_in == base]] = pairs[pair_in == base]
            to_base[base, pair_in[pair_out == base]] = pairs[pair_out == base]
        return Index(
            leg_pair=leg_pair.astype(np.int32),
            leg_slot=np.array(self.leg_slot, np.int32),
            pair_in=pair_in,
            pair_out=pair_out,
            back=np.searchsorted(keys, pair_out.astype(np.int64) * tokens + pair_in).astype(np.int32),
            pair_start=_starts(leg_pair, len(keys)),
            pair_legs=pair_legs,
            out_start=_starts(pair_in, tokens),
            from_base=from_base,
            to_base=to_base,
            rank=rank,
        )


def _starts(owners: Ints, count: int) -> Ints:
    """Where each owner's entries begin in a list sorted by owner, and the end."""
    return np.concatenate(([0], np.cumsum(np.bincount(owners, minlength=count)))).astype(np.int32)
