"""Trades behind private transactions: as good as behind public ones where all is told, and safe guesses where not."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from ledger_samples import opportunity
from markets import TOKENS, WETH, address, header, log_for, markets, snapshot, sync
from test_pipeline import World, world

from bot.amm.pool import NoLiquidity, Pool, UnknownState
from bot.amm.swapped import swap_in
from bot.amm.ticks import TickMap
from bot.amm.v2 import V2Pool
from bot.amm.v3 import BURN, SWAP, V3Pool
from bot.engine.types import (
    AccountDiff,
    Hint,
    Log,
    Opportunity,
    PendingEffect,
    Reason,
    SwapIntent,
    Trade,
    Transaction,
)
from bot.market.effect import Step, after_swaps, along
from bot.market.market import Market
from bot.market.search import search
from bot.market.view import View
from bot.strategies import hint as ladder
from bot.strategies.backrun import Backrun
from bot.strategies.gas import GasPolicy
from bot.strategies.hint import SWAPS, HintBackrun, rungs

FREE = GasPolicy(WETH, base=0, per_hop={"v2": 0, "v3": 0})
HEAD = header(7, "0x7", "0x6")
TX = Transaction("0xabc", address(50), address(51), 0, b"", 0, 200_000, 2 * 10**9, 10**9, b"raw")
ROUTER = address(60)
UNIT = 10**18
__all__ = ["world"]  # a fixture
EXAMPLES = 1_000 if os.environ.get("MEV_VERIFY") == "1" else 40
LEAST_SHARE = 0.3
EMPTY = TickMap.complete(60, {})
ZERO = "0x" + "00" * 32
V2_SWAP = "0xd78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822"


def market_of(pools: Sequence[Pool]) -> Market:
    market = Market([WETH])
    market.add(pools)
    market.anchor(HEAD)
    return market


def of(*logs: Log, swaps: tuple[SwapIntent, ...] = ()) -> Hint:
    return Hint("0x" + "cd" * 32, logs, swaps, seen_ns=9)


def hidden(pool: Pool) -> Log:
    """What MEV-Share tells of a swap by default."""
    topic = V2_SWAP if isinstance(pool, V2Pool) else SWAP
    return Log(pool.id, (topic, ZERO, ZERO), b"")


def told(pool: Pool) -> Log:
    """The log that leaves a pool as it is."""
    if isinstance(pool, V2Pool):
        return sync(pool.id, pool.reserve0, pool.reserve1)
    assert isinstance(pool, V3Pool)
    words = (1, -1 % 2**256, pool.sqrt_price, pool.liquidity, pool.tick % 2**256)
    return Log(pool.id, (SWAP,), b"".join(word.to_bytes(32, "big") for word in words))


def behind(opportunities: Sequence[Opportunity]) -> list[tuple[Trade, frozenset[str]]]:
    return [(one.trade, one.moved) for one in opportunities]


def lands(view: View, trade: Trade) -> bool:
    """Whether the pools of a state give each hop what its program asks of them. A pair pays just that, what another
    pool gives above it is left over; so then the gain is what was promised, or more."""
    for hop, amount_in, amount_out in zip(trade.route, trade.amounts, trade.amounts[1:], strict=False):
        pool = view.pool(hop.pool)
        assert pool is not None
        i, j = pool.tokens.index(hop.token_in), pool.tokens.index(hop.token_out)
        try:
            if pool.quote_in(i, j, amount_in) < amount_out:
                return False
        except NoLiquidity:
            return False
    return True


# --- all is told ------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=EXAMPLES)
@given(markets(10**14, 10**22), st.data())
def test_whole_logs_are_as_good_as_a_public_transaction(pools: list[Pool], data: st.DataObject) -> None:
    market = market_of(pools)
    before = snapshot(market)
    logs = tuple(log_for(pool, data.draw(st.integers(1, 10**20))) for pool in pools[:2])
    public = Backrun(market, FREE).process(PendingEffect(TX, logs, 120_000, seen_ns=5))
    private = HintBackrun(market, FREE).process(of(*logs))
    assert behind(private) == behind(public)
    assert all(one.seen_ns == 9 and one.block_number == 8 for one in private)
    assert snapshot(market) == before


@settings(deadline=None, max_examples=EXAMPLES)
@given(markets(10**14, 10**22), st.data())
def test_calldata_is_as_good_as_the_logs_that_come_of_it(pools: list[Pool], data: st.DataObject) -> None:
    pool = data.draw(st.sampled_from(pools))
    i, amount = data.draw(st.integers(0, 1)), data.draw(st.integers(1, 10**21))
    try:
        after, _, got = swap_in(pool, i, 1 - i, amount)
    except NoLiquidity:
        after, got = pool, 0
    market = market_of(pools)
    terms: tuple[int, ...] = (pool.fee,) if isinstance(pool, V3Pool) else ()
    intent = SwapIntent(pool.kind, ROUTER, (pool.tokens[i], pool.tokens[1 - i]), (terms,), True, amount, got)
    public = Backrun(market, FREE).process(PendingEffect(TX, (told(after),) if got else (), 1, seen_ns=5))
    found = HintBackrun(market, FREE).process(of(hidden(pool), swaps=(intent,)))
    if not got:  # reverts, whatever the log says
        assert all(pool.id in one.moved for one in found)
        return
    assert behind(found) == behind(public)


def test_a_call_that_would_revert_changes_nothing() -> None:
    pool = V2Pool(address(0), TOKENS[0], TOKENS[1], 100 * UNIT, 100 * UNIT)
    market = market_of([pool, replace(pool, id=address(1))])
    got = pool.quote_in(0, 1, 20 * UNIT)
    asks = SwapIntent("v2", ROUTER, TOKENS[:2], ((),), True, 20 * UNIT, got)
    strategy = HintBackrun(market, FREE)
    both = strategy.process(of(swaps=(asks,)))
    assert {one.moved for one in both} == {frozenset((address(0),)), frozenset((address(1),))}, "whose router?"
    assert strategy.process(of(swaps=(SwapIntent("v2", ROUTER, TOKENS[:2], ((),), True, 20 * UNIT, got + 1),))) == []
    one = strategy.process(of(hidden(pool), swaps=(asks,)))
    assert {opportunity.moved for opportunity in one} == {frozenset((address(0),))}, "the log tells"


def test_swaps_follow_each_other() -> None:
    pools = [
        V2Pool(address(0), TOKENS[0], TOKENS[1], 100 * UNIT, 100 * UNIT),
        V2Pool(address(1), TOKENS[1], TOKENS[2], 100 * UNIT, 100 * UNIT),
        V2Pool(address(2), TOKENS[0], TOKENS[2], 100 * UNIT, 100 * UNIT),
    ]
    view = market_of(pools).view
    first, second = Step(0, 0, 1), Step(1, 0, 1)
    (path,) = after_swaps(view, [SwapIntent("v2", ROUTER, TOKENS[:3], ((), ()), True, UNIT, None)])
    assert path.changes == along(view, (first, second), UNIT).changes
    one = SwapIntent("v2", ROUTER, TOKENS[:2], ((),), True, UNIT, None)
    rest = SwapIntent("v2", ROUTER, TOKENS[1:3], ((),), True, None, None)
    (chained,) = after_swaps(view, [one, rest])
    assert chained.changes == path.changes
    got = path.pool(address(1)).reserve1  # type: ignore[union-attr]
    out = SwapIntent("v2", ROUTER, TOKENS[:3], ((), ()), False, 100 * UNIT - got, UNIT)
    (exact,) = after_swaps(view, [out])
    assert [exact.pool(pool.id) for pool in pools] == [path.pool(pool.id) for pool in pools]
    assert after_swaps(view, [SwapIntent("v2", ROUTER, TOKENS[:3], ((), ()), False, 100 * UNIT - got, UNIT - 2)]) == []
    there, _, got = swap_in(pools[0], 0, 1, UNIT)
    assert along(view, (first, Step(0, 1, 0)), UNIT).pool(address(0)) == swap_in(there, 1, 0, got).pool
    for unsaid in (
        [rest],
        [SwapIntent("curve", ROUTER, TOKENS[:2], ((),), True, UNIT, None)],
        [SwapIntent("v2", address(0), (), ((),), False, UNIT, None, sides=(0, 1))],
    ):
        with pytest.raises(UnknownState):
            after_swaps(view, unsaid)


def test_a_pool_of_another_fee_is_not_meant() -> None:
    pools = [
        V3Pool(address(at), TOKENS[0], TOKENS[1], fee, 60, 2**96, 0, UNIT, EMPTY) for at, fee in ((0, 500), (1, 3000))
    ]
    view = market_of(pools).view
    (after,) = after_swaps(view, [SwapIntent("v3", ROUTER, TOKENS[:2], ((3000,),), True, 10**9, None)])
    assert after.changed == {address(1)}
    (called,) = after_swaps(view, [SwapIntent("v3", address(0), (), ((),), True, 10**9, None, sides=(1, 0))])
    assert called.changes == along(view, (Step(0, 1, 0),), 10**9).changes
    assert after_swaps(view, [SwapIntent("v3", ROUTER, TOKENS[:2], ((100,),), True, 10**9, None)]) == []


# --- the amount is kept back ------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=EXAMPLES)
@given(markets(10**18, 10**24), st.data())
def test_some_guess_lands_at_every_size_that_pays(pools: list[Pool], data: st.DataObject) -> None:
    pool = data.draw(st.sampled_from(pools))
    slot, i = pools.index(pool), data.draw(st.integers(0, 1))
    market = market_of(pools)
    view = market.view
    found = HintBackrun(market, FREE).process(of(hidden(pool)))
    assert len(found) <= 2 * ladder.RUNGS and all(pool.id in one.moved for one in found)
    step = data.draw(st.integers(0, ladder.STEPS - 1))
    try:
        size = ladder._size(view, Step(slot, i, 1 - i), step)
        below = along(view, (Step(slot, i, 1 - i),), size)
        true = along(view, (Step(slot, i, 1 - i),), int(size * data.draw(st.floats(1, 1.05))))
    except (NoLiquidity, UnknownState):
        assume(False)
        raise
    if search(below, below.changed, FREE.least(10**9), beyond=True, most=1):
        assert any(lands(true, one.trade) for one in found)


@pytest.mark.parametrize("i", [0, 1])
@pytest.mark.parametrize("tilt", [1000, 1004])
def test_the_guesses_together_gain_much_of_what_could_be_known(
    tilt: int, i: int, record_property: Callable[[str, object], None]
) -> None:
    reserve = 10**22
    pools = [
        V2Pool(address(0), TOKENS[0], TOKENS[1], reserve, reserve),
        V2Pool(address(1), TOKENS[0], TOKENS[1], reserve // 2, reserve * tilt // 2000),
    ]
    market = market_of(pools)
    found = HintBackrun(market, FREE).process(of(hidden(pools[0])))
    known = gained = 0
    for power in range(-240, -100, 4):
        true = along(market.view, (Step(0, i, 1 - i),), int(reserve * 10 ** (power / 100)))
        best = search(true, true.changed, FREE.least(10**9), beyond=True, most=1)
        landing = [one.trade.gross_profit for one in found if lands(true, one.trade)]
        known += sum(trade.gross_profit for trade in best)
        gained += max(landing, default=0)
        assert max(landing, default=0) <= max((trade.gross_profit for trade in best), default=0)
    record_property("share of what is gained with the amount known", gained / known)
    assert gained > known * LEAST_SHARE


def test_guesses_differ_in_name_and_stand_behind_the_hint() -> None:
    pools = [V2Pool(address(at), TOKENS[0], TOKENS[1], 100 * UNIT, 100 * UNIT) for at in range(2)]
    event = of(hidden(pools[0]))
    found = HintBackrun(market_of(pools), FREE).process(event)
    assert len(found) == 2 * ladder.RUNGS
    assert len({one.id for one in found}) == len(found)
    assert all(one.behind is event and one.behind.hash in one.id and one.moved == {address(0)} for one in found)
    dear = GasPolicy(WETH, base=10**9, per_hop={"v2": 0})
    assert HintBackrun(market_of(pools), dear).process(event) == []


def test_two_hidden_swaps_are_one_path_where_they_can_be() -> None:
    pools = [
        V2Pool(address(number), *ends, 100 * UNIT, 100 * UNIT)
        for number, ends in enumerate(combinations(TOKENS[:3], 2))
    ]
    market = market_of([*pools, *(replace(pool, id=address(9 + at)) for at, pool in enumerate(pools))])
    found = HintBackrun(market, FREE).process(of(hidden(pools[0]), hidden(pools[2])))
    assert {one.moved for one in found} == {frozenset((pools[0].id, pools[2].id))}
    true = along(market.view, (Step(0, 0, 1), Step(2, 0, 1)), 5 * UNIT)
    assert any(lands(true, one.trade) for one in found)
    back = along(market.view, (Step(2, 1, 0), Step(0, 1, 0)), 5 * UNIT)
    assert not any(lands(back, one.trade) for one in found)


def test_what_is_no_swap_is_unknown_and_not_traded_through() -> None:
    pools = [V2Pool(address(at), TOKENS[0], TOKENS[1], 100 * UNIT, 100 * UNIT) for at in range(3)]
    market = market_of(pools)
    strategy = HintBackrun(market, FREE)
    assert strategy.process(of(Log(address(0), (BURN, ZERO), b""))) == []
    found = strategy.process(of(Log(address(0), (BURN, ZERO), b""), hidden(pools[1])))
    assert found and not any(hop.pool == address(0) for one in found for hop in one.trade.route)
    assert strategy.process(of(Log(address(70), (V2_SWAP,), b""))) == []
    exact = strategy.process(of(hidden(pools[0]), sync(address(0), 120 * UNIT, 90 * UNIT)))
    assert exact == strategy.process(of(sync(address(0), 120 * UNIT, 90 * UNIT)))[:0] + exact
    assert {one.moved for one in exact} == {frozenset((address(0),))} and len(exact) == 2, "the Sync tells all"


def test_an_unknown_amount_follows_the_path_that_calldata_names() -> None:
    pools = [V2Pool(address(at), TOKENS[0], TOKENS[1], 100 * UNIT, 100 * UNIT) for at in range(2)]
    market = market_of(pools)
    asks = SwapIntent("v2", ROUTER, TOKENS[:2], ((),), True, None, None)
    found = HintBackrun(market, FREE).process(of(hidden(pools[1]), swaps=(asks,)))
    assert len(found) == ladder.RUNGS
    assert {one.trade.route[0].pool for one in found} == {address(0)}, "bought dear where nobody did, sold there"
    assert {one.trade.route[1].pool for one in found} == {address(1)}


def test_rungs_are_the_first_and_those_that_add_most() -> None:
    assert rungs([7]) == [0]
    assert rungs([1, 2, 3]) == [0, 1, 2]
    profits = [1, 1, 1, 1, 1, 1, 100, 100, 100, 100]
    assert rungs(profits)[:1] == [0] and 6 in rungs(profits)
    assert len(rungs(list(range(1, 30)))) == ladder.RUNGS


def test_the_topics_of_swaps() -> None:
    assert {V2_SWAP, SWAP} < SWAPS and BURN not in SWAPS


# --- what becomes of it -----------------------------------------------------------------------------------------------


async def test_what_cannot_be_proven_is_refused_and_nothing_goes_out(world: World) -> None:
    """Until there is a relay that puts a hint in front, no bundle of ours may hold only our own part."""
    hint = of(Log(address(0), (V2_SWAP,), b""))
    public = opportunity(100)
    await world.executor.execute([replace(public, behind=hint)])
    await world.executor.drain()
    assert world.executor.stats.refused == {Reason.SIMULATION_FAILED: 1}
    assert not world.sent and world.executor.open == 0
    await world.executor.execute([public])
    assert world.executor.open == 1, "its operator and nonce are free again"
    await world.executor.drain()


class Deaf(V2Pool):
    """A pool whose logs tell too little."""

    def apply(self, log: Log) -> V2Pool:
        raise UnknownState("told too little")


def test_what_the_logs_do_not_tell_a_diff_does() -> None:
    deaf = Deaf(address(0), TOKENS[0], TOKENS[1], 100 * UNIT, 100 * UNIT)
    market = market_of([deaf, V2Pool(address(1), TOKENS[0], TOKENS[1], 100 * UNIT, 100 * UNIT)])
    logs = (sync(address(0), 120 * UNIT, 90 * UNIT), sync(address(1), 100 * UNIT, 100 * UNIT))
    assert market.lacking(logs) == {address(0): {8}} and market.lacking(logs[1:]) == {}
    word = 90 * UNIT << 112 | 120 * UNIT
    told_all = PendingEffect(TX, logs, 1, 0, {address(0): AccountDiff(slots={8: word})})
    (found,) = Backrun(market, FREE).process(told_all)
    assert address(0) in found.moved
    assert Backrun(market, FREE).process(replace(told_all, diff=None)) == []
