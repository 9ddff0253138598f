"""Guesses behind hidden swaps, run by the executor on the state that the swap really leaves: each gains at least what
it promises, or reverts; and which of the two is known from the pools' maths."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable

import pytest
from executor_evm import BLOCK, OWNER, ExecutorWorld, Reverted

from bot import abi
from bot.amm.pool import Pool
from bot.amm.swapped import swap_in
from bot.amm.v2 import V2Pool
from bot.amm.v3 import SWAP
from bot.engine.types import Header, Hint, Log, Opportunity, Trade
from bot.execution.bid import bid_of
from bot.execution.book import Book
from bot.execution.program import Capital, encode, plan
from bot.execution.steps import Route
from bot.market.market import Market
from bot.strategies.gas import GasPolicy
from bot.strategies.hint import HintBackrun

HEAD = Header(BLOCK - 1, "0x1", "0x0", 1_700_000_000, 10**9, 30_000_000, 15_000_000, "0x" + "cc" * 20)
V2_SWAP = abi.topic("Swap(address,uint256,uint256,uint256,uint256,address)")
KINDS = list(itertools.product(("v2", "v3"), repeat=2))
SHARE = 3_333
MIN_LIMIT, MAX_LIMIT = 4295128739 + 1, 1461446703485210103287273052203988822378723970342 - 1


def swap(world: ExecutorWorld, pool: Pool, i: int, amount: int) -> Pool:
    """A stranger's swap; the pool after it."""
    after, _, got = swap_in(pool, i, 1 - i, amount)
    if isinstance(pool, V2Pool):
        world.evm.call(OWNER, pool.tokens[i], "transfer(address,uint256)", pool.id, amount)
        outs = (0, got) if i == 0 else (got, 0)
        world.evm.call(OWNER, pool.id, "swap(uint256,uint256,address,bytes)", *outs, OWNER, 128, 0)
    else:
        payer = "0x" + pool.id[-20:] * 2  # who minted, and has more
        limit = MIN_LIMIT if i == 0 else MAX_LIMIT
        data = abi.call("swap(address,bool,int256,uint160,bytes)", payer, i == 0, amount, limit, 160, 0)
        world.evm.send(OWNER, payer, abi.encode(pool.id) + data)
    real = pool
    for log in world.evm.logs(pool.id):
        real = real.apply(log)
    assert real == after
    return real


def gives(pools: dict[str, Pool], trade: Trade) -> bool:
    """Whether every hop gives what the trade counts on."""
    steps = zip(trade.route, trade.amounts, trade.amounts[1:], strict=False)
    return all(
        pools[hop.pool].quote_in(int(not hop.zero_for_one), int(hop.zero_for_one), paid) >= got
        for hop, paid, got in steps
    )


def gain(world: ExecutorWorld, trade: Trade, book: Book) -> tuple[int | None, bool]:
    """What the executor gains beyond the bid, None where it reverts; and whether by a route."""
    promised = trade.gross_profit - bid_of(trade.gross_profit, SHARE)
    planned = plan(trade, Capital.NESTED, weth=world.weth, book=book)
    terms = {"min_profit": promised, "bid_bps": SHARE, "deadline": BLOCK, "weth": world.weth, "book": book}
    state = world.evm.evm.snapshot()
    before = world.balance(world.weth, world.executor)
    try:
        world.evm.send(OWNER, world.executor, encode(planned, token=world.weth, **terms))
        return world.balance(world.weth, world.executor) - before, isinstance(planned, Route)
    except Reverted:
        assert world.balance(world.weth, world.executor) == before
        return None, isinstance(planned, Route)
    finally:
        world.evm.evm.revert(state)


def guesses(world: ExecutorWorld, pools: list[Pool]) -> list[Opportunity]:
    market = Market([world.weth])
    market.add(pools)
    market.anchor(HEAD)
    topic = V2_SWAP if isinstance(pools[0], V2Pool) else SWAP
    event = Hint("0x" + "cd" * 32, (Log(pools[0].id, (topic, "0x" + "00" * 32), b""),), (), 0)
    free = GasPolicy(world.weth, base=0, per_hop={"v2": 0, "v3": 0})
    return list(HintBackrun(market, free).process(event))


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("kinds", KINDS, ids="-".join)
def test_no_guess_ever_loses(
    kinds: tuple[str, ...], named: bool, record_property: Callable[[str, object], None]
) -> None:
    dice = random.Random(f"hints {kinds}")
    world = ExecutorWorld()
    first, second = kinds
    pools = [
        world.pool(first, world.weth, world.tokens[1], dice, 0),
        world.pool(second, world.weth, world.tokens[1], dice, 1),
    ]
    book = world.with_book(pools) if named else Book.EMPTY
    found = guesses(world, pools)
    assert found
    tally: Counter[str] = Counter()
    for i, power in itertools.product((0, 1), range(-36, -10, 4)):
        state = world.evm.evm.snapshot()
        touched = pools[0]
        reserve = next(touched.segments(i, 1 - i)).x
        true = {touched.id: swap(world, touched, i, int(reserve * 10 ** (power / 10))), pools[1].id: pools[1]}
        for guess in found:
            trade = guess.trade
            assert isinstance(trade, Trade)
            gained, route = gain(world, trade, book)
            promised = trade.gross_profit - bid_of(trade.gross_profit, SHARE)
            assert (gained is not None) == gives(true, trade), (i, power, trade)
            assert gained is None or gained >= promised
            tally["reverted" if gained is None else "landed" if gained == promised else "gained more"] += 1
            tally["routes"] += route
        world.evm.evm.revert(state)
    record_property("guesses run", dict(tally))
    assert tally["reverted"] and tally["landed"] + tally["gained more"]
    assert bool(tally["routes"]) == (named and "v2" in kinds)
