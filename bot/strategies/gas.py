"""What a trade costs in gas, before anything is simulated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bot.engine.types import Basket, Deal, Hop, Route, Trade

PLAIN = 0  # bot.execution.steps.CurveKind.PLAIN
BASE = 47_700
V4_AGAIN, CURVE_CRYPTO, WETH = "v4 again", "curve crypto", "weth"
TRICRYPTO_2 = "0xd51a44d3fae010294c616388b506acda1bfaae46"
PER_HOP = {
    "v2": 48_300,
    "v3": 61_400,
    "v4": 73_400,
    V4_AGAIN: 42_700,  # behind another one of the same manager, in the same unlock
    "curve": 120_700,
    CURVE_CRYPTO: 158_700,
    TRICRYPTO_2: 251_100,  # a pool by itself: before the next generation
    "balancer": 93_800,
    "vault": 73_900,
    WETH: 23_800,
}
"""Gas units. BASE, v2 and v3: least squares over 442 trades of the executor that landed on the devnet, two and three
hops, routes where the shape allows, and a bid. The cheapest of each shape were 9 % below or less.

The others: least squares, BASE, v2 and v3 given, over 578 cycles of two to four hops of all kinds, executed as steps
with a bid (the world of tests/fork/mixed_world.py): nested, or on Morpho's loan less its own gas. State was as after
earlier trades: the executor held WETH and nothing else, the pools' counters were not zero. The cheapest was 10 % below.
"""
IN_BASKET = 9_300
"""More for each swap of a basket, of which many are paid by the executor and pay it: least squares, the others given,
over 34 baskets of 3 to 24 swaps on the devnet with a bid, less Morpho's loan. The cheapest was 6 % below."""
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
    in_basket: int = IN_BASKET

    def gas(self, route: Route) -> int:
        """Gas units, as they usually are."""
        return self.base + sum(map(self.hop, route, (None, *route[:-1])))

    def hop(self, hop: Hop, before: Hop | None = None) -> int:
        """Gas units of one more hop, behind ``before``. One of an unknown kind is taken for the cheapest: the proof
        tells."""
        names = [hop.pool]
        if hop.kind == "v4" and before is not None and before.kind == "v4" and before.terms[:1] == hop.terms[:1]:
            names.append(V4_AGAIN)
        if hop.kind == "curve" and hop.terms[:1] != (PLAIN,):
            names.append(CURVE_CRYPTO)
        names.append(hop.kind)
        return next((self.per_hop[name] for name in names if name in self.per_hop), self._cheapest_pool)

    def swap(self, hop: Hop) -> int:
        """Gas units of one more swap of a basket."""
        return self.hop(hop) + self.in_basket

    def deal(self, deal: Deal) -> int:
        """Gas units of any trade, as they usually are, without its loan."""
        if isinstance(deal, Basket):
            return self.base + sum(self.swap(swap.hop) for swap in deal.swaps)
        return self.gas(deal.route)

    def least(self, base_fee: int) -> dict[str, int]:
        """The smallest gross profit that any cycle needs, for ``search``: two hops of the cheapest kind."""
        return {self.wrapped: max(1, _cheapest(self.base + 2 * self._cheapest_pool) * base_fee)}

    def paying(self, trades: Iterable[Trade], base_fee: int) -> list[Trade]:
        """Those whose gross profit exceeds the least they may cost at ``base_fee`` wei per gas."""
        return [trade for trade in trades if self.pays(trade, base_fee)]

    def pays(self, deal: Deal, base_fee: int) -> bool:
        """Whether its gross profit exceeds the least it may cost at ``base_fee`` wei per gas."""
        return deal.token != self.wrapped or deal.gross_profit > _cheapest(self.deal(deal)) * base_fee

    @property
    def _cheapest_pool(self) -> int:
        """Of those that can change a price: no cycle is of WETH's two ways alone."""
        return min((gas for name, gas in self.per_hop.items() if name not in (V4_AGAIN, WETH)), default=0)


def _cheapest(gas: int) -> int:
    return gas * CHEAPEST_BPS // 10_000
