"""The ledger's queries, each on an open transaction."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, select

from bot.engine.types import Reason
from bot.ledger import schema as s
from bot.ledger.records import Ended, Entry, Run, RunKind, Sent, Summary, trade_from_text


def runs_query() -> Select[Any]:
    """Runs with their ends, newest first."""
    return (
        select(s.runs, s.run_ends.c.ended_ns, s.run_ends.c.status, s.run_ends.c.detail)
        .select_from(s.runs.outerjoin(s.run_ends, s.run_ends.c.run == s.runs.c.seq))
        .order_by(s.runs.c.seq.desc())
    )


def last_outcome() -> ColumnElement[bool]:
    """Joins an intent to its last outcome."""
    later = s.outcomes.alias()
    last = (
        select(func.max(later.c.seq))
        .where(later.c.run == s.intents.c.run, later.c.intent == s.intents.c.id)
        .correlate(s.intents)
        .scalar_subquery()
    )
    return s.outcomes.c.seq == last


def under_way(connection: Connection, where: Sequence[ColumnElement[bool]]) -> list[Entry]:
    """Of these, the ones without an outcome."""
    return entries(connection, [*where, s.outcomes.c.seq.is_(None)])


def entries(connection: Connection, where: Sequence[ColumnElement[bool]], limit: int | None = None) -> list[Entry]:
    """Intents that meet the conditions (on intents, their runs and last outcomes), newest first."""
    outcome = [column.label(f"o_{column.name}") for column in s.outcomes.c]
    rows = connection.execute(
        select(s.intents, s.runs.c.kind, s.runs.c.chain_id, *outcome)
        .select_from(s.intents.join(s.runs, s.runs.c.seq == s.intents.c.run).outerjoin(s.outcomes, last_outcome()))
        .where(*where)
        .order_by(s.intents.c.seq.desc())
        .limit(limit)
    ).all()
    sent = _sent(connection, rows[-1].seq, rows[0].seq) if rows else {}
    return [_entry(row, sent.get((row.run, row.id), ())) for row in rows]


def _sent(connection: Connection, first: int, last: int) -> dict[tuple[int, str], tuple[Sent, ...]]:
    """Submissions of the intents whose ``seq`` lies between the two, in the order in which they were sent."""
    of_intent = and_(s.intents.c.run == s.submissions.c.run, s.intents.c.id == s.submissions.c.intent)
    rows = connection.execute(
        select(s.submissions, s.answers.c.answered_ns, s.answers.c.bundle_hash, s.answers.c.error)
        .select_from(
            s.submissions.join(s.intents, of_intent).outerjoin(s.answers, s.answers.c.submission == s.submissions.c.seq)
        )
        .where(s.intents.c.seq.between(first, last))
        .order_by(s.submissions.c.seq)
    )
    sent: dict[tuple[int, str], tuple[Sent, ...]] = {}
    for row in rows:
        one = Sent(row.seq, row.relay, row.sent_ns, row.answered_ns, row.bundle_hash or "", row.error or "")
        sent[row.run, row.intent] = (*sent.get((row.run, row.intent), ()), one)
    return sent


def run_of(row: Row[Any]) -> Run:
    """A row of ``runs_query``."""
    return Run(
        id=row.seq,
        kind=RunKind(row.kind),
        profile=row.profile,
        seed=row.seed,
        chain_id=row.chain_id,
        tokens={address: (symbol, decimals) for address, (symbol, decimals) in json.loads(row.tokens).items()},
        version=row.version,
        started_ns=row.started_ns,
        ended_ns=row.ended_ns,
        status=row.status or "",
        detail=row.detail or "",
    )


def _entry(row: Row[Any], submissions: tuple[Sent, ...]) -> Entry:
    outcome = None
    if row.o_reason is not None:
        outcome = Ended(
            reason=Reason(row.o_reason),
            detail=row.o_detail,
            block_number=row.o_block_number,
            gas_used=row.o_gas_used,
            gas_price=row.o_gas_price,
            realised_profit=row.o_realised_profit,
            ended_ns=row.o_ended_ns,
        )
    return Entry(
        run=row.run,
        kind=RunKind(row.kind),
        chain_id=row.chain_id,
        id=row.id,
        opportunity=row.opportunity,
        strategy=row.strategy,
        block_number=row.block_number,
        behind=row.behind,
        trade=trade_from_text(row.trade),
        sender=row.sender,
        nonce=row.nonce,
        tx_hash=row.tx_hash,
        bid=row.bid,
        gas=row.gas,
        predicted_profit=row.predicted_profit,
        created_ns=row.created_ns,
        submissions=submissions,
        outcome=outcome,
    )


def sum_up(run: Run, found: int, submitted: int, rows: Sequence[Any]) -> Summary:
    reasons = Counter(Reason(row.reason) for row in rows if row.reason is not None)
    landed = [row for row in rows if row.reason == Reason.LANDED]
    realised: dict[str, int] = defaultdict(int)
    predicted: dict[str, int] = defaultdict(int)
    bids: dict[str, int] = defaultdict(int)
    for row in landed:
        realised[row.token] += row.realised_profit
        predicted[row.token] += row.predicted_profit
        bids[row.token] += row.bid
    return Summary(
        run=run,
        found=found,
        intents=len(rows),
        submitted=submitted,
        landed=reasons[Reason.LANDED],
        reverted=reasons[Reason.REVERTED],
        under_way=len(rows) - reasons.total(),
        reasons=dict(reasons),
        realised=dict(realised),
        predicted=dict(predicted),
        bids=dict(bids),
        gas_cost=sum(row.gas_used * row.gas_price for row in rows if row.reason is not None),
    )


def burnt(connection: Connection, scope: ColumnElement[bool]) -> dict[tuple[int, str], tuple[int, int]]:
    """When, and wei of ETH that, an intent's transaction paid for a revert, over the runs in ``scope``."""
    joined = s.intents.join(s.runs, s.runs.c.seq == s.intents.c.run).join(s.outcomes, last_outcome())
    rows = connection.execute(
        select(s.outcomes).select_from(joined).where(scope, s.outcomes.c.reason == Reason.REVERTED)
    )
    return {(row.run, row.intent): (row.ended_ns, row.gas_used * row.gas_price) for row in rows}
