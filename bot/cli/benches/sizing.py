"""The best amount of every path of a market beside degenbot: which gain, and with what amounts."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from bot.amm.v2 import V2Pool
from bot.cli.benches import peer
from bot.cli.benches.markets import v2_pools
from bot.cli.benches.result import Result
from bot.cli.benches.scan import market_of
from bot.market import refine
from bot.market.graph import Graph
from bot.market.kernels import LEAST, MAX_HOPS, NONE, Ints
from bot.market.market import Market
from bot.market.search import FEW, legs_of
from bot.market.view import View

POOLS = 10_000
PATHS = 15_000
SEED = 1
NOISE = 0.007  # such that an eighth of the paths gains
ROUNDS = 15
PEER_ROUNDS = 5
AHEAD = 30
SHORT = 1e-9  # of the peer's profit: by how much ours may be less


def run() -> list[Result]:
    """Raises UserError where degenbot is not installed."""
    pools = v2_pools(POOLS, SEED, NOISE)
    market = market_of(pools, 3)
    cycles = _paths(market.graph)
    theirs = peer.ask("peers-degenbot", "sizing_degenbot.py", _question(market, pools, cycles))
    market.arrays.open_cycles()
    seconds, found = _quickest(market, cycles)
    ours = {path: amounts[-1] - amounts[0] for path, amounts in found}
    profits = {path: profit for path, _, profit in theirs["gaining"] if profit > 0}
    return [
        Result(
            bench="market",
            name=f"{PATHS:,} paths of 2 and 3 v2 pools sized to the wei",
            value=seconds * 1e3,
            unit="ms",
            peer="degenbot 0.6",
            peer_value=theirs["cpu_seconds"] * 1e3,
            checked=ours.keys() == profits.keys() and all(_as_good(ours[path], profits[path]) for path in profits),
            ahead=AHEAD,
            details={
                "that gain": len(profits),
                "ours more": sum(ours.get(path, 0) > profit for path, profit in profits.items()),
                "the same": sum(ours.get(path, 0) == profit for path, profit in profits.items()),
                "µs a path that gains": seconds * 1e6 / max(1, len(found)),
            },
        )
    ]


def _as_good(ours: int, theirs: int) -> bool:
    return ours >= theirs - int(theirs * SHORT)


def _quickest(market: Market, cycles: Ints) -> tuple[float, list[tuple[int, tuple[int, ...]]]]:
    """Seconds of CPU of the quickest round: others may use the machine."""
    times = []
    for _ in range(ROUNDS):
        start = time.thread_time_ns()
        found = _exact(market.view, cycles)
        times.append(time.thread_time_ns() - start)
    return min(times) / 1e9, found


def _exact(view: View, cycles: Ints) -> list[tuple[int, tuple[int, ...]]]:
    """Of these cycles those that gain: which, and exact amounts: those of the float size, refined by ``FEW`` tries
    where a unit at each hop is more than ``refine.FINE`` of the gain."""
    rates = np.where(cycles == NONE, 0.0, view.arrays.rates[cycles])
    rows = np.flatnonzero(rates.sum(axis=1) > LEAST)
    sizes = view.arrays.sizes(cycles[rows], view.at)
    floats = zip(sizes.amounts.tolist(), sizes.spreads.tolist(), strict=True)
    found = []
    for row, legs, (amount, spread) in zip(rows.tolist(), legs_of(view, cycles[rows]), floats, strict=True):
        amounts = refine.round_down(legs, amount)
        if amounts is None or (amounts[-1] - amounts[0]) * refine.FINE < len(legs):
            amounts = refine.refine(legs, amount, spread, tries=FEW)
        if amounts is not None:
            found.append((row, amounts))
    return found


def _paths(graph: Graph) -> Ints:
    """Cycles of two and three legs out of each base, through no better one: some, drawn at random."""
    onward: dict[str, list[tuple[int, int, str]]] = {}
    for leg, hop in enumerate(graph.hops):
        onward.setdefault(hop.token_in, []).append((leg, graph.leg_slot[leg], hop.token_out))
    rows: list[tuple[int, int, int]] = []
    for rank, base in enumerate(graph.bases):
        better = graph.bases[:rank]
        for first, slot, a in onward[base]:
            for second, other, b in onward[a] if a not in better else ():
                if b == base and other != slot:
                    rows.append((first, second, NONE))
                elif b != base and b not in better:
                    homes = (leg for leg, _, end in onward[b] if end == base)
                    rows += ((first, second, home) for home in homes)
    chosen = np.random.default_rng(SEED).choice(len(rows), PATHS, replace=False)
    found = np.full((PATHS, MAX_HOPS), NONE, np.int32)
    found[:, :3] = np.array(rows, np.int32)[np.sort(chosen)]
    return found


def _question(market: Market, pools: list[V2Pool], cycles: Ints) -> dict[str, Any]:
    slot, ends = market.graph.leg_slot, market.graph.ends
    return {
        "pools": [
            (pool.id, pool.token0, pool.token1, pool.reserve0, pool.reserve1, pool.fee_num, pool.fee_den)
            for pool in pools
        ],
        "paths": [[(slot[leg], ends[leg][0] == 0) for leg in row if leg != NONE] for row in cycles.tolist()],
        "rounds": PEER_ROUNDS,
    }
