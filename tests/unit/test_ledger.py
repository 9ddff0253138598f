"""The ledger: what goes in comes out exactly, once, in order, and only the current writer puts it there."""

import os
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_samples import SENDER, USDC, WETH, intent, opportunity
from sqlalchemy.exc import IntegrityError

from bot.engine.types import Outcome, Reason, Signal
from bot.ledger.ledger import FencedOut, Ledger
from bot.ledger.reader import Reader
from bot.ledger.records import Entry, RunKind
from bot.ledger.schema import LedgerError, Wei


def begin(ledger: Ledger, kind: RunKind = RunKind.DEMO, chain_id: int = 31337) -> int:
    return ledger.begin_run(kind, profile="test", chain_id=chain_id, seed=7, tokens={WETH: ("WETH", 18)}, version="1")


def put(ledger: Ledger, name: str, chain_nonce: int = 0, relays: tuple[str, ...] = ("local",)) -> list[int]:
    return ledger.record_intent(intent(name, ledger.reserve_nonce(SENDER, chain_nonce)), relays)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


# --- facts -----------------------------------------------------------------------------------------------------------


def test_an_intent_comes_back_whole(path: Path) -> None:
    ticks = iter(range(1000, 2000))
    with Ledger.open(path, clock=lambda: next(ticks)) as ledger:
        run = begin(ledger)
        sent = intent("a", ledger.reserve_nonce(SENDER, 5))
        first, second = ledger.record_intent(sent, ["local", "titan"])
        ledger.record_answer(first, bundle_hash="0xabc")
        ledger.record_answer(second, error="timed out")
        ledger.record_outcome(Outcome("a", Reason.LANDED, "", 101, 200_000, 3 * 10**10, 4 * 10**15))
        ledger.end_run()
    with Reader.open(path) as reader:
        (entry,) = reader.entries(run)
        about = reader.run(run)
    assert (about.kind, about.profile, about.seed, about.chain_id, about.status) == (
        RunKind.DEMO,
        "test",
        7,
        31337,
        "done",
    )
    assert (about.tokens, about.version) == ({WETH: ("WETH", 18)}, "1")
    assert about.ended_ns and about.started_ns < about.ended_ns
    assert entry.trade == sent.opportunity.trade
    assert entry.opportunity == sent.opportunity.id
    assert (entry.sender, entry.nonce, entry.tx_hash, entry.bid, entry.gas, entry.predicted_profit) == (
        SENDER,
        5,
        sent.tx_hash,
        sent.bid,
        sent.gas,
        sent.predicted_profit,
    )
    assert [(s.relay, s.bundle_hash, s.error) for s in entry.submissions] == [
        ("local", "0xabc", ""),
        ("titan", "", "timed out"),
    ]
    assert entry.outcome is not None
    assert (entry.outcome.reason, entry.outcome.gas_cost) == (Reason.LANDED, 200_000 * 3 * 10**10)
    assert (entry.outcome.block_number, entry.outcome.realised_profit) == (101, 4 * 10**15)


@given(st.integers(min_value=-(2**256), max_value=2**256))
def test_wei_of_any_size_round_trip(value: int) -> None:
    stored = Wei().process_bind_param(value, None)  # type: ignore[arg-type]
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (v TEXT)")
    connection.execute("INSERT INTO t VALUES (?)", (stored,))
    back = connection.execute("SELECT v FROM t").fetchone()[0]
    assert Wei().process_result_value(back, None) == value  # type: ignore[arg-type]


def test_profits_beyond_64_bits_are_summed_exactly(path: Path) -> None:
    huge = 2**200 + 1
    with Ledger.open(path) as ledger:
        run = begin(ledger)
        for n, name in enumerate("ab"):
            ledger.record_intent(intent(name, ledger.reserve_nonce(SENDER, n), predicted=huge))
            ledger.record_outcome(Outcome(name, Reason.LANDED, "", 1, 100, 2**80, huge + n))
        summary = ledger.summary(run)
    assert summary.realised == {WETH: 2 * huge + 1}
    assert summary.predicted == {WETH: 2 * huge}
    assert summary.gas_cost == 200 * 2**80


@pytest.mark.parametrize("wrong", [1.0, True, "1", 10**18 / 1])
def test_a_float_is_no_amount(path: Path, wrong: object) -> None:
    with Ledger.open(path) as ledger:
        begin(ledger)
        bad = intent("a", ledger.reserve_nonce(SENDER, 0), predicted=wrong)  # type: ignore[arg-type]
        with pytest.raises(Exception, match="must be an int"):
            ledger.record_intent(bad)
        assert ledger.entries() == []


def test_facts_cannot_be_changed_or_deleted(path: Path) -> None:
    with Ledger.open(path) as ledger:
        begin(ledger)
        ledger.record_opportunities([opportunity()])
        ledger.record_answer(put(ledger, "a")[0])
        ledger.record_outcome(Outcome("a", Reason.STALE))
        foretold = {"id": "a", "kind": "whale pending", "due_block": 9}
        ledger.record_forecasts([Signal("whales", SENDER, "0x", 4, 1, 0.5, "", {"forecast": foretold})])
        ledger.record_forecasts(
            [Signal("whales", SENDER, "0x", 9, 2, None, "", {"came_true": {"id": "a", "happened": 1}})]
        )
        ledger.end_run()
    raw = sqlite3.connect(path)
    tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    ours = [name for name in tables if not name.startswith("sqlite_")]
    assert len(ours) == 10
    for table in ours:
        assert raw.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 1, table  # noqa: S608
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET seq = seq + 1"):  # noqa: S608
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                raw.execute(statement)


def test_the_same_intent_twice_is_refused_and_leaves_no_trace(path: Path) -> None:
    with Ledger.open(path) as ledger:
        begin(ledger)
        put(ledger, "a")
        with pytest.raises(IntegrityError):
            put(ledger, "a", 1)
        with pytest.raises(IntegrityError):
            ledger.record_outcome(Outcome("unknown", Reason.LANDED))
        assert len(ledger.entries()) == 1
        assert len(ledger.entries()[0].submissions) == 1
        assert ledger.open_intents == 1


def test_the_same_seed_gives_the_same_intents_in_the_next_run(path: Path) -> None:
    with Ledger.open(path) as ledger:
        for _ in range(2):
            begin(ledger)
            put(ledger, "a")
            ledger.record_outcome(Outcome("a", Reason.LANDED))
            ledger.end_run()
        assert [entry.run for entry in ledger.entries()] == [2, 1]


def test_the_last_outcome_counts(path: Path) -> None:
    """A reorganisation takes a landed transaction back."""
    with Ledger.open(path) as ledger:
        run = begin(ledger)
        put(ledger, "a", 3)
        ledger.record_outcome(Outcome("a", Reason.LANDED, "", 9, 100, 1, 50))
        assert ledger.reserve_nonce(SENDER, 3) == 4
        ledger.record_outcome(Outcome("a", Reason.NOT_INCLUDED, "reorganised"))
        assert ledger.reserve_nonce(SENDER, 3) == 3
        summary = ledger.summary(run)
        assert summary.reasons == {Reason.NOT_INCLUDED: 1}
        assert (summary.landed, summary.realised, summary.gas_cost) == (0, {}, 0)


def test_summary_counts(path: Path) -> None:
    with Ledger.open(path) as ledger:
        run = begin(ledger)
        ledger.record_opportunities([opportunity(1), opportunity(2), opportunity(2)])
        put(ledger, "a")
        put(ledger, "b")
        put(ledger, "c", relays=())
        ledger.record_outcome(Outcome("a", Reason.LANDED, "", 9, 100, 10, 7))
        ledger.record_outcome(Outcome("b", Reason.REVERTED, "", 9, 30, 10))
        summary = ledger.summary(run)
    assert (summary.found, summary.intents, summary.submitted) == (2, 3, 2)
    assert (summary.landed, summary.reverted, summary.under_way) == (1, 1, 1)
    assert summary.gas_cost == 1300
    assert summary.bids == {WETH: 10**15}


def test_limits_keep_the_newest(path: Path) -> None:
    with Ledger.open(path) as ledger:
        for _ in range(3):
            begin(ledger)
            put(ledger, "a", relays=("x", "y"))
            put(ledger, "b", relays=("z",))
        assert [(e.run, e.id) for e in ledger.entries(limit=3)] == [(3, "b"), (3, "a"), (2, "b")]
        assert [s.relay for s in ledger.entries(limit=2)[1].submissions] == ["x", "y"]
        assert [run.id for run in ledger.runs(limit=2)] == [3, 2]
        assert [(e.run, e.id) for e in ledger.entries(run=1)] == [(1, "b"), (1, "a")]


# --- nonces and the fence --------------------------------------------------------------------------------------------


def test_a_nonce_is_free_again_only_when_its_transaction_cannot_be_mined(path: Path) -> None:
    with Ledger.open(path) as ledger:
        begin(ledger)
        put(ledger, "a", 8)
        assert ledger.reserve_nonce(SENDER, 8) == 9
        ledger.release_nonce(SENDER, 9)
        ledger.release_nonce(SENDER, 8)  # an intent's: not ours to give back
        assert ledger.reserve_nonce(SENDER, 8) == 9
        assert ledger.reserve_nonce(USDC, 8) == 8
        ledger.record_outcome(Outcome("a", Reason.NOT_INCLUDED))
        assert ledger.reserve_nonce(SENDER, 8) == 8


def test_a_lagging_node_does_not_bring_a_mined_nonce_back(path: Path) -> None:
    with Ledger.open(path) as ledger:
        begin(ledger)
        put(ledger, "a", 8)
        ledger.record_outcome(Outcome("a", Reason.LANDED))
        assert ledger.reserve_nonce(SENDER, 8) == 9


def test_an_intent_needs_a_reserved_nonce(path: Path) -> None:
    with Ledger.open(path) as ledger:
        begin(ledger)
        put(ledger, "a", 0)
        for nonce in (0, 1):
            with pytest.raises(ValueError, match="not reserved"):
                ledger.record_intent(intent("b", nonce))


def test_a_restart_keeps_the_nonces_of_what_is_under_way(path: Path) -> None:
    with Ledger.open(path) as ledger:
        begin(ledger, RunKind.RUN, 1)
        put(ledger, "a", 4)
        put(ledger, "b", 4)
        ledger.record_outcome(Outcome("a", Reason.REVERTED, "", 7, 100, 10))
    with Ledger.open(path) as ledger:
        assert [(e.run, e.id, e.nonce) for e in ledger.under_way()] == [(1, "b", 5)]
        begin(ledger, RunKind.RUN, 10)
        assert (ledger.open_intents, ledger.gas_burnt(0)) == (0, 0), "another chain"
        begin(ledger, RunKind.DEMO, 1)
        assert (ledger.reserve_nonce(SENDER, 5), ledger.open_intents) == (5, 0), "a devnet starts anew"
        begin(ledger, RunKind.RUN, 1)
        assert (ledger.open_intents, ledger.gas_burnt(0)) == (1, 1000)
        assert ledger.reserve_nonce(SENDER, 5) == 6
        ledger.record_outcome(Outcome("b", Reason.INTERRUPTED), run=1)
        assert ledger.reserve_nonce(SENDER, 5) == 5
        assert ledger.under_way() == []


def test_a_deposed_writer_writes_nothing_more(path: Path) -> None:
    old = Ledger.open(path)
    begin(old, RunKind.RUN)
    submission = put(old, "a", 1)[0]
    reserved = old.reserve_nonce(SENDER, 1)
    new = Ledger.open(path)
    assert new.token > old.token
    for write in (
        lambda: old.record_intent(intent("b", reserved)),
        lambda: old.record_opportunities([opportunity()]),
        lambda: old.record_submission("a", "titan"),
        lambda: old.record_answer(submission),
        lambda: old.record_outcome(Outcome("a", Reason.LANDED)),
        lambda: old.end_run(),
        lambda: begin(old),
    ):
        with pytest.raises(FencedOut, match="taken over"):
            write()
    begin(new, RunKind.RUN)
    assert new.reserve_nonce(SENDER, 1) == reserved, "never used, so free; nonce 1 is under way"
    assert [e.id for e in new.under_way()] == ["a"]
    old.close()
    new.close()


def test_gas_burnt_is_of_reverts_since(path: Path) -> None:
    now = [100]
    with Ledger.open(path, clock=lambda: now[0]) as ledger:
        begin(ledger)
        for name, at, reason in (("a", 100, Reason.REVERTED), ("b", 200, Reason.LANDED), ("c", 300, Reason.REVERTED)):
            put(ledger, name)
            now[0] = at
            ledger.record_outcome(Outcome(name, reason, "", 1, 10, at))
        assert (ledger.gas_burnt(0), ledger.gas_burnt(101), ledger.gas_burnt(301)) == (4000, 3000, 0)


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["intent", "outcome", "answer", "found", "reopen", "depose"]), st.integers(0, 5)),
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS)
def test_any_sequence_survives_close_and_reopen(tmp_path: Path, operations: list[tuple[str, int]]) -> None:
    """Against a model in a dict: intents, who has an outcome, and no nonce open twice."""
    path = tmp_path / f"{os.urandom(8).hex()}.sqlite"
    model: dict[str, Reason | None] = {}
    nonces: dict[str, int] = {}
    found = mined = 0
    ledger = Ledger.open(path)
    begin(ledger, RunKind.RUN)
    for number, (operation, pick) in enumerate(operations):
        under_way = [name for name, reason in model.items() if reason is None]
        if operation == "intent":
            name = f"i{number}"
            nonces[name] = ledger.reserve_nonce(SENDER, mined)
            assert all(nonces[name] != nonces[other] for other in under_way)
            ledger.record_intent(intent(name, nonces[name]), ["local"] * (pick % 3))
            model[name] = None
        elif operation == "outcome" and under_way:
            name = under_way[pick % len(under_way)]
            lowest = min(under_way, key=nonces.__getitem__)
            landed = name == lowest and nonces[name] == mined
            model[name] = Reason.LANDED if landed else Reason.NOT_INCLUDED
            mined += landed
            ledger.record_outcome(Outcome(name, model[name]), run=_run_of(ledger, name))
        elif operation == "answer" and under_way:
            # An intent of an earlier run is no longer submitted: only its outcome is awaited.
            entry = next(e for e in ledger.under_way() if e.id == under_way[pick % len(under_way)])
            for sent in entry.submissions:
                if sent.answered_ns is None:
                    ledger.record_answer(sent.id, bundle_hash="0x1")
        elif operation == "found":
            ledger.record_opportunities([opportunity(number)] * pick)
            found += pick > 0
        elif operation in ("reopen", "depose"):
            old, ledger = ledger, Ledger.open(path) if operation == "depose" else ledger
            old.close()
            ledger = ledger if operation == "depose" else Ledger.open(path)
            begin(ledger, RunKind.RUN)
        assert ledger.open_intents == sum(reason is None for reason in model.values())
    ledger.close()
    with Reader.open(path) as reader:
        entries = reader.entries()
        assert {e.id: e.outcome.reason if e.outcome else None for e in entries} == model
        assert {e.id: e.nonce for e in entries} == nonces
        assert {e.id for e in reader.under_way()} == {name for name, reason in model.items() if reason is None}
        assert sum(reader.summary(run.id).found for run in reader.runs()) == found


def _run_of(ledger: Ledger, name: str) -> int:
    entry: Entry = next(e for e in ledger.entries() if e.id == name)
    return entry.run


# --- bad files -------------------------------------------------------------------------------------------------------


def _damage_a_page(path: Path) -> None:
    with Ledger.open(path) as ledger:
        begin(ledger)
        for n in range(50):
            put(ledger, f"i{n}")
    data = bytearray(path.read_bytes())
    for page in range(3, len(data) // 4096):
        data[page * 4096 : page * 4096 + 200] = os.urandom(200)
    path.write_bytes(data)


def _other_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()


def _newer_schema(path: Path) -> None:
    Ledger.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.mkdir(), "is a directory"),
        (lambda path: path.write_text("hello, I am a text file, not a database\n" * 50), "not a ledger"),
        (_other_database, "not a ledger of mevkit"),
        (_newer_schema, "schema version 99"),
        (_damage_a_page, "damaged"),
    ],
)
@pytest.mark.parametrize("kind", [Ledger, Reader])
def test_a_bad_file_is_one_line_and_left_alone(path: Path, spoil: object, says: str, kind: type[Reader]) -> None:
    spoil(path)  # type: ignore[operator]
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(LedgerError, match=says) as error, kind.open(path) as ledger:
        ledger.entries()
    assert "\n" not in str(error.value)
    assert before == (path.read_bytes() if path.is_file() else None)
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name]


def test_a_reader_creates_nothing(path: Path) -> None:
    with pytest.raises(LedgerError, match="no ledger"):
        Reader.open(path)
    assert not path.exists()


def test_other_databases_are_not_guessed_at() -> None:
    with pytest.raises(LedgerError, match="SQLite") as error:
        Ledger.open("postgresql://user:secret@host/db")
    assert "secret" not in str(error.value)


def test_only_the_owner_may_read_it(path: Path) -> None:
    """It holds signed transactions that were not sent."""
    with Ledger.open(path) as ledger:
        begin(ledger)
        put(ledger, "a")
        modes = {p.name: oct(p.stat().st_mode & 0o777) for p in path.parent.iterdir()}
    assert set(modes.values()) == {"0o600"}, modes


def test_a_reader_beside_a_writer(path: Path) -> None:
    with Ledger.open(path) as ledger:
        begin(ledger)
        with Reader.open(path) as reader:
            put(ledger, "a")
            assert [e.id for e in reader.entries()] == ["a"]
            put(ledger, "b", 1)
            assert [e.id for e in reader.under_way()] == ["b", "a"]


def test_a_path_and_its_url_are_the_same_ledger(path: Path) -> None:
    with Ledger.open(f"sqlite:///{path}") as ledger:
        begin(ledger)
    with Reader.open(path) as reader:
        assert len(reader.runs()) == 1


def test_commits_reach_the_disk(path: Path) -> None:
    with Ledger.open(path) as ledger, ledger._transaction() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
