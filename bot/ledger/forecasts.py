"""Forecasts and what came of them: how far the confidence that signals give can be trusted.

A signal foretells something where its data have ``forecast``: {"id", "kind", "due_block"}; the signal that later tells
whether it came true has ``came_true``: {"id", "happened"}. Any strategy may do so; ``kind`` says what about.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, inspect, select

from bot.engine.types import Signal
from bot.ledger import schema as s

BINS = 10
AT_ONCE = 5_000  # values of a query

Tallies = dict[tuple[str, str], tuple[int, int]]
"""By kind and subject: how many came true, of how many of which that is known."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What was foretold. ``happened`` and ``known_block`` are None until it is known."""

    run: int
    id: str
    kind: str
    subject: str
    tx: str
    block_number: int
    due_block: int
    confidence: float
    data: Mapping[str, Any]
    made_ns: int
    happened: bool | None = None
    known_block: int | None = None


@dataclass(frozen=True, slots=True)
class Bin:
    """Forecasts with a confidence from ``low`` up to ``high``: their mean, and the share that came true."""

    low: float
    high: float
    count: int
    foretold: float
    happened: float


@dataclass(frozen=True, slots=True)
class Score:
    """Over the ``known`` of ``made`` forecasts; None where none is known. ``brier`` is the mean squared difference of
    confidence and outcome (Brier 1950): 0 is perfect, less is better. ``baseline`` is what the best single number for
    all of them would have had: their share that came true, ``rate``, known only afterwards."""

    made: int
    known: int
    rate: float | None
    brier: float | None
    baseline: float | None
    bins: tuple[Bin, ...]


def score(forecasts: Sequence[Forecast]) -> Score:
    """How good they were."""
    known = [(one.confidence, one.happened) for one in forecasts if one.happened is not None]
    if not known:
        return Score(len(forecasts), 0, None, None, None, ())
    rate = sum(happened for _, happened in known) / len(known)
    brier = sum((confidence - happened) ** 2 for confidence, happened in known) / len(known)
    bins = []
    for number in range(BINS):
        inside = [one for one in known if min(int(one[0] * BINS), BINS - 1) == number]
        if inside:
            means = (sum(part) / len(inside) for part in zip(*inside, strict=True))
            bins.append(Bin(number / BINS, (number + 1) / BINS, len(inside), *means))
    return Score(len(forecasts), len(known), rate, brier, rate * (1 - rate), tuple(bins))


# --- on an open transaction ------------------------------------------------------------------------------------------


def write(connection: Connection, run: int, signals: Iterable[Signal], now: int) -> None:
    """The forecasts and outcomes among them; one that is there already is left as it is, and an outcome of nothing that
    was foretold is left out."""
    made, known = [], []
    for signal in signals:
        foretold, told = signal.data.get("forecast"), signal.data.get("came_true")
        if foretold is not None and signal.confidence is not None:
            made.append(
                {
                    "run": run,
                    "id": foretold["id"],
                    "kind": foretold["kind"],
                    "subject": signal.subject,
                    "tx": signal.tx,
                    "block_number": signal.block_number,
                    "due_block": foretold["due_block"],
                    "confidence": signal.confidence,
                    "data": json.dumps(dict(signal.data)),
                    "made_ns": signal.seen_ns,
                }
            )
        if told is not None:
            known.append(
                {
                    "run": run,
                    "forecast": told["id"],
                    "happened": int(told["happened"]),
                    "block_number": signal.block_number,
                    "known_ns": now,
                }
            )
    if made:
        connection.execute(insert(s.forecasts).prefix_with("OR IGNORE"), made)
    if known:
        named = [row["forecast"] for row in known]
        there: set[str] = set()
        for start in range(0, len(named), AT_ONCE):
            found = s.forecasts.c.id.in_(named[start : start + AT_ONCE])
            there.update(connection.scalars(select(s.forecasts.c.id).where(s.forecasts.c.run == run, found)))
        known = [row for row in known if row["forecast"] in there]
    if known:
        connection.execute(insert(s.forecast_outcomes).prefix_with("OR IGNORE"), known)


def read(connection: Connection, kind: str | None, subject: str | None, limit: int | None) -> list[Forecast]:
    """Newest first; ``kind`` may be the beginning of one."""
    if _absent(connection):
        return []
    query = select(s.forecasts, *_OUTCOME).select_from(_JOINED).order_by(s.forecasts.c.seq.desc()).limit(limit)
    if kind is not None:
        query = query.where(s.forecasts.c.kind.startswith(kind, autoescape=True))
    if subject is not None:
        query = query.where(s.forecasts.c.subject == subject)
    return [_forecast(row) for row in connection.execute(query)]


def tallies(connection: Connection, chain_id: int | None) -> Tallies:
    """On one chain, or on all."""
    if _absent(connection):
        return {}
    happened = s.forecast_outcomes.c.happened
    columns = s.forecasts.c.kind, s.forecasts.c.subject
    query = (
        select(*columns, func.sum(happened), func.count(happened))
        .select_from(_JOINED.join(s.runs, s.runs.c.seq == s.forecasts.c.run))
        .where(happened.is_not(None))
        .group_by(*columns)
    )
    if chain_id is not None:
        query = query.where(s.runs.c.chain_id == chain_id)
    return {(kind, subject): (hits, tries) for kind, subject, hits, tries in connection.execute(query)}


_OF_FORECAST = and_(s.forecast_outcomes.c.run == s.forecasts.c.run, s.forecast_outcomes.c.forecast == s.forecasts.c.id)
_JOINED = s.forecasts.outerjoin(s.forecast_outcomes, _OF_FORECAST)
_OUTCOME = s.forecast_outcomes.c.happened, s.forecast_outcomes.c.block_number.label("known_block")


def _absent(connection: Connection) -> bool:
    """Whether the ledger is from before there were forecasts."""
    return not inspect(connection).has_table(s.forecasts.name)


def _forecast(row: Row[Any]) -> Forecast:
    return Forecast(
        run=row.run,
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        tx=row.tx,
        block_number=row.block_number,
        due_block=row.due_block,
        confidence=row.confidence,
        data=json.loads(row.data),
        made_ns=row.made_ns,
        happened=None if row.happened is None else bool(row.happened),
        known_block=row.known_block,
    )
