"""What the builder gets, and what is left."""

from __future__ import annotations

from dataclasses import dataclass

BPS = 10_000


def bid_of(gained: int, share_bps: int) -> int:
    """Wei that the executor pays the builder out of ``gained``: its very arithmetic."""
    return max(0, gained) * share_bps // BPS


@dataclass(frozen=True, slots=True)
class BidPolicy:
    """``share_bps`` of what is left after gas goes to the builder, basis points. A trade must leave more than
    ``min_profit`` wei after gas and bid."""

    share_bps: int
    min_profit: int

    def bid_bps(self, gross: int, gas_cost: int) -> int:
        """The builder's share of a gross profit of ``gross`` wei, basis points, rounded down; 0 where gas eats it
        all."""
        wanted = max(0, gross - gas_cost) * self.share_bps // BPS
        return wanted * BPS // gross if wanted else 0

    def worth_it(self, gross: int, gas_cost: int, bid: int) -> bool:
        """All in wei."""
        return gross - gas_cost - bid > self.min_profit
