"""What differs between the generations of Curve's StableSwap: a few roundings, and where they keep their state.

Sources, in Curve's public repositories: curve-contract (pools/3pool/StableSwap3Pool.vy, pool-templates/meta),
curve-factory (implementations/plain-2/Plain2BasicEMA.vy, meta/MetaUSD.vy), stableswap-ng (main/CurveStableSwapNG.vy).
Slots are those of the deployed contracts, held to their bytecode by tests/fork/test_curve_stable_bytecode.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot import abi
from bot.abi import keccak


@dataclass(frozen=True, slots=True)
class Storage:
    """Slots. ``balances``, ``admin`` and ``coins`` are an array's first element, ``ramp`` is the first of initial_A,
    future_A, initial_A_time, future_A_time; None is what a generation has not, or has as a constant."""

    balances: int
    fee: int
    ramp: int
    coins: int | None = None
    rates: int | None = None
    admin_fee: int | None = None
    killed: int | None = None
    offpeg: int | None = None
    admin: int | None = None

    def words(self, coins: int) -> frozenset[int]:
        """All that can change, of a pool of so many coins."""
        single = {self.fee, *range(self.ramp, self.ramp + 4), self.admin_fee, self.killed, self.offpeg}
        for first in (self.balances, self.admin):
            if first is not None:
                single.update(range(first, first + coins))
        return frozenset(slot for slot in single if slot is not None)


@dataclass(frozen=True, slots=True)
class Generation:
    """``a_precision`` is the unit of A. ``split`` marks a get_D that divides by the number of coins with each coin, not
    once at the end; ``settles`` a Newton iteration that reverts where it does not settle. ``oracle`` marks an exchange
    that stores a spot price, whose own arithmetic can revert. ``ng`` is StableSwap-NG: the fee grows off the peg
    (``offpeg``), the admin's share is kept apart, logs have arrays of any length. ``coins`` is the number of coins
    where the code is for one only. ``admin_fee`` is the share of the fee where it is a constant, in 1e-10."""

    name: str
    storage: Storage | None
    a_precision: int = 100
    split: bool = False
    settles: bool = True
    oracle: bool = False
    ng: bool = False
    coins: int | None = None
    admin_fee: int | None = 5 * 10**9


def _hashed(slot: int) -> int:
    """Where Vyper before 0.2.5 puts an array's elements."""
    return int.from_bytes(keccak(abi.encode(slot)), "big")


STABLE_2020 = Generation(
    "stable-2020",
    Storage(balances=_hashed(1), coins=_hashed(0), fee=2, admin_fee=3, ramp=6, killed=15),
    a_precision=1,
    split=True,
    settles=False,
    coins=3,
    admin_fee=None,
)
"""StableSwap3Pool."""
STABLE_EMA = Generation("stable-ema", Storage(coins=2, balances=4, fee=6, ramp=9, rates=13), oracle=True, coins=2)
"""Plain2BasicEMA: the factory's plain pools of two coins with a price oracle."""
STABLE_NG = Generation("stable-ng", Storage(balances=2, fee=10, offpeg=11, ramp=12, admin=17), oracle=True, ng=True)
"""CurveStableSwapNG."""
STABLE_NG_FIRST = replace(STABLE_NG, name="stable-ng-first", split=True)
"""Its first deployments."""
STABLE_META = Generation("stable-meta", None, split=True, coins=2)
"""Metapools before NG. Their storage differs from code to code: they are read by their getters, each block anew."""

GENERATIONS = {known.name: known for known in (STABLE_2020, STABLE_EMA, STABLE_NG, STABLE_NG_FIRST, STABLE_META)}
