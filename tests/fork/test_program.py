"""Encoder and executor together against real pools: what a program promises is what the executor gains, to the wei."""

from __future__ import annotations

import itertools
import random

import pytest
from executor_evm import BLOCK, COINBASE, ETHER, OWNER, ExecutorWorld, Reverted, trade_through

from bot import abi
from bot.engine.types import Trade
from bot.execution import executor
from bot.execution.program import Capital, LoanSource, encode, plan
from bot.execution.steps import Lender, Step

BELOW_MINIMUM = abi.selector("BelowMinimum(address,uint256,uint256,uint256)").hex()
EXPIRED = abi.selector("Expired(uint256)").hex()
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


def realised(world: ExecutorWorld, trade: Trade, program: bytes, sender: str = OWNER) -> int:
    """What the executor gains in the trade's token; none of any other may stay behind. Rolled back."""
    state = world.evm.evm.snapshot()
    before = world.balance(trade.token, world.executor)
    try:
        world.evm.send(sender, world.executor, program)
        for token in {*world.tokens, trade.token} - {trade.token}:
            assert world.balance(token, world.executor) == 0
        return world.balance(trade.token, world.executor) - before
    finally:
        world.evm.evm.revert(state)


@pytest.mark.parametrize("kinds", KINDS, ids="-".join)
def test_realised_is_predicted(kinds: tuple[str, ...]) -> None:
    world = ExecutorWorld()
    trade = profitable(world, kinds, random.Random("-".join(kinds)))
    plans = [(Capital.NESTED, anchor) for anchor in (None, *range(len(kinds)))]
    plans += [(Capital.V2_FLASH, None)] if "v2" in kinds else []
    for capital, anchor in plans:
        check(world, trade, plan(trade, capital, anchor=anchor, weth=world.weth))
    world.fund(world.weth, trade.amounts[0])
    check(world, trade, plan(trade, Capital.OWN, weth=world.weth))


@pytest.mark.parametrize("kinds", [("v2", "v3"), ("v3", "v2"), ("v3", "v3", "v3")], ids="-".join)
def test_pools_that_call_back_by_another_name(kinds: tuple[str, ...]) -> None:
    world = ExecutorWorld("pancake-v3")
    trade = profitable(world, kinds, random.Random("-".join(kinds)))
    check(world, trade, plan(trade, Capital.NESTED, weth=world.weth))


def check(world: ExecutorWorld, trade: Trade, steps: list[Step]) -> None:
    """The promise is kept to the wei, the builder gets the bid, and a wei more is not promised."""
    bid = trade.gross_profit // 3
    promised = trade.gross_profit - bid
    terms = {"token": world.weth, "weth": world.weth, "bid": bid}
    assert realised(world, trade, encode(steps, min_profit=promised, deadline=BLOCK, **terms)) == promised
    with pytest.raises(Reverted, match=BELOW_MINIMUM):
        realised(world, trade, encode(steps, min_profit=promised + 1, **terms))
    with pytest.raises(Reverted, match=EXPIRED):
        realised(world, trade, encode(steps, min_profit=promised, deadline=BLOCK - 1, **terms))


def test_the_builder_gets_the_bid() -> None:
    world = ExecutorWorld()
    trade = profitable(world, ("v2", "v3"), random.Random(1))
    steps = plan(trade, Capital.NESTED, weth=world.weth)
    world.evm.send(OWNER, world.executor, encode(steps, token=world.weth, bid=12_345, weth=world.weth))
    assert world.evm.evm.get_balance(COINBASE) == 12_345


@pytest.mark.parametrize("lender", Lender)
@pytest.mark.parametrize("kinds", [("v2", "v2"), ("v2", "v3"), ("v3", "v2", "v2")], ids="-".join)
def test_loans(lender: Lender, kinds: tuple[str, ...]) -> None:
    world = ExecutorWorld()
    trade = profitable(world, kinds, random.Random("-".join(kinds)))
    source = LoanSource(lender, world.lender(lender, trade.amounts[0]))
    steps = plan(trade, Capital.LOAN, lender=source, weth=world.weth)
    check(world, trade, steps)
    world.evm.send(OWNER, world.executor, encode(steps, token=world.weth, weth=world.weth))
    allowance = world.evm.call(OWNER, world.weth, "allowance(address,address)", world.executor, source.address)
    assert int.from_bytes(allowance, "big") == 0
    assert world.balance(world.weth, source.address) == trade.amounts[0]


@pytest.mark.parametrize("kinds", [("v2", "v2"), ("v2", "v3"), ("v3", "v2"), ("v3", "v2", "v3")], ids="-".join)
def test_a_cycle_in_another_token(kinds: tuple[str, ...]) -> None:
    world = ExecutorWorld()
    trade = profitable(world, kinds, random.Random("-".join(kinds)), first=1)
    for anchor in range(len(kinds)):
        steps = plan(trade, Capital.NESTED, anchor=anchor, weth=world.weth)
        program = encode(steps, token=trade.token, min_profit=trade.gross_profit, weth=world.weth)
        assert realised(world, trade, program) == trade.gross_profit
        with pytest.raises(Reverted, match=BELOW_MINIMUM):
            greedy = encode(steps, token=trade.token, min_profit=trade.gross_profit + 1, weth=world.weth)
            realised(world, trade, greedy)
    source = LoanSource(Lender.MORPHO, world.lender(Lender.MORPHO, trade.amounts[0], trade.token))
    steps = plan(trade, Capital.LOAN, lender=source, weth=world.weth)
    assert realised(world, trade, encode(steps, token=trade.token, weth=world.weth)) == trade.gross_profit


def test_weth_that_is_not_known_to_be_it() -> None:
    """Without the chain's own WETH the token is named: longer, and as right."""
    world = ExecutorWorld()
    trade = profitable(world, ("v2", "v3", "v2"), random.Random(2))
    program = encode(plan(trade, Capital.NESTED), token=trade.token, min_profit=trade.gross_profit)
    assert realised(world, trade, program) == trade.gross_profit


def test_operators() -> None:
    world = ExecutorWorld()
    trade = profitable(world, ("v2", "v3"), random.Random(3))
    program = encode(plan(trade, Capital.NESTED, weth=world.weth), token=world.weth, weth=world.weth)
    operator = "0x" + "33" * 20
    with pytest.raises(Reverted):
        realised(world, trade, program, operator)
    world.evm.send(OWNER, world.executor, executor.set_operator(operator, True))
    assert int.from_bytes(world.evm.send(operator, world.executor, executor.is_operator(operator)), "big") == 1
    assert realised(world, trade, program, operator) == trade.gross_profit
    for refused in (executor.set_operator(operator, True), executor.withdraw_token(world.weth, 0)):
        with pytest.raises(Reverted):
            world.evm.send(operator, world.executor, refused)
    world.evm.send(OWNER, world.executor, executor.set_operator(operator, False))
    with pytest.raises(Reverted):
        realised(world, trade, program, operator)


def test_withdrawals() -> None:
    world = ExecutorWorld()
    world.fund(world.weth, 7)
    world.evm.evm.set_balance(world.executor, 5)
    weth, eth = world.balance(world.weth, OWNER), world.evm.evm.get_balance(OWNER)
    world.evm.send(OWNER, world.executor, executor.withdraw_token(world.weth, 7))
    world.evm.send(OWNER, world.executor, executor.withdraw_eth(5))
    assert world.balance(world.weth, OWNER) - weth == 7
    assert world.evm.evm.get_balance(OWNER) - eth == 5


def test_amounts_of_more_than_twelve_bytes() -> None:
    """A token of tiny units: 2**100 of them through two pairs."""
    world = ExecutorWorld()
    tokens = [world.weth, world.tokens[1], world.weth]
    one = world.pair_of(0, {world.weth: 10**24, tokens[1]: 2**108})
    two = world.pair_of(1, {world.weth: 2 * 10**24, tokens[1]: 2**108})
    trade = trade_through([one, two], tokens, 10**22)
    assert trade.amounts[1] > 2**96
    for capital in (Capital.NESTED, Capital.V2_FLASH):
        check(world, trade, plan(trade, capital, weth=world.weth))
    check(world, trade, plan(trade, Capital.NESTED, anchor=0, weth=world.weth))
