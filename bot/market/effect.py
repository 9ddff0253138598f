"""What swaps that a transaction asks for do to the market: exact pool maths, no EVM.

A call does not say everything. A v2 router is one factory's, and which one its pairs tell; forks of v3 have pools of
the same fee. So there may be several answers: where a hop could go through several pools, each is followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from bot.amm.pool import NoLiquidity, Pool, UnknownState
from bot.amm.swapped import swap_in, swap_out
from bot.amm.v2 import V2Pool
from bot.amm.v3 import V3Pool
from bot.amm.v4 import V4Pool
from bot.amm.vaults import ETH
from bot.engine.types import SwapIntent
from bot.market.view import View

MOST = 4
"""States that are followed: those in which the swaps get most (or pay least), as whoever asks for them looks for."""


class Step(NamedTuple):
    """Through the pool in a slot, from its token i to its token j."""

    slot: int
    i: int
    j: int


Way = tuple[Step, ...]


class _State(NamedTuple):
    """A view, what the last swap gave or asked for, and what is left of earlier swaps by token."""

    view: View
    amount: int
    held: Mapping[str, int]


def after_swaps(view: View, intents: Iterable[SwapIntent]) -> list[View]:
    """The views that these swaps, in their order, may lead to, best for who asked first; none where they would revert,
    or go through pools that are not known here. Raises UnknownState where the calls do not say all."""
    states = [_State(view, 0, {})]
    for intent in intents:
        states = _best([after for state in states for after in _after(state, intent)], intent)
    return [state.view for state in states]


def ways(view: View, intent: SwapIntent) -> list[Way]:
    """The pools that a swap may go through. Empty where one of its hops has none here."""
    found: list[Way] = [()]
    for hop in range(len(intent.pools)):
        found = [(*way, step) for way in found for step in steps(view, intent, hop)][:MOST]
    return found


def along(view: View, way: Way, amount: int, onto: View | None = None) -> View:
    """``onto`` (or the view) with the pools of ``way`` as they are in ``view`` after ``amount`` went in. Raises
    UnknownState, NoLiquidity."""
    moved: dict[str, Pool] = {}
    for step in way:
        pool = view.at(step.slot)
        if pool is None:
            raise UnknownState(f"{view.graph.ids[step.slot]} is not known")
        pool, _, amount = swap_in(moved.get(pool.id, pool), step.i, step.j, amount)
        moved[pool.id] = pool
    return (onto or view).with_pools(moved.values())


def _after(state: _State, intent: SwapIntent) -> list[_State]:
    if intent.protocol in _SETTLED_BY_CALLS:
        return [state]
    if intent.amount is None and not intent.exact_in:
        raise UnknownState("how much is swapped is not said")
    tokens = intent.tokens or _tokens(state.view, intent)
    held = dict(state.held)
    amount = held.pop(tokens[0], None) if intent.amount is None and tokens else intent.amount
    if amount is None:
        raise UnknownState("what the router holds is not known")
    states = [_State(state.view, amount, held)]
    hops = range(len(intent.pools))
    for hop in hops if intent.exact_in else reversed(hops):
        states = _best(_through(states, intent, hop), intent)
    within = [after for after in states if _within(after.amount, intent)]
    if not tokens:
        return within
    last = tokens[-1]
    got = {last: held.get(last, 0)}
    return [
        after._replace(held={**held, last: got[last] + (after.amount if intent.exact_in else amount)})
        for after in within
    ]


def _tokens(view: View, intent: SwapIntent) -> tuple[str, ...]:
    """What goes into a pool that is called itself and what comes out; empty where it is not known here."""
    pool = view.pool(intent.target)
    if pool is None or intent.sides is None or max(intent.sides) >= len(pool.tokens):
        return ()
    return tuple(pool.tokens[side] for side in intent.sides)


def _best(states: Iterable[_State], intent: SwapIntent) -> list[_State]:
    return sorted(states, key=lambda state: -state.amount if intent.exact_in else state.amount)[:MOST]


def _through(states: Iterable[_State], intent: SwapIntent, hop: int) -> Iterator[_State]:
    swap = swap_in if intent.exact_in else swap_out
    for view, amount, held in states:
        for slot, i, j in steps(view, intent, hop):
            pool = view.at(slot)
            if pool is None:
                continue
            try:
                after, paid, got = swap(pool, i, j, amount, intent.price_limit)
            except (UnknownState, NoLiquidity):
                continue
            yield _State(view.with_pools((after,)), got if intent.exact_in else paid, held)


def _within(amount: int, intent: SwapIntent) -> bool:
    """Whether the limit holds: else the transaction reverts."""
    return intent.limit is None or (amount >= intent.limit if intent.exact_in else amount <= intent.limit)


def steps(view: View, intent: SwapIntent, hop: int) -> list[Step]:
    """Those that one hop of a swap may be. Raises UnknownState for a protocol of which only a simulation tells."""
    graph, terms = view.graph, intent.pools[hop]
    if not intent.tokens:
        slot = graph.slots.get(intent.target)
        if slot is None:
            return []
        said = intent.protocol == V3Pool.kind or (intent.protocol == V2Pool.kind and intent.exact_in)
        if intent.sides is None or not said:
            raise UnknownState(f"a call of {intent.target} does not say all")
        pool = view.at(slot)
        return [] if pool is not None and pool.kind != intent.protocol else [Step(slot, *intent.sides)]
    kind = _KINDS.get(intent.protocol)
    if kind is None:
        raise UnknownState(f"{intent.protocol} swaps are not followed")
    if ETH in intent.tokens[hop : hop + 2] and kind is not V4Pool:
        raise UnknownState("which token the router wraps the chain's own money in is not said")
    found = []
    for leg in _legs(view, intent.tokens[hop], intent.tokens[hop + 1]):
        slot = graph.leg_slot[leg]
        pool = view.at(slot)
        if isinstance(pool, kind) and _meant(pool, terms):
            found.append(Step(slot, *graph.ends[leg]))
    return found


_SETTLED_BY_CALLS = frozenset(("cow",))
"""Protocols whose orders move no pool themselves: the calls beside them do, and are intents of their own."""
_KINDS: dict[str, type[V2Pool | V3Pool | V4Pool]] = {pool.kind: pool for pool in (V2Pool, V3Pool, V4Pool)}


def _meant(pool: V2Pool | V3Pool | V4Pool, terms: tuple[int | str, ...]) -> bool:
    """Whether it is what a call with these terms means."""
    if isinstance(pool, V3Pool):
        return terms == (pool.fee,)
    return isinstance(pool, V2Pool) or terms == (pool.key_fee, pool.tick_spacing, pool.hooks)


def _legs(view: View, token_in: str, token_out: str) -> list[int]:
    """Of all pools between two tokens."""
    graph, index = view.graph, view.graph.index
    first, second = graph.tokens.get(token_in), graph.tokens.get(token_out)
    if first is None or second is None:
        return []
    low, high = index.out_start[first], index.out_start[first + 1]
    pair = low + np.searchsorted(index.pair_out[low:high], second)
    if pair >= high or index.pair_out[pair] != second:
        return []
    legs: list[int] = index.pair_legs[index.pair_start[pair] : index.pair_start[pair + 1]].tolist()
    return legs
