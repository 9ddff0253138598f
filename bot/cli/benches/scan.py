"""Scans of synthetic markets beside networkx, and one changed pool looked into anew."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from bot.amm.v2 import V2Pool
from bot.cli.benches import peer
from bot.cli.benches.markets import HUBS, v2_pools
from bot.cli.benches.result import Result
from bot.market.kernels import NONE
from bot.market.market import Market
from bot.market.search import search
from bot.market.view import View

POOLS = 10_000
SEED = 1
ROUNDS = 200
PEER_ROUNDS = 1  # of tens of seconds
NOISE = 0.004  # such that some cycles gain
CHANGES = 3_000
MOVE = 1.0025  # of the changed pool's reserve: the trade before us was a quarter of a per cent of it
AHEAD = {3: 1_000, 4: 300}
FILTER_US, WHOLE_US = 100, 500
LEAST = 10**15  # wei of profit that are worth a look: gas
MOST = 4  # looked into for one change, as the back-run strategy does,
REFINED = 1  # of these: they share the pool, so that only one will hold


def run() -> list[Result]:
    """Raises UserError where networkx is not installed."""
    pools = v2_pools(POOLS, SEED, NOISE)
    return [*(_scan(pools, hops) for hops in AHEAD), *_changes(v2_pools(POOLS, SEED))]


def market_of(pools: Iterable[V2Pool], hops: int) -> Market:
    """With the hubs as tokens to begin in."""
    market = Market([token(number) for number in range(HUBS)], hops)
    market.add(pools)
    return market


def token(number: int) -> str:
    return f"0x{number + 1:040x}"


def scan_seconds(market: Market, rounds: int = ROUNDS) -> float:
    """Median of scans of the whole market."""
    market.arrays.open_cycles()
    return _median(lambda: market.arrays.open_cycles(), rounds)


def _scan(pools: list[V2Pool], hops: int) -> Result:
    market = market_of(pools, hops)
    ours = scan_seconds(market)
    number = {token: at for at, token in enumerate(market.graph.tokens)}
    theirs = peer.ask(
        "peers", "cycles_networkx.py", {"edges": _edges(market, number), "hops": hops, "rounds": PEER_ROUNDS}
    )
    with_hub = {_turned(cycle) for cycle in theirs["gaining"] if min(cycle) < HUBS}
    return Result(
        bench="market",
        name=f"scan, {POOLS:,} pools, ≤ {hops} hops",
        value=ours * 1e3,
        unit="ms",
        peer="networkx",
        peer_value=theirs["seconds"] * 1e3,
        checked=_gaining(market, number) == with_hub,
        ahead=AHEAD[hops],
        details={"cycles of pairs": theirs["cycles"], "that gain": len(with_hub)},
    )


def _edges(market: Market, number: dict[str, int]) -> list[tuple[int, int, float]]:
    """The best rate of each pair of tokens."""
    best: dict[tuple[int, int], float] = {}
    for leg, hop in enumerate(market.graph.hops):
        pair, rate = (number[hop.token_in], number[hop.token_out]), float(market.arrays.rates[leg])
        best[pair] = max(rate, best.get(pair, rate))
    return [(*pair, rate) for pair, rate in best.items()]


def _gaining(market: Market, number: dict[str, int]) -> set[tuple[int, ...]]:
    """Cycles of tokens."""
    hops = market.graph.hops
    rows = market.arrays.open_cycles().tolist()
    return {_turned([number[hops[leg].token_in] for leg in row if leg != NONE]) for row in rows}


def _turned(cycle: list[int]) -> tuple[int, ...]:
    """From its least token."""
    at = cycle.index(min(cycle))
    return (*cycle[at:], *cycle[:at])


def _changes(pools: list[V2Pool]) -> list[Result]:
    market = market_of(pools, 4)
    whole = scan_seconds(market)
    dice = random.Random(SEED)
    changed = [moved(dice.choice(pools)) for _ in range(CHANGES)]
    least = {token(number): LEAST for number in range(HUBS)}

    def filtered(view: View) -> Any:
        with market.arrays.patched(view.changes):
            return market.arrays.open_cycles(view.changes)

    def refined(view: View) -> Any:
        return search(view, view.changed, least, beyond=True, most=MOST, refined=REFINED)

    results = []
    for name, goal, work in (("filter", FILTER_US, filtered), ("sized, refined", WHOLE_US, refined)):
        views = [market.view.with_pools([pool]) for pool in changed]
        times = cpu_times(work, views)
        p50, p99 = (times[int(len(times) * share)] / 1e3 for share in (0.5, 0.99))
        results.append(
            Result(
                bench="market",
                name=f"one changed pool of {POOLS:,}, ≤ 4 hops: {name}, p99",
                value=p99,
                unit="µs",
                peer="a whole scan of ours",
                peer_value=whole * 1e6,
                checked=name != "filter" or _same(market, views[:50]),
                goal=goal,
                details={"p50": p50},
            )
        )
    return results


def _same(market: Market, views: Iterable[View]) -> bool:
    """Whether what a change opens is what a whole scan finds there with the changed pool in it."""
    for view in views:
        with market.arrays.patched(view.changes):
            (slot,) = view.changes
            through = market.arrays.open_cycles([slot]).tolist()
            every = market.arrays.open_cycles().tolist()
        legs = set(market.graph.legs(slot))
        if sorted(through) != sorted(row for row in every if legs & set(row)):
            return False
    return True


def moved(pool: V2Pool) -> V2Pool:
    return replace(pool, reserve0=int(pool.reserve0 * MOVE), reserve1=int(pool.reserve1 / MOVE))


def cpu_times(work: Callable[[View], Any], views: list[View]) -> list[int]:
    """Nanoseconds of CPU each, sorted: others may use the machine."""
    for view in views[:20]:
        work(view)
    times = []
    gc.collect()
    gc.disable()
    for view in views:
        start = time.thread_time_ns()
        work(view)
        times.append(time.thread_time_ns() - start)
    gc.enable()
    return sorted(times)


def _median(work: Callable[[], Any], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return sorted(times)[rounds // 2]
