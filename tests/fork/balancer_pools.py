"""Random Balancer pools in an EVM, beside the values that quote them."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from balancer_evm import VERSIONS, BalancerWorld

from bot.amm.balancer.fixed_point import ONE
from bot.amm.balancer.stable import AMP_SLOT, FIXED, Amp, Rate, StablePool
from bot.amm.balancer.vault import unread
from bot.amm.balancer.weighted import FEE_FIELDS, WeightedPool

BalancerPool = WeightedPool | StablePool
NOBODY = "0x" + "00" * 20
FEE_KEPT = dict.fromkeys(VERSIONS, "packed") | {
    "weighted-v1": "weighted-2021",
    "weighted-2tokens": "two-tokens-2021",
    "stable-v1": "stable-2021",
}
DECIMALS = (18, 18, 18, 6, 8, 0, 2)


@dataclass
class Made:
    """A pool, what its tokens' decimals are, and its rate providers, the zero address for none."""

    pool: BalancerPool
    decimals: dict[str, int]
    providers: tuple[str, ...]


def make(world: BalancerWorld, dice: random.Random, version: str) -> Made:
    """A new pool, still empty."""
    most = {"weighted-2tokens": 2, "meta": 2, "weighted-v1": 8, "weighted-v2": 8, "weighted-v3": 8}.get(version, 4)
    decimals = {world.token(places): places for places in dice.choices(DECIMALS, k=dice.randint(2, most))}
    fee = dice.choice((10**12, 10**17, dice.randint(10**12, 10**17), 4 * 10**14))
    make_one = _weighted if VERSIONS[version].weighted else _stable
    return make_one(world, dice, version, decimals, fee)


def _weighted(world: BalancerWorld, dice: random.Random, version: str, decimals: dict[str, int], fee: int) -> Made:
    tokens = list(decimals)
    weights = random_weights(dice, len(tokens))
    pool_id = world.weighted(version, tokens, weights, fee)
    scaling = tuple(10 ** (18 - places) for places in decimals.values())
    holdings = unread(world.vault, pool_id, world.registered(pool_id))
    shortcuts = VERSIONS[version].modern
    return Made(WeightedPool(holdings, weights, scaling, fee, shortcuts, FEE_FIELDS[FEE_KEPT[version]]), decimals, ())


def random_weights(dice: random.Random, n: int) -> tuple[int, ...]:
    """Equal ones, round ones, or any above 1 %, that sum to one."""
    kind = dice.randrange(4)
    if kind == 0:
        first = [ONE // n] * (n - 1)
    elif kind == 1 and n == 2:
        first = [dice.choice((ONE // 5, ONE * 4 // 5, ONE // 3, ONE * 2 // 3, ONE // 100))]
    else:
        parts = [dice.randint(1, 100) ** dice.randint(1, 2) for _ in range(n)]
        first = [ONE // 100 + (ONE - n * ONE // 100) * part // sum(parts) for part in parts[:-1]]
    return (*first, ONE - sum(first))


def _stable(world: BalancerWorld, dice: random.Random, version: str, decimals: dict[str, int], fee: int) -> Made:
    tokens, modern = list(decimals), VERSIONS[version].modern
    rated = version not in ("stable-v1", "stable-v2")
    rates = [dice.choice((0, 0, ONE, random_rate(dice))) if rated else 0 for _ in tokens]
    providers = tuple(world.provider(rate) if rate else NOBODY for rate in rates)
    amp, duration = dice.choice((1, 5000, dice.randint(1, 5000))), dice.choice((0, 600))
    pool_id = world.stable(version, tokens, amp, fee, providers, duration)
    holdings = unread(world.vault, pool_id, world.registered(pool_id))
    values = tuple(Rate(rate, world.time + duration, rate, duration) if rate else FIXED for rate in rates)
    scaling = tuple(10 ** (18 - places) for places in decimals.values())
    ramp = Amp(amp * 1000, amp * 1000, world.time, world.time)
    late = version == "phantom"
    fixed = not modern, world.time, late, FEE_FIELDS[FEE_KEPT[version]], AMP_SLOT
    return Made(StablePool(holdings, scaling, fee, ramp, values, *fixed), decimals, providers)


def random_rate(dice: random.Random) -> int:
    return dice.choice((dice.randint(ONE, 2 * ONE), dice.randint(ONE // 3000, ONE), dice.randint(1, 50 * ONE)))


def refill(world: BalancerWorld, dice: random.Random, made: Made) -> BalancerPool:
    """The pool with new balances, of like or of wildly different size, some of them out with a manager."""
    size, spread = 10 ** dice.uniform(-3, 12), dice.choice((0.02, 0.3, 3))
    balances: dict[str, tuple[int, int]] = {}
    for token in made.pool.holdings.tokens:
        amount = int(size * 10 ** dice.gauss(0, spread) * 10 ** made.decimals.get(token, 18))
        amount = min(max(amount, dice.choice((0, 1, 1000))), 2**112 - 1)
        managed = dice.choice((0, 0, 0, 0, 0, amount // 2, amount))
        balances[token] = amount - managed, managed
    holdings = world.fill(made.pool.id, balances)
    return made.pool._holding(holdings)


def step(world: BalancerWorld, dice: random.Random, made: Made) -> None:
    """Time passes, providers tell other rates."""
    pool, seconds = made.pool, dice.choice((12, 12, 700))
    world.at(world.time + seconds)
    if isinstance(pool, StablePool):
        rates = list(pool.rates)
        for index, provider in enumerate(made.providers):
            if provider != NOBODY and dice.random() < 0.5:
                rates[index] = rates[index]._replace(fresh=random_rate(dice))
                world.set_rate(provider, rates[index].fresh)
        made.pool = replace(pool, rates=tuple(rates), timestamp=world.time)
