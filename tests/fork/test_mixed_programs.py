"""Cycles through every kind of pool mixed, planned from the pool values' quotes and executed on real code: the executor
gains to the wei what was computed, on whatever capital fits."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
from mixed_world import DAI, ETH, USDC, WETH, MixedWorld, mixed_world
from recorded import needs_recordings
from venue_chain import BELOW_MINIMUM, BUILDER, DUST, EXECUTOR, GAS, OWNER, balance_of, eth_of, why

from bot.engine.types import Trade
from bot.execution.bid import bid_of
from bot.execution.capital import Funding, Offer, fundings
from bot.execution.loans import lend
from bot.execution.program import Capital, LoanSource, Plan, encode, plan
from bot.execution.steps import Lender, V4Swap, V4Unlock
from bot.market.kernels import NONE
from bot.market.market import Market
from bot.market.refine import quote
from bot.simulation.types import Call

pytestmark = needs_recordings

VERIFY = os.environ.get("MEV_VERIFY") == "1"
KINDS = ("v2", "v3", "v4", "curve", "balancer", "vault", "weth")
TRADES = 10_000 if VERIFY else 15
"""Of each base, beside those that are there for what they cover."""
SIZES = (1.0, 0.7, 0.45, 0.3, 0.15, 0.06, 0.01, 0.002) if VERIFY else (1.0,)
"""Of the best amount."""
SHARE = 4_321
AAVE_BPS = 5


@pytest.fixture(scope="module")
def world() -> Iterator[MixedWorld]:
    with mixed_world() as made:
        yield made


@pytest.fixture(scope="module")
def trades(world: MixedWorld) -> dict[str, list[Trade]]:
    """By the token that it begins in, every cycle that gains."""
    return {base: gaining(world, base) for base in (WETH, USDC, DAI, world.vault)}


def gaining(world: MixedWorld, base: str) -> list[Trade]:
    """Cycles of up to four hops with the amounts that the pools quote, near the best ones."""
    market = Market([base], 4)
    market.add(world.pools)
    view, graph = market.view, market.graph
    rows = view.arrays.open_cycles()
    sizes = view.arrays.sizes(rows, view.at)
    found = []
    for row in (sizes.profits > 0).nonzero()[0].tolist():
        cycle = tuple(leg for leg in rows[row].tolist() if leg != NONE)
        legs = view.legs(cycle)
        assert legs is not None
        for size in SIZES:
            amounts = quote(legs, round(size * sizes.amounts[row]))
            if amounts is not None and amounts[-1] > amounts[0]:
                found.append(Trade(graph.route(cycle), amounts))
    return found


def kinds(trade: Trade) -> tuple[str, ...]:
    return tuple(hop.kind for hop in trade.route)


def features(trade: Trade) -> set[tuple[str, ...]]:
    """What a test of this trade covers: a kind at an end or inside, each two that follow each other."""
    names = kinds(trade)
    inner = {("inner", name) for name in names[1:-1]}
    follow = {("pair", *pair) for pair in pairwise(names)}
    return {("first", names[0]), ("last", names[-1]), *inner, *follow}


def chosen(trades: Sequence[Trade], seen: set[tuple[str, ...]]) -> list[Trade]:
    """Some at random, and one more for each feature that was not seen yet."""
    dice = random.Random(5)
    shuffled = dice.sample(trades, len(trades))
    picked = shuffled[:TRADES]
    for trade in picked:
        seen |= features(trade)
    for trade in shuffled[TRADES:]:
        if not features(trade) <= seen:
            seen |= features(trade)
            picked.append(trade)
    return picked


# --- execution -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Done:
    """A program that did what was computed, and its gas."""

    kinds: tuple[str, ...]
    capital: Capital
    lender: Lender | None
    gas: int


def execute(world: MixedWorld, trade: Trade, planned: Plan, predicted: int, bid_bps: int = 0) -> int:
    """The executor ends with DUST of everything and ``predicted`` more of the trade's token, the builder gets the bid,
    and a wei more is not promised. Its gas, units."""
    chain = world.chain
    tokens = list(dict.fromkeys(hop.token_in for hop in trade.route if hop.token_in != ETH))
    held = [balance_of(token, EXECUTOR) for token in tokens]
    start = chain.ask((), held)

    def program(promised: int) -> Call:
        data = encode(planned, token=trade.token, bid_bps=bid_bps, min_profit=promised, weth=WETH)
        return Call(OWNER, EXECUTOR, data, gas=GAS)

    result, *answers = chain.run([program(predicted), *held, eth_of(EXECUTOR), eth_of(BUILDER)])
    assert result.success, (kinds(trade), planned, why(result))
    *end, eth, paid = (int.from_bytes(answer.output, "big") for answer in answers)
    gains = [after - before for before, after in zip(start, end, strict=True)]
    assert gains == [predicted if token == trade.token else 0 for token in tokens], (kinds(trade), planned)
    assert (eth, paid) == (DUST, bid_of(trade.gross_profit, bid_bps) if bid_bps else 0)
    (greedy,) = chain.run([program(predicted + 1)])
    assert not greedy.success and greedy.output[:4] == BELOW_MINIMUM
    return result.gas_used


def offers(world: MixedWorld, token: str) -> list[Offer]:
    """The devnet's lenders of a token; a pair and a pool that no cycle of the tests goes through are among WETH's."""
    at = world.deployment
    of = {Lender.MORPHO: "morpho", Lender.BALANCER_V2: "balancer", Lender.AAVE_V3: "aave", Lender.V4: "v4"}
    names = {"morpho": at.morpho, "balancer": at.balancer_vault, "aave": at.aave_pool, "v4": at.v4_manager}
    found = [
        Offer(lender, names[name], 10**30, AAVE_BPS if lender is Lender.AAVE_V3 else 0)
        for lender, name in of.items()
        if token in at.lendable[name]
    ]
    known = {pool.id for pool in world.pools}
    for kind, lender, bps in (("v2", Lender.V2, 30), ("v3", Lender.V3, 30)):
        others = [pool for pool in at.pools if pool.kind == kind and pool.fee == 3_000 and pool.address not in known]
        pool = next((pool for pool in others if token in (pool.token0, pool.token1)), None)
        if pool is not None:
            found.append(Offer(lender, pool.address, 10**30, bps, token_1=token == pool.token1))
    return found


def sources(world: MixedWorld, trade: Trade) -> Iterator[tuple[Funding, int | None]]:
    """All capital that leaves something, and the anchors of what pays for itself."""
    for funding in fundings(trade, own=trade.needed, offers=offers(world, trade.token)):
        if funding.capital is Capital.NESTED:
            yield funding, None
            yield from ((funding, at) for at, hop in enumerate(trade.route) if hop.kind in ("v2", "v3"))
        elif trade.gross_profit > funding.fee:
            yield funding, None
    if any(hop.kind == "v2" for hop in trade.route):
        yield Funding(Capital.V2_FLASH, None, 0), None


def check(world: MixedWorld, trade: Trade, done: list[Done]) -> None:
    """On every source; the executor has just what it needs on its own money, else DUST."""
    for funding, anchor in sources(world, trade):
        planned = plan(trade, funding.capital, lender=funding.lender, anchor=anchor, weth=WETH)
        gained = trade.gross_profit - funding.fee
        bid_bps = SHARE if trade.token == WETH and not funding.fee else 0
        own = funding.capital is Capital.OWN
        world.chain.give(trade.token, EXECUTOR, DUST + (trade.needed if own else 0))
        gas = execute(world, trade, planned, gained - bid_of(gained, bid_bps), bid_bps)
        done.append(Done(kinds(trade), funding.capital, funding.lender.kind if funding.lender else None, gas))
    world.chain.give(trade.token, EXECUTOR, DUST)


def test_realised_is_predicted(
    world: MixedWorld, trades: dict[str, list[Trade]], record_property: Callable[[str, object], None]
) -> None:
    seen: set[tuple[str, ...]] = set()
    done: list[Done] = []
    for found in trades.values():
        for trade in chosen(found, seen):
            check(world, trade, done)
    for place in ("first", "inner", "last"):
        assert {(place, kind) for kind in KINDS} <= seen, place
    lenders = Counter(each.lender for each in done)
    assert set(lenders) == {None, *Lender} - {Lender.ERC3156}
    record_property("programs", len(done))
    record_property("differences", 0)
    record_property("pairs_of_kinds", sum(feature[0] == "pair" for feature in seen))


def test_consecutive_v4_hops_are_one_unlock(world: MixedWorld, trades: dict[str, list[Trade]]) -> None:
    """Also with ETH between two pools, and between WETH's two ways."""
    rows = [trade for found in trades.values() for trade in found if ("v4", "v4") in pairs(trade)]
    with_eth = [trade for trade in rows if any(hop.token_in == ETH and hop.kind == "v4" for hop in trade.route)]
    wrapped = [trade for trade in with_eth if "weth" in kinds(trade)]
    assert with_eth and wrapped
    for trade in [rows[0], with_eth[0], wrapped[0], max(rows, key=lambda trade: kinds(trade).count("v4"))]:
        world.chain.give(trade.token, EXECUTOR, DUST + trade.needed)
        planned = plan(trade, Capital.OWN, weth=WETH)
        unlocks = [step for step in planned if isinstance(step, V4Unlock)]
        swaps = [sum(isinstance(inner, V4Swap) for inner in step.nested) for step in unlocks]
        assert sum(swaps) == kinds(trade).count("v4") and max(swaps) > 1
        execute(world, trade, planned, trade.gross_profit)
        world.chain.give(trade.token, EXECUTOR, DUST)


def pairs(trade: Trade) -> set[tuple[str, str]]:
    names = kinds(trade)
    return set(pairwise(names))


@pytest.mark.parametrize("kind", ["v4", "balancer"])
def test_who_keeps_a_pool_of_the_cycle_cannot_lend_to_it(
    world: MixedWorld, trades: dict[str, list[Trade]], kind: str
) -> None:
    """It is refused, for good reason: on chain such a program fails."""
    lender = Lender.V4 if kind == "v4" else Lender.BALANCER_V2
    trade = next(trade for trade in trades[WETH] if kind in kinds(trade))
    (offer,) = (offer for offer in offers(world, WETH) if offer.lender is lender)
    assert offer.address not in {funding.lender.address for funding, _ in sources(world, trade) if funding.lender}
    source = LoanSource(lender, offer.address)
    with pytest.raises(ValueError, match="locked while it lends"):
        plan(trade, Capital.LOAN, lender=source, weth=WETH)
    own = plan(trade, Capital.OWN, weth=WETH)
    assert isinstance(own, list)
    data = encode(lend(source, trade.needed, None, own), token=WETH, weth=WETH)
    (result,) = world.chain.run([Call(OWNER, EXECUTOR, data, gas=GAS)])
    assert not result.success
