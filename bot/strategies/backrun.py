"""Cycles that a pending transaction opens or widens, taken directly behind it."""

from __future__ import annotations

from collections.abc import Sequence

from bot.engine.fees import next_base_fee
from bot.engine.types import Event, Opportunity, PendingEffect, Trade
from bot.market.market import Market
from bot.market.search import search
from bot.market.view import View
from bot.strategies.gas import GasPolicy

MOST, REFINED = 4, 1
"""Cycles taken for one transaction, and of these refined: they share its pools, so that only one will hold."""


class Backrun:
    """Trades on the state that the pending transaction leaves. A cycle that gains as much without the transaction is
    the arbitrage strategy's."""

    name = "backrun"

    def __init__(self, market: Market, gas: GasPolicy) -> None:
        self._market, self._gas = market, gas
        self._last: tuple[PendingEffect, str, View, list[Trade]] | None = None

    def process(self, event: Event) -> Sequence[Opportunity]:
        """Best first; they may share pools, and then only one of them holds."""
        head = self._market.head
        if not isinstance(event, PendingEffect) or head is None:
            return []
        after, trades = self.behind(event)
        return [
            Opportunity(
                strategy=self.name,
                trade=trade,
                block_number=head.number + 1,
                behind=event.tx,
                seen_ns=event.seen_ns,
                gas=self._gas.gas(trade.route),
                moved=after.changed,
            )
            for trade in trades
        ]

    def behind(self, event: PendingEffect) -> tuple[View, list[Trade]]:
        """The market after the transaction, and the trades directly behind it that pay for their gas, best first. Of
        the last event it is remembered, for whoever asks next. The market must have a head."""
        head = self._market.head
        assert head is not None
        if self._last is None or self._last[0] is not event or self._last[1] != head.hash:
            after = self._market.after(event.logs, diff=event.diff)
            base_fee = next_base_fee(head)
            trades = search(after, after.changed, self._gas.least(base_fee), beyond=True, most=MOST, refined=REFINED)
            self._last = event, head.hash, after, self._gas.paying(trades, base_fee)
        return self._last[2:]
