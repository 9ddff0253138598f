"""Encoder and executor together against real pools: what a program promises is what the executor gains, to the wei."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

import pytest
from executor_evm import BLOCK, COINBASE, ETHER, OWNER, ExecutorWorld, Reverted, trade_through

from bot import abi
from bot.amm.pool import Pool
from bot.engine.types import Trade
from bot.execution import executor
from bot.execution.bid import bid_of
from bot.execution.book import START, Book, Kind, deploy_data, runtime_code
from bot.execution.program import Capital, Plan, encode, plan
from bot.execution.steps import Lender, Route

BELOW_MINIMUM = abi.selector("BelowMinimum(address,uint256,uint256,uint256)").hex()
EXPIRED = abi.selector("Expired(uint256)").hex()
KINDS = [kinds for hops in (2, 3, 4) for kinds in itertools.product(("v2", "v3"), repeat=hops)]


@dataclass(frozen=True)
class Case:
    """A profitable trade and the pools that it goes through."""

    trade: Trade
    pools: list[Pool]


def profitable(world: ExecutorWorld, kinds: tuple[str, ...], dice: random.Random, first: int = 0) -> Case:
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
        if trade.gross_profit > trade.amounts[0] // 1_000:  # more than a lender takes
            return Case(trade, pools)
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


def ways(kinds: tuple[str, ...]) -> list[tuple[Capital, int | None]]:
    """Capital that needs neither funds nor a lender, and the anchor."""
    found: list[tuple[Capital, int | None]] = [(Capital.NESTED, anchor) for anchor in (None, *range(len(kinds)))]
    return found + ([(Capital.V2_FLASH, None)] if "v2" in kinds else [])


@pytest.mark.parametrize("kinds", KINDS, ids="-".join)
def test_realised_is_predicted(kinds: tuple[str, ...]) -> None:
    world = ExecutorWorld()
    trade = profitable(world, kinds, random.Random("-".join(kinds))).trade
    for capital, anchor in ways(kinds):
        check(world, trade, plan(trade, capital, anchor=anchor, weth=world.weth))
    world.fund(world.weth, trade.amounts[0])
    check(world, trade, plan(trade, Capital.OWN, weth=world.weth))


@pytest.mark.parametrize("kinds", KINDS, ids="-".join)
def test_realised_is_predicted_with_a_book(kinds: tuple[str, ...]) -> None:
    """As routes where the shape allows, else as steps that name pools by index."""
    world = ExecutorWorld()
    case = profitable(world, kinds, random.Random("-".join(kinds)))
    book = world.with_book(case.pools)
    for capital, anchor in ways(kinds):
        planned = plan(case.trade, capital, anchor=anchor, weth=world.weth, book=book)
        assert isinstance(planned, Route) == is_route(kinds, capital, anchor)
        check(world, case.trade, planned, book)
    world.fund(world.weth, case.trade.amounts[0])
    planned = plan(case.trade, Capital.OWN, weth=world.weth, book=book)
    assert isinstance(planned, Route) == (set(kinds) == {"v2"})
    check(world, case.trade, planned, book)


def is_route(kinds: tuple[str, ...], capital: Capital, anchor: int | None) -> bool:
    """One pool at an end goes first; the rest is v2."""
    if anchor is None:
        wanted = "v3" if "v3" in kinds and capital is Capital.NESTED else "v2"
        anchor = len(kinds) - 1 - kinds[::-1].index(wanted)
    return anchor in (0, len(kinds) - 1) and set(kinds[:anchor] + kinds[anchor + 1 :]) == {"v2"}


@pytest.mark.parametrize("kinds", [("v2", "v3"), ("v3", "v2"), ("v3", "v3", "v3")], ids="-".join)
def test_pools_that_call_back_by_another_name(kinds: tuple[str, ...]) -> None:
    world = ExecutorWorld("pancake-v3")
    case = profitable(world, kinds, random.Random("-".join(kinds)))
    check(world, case.trade, plan(case.trade, Capital.NESTED, weth=world.weth))
    book = world.with_book(case.pools)
    check(world, case.trade, plan(case.trade, Capital.NESTED, weth=world.weth, book=book), book)


def check(world: ExecutorWorld, trade: Trade, planned: Plan, book: Book = Book.EMPTY, fee: int = 0) -> None:
    """The promise is kept to the wei, the builder gets the bid, and a wei more is not promised."""
    gross, share = trade.gross_profit - fee, 3_333
    promised = gross - bid_of(gross, share)
    terms = {"token": world.weth, "weth": world.weth, "bid_bps": share, "book": book}
    assert realised(world, trade, encode(planned, min_profit=promised, deadline=BLOCK, **terms)) == promised
    assert realised(world, trade, encode(planned, **terms | {"bid_bps": 0})) == gross
    if isinstance(planned, Route):
        with pytest.raises(ValueError, match="leaves"):
            encode(planned, min_profit=promised + 1, **terms)
    else:
        with pytest.raises(Reverted, match=BELOW_MINIMUM):
            realised(world, trade, encode(planned, min_profit=promised + 1, **terms))
    with pytest.raises(Reverted, match=EXPIRED):
        realised(world, trade, encode(planned, min_profit=promised, deadline=BLOCK - 1, **terms))


@pytest.mark.parametrize("named", [False, True])
def test_the_builder_gets_the_bid(named: bool) -> None:
    world = ExecutorWorld()
    case = profitable(world, ("v2", "v3"), random.Random(1))
    book = world.with_book(case.pools) if named else Book.EMPTY
    planned = plan(case.trade, Capital.NESTED, weth=world.weth, book=book)
    world.evm.send(OWNER, world.executor, encode(planned, token=world.weth, bid_bps=12_34, weth=world.weth, book=book))
    assert world.evm.evm.get_balance(COINBASE) == bid_of(case.trade.gross_profit, 12_34) > 0


LENDER_KINDS = {
    Lender.MORPHO: Kind.LENDER_MORPHO,
    Lender.BALANCER_V2: Kind.LENDER_BALANCER_V2,
    Lender.AAVE_V3: Kind.LENDER_AAVE_V3,
    Lender.V4: Kind.LENDER_V4,
    Lender.V3: Kind.LENDER_V3_WETH_0,
    Lender.V2: Kind.LENDER_V2_WETH_0,
}


@pytest.mark.parametrize("lender", Lender)
@pytest.mark.parametrize("kinds", [("v2", "v2"), ("v2", "v3"), ("v3", "v2", "v2")], ids="-".join)
def test_loans(lender: Lender, kinds: tuple[str, ...]) -> None:
    world = ExecutorWorld()
    case = profitable(world, kinds, random.Random("-".join(kinds)))
    trade = case.trade
    if lender in (Lender.V2, Lender.V3):
        trade = replace_amount(case, ETHER)  # such a fee must not eat the profit
    source = world.lender(lender, trade.amounts[0])
    held = world.balance(world.weth, source.address)
    steps = plan(trade, Capital.LOAN, lender=source, weth=world.weth)
    check(world, trade, steps, fee=source.fee)
    world.evm.send(OWNER, world.executor, encode(steps, token=world.weth, weth=world.weth))
    allowance = world.evm.call(OWNER, world.weth, "allowance(address,address)", world.executor, source.address)
    assert int.from_bytes(allowance, "big") == 0
    assert world.balance(world.weth, source.address) == held + source.fee


@pytest.mark.parametrize("lender", LENDER_KINDS)
def test_lenders_of_the_book(lender: Lender) -> None:
    world = ExecutorWorld()
    case = profitable(world, ("v2", "v2"), random.Random(4))
    trade = replace_amount(case, ETHER)
    source = world.lender(lender, trade.amounts[0])
    kind = Kind(LENDER_KINDS[lender] + source.token_1)
    book = world.with_book(case.pools, [(source.address, kind)])
    route = plan(trade, Capital.LOAN, lender=source, weth=world.weth, book=book)
    assert isinstance(route, Route)
    check(world, trade, route, book, fee=source.fee)


def replace_amount(case: Case, amount: int) -> Trade:
    """The same trade with another amount."""
    tokens = [*(hop.token_in for hop in case.trade.route), case.trade.token]
    return trade_through(case.pools, tokens, amount)


@pytest.mark.parametrize("kinds", [("v2", "v2"), ("v2", "v3"), ("v3", "v2"), ("v3", "v2", "v3")], ids="-".join)
@pytest.mark.parametrize("named", [False, True])
def test_a_cycle_in_another_token(kinds: tuple[str, ...], named: bool) -> None:
    world = ExecutorWorld()
    case = profitable(world, kinds, random.Random("-".join(kinds)), first=1)
    trade = case.trade
    book = world.with_book(case.pools) if named else Book.EMPTY
    terms = {"token": trade.token, "weth": world.weth, "book": book}
    for anchor in range(len(kinds)):
        steps = plan(trade, Capital.NESTED, anchor=anchor, weth=world.weth, book=book)
        program = encode(steps, min_profit=trade.gross_profit, **terms)
        assert realised(world, trade, program) == trade.gross_profit
        with pytest.raises(Reverted, match=BELOW_MINIMUM):
            realised(world, trade, encode(steps, min_profit=trade.gross_profit + 1, **terms))
    source = world.lender(Lender.MORPHO, trade.amounts[0], trade.token)
    steps = plan(trade, Capital.LOAN, lender=source, weth=world.weth, book=book)
    assert realised(world, trade, encode(steps, **terms)) == trade.gross_profit


def test_weth_that_is_not_known_to_be_it() -> None:
    """Without the chain's own WETH the token is named: longer, and as right."""
    world = ExecutorWorld()
    trade = profitable(world, ("v2", "v3", "v2"), random.Random(2)).trade
    program = encode(plan(trade, Capital.NESTED), token=trade.token, min_profit=trade.gross_profit)
    assert realised(world, trade, program) == trade.gross_profit


def test_the_code_with_a_book_is_the_code_and_the_book() -> None:
    world = ExecutorWorld()
    case = profitable(world, ("v2", "v3"), random.Random(5))
    plain = code_of(world)
    book = world.with_book(case.pools, [("0x" + "aa" * 20, Kind.LENDER_V4)])
    assert code_of(world) == plain.ljust(START, b"\0") + book.to_bytes() == runtime_code(OWNER, world.weth, book)
    assert len(book) == 4


def code_of(world: ExecutorWorld) -> bytes:
    account = world.evm.evm.basic(world.executor)
    code = bytes(account.code or b"")
    while code and abi.keccak(code) != account.code_hash:
        code = code[:-1]  # revm pads code
    return code


def test_no_weth_no_executor() -> None:
    world = ExecutorWorld()
    book = Book.of(world.weth, [], [("0x" + "aa" * 20, Kind.LENDER_V4)])
    for data in (deploy_data(OWNER, "0x" + "dd" * 20, book), deploy_data(OWNER, "0x" + "dd" * 20)):
        with pytest.raises(RuntimeError):
            world.evm.evm.deploy(OWNER, data)


def test_operators() -> None:
    world = ExecutorWorld()
    trade = profitable(world, ("v2", "v3"), random.Random(3)).trade
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
    books = (Book.EMPTY, world.with_book([one, two]))  # of no use to routes, whose amounts are smaller
    for book, anchor in itertools.product(books, (0, 1)):
        check(world, trade, plan(trade, Capital.NESTED, anchor=anchor, weth=world.weth, book=book), book)
