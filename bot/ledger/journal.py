"""From the engine's signals to the ledger, without holding the engine up."""

from __future__ import annotations

import asyncio

import structlog

from bot.engine.types import Event, NewHead, Signal
from bot.ledger.ledger import Ledger
from bot.ledger.schema import LedgerError

logger = structlog.get_logger(__name__)

MOST_HELD = 100_000  # signals that wait for a disk that fails


class Journal:
    """Keeps what signals foretell and tell in the ledger. ``take`` only remembers; the writing, which waits for the
    disk, is done at the next head, beside the loop. ``close`` writes the rest at the end."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._held: list[Signal] = []
        self._writing: asyncio.Task[None] | None = None

    def take(self, signal: Signal) -> None:
        """The engine's listener."""
        if "forecast" in signal.data or "came_true" in signal.data:
            self._held.append(signal)

    async def adapt(self, event: Event) -> Event:
        """At a head begins to write what came before it."""
        if isinstance(event, NewHead) and self._held and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write())
        return event

    async def close(self) -> None:
        """Writes what is left, before the ledger is closed."""
        if self._writing is not None:
            await self._writing
        await self._write()

    async def _write(self) -> None:
        """Where the ledger fails it is kept for the next time."""
        batch, self._held = self._held, []
        try:
            await asyncio.to_thread(self._ledger.record_forecasts, batch)
        except LedgerError as error:
            self._held = [*batch, *self._held][-MOST_HELD:]
            logger.warning("forecasts not written: tried again at the next head", error=str(error))
