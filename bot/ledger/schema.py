"""The ledger's tables, and opening a SQLite file that holds them.

Every table is append-only: a trigger refuses UPDATE and DELETE. What changes is told by a further row: a run's end,
a relay's answer, a later outcome of the same intent (the last one counts, as after a reorganisation).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    Column,
    Connection,
    Dialect,
    Engine,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    StaticPool,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    create_engine,
    event,
    exc,
    inspect,
    text,
)

from bot.errors import UserError

APPLICATION_ID = int.from_bytes(b"mevk", "big")
SCHEMA_VERSION = 2
OLDER = (1,)
"""Versions that lack whole tables only: a writer adds them when it opens the file, a reader finds them empty."""
BUSY_SECONDS = 5.0


class LedgerError(UserError):
    """The ledger cannot be read or written; nothing may be sent that is not in it."""


class Wei(TypeDecorator[int]):
    """An integer of any size, kept as decimal text: wei outgrow SQLite's 64 bits. Sums and order are Python's."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:
        """Raises TypeError for anything but an int: a float has lost wei already."""
        if value is not None and type(value) is not int:
            raise TypeError(f"an amount in wei must be an int, not {type(value).__name__}")
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value)


metadata = MetaData()


def _table(name: str, *columns: Any) -> Table:
    """A table whose rows are numbered in the order in which they were committed."""
    return Table(name, metadata, Column("seq", Integer, primary_key=True), *columns, sqlite_autoincrement=True)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _int(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _wei(name: str) -> Column[int]:
    return Column(name, Wei, nullable=False)


def _of_run() -> Column[int]:
    return Column("run", Integer, ForeignKey("runs.seq"), nullable=False)


def _of_intent() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["run", "intent"], ["intents.run", "intents.id"])


writers = _table("writers", _int("pid"), _text("host"), _int("since_ns"))
"""Who may write: the highest ``seq`` is the fencing token that counts."""

runs = _table(
    "runs",
    Column("writer", Integer, ForeignKey("writers.seq"), nullable=False),
    _text("kind"),
    _text("profile"),
    Column("seed", Integer),
    _int("chain_id"),
    _text("tokens"),
    _text("version"),
    _int("started_ns"),
)
run_ends = _table("run_ends", _of_run(), _text("status"), _text("detail"), _int("ended_ns"), UniqueConstraint("run"))
opportunities = _table(
    "opportunities",
    _of_run(),
    _text("id"),
    _text("strategy"),
    _int("block_number"),
    Column("behind", Text),
    _text("trade"),
    _text("token"),
    _wei("amount_in"),
    _wei("gross_profit"),
    _int("found_ns"),
    Index("opportunities_of_run", "run", "id"),
)
intents = _table(
    "intents",
    _of_run(),
    _text("id"),
    _text("opportunity"),
    _text("strategy"),
    _int("block_number"),
    Column("behind", Text),
    _text("trade"),
    _text("token"),
    _wei("gross_profit"),
    _text("sender"),
    _int("nonce"),
    _text("tx_hash"),
    Column("raw", LargeBinary, nullable=False),
    _wei("bid"),
    _int("gas"),
    _wei("predicted_profit"),
    _int("created_ns"),
    UniqueConstraint("run", "id"),
)
submissions = _table(
    "submissions",
    _of_run(),
    _text("intent"),
    _text("relay"),
    _int("sent_ns"),
    _of_intent(),
    Index("submissions_of_intent", "run", "intent"),
)
"""Written before the bundle leaves: it may have arrived even when there is no answer."""

answers = _table(
    "answers",
    Column("submission", Integer, ForeignKey("submissions.seq"), nullable=False),
    _text("bundle_hash"),
    _text("error"),
    _int("answered_ns"),
    UniqueConstraint("submission"),
)
outcomes = _table(
    "outcomes",
    _of_run(),
    _text("intent"),
    _text("reason"),
    _text("detail"),
    Column("block_number", Integer),
    _int("gas_used"),
    _wei("gas_price"),
    _wei("realised_profit"),
    _int("ended_ns"),
    _of_intent(),
    Index("outcomes_of_intent", "run", "intent"),
    Index("outcomes_by_reason", "reason", "ended_ns"),
)
forecasts = _table(
    "forecasts",
    _of_run(),
    _text("id"),
    _text("kind"),
    _text("subject"),
    _text("tx"),
    _int("block_number"),
    _int("due_block"),
    Column("confidence", Float, nullable=False),
    _text("data"),
    _int("made_ns"),
    UniqueConstraint("run", "id"),
    Index("forecasts_of_kind", "kind", "subject"),
)
"""What signals foretold, with the probability that they gave it."""

forecast_outcomes = _table(
    "forecast_outcomes",
    _of_run(),
    _text("forecast"),
    _int("happened"),
    _int("block_number"),
    _int("known_ns"),
    ForeignKeyConstraint(["run", "forecast"], ["forecasts.run", "forecasts.id"]),
    UniqueConstraint("run", "forecast"),
)
"""Whether it came true. A forecast without an outcome is not due yet, or nobody looked when it was."""


# --- opening ---------------------------------------------------------------------------------------------------------


def file_of(where: str | Path) -> Path:
    """The file of a path or a ``sqlite:///`` URL. Raises LedgerError for another kind of URL."""
    name = str(where)
    if name.startswith("sqlite:///"):
        return Path(name.removeprefix("sqlite:///"))
    if "://" in name:
        raise LedgerError(
            f"the ledger is kept in SQLite: give a path or sqlite:///PATH, not {name.split('://')[0]}://…"
        )
    return Path(where)


def connect(path: Path, *, writable: bool) -> Connection:
    """The one connection of a process, checked to be our ledger; a writable one creates what is missing.
    Raises LedgerError: missing, unreadable, damaged, not a ledger, or of an unknown schema version."""
    if not writable and not path.exists():
        raise LedgerError(f"there is no ledger at {path}: `mev demo` or `mev run` writes one")
    if path.is_dir():
        raise LedgerError(f"the ledger {path} is a directory: name a file")
    if writable:
        _touch(path)
    engine = _engine(path, writable)
    try:
        with plain_errors(path):
            connection = engine.connect()
            _prepare(connection, path, writable)
            return connection
    except BaseException:
        engine.dispose()
        raise


def _touch(path: Path) -> None:
    """Creates an empty file that only its owner reads: it will hold signed transactions that were not sent."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise LedgerError(f"the ledger {path} cannot be written ({error.strerror}): name a file that can be") from None


def _engine(path: Path, writable: bool) -> Engine:
    """SQLAlchemy over one sqlite3 connection in autocommit mode, so that BEGIN is ours to word."""
    # A reader that may write, but does not (query_only), leaves no -wal and -shm files of its own behind.
    mode = "rw" if writable or os.access(path, os.W_OK) else "ro"
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"

    def creator() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False)

    engine = create_engine("sqlite://", creator=creator, poolclass=StaticPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the lock at once: what it reads about the fence holds until it commits.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writable else "BEGIN")

    return engine


def _prepare(connection: Connection, path: Path, writable: bool) -> None:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    application, version = (
        driver.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    tables = driver.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    fresh = application == 0 and tables == 0
    if fresh and not writable:
        raise LedgerError(f"the ledger {path} is empty: `mev demo` or `mev run` writes one")
    if not fresh and application != APPLICATION_ID:
        raise LedgerError(f"{path} is a database, but not a ledger of mevkit: name another file")
    if not fresh and version not in (SCHEMA_VERSION, *OLDER):
        raise LedgerError(
            f"the ledger {path} has schema version {version} and this mevkit knows {SCHEMA_VERSION}: "
            "use the mevkit that wrote it, or name another file"
        )
    if not writable:
        driver.execute("PRAGMA query_only = ON")
        return
    driver.execute("PRAGMA foreign_keys = ON")
    if (found := driver.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise LedgerError(_damaged(path, found))
    driver.execute("PRAGMA journal_mode = WAL")
    driver.execute("PRAGMA synchronous = FULL")
    if fresh or version != SCHEMA_VERSION:
        _create(connection)


def _create(connection: Connection) -> None:
    """All tables that are missing, or none: SQLite's DDL is transactional."""
    with connection.begin():
        if connection.exec_driver_sql("PRAGMA user_version").scalar() == SCHEMA_VERSION:
            return  # another process was first
        there = set(inspect(connection).get_table_names())
        metadata.create_all(connection)
        for table in metadata.tables.keys() - there:
            for verb in ("UPDATE", "DELETE"):
                connection.execute(
                    text(
                        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
                    )
                )
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turns what SQLite says about the file, the disk or a lock into a LedgerError; our own mistakes pass through."""
    try:
        yield
    except (exc.OperationalError, exc.DatabaseError, sqlite3.Error) as error:
        if isinstance(error, exc.IntegrityError | exc.ProgrammingError | exc.InterfaceError):
            raise
        reason = str(getattr(error, "orig", None) or error)
        if "not a database" in reason:
            raise LedgerError(f"{path} is not a ledger (nor any SQLite database): name another file") from None
        if "malformed" in reason or "corrupt" in reason:
            raise LedgerError(_damaged(path, reason)) from None
        if "locked" in reason:
            raise LedgerError(f"the ledger {path} is locked by another program: close it and try again") from None
        raise LedgerError(f"the ledger {path} cannot be used: {reason}") from None


def _damaged(path: Path, reason: str) -> str:
    first_line = reason.splitlines()[-1].strip()
    return f"the ledger {path} is damaged ({first_line}): keep it for `sqlite3 {path} .recover` and name another file"
