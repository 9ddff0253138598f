"""Encoder and executor together against real pools: what a program promises is what the executor gains, to the wei."""

from __future__ import annotations

import itertools
import random

import pytest
from executor_evm import BLOCK, COINBASE, ETHER, OWNER, ExecutorWorld, Reverted, trade_through

from bot.engine.types import Trade
from bot.execution.program import Capital, encode, plan

KINDS = [kinds for hops in (2, 3, 4) for kinds in itertools.product(("v2", "v3"), repeat=hops)]


def profitable(world: ExecutorWorld, kinds: tuple[str, ...], dice: random.Random, first: int = 0) -> Trade:
    """A cycle through new pools of these kinds that ends with more than it began, beginning in token ``first``."""
    names = [*(range(first, first + len(kinds))), first]
    tokens = [world.tokens[name % len(world.tokens)] for name in names]
    before = world.evm.evm.snapshot()
    for _ in range(64):
        numbers = itertools.count()
        pools = [
            world.pool(kind, a, b, dice, next(numbers) if len(kinds) == 2 else 0)
            for kind, a, b in zip(kinds, tokens, tokens[1:], strict=False)
        ]
        trade = trade_through(pools, tokens, dice.randint(1, 100) * ETHER)
        if trade.gross_profit > ETHER // 1_000:
            return trade
        world.evm.evm.revert(before)
        before = world.evm.evm.snapshot()
    raise AssertionError("no profitable cycle in 64")


@pytest.mark.parametrize("kinds", KINDS, ids="-".join)
def test_realised_is_predicted(kinds: tuple[str, ...]) -> None:
    dice = random.Random("-".join(kinds))
    world = ExecutorWorld()
    trade = profitable(world, kinds, dice)
    state = world.evm.evm.snapshot()
    plans = [(Capital.NESTED, anchor) for anchor in (None, *range(len(kinds)))]
    plans += [(Capital.V2_FLASH, None)] if "v2" in kinds else []
    for capital, anchor in [*plans, (Capital.OWN, None)]:
        held = trade.amounts[0] if capital is Capital.OWN else 0
        if held:
            world.fund(world.weth, held)
        bid = trade.gross_profit // 3
        steps = plan(trade, capital, anchor=anchor, weth=world.weth)
        promised = trade.gross_profit - bid

        greedy = encode(steps, token=world.weth, bid=bid, min_profit=promised + 1, weth=world.weth)
        with pytest.raises(Reverted):
            world.evm.send(OWNER, world.executor, greedy)
        program = encode(
            steps, token=world.weth, bid=bid, min_profit=promised, deadline=BLOCK, weth=world.weth
        )
        paid_before = world.evm.evm.get_balance(COINBASE)
        world.evm.send(OWNER, world.executor, program)

        assert world.balance(world.weth, world.executor) - held == promised, (capital, anchor)
        assert world.evm.evm.get_balance(COINBASE) - paid_before == bid
        for token in world.tokens[1:]:
            assert world.balance(token, world.executor) == 0
        world.evm.evm.revert(state)
        state = world.evm.evm.snapshot()
