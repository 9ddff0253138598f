"""Cycles that the state at the head leaves open."""

from __future__ import annotations

from collections.abc import Sequence

from bot.engine.fees import next_base_fee
from bot.engine.types import Event, NewHead, Opportunity
from bot.market.market import Market
from bot.market.search import search
from bot.strategies.gas import GasPolicy

REFINED = 8
"""Cycles refined at a head: many share pools, and few will be taken."""


class Arbitrage:
    """At every head, every open cycle: one that was not taken in the last block is still there for the next, so all
    cycles are looked at, not only those that changed. The market must have followed the head already."""

    name = "arbitrage"

    def __init__(self, market: Market, gas: GasPolicy) -> None:
        self._market, self._gas = market, gas

    def process(self, event: Event) -> Sequence[Opportunity]:
        """Best first; they may share pools, and then only one of them holds."""
        if not isinstance(event, NewHead):
            return []
        base_fee = next_base_fee(event.header)
        trades = search(self._market.view, least=self._gas.least(base_fee), refined=REFINED)
        return [
            Opportunity(self.name, trade, event.header.number + 1, None, event.seen_ns, self._gas.gas(trade.route))
            for trade in self._gas.paying(trades, base_fee)
        ]
