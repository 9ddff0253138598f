"""``mev bench market``: search, sizing, quotes, routing and ingestion of the market engine, each beside a peer."""

from __future__ import annotations

from bot.cli.benches import ingest, quote, routing, scan, sizing
from bot.cli.benches.result import Result


def run() -> list[Result]:
    """Raises UserError where a peer is not installed, and before `make setup`."""
    return [result for part in (scan, sizing, quote, routing, ingest) for result in part.run()]
