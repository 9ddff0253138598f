"""Curve's StableSwap views as recorded on the chain: 3pool, and the metapool of RAI and 3pool's LP token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.amm.curve.generations import STABLE_2020, STABLE_META, Generation
from bot.amm.curve.liquidity import get_dy, get_dy_underlying, virtual_price
from bot.amm.curve.state import StableState

VECTORS = Path(__file__).parents[2].parent / "shared/data/vectors/degenbot"
pytestmark = pytest.mark.skipif(not VECTORS.exists(), reason=f"no {VECTORS}")

CACHE_TIME = 600
"""BASE_CACHE_EXPIRES of the metapools of 2020 and 2021, in seconds."""


def chain_data(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((VECTORS / "chain_data" / f"{name}.json").read_text())
    return data


def golden(name: str) -> Iterator[tuple[str, str, str, int, int]]:
    """View, coins in and out by their symbols, input, what was answered."""
    entries = json.loads((VECTORS / "golden" / f"{name}.json").read_text())["entries"]
    for key, entry in entries.items():
        _, view, pair, amount = key.split("|")
        yield view, *pair.split("->"), int(amount), entry["value"]


def state(data: dict[str, Any], kind: Generation) -> StableState:
    rates = tuple(10 ** (36 - token["decimals"]) for token in data["tokens"])
    amp = data["a_coefficient"] * kind.a_precision
    return StableState(kind.name, tuple(data["balances"]), rates, amp, data["fee"], data["admin_fee"])


def symbols(tokens: list[dict[str, Any]]) -> list[str]:
    return [token["symbol"] for token in tokens]


def test_3pool() -> None:
    data = chain_data("curve_tripool_block_24407242")
    pool, names, apart = state(data, STABLE_2020), symbols(data["tokens"]), []
    for view, sold, bought, amount, value in golden("test_curve_tripool_get_dy"):
        assert view == "get_dy"
        i, j = names.index(sold), names.index(bought)
        assert get_dy(pool, i, j, amount) == value
        apart.append(pool.exchange(i, j, amount)[0] - value)
    assert len(apart) == 18 and set(apart) == {-1, 0}  # exchange rounds at another place


def test_the_metapool_and_through_it() -> None:
    """The virtual price is the cached one while that is young enough; the recorded one of the base pool is another."""
    data = chain_data("curve_metapool_rai_3crv_block_25144000")
    base, supply = state(data["base_pool"], STABLE_2020), data["base_pool"]["lp_token_total_supply"]
    assert data["block_timestamp"] <= data["base_cache_updated"] + CACHE_TIME
    price = data["base_virtual_price"]
    assert virtual_price(base, supply) == data["base_pool"]["virtual_price"]
    assert price != data["base_pool"]["virtual_price"]
    pool = replace(state(data, STABLE_META), rates=(data["redemption_price"], price))
    names, underlying, checked = symbols(data["tokens"]), symbols(data["tokens_underlying"]), []
    for view, sold, bought, amount, value in golden("test_curve_metapool_get_dy"):
        if view == "get_dy":
            answer = pool.exchange(names.index(sold), names.index(bought), amount)[0]
        else:
            coins = underlying.index(sold), underlying.index(bought)
            answer = get_dy_underlying(pool, base, supply, price, *coins, amount)
        assert answer == value, (view, sold, bought, amount)
        checked.append(view)
    assert checked.count("get_dy") == 6 and checked.count("get_dy_underlying") == 36
