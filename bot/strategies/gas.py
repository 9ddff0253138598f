"""The least that a route costs: what turns a trade away early that cannot pay for its gas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bot.engine.types import Route, Trade

BASE = 29_398
PER_HOP = {"v2": 49_705, "v3": 57_881}
"""Gas that no executor can go below: hard-coded bytecode for one route, measured on real Uniswap bytecode with warm
pools and no tick crossed. Two v2 hops 128,808, three 178,513; v2 then v3 136,984."""


@dataclass(frozen=True, slots=True)
class GasPolicy:
    """A lower bound on the gas of a trade. Whether it really pays is decided after simulation, by execution.

    ``wrapped`` is the token that is worth its amount in gas money; a profit in another one is not turned away here.
    """

    wrapped: str
    base: int = BASE
    per_hop: Mapping[str, int] = field(default_factory=lambda: PER_HOP)

    def gas(self, route: Route) -> int:
        """Gas units."""
        return self.base + sum(self.per_hop[hop.kind] for hop in route)

    def least(self, base_fee: int) -> dict[str, int]:
        """The smallest gross profit that any cycle needs, for ``search``: two hops of the cheapest kind."""
        return {self.wrapped: max(1, (self.base + 2 * min(self.per_hop.values())) * base_fee)}

    def paying(self, trades: Iterable[Trade], base_fee: int) -> list[Trade]:
        """Those whose gross profit exceeds their least gas at ``base_fee`` wei per gas."""
        return [
            trade
            for trade in trades
            if trade.token != self.wrapped or trade.gross_profit > self.gas(trade.route) * base_fee
        ]
