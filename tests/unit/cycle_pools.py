"""Random cycles through pools of every class, of tokens with 6, 8 and 18 decimals, that gain by a few per cent."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from math import log, sqrt

from bot.amm.balancer.fixed_point import ONE
from bot.amm.balancer.stable import FIXED, Amp, StablePool
from bot.amm.balancer.vault import VAULT, Holdings
from bot.amm.balancer.weighted import WeightedPool
from bot.amm.curve import crypto_math as curve_crypto_math
from bot.amm.curve.crypto import CryptoPool
from bot.amm.curve.crypto_layouts import GENERATION as CRYPTO
from bot.amm.curve.generations import GENERATIONS as STABLE
from bot.amm.curve.stable import CurveStablePool
from bot.amm.curve.state import StableState
from bot.amm.pool import Pool
from bot.amm.solidly import Place, SolidlyPool
from bot.amm.tick_math import sqrt_ratio_at_tick
from bot.amm.ticks import TickLiquidity, TickMap
from bot.amm.v2 import V2Pool
from bot.amm.v3 import V3Pool
from bot.amm.v4 import V4Pool, pool_id
from bot.market.view import Legs

DOLLAR = 1 / 2200
TOKENS = {  # decimals, and what a whole token is worth in whole WETH
    "weth": (18, 1.0),
    "steth": (18, 1.0),
    "usdc": (6, DOLLAR),
    "usdt": (6, DOLLAR),
    "dai": (18, DOLLAR),
    "wbtc": (8, 69_000 * DOLLAR),
    "uni": (18, 7 * DOLLAR),
    "dust": (8, 1e-6 * DOLLAR),
}
ADDRESS = {name: f"0x{number:040x}" for number, name in enumerate(TOKENS, 1)}
WETH = ADDRESS["weth"]
SKEW = 0.03  # by how much a pool pays too well at most
NOBODY = "0x" + "00" * 20
MANAGER = "0x" + "44" * 20

Sides = tuple[str, str, float, float]
"""Token in, token out, and what a pool holds of them, in their units."""


def cycle(rng: random.Random) -> Legs:
    """From WETH back to it."""
    others = [name for name in TOKENS if name != "weth"]
    names = ["weth", *rng.sample(others, rng.choice((1, 2, 2, 2, 3))), "weth"]
    legs = []
    for number, (a, b) in enumerate(pairwise(names)):
        pool = _pool(rng, number, a, b)
        legs.append((pool, pool.tokens.index(ADDRESS[a]), pool.tokens.index(ADDRESS[b])))
    return legs


def _pool(rng: random.Random, number: int, a: str, b: str) -> Pool:
    make: list[Callable[[random.Random, str, Sides], Pool]] = [_v2, _v2, _v3, _v3, _v4, _solidly, _weighted]
    if TOKENS[a][1] == TOKENS[b][1]:
        make += [_solidly_stable, _balancer_stable, _curve_stable]
    if {a, b} <= {"weth", "usdc", "wbtc"}:
        make += [_crypto]
    worth = 10 ** rng.uniform(0.5, 4.5)  # WETH on either side
    better = rng.uniform(0.0, SKEW) + 0.004
    held = [worth / TOKENS[name][1] * 10 ** TOKENS[name][0] for name in (a, b)]
    return rng.choice(make)(rng, f"0x{0xF000 + number:040x}", (ADDRESS[a], ADDRESS[b], held[0], held[1] * (1 + better)))


def _ordered(sides: Sides) -> Sides:
    a, b, x, y = sides
    return sides if int(a, 16) < int(b, 16) else (b, a, y, x)


def _v2(rng: random.Random, at: str, sides: Sides) -> Pool:
    a, b, x, y = _ordered(sides)
    return V2Pool(at, a, b, int(x), int(y), *rng.choice(((997, 1000), (9975, 10_000), (998, 1000))))


def _ticks(rng: random.Random, x: float, y: float) -> tuple[int, int, int, int, TickMap]:
    """Price, tick, liquidity in range, spacing and the ticks of some positions around it."""
    spacing = rng.choice((10, 60, 200))
    tick = round(log(y / x, 1.0001))
    around = tick // spacing
    edges: dict[int, TickLiquidity] = {}
    active = 0
    for _ in range(rng.randint(1, 6)):
        lower = (around - rng.randint(1, 400)) * spacing
        upper = (around + rng.randint(1, 400)) * spacing
        amount = int(sqrt(x * y) * rng.uniform(0.5, 8)) + 1
        active += amount
        for edge, net in ((lower, amount), (upper, -amount)):
            before = edges.get(edge, TickLiquidity(0, 0))
            edges[edge] = TickLiquidity(before.gross + amount, before.net + net)
    return sqrt_ratio_at_tick(tick), tick, active, spacing, TickMap.complete(spacing, edges)


def _v3(rng: random.Random, at: str, sides: Sides) -> Pool:
    a, b, x, y = _ordered(sides)
    price, tick, liquidity, spacing, ticks = _ticks(rng, x, y)
    return V3Pool(at, a, b, rng.choice((100, 500, 3000)), spacing, price, tick, liquidity, ticks)


def _v4(rng: random.Random, at: str, sides: Sides) -> Pool:
    a, b, x, y = _ordered(sides)
    price, tick, liquidity, spacing, ticks = _ticks(rng, x, y)
    fee = rng.choice((100, 500, 3000))
    key = pool_id(a, b, fee, spacing, NOBODY)
    protocol = rng.choice((0, 100 << 12 | 50))
    return V4Pool(key, MANAGER, a, b, fee, spacing, NOBODY, price, tick, liquidity, ticks, fee, protocol)


def _solidly(rng: random.Random, at: str, sides: Sides, stable: bool = False) -> Pool:
    a, b, x, y = _ordered(sides)
    units = [10 ** TOKENS[name][0] for token in (a, b) for name in TOKENS if ADDRESS[name] == token]
    return SolidlyPool(at, a, b, int(x), int(y), rng.choice((100, 500, 3000)), stable, *units, Place(8, True))


def _solidly_stable(rng: random.Random, at: str, sides: Sides) -> Pool:
    a, b, x, y = sides
    return _solidly(rng, at, (a, b, x, y * rng.uniform(1.2, 2.5)), stable=True)


def _weighted(rng: random.Random, at: str, sides: Sides) -> Pool:
    a, b, x, y = sides
    weight = rng.choice((ONE // 2, ONE // 5, ONE * 4 // 5, ONE // 3))
    balances = int(x * weight / ONE), int(y * (ONE - weight) / ONE)
    scaling = tuple(10**18 // unit for unit in _units(a, b))
    holdings = Holdings(VAULT, f"{at}0002{'00' * 9}07", (a, b), balances, (0, 0))
    return WeightedPool(holdings, (weight, ONE - weight), scaling, rng.choice((10**14, 10**15, 3 * 10**15)), True)


def _balancer_stable(rng: random.Random, at: str, sides: Sides) -> Pool:
    a, b, x, y = sides
    amp = rng.randint(50, 2000) * 1000
    balances = int(x), int(y * rng.uniform(1.5, 4))
    holdings = Holdings(VAULT, f"{at}0000{'00' * 9}07", (a, b), balances, (0, 0))
    scaling = tuple(10**18 // unit for unit in _units(a, b))
    return StablePool(holdings, scaling, 10**14, Amp(amp, amp, 0, 0), (FIXED, FIXED), rng.random() < 0.5, 1, False)


def _curve_stable(rng: random.Random, at: str, sides: Sides) -> Pool:
    a, b, x, y = sides
    kind = STABLE[rng.choice(("stable-ema", "stable-ng"))]
    rates = tuple(10**36 // unit for unit in _units(a, b))
    balances = int(x), int(y * rng.uniform(1.5, 4))
    fee = rng.choice((1_000_000, 4_000_000))
    state = StableState(kind.name, balances, rates, rng.randint(50, 2000) * kind.a_precision, fee, 5 * 10**9)
    return CurveStablePool(at, (a, b), state)


def _crypto(rng: random.Random, at: str, sides: Sides) -> Pool:
    """USDC, WBTC and WETH."""
    generation = CRYPTO["tricrypto-ng"]
    a, b, x, y = sides
    tokens = tuple(ADDRESS[name] for name in ("usdc", "wbtc", "weth"))
    held = {a: x, b: y}
    worth = x / _units(a)[0] * next(value for name, (_, value) in TOKENS.items() if ADDRESS[name] == a)
    balances = tuple(
        int(held.get(ADDRESS[name], worth / TOKENS[name][1] * 10 ** TOKENS[name][0]))
        for name in ("usdc", "wbtc", "weth")
    )
    ann, gamma, scale = 1_707_629, 11_809_167_828_997, (69_000 * ONE, 2_200 * ONE)
    xp = balances[0] * 10**12, balances[1] * 10**10 * scale[0] // ONE, balances[2] * scale[1] // ONE
    d = curve_crypto_math.newton_d(generation.limits, ann, gamma, xp)
    parts = d // 3, d * ONE // (3 * scale[0]), d * ONE // (3 * scale[1])
    return CryptoPool(
        id=at,
        tokens=tokens,
        generation=generation.name,
        lp_token=at,
        precisions=(10**12, 10**10, 1),
        time=1_700_000_000,
        balances=balances,
        d=d,
        price_scale=scale,
        oracle=scale,
        last_prices=scale,
        last_time=1_700_000_000 - 24,
        a_gamma=ann << 128 | gamma,
        ramp_to=0,
        mid_fee=rng.choice((1_000_000, 3_000_000)),
        out_fee=30_000_000,
        fee_gamma=500_000_000_000_000,
        step=490_000_000_000_000,
        ma_time=865,
        xcp_profit=ONE,
        virtual_price=ONE - 10**6,
        supply=curve_crypto_math.geometric_mean(*curve_crypto_math.high_to_low(parts)),
        extra_profit=2 * 10**12,
    )


def _units(*tokens: str) -> tuple[int, ...]:
    """A whole token, in its units."""
    by_address = {ADDRESS[name]: 10**decimals for name, (decimals, _) in TOKENS.items()}
    return tuple(by_address[token] for token in tokens)
