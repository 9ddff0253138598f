"""V3Pool and V4Pool against what mainnet's quoters answered for WBTC/WETH and ETH/USDC (recorded by degenbot)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.amm.pool import NoLiquidity
from bot.amm.ticks import TickLiquidity, TickMap
from bot.amm.v3 import V3Pool
from bot.amm.v4 import V4Pool, pool_id

VECTORS = Path(__file__).parents[2].parent / "shared/data/vectors/degenbot"
pytestmark = pytest.mark.skipif(not VECTORS.exists(), reason="no ../shared/data beside the repository")

MAX_INT256 = 2**255 - 1


def recorded(folder: str, name: str) -> Any:
    return json.loads((VECTORS / folder / f"{name}.json").read_text())


def ticks_of(state: dict[str, Any]) -> TickMap:
    ticks = {int(tick): TickLiquidity(gross, net) for tick, (gross, net, _) in state["tick_data"].items()}
    return TickMap.complete(state["scalars"]["tick_spacing"], ticks)


def quote(pool: V3Pool | V4Pool, i: int, exact_in: bool, amount: int) -> int | None:
    try:
        return pool.quote_in(i, 1 - i, amount) if exact_in else pool.quote_out(i, 1 - i, amount)
    except NoLiquidity:
        return None


def test_every_quote_of_v3() -> None:
    state = recorded("chain_data", "uniswap_v3_wbtc_weth_block_24407242")
    scalars = state["scalars"]
    tokens = "0x2260fac5e5542a773aa44fbcfedf7c193bc2c599", "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
    price = scalars["sqrt_price_x96"], scalars["tick"], scalars["liquidity"]
    fixed = state["pool"].lower(), *tokens, scalars["fee"], scalars["tick_spacing"]
    pool = V3Pool(*fixed, *price, ticks_of(state))
    entries = recorded("golden", "test_cached_calculations_v3_wbtc_weth")["entries"]
    partial = 0
    for key, entry in entries.items():
        _, function, pair, amount = key.split("|")
        i, exact_in = 0 if pair == "WBTC->WETH" else 1, function == "quoteExactInputSingle"
        answer = quote(pool, i, exact_in, int(amount))
        if answer is None:  # the quoter tells what is there, where we refuse
            partial += 1
            everything = entries[f"{state['pool']}|quoteExactInputSingle|{pair}|{MAX_INT256}"]["value"]
            if exact_in:
                assert entry["value"] == everything
            else:
                assert everything < int(amount) and quote(pool, i, True, entry["value"]) == everything
        else:
            assert answer == entry["value"], key
    assert len(entries) - partial > 60


def test_every_quote_of_v4() -> None:
    state = recorded("chain_data", "uniswap_v4_eth_usdc_block_24407242")
    scalars = state["scalars"]
    tokens = state["token0"]["address"].lower(), state["token1"]["address"].lower()
    key = *tokens, scalars["fee"], scalars["tick_spacing"], "0x" + "00" * 20
    assert pool_id(*key) == state["pool_id"]
    price = scalars["sqrt_price_x96"], scalars["tick"], scalars["liquidity"]
    protocol_fee = scalars["protocol_fee_one_for_zero"] << 12 | scalars["protocol_fee_zero_for_one"]
    manager = state["pool_manager"].lower()
    pool = V4Pool(state["pool_id"], manager, *key, *price, ticks_of(state), scalars["lp_fee"], protocol_fee)
    entries = recorded("golden", "test_cached_calculations_v4_eth_usdc")["entries"]
    refused = 0
    for key_, entry in entries.items():
        _, function, pair, amount = key_.split("|")
        answer = quote(pool, 0 if pair == "ETH->USDC" else 1, function == "quoteExactInputSingle", int(amount))
        assert answer == entry.get("value"), key_
        refused += answer is None
    assert len(entries) == 88 and refused == sum("exception" in entry for entry in entries.values()) > 0
