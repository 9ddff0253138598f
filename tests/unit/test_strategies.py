"""What the strategies make of a head and of a pending transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import TOKENS, WETH, address, all_cycles, amounts, header, log_for, markets, size_of, snapshot, sync

from bot.amm.pool import Pool
from bot.amm.v2 import V2Pool
from bot.engine.fees import next_base_fee
from bot.engine.types import NewHead, PendingEffect, PendingTx, Transaction
from bot.market.market import Market
from bot.market.search import search
from bot.strategies.arbitrage import Arbitrage
from bot.strategies.backrun import Backrun
from bot.strategies.gas import BASE, CHEAPEST_BPS, PER_HOP, GasPolicy
from bot.strategies.registry import strategies

FREE = GasPolicy(WETH, base=0, per_hop={"v2": 0, "v3": 0})
HEAD = header(7, "0x7", "0x6")
TX = Transaction("0xabc", address(50), address(51), 0, b"", 0, 200_000, 2 * 10**9, 10**9, b"raw")
UNIT = 10**18


def market_of(pools: Sequence[Pool]) -> Market:
    market = Market([WETH])
    market.add(pools)
    market.anchor(HEAD)
    return market


def even() -> list[V2Pool]:
    return [V2Pool(address(at), TOKENS[0], TOKENS[1], 100 * UNIT, 100 * UNIT) for at in range(3)]


def effect(*logs: tuple[int, int, int]) -> PendingEffect:
    moves = tuple(sync(address(at), reserve0, reserve1) for at, reserve0, reserve1 in logs)
    return PendingEffect(TX, moves, 120_000, seen_ns=5)


def head() -> NewHead:
    return NewHead(HEAD, (), {}, (), seen_ns=3)


@settings(deadline=None)
@given(markets(10**14, 10**22), st.data())
def test_a_backrun_is_exact_behind_its_transaction_and_better_than_without(
    pools: list[Pool], data: st.DataObject
) -> None:
    market = market_of(pools)
    before = snapshot(market)
    logs = tuple(log_for(pool, data.draw(st.integers(1, 10**20))) for pool in pools[:2])
    event = PendingEffect(TX, logs, 120_000, seen_ns=5)
    with patch("bot.strategies.backrun.MOST", 1_000):
        found = Backrun(market, FREE).process(event)
    assert snapshot(market) == before
    moved = {pool.id: pool for pool in pools} | {
        log.address: p.apply(log) for p, log in zip(pools[:2], logs, strict=True)
    }
    alone = {trade.route: trade.gross_profit for trade in search(market.view)}
    for one in found:
        assert one.behind is TX and one.block_number == HEAD.number + 1 and one.seen_ns == 5
        assert amounts(list(moved.values()), one.trade.route, one.trade.amounts[0]) == one.trade.amounts
        assert one.trade.gross_profit > alone.get(one.trade.route, 0)
    kept = {one.trade.route for one in found}
    for trade in search(market.after(logs)):
        size = size_of(market.view, market.graph.cycle(trade.route))
        assert trade.route in kept or (size is not None and trade.gross_profit <= size.ceiling)


def test_a_cycle_that_the_transaction_does_not_touch_or_makes_worse_is_not_a_backrun() -> None:
    pools = even()
    pools[2] = replace(pools[2], reserve1=110 * UNIT)
    backrun = Backrun(market_of(pools), FREE)
    assert backrun.process(effect()) == []
    assert backrun.process(effect((9, UNIT, UNIT))) == []
    narrowed = backrun.process(effect((2, 101 * UNIT, 109 * UNIT)))
    assert narrowed == []
    widened = backrun.process(effect((2, 99 * UNIT, 111 * UNIT)))
    assert [one.trade.route[0].pool for one in widened] == [address(2)] * 2
    assert [one.trade.route[1].pool for one in widened] == [address(0), address(1)]


def test_every_open_cycle_is_found_again_at_every_head() -> None:
    pools = even()
    pools[2] = replace(pools[2], reserve1=110 * UNIT)
    arbitrage = Arbitrage(market_of(pools), FREE)
    found = arbitrage.process(head())
    assert [one.trade.route[1].pool for one in found] == [address(0), address(1)]
    assert all(one.behind is None and one.block_number == 8 and one.seen_ns == 3 for one in found)
    assert arbitrage.process(head()) == found


def test_other_events_are_not_theirs() -> None:
    market = market_of(even())
    assert Arbitrage(market, FREE).process(effect((0, UNIT, UNIT))) == []
    assert Backrun(market, FREE).process(head()) == []
    assert [one.process(PendingTx(TX, 0)) for one in strategies(market, FREE)] == [[]] * 4
    assert [one.name for one in strategies(market, FREE)] == ["arbitrage", "joint", "backrun", "hint"]


def test_before_any_head_there_is_no_next_block_to_trade_in() -> None:
    market = Market([WETH])
    market.add(even())
    assert Backrun(market, FREE).process(effect((0, 99 * UNIT, 111 * UNIT))) == []


def test_what_cannot_pay_its_gas_is_turned_away() -> None:
    pools = even()
    pools[2] = replace(pools[2], reserve1=101 * UNIT)
    market = market_of(pools)
    profit = Arbitrage(market, FREE).process(head())[0].trade.gross_profit
    most = profit * 10_000 // CHEAPEST_BPS // next_base_fee(HEAD)
    for gas, left in ((most + 3, 0), (most - 3, 2)):
        found = Arbitrage(market, GasPolicy(WETH, base=gas, per_hop={"v2": 0})).process(head())
        assert [one.gas for one in found] == [gas] * left
        behind = Backrun(market_of(even()), GasPolicy(WETH, base=gas, per_hop={"v2": 0}))
        found = behind.process(effect((2, 100 * UNIT, 101 * UNIT)))
        assert [one.gas for one in found] == [gas] * left
    other = GasPolicy(TOKENS[3], base=most + 3, per_hop={"v2": 0})
    assert len(Arbitrage(market, other).process(head())) == 2, "not in gas money: execution decides"


def test_gas_grows_by_hop_and_the_least_is_below_every_estimate() -> None:
    policy = GasPolicy(WETH)
    market = market_of([*even(), V2Pool(address(5), TOKENS[1], TOKENS[2], UNIT, UNIT)])
    market.add([V2Pool(address(7), TOKENS[0], TOKENS[2], UNIT, UNIT)])
    by_hops = {len(cycle): policy.gas(market.graph.route(cycle)) for cycle in all_cycles(market)}
    assert by_hops == {2: BASE + 2 * PER_HOP["v2"], 3: BASE + 3 * PER_HOP["v2"]}
    assert policy.least(10)[WETH] < 10 * by_hops[2]


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        (15_000_000, 10**9),
        (30_000_000, 1_125_000_000),
        (0, 875_000_000),
        (15_000_001, 10**9 + 8),
        (22_500_000, 1_062_500_000),
    ],
)
def test_next_base_fee(used: int, expected: int) -> None:
    assert next_base_fee(replace(HEAD, gas_used=used)) == expected


def test_next_base_fee_rises_by_one_wei_at_least() -> None:
    assert next_base_fee(replace(HEAD, base_fee=7, gas_used=15_000_001)) == 8
