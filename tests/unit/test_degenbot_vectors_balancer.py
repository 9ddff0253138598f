"""Balancer's querySwap of real mainnet pools, as degenbot recorded it, against our pools in the same state."""

from __future__ import annotations

import json
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bot.amm.balancer.fixed_point import ONE
from bot.amm.balancer.stable import Amp, Rate, StablePool
from bot.amm.balancer.vault import Holdings
from bot.amm.balancer.weighted import WeightedPool

VECTORS = Path(__file__).parents[2].parent / "shared/data/vectors/degenbot"
pytestmark = pytest.mark.skipif(not VECTORS.exists(), reason="no ../shared/data beside the repository")

COUNTS = {
    "test_balancer_v2_expanded_two_token_given_in": 108,
    "test_balancer_v2_stable_query_swap_given_in": 108,
    "test_balancer_v2_usdc_weth_query_swap": 18,
}


@cache
def states() -> dict[str, dict[str, Any]]:
    """By pool address."""
    files = [json.loads(path.read_text()) for path in sorted((VECTORS / "chain_data").glob("balancer_*.json"))]
    return {file["address"].lower(): file for file in files}


def pool_of(state: dict[str, Any]) -> WeightedPool | StablePool:
    """Factories' block numbers are not in the data: ``pow_version`` and ``invariant_version`` tell the contract's
    version, 2 being the one of 2021 for invariants and that of 2022 for powers."""
    tokens = tuple(token["address"].lower() for token in state["tokens"])
    nothing = (0,) * len(tokens)
    holdings = Holdings(state["vault"].lower(), state["pool_id"].lower(), tokens, tuple(state["balances"]), nothing)
    fee = Fraction(state["fee"]) * ONE
    assert fee.denominator == 1
    scaling = tuple(10 ** (18 - token["decimals"]) for token in state["tokens"])
    if "weights" in state:
        return WeightedPool(holdings, tuple(state["weights"]), scaling, int(fee), state["pow_version"] == "v2")
    traded = [place for place in range(len(tokens)) if place != state["bpt_idx"]]
    rates = tuple(Rate(state["resolved_rates"][place]) for place in traded)
    amp = Amp(state["amp"], state["amp"], 0, 0)
    scaling = tuple(scaling[place] for place in traded)
    return StablePool(holdings, scaling, int(fee), amp, rates, state["invariant_version"] == 2, 0)


@pytest.mark.parametrize("name", COUNTS)
def test_every_recorded_swap_is_quoted_exactly(name: str) -> None:
    entries = json.loads((VECTORS / "golden" / f"{name}.json").read_text())["entries"]
    exact = 0
    for key, entry in entries.items():
        address, _, kind, *way, amount = key.split("|")
        state = states()[address.lower()]
        assert kind == "GIVEN_IN"
        pool = pool_of(state)
        i, j = (pool.tokens.index(token) for token in ends(state, way))
        assert pool.quote_in(i, j, int(amount)) == entry["value"], key
        exact += 1
    assert exact == COUNTS[name]


def ends(state: dict[str, Any], way: list[str]) -> tuple[str, str]:
    """Tokens in and out: by index among all tokens, or by symbol."""
    addresses = [token["address"].lower() for token in state["tokens"]]
    if len(way) == 1:
        by_symbol = {token["symbol"]: token["address"].lower() for token in state["tokens"]}
        first, second = way[0].split("->")
        return by_symbol[first], by_symbol[second]
    first, second = (addresses[int(part.split("=")[1])] for part in way)
    return first, second


def test_every_pool_that_was_recorded_is_understood() -> None:
    for state in states().values():
        pool = pool_of(state)
        assert len(pool.tokens) == len(state["tokens"]) - (state.get("bpt_idx") is not None)
        amount = pool.holdings.cash[pool.holdings.tokens.index(pool.tokens[0])] // 100
        got = pool.quote_in(0, 1, amount)
        assert got > 0 and pool.quote_in(0, 1, pool.quote_out(0, 1, got)) >= got
