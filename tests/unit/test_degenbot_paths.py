"""Two cycles that failed for another bot, with the states that it saw: ours must hold to the wei.

Of the one its solver predicted 519,687,513 wei too much out of the last pool, a v2 pair, and named that as output: the
pair's K check refuses it. Of the other it paid more into a v4 pool than its liquidity takes, and got nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.amm.pool import NoLiquidity, Pool
from bot.amm.ticks import TickLiquidity, TickMap
from bot.amm.v2 import V2Pool
from bot.amm.v3 import V3Pool
from bot.amm.v4 import V4Pool
from bot.engine.types import Trade
from bot.market import refine
from bot.market.market import Market
from bot.market.search import search
from bot.market.view import Legs

PATHS = Path(__file__).parents[3] / "shared/data/vectors/degenbot/paths"
NO_HOOK = "0x" + "00" * 20
OVERPREDICTED = "path110302_v3v4v2_block25711761.json"
BEYOND_LIQUIDITY = "path5000_v2v4v3_block25704509.json"


def recorded(name: str) -> tuple[Legs, dict[str, Any]]:
    """The pools in the order of the path, and what the solver found."""
    if not PATHS.exists():
        pytest.skip("recorded paths (../shared/data) are not beside this checkout")
    record = json.loads((PATHS / name).read_text())
    legs = [
        (pool_of(record["pools"][hop["pool"]]), *((0, 1) if hop["zero_for_one"] else (1, 0))) for hop in record["path"]
    ]
    return legs, record["recorded_solve"]


def pool_of(state: dict[str, Any]) -> Pool:
    if state["family"] == "uniswap_v2":
        tokens = state["token0"].lower(), state["token1"].lower()
        return V2Pool(state["address"].lower(), *tokens, int(state["reserve0"]), int(state["reserve1"]))
    spacing, price, tick = state["tick_spacing"], int(state["sqrt_price_x96"]), state["tick"]
    ticks = TickMap.complete(
        spacing,
        {
            int(at): TickLiquidity(int(held["liquidity_gross"]), int(held["liquidity_net"]))
            for at, held in state["tick_data"].items()
        },
    )
    liquidity = int(state["liquidity"])
    if state["family"] == "uniswap_v4":
        tokens = state["currency0"].lower(), state["currency1"].lower()
        fee = state["lp_fee"]
        key = *tokens, fee, spacing, NO_HOOK
        return V4Pool(
            state["pool_id"], state["pool_manager"], *key, price, tick, liquidity, ticks, fee, state["protocol_fee"]
        )
    tokens = state["token0"].lower(), state["token1"].lower()
    return V3Pool(state["address"].lower(), *tokens, state["fee_token0"], spacing, price, tick, liquidity, ticks)


def best(legs: Legs) -> Trade | None:
    pool, i, _ = legs[0]
    market = Market([pool.tokens[i]], len(legs))
    market.add(pool for pool, _, _ in legs)
    path = [pool.id for pool, _, _ in legs]
    return next((trade for trade in search(market.view) if [hop.pool for hop in trade.route] == path), None)


def holds(legs: Legs, trade: Trade) -> None:
    """Each pool gives what was promised for what the one before it gives, and a v2 pair's K check lets it."""
    for (pool, i, j), paid, out in zip(legs, trade.amounts, trade.amounts[1:], strict=False):
        assert pool.quote_in(i, j, paid) == out
        if isinstance(pool, V2Pool):
            assert pool.quote_out(i, j, out) <= paid < pool.quote_out(i, j, out + 1)
    around = range(max(1, trade.amounts[0] - 200), trade.amounts[0] + 201)
    chains = [refine.quote(legs, amount) for amount in around]
    assert max(chain[-1] - chain[0] for chain in chains if chain) <= trade.gross_profit


def test_a_last_v2_pool_pays_for_what_is_delivered_to_it() -> None:
    legs, solved = recorded(OVERPREDICTED)
    pair, i, j = legs[-1]
    delivered, predicted = int(solved["v2_input"]), int(solved["v2_predicted"])
    chain = refine.quote(legs, int(solved["optimal_input"]))
    assert chain is not None
    assert chain[1:-1] == tuple(map(int, solved["hop_outputs"][:-1]))
    assert pair.quote_in(i, j, delivered) == int(solved["v2_actual"]) == chain[-1] < predicted
    assert pair.quote_out(i, j, predicted) == delivered + 1
    trade = best(legs)
    assert trade is not None
    assert trade.gross_profit >= chain[-1] - chain[0] > 0
    holds(legs, trade)


def test_a_size_ends_where_the_liquidity_does() -> None:
    legs, solved = recorded(BEYOND_LIQUIDITY)
    paid = int(solved["optimal_input"])
    pool, i, j = legs[1]
    with pytest.raises(NoLiquidity):
        pool.quote_in(i, j, int(solved["v4_input"]))
    assert refine.quote(legs, paid) is None
    trade = best(legs)
    assert trade is not None
    assert trade.amounts[0] < paid
    holds(legs, trade)
