"""Everything about the market: search, sizing, quotes, routing, messages."""

from __future__ import annotations

import sys

from bot.cli.benches import ingest, quote, routing, scan, sizing
from bot.cli.benches.result import Result
from bot.errors import UserError

PARTS = (scan, sizing, quote, routing, ingest)


def run() -> list[Result]:
    """A part whose peer is not installed is left out, and named on stderr. Raises UserError where that is all."""
    results: list[Result] = []
    missing: list[UserError] = []
    for part in PARTS:
        try:
            results += part.run()
        except UserError as error:
            print(f"left out: {error}", file=sys.stderr)
            missing.append(error)
    if not results:
        raise missing[0]
    return results
