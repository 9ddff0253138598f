"""The refined amounts against every other near them: none gains more, on cycles through pools of every class."""

from __future__ import annotations

import os
import random
from collections import Counter
from math import inf

import numpy as np
import pytest
from cycle_pools import WETH, cycle

from bot.amm.pool import NoLiquidity, UnknownState
from bot.market import refine
from bot.market.kernels import MAX_HOPS, NONE
from bot.market.market import Market
from bot.market.view import Legs

CYCLES = 1_000 if os.environ.get("MEV_VERIFY") else 30
AROUND = 200
PREMIUM = 500


def gain(amounts: tuple[int, ...] | None, premium: int) -> float:
    return -inf if amounts is None else amounts[-1] - amounts[0] - refine.fee(amounts[0], premium)


def inputs_for(legs: Legs, amount_out: int) -> range:
    """What the pools ask for ``amount_out``, and the few below it: what v3 asks may be a unit or two too much."""
    try:
        for pool, i, j in reversed(legs):
            amount_out = pool.quote_out(i, j, amount_out)
    except (UnknownState, NoLiquidity):
        return range(0)
    return range(max(1, amount_out - 4), amount_out + 1)


def best_by_trying(legs: Legs, around: tuple[int, ...], premium: int) -> float:
    """Over all inputs this near, and all of the coarsest amount this near. Not the latter where a pool before it gives
    in uneven steps (Balancer, Curve): a lesser input can bring more there, so there is no telling which is the one."""
    inputs = set(range(max(1, around[0] - AROUND), around[0] + AROUND + 1))
    coarse = around.index(min(around[:-1]))
    if all(type(pool) in refine.EVEN for pool, _, _ in legs[:coarse]):
        for candidate in range(max(1, around[coarse] - AROUND), around[coarse] + AROUND + 1):
            inputs.update(inputs_for(legs[:coarse], candidate))
    return max(gain(refine.quote(legs, amount), premium) for amount in inputs)


def size_of(legs: Legs, premium: int) -> tuple[float, float]:
    """The float optimum and its spread."""
    market = Market([WETH], MAX_HOPS)
    market.add(pool for pool, _, _ in legs)
    graph = market.graph
    row = [next(leg for leg in graph.legs(graph.slots[pool.id]) if graph.ends[leg] == (i, j)) for pool, i, j in legs]
    market.arrays.open_cycles()
    rows = np.array([row + [NONE] * (MAX_HOPS - len(row))], np.int32)
    sizes = market.arrays.sizes(rows, market.view.at, premium / refine.MILLION)
    return float(sizes.amounts[0]), float(sizes.spreads[0])


def test_nothing_near_gains_more(record_property: pytest.RecordProperty) -> None:
    kinds: Counter[str] = Counter()
    gained = 0
    for seed in range(CYCLES):
        rng = random.Random(seed)
        legs, premium = cycle(rng), rng.choice((0, 0, PREMIUM))
        size, spread = size_of(legs, premium)
        found = refine.refine(legs, size, spread, premium) if size else None
        if found is None:
            continue
        gained += 1
        kinds.update(type(pool).__name__ for pool, _, _ in legs)
        assert refine.quote(legs, found[0]) == found
        assert gain(found, premium) >= best_by_trying(legs, found, premium), seed
    record_property("cycles", gained)
    record_property("pools", dict(kinds))
    assert gained > CYCLES // 2
