"""What the builder gets, and what is left."""

from __future__ import annotations

from dataclasses import dataclass

BPS = 10_000


@dataclass(frozen=True, slots=True)
class BidPolicy:
    """``share_bps`` of what is left after gas goes to the builder, basis points. A trade must leave more than
    ``min_profit`` wei after gas and bid."""

    share_bps: int
    min_profit: int

    def bid(self, gross: int, gas_cost: int) -> int:
        """Wei for the builder, out of a gross profit of ``gross`` wei; 0 where gas eats it all."""
        return max(0, gross - gas_cost) * self.share_bps // BPS

    def worth_it(self, gross: int, gas_cost: int, bid: int) -> bool:
        return gross - gas_cost - bid > self.min_profit
