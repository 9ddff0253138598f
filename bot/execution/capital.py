"""The cheapest capital for a trade: the source with the least fee and gas that holds enough."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from bot.engine.types import Basket, Deal
from bot.execution.loans import LoanSource
from bot.execution.program import Capital
from bot.execution.steps import Lender

OWN_GAS = 0
NESTED_GAS = {"v3": 0, "v2": 627}
"""Units over the same trade on own WETH, by the kind of the pool that goes first: floors of straight-line bytecode, as
`mev bench` measures them (two v2 pairs; a v3 pool calls back whoever pays)."""
LOAN_GAS = {
    Lender.MORPHO: 19_738,
    Lender.V4: 20_047,
    Lender.BALANCER_V2: 30_251,
    Lender.V3: 40_536,
    Lender.V2: 51_092,
    Lender.AAVE_V3: 106_871,  # v3.6; v3.0 has 15,700 more
    Lender.ERC3156: 106_871,  # not measured: taken for as dear as the dearest
}
"""Units over the same trade on own WETH, by lender: likewise."""

KEPT = ("v4", "balancer")
"""Kinds of pools that one contract keeps, the first of their terms. It is locked as a whole while it lends (v4-core,
PoolManager.unlock: AlreadyUnlocked; balancer-v2-monorepo, Swaps.swap and FlashLoans.flashLoan: nonReentrant)."""
BPS = 10_000


@dataclass(frozen=True, slots=True)
class Offer:
    """A lender that can give ``holds`` wei of the trade's token, for ``fee_bps`` basis points of the loan and ``fee``
    wei. ``token_1`` tells which token of a v2 or v3 pool is lent."""

    lender: Lender
    address: str
    holds: int
    fee_bps: int = 0
    fee: int = 0
    token_1: bool = False

    def fee_of(self, amount: int) -> int:
        """Wei, rounded as the lender does."""
        share = amount * self.fee_bps
        match self.lender:
            case Lender.V2:  # of what comes in
                return self.fee - -share // (BPS - self.fee_bps)
            case Lender.AAVE_V3:
                return self.fee + (share + BPS // 2) // BPS
            case _:
                return self.fee - -share // BPS


@dataclass(frozen=True, slots=True)
class Funding:
    """A source for one trade, as ``plan`` takes it. ``holds`` None is as much as the trade needs; ``fee`` is wei of the
    trade's token, ``gas`` units on top of the trade's own."""

    capital: Capital
    holds: int | None
    gas: int
    lender: LoanSource | None = None

    @property
    def fee(self) -> int:
        return self.lender.fee if self.lender else 0

    def cost(self, price: Fraction | int, base_fee: int) -> Fraction | int:
        """Wei of the trade's token, of which one wei of ETH costs ``price``."""
        return self.fee + self.gas * base_fee * price


def fundings(trade: Deal, *, own: int = 0, offers: Iterable[Offer] = (), nested: bool = True) -> Iterator[Funding]:
    """All that could pay for a trade, whether they hold enough or not. ``own`` is what the executor has of the token.
    A pool of the trade, or v4's manager or Balancer's Vault that keeps it, cannot lend to it: it is locked meanwhile.
    ``nested``: its pools may pay first."""
    yield Funding(Capital.OWN, own, OWN_GAS)
    if nested and not isinstance(trade, Basket) and any(hop.kind in NESTED_GAS for hop in trade.route):
        first = "v3" if any(hop.kind == "v3" for hop in trade.route) else "v2"
        yield Funding(Capital.NESTED, None, NESTED_GAS[first])
    locked = {hop.pool for hop in trade.route} | {hop.terms[0] for hop in trade.route if hop.kind in KEPT}
    for offer in offers:
        if offer.address not in locked:
            source = LoanSource(offer.lender, offer.address, offer.fee_of(trade.needed), offer.token_1)
            yield Funding(Capital.LOAN, offer.holds, LOAN_GAS[offer.lender], source)


def cheapest(
    trade: Deal, found: Iterable[Funding], *, base_fee: int = 0, price: Fraction | int | None = 1
) -> Funding | None:
    """Of those that hold enough the one with the least fee and gas, the first of equals; None where none does.

    ``base_fee`` is wei per gas; ``price`` the wei of the trade's token for a wei of ETH: 1 where it is WETH. Where it
    is None, gas decides only between equal fees.
    """
    needed = trade.needed
    enough = [funding for funding in found if funding.holds is None or funding.holds >= needed]
    return min(enough, key=lambda funding: (funding.cost(price or 0, base_fee), funding.gas), default=None)
