"""What counts as a whale's doing, what is asked for it, and what becomes of a forecast when heads come and go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import TOKENS, WETH, address, amounts, header, markets, sync

from bot import abi
from bot.amm.pool import Pool
from bot.amm.v2 import V2Pool
from bot.engine.types import Log, MinedTx, NewHead, PendingEffect, Signal, Transaction
from bot.market.market import Market
from bot.strategies import backrun
from bot.strategies.backrun import Backrun
from bot.strategies.gas import GasPolicy
from bot.strategies.whale_impact import NATIVE, TRANSFER, Impact, flows, moves, swapped
from bot.strategies.whale_record import HORIZON, PENDING, Record
from bot.strategies.whales import SizeRule, Whales

FREE = GasPolicy(WETH, base=0, per_hop={"v2": 0, "v3": 0})
HEAD = header(7, "0x7", "0x6")
WHALE, SAFE, BOT, HOT, DEPOSIT, STRANGER = (address(50 + number) for number in range(6))
SWAP = abi.topic("Swap(address,uint256,uint256,uint256,uint256,address)")
UNIT = 10**18
GIVEN = 10 * UNIT


@dataclass(frozen=True)
class Entry:
    label: str
    kind: str


LIST = {
    WHALE: Entry("whale", "wallet"),
    SAFE: Entry("safe", "wallet"),
    BOT: Entry("bot", "ignored"),
    HOT: Entry("X", "exchange"),
    DEPOSIT: Entry("X", "deposit"),
}


class Asked:
    """The list, and how often it was asked."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, address: str | None) -> Entry | None:
        self.count += 1
        return LIST.get(str(address))


def pools() -> list[V2Pool]:
    return [V2Pool(address(at), TOKENS[0], TOKENS[1], 1_000 * UNIT, 1_000 * UNIT) for at in range(3)]


def market_of(values: Sequence[Pool]) -> Market:
    market = Market([WETH])
    market.add(values)
    market.anchor(HEAD)
    return market


def swap_logs(pool: V2Pool, given: int) -> tuple[V2Pool, tuple[Log, Log]]:
    """Of ``given`` WETH: what a pair emits, and what it is then."""
    got = pool.quote_in(0, 1, given)
    after = replace(pool, reserve0=pool.reserve0 + given, reserve1=pool.reserve1 - got)
    data = b"".join(map(abi.encode, (given, 0, 0, got)))
    return after, (sync(pool.id, after.reserve0, after.reserve1), Log(pool.id, (SWAP, "0x0", "0x0"), data))


def transfer(giver: str, taker: str, amount: int, token: str = TOKENS[2]) -> Log:
    words = tuple(abi.to_hex(abi.encode(one)) for one in (giver, taker))
    return Log(token, (TRANSFER, *words), abi.encode(amount))


def tx(sender: str = WHALE, to: str | None = STRANGER, hash_: str = "0xabc", value: int = 0) -> Transaction:
    return Transaction(hash_, sender, to, value, b"", 0, 200_000, 2 * 10**9, 10**9, b"raw")


def effect(transaction: Transaction, *logs: Log) -> PendingEffect:
    return PendingEffect(transaction, logs, 120_000, seen_ns=5)


def head_of(number: int, *transactions: MinedTx, parent: str | None = None, hash_: str | None = None) -> NewHead:
    logs = tuple(log for one in transactions for log in one.logs)
    named = header(number, hash_ or f"0x{number}", parent or f"0x{number - 1}")
    return NewHead(named, logs, {}, transactions, seen_ns=9)


def mined(transaction: Transaction, *logs: Log) -> MinedTx:
    return MinedTx(transaction.hash, transaction.sender, transaction.to, 0, transaction.value, "0x", logs)


class World:
    """A market and the strategy on it, led from head to head."""

    def __init__(self, **more: object) -> None:
        self.market, self.asked = market_of(pools()), Asked()
        self.whales = Whales(self.market, FREE, self.asked, **more)  # type: ignore[arg-type]

    def head(self, event: NewHead) -> list[Signal]:
        self.market.follow(event.header, event.logs)
        return list(self.whales.process(event))

    def foretold(self) -> tuple[Signal, tuple[Log, ...]]:
        _, logs = swap_logs(pools()[0], GIVEN)
        (signal,) = self.whales.process(effect(tx(), *logs))
        return signal, logs

    def until_due(self, first: NewHead, *more: NewHead) -> list[Signal]:
        """From block 8, where the transaction should be, to where its forecast is due."""
        found = self.head(first)
        events = {event.header.number: event for event in more}
        for number in range(9, 8 + HORIZON + 1):
            found += self.head(events.get(number, head_of(number)))
        return [signal for signal in found if "came_true" in signal.data]


# --- pending ----------------------------------------------------------------------------------------------------------


def test_a_stranger_costs_two_questions_and_nothing_else() -> None:
    world = World()
    _, logs = swap_logs(pools()[0], GIVEN)
    with patch.object(Backrun, "behind", side_effect=AssertionError):
        assert world.whales.process(effect(tx(STRANGER), *logs)) == ()
    assert world.asked.count == 2


def test_a_watched_wallets_swap_is_told_with_price_and_what_is_left_behind_it() -> None:
    world = World()
    signal, _ = world.foretold()
    after, logs = swap_logs(pools()[0], GIVEN)
    (one,) = signal.data["impacts"]
    assert (one["amount_in"], one["amount_out"]) == (GIVEN, 1_000 * UNIT - after.reserve1)
    assert Fraction(one["price_before"]) == 1 and Fraction(one["price_after"]) == Fraction(
        after.reserve0, after.reserve1
    )
    assert one["bps"] == pytest.approx(200, abs=2)
    best = Backrun(world.market, FREE).process(effect(tx(), *logs))[0]
    assert signal.data["behind"]["gross_profit_wei"] == best.trade.gross_profit > 0
    assert (signal.subject, signal.tx, signal.block_number, signal.seen_ns) == (WHALE, "0xabc", 8, 5)
    assert signal.confidence == 0.5 and signal.data["advice"]["stance"] == "no record yet"
    assert signal.data["forecast"]["due_block"] == 8 + HORIZON
    assert "before it" not in signal.text and "directly behind it" in signal.text


@settings(deadline=None)
@given(markets(10**14, 10**22), st.integers(1, 10**20))
def test_what_is_left_behind_is_the_backruns_best(values: list[Pool], given: int) -> None:
    chosen = next((pool for pool in values if isinstance(pool, V2Pool)), None)
    if chosen is None or not chosen.quote_in(0, 1, given):
        return
    market = market_of(values)
    _, logs = swap_logs(chosen, given)
    event = effect(tx(), *logs)
    (signal,) = Whales(market, FREE, Asked()).process(event)
    found = Backrun(market, FREE).process(event)
    behind = signal.data["behind"]
    assert (behind is None) == (not found)
    if behind is not None:
        best = max(found, key=lambda one: one.trade.gross_profit).trade
        assert behind["gross_profit_wei"] == best.gross_profit and behind["pools"] == [hop.pool for hop in best.route]
        moved = [pool if pool is not chosen else swap_logs(chosen, given)[0] for pool in values]
        exact = amounts(moved, best.route, behind["amount_in"])
        assert exact is not None and exact[-1] - exact[0] == behind["gross_profit_wei"]


def test_the_search_is_not_done_twice() -> None:
    shared = Backrun(market_of(pools()), FREE)
    whales = Whales(shared._market, FREE, Asked(), backrun=shared)
    _, logs = swap_logs(pools()[0], GIVEN)
    event = effect(tx(), *logs)
    with patch.object(backrun, "search", wraps=backrun.search) as searched:
        trades = [one.trade for one in shared.process(event)]
        (signal,) = whales.process(event)
        assert searched.call_count == 1
        shared.process(effect(tx(hash_="0xdef"), *logs))
        assert searched.call_count == 2
    assert signal.data["behind"]["gross_profit_wei"] == trades[0].gross_profit


def test_whose_transaction_it_is() -> None:
    _, logs = swap_logs(pools()[0], GIVEN)
    whales = World(size=SizeRule(bps=100)).whales
    cases = [(tx(STRANGER, SAFE, "0x1"), SAFE), (tx(BOT, SAFE, "0x2"), None), (tx(STRANGER, None, "0x3"), STRANGER)]
    for transaction, subject in cases:
        found = whales.process(effect(transaction, *logs))
        assert [signal.subject for signal in found] == ([] if subject is None else [subject])
    assert whales.process(effect(tx(STRANGER, None, "0x3"), *logs)) == [], "told once"
    assert World(size=SizeRule(bps=300)).whales.process(effect(tx(STRANGER), *logs)) == []


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (SizeRule(bps=200), True),
        (SizeRule(bps=201), False),
        (SizeRule(worth={TOKENS[0]: 10}), True),
        (SizeRule(worth={TOKENS[0]: 11}), False),
        (SizeRule(worth={TOKENS[1]: 9}), True),
        (SizeRule(worth={TOKENS[1]: 10, TOKENS[2]: 1}), False),
        (SizeRule(), False),
    ],
)
def test_rules_of_size_are_exact(rule: SizeRule, fits: bool) -> None:
    one = Impact(address(1), "v2", 0, 1, TOKENS[0], TOKENS[1], 10, 9, 0, Fraction(10_000), Fraction(10_200))
    assert rule.fits([one]) == fits


def test_transfers_with_exchanges_have_a_direction() -> None:
    logs = (
        transfer(WHALE, DEPOSIT, 5),
        transfer(HOT, WHALE, 6),
        transfer(HOT, DEPOSIT, 7),
        transfer(STRANGER, HOT, 8),
        transfer(SAFE, HOT, 0),
        transfer(BOT, HOT, 9),
    )
    found = flows(Asked(), WHALE, HOT, 4, logs)
    assert [(flow.token, flow.amount, flow.wallet, flow.inward) for flow in found] == [
        (NATIVE, 4, WHALE, True),
        (TOKENS[2], 5, WHALE, True),
        (TOKENS[2], 6, WHALE, False),
    ]
    (own,) = flows(Asked(), STRANGER, DEPOSIT, 3, [transfer(address(99), HOT, 1)])
    assert (own.wallet, own.amount, own.inward) == (STRANGER, 3, True), "a sender counts whoever it is"
    (signal,) = World().whales.process(effect(tx(HOT, TOKENS[2]), transfer(HOT, WHALE, 6)))
    assert signal.subject == WHALE and signal.confidence is None and "from X" in signal.text
    assert World().whales.process(effect(tx(HOT, TOKENS[2]), transfer(HOT, STRANGER, 6))) == []


@settings(deadline=None)
@given(st.binary(max_size=200), st.lists(st.sampled_from(("0x", "0x" + "00" * 32)), max_size=4), st.integers(0, 10))
def test_logs_of_any_shape_are_read_or_passed_over(data: bytes, topics: list[str], which: int) -> None:
    from bot.strategies.whale_impact import _SWAPS

    market = market_of(pools())
    for topic in (list(_SWAPS)[which], TRANSFER):
        log = Log(address(0), (topic, *topics), data)
        swapped(pools()[0], log)
        moves(market.view, market.after([log]), [log])
        flows(Asked(), WHALE, HOT, 0, [log])
    Whales(market, FREE, Asked(), size=SizeRule(bps=1)).process(effect(tx(), Log(address(0), (), b""), log))


def test_coins_that_a_pool_has_not_got_are_not_believed() -> None:
    topic = abi.topic("TokenExchange(address,int128,uint256,int128,uint256)")
    log = Log(address(0), (topic, "0x0"), b"".join(map(abi.encode, (7, 10, 1, 9))))
    assert swapped(pools()[0], log) is None
    world = World()
    assert world.whales.process(effect(tx(), log, sync(address(0), UNIT, UNIT))) == []


# --- heads ------------------------------------------------------------------------------------------------------------


def test_a_move_that_lasts_and_one_that_does_not() -> None:
    start = pools()[0]
    moved, _ = swap_logs(start, GIVEN)
    for back, expected in ((0, True), (GIVEN // 3, True), (2 * GIVEN // 3, False)):
        world = World()
        signal, logs = world.foretold()
        later = sync(start.id, moved.reserve0 - back, moved.reserve1 + back)
        other = mined(tx(STRANGER, hash_="0xother"), later)
        (outcome,) = world.until_due(head_of(8, mined(tx(), *logs)), head_of(11, other))
        assert outcome.data["came_true"] == {"id": signal.data["forecast"]["id"], "happened": expected}
        assert (outcome.block_number, outcome.subject, outcome.confidence) == (8 + HORIZON, WHALE, None)
        assert world.whales.record.basis(PENDING, WHALE)[0] == (int(expected), 1)


def test_one_that_is_not_mined_or_fails_did_not_come_true() -> None:
    for first in (head_of(8), head_of(8, mined(tx()))):
        world = World()
        world.foretold()
        (outcome,) = world.until_due(first)
        assert outcome.data["came_true"]["happened"] is False and "not mined" in outcome.text


def test_one_that_a_reorganisation_takes_out_did_not_come_true() -> None:
    world = World()
    _, logs = world.foretold()
    world.head(head_of(8, mined(tx(), *logs)))
    other = mined(tx(STRANGER, hash_="0xother"), *logs)  # the price is as foretold, by somebody else's doing
    found = world.head(head_of(8, other, parent="0x7", hash_="0x8b"))
    world.head(head_of(9, parent="0x8b"))
    for number in range(10, 9 + HORIZON):
        found += world.head(head_of(number))
    (outcome,) = [signal for signal in found if "came_true" in signal.data]
    assert outcome.data["came_true"]["happened"] is False


def test_what_nobody_could_see_is_not_told() -> None:
    world = World()
    _, logs = world.foretold()
    world.head(head_of(8, mined(tx(), *logs)))
    world.market = world.whales._market = market_of(pools())  # read anew after a gap
    assert world.whales.process(head_of(8 + HORIZON + 3)) == []
    assert "0xabc" not in world.whales.record
    other = World()
    _, logs = other.foretold()
    other.head(head_of(8, mined(tx(), *logs)))
    other.market.remove([address(0)], "gone")
    assert other.until_due(head_of(9)) == []


def test_in_a_block_each_impact_is_that_of_its_place() -> None:
    world = World()
    first, logs1 = swap_logs(pools()[0], GIVEN)
    second, logs2 = swap_logs(first, GIVEN)
    event = head_of(8, mined(tx(STRANGER, hash_="0x1"), *logs1), mined(tx(hash_="0x2"), *logs2))
    (signal,) = world.head(event)
    (one,) = signal.data["impacts"]
    assert Fraction(one["price_before"]) == Fraction(first.reserve0, first.reserve1)
    assert Fraction(one["price_after"]) == Fraction(second.reserve0, second.reserve1)
    assert signal.data["what"] == "mined" and signal.block_number == 8 and signal.data["behind"] is not None
    assert signal.data["forecast"]["due_block"] == 8 + HORIZON


def test_where_the_block_before_is_not_known_the_impact_is_not() -> None:
    world = World()
    _, logs = swap_logs(pools()[0], GIVEN)
    world.market.follow(header(8, "0x8", "0x7"), ())  # the strategy did not see it
    (signal,) = world.head(head_of(9, mined(tx(), *logs)))
    assert signal.data["impacts"] == [] and address(0) in signal.data["unknown"] and signal.confidence is None
    _, more = swap_logs(swap_logs(pools()[0], GIVEN)[0], GIVEN)
    (signal,) = world.head(head_of(10, mined(tx(hash_="0xdef"), *more)))
    assert signal.data["impacts"]


def test_a_record_says_what_it_rests_on() -> None:
    record = Record({(PENDING, WHALE): (9, 10), (PENDING, SAFE): (0, 10)})
    whales = Whales(market_of(pools()), FREE, Asked(), record=record)
    _, logs = swap_logs(pools()[0], GIVEN)
    (good,) = whales.process(effect(tx(hash_="0x1"), *logs))
    (bad,) = whales.process(effect(tx(SAFE, hash_="0x2"), *logs))
    assert good.confidence is not None and bad.confidence is not None and good.confidence > 0.6 > 0.4 > bad.confidence
    assert good.data["advice"]["stance"] == "hedge or follow" and good.data["advice"]["own_record"] == [9, 10]
    assert bad.data["advice"]["stance"] == "neither hedge nor follow"
    assert good.data["advice"]["hedge"] == TOKENS[0] and good.data["advice"]["follow"] == TOKENS[1]
