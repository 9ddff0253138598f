"""``mev bench market``: search, sizing, quotes, routing and ingestion of the market engine, each beside a peer."""

from __future__ import annotations

from bot.cli import bench_ingest, bench_quote, bench_routing, bench_scan, bench_sizing
from bot.cli.bench_result import Result


def run() -> list[Result]:
    """Raises UserError where a peer is not installed, and before `make setup`."""
    return [
        result for part in (bench_scan, bench_sizing, bench_quote, bench_routing, bench_ingest) for result in part.run()
    ]
