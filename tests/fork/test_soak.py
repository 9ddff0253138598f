"""Messages by the thousand through the whole bot: each is handled, once, whatever else goes on. How fast is what
`mev bench soak` says; here it is only noted, as a busy machine proves nothing."""

from __future__ import annotations

import os
from collections.abc import Callable

from bot.cli.benches.soak import soak
from bot.engine.types import Event, PendingEffect

VERIFY = os.environ.get("MEV_VERIFY") == "1"
SECONDS, RATE, WARM = (600.0, 10_000, 30.0) if VERIFY else (4.0, 500, 2.0)
MOST_GROWTH = 0.05


class Counting:
    """One more strategy."""

    name = "counting"

    def __init__(self) -> None:
        self.effects = 0

    def process(self, event: Event) -> tuple[()]:
        self.effects += isinstance(event, PendingEffect)
        return ()


async def test_none_is_lost(record_property: Callable[[str, object], None]) -> None:
    counting = Counting()
    window = await soak(SECONDS, RATE, WARM, extra=lambda market, gas: [counting], block_seconds=12 if VERIFY else 2)
    record_property("soak: messages a second", round(window.messages / window.seconds))
    record_property("soak: seconds", round(window.seconds))
    record_property("soak: dropped", window.dropped)
    record_property("soak: due → strategy, ms, p50", round(window.p50, 2))
    record_property("soak: due → strategy, ms, p99", round(window.p99, 2))
    record_property("soak: µs of processor a message", round(window.cpu_us, 1))
    record_property("soak: memory growth, %", round(100 * window.growth, 2))
    record_property("soak: simulated and of effect", window.effects)
    record_property("soak: opportunities", window.opportunities)
    assert window.lost == 0
    assert window.effects and counting.effects >= window.effects
    assert window.looked["of a kind that does not matter"] > window.messages / 10
    if VERIFY:
        assert window.growth <= MOST_GROWTH
