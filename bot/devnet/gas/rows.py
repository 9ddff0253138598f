"""The trades whose gas is measured: which pools in which order, with exact amounts, and who lends.

Amounts are in the tokens' smallest units. Every trade begins and ends in WETH.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Way(StrEnum):
    """How a trade is paid for."""

    OWN = "own"  # from our own WETH; every v2 pool sends to the next
    NESTED = "nested"  # the v3 leg first, the v2 leg in its callback: no own WETH
    FLASH_LAST = "flash-last"  # the last v2 pool lends its output, repaid by the pool before it
    FLASH_FIRST = "flash-first"  # the first v2 pool lends its output, repaid in WETH at the end
    LOAN = "loan"  # a third party lends the WETH


class Lender(StrEnum):
    """Who lends."""

    MORPHO = "morpho"
    V4 = "v4"
    BALANCER = "balancer"
    V3 = "v3"
    V2 = "v2"
    AAVE = "aave"


@dataclass(frozen=True, slots=True)
class Leg:
    """A swap. ``kind`` is the pool's interface, ``v2`` or ``v3``."""

    kind: str
    pool: str
    token_in: str
    token_out: str
    amount_in: int
    amount_out: int

    @property
    def zero_for_one(self) -> bool:
        return int(self.token_in, 16) < int(self.token_out, 16)


@dataclass(frozen=True, slots=True)
class Loan:
    """WETH lent by ``address`` for the transaction, paid back with ``fee`` on top. A lender that is a pool has WETH as
    its token0.

    ``approving``: a lender that takes the money itself is allowed to in the transaction, instead of once for all.
    ``direct``: the lender pays the first pool, instead of us.
    """

    lender: Lender
    address: str
    amount: int
    fee: int
    approving: bool = False
    direct: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A trade. A loan's row without legs borrows and pays back, and does nothing else."""

    name: str
    way: Way
    legs: tuple[Leg, ...]
    loan: Loan | None = None

    @property
    def amount_in(self) -> int:
        return self.legs[0].amount_in if self.legs else 0

    @property
    def profit(self) -> int:
        """WETH gained at the trader, before gas."""
        earned = self.legs[-1].amount_out - self.amount_in if self.legs else 0
        return earned - (self.loan.fee if self.loan else 0)


REFERENCE: dict[str, int] = {
    "A2": 128_808,
    "B3": 178_513,
    "C23": 136_984,
    "C32": 138_274,
    "FS-last 2": 129_435,
    "FS-last 3": 179_140,
    "FS-first 2": 134_873,
    "FS-first 3": 184_578,
    "Morpho": 148_546,
    "Uniswap v4": 148_855,
    "Balancer v2": 159_059,
    "Uniswap v3 flash": 169_344,
    "Uniswap v2 third pool": 179_900,
    "Aave v3.0.2": 251_352,
}
"""Row to the floor that was measured before, in a world of the same kind: gas used by the whole transaction."""

EMPTY_LOAN: dict[str, int] = {
    "Morpho": 45_238,
    "Uniswap v4": 45_559,
    "Balancer v2": 55_760,
    "Uniswap v3 flash": 68_845,
    "Uniswap v2 third pool": 79_401,
    "Aave v3.0.2": 150_847,
}
"""The same for a loan that is used for nothing."""
