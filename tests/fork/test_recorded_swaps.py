"""Every swap in the recorded blocks, of every protocol that the market knows, from the state before it."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import pytest
from recorded import BLOCKS, cassette_path, needs_recordings
from swap_logs import PROTOCOLS, Unchecked, allowed, exact, foreign, is_sync, pool_id, told

from bot.amm.pool import Pool, UnknownState
from bot.chain.pool_reader import LoadResult
from bot.cli.replay_block import recorded_pools
from bot.cli.replay_executor import rules
from bot.engine.types import Log, StateDiff
from bot.simulation.cassette import Cassette, load
from bot.simulation.proof import Proof, before, prove

pytestmark = needs_recordings

SWAPS = {
    **{13217637: 22, 15050000: 8, 15537394: 5, 17034869: 14, 17666333: 48, 18085863: 40, 19426586: 50},
    **{19426587: 2, 19932148: 35, 20378342: 6, 22244135: 5, 23879620: 2, 24628607: 39},
}
"""Swap logs in each block, of all protocols."""
ANGSTROM = "the hook 0x0000000aa232009084bd71a5797d089aa4edfad4 can change amounts: they are known only by simulation"
UNCHECKED = {24628607: {f"v4: {ANGSTROM}": 2}}
FOREIGN = {
    19932148: {"0xd1d7d99764f8a52aff007b7831cc02748b2013b5: Pendle market: no reader": 1},
    24628607: {
        "0xf6e72db5454dd049d0788e411b06cfaf16853042: Sky's peg stability module: no reader": 1,
        "0xe0e0e08a6a4b9dc7bd67bcb7aade5cf48157d444: Ekubo: no reader": 1,
    },
}
CHOSEN = BLOCKS if os.environ.get("MEV_VERIFY") == "1" else [17666333, 19932148, 24628607]


@dataclass
class Figures:
    """Swap logs by protocol, and what came of them: ``below`` are swaps of pairs that asked for less than they could
    have had; ``unchecked`` and ``foreign`` are by the reason. ``alike`` are the times that a transaction's logs and its
    change of state led a pool to the same value, ``by_diff`` those that only the latter was enough."""

    logs: Counter[str] = field(default_factory=Counter)
    exact: Counter[str] = field(default_factory=Counter)
    below: Counter[str] = field(default_factory=Counter)
    unchecked: Counter[str] = field(default_factory=Counter)
    foreign: Counter[str] = field(default_factory=Counter)
    alike: Counter[str] = field(default_factory=Counter)
    by_diff: Counter[str] = field(default_factory=Counter)
    different: list[str] = field(default_factory=list)


@cache
def replayed(block: int) -> tuple[Cassette, Proof, LoadResult]:
    """A block run again, and its pools before it."""
    cassette = load(cassette_path(block))

    async def find() -> tuple[Proof, LoadResult]:
        proof = await prove(cassette)
        async with before(cassette, hardfork=rules(cassette)) as state:
            return proof, await recorded_pools(cassette, proof, state)

    proof, loaded = asyncio.run(find())
    assert proof.matches
    return cassette, proof, loaded


class Walk:
    """Goes through a block's logs with its pools."""

    def __init__(self, pools: Mapping[str, Pool], unknown: Mapping[str, str], time: int) -> None:
        self.figures = Figures()
        self._time = time
        self._pools = {name: pool.at(time) for name, pool in pools.items()}
        self._unknown = unknown
        self._own = {pool.contract: name for name, pool in pools.items() if pool.contract is not None}
        self._before_sync: dict[str, Pool] = {}  # a pair says Sync in front of its Swap
        self._lost: set[str] = set()  # since a log that they could not follow

    def transaction(self, logs: tuple[Log, ...], diff: StateDiff) -> None:
        before = dict(self._pools)
        for log in logs:
            self._log(log)
        for name, pool in before.items():
            stored = pool.apply_diff(diff).at(self._time)
            if name in self._lost:
                self._pools[name] = stored
                self.figures.by_diff[pool.kind] += 1
            elif not pool.silent and pool.slots() and self._pools[name] is not pool:
                assert stored == self._pools[name]
                self.figures.alike[pool.kind] += 1
        self._lost.clear()

    def _log(self, log: Log) -> None:
        reason = foreign(log)
        if reason is not None:
            self.figures.foreign[f"{log.address}: {reason}"] += 1
        if not log.topics:
            return
        if log.topics[0] in PROTOCOLS:
            self._swap(PROTOCOLS[log.topics[0]], log)
        name = self._own.get(log.address) or (log.topics[1] if len(log.topics) > 1 else "")
        pool = self._pools.get(name)
        if pool is None or name in self._lost or log.address not in (pool.contract, pool.keeper):
            return
        if is_sync(log):
            self._before_sync[name] = pool
        try:
            self._pools[name] = pool.apply(log)
        except UnknownState:
            self._lost.add(name)

    def _swap(self, protocol: str, log: Log) -> None:
        figures, name = self.figures, pool_id(log)
        pool = self._before_sync.pop(name, None) or self._pools.get(name)
        figures.logs[protocol] += 1
        try:
            if pool is None:
                raise Unchecked(f"{name}: {self._unknown.get(name, 'no reader knows it')}")
            if name in self._lost:
                raise Unchecked(f"{name}: between two logs of one transaction")
            swap = told(pool, log)
            pool.quote_in(swap.i, swap.j, 0)
        except (Unchecked, UnknownState) as why:
            figures.unchecked[f"{protocol}: {why.why if isinstance(why, Unchecked) else why}"] += 1
            return
        if exact(pool, swap):
            figures.exact[protocol] += 1
        elif allowed(pool, swap):
            figures.below[protocol] += 1
        else:
            figures.different.append(f"{protocol} {name}: {swap}")


@pytest.mark.parametrize("block", CHOSEN)
def test_every_swap_comes_out_as_it_did(block: int, record_property: Callable[[str, object], None]) -> None:
    cassette, proof, loaded = replayed(block)
    walk = Walk(loaded.pools, loaded.unknown, cassette.context.timestamp)
    for logs, diff in zip(proof.logs, proof.diffs, strict=True):
        walk.transaction(logs, diff)
    figures = walk.figures
    for name, found in vars(figures).items():
        record_property(f"block {block}: {name}", dict(found) if isinstance(found, Counter) else found)
    assert figures.different == []
    assert dict(figures.unchecked) == UNCHECKED.get(block, {})
    assert dict(figures.foreign) == FOREIGN.get(block, {})
    reproduced = figures.exact.total() + figures.below.total()
    assert reproduced + figures.unchecked.total() == figures.logs.total() == SWAPS[block]
    assert set(figures.below) <= {"v2", "solidly"}
    assert not figures.by_diff
