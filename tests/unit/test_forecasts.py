"""Forecasts in the ledger, their score, and how well a wallet's record foretells its next trade."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_samples import SENDER, intent
from markets import address, header

from bot.engine.types import NewHead, Outcome, Reason, Signal
from bot.ledger import schema
from bot.ledger.forecasts import Forecast, score
from bot.ledger.journal import Journal
from bot.ledger.ledger import Ledger
from bot.ledger.reader import Reader
from bot.ledger.records import RunKind
from bot.ledger.schema import LedgerError
from bot.strategies.whale_record import FIRST_STRENGTH, MINED, PENDING, STRENGTHS, Record

WALLET = address(1)
FORECASTS = 40_000 if os.environ.get("MEV_VERIFY") else 8_000


@pytest.fixture(autouse=True)
def plain_logs() -> None:
    """Commands that earlier tests ran left the logs with a stderr of their own."""
    structlog.reset_defaults()


def made(name: str, confidence: float = 0.5, subject: str = WALLET, kind: str = PENDING) -> Signal:
    data = {"forecast": {"id": name, "kind": kind, "due_block": 15}, "huge": 1 << 200}
    return Signal("whales", subject, "0x" + name, 10, 7, confidence, "", data)


def known(name: str, happened: bool, subject: str = WALLET) -> Signal:
    return Signal("whales", subject, "0x" + name, 15, 9, None, "", {"came_true": {"id": name, "happened": happened}})


def opened(path: Path, chain_id: int = 1) -> Ledger:
    ledger = Ledger.open(path)
    ledger.begin_run(RunKind.RUN, profile="test", chain_id=chain_id)
    return ledger


# --- the ledger -------------------------------------------------------------------------------------------------------


def test_forecasts_come_back_with_what_came_of_them(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with opened(path) as ledger:
        ledger.record_forecasts([made("a", 0.25), made("b"), made("c", subject=SENDER, kind=MINED)])
        ledger.record_forecasts([made("a", 0.99), known("a", True), known("c", False), known("c", True)])
        ledger.record_forecasts([known("never foretold", True)])
        assert ledger.tallies(1) == {(PENDING, WALLET): (1, 1), (MINED, SENDER): (0, 1)}
        assert ledger.tallies(2) == {}
    with Reader.open(path) as reader:
        last, second, first = reader.forecasts()
        assert [one.id for one in reader.forecasts("whale", SENDER)] == ["c"]
        assert [one.id for one in reader.forecasts(PENDING, limit=1)] == ["b"]
    assert (first.id, first.confidence, first.happened, first.known_block, first.due_block) == ("a", 0.25, True, 15, 15)
    assert first.data["huge"] == 1 << 200 and first.tx == "0xa" and first.made_ns == 7
    assert second.happened is None and last.happened is False


def test_the_same_transaction_may_be_foretold_in_each_run(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    for happened in (True, False):
        with opened(path) as ledger:
            ledger.record_forecasts([made("a"), known("a", happened)])
    with Reader.open(path) as reader:
        assert reader.tallies() == {(PENDING, WALLET): (1, 2)}


def old_ledger(path: Path) -> None:
    """As version 1 wrote it: the same without the new tables."""
    with opened(path) as ledger:
        ledger.record_intent(intent("a", ledger.reserve_nonce(SENDER, 0)))
        ledger.record_outcome(Outcome("a", Reason.LANDED, "", 5, 100, 2, 3))
    connection = sqlite3.connect(path)
    for table in ("forecast_outcomes", "forecasts"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()


def test_an_older_ledger_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    old_ledger(path)
    before = path.read_bytes()
    with Reader.open(path) as reader:
        assert reader.forecasts() == [] and reader.tallies() == {}
        assert [entry.id for entry in reader.entries()] == ["a"]
    assert path.read_bytes() == before


def test_an_older_ledger_gets_what_it_lacks_when_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    old_ledger(path)
    with opened(path) as ledger:
        ledger.record_forecasts([made("b")])
        assert [entry.id for entry in ledger.entries()] == ["a"]
        assert ledger.reserve_nonce(SENDER, 0) == 0
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == schema.SCHEMA_VERSION
    for table in ("forecasts", "intents"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608
    with opened(tmp_path / "new.sqlite") as ledger:
        new = {row[0] for row in ledger._connection.exec_driver_sql(_STATEMENTS)}
    assert {row[0] for row in connection.execute(_STATEMENTS)} == new


_STATEMENTS = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type, name"


async def test_the_journal_writes_at_heads_and_at_the_end(tmp_path: Path) -> None:
    head = NewHead(header(1, "0x1", "0x0"), (), {}, (), 1)
    with opened(tmp_path / "ledger.sqlite") as ledger:
        journal = Journal(ledger)
        journal.take(made("a"))
        journal.take(Signal("whales", WALLET, "0x", 1, 1, None, "", {}))
        assert ledger.forecasts() == []
        await journal.adapt(head)
        await asyncio.wait_for(journal.close(), 5)
        assert [one.id for one in ledger.forecasts()] == ["a"]
        journal.take(known("a", True))
        await journal.close()
        assert ledger.forecasts()[0].happened is True


async def test_what_could_not_be_written_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path / "ledger.sqlite") as ledger:
        journal = Journal(ledger)
        journal.take(made("a"))

        def fails(signals: object) -> None:
            raise LedgerError("the disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(ledger, "record_forecasts", fails)
            await journal.close()
        journal.take(known("a", True))
        await journal.close()
        assert ledger.forecasts()[0].happened is True


# --- the score --------------------------------------------------------------------------------------------------------


def forecast(confidence: float, happened: bool | None) -> Forecast:
    return Forecast(1, "", PENDING, WALLET, "", 1, 6, confidence, {}, 0, happened)


def test_a_score_by_hand() -> None:
    found = score(
        [forecast(0.8, True), forecast(0.8, False), forecast(0.3, False), forecast(1.0, True), forecast(0.1, None)]
    )
    assert (found.made, found.known, found.rate) == (5, 4, 0.5)
    assert found.brier == pytest.approx((0.04 + 0.64 + 0.09 + 0) / 4) and found.baseline == 0.25
    assert [(one.low, one.count, one.happened) for one in found.bins] == [(0.3, 1, 0), (0.8, 1 + 1, 0.5), (0.9, 1, 1)]
    assert score([forecast(0.1, None)]).brier is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_the_bins_hold_each_forecast_once(pairs: list[tuple[float, bool]]) -> None:
    found = score([forecast(*pair) for pair in pairs])
    assert sum(one.count for one in found.bins) == len(pairs)
    assert all(one.low <= one.foretold + 1e-9 and one.foretold <= one.high + 1e-9 for one in found.bins)
    assert found.brier is not None and 0 <= found.brier <= 1


# --- calibration ------------------------------------------------------------------------------------------------------


def test_a_wallet_without_a_record_has_all_wallets_rate() -> None:
    record = Record({(PENDING, address(2)): (90, 100), (MINED, address(2)): (0, 100)})
    overall = 91 / 102
    assert record.confidence(PENDING, WALLET) == pytest.approx(overall)
    assert record.confidence(MINED, WALLET) == pytest.approx(1 / 102)
    assert Record().confidence(PENDING, WALLET) == 0.5
    assert Record({(PENDING, address(2)): (1, 1)}).confidence(PENDING, WALLET) == pytest.approx(2 / 3)


def test_a_record_of_its_own_counts_the_more_the_more_wallets_differ() -> None:
    alike = {(PENDING, address(number)): (14, 20) for number in range(50)}
    apart = {(PENDING, address(number)): (20 * (number % 2), 20) for number in range(50)}
    own = {(PENDING, WALLET): (0, 4)}
    much, little = (Record(others | own).confidence(PENDING, WALLET) for others in (alike, apart))
    assert much > 0.55 and little < 0.1
    assert FIRST_STRENGTH in STRENGTHS


def test_a_few_lucky_ones_are_no_certainty() -> None:
    for hits in range(1, 8):
        lucky = Record({(PENDING, WALLET): (hits, hits)}).confidence(PENDING, WALLET)
        assert lucky <= (hits + 1) / (hits + 2) + 0.07


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (0.5, 0.5), (8.0, 2.0)])
def test_calibrated_where_wallets_differ(a: float, b: float, record_property: Callable[[str, object], None]) -> None:
    """Wallets whose true rates are drawn from Beta(a, b). The score is near the best there is (that of who knows the
    rates), better than the best single number, and each bin comes true as often as it says."""
    dice = Random(f"calibration {a} {b}")
    rates = {address(number): dice.betavariate(a, b) for number in range(50)}
    tallies: dict[tuple[str, str], tuple[int, int]] = {}
    record, forecasts, best = Record(), [], 0.0
    for number in range(FORECASTS):
        wallet = dice.choice(list(rates))
        happened = dice.random() < rates[wallet]
        forecasts.append(forecast(record.confidence(PENDING, wallet), happened))
        best += (rates[wallet] - happened) ** 2 / FORECASTS
        record._count(PENDING, wallet, int(happened), 1)
        hits, tries = tallies.get((PENDING, wallet), (0, 0))
        tallies[PENDING, wallet] = hits + happened, tries + 1
        if number % 1_000 == 0:  # a restart forgets nothing
            record = Record(tallies)
    found = score(forecasts)
    assert found.brier is not None and found.baseline is not None
    record_property(
        f"Brier score, best, baseline; Beta({a:g}, {b:g})", f"{found.brier:.4f} {best:.4f} {found.baseline:.4f}"
    )
    assert best - 0.002 <= found.brier <= best + 0.008
    assert found.brier < found.baseline - 0.5 * (found.baseline - best)
    for one in found.bins:
        error = (one.foretold * (1 - one.foretold) / one.count) ** 0.5
        assert abs(one.happened - one.foretold) < 5 * error + 0.02, one


def test_where_all_wallets_are_alike_little_is_lost() -> None:
    dice, record, forecasts = Random("alike"), Record(), []
    for _ in range(8_000):
        wallet, happened = address(dice.randrange(200)), dice.random() < 0.7
        forecasts.append(forecast(record.confidence(PENDING, wallet), happened))
        record._count(PENDING, wallet, int(happened), 1)
    found = score(forecasts)
    assert found.brier is not None and found.baseline is not None and found.brier < found.baseline + 0.01
