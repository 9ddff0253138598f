"""Balancer v2 stable pools: StablePool, MetaStablePool, StablePhantomPool and ComposableStablePool.

Sources: balancer-v2-monorepo, BaseGeneralPool.sol, BaseMinimalSwapInfoPool.sol, StablePool.sol, MetaStablePool.sol,
StablePhantomPool.sol, ComposableStablePool.sol, ComposableStablePoolRates.sol, StablePoolAmplification.sol. A pool
whose own token (BPT) is one of those that the Vault keeps for it swaps the others as if that were not there; joining
and leaving by swaps of the BPT is not offered. Not modelled: reverts of MetaStablePool's oracle, seen only where
one balance was a million million times the other, and of StablePhantomPool's protocol fees.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import ClassVar, NamedTuple

from bot import abi
from bot.amm.balancer import fixed_point as fp
from bot.amm.balancer import stable_math as sm
from bot.amm.balancer.storage_field import Field
from bot.amm.balancer.vault import Holdings, InVault, enough
from bot.amm.balancer.weighted import FEE_CHANGED, stretch
from bot.amm.pool import NoLiquidity, Segment, first_rate
from bot.engine.types import Log, StateDiff

AMP_STARTED = abi.topic("AmpUpdateStarted(uint256,uint256,uint256,uint256)")
AMP_STOPPED = abi.topic("AmpUpdateStopped(uint256)")
RATE_BY_INDEX = abi.topic("TokenRateCacheUpdated(uint256,uint256)")  # ComposableStablePool, indices with the BPT
RATE_BY_TOKEN = frozenset(
    (abi.topic("TokenRateCacheUpdated(address,uint256)"), abi.topic("PriceRateCacheUpdated(address,uint256)"))
)
AMP_SLOT = 9  # StablePool._packedAmplificationData, in every version
PIECES = 32
_NEAREST = 1e-4  # of the smaller balance: what the first piece takes
_MASK_64 = (1 << 64) - 1


class Amp(NamedTuple):
    """The amplification parameter in thousandths, which moves in a straight line between two times."""

    start: int
    end: int
    start_time: int
    end_time: int

    @classmethod
    def of(cls, word: int) -> Amp:
        """As the pools pack it (StablePool._packedAmplificationData)."""
        return cls(*(word >> shift & _MASK_64 for shift in (0, 64, 128, 192)))

    def at(self, time: int) -> int:
        """StablePoolAmplification._getAmplificationParameter."""
        if time >= self.end_time:
            return self.end
        passed, whole = time - self.start_time, self.end_time - self.start_time
        if self.end > self.start:
            return self.start + (self.end - self.start) * passed // whole
        return self.start - (self.start - self.end) * passed // whole


class Rate(NamedTuple):
    """What a token is worth, in 1e-18: ``cached`` in blocks up to the time ``expires``, later what its provider says,
    which was ``fresh``. ``duration`` is how long it will then be kept, in seconds."""

    cached: int = fp.ONE
    expires: int = abi.MASK_256
    fresh: int = fp.ONE
    duration: int = 0

    def at(self, time: int) -> int:
        return self.cached if time <= self.expires else self.fresh


FIXED = Rate()
"""Of a token without a rate provider."""


@dataclass(unsafe_hash=True)  # never changed; not frozen for speed, as in bot.amm.value, nor slotted for what it caches
class StablePool(InVault):
    """As of ``timestamp``: the time of the block that it was read at, or that ``at`` sets.

    ``scaling`` makes 18 decimals of amounts; it and ``rates`` have one for each of ``tokens``, which leaves out the
    BPT. ``rounds_up``: stable_math's version of 2021. ``late_rates``: StablePhantomPool renews a rate only after it
    has been used. ``fee_at`` and ``amp_at`` are where the pool itself keeps them, None where that is not known."""

    holdings: Holdings
    scaling: tuple[int, ...]
    fee: int
    amp: Amp
    rates: tuple[Rate, ...]
    rounds_up: bool
    timestamp: int
    late_rates: bool = False
    fee_at: Field | None = None
    amp_at: int | None = None

    kind: ClassVar[str] = "balancer"

    @property
    def tokens(self) -> tuple[str, ...]:
        return _traded(self.holdings.tokens, self.contract)[0]

    @property
    def silent(self) -> bool:
        """A moving amplification, and rates, which come from other contracts."""
        return self.timestamp < self.amp.end_time or any(rate != FIXED for rate in self.rates)

    def at(self, timestamp: int) -> StablePool:
        """The same state in a block of another time."""
        return self if timestamp == self.timestamp else replace(self, timestamp=timestamp)

    def quote_in(self, i: int, j: int, amount_in: int) -> int:
        """What the Vault's swap GIVEN_IN gives. Raises NoLiquidity."""
        if amount_in <= 0:
            return 0
        factors, balances = self._factors, list(self._scaled)
        if not factors[j]:
            raise NoLiquidity(f"{self.id} holds a token that is worth nothing")
        before = self._invariant  # of the balances before the swap
        balances[i] += (amount_in - fp.mul_up(amount_in, self.fee)) * factors[i] // fp.ONE
        out = balances[j] - sm.balance_of(self._amp, balances, before, j) - 1
        if out < 0:
            raise NoLiquidity(f"{self.id} gives nothing for so little")
        amount_out = out * fp.ONE // factors[j]
        self.holdings.check_swap(self._place[i], amount_in, self._place[j], amount_out)
        return amount_out

    def given_out(self, i: int, j: int, amount_out: int) -> int:
        """What the Vault's swap GIVEN_OUT takes. Raises NoLiquidity."""
        if amount_out <= 0:
            return 0
        factors, balances = self._factors, list(self._scaled)
        if not factors[i]:
            raise NoLiquidity(f"{self.id} takes a token that is worth nothing")
        before = self._invariant
        balances[j] -= amount_out * factors[j] // fp.ONE
        if balances[j] < 0:
            raise NoLiquidity(f"{self.id} does not hold {amount_out}")
        scaled = sm.balance_of(self._amp, balances, before, i) - balances[i] + 1
        if scaled <= 0:
            raise NoLiquidity(f"{self.id} cannot give so little")
        amount_in = fp.div_up(fp.div_up(scaled, factors[i]), fp.ONE - self.fee)
        self.holdings.check_swap(self._place[i], amount_in, self._place[j], amount_out)
        return amount_in

    def quote_out(self, i: int, j: int, amount_out: int) -> int:
        """``given_out``, and a little more where swapping that GIVEN_IN, as our programs do, would give less than
        ``amount_out`` (see ``enough``). Raises NoLiquidity."""
        if amount_out <= 0:
            return 0
        asked = self.given_out(i, j, amount_out)
        return enough(lambda amount: self.quote_in(i, j, amount), max(1, asked), amount_out)

    def apply(self, log: Log) -> StablePool:
        """The Vault's logs, and the pool's own where those are handed in too."""
        if log.address != self.contract:
            return self._holding(self.holdings.apply(log))
        kind = log.topics[0]
        if kind == FEE_CHANGED:
            return replace(self, fee=abi.uint(log.data))
        if kind == AMP_STARTED:
            return replace(self, amp=Amp(*(abi.uint(log.data, index) for index in range(4))))
        if kind == AMP_STOPPED:
            value = abi.uint(log.data)
            return replace(self, amp=Amp(value, value, 0, 0))
        if kind == RATE_BY_INDEX:
            return self._rated(self._place.index(int(log.topics[1], 16)), abi.uint(log.data))
        if kind in RATE_BY_TOKEN:
            return self._rated(self.tokens.index("0x" + log.topics[1][26:]), abi.uint(log.data))
        return self

    def apply_diff(self, diff: StateDiff) -> StablePool:
        """Balances in the Vault; fee and amplification where it is known where the pool keeps them. Rates are not
        followed: a pool that has any is silent."""
        after = self._holding(self.holdings.apply_diff(diff))
        change = diff.get(self.contract)
        if change is None:
            return after
        fee = None if self.fee_at is None else self.fee_at.after(change)
        if fee is not None and fee != self.fee:
            after = replace(after, fee=fee)
        word = None if self.amp_at is None else change.slots.get(self.amp_at)
        if word is not None and Amp.of(word) != self.amp:
            after = replace(after, amp=Amp.of(word))
        return after

    def slots(self) -> dict[str, frozenset[int]]:
        fee = () if self.fee_at is None else (self.fee_at.slot,)
        amp = () if self.amp_at is None else (self.amp_at,)
        own = {self.contract: frozenset((*fee, *amp))} if fee or amp else {}
        return {self.holdings.vault: self.holdings.slots()} | own

    def rate(self, i: int, j: int) -> float:
        return first_rate(self, i, j)

    def segments(self, i: int, j: int) -> Iterator[Segment]:
        """Pieces that grow outwards, each with the slope of its start and the value of its end, until the pool would
        hold as much of the one token as of all before. Raises NoLiquidity."""
        balances, keep = list(self._scaled), 1 - self.fee / fp.ONE
        if not all(balances) or not all(self._factors):
            raise NoLiquidity(f"{self.id} is empty")
        to_in, to_out = fp.ONE / self._factors[i], fp.ONE / self._factors[j]
        start, most, first = balances[i], sum(balances), min(balances[i], balances[j]) * _NEAREST
        growth = (most / first) ** (1 / (PIECES - 1))
        slope, (moved, held) = self._slope(balances, i, j), (balances[i], balances[j])
        for piece in range(PIECES):
            balances[i] = start + int(first * growth**piece)
            try:
                balances[j] = sm.balance_of(self._amp, balances, self._invariant, j)
            except NoLiquidity:
                return
            net, out = balances[i] - moved, held - balances[j]
            if net <= 0 or out <= 0:  # too little for whole numbers
                continue
            yield stretch(net * to_in, out * to_out, slope * to_out / to_in, keep)
            slope, (moved, held) = self._slope(balances, i, j), (balances[i], balances[j])

    def _slope(self, balances: list[int], i: int, j: int) -> float:
        """Of the output for the input, both scaled: the invariant's derivatives by the two balances."""
        d, n = float(self._invariant), len(balances)
        product = d
        for balance in balances:
            product *= d / (balance * n)
        ann = self._amp * n / sm.PRECISION
        return (ann + product / balances[i]) / (ann + product / balances[j])

    def _holding(self, holdings: Holdings) -> StablePool:
        if holdings is self.holdings:
            return self
        rest = self.rounds_up, self.timestamp, self.late_rates, self.fee_at, self.amp_at
        return StablePool(holdings, self.scaling, self.fee, self.amp, self.rates, *rest)

    def _rated(self, index: int, rate: int) -> StablePool:
        """With a rate that was read from its provider in the block of ``timestamp``."""
        rates = list(self.rates)
        duration = rates[index].duration
        rates[index] = Rate(rate, self.timestamp + duration, rate, duration)
        return replace(self, rates=tuple(rates))

    @property
    def _place(self) -> tuple[int, ...]:
        """Of each token among those that the Vault keeps."""
        return _traded(self.holdings.tokens, self.contract)[1]

    @cached_property
    def _factors(self) -> tuple[int, ...]:
        """Scaling with rates, in 1e-18."""
        rates = (rate.cached if self.late_rates else rate.at(self.timestamp) for rate in self.rates)
        return tuple(scale * rate for scale, rate in zip(self.scaling, rates, strict=True))

    @cached_property
    def _scaled(self) -> tuple[int, ...]:
        totals = self.holdings.totals
        return tuple(totals[place] * factor // fp.ONE for place, factor in zip(self._place, self._factors, strict=True))

    @cached_property
    def _amp(self) -> int:
        return self.amp.at(self.timestamp)

    @cached_property
    def _invariant(self) -> int:
        return sm.invariant(self._amp, self._scaled, self.rounds_up)


@lru_cache(maxsize=65_536)
def _traded(tokens: tuple[str, ...], own: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """All but the pool's own, and their places."""
    places = tuple(place for place, token in enumerate(tokens) if token != own)
    return tuple(tokens[place] for place in places), places
