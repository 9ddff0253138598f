"""WeightedPool and StablePool against the deployed Vault and pools: every quote equal, every refusal shared."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
from balancer_evm import OWNER, VERSIONS, BalancerWorld, Reverted
from balancer_pools import NOBODY, BalancerPool, make, refill, step

from bot import abi
from bot.amm.balancer.stable import AMP_SLOT, Amp, StablePool
from bot.amm.balancer.vault import BALANCE_CHANGED
from bot.amm.balancer.weighted import WeightedPool
from bot.amm.pool import NoLiquidity
from bot.devnet.place import calldata
from bot.engine.types import AccountDiff

VERIFY = os.environ.get("MEV_VERIFY") == "1"
POOLS = 35 if VERIFY else 2
FILLS, SWAPS_A_FILL = (15, 20) if VERIFY else (4, 8)


def size_of(dice: random.Random, pool: BalancerPool, i: int, j: int, given_out: bool) -> int:
    """Dust, a share of what the pool holds, or anything."""
    totals, places = pool.holdings.totals, pool.holdings.tokens.index
    held = totals[places(pool.tokens[j if given_out else i])]
    kind = dice.randrange(8)
    if kind == 0:
        return dice.randint(1, 10)
    if kind == 1:
        return dice.choice((held * 3 // 10, held * 3 // 10 + 1, held, held + 1, 2**112 - held, 2**112 - held + 1)) or 1
    if kind == 2:
        return dice.randint(1, 2 ** dice.randint(1, 200))
    return int(held * 10 ** dice.uniform(-9, -0.3)) or 1


def check_swap(world: BalancerWorld, pool: BalancerPool, dice: random.Random) -> BalancerPool | None:
    """The pool after a random swap on which quote and Vault agree; None where both refuse."""
    i, j = dice.sample(range(len(pool.tokens)), 2)
    given_out = dice.random() < 0.4
    size = size_of(dice, pool, i, j, given_out)
    quote: int | None
    try:
        quote = (pool.given_out if given_out else pool.quote_in)(i, j, size)
    except NoLiquidity:
        quote = None
    try:
        real, logs = world.swap(pool.id, given_out, pool.tokens[i], pool.tokens[j], size)
    except Reverted:
        assert quote is None, (pool, i, j, given_out, size)
        return None
    if quote is None:  # the Vault gives nothing, or takes nothing, where a balance is nothing
        assert real == 0 and 0 in pool.holdings.totals and isinstance(pool, WeightedPool)
    else:
        assert quote == real, (pool, i, j, given_out, size)
    for log in logs:
        pool = pool.apply(log)
    return pool


def enough_comes(pool: BalancerPool, dice: random.Random) -> bool:
    """Whether quote_out has an answer to a random question; it has to yield what was asked for."""
    i, j = dice.sample(range(len(pool.tokens)), 2)
    wanted = size_of(dice, pool, i, j, True)
    try:
        asked = pool.quote_out(i, j, wanted)
    except NoLiquidity:
        return False
    assert asked >= pool.given_out(i, j, wanted) and pool.quote_in(i, j, asked) >= wanted
    return True


@pytest.mark.parametrize("version", VERSIONS)
def test_every_swap_equals_the_bytecode(version: str, record_property: Callable[[str, object], None]) -> None:
    done = filled = enough = 0
    for seed in range(POOLS):
        dice = random.Random(f"{version} {seed}")
        world = BalancerWorld()
        made = make(world, dice, version)
        for _ in range(FILLS):
            step(world, dice, made)
            pool = refill(world, dice, made)
            for _ in range(SWAPS_A_FILL):
                after = check_swap(world, pool, dice)
                done += 1
                enough += enough_comes(pool, dice)
                if after is not None:
                    filled, pool = filled + 1, after
            assert world.stored(pool.id) == world.told(pool.id) == pool.holdings
            made.pool = pool
    record_property("swaps, of which filled, 0 differences; inputs found for outputs", f"{done}, {filled}, {enough}")
    assert filled > done // 4 and enough > done // 4


@pytest.mark.parametrize("version", VERSIONS)
def test_fee_and_amplification_are_followed(version: str) -> None:
    """By the pool's own logs, and by its storage."""
    dice = random.Random(version)
    world = BalancerWorld()
    made = make(world, dice, version)
    told = stored = made.pool
    changes = [calldata("setSwapFeePercentage(uint256)", 7 * 10**15)]
    if isinstance(told, StablePool):
        amp = told.amp.end // 1000
        end = 2 if amp == 1 else amp - 1
        changes.append(calldata("startAmplificationParameterUpdate(uint256,uint256)", end, world.time + 200_000))
    for data in changes:
        world.send(OWNER, told.contract, data)
        for log in world.logs():
            told = told.apply(log)
        slots = {slot: int(world.evm.storage(told.contract, slot)) for slot in told.slots()[told.contract]}
        stored = stored.apply_diff({told.contract: AccountDiff(slots=slots)})
    assert told == stored and told.fee == 7 * 10**15
    made.pool = told
    for _ in range(6):
        step(world, dice, made)
        pool = refill(world, dice, made)
        for _ in range(6):
            made.pool = pool = check_swap(world, pool, dice) or pool


def test_an_amplification_that_moves_up_and_down() -> None:
    for end in (2, 4000):
        world = BalancerWorld()
        tokens = [world.token(18), world.token(6), world.token(18)]
        pool_id = world.stable("stable-v1", tokens, 3, 10**15, [NOBODY] * 3, 0)
        start = world.time
        until = start + (86_400 if end == 2 else 86_400 * 700)
        world.send(OWNER, pool_id[:42], calldata("startAmplificationParameterUpdate(uint256,uint256)", end, until))
        amp = Amp.of(int(world.evm.storage(pool_id[:42], AMP_SLOT)))
        for share in (0, 1, 500, 999, 1000, 2000):
            world.at(start + (until - start) * share // 1000)
            answer = world.send(OWNER, pool_id[:42], abi.call("getAmplificationParameter()"))
            assert abi.uint(answer) == amp.at(world.time), share


@pytest.mark.parametrize("version", VERSIONS)
def test_joins_and_managers_are_followed(version: str) -> None:
    """The first join of a pool, by the Vault's log."""
    dice = random.Random(version)
    world = BalancerWorld()
    made = make(world, dice, version)
    pool, tokens = made.pool, made.pool.holdings.tokens
    amounts = [10 ** (made.decimals.get(token, 18) + 3) for token in tokens]
    init = calldata("x(uint256,uint256[])", 0, amounts)[4:]
    most = [2**255] * len(tokens)
    join = calldata(
        "joinPool(bytes32,address,address,(address[],uint256[],bytes,bool))",
        *(abi.to_bytes(pool.id), OWNER, OWNER, (tokens, most, init, False)),
    )
    world.send(OWNER, world.vault, join)
    logs = world.logs()
    assert any(log.topics[0] == BALANCE_CHANGED for log in logs)
    for log in logs:
        pool = pool.apply(log)
    assert pool.holdings == world.told(pool.id) != made.pool.holdings
    slots = {slot: int(world.evm.storage(world.vault, slot)) for slot in pool.slots()[world.vault]}
    assert made.pool.apply_diff({world.vault: AccountDiff(slots=slots)}).holdings == pool.holdings
    assert pool.apply_diff({world.vault: AccountDiff(slots={12345: 6})}) is pool
