"""What a route costs in gas, before anything is simulated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bot.engine.types import Route, Trade

BASE = 47_700
PER_HOP = {"v2": 48_300, "v3": 61_400}
"""Gas units: least squares over 442 trades of the executor that landed on the devnet, two and three hops, routes where
the shape allows, and a bid. The cheapest of each shape were 9 % below or less."""
CHEAPEST_BPS = 9_000  # of the estimate: what the cheapest run of a route may cost, basis points


@dataclass(frozen=True, slots=True)
class GasPolicy:
    """An estimate that turns away what cannot pay for its gas. Whether the rest really does is decided after
    simulation, by execution.

    ``wrapped`` is the token that is worth its amount in gas money; a profit in another one is not turned away here.
    """

    wrapped: str
    base: int = BASE
    per_hop: Mapping[str, int] = field(default_factory=lambda: PER_HOP)

    def gas(self, route: Route) -> int:
        """Gas units, as they usually are."""
        return self.base + sum(self.per_hop[hop.kind] for hop in route)

    def least(self, base_fee: int) -> dict[str, int]:
        """The smallest gross profit that any cycle needs, for ``search``: two hops of the cheapest kind."""
        return {self.wrapped: max(1, _cheapest(self.base + 2 * min(self.per_hop.values())) * base_fee)}

    def paying(self, trades: Iterable[Trade], base_fee: int) -> list[Trade]:
        """Those whose gross profit exceeds the least they may cost at ``base_fee`` wei per gas."""
        return [
            trade
            for trade in trades
            if trade.token != self.wrapped or trade.gross_profit > _cheapest(self.gas(trade.route)) * base_fee
        ]


def _cheapest(gas: int) -> int:
    return gas * CHEAPEST_BPS // 10_000
