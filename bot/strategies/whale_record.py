"""What signals foretold, whether it came true, and how likely the next is to: a record by wallet.

What is foretold: when a block is due, the transaction is in the chain, and of the move that was computed for the pool
that it moves most at least half is still there. Both kinds count apart, as a transaction that was seen pending may
never be mined:

* ``whale pending``: due ``HORIZON`` blocks after the next one;
* ``whale mined``: due ``HORIZON`` blocks after its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import lgamma, log2
from typing import Any

from bot.amm.pool import NoLiquidity, UnknownState
from bot.engine.types import Header, MinedTx
from bot.market.view import View
from bot.strategies.whale_impact import Impact, price

HORIZON = 5
"""Blocks: a minute on mainnet, by which arbitrage has long undone what is only one pool's price."""
KEPT = Fraction(1, 2)
PENDING, MINED = "whale pending", "whale mined"
STRENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
FIRST_STRENGTH = 8.0
"""How many of a wallet's own forecasts count as much as all wallets' rate: which of these, the records tell: where
wallets differ much it is few. The first is what is believed before anything is known, ..."""
SPREAD = 2.0
"""... and this, as a power of two, the standard deviation of that belief: a few records do not outweigh it."""
FITTED = 2_000  # wallets looked at for that
GROWTH = 1.25  # it is looked at anew when so many times as many outcomes are known
MOST_OPEN = 50_000


@dataclass(slots=True)
class Claim:
    """What was foretold of a transaction. ``landed`` is the block it was seen in, 0 while it was not."""

    id: str
    kind: str
    subject: str
    tx: str
    impact: Impact
    due_block: int
    landed: int = 0

    def data(self) -> dict[str, Any]:
        """As a signal carries it."""
        return {"id": self.id, "kind": self.kind, "due_block": self.due_block, "pool": self.impact.pool}


class Record:
    """Claims that are open, and the tallies of those that are not. ``tallies``, by kind and wallet: how many came true,
    of how many; as a ledger keeps them over runs."""

    def __init__(self, tallies: Mapping[tuple[str, str], tuple[int, int]] | None = None) -> None:
        self._tallies: dict[str, dict[str, tuple[int, int]]] = {}  # by kind and wallet
        self._totals: dict[str, tuple[int, int]] = {}
        self._strengths: dict[str, tuple[float, int]] = {}  # and how many outcomes were known when it was fitted
        self._open: dict[str, Claim] = {}  # by transaction
        for (kind, subject), (hits, tries) in (tallies or {}).items():
            self._count(kind, subject, hits, tries)

    def __contains__(self, tx: str) -> bool:
        """Whether a claim about the transaction is open."""
        return tx in self._open

    def confidence(self, kind: str, subject: str) -> float:
        """The mean of a Beta posterior: a wallet's own record, drawn towards all wallets' rate (itself drawn towards
        one half). How strongly is what all the records make likeliest (Beta-binomial, empirical Bayes)."""
        own, every = self.basis(kind, subject)
        strength, _ = self._strengths.get(kind, (FIRST_STRENGTH, 0))
        return (own[0] + strength * _rate(every)) / (own[1] + strength)

    def basis(self, kind: str, subject: str) -> tuple[tuple[int, int], tuple[int, int]]:
        """How many came true, of how many: the wallet's own, and everybody's."""
        return self._tallies.get(kind, {}).get(subject, (0, 0)), self._totals.get(kind, (0, 0))

    def open(self, kind: str, subject: str, tx: str, impact: Impact, block: int) -> Claim | None:
        """A claim about a transaction that is in ``block``, or may be; None where there are too many to follow."""
        if len(self._open) >= MOST_OPEN or tx in self._open:
            return None
        landed = block if kind == MINED else 0
        claim = Claim(f"{kind}:{tx}", kind, subject, tx, impact, block + HORIZON, landed)
        self._open[tx] = claim
        return claim

    def settle(
        self, header: Header, reorganised: bool, transactions: Iterable[MinedTx], view: View
    ) -> list[tuple[Claim, bool]]:
        """Takes a head in: those whose block this is, with whether they came true, which is counted. One whose block
        was missed, or whose pool is not known there, is dropped: nobody knows."""
        if reorganised:
            for claim in self._open.values():
                claim.landed = 0 if claim.landed >= header.number else claim.landed
        for tx in transactions:
            claim = self._open.get(tx.hash)  # type: ignore[assignment]
            if claim is not None and tx.logs:
                claim.landed = header.number
        known = []
        for claim in [claim for claim in self._open.values() if claim.due_block <= header.number]:
            del self._open[claim.tx]
            happened = _came_true(claim, view) if claim.due_block == header.number else None
            if happened is not None:
                self._count(claim.kind, claim.subject, int(happened), 1)
                known.append((claim, happened))
        return known

    def _count(self, kind: str, subject: str, hits: int, tries: int) -> None:
        tallies = self._tallies.setdefault(kind, {})
        before, total = tallies.get(subject, (0, 0)), self._totals.get(kind, (0, 0))
        tallies[subject] = before[0] + hits, before[1] + tries
        total = self._totals[kind] = total[0] + hits, total[1] + tries
        if total[1] >= GROWTH * self._strengths.get(kind, (0.0, 1))[1]:
            self._strengths[kind] = _strength(islice(tallies.values(), FITTED), _rate(total)), total[1]


def _rate(total: tuple[int, int]) -> float:
    return (total[0] + 1) / (total[1] + 2)


def _strength(tallies: Iterable[tuple[int, int]], rate: float) -> float:
    """The likeliest, of wallets whose rates are drawn from Beta(strength rate, strength (1 - rate))."""
    records = list(tallies)

    def likelihood(strength: float) -> float:
        a, b = strength * rate, strength * (1 - rate)
        none, off = _log_beta(a, b), log2(strength / FIRST_STRENGTH) / SPREAD
        return sum(_log_beta(a + hits, b + tries - hits) - none for hits, tries in records) - off * off / 2

    return max(STRENGTHS, key=likelihood)


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _came_true(claim: Claim, view: View) -> bool | None:
    if not claim.landed:
        return False
    impact, pool = claim.impact, view.pool(claim.impact.pool)
    if pool is None:
        return None
    try:
        now = price(pool, impact.i, impact.j, impact.probe)
    except (UnknownState, NoLiquidity):
        return None
    return now - impact.before >= KEPT * (impact.after - impact.before)
