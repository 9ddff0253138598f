"""The whales strategy under the load of ``mev bench soak``: of the watched wallets some trade all the time."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bot.chain.swap_calls import swaps
from bot.chain.watchlist import Kind, Watched
from bot.cli.benches.soak import BLOCK_SECONDS, RATE, Window, measure, running
from bot.cli.benches.soak_messages import FIRST_GAS, PLACES, SENDERS, senders
from bot.cli.benches.soak_world import Latencies, bot, world
from bot.engine.types import Event, PendingEffect, Signal
from bot.market.market import Market
from bot.strategies.gas import GasPolicy
from bot.strategies.whales import Whales

TRADING = 200
"""Watched wallets that are among the feed's senders of swaps, evenly: of 20,000, so some twelve signals a second."""


class Timed:
    """The strategy, with the time from when a message was due at the feeder to its signal."""

    name = "whales"

    def __init__(self, whales: Whales, stamps: memoryview) -> None:
        self._whales, self._stamps = whales, stamps
        self.latencies, self.signals = Latencies(), 0

    def process(self, event: Event) -> Sequence[Signal]:
        found = self._whales.process(event)
        if found and isinstance(event, PendingEffect):
            place = event.tx.gas - FIRST_GAS
            if 0 <= place < PLACES:
                self.latencies.add(time.monotonic_ns() - self._stamps[place])
                self.signals += len(found)
        return found


async def soak(seconds: float, wallets: int, warm: float, rate: int = RATE) -> tuple[Window, Timed]:
    """The feed at ``rate`` messages a second with so many watched; latencies of signals are of ``warm`` too."""
    trading = senders()[:: SENDERS // TRADING]
    names = [*trading, *(f"0x{number:040x}" for number in range(1, wallets - len(trading) + 1))]
    watch = {address: Watched("wallet", Kind.WALLET) for address in names}
    async with world(BLOCK_SECONDS) as at:
        timed: list[Timed] = []

        def extra(market: Market, gas: GasPolicy) -> Sequence[Timed]:
            timed.append(Timed(Whales(market, gas, lambda one: watch.get(str(one)), decode=swaps), at.stamps))
            return timed

        under = await bot(at, extra, watch)
        async with running(under):
            window = await measure(at, under, rate, seconds, warm)
        return window, timed[0]
