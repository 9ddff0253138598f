"""Baskets over a market: exact on the pools, never worse than cycles that share none, and nothing that is not more than
one path."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import TOKENS, WETH, address, header, markets

from bot.amm.pool import Pool
from bot.amm.v2 import V2Pool
from bot.amm.vaults import VaultPool
from bot.engine.baskets import paths
from bot.engine.types import Basket, Hop, NewHead, Swap, Trade
from bot.execution.codec import MAX_TOKENS
from bot.market.market import Market
from bot.market.routing.programs import Program
from bot.market.routing.programs import Swap as LegSwap
from bot.market.routing.solver import Legs, Solver
from bot.market.search import search
from bot.strategies.gas import BASE, CURVE_CRYPTO, IN_BASKET, PER_HOP, TRICRYPTO_2, V4_AGAIN, GasPolicy
from bot.strategies.joint import MOST_TOKENS, Joint, basket_of, legs_of

UNIT = 10**18
FREE = GasPolicy(WETH, base=0, per_hop={"v2": 0, "v3": 0}, in_basket=0)
HEAD = NewHead(header(7, "0x7", "0x6"), (), {}, (), 3)


def market_of(pools: list[Pool]) -> Market:
    market = Market([WETH])
    market.add(pools)
    market.anchor(HEAD.header)
    return market


def pair(at: int, a: str, b: str, held: int, other: int) -> V2Pool:
    (token0, reserve0), (token1, reserve1) = sorted(((a, held), (b, other)), key=lambda side: int(side[0], 16))
    return V2Pool(address(at), token0, token1, reserve0, reserve1)


def split() -> list[Pool]:
    """Two pairs give A for WETH, one takes it dear: the best is through all three."""
    return [
        pair(1, WETH, TOKENS[1], 100 * UNIT, 100 * UNIT),
        pair(2, WETH, TOKENS[1], 100 * UNIT, 100 * UNIT),
        pair(3, WETH, TOKENS[1], 240 * UNIT, 200 * UNIT),
    ]


def executed(pools: list[Pool], basket: Basket) -> tuple[int, int]:
    """What it needs and gains of its token when every swap is the pool's own quote; of no other is anything left."""
    by_id = {pool.id: pool for pool in pools}
    held: dict[str, int] = {}
    needed = 0
    for swap in basket.swaps:
        pool = by_id.pop(swap.hop.pool)
        i, j = (pool.tokens.index(token) for token in (swap.hop.token_in, swap.hop.token_out))
        assert pool.quote_in(i, j, swap.amount_in) == swap.amount_out
        held[swap.hop.token_in] = held.get(swap.hop.token_in, 0) - swap.amount_in
        held[swap.hop.token_out] = held.get(swap.hop.token_out, 0) + swap.amount_out
        assert all(amount >= 0 for token, amount in held.items() if token != basket.token)
        needed = max(needed, -held.get(basket.token, 0))
    assert not any(amount for token, amount in held.items() if token != basket.token)
    return needed, held[basket.token]


def test_a_split_is_a_basket() -> None:
    pools = split()
    (found,) = Joint(market_of(pools), FREE).process(HEAD)
    basket = found.trade
    assert isinstance(basket, Basket)
    assert (found.strategy, found.block_number, found.behind, found.seen_ns) == ("joint", 8, None, 3)
    assert len(basket.swaps) == 3
    assert executed(pools, basket) == (basket.needed, basket.gross_profit)
    best = search(market_of(pools).view)[0]
    assert basket.gross_profit > best.gross_profit * 5 // 4


def test_one_path_is_left_to_the_arbitrage_strategy() -> None:
    market = market_of(split()[1:])
    joint = Joint(market, FREE)
    (program,) = joint.programs(market.view, 10**9)
    assert len(program.swaps) == 2
    assert list(joint.process(HEAD)) == []


@settings(deadline=None, max_examples=60)
@given(markets(10**18, 10**22), st.integers(0, 10**6))
def test_baskets_are_exact_and_no_worse_than_cycles(pools: list[Pool], base_fee: int) -> None:
    market, gas = market_of(pools), GasPolicy(WETH)
    joint = Joint(market, gas)
    programs = joint.programs(market.view, base_fee)
    for found in joint.process(replace(HEAD, header=replace(HEAD.header, base_fee=base_fee))):
        assert isinstance(found.trade, Basket)
        assert executed(pools, found.trade) == (found.trade.needed, found.trade.gross_profit)
        assert found.gas == BASE + sum(gas.swap(hop) for hop in found.trade.route)
    used = [market.graph.leg_slot[swap.leg] for program in programs for swap in program.swaps]
    assert len(set(used)) == len(used)
    best = max((trade.gross_profit - gas.gas(trade.route) * base_fee for trade in search(market.view)), default=0)
    net = sum(sum(program.profit.values()) - Fraction(program.cost) for program in programs)
    assert net >= best - 4 * IN_BASKET * base_fee  # singles are counted as baskets are: four hops at most


def test_legs_follow_the_market() -> None:
    market = market_of(split())
    for reserves in (200, 201, 202):
        changed = pair(3, WETH, TOKENS[1], 240 * UNIT, reserves * UNIT)
        market.add([changed])
        legs = legs_of(market.view)
        pools = dict(enumerate(market.view.at(slot) for slot in range(3)))
        fresh = Legs.of({slot: pool for slot, pool in pools.items() if pool is not None}, market.graph.tokens)
        for kept, made in ((legs, fresh), (fresh, legs)):
            order = np.lexsort((kept.i, kept.pool))
            first = kept.seg_start[order]
            other = made.seg_start[np.lexsort((made.i, made.pool))]
            assert (kept.x[first] == made.x[other]).all() and (kept.y[first] == made.y[other]).all()


def test_an_unknown_pool_is_left_out() -> None:
    market = market_of(split())
    market.remove([address(2)], "lost")
    assert list(Joint(market, FREE).process(HEAD)) == []
    assert Joint(Market([TOKENS[1]]), FREE).process(HEAD) == []


def test_a_straight_line_in_the_market() -> None:
    """A vault of A, whose shares are dear: what no trade moves does not spoil the solution."""
    share = address(77)
    vault = VaultPool(share, TOKENS[1], 3 * 10**24, 2 * 10**24, most_out=3 * 10**24)
    pools = [*split()[:2], vault, pair(4, share, WETH, 100 * UNIT, 160 * UNIT)]
    market = market_of(pools)
    flow = Solver(legs_of(market.view), {market.graph.tokens[WETH]: 1.0}).solve()
    assert 0 < flow.value < 10 * UNIT and flow.unbalanced < 1e-6 * flow.value
    (found,) = Joint(market, FREE).process(HEAD)
    assert isinstance(found.trade, Basket)
    assert executed(pools, found.trade) == (found.trade.needed, found.trade.gross_profit)
    assert len(found.trade.swaps) == 4


def test_what_spends_too_many_tokens_is_no_basket() -> None:
    """Each of the tokens is shared by two swaps: it has to come by the executor, and be declared."""
    assert MOST_TOKENS == MAX_TOKENS
    names = [WETH, *(address(200 + at) for at in range(MAX_TOKENS))]
    for count, fits in ((MAX_TOKENS - 1, True), (MAX_TOKENS, False)):
        pools, swaps = [], []
        market = Market([WETH])
        for at, name in enumerate(names[1 : count + 1]):
            pools += [pair(10 * at + way, WETH, name, 100 * UNIT, 100 * UNIT) for way in range(3)]
        market.add(pools)
        for at in range(count):
            for way, (there, amount) in enumerate(((True, 1), (True, 1), (False, 2))):
                hop = (WETH, names[at + 1]) if there else (names[at + 1], WETH)
                (leg,) = (
                    leg
                    for leg in market.graph.legs(market.graph.slots[address(10 * at + way)])
                    if (market.graph.hops[leg].token_in, market.graph.hops[leg].token_out) == hop
                )
                swaps.append(LegSwap(leg, amount, amount))
        program = Program(tuple(swaps), {0: 2 * count}, {0: 0}, 0.0)
        assert (basket_of(market.graph, program, WETH) is not None) == fits


def test_a_path_is_kept_together() -> None:
    a, b, c = TOKENS[1:4]

    def swap(pool: int, token_in: str, token_out: str, paid: int, got: int) -> Swap:
        return Swap(Hop(address(pool), "v2", token_in, token_out), paid, got)

    swaps = (
        swap(1, WETH, a, 10, 20),
        swap(2, WETH, b, 5, 7),
        swap(3, a, c, 20, 30),
        swap(4, b, c, 7, 9),
        swap(5, c, WETH, 39, 16),
    )
    found = paths(Basket(WETH, 15, 1, swaps))
    assert found == [[swaps[0], swaps[2]], [swaps[1], swaps[3]], [swaps[4]]]


# --- gas ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "gas"),
    [
        (("v2", "v3"), PER_HOP["v2"] + PER_HOP["v3"]),
        (("v4", "v4", "v2"), PER_HOP["v4"] + PER_HOP[V4_AGAIN] + PER_HOP["v2"]),
        (("curve", "crypto"), PER_HOP["curve"] + PER_HOP[CURVE_CRYPTO]),
        (("tricrypto", "weth"), PER_HOP[TRICRYPTO_2] + PER_HOP["weth"]),
        (("martian", "balancer", "vault"), PER_HOP["v2"] + PER_HOP["balancer"] + PER_HOP["vault"]),
    ],
)
def test_gas_by_kind(kinds: tuple[str, ...], gas: int) -> None:
    terms = {"v4": (address(9), 500, 10, address(0)), "curve": (0, 0, 1)}
    hops = []
    for at, kind in enumerate(kinds):
        pool = TRICRYPTO_2 if kind == "tricrypto" else address(at)
        if kind in ("crypto", "tricrypto"):
            hops.append(Hop(pool, "curve", TOKENS[0], TOKENS[1], (1, 0, 1)))
        else:
            hops.append(Hop(pool, kind, TOKENS[0], TOKENS[1], terms.get(kind, ())))
    policy = GasPolicy(WETH)
    assert policy.gas(tuple(hops)) == BASE + gas
    trade = Trade(tuple(hops), (1,) * (len(hops) + 1))
    assert policy.deal(trade) == BASE + gas
    basket = Basket(TOKENS[0], 1, 0, tuple(Swap(hop, 1, 1) for hop in hops))
    alone = sum(policy.hop(hop) + IN_BASKET for hop in hops)
    assert policy.deal(basket) == BASE + alone > BASE + gas


def test_the_least_is_two_pools_of_the_cheapest_kind() -> None:
    (least,) = GasPolicy(WETH).least(1).values()
    assert least == (BASE + 2 * PER_HOP["v2"]) * 9 // 10
