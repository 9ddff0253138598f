"""Which legs a solution over the whole market should do without: what cannot be executed, what does not pay its gas."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bot.market.kernels import Floats
from bot.market.routing.dual import Bools
from bot.market.routing.solver import Flow, Legs

_SPENT = 1e-3  # of a leg's flow: a path that leaves less of it takes the rest
_AT_ONCE = 2  # one in so many of the paths that do not pay is dropped in a round
_OWN = 0.99  # of a leg's flow: the path that has as much owns it


def drop_conflicts(legs: Legs, flow: Flow, on: Bools, ends: frozenset[int]) -> bool:
    """Switches off all but the best leg of each pool, and the leg of least value in each cycle that meets none of
    ``ends``: nothing could begin there. Returns whether there was any."""
    used = np.flatnonzero(flow.amount_in > 0)
    best: dict[int, int] = {}
    for leg in used[np.argsort(-flow.gain[used], kind="stable")]:
        best.setdefault(int(legs.pool[leg]), int(leg))
    kept = set(best.values())
    lost = [int(leg) for leg in used if int(leg) not in kept]
    lost += _weakest(legs, flow, [int(leg) for leg in used if int(leg) in kept], ends)
    on[lost] = False
    return bool(lost)


def _weakest(legs: Legs, flow: Flow, used: list[int], ends: frozenset[int]) -> list[int]:
    """The weakest legs of cycles, one cycle after the other, until there is none."""
    leaving: dict[int, list[int]] = {}
    for leg in used:
        if int(legs.token_in[leg]) not in ends and int(legs.token_out[leg]) not in ends:
            leaving.setdefault(int(legs.token_in[leg]), []).append(leg)
    dropped: list[int] = []
    done: set[int] = set()
    for start in list(leaving):
        path: list[int] = []  # legs from start on; depth first
        tokens = [start]
        while tokens:
            token = tokens[-1]
            following = next((leg for leg in leaving.get(token, ()) if int(legs.token_out[leg]) not in done), None)
            if following is None:
                done.add(tokens.pop())
                del path[-1:]
                continue
            to = int(legs.token_out[following])
            if to not in tokens:
                path.append(following)
                tokens.append(to)
                continue
            at = tokens.index(to)
            weakest = min([*path[at:], following], key=lambda leg: float(flow.value_in[leg]))
            leaving[int(legs.token_in[weakest])].remove(weakest)
            dropped.append(weakest)
            if weakest != following:
                cut = path.index(weakest)
                del path[cut:], tokens[cut + 1 :]
    return dropped


class _Path(NamedTuple):
    """A path between two of the ends: its gain, its share of its legs' gas, and the legs that are its alone."""

    net: float
    own: list[int]


def drop_dear(legs: Legs, cost: Floats, flow: Flow, on: Bools, ends: frozenset[int]) -> bool:
    """Switches off what belongs only to paths that gain less than their gas, the worst of them. Returns whether there
    was any."""
    if not cost.any():
        return False
    bad = [path for path in _paths(legs, cost, flow, ends) if path.net < 0 and path.own]
    bad.sort(key=lambda path: path.net)
    for path in bad[: -(-len(bad) // _AT_ONCE)]:
        on[path.own] = False
    return bool(bad)


def _paths(legs: Legs, cost: Floats, flow: Flow, ends: frozenset[int]) -> list[_Path]:
    """The flow taken apart, each path along the strongest legs; a leg's gain and gas go by the share of its flow."""
    used = [int(leg) for leg in np.flatnonzero(flow.amount_in > 0)]
    left = dict.fromkeys(used, 1.0)
    value = {leg: float(flow.value_in[leg] + 0.5 * flow.gain[leg]) for leg in used}
    arriving: dict[int, list[int]] = {}
    leaving: dict[int, list[int]] = {}
    used.sort(key=lambda leg: value[leg])
    for leg in used:
        leaving.setdefault(int(legs.token_in[leg]), []).append(leg)
        arriving.setdefault(int(legs.token_out[leg]), []).append(leg)
    found = []
    for seed in used:
        while left[seed] > 0.0:
            path = [seed]
            for start, choices, onwards in ((seed, leaving, True), (seed, arriving, False)):
                leg = start
                while True:
                    token = int(legs.token_out[leg] if onwards else legs.token_in[leg])
                    more = choices.get(token, [])
                    while more and left[more[-1]] <= 0.0:
                        more.pop()
                    if token in ends or not more:
                        break
                    leg = more[-1]
                    path.append(leg)
            amount = min(left[leg] * value[leg] for leg in path)
            net, own = 0.0, []
            for leg in path:
                share = min(left[leg], amount / value[leg]) if value[leg] > 0.0 else left[leg]
                if left[leg] - share < _SPENT:
                    share = left[leg]
                left[leg] -= share
                net += share * (float(flow.gain[leg]) - float(cost[leg]))
                if share > _OWN:
                    own.append(leg)
            found.append(_Path(net, own))
    return found


def parts(legs: Legs, flow: Flow, priced: frozenset[int]) -> list[list[int]]:
    """The legs in use, by what hangs together over tokens that are not priced; parts that are short of a priced token
    are put together with the others that trade it."""
    root = list(range(legs.tokens))

    def find(token: int) -> int:
        while root[token] != token:
            root[token] = root[root[token]]
            token = root[token]
        return token

    used = np.flatnonzero(flow.amount_in > 0)
    ends = list(zip(used.tolist(), legs.token_in[used].tolist(), legs.token_out[used].tolist(), strict=True))
    for _, a, b in ends:
        if a not in priced and b not in priced:
            root[find(a)] = find(b)
    by_root: dict[object, list[int]] = {}
    for leg, a, b in ends:
        key: object = find(a) if a not in priced else find(b) if b not in priced else (min(a, b), max(a, b))
        by_root.setdefault(key, []).append(leg)
    found = list(by_root.values())
    for token in sorted(priced) if len(priced) > 1 else ():
        left = [_left(legs, flow, part, token) for part in found]
        if any(amount is not None and amount < 0 for amount in left):
            trading = [leg for part, amount in zip(found, left, strict=True) if amount is not None for leg in part]
            found = [part for part, amount in zip(found, left, strict=True) if amount is None] + [trading]
    return found


def _left(legs: Legs, flow: Flow, part: list[int], token: int) -> float | None:
    """What a part leaves of a token; None where it does not trade it."""
    gives = [leg for leg in part if legs.token_out[leg] == token]
    takes = [leg for leg in part if legs.token_in[leg] == token]
    if not gives and not takes:
        return None
    return float(flow.amount_out[gives].sum() - flow.amount_in[takes].sum())
