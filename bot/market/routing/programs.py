"""From the float solution over the whole market to swaps in exact integers that can be executed one after the other.

Each pool is swapped once, in one direction: a leg's swap comes after all that bring its token. Priced tokens can be
borrowed and are paid back at the end; another token's balance never goes below nothing, and none of it is left. What
shares a token that is not priced belongs to one program; programs share no pool, so each holds whether or not the
others are executed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from bot.amm.pool import NoLiquidity, Pool, UnknownState
from bot.market.kernels import Floats
from bot.market.routing.dual import Bools
from bot.market.routing.pruning import drop_conflicts, drop_dear, parts
from bot.market.routing.solver import Flow, Legs, Solver

MOST_ROUNDS = 100
"""Solutions in turn, each with fewer legs than the one before."""
MOST_SWAPS = 100
"""In a program: some 6 million gas."""
MOST_PASSES = 4
"""Over what the programs of the passes before have left, where they would have had more swaps than they may."""
FIRST, DEARER = 0.025, 2.0  # of a leg's mean gain if there were no more than may be; times, from round to round
MOST_HOPS = 3
"""Pools on a path of a sale."""
_EXECUTED = 3  # of these, the ones that look best
_SHRINK_TRIES = 6


@dataclass(frozen=True, slots=True)
class Swap:
    """``amount_in`` into the leg's pool, exactly ``amount_out`` out of it."""

    leg: int
    amount_in: int
    amount_out: int


@dataclass(frozen=True, slots=True)
class Program:
    """Swaps in the order of execution. ``profit`` is wei gained by priced token, none below 0; ``loans`` what of it
    has to be at hand at the start; ``cost`` the value of its gas."""

    swaps: tuple[Swap, ...]
    loans: Mapping[int, int]
    profit: Mapping[int, int]
    cost: float


@dataclass(frozen=True, slots=True)
class Routing:
    """Programs that share no pool, best first. ``net`` is their profits' value less their costs; ``joint`` whether they
    come from the joint solution, or are single cycles that were better. ``bound`` is the value, before gas, that no set
    of trades exceeds (as far as floats tell)."""

    programs: tuple[Program, ...]
    net: Fraction
    joint: bool
    bound: float


@dataclass(frozen=True, slots=True)
class Sale:
    """``amount_in`` sold for ``amount_out`` through ``swaps``; ``cost`` is the value of their gas."""

    swaps: tuple[Swap, ...]
    amount_in: int
    amount_out: int
    cost: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cycle that begins and ends in a priced token: its legs and its exact amounts, as in ``Trade.amounts``."""

    legs: tuple[int, ...]
    amounts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Market:
    """Legs, the pools behind them by number, and the value of the gas that a swap through each leg takes."""

    legs: Legs
    pools: Mapping[int, Pool]
    cost: Floats

    def quote(self, leg: int, amount: int) -> int:
        """Raises UnknownState, NoLiquidity."""
        legs = self.legs
        return self.pools[int(legs.pool[leg])].quote_in(int(legs.i[leg]), int(legs.j[leg]), amount)


def arbitrage(
    market: Market,
    prices: Mapping[int, float],
    fixed: float = 0.0,
    candidates: Iterable[Candidate] = (),
    most_swaps: int = MOST_SWAPS,
    most_passes: int = MOST_PASSES,
) -> Routing:
    """The best programs found: of the joint solution, or disjoint ``candidates``, the best first, if these are better.

    ``prices`` are the values of a unit of each token that profit is taken in and that can be borrowed, ``fixed`` the
    value of the gas that every program takes besides its swaps, of which it has no more than ``most_swaps``."""
    singles = [program for each in candidates if (program := _single(market, each, fixed)) is not None]
    alone = _disjoint(market, (), singles, prices)
    solver = Solver(market.legs, prices)
    on = np.ones(len(market.legs), dtype=np.bool_)
    bound: float | None = None
    chosen: list[Program] = []
    for _ in range(most_passes):
        best, first, crowded = _pass(market, solver, on, prices, fixed, most_swaps)
        bound = first if bound is None else bound
        chosen += best
        if not best or not crowded:
            break
        used = [market.legs.pool[swap.leg] for program in best for swap in program.swaps]
        on &= ~np.isin(market.legs.pool, used)
    together = _disjoint(market, chosen, singles, prices)
    joint = _worth(together, prices) > _worth(alone, prices)
    best = together if joint else alone
    ordered = sorted(best, key=lambda program: _worth((program,), prices), reverse=True)
    return Routing(tuple(ordered), _worth(best, prices), joint, bound or 0.0)


def _pass(
    market: Market, solver: Solver, on: Bools, prices: Mapping[int, float], fixed: float, most: int
) -> tuple[tuple[Program, ...], float, bool]:
    """The best programs through legs that are ``on``, the value of the first solution, and whether some were kept small
    only by ``most``. Legs whose pools cannot fill what they get are switched off on the way."""
    priced = frozenset(prices)
    best: tuple[Program, ...] = ()
    bound: float | None = None
    while True:
        rounds, first, crowded = _pruned(
            market, solver, on, priced, most, lambda flow: parts(market.legs, flow, priced)
        )
        bound = first if bound is None else bound
        failed: frozenset[int] = frozenset()
        for flow in rounds:
            programs, missing = _programs(market, flow, prices, fixed)
            failed |= missing
            best = max(best, _disjoint(market, programs, (), prices), key=lambda found: _worth(found, prices))
        if not failed:
            return best, bound, crowded
        on[list(failed)] = False


def _pruned(
    market: Market,
    solver: Solver,
    on: Bools,
    ends: frozenset[int],
    most: int,
    groups: Callable[[Flow], list[list[int]]],
) -> tuple[list[Flow], float, bool]:
    """Solutions that can be executed, those that gain most after gas as far as floats tell, the best first; the value
    of the first of all, before anything was dropped from ``on``; and whether any was too large. While one of the
    ``groups`` of legs has more than ``most`` of them, its gas is counted ever dearer."""
    legs, on = market.legs, on.copy()
    found: list[tuple[float, Flow]] = []
    flow = solver.solve(on)
    first, dearer, too_large = flow.value, 0.0, False
    for _ in range(MOST_ROUNDS):
        if not drop_conflicts(legs, flow, on, ends):
            crowded = [leg for group in groups(flow) if len(group) > most for leg in group]
            cost = market.cost
            if crowded:
                too_large = True
                share = len(crowded) / np.count_nonzero(flow.amount_in)
                dearer = max(DEARER * dearer, share * flow.value / most * FIRST)
                cost = cost.astype(np.float64)
                cost[crowded] += dearer
            else:
                found.append((flow.value - _cost_of(market, flow), flow))
            if not drop_dear(legs, cost, flow, on, ends) and not crowded:
                break
        flow = solver.solve(on)
    found.sort(key=lambda each: -each[0])
    return [flow for _, flow in found[:_EXECUTED]], first, too_large


def _used(flow: Flow) -> list[int]:
    used: list[int] = np.flatnonzero(flow.amount_in > 0).tolist()
    return used


def _cost_of(market: Market, flow: Flow) -> float:
    return float(market.cost[flow.amount_in > 0].sum())


def sell(
    market: Market, token_in: int, token_out: int, amount: int, price: float = 1.0, most_swaps: int = MOST_SWAPS
) -> Sale:
    """The best way found to turn ``amount`` of one token into another, split over pools and paths of up to three pools,
    no more than ``most_swaps`` in all; gas is counted at ``price`` per unit of ``token_out``. Raises NoLiquidity where
    there is no way."""
    legs = market.legs
    on = _between(legs, token_in, token_out)
    ways = _paths(market, on, token_in, token_out, amount)
    ends = frozenset((token_in, token_out))
    solver = Solver(legs, {token_out: price}, {token_in: float(amount)})
    while True:
        rounds, _, _ = _pruned(market, solver, on, ends, most_swaps, lambda flow: [_used(flow)])
        failed = set()
        for flow in rounds:
            outcome = _execute(market, flow, _used(flow), {token_in: amount}, frozenset((token_out,)))
            if isinstance(outcome, int):
                failed.add(outcome)
            elif outcome:
                out = sum(swap.amount_out for swap in outcome if legs.token_out[swap.leg] == token_out)
                ways.append(Sale(tuple(outcome), amount, out, _cost(market, outcome)))
        if not failed:
            break
        on[list(failed)] = False
    if not ways:
        raise NoLiquidity(f"no way to sell {amount} of token {token_in} for token {token_out}")
    return max(ways, key=lambda sale: Fraction(price) * sale.amount_out - Fraction(sale.cost))


def _between(legs: Legs, start: int, end: int) -> Bools:
    """The legs on paths of up to three pools from one token to the other."""
    after, before = np.zeros((2, legs.tokens), dtype=np.bool_)
    after[legs.token_out[legs.token_in == start]] = True
    before[legs.token_in[legs.token_out == end]] = True
    inner = (legs.token_out != start) & (legs.token_in != end)
    first, last = legs.token_in == start, legs.token_out == end
    return np.asarray(inner & ((first | after[legs.token_in]) & (last | before[legs.token_out]) | first | last))


def _paths(market: Market, on: Bools, start: int, end: int, amount: int) -> list[Sale]:
    """The best path of one pool, of two and of three, as far as the best way to each token in between leads on."""
    legs = market.legs
    leaving: dict[int, list[int]] = {}
    for leg in np.flatnonzero(on):
        leaving.setdefault(int(legs.token_in[leg]), []).append(int(leg))
    ways: dict[int, tuple[Swap, ...]] = {start: ()}
    found = []
    for hops in range(MOST_HOPS):
        after: dict[int, tuple[Swap, ...]] = {}
        for token, way in ways.items():
            held = way[-1].amount_out if way else amount
            used = {int(legs.pool[swap.leg]) for swap in way}
            for leg in leaving.get(token, ()):
                to = int(legs.token_out[leg])
                if int(legs.pool[leg]) in used or (hops == MOST_HOPS - 1 and to != end):
                    continue
                try:
                    out = market.quote(leg, held)
                except (UnknownState, NoLiquidity):
                    continue
                if out and (to not in after or out > after[to][-1].amount_out):
                    after[to] = (*way, Swap(leg, held, out))
        best = after.pop(end, None)
        if best is not None:
            found.append(Sale(best, amount, best[-1].amount_out, _cost(market, best)))
        ways = after
    return found


def _programs(
    market: Market, flow: Flow, prices: Mapping[int, float], fixed: float
) -> tuple[list[Program], frozenset[int]]:
    """The solution's programs, and the legs whose pools could not fill what it gave them."""
    found, failed = [], set()
    for part in parts(market.legs, flow, frozenset(prices)):
        outcome = _balanced(market, flow, part, frozenset(prices))
        if isinstance(outcome, int):
            failed.add(outcome)
        elif outcome:
            found.append(_program(market, outcome, frozenset(prices), fixed))
    return [program for program in found if min(program.profit.values(), default=-1) >= 0], frozenset(failed)


def _balanced(market: Market, flow: Flow, part: list[int], priced: frozenset[int]) -> list[Swap] | int | None:
    """``_execute`` with less put in until no priced token is short. What a curve yields falls by less than what goes
    in: a share less leaves over that share of the gain of all legs that bring the token."""
    less = 0.0
    for _ in range(_SHRINK_TRIES):
        outcome = _execute(market, flow, part, {}, priced, 1.0 - less)
        if isinstance(outcome, int):
            return outcome
        short = {token: -left for token, left in _net(market.legs, outcome, priced).items() if left < 0}
        if not short:
            return outcome
        for token, missing in short.items():
            gain = sum(float(flow.gain[leg]) for leg in part if market.legs.token_out[leg] == token)
            less = max(less, min(0.5, 2.0 * less + 2.0 * (missing + 1) * float(flow.prices[token]) / (gain or 1.0)))
    return None


def _execute(
    market: Market,
    flow: Flow,
    part: list[int],
    stock: Mapping[int, int],
    priced: frozenset[int],
    part_of_it: float = 1.0,
) -> list[Swap] | int:
    """The swaps in order, or the leg that could not be quoted. A token that is not priced is shared out by the
    solution's amounts, to the last unit; of a priced one, each leg takes its amount times ``part_of_it``."""
    legs = market.legs
    part = _connected(legs, part, priced | stock.keys(), priced)
    waiting: dict[int, int] = {}
    leaving: dict[int, list[int]] = {}
    for leg in part:
        leaving.setdefault(int(legs.token_in[leg]), []).append(leg)
        token = int(legs.token_out[leg])
        waiting[token] = waiting.get(token, 0) + 1
    balance = dict(stock)
    ready = [token for token in leaving if token in priced or not waiting.get(token)]
    swaps = []
    while ready:
        token = ready.pop()
        out_legs = sorted(leaving.pop(token, ()), key=lambda leg: float(flow.amount_in[leg]))
        shares = [float(flow.amount_in[leg]) for leg in out_legs]
        if token in priced:
            amounts = [round(share * part_of_it) for share in shares]
        else:
            amounts = _shared(balance.pop(token, 0), shares)
        for leg, amount in zip(out_legs, amounts, strict=True):
            to = int(legs.token_out[leg])
            if amount:
                try:
                    out = market.quote(leg, amount)
                except (UnknownState, NoLiquidity):
                    return leg
                swaps.append(Swap(leg, amount, out))
                balance[to] = balance.get(to, 0) + out
            waiting[to] -= 1
            if not waiting[to] and to not in priced and to in leaving:
                ready.append(to)
    return swaps


def _connected(legs: Legs, part: Iterable[int], sources: frozenset[int], sinks: frozenset[int]) -> list[int]:
    """Without legs that lead from nowhere or to nowhere: what rounding in the solution leaves."""
    part = list(part)
    while True:
        fed = sources.union(int(legs.token_out[leg]) for leg in part)
        left = sinks.union(int(legs.token_in[leg]) for leg in part)
        kept = [leg for leg in part if int(legs.token_in[leg]) in fed and int(legs.token_out[leg]) in left]
        if len(kept) == len(part):
            return kept
        part = kept


def _shared(amount: int, shares: Sequence[float]) -> list[int]:
    """``amount`` in proportion to ``shares``, to the last unit; what rounding leaves goes to the last, the largest."""
    total = sum(shares) * (1 + 1e-12)  # so that rounding takes no more than there is
    amounts = [int(amount * (share / total)) for share in shares[:-1]]
    return [*amounts, amount - sum(amounts)] if shares else []


def _net(legs: Legs, swaps: Iterable[Swap], priced: frozenset[int]) -> dict[int, int]:
    """Wei left of each priced token that the swaps trade."""
    net: dict[int, int] = {}
    for swap in swaps:
        for token, change in ((legs.token_in[swap.leg], -swap.amount_in), (legs.token_out[swap.leg], swap.amount_out)):
            if int(token) in priced:
                net[int(token)] = net.get(int(token), 0) + change
    return net


def _program(market: Market, swaps: Sequence[Swap], priced: frozenset[int], fixed: float) -> Program:
    legs = market.legs
    held: dict[int, int] = {}
    loans: dict[int, int] = {}
    for swap in swaps:
        a, b = int(legs.token_in[swap.leg]), int(legs.token_out[swap.leg])
        held[a] = held.get(a, 0) - swap.amount_in
        held[b] = held.get(b, 0) + swap.amount_out
        if a in priced and -held[a] > loans.get(a, 0):
            loans[a] = -held[a]
    return Program(tuple(swaps), loans, _net(legs, swaps, priced), fixed + _cost(market, swaps))


def _cost(market: Market, swaps: Iterable[Swap]) -> float:
    return float(sum(market.cost[swap.leg] for swap in swaps))


def _single(market: Market, candidate: Candidate, fixed: float) -> Program | None:
    """A cycle as a program; ``None`` where it uses a pool twice, or its amounts are not what the pools say."""
    legs, amounts = candidate.legs, candidate.amounts
    if len({int(market.legs.pool[leg]) for leg in legs}) < len(legs):
        return None
    swaps = [Swap(leg, *amounts[at : at + 2]) for at, leg in enumerate(legs)]
    try:
        exact = all(market.quote(swap.leg, swap.amount_in) == swap.amount_out for swap in swaps)
    except (UnknownState, NoLiquidity):
        return None
    base = frozenset((int(market.legs.token_in[legs[0]]),))
    return _program(market, swaps, base, fixed) if exact and amounts[-1] > amounts[0] else None


def _disjoint(
    market: Market, first: Iterable[Program], then: Iterable[Program], prices: Mapping[int, float]
) -> tuple[Program, ...]:
    """The programs of ``first`` that pay for their gas, and those of ``then``, best first, that share no pool with
    others."""
    chosen = []
    pools: set[int] = set()
    for group in (first, then):
        for program in sorted(group, key=lambda each: _worth((each,), prices), reverse=True):
            own = {int(market.legs.pool[swap.leg]) for swap in program.swaps}
            if _worth((program,), prices) > 0 and pools.isdisjoint(own):
                pools |= own
                chosen.append(program)
    return tuple(chosen)


def _worth(programs: Iterable[Program], prices: Mapping[int, float]) -> Fraction:
    """The value of their profits less that of their gas, without rounding."""
    total = Fraction(0)
    for program in programs:
        total += sum((Fraction(prices[token]) * profit for token, profit in program.profit.items()), Fraction(0))
        total -= Fraction(program.cost)
    return total
