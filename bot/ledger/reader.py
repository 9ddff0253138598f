"""Reading a ledger, also while a bot writes it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, func, select

from bot.ledger import forecasts as f
from bot.ledger import queries as q
from bot.ledger import schema as s
from bot.ledger.records import Entry, Run, Summary


class Reader:
    """The questions one asks a ledger. Each answer is of one moment. Raises LedgerError when the file fails."""

    def __init__(self, path: Path, connection: Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.RLock()

    @classmethod
    def open(cls, where: str | Path) -> Self:
        """Read-only. Raises LedgerError: missing, damaged, not a ledger, other schema."""
        path = s.file_of(where)
        return cls(path, s.connect(path, writable=False))

    def close(self) -> None:
        with self._lock:
            self._connection.close()
            self._connection.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Commits at the end, or leaves no trace."""
        with self._lock, s.plain_errors(self.path), self._connection.begin():
            yield self._connection

    # --- questions ---------------------------------------------------------------------------------------------------

    def runs(self, limit: int | None = None) -> list[Run]:
        """The last ``limit`` runs, newest first."""
        with self._transaction() as connection:
            return [q.run_of(row) for row in connection.execute(q.runs_query().limit(limit))]

    def run(self, run: int) -> Run:
        """Raises LedgerError if there is no such run."""
        with self._transaction() as connection:
            row = connection.execute(q.runs_query().where(s.runs.c.seq == run)).first()
        if row is None:
            raise s.LedgerError(f"there is no run {run} in {self.path}: `mev ledger` lists them")
        return q.run_of(row)

    def entries(self, run: int | None = None, limit: int | None = None) -> list[Entry]:
        """The last ``limit`` intents, newest first."""
        with self._transaction() as connection:
            return q.entries(connection, [s.intents.c.run == run] if run is not None else [], limit)

    def under_way(self, run: int | None = None) -> list[Entry]:
        """Intents without an outcome, newest first: after a crash, what may still be out there."""
        with self._transaction() as connection:
            return q.under_way(connection, [s.intents.c.run == run] if run is not None else [])

    def summary(self, run: int) -> Summary:
        """Raises LedgerError if there is no such run."""
        about = self.run(run)
        with self._transaction() as connection:
            found = connection.scalar(
                select(func.count(s.opportunities.c.id.distinct())).where(s.opportunities.c.run == run)
            )
            submitted = connection.scalar(
                select(func.count(s.submissions.c.intent.distinct())).where(s.submissions.c.run == run)
            )
            rows = connection.execute(
                select(
                    s.intents.c.token,
                    s.intents.c.bid,
                    s.intents.c.predicted_profit,
                    s.outcomes.c.reason,
                    s.outcomes.c.gas_used,
                    s.outcomes.c.gas_price,
                    s.outcomes.c.realised_profit,
                )
                .select_from(s.intents.outerjoin(s.outcomes, q.last_outcome()))
                .where(s.intents.c.run == run)
            ).all()
        return q.sum_up(about, found or 0, submitted or 0, rows)

    def forecasts(
        self, kind: str | None = None, subject: str | None = None, limit: int | None = None
    ) -> list[f.Forecast]:
        """The last ``limit``, newest first; of a kind (or its beginning), about an address."""
        with self._transaction() as connection:
            return f.read(connection, kind, subject, limit)

    def tallies(self, chain_id: int | None = None) -> f.Tallies:
        """How many forecasts came true, over all runs on a chain."""
        with self._transaction() as connection:
            return f.tallies(connection, chain_id)
