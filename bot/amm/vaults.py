"""Wrappers that change one token for another at a rate of their own: ERC-4626 vaults, and WETH.

Assets become shares in proportion to two totals, rounded down, and back. Of solmate's vaults and OpenZeppelin's until
4.8 the totals are totalSupply and totalAssets, OpenZeppelin's since 4.9 (ERC4626._convertToShares, StakedUSDe too) add
virtual shares and one virtual asset; of vaults with a rate of their own (sDAI: chi) they are its unit and the rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from bot import abi
from bot.amm.pool import NoLiquidity, Plain, Segment, UnknownState, first_rate
from bot.amm.value import value
from bot.engine.types import Log, StateDiff, Terms

DEPOSIT = abi.topic("Deposit(address,address,uint256,uint256)")
WITHDRAW = abi.topic("Withdraw(address,address,address,uint256,uint256)")
ETH = "0x" + "00" * 20
_ENDLESS = 2.0**160  # virtual reserves of a straight line, whose price no trade moves


@value
class VaultPool(Plain):
    """``tokens`` are the asset and the share, which is the vault itself: deposit leads from 0 to 1, redeem back.

    ``assets`` and ``shares`` are what the rate is made of, virtual parts included; ``own_rate``: deposits and
    withdrawals do not move them. ``most_in`` and ``most_out`` are the assets that may be deposited and redeemed, the
    last None where only the vault knows what it can bring back; ``closed``: shares leave by a queue, redeem reverts.
    ``least_shares``: neither way may leave fewer of them, the ``virtual_shares`` not counted, but for none."""

    id: str
    asset: str
    assets: int
    shares: int
    most_in: int = abi.MASK_256
    most_out: int | None = None
    virtual_shares: int = 0
    least_shares: int = 0
    own_rate: bool = False
    closed: bool = False

    kind: ClassVar[str] = "vault"
    silent: ClassVar[bool] = True

    @property
    def tokens(self) -> tuple[str, str]:
        return self.asset, self.id

    def terms(self, i: int, j: int) -> Terms:
        return ("in",) if i == 0 else ("out",)

    def quote_in(self, i: int, j: int, amount_in: int) -> int:
        """What deposit or redeem give. Raises NoLiquidity, also where that is nothing, which many vaults refuse;
        UnknownState."""
        if amount_in <= 0:
            return 0
        have, give = self._sides(i)
        self._check_product(amount_in, give)
        amount_out = amount_in * give // have
        if not amount_out:
            raise NoLiquidity(f"{self.id} gives nothing for so little")
        self._check_limits(i, amount_in, amount_out)
        return amount_out

    def quote_out(self, i: int, j: int, amount_out: int) -> int:
        """The least that gives ``amount_out``. Raises as ``quote_in``."""
        if amount_out <= 0:
            return 0
        have, give = self._sides(i)
        amount_in = -(-amount_out * have // give)
        self._check_product(amount_in, give)
        self._check_limits(i, amount_in, amount_in * give // have)
        return amount_in

    def apply(self, log: Log) -> VaultPool:
        """Deposit and Withdraw move both totals by what they tell."""
        if log.topics[0] not in (DEPOSIT, WITHDRAW) or log.address != self.id:
            return self
        sign = 1 if log.topics[0] == DEPOSIT else -1
        assets, shares = sign * abi.uint(log.data), sign * abi.uint(log.data, 1)
        most_out = None if self.most_out is None else max(0, self.most_out + assets)
        if self.own_rate:
            return replace(self, most_out=most_out)
        return replace(self, assets=self.assets + assets, shares=self.shares + shares, most_out=most_out)

    def apply_diff(self, diff: StateDiff) -> VaultPool:
        """The totals depend on other contracts and on time: a vault is silent, and read anew in every block."""
        return self

    def slots(self) -> dict[str, frozenset[int]]:
        return {}

    def rate(self, i: int, j: int) -> float:
        return first_rate(self, i, j)

    def segments(self, i: int, j: int) -> Iterator[Segment]:
        """A straight line up to the limit. Raises as ``quote_in``."""
        have, give = self._sides(i)
        rate = give / have
        most = self.most_in if i == 0 else self._redeemable() / rate
        if not most:
            raise NoLiquidity(f"{self.id} is closed this way")
        yield Segment(_ENDLESS, _ENDLESS * rate, 1.0, float(most))

    def _sides(self, i: int) -> tuple[int, int]:
        """Of the rate: what goes in, what comes out. Raises UnknownState."""
        if not self.assets or not self.shares:
            raise UnknownState(f"{self.id} is empty: what its first deposit gives is its own matter")
        return (self.assets, self.shares) if i == 0 else (self.shares, self.assets)

    def _check_product(self, amount_in: int, give: int) -> None:
        if amount_in * give > abi.MASK_256:
            raise NoLiquidity(f"{amount_in} is too much for a vault's arithmetic")

    def _check_limits(self, i: int, amount_in: int, amount_out: int) -> None:
        if i == 0:
            if amount_in > self.most_in:
                raise NoLiquidity(f"{self.id} takes at most {self.most_in}")
        elif amount_out > self._redeemable():
            raise NoLiquidity(f"{self.id} gives at most {self.most_out}")
        if self.least_shares:
            left = self.shares - self.virtual_shares + (amount_out if i == 0 else -amount_in)
            if 0 < left < self.least_shares:
                raise NoLiquidity(f"{self.id} keeps a least number of shares")

    def _redeemable(self) -> int:
        if self.closed:
            return 0
        if self.most_out is None:
            raise UnknownState(f"{self.id} does not say what it can pay out")
        return self.most_out


@value
class WethPool(Plain):
    """One to one between ETH, which is the zero address, and WETH9, whose address is ``id``."""

    id: str

    kind: ClassVar[str] = "weth"

    @property
    def tokens(self) -> tuple[str, str]:
        return ETH, self.id

    def terms(self, i: int, j: int) -> Terms:
        return ("in",) if i == 0 else ("out",)

    def quote_in(self, i: int, j: int, amount_in: int) -> int:
        """Raises NoLiquidity for more than there is ETH."""
        if amount_in >> 128:
            raise NoLiquidity("there is not so much ETH")
        return max(0, amount_in)

    def quote_out(self, i: int, j: int, amount_out: int) -> int:
        """As ``quote_in``."""
        return self.quote_in(j, i, amount_out)

    def apply(self, log: Log) -> WethPool:
        return self

    def apply_diff(self, diff: StateDiff) -> WethPool:
        return self

    def slots(self) -> dict[str, frozenset[int]]:
        return {}

    def rate(self, i: int, j: int) -> float:
        return first_rate(self, i, j)

    def segments(self, i: int, j: int) -> Iterator[Segment]:
        """A straight line."""
        yield Segment(_ENDLESS, _ENDLESS, 1.0, 2.0**128)
