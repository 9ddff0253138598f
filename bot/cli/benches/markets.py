"""Synthetic markets for benchmarks: a power law of tokens over a few hubs, at prices that all but agree."""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt

from bot.amm.pool import Pool
from bot.amm.tick_math import sqrt_ratio_at_tick
from bot.amm.ticks import TickLiquidity, TickMap
from bot.amm.v2 import V2Pool
from bot.amm.v3 import V3Pool
from bot.market.routing.solver import Legs

HUBS = 4
"""Tokens 0 to 3 stand for WETH, USDC, USDT, DAI: new pools go to them far more often than to others."""

_HUB_SHARE = 0.6  # of pools have a hub on one side
_HUB_ODDS = np.array([0.6, 0.2, 0.12, 0.08])
_BOTH_HUBS = 0.05  # of these, on both
_SPARSE_HUB_SHARE = 0.45  # the same of ``v2_pools``,
_SPARSE_BOTH_HUBS = 0.01
_POPULAR = 0.3  # and how often a token is chosen as often as it was before, not like any other
_NEW_TOKEN = 0.3  # of pools bring a token of their own
_NOISE = 0.01  # how far a pool's price is off at most
_SEGMENTED = 0.2  # of pools have concentrated liquidity
_POOL_VALUE = 50e18  # median, in wei of token 0
_FEES = np.array([0.0005, 0.003, 0.01])


def market(pools: int, seed: int) -> Legs:
    """``pools`` pools, two legs each, between about a third as many tokens. Token 0 is the one to trade from."""
    rng = np.random.default_rng(seed)
    pairs = _pairs(pools, rng)
    price = np.exp(rng.normal(0.0, 4.0, pairs.max() + 1))  # wei of token 0 for a unit of the token
    price[0] = 1.0
    value = _POOL_VALUE * np.exp(rng.normal(0.0, 1.5, pools))
    skew = np.exp(rng.uniform(-_NOISE, _NOISE, pools))
    reserve0 = value / price[pairs[:, 0]] * np.sqrt(skew)
    reserve1 = value / price[pairs[:, 1]] / np.sqrt(skew)
    segmented = rng.random(pools) < _SEGMENTED
    counts: list[int] = []
    rows: list[tuple[float, float, float, float]] = []
    for number in range(pools):
        keep = 1.0 - float(rng.choice(_FEES)) if segmented[number] else 0.997
        for x, y in ((reserve0[number], reserve1[number]), (reserve1[number], reserve0[number])):
            leg = _concentrated(x, y, keep, rng) if segmented[number] else [(x, y, keep, np.inf)]
            counts.append(len(leg))
            rows.extend(leg)
    flat = np.array(rows)
    count = np.array(counts, dtype=np.int64)
    both = np.empty((pools, 2, 2), dtype=np.int64)
    both[:, 0], both[:, 1] = pairs, pairs[:, ::-1]
    side = np.tile(np.array([0, 1]), pools)
    return Legs(
        token_in=both[:, :, 0].ravel(),
        token_out=both[:, :, 1].ravel(),
        pool=np.repeat(np.arange(pools), 2),
        i=side,
        j=1 - side,
        seg_start=np.cumsum(count) - count,
        seg_count=count,
        x=flat[:, 0].copy(),
        y=flat[:, 1].copy(),
        keep=flat[:, 2].copy(),
        capacity=flat[:, 3].copy(),
    )


def _pairs(pools: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Token pairs by preferential attachment: a token is chosen as often as it was before, a hub more often still."""
    ends = list(range(HUBS, HUBS + 4))  # every token of every pool so far, hubs left out
    tokens = HUBS + 4
    pairs = np.empty((pools, 2), dtype=np.int64)
    for number in range(pools):
        chance = rng.random()
        a = int(rng.choice(HUBS, p=_HUB_ODDS)) if chance < _HUB_SHARE else ends[rng.integers(len(ends))]
        b = a
        if rng.random() < _NEW_TOKEN:
            b, tokens = tokens, tokens + 1
        while b == a:
            either_hub = chance < _HUB_SHARE * _BOTH_HUBS
            b = int(rng.choice(HUBS, p=_HUB_ODDS)) if either_hub else ends[rng.integers(len(ends))]
        ends += [end for end in (a, b) if end >= HUBS]
        pairs[number] = a, b
    return pairs


def _concentrated(x: float, y: float, keep: float, rng: np.random.Generator) -> list[tuple[float, float, float, float]]:
    """Stretches of one leg outwards from the price y / x, ten times as deep as the reserves, each of its own
    liquidity and some 2 % of price wide."""
    liquidity, root = 10.0 * np.sqrt(x * y), np.sqrt(y / x)
    found = []
    for _ in range(int(rng.integers(3, 9))):
        depth = liquidity * float(np.exp(rng.normal(0.0, 0.5)))
        after = root * (1.0 - float(rng.uniform(0.005, 0.015)))
        found.append((depth / root, depth * root, keep, depth * (1.0 / after - 1.0 / root) / keep))
        root = after
    return found


def v2_pools(pools: int, seed: int, noise: float = 0.003) -> list[V2Pool]:
    """A market of constant-product pools, with prices that are off by ``noise`` at most: between blocks others leave no
    more than fees. Amounts have 18 decimals."""
    rng = np.random.default_rng(seed)
    pairs = _sparse_pairs(pools, rng)
    price = np.exp(rng.normal(0.0, 2.0, pairs.max() + 1))
    price[0] = 1.0
    root = np.sqrt(_POOL_VALUE) * np.exp(rng.normal(0.0, 0.75, pools))
    skew = np.exp(rng.uniform(-noise, noise, pools) / 2)
    return [
        V2Pool(
            f"0x{10**9 + number:040x}",
            f"0x{a + 1:040x}",
            f"0x{b + 1:040x}",
            int(root[number] ** 2 / price[a] * skew[number]),
            int(root[number] ** 2 / price[b] / skew[number]),
        )
        for number, (a, b) in enumerate(pairs.tolist())
    ]


def _sparse_pairs(pools: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Token pairs with fewer ways between popular tokens than ``_pairs`` has: at 10,000 pools some 20,000 cycles of up
    to three hops and 500,000 of up to four, as networkx counts them."""
    hub_odds = np.cumsum(_HUB_ODDS)
    ends: list[int] = []  # every token of every pool so far, hubs left out
    tokens = HUBS
    pairs = np.empty((pools, 2), dtype=np.int64)

    def hub() -> int:
        return int(np.searchsorted(hub_odds, rng.random() * hub_odds[-1]))

    def other() -> int:
        return ends[rng.integers(len(ends))] if rng.random() < _POPULAR else int(rng.integers(HUBS, tokens))

    for number in range(pools):
        if tokens < HUBS + 4 or rng.random() < _NEW_TOKEN:
            b, tokens = tokens, tokens + 1
        else:
            b = hub() if rng.random() < _SPARSE_BOTH_HUBS else other()
        a = hub() if len(ends) < 4 or rng.random() < _SPARSE_HUB_SHARE else other()
        while a == b:
            b = other()
        ends += [end for end in (a, b) if end >= HUBS]
        pairs[number] = a, b
    return pairs


def mixed_pools(count: int) -> list[Pool]:
    """Four fifths v2 pairs, one fifth v3 pools with some 40 ticks each, as a market file holds them."""
    dice = random.Random(5)
    tokens = [f"0x{dice.getrandbits(160):040x}" for _ in range(count // 5)]
    found: list[Pool] = []
    for number in range(count):
        token0, token1 = sorted((dice.choice(tokens[:5]), tokens[5 + dice.randrange(len(tokens) - 5)]))
        pool = f"0x{dice.getrandbits(160):040x}"
        if number % 5:
            reserves = dice.randrange(10**17, 10**24), dice.randrange(10**17, 10**24)
            found.append(V2Pool(pool, token0, token1, *reserves, 997_000, 1_000_000))
            continue
        tick, active, edges = dice.randrange(-100_000, 100_000), 0, dict[int, TickLiquidity]()
        for _ in range(20):
            lower = (tick + dice.randrange(-9_000, 8_000)) // 60 * 60
            upper, amount = lower + 60 * dice.randint(1, 100), dice.randrange(10**18, 10**24)
            for edge, net in ((lower, amount), (upper, -amount)):
                before = edges.get(edge, TickLiquidity(0, 0))
                edges[edge] = TickLiquidity(before.gross + amount, before.net + net)
            active += amount if lower <= tick < upper else 0
        edges = {edge: value for edge, value in edges.items() if value.gross}
        words = dict.fromkeys(range((tick - 10_000) // 60 >> 8, ((tick + 10_000) // 60 >> 8) + 1), 0)
        for edge in edges:
            words[edge // 60 >> 8] = words.get(edge // 60 >> 8, 0) | 1 << (edge // 60 & 255)
        fixed = pool, token0, token1, 3_000, 60
        found.append(V3Pool(*fixed, sqrt_ratio_at_tick(tick), tick, active, TickMap(60, words, edges)))
    return found
