"""Joint routing: the best set of trades over a whole synthetic market, beside cvxpy with Clarabel, and beside cycles
taken one after the other."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from bot.cli.benches import peer
from bot.cli.benches.markets import market, v2_pools
from bot.cli.benches.result import Result
from bot.market.market import Market
from bot.market.routing import programs
from bot.market.routing.solver import Flow, Legs, Solver
from bot.market.search import search

SIZES = (1_000, 10_000)
MARKETS = 5
ROUNDS = 5
AHEAD = 5  # times, at the first of the sizes
GOAL_MS = 250  # at the second
UNIT = 1e18  # value that the peer counts as 1
PEER_TOLERANCE = 1e-5  # relative
FAR = 0.01  # by how much prices are off, where cycles are compared
PRICES = {0: 1.0}


def run() -> list[Result]:
    """Raises UserError where the peers are not installed."""
    _solve(market(100, 0))  # compiles
    return [_beside_the_peer(), _large()]


def _solve(legs: Legs) -> tuple[float, Flow]:
    """Seconds and the solution, from the legs alone: nothing is kept from an earlier one."""
    start = time.perf_counter()
    flow = Solver(legs, PRICES).solve()
    return time.perf_counter() - start, flow


def _median_ms(once: Callable[[], float]) -> float:
    return 1e3 * statistics.median(once() for _ in range(ROUNDS))


def _beside_the_peer() -> Result:
    """The peer's time is the solver's alone, without what cvxpy takes to state the problem. The two are the same where
    their objectives are, to the peer's tolerance, ours falls short of the bound by less than 1e-9 of it, and the peer's
    trades, with the outputs that the pools really give, are worth no more."""
    ours: list[float] = []
    theirs: list[float] = []
    wholes: list[float] = []
    same, behind, apart = True, 0.0, 0.0
    for seed in range(MARKETS):
        legs = market(SIZES[0], seed)
        _, flow = _solve(legs)
        ours.append(_median_ms(lambda legs=legs: _solve(legs)[0]))  # type: ignore[misc]
        answer = peer.ask("peers", "routing_cvxpy.py", _question(legs, flow))
        if answer["status"] == "failed":
            continue
        worth = answer["worth"] * UNIT
        theirs.append(answer["solver_ms"])
        wholes.append(answer["whole_ms"])
        same = same and flow.unbalanced <= 1e-9 * flow.value and worth <= flow.value - flow.unbalanced
        apart = max(apart, abs(answer["objective"] * UNIT / flow.value - 1))
        behind = max(behind, 1 - worth / flow.value)
    over_greedy, over_cycle = zip(*(_over_cycles(seed) for seed in range(MARKETS)), strict=True)
    return Result(
        "routing",
        f"{SIZES[0]:,} pools",
        statistics.median(ours),
        "ms",
        "clarabel",
        statistics.median(theirs) if theirs else float("inf"),
        same and bool(theirs) and apart < PEER_TOLERANCE,
        ahead=AHEAD,
        details={
            "with cvxpy": statistics.median(wholes) if wholes else float("inf"),
            "peer solved": len(theirs),
            "objectives apart": apart,
            "peer's trades behind": behind,
            "over greedy": statistics.median(over_greedy),
            "over best cycle": statistics.median(over_cycle),
        },
    )


def _large() -> Result:
    """The peer at this size takes minutes or fails: the goal stands in its place."""
    times, steps, same = [], [], True
    for seed in range(MARKETS):
        seconds, flow = _solve(market(SIZES[1], seed))
        times.append(1e3 * seconds)
        steps.append(flow.steps)
        same = same and flow.unbalanced <= 1e-9 * flow.value
    slowest = {"slowest": max(times), "Newton steps": max(steps)}
    median = statistics.median(times)
    return Result("routing", f"{SIZES[1]:,} pools", median, "ms", "goal", GOAL_MS, same, goal=GOAL_MS, details=slowest)


def _question(legs: Legs, flow: Flow) -> dict[str, Any]:
    columns: dict[str, Any] = {field.name: getattr(legs, field.name).tolist() for field in fields(legs)}
    return {**columns, "value": (flow.prices / UNIT).tolist()}


def _over_cycles(seed: int) -> tuple[float, float]:
    """What the programs gain, in wei before gas, as a multiple of cycles of up to three pools that share none, best
    first, and of the best alone."""
    pools = v2_pools(SIZES[0], seed, FAR)
    names = sorted({token for pool in pools for token in pool.tokens}, key=lambda token: int(token, 16))
    cycles = Market([names[0]], 3)
    cycles.add(pools)
    used: set[str] = set()
    gains: list[int] = []
    for trade in search(cycles.view):  # best first
        own = {hop.pool for hop in trade.route}
        if used.isdisjoint(own):
            used |= own
            gains.append(trade.gross_profit)
    by_number = dict(enumerate(pools))
    legs = Legs.of(by_number, {name: number for number, name in enumerate(names)})
    found = programs.arbitrage(programs.Market(legs, by_number, np.zeros(len(legs))), PRICES)
    return float(found.net / sum(gains)), float(found.net / gains[0])
