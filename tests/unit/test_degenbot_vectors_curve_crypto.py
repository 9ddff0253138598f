"""Quotes that degenbot recorded from the chain, of the first tricrypto (0x80466c64868e1ab14a1ddf27a676c3fcbe638fe5)."""

from __future__ import annotations

import json
from functools import lru_cache

import pytest

from bot.amm.curve.crypto import CryptoPool
from bot.amm.pool import NoLiquidity
from bot.paths import repo_root

VECTORS = repo_root().parent / "shared" / "data" / "vectors" / "degenbot"
STATE = VECTORS / "chain_data" / "curve_tricrypto_block_24407242.json"
GOLDEN = VECTORS / "golden" / "test_curve_tricrypto_get_dy.json"

pytestmark = pytest.mark.skipif(not GOLDEN.is_file(), reason=f"the recorded quotes are not at {VECTORS}")


@lru_cache
def recorded() -> tuple[CryptoPool, list[str]]:
    """The pool and its coins' symbols. Its maths is tricrypto2's with A in hundredths instead of 10,000ths. What its
    getters for quotes do not need was not recorded: no supply, no virtual price."""
    state = json.loads(STATE.read_text())
    tokens = [token["address"].lower() for token in state["tokens"]]
    pool = CryptoPool(
        id=state["address"].lower(),
        tokens=(tokens[0], tokens[1], tokens[2]),
        generation="tricrypto2",
        lp_token=state["lp_token"]["address"].lower(),
        precisions=(10**12, 10**10, 1),
        time=state["block_timestamp"],
        balances=tuple(state["balances"]),
        d=state["d"],
        price_scale=tuple(state["price_scale"]),
        oracle=tuple(state["price_scale"]),
        last_prices=tuple(state["price_scale"]),
        last_time=state["block_timestamp"],
        a_gamma=state["a_coefficient"] * 10_000 << 128 | state["gamma"],
        ramp_to=0,
        mid_fee=state["mid_fee"],
        out_fee=state["out_fee"],
        fee_gamma=state["fee_gamma"],
        step=1,
        ma_time=600,
        xcp_profit=state["virtual_price"],
        virtual_price=state["virtual_price"],
        supply=state["lp_token_total_supply"],
    )
    return pool, [token["symbol"] for token in state["tokens"]]


def test_every_recorded_get_dy() -> None:
    pool, symbols = recorded()
    entries = json.loads(GOLDEN.read_text())["entries"]
    assert len(entries) == 18
    for name, entry in entries.items():
        address, _, pair, amount = name.split("|")
        i, j = map(symbols.index, pair.split("->"))
        assert address.lower() == pool.id
        assert pool.get_dy(i, j, int(amount)) == entry["value"], name


def test_the_recorded_fee() -> None:
    pool, _ = recorded()
    assert pool.fee() == json.loads(STATE.read_text())["fee"]


def test_nothing_is_given_for_nothing() -> None:
    pool, _ = recorded()
    with pytest.raises(NoLiquidity):
        pool.get_dy(0, 1, 0)
    assert pool.quote_in(0, 1, 0) == 0
