"""The strategies that find signals, put together for a bot as its profile wants them, and the way of what they find: to
the log, and where something is foretold, to the ledger."""

from __future__ import annotations

from collections.abc import Container, Sequence

import structlog

from bot.chain.discovery import ETH
from bot.chain.swap_calls import swaps
from bot.chain.watchlist import WatchList
from bot.cli.profile import Profile
from bot.engine.seam import Adapter, Strategy
from bot.engine.types import Signal
from bot.ledger.journal import Journal
from bot.ledger.ledger import Ledger
from bot.market.market import Market
from bot.strategies.backrun import Backrun
from bot.strategies.gas import GasPolicy
from bot.strategies.launches import Launches
from bot.strategies.whale_record import Record
from bot.strategies.whales import Whales

logger = structlog.get_logger(__name__)


class Signals:
    """What an engine needs: ``strategies`` behind the others, ``adapters`` anywhere, ``watched`` for HeadFork, ``hear``
    as listener; ``close`` at the end."""

    def __init__(
        self, profile: Profile, market: Market, gas: GasPolicy, ledger: Ledger, others: Sequence[Strategy] = ()
    ) -> None:
        """Of ``others`` the back-run's search is shared. Raises UserError for a bad watch list, LedgerError."""
        self._journal = Journal(ledger)
        self.watched: Container[str | None] = ()
        self.strategies: list[Strategy] = []
        self.adapters: list[Adapter] = [self._journal]
        if profile.launches:
            self.strategies.append(Launches(profile.factories().all, (*profile.base_tokens, ETH)))
        if file := profile.whales_file():
            watch = WatchList(file)
            whales = Whales(
                market,
                gas,
                watch.get,
                decode=swaps,
                size=profile.whale_size(),
                record=Record(ledger.tallies(profile.chain_id)),
                backrun=next((one for one in others if isinstance(one, Backrun)), None),
                names=profile.units(),
            )
            self.watched = watch
            self.strategies.append(whales)
            self.adapters.append(watch)

    def hear(self, signal: Signal) -> None:
        """Tells people, and keeps what a signal foretells; of any strategy."""
        logger.info("signal", strategy=signal.strategy, text=signal.text, tx=signal.tx, confidence=signal.confidence)
        self._journal.take(signal)

    async def close(self) -> None:
        """Writes what is not in the ledger yet."""
        await self._journal.close()
