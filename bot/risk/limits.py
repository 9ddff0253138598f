"""The one gate between an opportunity and money. Whatever may stop the bot from trading is asked here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.engine.clock import Clock
from bot.engine.types import Opportunity
from bot.ledger.ledger import Ledger

BPS = 10_000
DAY_NS = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Limits:
    """What no trade may exceed. Amounts in wei of ETH unless it says otherwise.

    ``max_trade``: token to the most that may go into a cycle of it, in its smallest unit; a token that is not listed
    is not traded. ``max_gas_price`` wei per gas. ``max_bid_share`` basis points of the gross profit.
    ``max_gas_burnt`` over 24 hours, by transactions that reverted. ``max_head_age`` seconds.
    """

    max_trade: Mapping[str, int]
    min_net_profit: int
    max_gas_price: int
    max_bid_share: int
    max_open_intents: int
    max_gas_burnt: int
    max_head_age: int


class RiskGate:
    """Says no, and why. It never says how much: sizing is not its business."""

    def __init__(self, limits: Limits, ledger: Ledger, clock: Clock) -> None:
        self._limits, self._ledger, self._clock = limits, ledger, clock

    def check(
        self,
        opportunity: Opportunity,
        *,
        bid: int,
        gas_cost: int,
        gas_price: int,
        head_timestamp: int,
        premium: int = 0,
    ) -> str | None:
        """Why the trade may not be done, in one line, or None. ``bid``, ``gas_cost`` and a lender's ``premium`` in wei,
        ``gas_price`` wei per gas, ``head_timestamp`` seconds since 1970."""
        trade, limits = opportunity.trade, self._limits
        net = trade.gross_profit - premium - bid - gas_cost
        if (allowed := limits.max_trade.get(trade.token)) is None:
            return f"no max_trade is set for token {trade.token}"
        if trade.needed > allowed:
            return f"trade of {trade.needed} exceeds max_trade {allowed}"
        if net < limits.min_net_profit:
            return f"net profit {net} wei is below min_net_profit {limits.min_net_profit}"
        if bid * BPS > trade.gross_profit * limits.max_bid_share:
            return f"bid {bid} wei exceeds max_bid_share {limits.max_bid_share} bps of {trade.gross_profit}"
        if gas_price > limits.max_gas_price:
            return f"gas price {gas_price} wei exceeds max_gas_price {limits.max_gas_price}"
        return self._state(gas_cost, head_timestamp)

    def _state(self, gas_cost: int, head_timestamp: int) -> str | None:
        """What depends on the bot's state rather than on the trade."""
        limits, now = self._limits, self._clock.now_ns()
        age = now // 10**9 - head_timestamp
        if age > limits.max_head_age:
            return f"the head is {age} s old, more than max_head_age {limits.max_head_age} s"
        if self._ledger.open_intents >= limits.max_open_intents:
            return f"{self._ledger.open_intents} intents are open, max_open_intents is {limits.max_open_intents}"
        burnt = self._ledger.gas_burnt(now - DAY_NS)
        if burnt + gas_cost > limits.max_gas_burnt:
            return (
                f"reverts have burnt {burnt} wei in 24 hours: with {gas_cost} more it could exceed "
                f"max_gas_burnt {limits.max_gas_burnt}"
            )
        return None
