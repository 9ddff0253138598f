"""The whales strategy put together for a bot: watch list, record from the ledger, and the way of its signals back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from bot.chain.swap_calls import swaps
from bot.chain.watchlist import WatchList
from bot.engine.seam import Adapter, Strategy
from bot.engine.types import Signal
from bot.ledger.journal import Journal
from bot.ledger.ledger import Ledger
from bot.market.market import Market
from bot.strategies.backrun import Backrun
from bot.strategies.gas import GasPolicy
from bot.strategies.whale_record import Record
from bot.strategies.whales import NO_SIZE, SizeRule, Whales

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WhaleWatch:
    """What an engine needs: ``strategy`` behind the back-run, ``adapters`` anywhere, ``watch`` for HeadFork's
    ``watched``, ``hear`` as listener; ``journal.close()`` at the end."""

    strategy: Whales
    watch: WatchList
    journal: Journal

    @property
    def adapters(self) -> tuple[Adapter, ...]:
        return self.watch, self.journal

    def hear(self, signal: Signal) -> None:
        """Tells people, and keeps what a signal foretells; of any strategy."""
        logger.info("signal", strategy=signal.strategy, text=signal.text, tx=signal.tx, confidence=signal.confidence)
        self.journal.take(signal)


def watch_whales(
    path: Path,
    market: Market,
    gas: GasPolicy,
    ledger: Ledger,
    *,
    chain_id: int,
    names: Mapping[str, tuple[str, int]],
    size: SizeRule = NO_SIZE,
    strategies: Sequence[Strategy] = (),
) -> WhaleWatch:
    """``path`` is the watch list, ``names`` a profile's ``units``; of the other ``strategies`` the back-run's search is
    shared. Raises UserError for a bad list, LedgerError."""
    shared = next((one for one in strategies if isinstance(one, Backrun)), None)
    watch = WatchList(path)
    record = Record(ledger.tallies(chain_id))
    strategy = Whales(market, gas, watch.get, decode=swaps, size=size, record=record, backrun=shared, names=names)
    return WhaleWatch(strategy, watch, Journal(ledger))
