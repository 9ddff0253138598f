"""Time is passed in, so that a recorded run can be run again."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Nanoseconds since 1970, never going back, and a way to wait. ``source`` names it in the ledger."""

    source: str

    def now_ns(self) -> int: ...
    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The time at start (the wall's, or ``start_seconds`` of a chain with a time of its own) plus the monotonic clock
    since: steps of the wall clock do not disturb latencies."""

    source = "wall+monotonic"

    def __init__(self, start_seconds: int | None = None) -> None:
        start = time.time_ns() if start_seconds is None else start_seconds * 10**9
        self._offset = start - time.monotonic_ns()

    def now_ns(self) -> int:
        return time.monotonic_ns() + self._offset

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
