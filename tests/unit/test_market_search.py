"""Search and sizing against brute force: what is found is exact, and nothing better is missed."""

from __future__ import annotations

import json
import random
from math import inf, sqrt
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import TOKENS, WETH, address, all_cycles, all_routes, amounts, best_by_trying, markets, pools, size_of

from bot.amm.pool import Pool
from bot.amm.tick_math import sqrt_ratio_at_tick
from bot.amm.ticks import TickLiquidity, TickMap
from bot.amm.v2 import V2Pool
from bot.amm.v3 import V3Pool
from bot.amm.v4 import V4Pool
from bot.engine.types import Route
from bot.market import refine
from bot.market.kernels import NONE
from bot.market.market import Market
from bot.market.search import search

PATHS = Path(__file__).parents[3] / "shared/data/vectors/degenbot/paths"
TINY = 400
NO_HOOK = "0x" + "00" * 20


def market_of(pools: list[Pool], hops: int = 3) -> Market:
    market = Market([WETH], hops)
    market.add(pools)
    return market


def gain_of(chain: tuple[int, ...] | None) -> float:
    return -inf if chain is None else chain[-1] - chain[0]


def worth_of_a_unit(pools: list[Pool], route: Route, chain: tuple[int, ...], hop: int) -> int:
    """What the cycle yields less when one unit less goes into this hop."""
    less = amounts(pools, route[hop:], chain[hop] - 1)
    return chain[-1] - less[-1] + 1 if less else 1


@settings(max_examples=150, deadline=None)
@given(markets(20, TINY, 4))
def test_finds_what_trying_every_input_of_every_route_finds(pools: list[Pool]) -> None:
    expected = {}
    for route in all_routes(pools, WETH, 4):
        gain = best_by_trying(pools, route, TINY)
        if gain:
            expected[route] = gain
    found = {trade.route: trade.gross_profit for trade in search(market_of(pools, 4).view)}
    assert found == expected


@settings(deadline=None)
@given(markets(10**14, 10**22), st.randoms(use_true_random=False))
def test_trades_are_exact_sorted_and_the_same_in_every_run(pools: list[Pool], rng: random.Random) -> None:
    trades = search(market_of(pools).view)
    for trade in trades:
        assert amounts(pools, trade.route, trade.amounts[0]) == trade.amounts
        assert trade.gross_profit > 0
        assert trade.token == WETH == trade.route[-1].token_out
        assert len({hop.pool for hop in trade.route}) == len(trade.route)
    keys = [(-trade.gross_profit, tuple(hop.pool for hop in trade.route)) for trade in trades]
    assert keys == sorted(keys)
    assert len({trade.route for trade in trades}) == len(trades)
    rng.shuffle(pools)
    assert search(market_of(pools).view) == trades


@settings(deadline=None)
@given(st.one_of(markets(10**4, 10**8), markets(10**9, 10**14), markets(10**17, 10**23)))
def test_refined_amounts_beat_their_neighbours_and_the_float_never_underestimates(pools: list[Pool]) -> None:
    for route in all_routes(pools, WETH, 3):
        view = market_of(pools).view
        legs = view.legs(view.graph.cycle(route))
        assert legs is not None
        size = size_of(view, view.graph.cycle(route))
        exact = refine.refine(legs, size.amount, size.spread) if size else None
        if size is None or exact is None:
            continue
        gain = exact[-1] - exact[0]
        assert gain <= size.ceiling
        near = [exact[0] + by for by in range(-2, 3) if exact[0] + by > 0]
        assert max(gain_of(amounts(pools, route, amount)) for amount in near) == gain
        rounding = 2 * sum(worth_of_a_unit(pools, route, exact, hop) for hop in range(len(route)))
        for part in (1, 500, 900, 999, 1001, 1100, 2000, 100_000):
            assert gain_of(amounts(pools, route, exact[0] * part // 1000)) <= gain + rounding, part


@settings(deadline=None)
@given(pools(0, 10**9, 10**18), st.booleans())
def test_a_search_by_what_changed_finds_what_a_full_one_finds_there(pool: Pool, known: bool) -> None:
    rest: list[Pool] = [
        V2Pool(address(1), TOKENS[0], TOKENS[1], 10**18, 10**18),
        V2Pool(address(2), TOKENS[0], TOKENS[1], 10**18, 2 * 10**18),
        V2Pool(address(3), TOKENS[0], TOKENS[2], 10**18, 10**18),
        V2Pool(address(4), TOKENS[1], TOKENS[2], 3 * 10**18, 10**18),
    ]
    market = market_of([*rest, pool])
    if not known:
        market.remove([pool.id])
    everything = search(market.view)
    through = [trade for trade in everything if pool.id in {hop.pool for hop in trade.route}]
    assert search(market.view, [pool.id]) == through
    assert known or not through
    least = everything[0].gross_profit
    assert search(market.view, least={WETH: least}) == [t for t in everything if t.gross_profit >= least]


def coarse_market() -> list[Pool]:
    """18 decimals against 6: one unit of the stable coin costs 4e8 wei."""
    return [
        V2Pool(address(0), TOKENS[0], TOKENS[1], 1000 * 10**18, 2_500_000 * 10**6),
        V2Pool(address(1), TOKENS[0], TOKENS[1], 800 * 10**18, 2_030_000 * 10**6),
    ]


def test_pays_no_more_than_the_least_input_for_a_coarse_amount() -> None:
    pools = coarse_market()
    (trade,) = search(market_of(pools).view)
    assert trade.amounts[1] < 10**12
    one_less = amounts(pools, trade.route, trade.amounts[0] - 1)
    assert one_less is not None and one_less[1] == trade.amounts[1] - 1
    # two constant products: (sqrt(k² x1 y1 x2 y2) - x1 x2) / (k x2 + k² y1), WETH sold where it is dear
    x1, y1, x2, y2, keep = 800e18, 2_030_000e6, 2_500_000e6, 1000e18, 0.997
    best = (keep * sqrt(x1 * y1 * x2 * y2) - x1 * x2) / (keep * x2 + keep**2 * y1)
    assert trade.amounts[0] == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("tries", [1, 64, refine.LONGEST_SEARCH])
def test_refining_tries_a_bounded_number_of_candidates_even_on_a_saw(tries: int) -> None:
    """A v3 fee rounds up on a coarse token: now and then two amounts of it buy the same, and the gain rises wei by wei
    all the way from one to the other."""
    around = TickMap.complete(60, {-199_980: TickLiquidity(10**17, 10**17), -189_960: TickLiquidity(10**17, -(10**17))})
    pools: list[Pool] = [
        V2Pool(address(0), TOKENS[0], TOKENS[1], 4000 * 10**18, 12_000_000 * 10**6),
        V3Pool(address(1), TOKENS[0], TOKENS[1], 10_000, 60, sqrt_ratio_at_tick(-197_000), -197_000, 10**17, around),
    ]
    view = market_of(pools).view
    (trade,) = search(view)
    legs = view.legs(view.graph.cycle(trade.route))
    assert legs is not None
    a_unit = trade.amounts[0] // trade.amounts[1]
    for units in (-(10**11), -(10**9), *range(-150, 150), 10**10, 10**12):
        with patch.object(V2Pool, "quote_in", autospec=True, side_effect=V2Pool.quote_in) as asked:
            refine.refine(legs, trade.amounts[0] + units * a_unit, trade.amounts[0] * 1e-3, tries=tries)
        assert asked.call_count < tries + 40, "each candidate asks it once; so do the first and the last amounts"


@pytest.mark.parametrize("off", [0.99, 0.9999, 1.0001, 1.01])
def test_climbs_to_the_optimum_from_a_float_that_is_wrong(off: float) -> None:
    view = market_of(coarse_market()).view
    (trade,) = search(view)
    legs = view.legs(view.graph.cycle(trade.route))
    assert legs is not None
    found = refine.refine(legs, trade.amounts[0] * off, spread=trade.amounts[0] * 1e-4)
    assert found is not None
    assert trade.gross_profit - (found[-1] - found[0]) < 10**9, "a unit of the coarse token is worth 4e8 wei"


def test_ends_where_the_known_range_ends() -> None:
    """A v3 pool read in one bitmap word only: the optimum lies beyond it, and is not guessed at."""
    ticks = TickMap(60, {0: 0}, {})
    narrow = V3Pool(address(0), TOKENS[0], TOKENS[1], 500, 60, 1 << 96, 0, 10**18, ticks)
    dear = V2Pool(address(1), TOKENS[0], TOKENS[1], 10**22, 3 * 10**23)
    pools: list[Pool] = [narrow, dear]
    view = market_of(pools).view
    assert search(view) != []
    for trade in search(view):
        assert amounts(pools, trade.route, trade.amounts[0]) == trade.amounts
        assert amounts(pools, trade.route, trade.amounts[0] * 11 // 10) is None, "it went as far as is known"


def test_a_market_without_a_gain_or_with_an_empty_pool_has_no_trades() -> None:
    even = [V2Pool(address(number), TOKENS[0], TOKENS[1], 10**18, 10**18) for number in range(3)]
    assert search(market_of(list(even)).view) == []
    empty = V2Pool(address(3), TOKENS[0], TOKENS[1], 0, 0)
    skewed = V2Pool(address(4), TOKENS[0], TOKENS[1], 10**18, 2 * 10**18)
    trades = search(market_of([*even, empty, skewed]).view)
    assert len(trades) == 3
    assert all(address(3) not in {hop.pool for hop in trade.route} for trade in trades)


# --- recorded pool states --------------------------------------------------------------------------------------------


def recorded(name: str) -> list[Pool]:
    """The pools of a recorded path, on one token pair; fees are not recorded, ticks are all there are."""
    if not PATHS.exists():
        pytest.skip("recorded paths (../shared/data) are not beside this checkout")
    found: list[Pool] = []
    for at, state in json.loads((PATHS / name).read_text())["pool_states"].items():
        if state["type"] == "v2":
            reserves = state["reserves_token0"], state["reserves_token1"]
            found.append(V2Pool(at.lower(), TOKENS[0], TOKENS[1], *reserves))
            continue
        ticks = {
            int(tick): TickLiquidity(held["liquidity_gross"], held["liquidity_net"])
            for tick, held in state["tick_data"].items()
        }
        tokens, spacing = TOKENS[:2], 60
        inside = state["sqrt_price_x96"], state["tick"], state["liquidity"], TickMap.complete(spacing, ticks)
        if state["type"] == "v4":
            found.append(V4Pool(at, state["address"], *tokens, 3000, spacing, NO_HOOK, *inside, 3000))
        else:
            found.append(V3Pool(at.lower(), *tokens, 3000, spacing, *inside))
    return found


@pytest.mark.parametrize(
    "name",
    [
        "simple_v2_arb_profitable.json",
        "simple_v2_arb_cross_fee.json",
        "simple_v3_arb_same_tick_spacing.json",
        "simple_v3_arb_cross_fee_tier.json",
        "simple_mixed_v2_v3.json",
        "simple_v4_arb.json",
        "simple_v4_vs_v3.json",
    ],
)
def test_recorded_paths_against_golden_section(name: str) -> None:
    """Against a search that knows nothing of segments: ternary on the exact quotes alone."""
    pools = recorded(name)
    view = market_of(pools).view
    for route in all_routes(pools, WETH, 2):
        low, high = 0, 10**20
        while high - low > 100:
            third = (high - low) // 3
            left, right = (gain_of(amounts(pools, route, at)) for at in (low + third, high - third))
            low, high = (low + third, high) if left < right else (low, high - third)
        best = max(gain_of(amounts(pools, route, at)) for at in range(low, high + 1))
        gain = max((trade.gross_profit for trade in search(view) if trade.route == route), default=0)
        assert gain >= max(0, best - 1), name


@settings(deadline=None)
@given(markets(10**15, 10**20))
def test_open_cycles_are_those_that_a_small_amount_gains_on(pools: list[Pool]) -> None:
    market = market_of(pools)
    opened = {tuple(leg for leg in row if leg != NONE) for row in market.arrays.open_cycles().tolist()}
    for cycle in all_cycles(market):
        chain = amounts(pools, market.graph.route(cycle), 10**9)
        assert cycle in opened or not chain or chain[-1] <= chain[0]
