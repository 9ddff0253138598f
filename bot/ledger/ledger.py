"""Writing the ledger: every step that can spend is committed to disk before it happens."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Table, func, insert, select

from bot.engine.types import Intent, Opportunity, Outcome, Reason, Signal
from bot.ledger import forecasts as f
from bot.ledger import queries as q
from bot.ledger import schema as s
from bot.ledger.nonces import Key, Nonces
from bot.ledger.reader import Reader
from bot.ledger.records import RunKind, trade_to_text

Clock = Callable[[], int]
"""Nanoseconds since the epoch."""

MINED = frozenset({Reason.LANDED, Reason.REVERTED})
"""Outcomes that use up the nonce."""

_CURRENT_TOKEN = select(func.max(s.writers.c.seq))


class FencedOut(s.LedgerError):
    """A newer process writes the ledger: this one must send nothing more."""


class Ledger(Reader):
    """The one writer of a ledger file. Opening takes a fencing token, and whoever opens later deposes this one.

    Every ``record_…`` returns after its commit has reached the disk. Raises LedgerError (disk, lock), FencedOut, or
    sqlalchemy's IntegrityError and ValueError for a caller's mistake; after any of them nothing was recorded.
    One run at a time: ``begin_run`` makes it the current one, which the other calls belong to.
    """

    def __init__(self, path: Path, connection: Connection, clock: Clock = time.time_ns) -> None:
        super().__init__(path, connection)
        self._clock = clock
        self._run: int | None = None
        self._nonces = Nonces()
        self._open: set[Key] = set()
        self._nonce_of: dict[Key, tuple[str, int]] = {}
        self._burnt: dict[Key, tuple[int, int]] = {}
        with self._transaction() as transaction:
            row = {"pid": os.getpid(), "host": socket.gethostname(), "since_ns": clock()}
            self.token = _insert(transaction, s.writers, row)

    @classmethod
    def open(cls, where: str | Path, clock: Clock = time.time_ns) -> Self:
        """Opens or creates the ledger and takes it over. ``where``: a path or ``sqlite:///PATH``.
        Raises LedgerError (a UserError): unreadable, damaged, not a ledger, other schema."""
        path = s.file_of(where)
        return cls(path, s.connect(path, writable=True), clock)

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """A transaction under the fence: the lock is held from before the token is read until the commit."""
        with self._transaction() as connection:
            if (current := connection.scalar(_CURRENT_TOKEN)) != self.token:
                raise FencedOut(
                    f"another mev process has taken over the ledger {self.path} (token {current}, ours is "
                    f"{self.token}): this one must stop; give each its own --ledger"
                )
            yield connection

    # --- runs --------------------------------------------------------------------------------------------------------

    def begin_run(
        self,
        kind: RunKind,
        *,
        profile: str,
        chain_id: int,
        seed: int | None = None,
        tokens: Mapping[str, tuple[str, int]] | None = None,
        version: str = "",
    ) -> int:
        """Starts the current run and returns its number. A ``RUN`` inherits, from earlier ones on its chain, the
        nonces of intents under way and the gas burnt; the chain of every other kind is its own and starts anew.
        ``tokens``: address to symbol and decimals, for those who read the ledger later."""
        with self._write() as connection:
            row = {
                "writer": self.token,
                "kind": kind,
                "profile": profile,
                "seed": seed,
                "chain_id": chain_id,
                "tokens": json.dumps(tokens or {}),
                "version": version,
                "started_ns": self._clock(),
            }
            run = _insert(connection, s.runs, row)
            scope = s.runs.c.seq == run
            if kind is RunKind.RUN:
                scope = (s.runs.c.kind == kind) & (s.runs.c.chain_id == chain_id)
            entries = q.under_way(connection, [scope])
            self._burnt = q.burnt(connection, scope)
        self._run = run
        self._nonces, self._open, self._nonce_of = Nonces(), set(), {}
        for entry in entries:
            self._hold((entry.run, entry.id), entry.sender, entry.nonce)
        return run

    def end_run(self, status: str = "done", detail: str = "") -> None:
        """Ends the current run. A run without an end crashed, or still runs."""
        row = {"run": self._current(), "status": status, "detail": detail, "ended_ns": self._clock()}
        with self._write() as connection:
            _insert(connection, s.run_ends, row)
        self._run = None

    def _current(self) -> int:
        if self._run is None:
            raise ValueError("no run has begun")
        return self._run

    # --- nonces ------------------------------------------------------------------------------------------------------

    def reserve_nonce(self, sender: str, chain_nonce: int) -> int:
        """The lowest nonce from ``chain_nonce`` up that no intent holds; it is the caller's until ``release_nonce``
        or the outcome of the intent that carries it. In memory and fast: what makes it durable, and what a deposed
        process fails in, is ``record_intent``."""
        with self._lock:
            return self._nonces.reserve(sender, chain_nonce)

    def release_nonce(self, sender: str, nonce: int) -> None:
        """Gives back a nonce that no intent was recorded with."""
        with self._lock:
            self._nonces.release(sender, nonce, None)

    # --- facts -------------------------------------------------------------------------------------------------------

    def record_opportunities(self, opportunities: Sequence[Opportunity]) -> None:
        """What was found, many in one commit. Not on the way to a bundle."""
        run = self._current()
        rows = [
            {
                "run": run,
                "id": found.id,
                "strategy": found.strategy,
                "block_number": found.block_number,
                "behind": found.behind.hash if found.behind else None,
                "trade": trade_to_text(found.trade),
                "token": found.trade.token,
                "amount_in": found.trade.needed,
                "gross_profit": found.trade.gross_profit,
                "found_ns": found.seen_ns,
            }
            for found in opportunities
        ]
        if rows:
            with self._write() as connection:
                connection.execute(insert(s.opportunities), rows)

    def record_forecasts(self, signals: Sequence[Signal]) -> None:
        """What signals foretell, and whether it came true (bot.ledger.forecasts), many in one commit."""
        run = self._current()
        if signals:
            with self._write() as connection:
                f.write(connection, run, signals, self._clock())

    def record_intent(self, intent: Intent, relays: Sequence[str] = ()) -> list[int]:
        """Journals the intent, and that it is about to go to ``relays``, in one commit; send only after it returned.
        The numbers of the submissions, in the order of ``relays``. The intent's nonce must be reserved."""
        run, now = self._current(), self._clock()
        with self._lock:
            if not self._nonces.is_reserved(intent.sender, intent.nonce):
                raise ValueError(f"nonce {intent.nonce} of {intent.sender} is not reserved for this intent")
            with self._write() as connection:
                _insert(connection, s.intents, _intent_row(run, intent, now))
                numbers = [_submit(connection, run, intent.id, relay, now) for relay in relays]
            self._hold((run, intent.id), intent.sender, intent.nonce)
            return numbers

    def _hold(self, key: Key, sender: str, nonce: int) -> None:
        self._nonces.give(sender, nonce, key)
        self._nonce_of[key] = (sender, nonce)
        self._open.add(key)

    def record_submission(self, intent_id: str, relay: str) -> int:
        """Journals that a recorded intent is about to go to one more relay; the submission's number."""
        with self._write() as connection:
            return _submit(connection, self._current(), intent_id, relay, self._clock())

    def record_answer(self, submission: int, *, bundle_hash: str = "", error: str = "") -> None:
        """What the relay said: the bundle's hash, or an error in one line."""
        row = {
            "submission": submission,
            "bundle_hash": bundle_hash,
            "error": error,
            "answered_ns": self._clock(),
        }
        with self._write() as connection:
            _insert(connection, s.answers, row)

    def record_outcome(self, outcome: Outcome, run: int | None = None) -> None:
        """What became of an intent of ``run`` (default: the current one). A later outcome of the same intent
        replaces an earlier one. Unless it was mined, its nonce is free again: record such an outcome only when the
        transaction cannot be mined any more."""
        run, now = run if run is not None else self._current(), self._clock()
        row = {
            "run": run,
            "intent": outcome.intent_id,
            "reason": outcome.reason,
            "detail": outcome.detail,
            "block_number": outcome.block_number,
            "gas_used": outcome.gas_used,
            "gas_price": outcome.gas_price,
            "realised_profit": outcome.realised_profit,
            "ended_ns": now,
        }
        with self._lock:
            with self._write() as connection:
                _insert(connection, s.outcomes, row)
            self._settle((run, outcome.intent_id), outcome, now)

    def _settle(self, key: Key, outcome: Outcome, now: int) -> None:
        """Keeps open intents, burnt gas and nonces in step with a committed outcome."""
        self._open.discard(key)
        self._burnt.pop(key, None)
        if outcome.reason is Reason.REVERTED:
            self._burnt[key] = (now, outcome.gas_used * outcome.gas_price)
        if outcome.reason not in MINED and key in self._nonce_of:
            self._nonces.release(*self._nonce_of.pop(key), key)

    # --- what the risk gate asks -------------------------------------------------------------------------------------

    @property
    def open_intents(self) -> int:
        """Intents without an outcome that bind the current run."""
        return len(self._open)

    def gas_burnt(self, since_ns: int) -> int:
        """Wei of ETH paid since then for transactions that reverted on chain."""
        return sum(wei for ended_ns, wei in self._burnt.values() if ended_ns >= since_ns)


def _insert(connection: Connection, table: Table, row: dict[str, Any]) -> int:
    """The number of the new row."""
    key = connection.execute(insert(table), row).inserted_primary_key
    assert key is not None
    return int(key[0])


def _submit(connection: Connection, run: int, intent: str, relay: str, now: int) -> int:
    return _insert(connection, s.submissions, {"run": run, "intent": intent, "relay": relay, "sent_ns": now})


def _intent_row(run: int, intent: Intent, now: int) -> dict[str, Any]:
    opportunity = intent.opportunity
    return {
        "run": run,
        "id": intent.id,
        "opportunity": opportunity.id,
        "strategy": opportunity.strategy,
        "block_number": opportunity.block_number,
        "behind": opportunity.behind.hash if opportunity.behind else None,
        "trade": trade_to_text(opportunity.trade),
        "token": opportunity.trade.token,
        "gross_profit": opportunity.trade.gross_profit,
        "sender": intent.sender,
        "nonce": intent.nonce,
        "tx_hash": intent.tx_hash,
        "raw": intent.raw,
        "bid": intent.bid,
        "gas": intent.gas,
        "predicted_profit": intent.predicted_profit,
        "created_ns": now,
    }
