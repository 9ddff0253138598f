"""cvxpy's and Clarabel's half of the routing benchmark: the best set of trades over a whole market.

Takes a file of the arrays of ``bot.market.routing.Legs`` with ``value``, the value of a unit of each token (0: left
out). Profit is taken in token 0. Prints the milliseconds of the whole call and of the solver alone, the status,
the objective, and what the trades are worth: the surplus of token 0, less the value of what others are short of.
"""

import json
import sys
import time

import clarabel  # noqa: F401  (its import is no part of the time)
import cvxpy as cp
import numpy as np
import scipy.sparse as sp


def main(path: str) -> None:
    with open(path, encoding="utf-8") as file:
        market = {name: np.array(column) for name, column in json.load(file).items()}
    start = time.perf_counter()
    segments = Segments(market)
    stated = segments.problem()
    try:
        stated.solve(solver=cp.CLARABEL)
    except cp.error.SolverError:
        print(json.dumps({"status": "failed", "whole_ms": 1e3 * (time.perf_counter() - start)}))
        return
    whole = 1e3 * (time.perf_counter() - start)
    solver = 1e3 * stated.solver_stats.solve_time
    found = {"objective": float(stated.value), "worth": segments.worth()}
    print(json.dumps({"status": stated.status, "whole_ms": whole, "solver_ms": solver, **found}))


class Segments:
    """The legs' segments, each a constraint ``(x + keep d) (y - o) >= x y``.

    Inputs and outputs are shares of the segment's reserves, and balances are in value: of the ways to state it that
    were tried, the one with which the solver gets through at this size."""

    def __init__(self, market: dict[str, np.ndarray]) -> None:
        count, value = market["seg_count"], market["value"]
        leg = np.repeat(np.arange(len(count)), count)
        flat = np.arange(len(leg)) - np.repeat(np.cumsum(count) - count - market["seg_start"], count)
        token_in, token_out = market["token_in"][leg], market["token_out"][leg]
        used = (value[token_in] > 0) & (value[token_out] > 0)
        token_in, token_out, flat = token_in[used], token_out[used], flat[used]
        self.x, self.y = market["x"][flat] * value[token_in], market["y"][flat] * value[token_out]
        self.keep = market["keep"][flat]
        self.most = market["capacity"][flat] * value[token_in] * self.keep / self.x
        size, rows = len(flat), np.arange(len(flat))
        self.takes = sp.csr_matrix((self.x / self.keep, (token_in, rows)), shape=(len(value), size))
        self.gives = sp.csr_matrix((self.y, (token_out, rows)), shape=(len(value), size))
        self.given, self.got = cp.Variable(size, nonneg=True), cp.Variable(size, nonneg=True)

    def problem(self) -> cp.Problem:
        given, got = self.given, self.got
        sides = cp.vstack([np.full(given.size, 2.0), given + got])
        net = self.gives @ got - self.takes @ given
        ends = np.isfinite(self.most)
        constraints = [cp.SOC(2 + given - got, sides, axis=0), net >= 0, given[ends] <= self.most[ends]]
        return cp.Problem(cp.Maximize(net[0]), constraints)

    def worth(self) -> float:
        """With the outputs that the curves really give for the inputs found."""
        given = np.clip(self.given.value, 0, self.most)
        net = self.gives @ (given / (1 + given)) - self.takes @ given
        return float(net[0] + np.minimum(net[1:], 0).sum())


if __name__ == "__main__":
    main(sys.argv[1])
