"""Curve's crypto pools of three coins: tricrypto2 (2021) and tricrypto-ng.

A quote is what ``exchange`` sends. It runs the whole of it, price_scale's move included, because that can revert too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from typing import ClassVar

from bot import abi
from bot.amm.curve.crypto_layouts import GENERATION, Generation, fields_of
from bot.amm.curve.crypto_math import MAX, ONE, Three, check_y, newton_y, reduction_coefficient
from bot.amm.curve.crypto_math import newton_d as newton_d_2021
from bot.amm.curve.crypto_math_ng import get_y
from bot.amm.curve.crypto_math_ng import newton_d as newton_d_ng
from bot.amm.curve.crypto_segments import Curve, curve_segments
from bot.amm.curve.crypto_tweak import Ledger, Ramp, Two, tweak_2021, tweak_ng
from bot.amm.pool import NoLiquidity, Plain, Segment, UnknownState, first_rate
from bot.engine.types import Log, StateDiff, Terms

CRYPTO = 1
"""bot.execution.steps.CurveKind.CRYPTO: coins named by uint256, WETH as the ERC-20 token it is."""
FEE_UNIT = 10**10
BLOCK_TIME = 12
_MASK_128 = (1 << 128) - 1
_LEAST_PRICED = 10**5

_EXCHANGES = frozenset(
    (
        abi.topic("TokenExchange(address,uint256,uint256,uint256,uint256)"),
        abi.topic("TokenExchange(address,uint256,uint256,uint256,uint256,uint256,uint256)"),  # ng: … fee, price_scale
    )
)
_SHARES = frozenset((abi.topic("Transfer(address,address,uint256)"), abi.topic("Approval(address,address,uint256)")))
"""What the pool emits as the LP token it may be. Whatever moves balances has an event of its own beside them."""


@dataclass(frozen=True, slots=True)
class CryptoPool(Plain):
    """A pool as a swap in a block of time ``time`` finds it.

    ``precisions`` bring the coins to 18 decimals. Prices are of the second and third coin in the first, in units of
    10**18. ``a_gamma`` has A * 27 * 10,000 above and gamma in its lower 128 bits; ``a_gamma_from`` and ``ramp_from``
    (seconds) matter during a ramp, which ends at ``ramp_to``. Fees are in units of 10**-10. ``supply`` is that of
    ``lp_token``. None is what was never read. ``time_sure`` says that ``time`` was told, not estimated.
    """

    id: str
    tokens: tuple[str, str, str]
    generation: str
    lp_token: str
    precisions: Three
    time: int

    balances: Three
    d: int
    price_scale: Two
    oracle: Two
    last_prices: Two
    last_time: int
    a_gamma: int
    ramp_to: int
    mid_fee: int
    out_fee: int
    fee_gamma: int
    step: int
    ma_time: int
    xcp_profit: int
    virtual_price: int
    supply: int
    a_gamma_from: int | None = None
    ramp_from: int | None = None
    extra_profit: int | None = None
    adjusting: bool = False
    killed: bool = False
    time_sure: bool = False

    kind: ClassVar[str] = "curve"

    @property
    def silent(self) -> bool:
        """During a ramp of A and gamma."""
        return self.ramp_to > self.time

    def terms(self, i: int, j: int) -> Terms:
        return CRYPTO, i, j

    # --- quotes ------------------------------------------------------------------------------------------------------

    def quote_in(self, i: int, j: int, amount_in: int) -> int:
        """What ``exchange`` sends. Raises UnknownState, NoLiquidity."""
        return self._exchange(i, j, amount_in)[0] if amount_in > 0 else 0

    def quote_out(self, i: int, j: int, amount_out: int) -> int:
        """The least input for at least ``amount_out``, found by search: rounding in the contract's solver may let a
        unit or two less do as well. Raises UnknownState, NoLiquidity."""
        if amount_out <= 0:
            return 0
        if not _valid(i, j) or amount_out >= self.balances[j]:
            raise NoLiquidity(f"{self.id} does not hold {amount_out}")
        amount_in = self._least(i, j, amount_out)
        if self.quote_in(i, j, amount_in) < amount_out:
            raise NoLiquidity(f"{self.id} does not give {amount_out}")
        return amount_in

    def exchange(self, i: int, j: int, amount_in: int) -> tuple[int, CryptoPool]:
        """What a swap of ``amount_in`` > 0 gives, and the pool after it. Raises UnknownState, NoLiquidity."""
        amount_out, after = self._exchange(i, j, amount_in)
        balances = list(self.balances)
        balances[i] += amount_in
        balances[j] -= amount_out
        return amount_out, self._after(after, (balances[0], balances[1], balances[2]))

    def _exchange(self, i: int, j: int, amount_in: int) -> tuple[int, Ledger]:
        """What a swap gives, and what it leaves besides balances. Raises UnknownState, NoLiquidity."""
        try:
            ramp = self._ramp()
            amount_out, xp, k0 = self._amount_out(i, j, amount_in, ramp)
            limits = self._generation.limits
            if self._generation.ng:
                return amount_out, tweak_ng(self._ledger(), limits, ramp, xp, k0)
            price = self._price(i, j, amount_in, amount_out)
            return amount_out, tweak_2021(self._ledger(), limits, ramp, xp, price)
        except ZeroDivisionError:
            raise NoLiquidity(f"{self.id} divides by zero") from None

    def get_dy(self, i: int, j: int, amount_in: int) -> int:
        """The pool's view of the same name: the amount alone, which a swap may still refuse. Raises UnknownState,
        NoLiquidity."""
        try:
            return self._amount_out(i, j, amount_in, self._ramp())[0]
        except ZeroDivisionError:
            raise NoLiquidity(f"{self.id} divides by zero") from None

    def fee(self) -> int:
        """The pool's view of the same name: the fee of its present balances, in units of 10**-10. Raises NoLiquidity,
        ZeroDivisionError."""
        return self._fee(self._scaled(self.balances))

    @property
    def _generation(self) -> Generation:
        return GENERATION[self.generation]

    def _ramp(self) -> Ramp:
        """_A_gamma() at ``time``."""
        ann, gamma = self.a_gamma >> 128, self.a_gamma & _MASK_128
        if self.time < self.ramp_to:
            if self.a_gamma_from is None or self.ramp_from is None:
                raise UnknownState(f"{self.id}: the start of the ramp was not read")
            length, gone = self.ramp_to - self.ramp_from, self.time - self.ramp_from
            if gone < 0:
                raise NoLiquidity(f"{self.id}: the ramp begins later")
            ann = ((self.a_gamma_from >> 128) * (length - gone) + ann * gone) // length
            gamma = ((self.a_gamma_from & _MASK_128) * (length - gone) + gamma * gone) // length
        return Ramp(ann, gamma, self.ramp_to, self.time)

    def _scaled(self, balances: Three) -> Three:
        """Balances in the first coin with 18 decimals. Raises NoLiquidity."""
        first, second, third = (balance * by for balance, by in zip(balances, self.precisions, strict=True))
        second *= self.price_scale[0]
        third *= self.price_scale[1]
        if first > MAX or second > MAX or third > MAX:
            raise NoLiquidity(f"{self.id}: overflow")
        return first, second // ONE, third // ONE

    def _amount_out(self, i: int, j: int, amount_in: int, ramp: Ramp) -> tuple[int, Three, int]:
        """What comes out, the scaled balances after it, and K0 where the solver found it. Raises NoLiquidity,
        ZeroDivisionError."""
        if not _valid(i, j) or amount_in <= 0 or self.killed or self.balances[i] + amount_in > MAX:
            raise NoLiquidity(f"{self.id} does not take {amount_in}")
        limits, ng = self._generation.limits, self._generation.ng
        filled = tuple(balance + amount_in if k == i else balance for k, balance in enumerate(self.balances))
        xp = self._scaled((filled[0], filled[1], filled[2]))
        d = self.d
        if self.ramp_to > (self.time if ng else 0):
            d = (newton_d_ng if ng else newton_d_2021)(limits, ramp.ann, ramp.gamma, self._scaled(self.balances))
        if ng:
            y, k0 = get_y(limits, ramp.ann, ramp.gamma, xp, d, j)
        else:
            check_y(limits, ramp.ann, ramp.gamma, xp, d, j)
            y, k0 = newton_y(limits.multiplier, ramp.ann, ramp.gamma, xp, d, j), 0
        amount_out = (xp[j] - y - 1) * ONE
        if not 0 <= amount_out <= MAX:
            raise NoLiquidity(f"{self.id} does not give anything")
        unit = ONE * self.precisions[j] if not j else self.precisions[j] * self.price_scale[j - 1]
        amount_out //= unit
        amount_out -= self._fee(_with(xp, j, y)) * amount_out // FEE_UNIT
        left = self.balances[j] - amount_out
        if amount_out < 0 or left < 0:
            raise NoLiquidity(f"{self.id} does not give anything")
        left *= self.precisions[j]
        return amount_out, _with(xp, j, left * self.price_scale[j - 1] // ONE if j else left), k0

    def _fee(self, xp: Three) -> int:
        """In units of 10**-10, of the balances after a swap without fee. Raises NoLiquidity."""
        share = reduction_coefficient(xp, self.fee_gamma)
        if not 0 <= share <= ONE:
            raise NoLiquidity(f"{self.id}: the fee is out of range")
        return (self.mid_fee * share + self.out_fee * (ONE - share)) // ONE

    def _price(self, i: int, j: int, amount_in: int, amount_out: int) -> tuple[int, int] | None:
        """tricrypto2: of which coin the swap tells the price, and the price. Raises NoLiquidity."""
        if amount_in <= _LEAST_PRICED or amount_out <= _LEAST_PRICED:
            return None
        dx, dy = amount_in * self.precisions[i], amount_out * self.precisions[j]
        coin, above, below = (i, dy * ONE, dx) if not j else (j, dx * (self.last_prices[i - 1] if i else ONE), dy)
        if above > MAX:
            raise NoLiquidity(f"{self.id}: overflow")
        return coin, above // below

    def _ledger(self) -> Ledger:
        return Ledger(
            self.d,
            self.price_scale,
            self.oracle,
            self.last_prices,
            self.last_time,
            self.xcp_profit,
            self.virtual_price,
            self.supply,
            self.adjusting,
            self.extra_profit,
            self.step,
            self.ma_time,
        )

    def _after(self, ledger: Ledger, balances: Three) -> CryptoPool:
        """tricrypto2 ends a ramp with the first swap behind it."""
        over = not self._generation.ng and self.time >= self.ramp_to
        return replace(self, balances=balances, ramp_to=0 if over else self.ramp_to, **ledger._asdict())

    # --- the search --------------------------------------------------------------------------------------------------

    def _least(self, i: int, j: int, amount_out: int) -> int:
        """The least input whose get_dy is ``amount_out``. Raises NoLiquidity."""
        low, high = 0, self._guess(i, j, amount_out)
        step = max(high >> 40, 1)
        while self._gives(i, j, high) < amount_out:
            low, high, step = high, high + step, step * 8
        if not low:
            step, low = max(high >> 40, 1), high - max(high >> 40, 1)
            while low > 0 and self._gives(i, j, low) >= amount_out:
                high, low, step = low, low - step, step * 8
            low = max(low, 0)
        while high - low > 1:
            middle = (low + high) // 2
            if self._gives(i, j, middle) >= amount_out:
                high = middle
            else:
                low = middle
        return high

    def _guess(self, i: int, j: int, amount_out: int) -> int:
        """An input near enough, by secants from the price. Raises NoLiquidity."""
        price = (ONE * self.precisions[k] if not k else self.price_scale[k - 1] * self.precisions[k] for k in (i, j))
        per_in, per_out = price
        guess = amount_out * per_out // per_in + 1
        for _ in range(8):
            got = self._gives(i, j, guess)
            if got == amount_out or not got:
                break
            better = max(guess * amount_out // got, 1)
            more = self._gives(i, j, better)
            slope = (more - got) * 10**9 // (better - guess) if better != guess else 0
            if slope <= 0:
                return better
            closer = better + (amount_out - more) * 10**9 // slope
            if closer <= 0 or abs(closer - better) <= max(better >> 40, 1):
                return max(closer, 1)
            guess = closer
        return guess

    def _gives(self, i: int, j: int, amount_in: int) -> int:
        """get_dy; nothing where that takes too little for a swap, all where it takes too much. Raises UnknownState."""
        try:
            return self.get_dy(i, j, amount_in)
        except NoLiquidity:
            price = self.price_scale[i - 1] if i else ONE
            return 0 if amount_in * self.precisions[i] * price // ONE < self.d >> 40 else self.balances[j]

    # --- following the chain -----------------------------------------------------------------------------------------

    def at(self, timestamp: int) -> CryptoPool:
        """The same pool for swaps in a block of this time (seconds): then ``apply`` can follow those of that block. Who
        follows logs calls it for every block anew."""
        if self.time_sure and self.time == timestamp:
            return self
        return replace(self, time=timestamp, time_sure=True)

    def apply(self, log: Log) -> CryptoPool:
        """Follows a swap by doing it again, where the block's time is sure: no log tells it, and price_scale depends on
        it. Moves of LP tokens change nothing. Raises UnknownState for every other log."""
        topic = log.topics[0] if log.topics else ""
        if topic in _SHARES:
            return self
        if topic not in _EXCHANGES or not self.time_sure:
            raise UnknownState(f"{self.id}: a log does not tell where the pool went")
        i, amount_in, j, told = (abi.uint(log.data, word) for word in range(4))
        try:
            amount_out, after = self.exchange(i, j, amount_in)
        except NoLiquidity as error:
            raise UnknownState(f"{self.id}: not the state that was swapped in: {error}") from None
        scale = after.price_scale[1] << 128 | after.price_scale[0]
        if amount_out != told or (self._generation.ng and abi.uint(log.data, 5) != scale):
            raise UnknownState(f"{self.id}: not the state that was swapped in")
        return after

    def apply_diff(self, diff: StateDiff) -> CryptoPool:
        """``time`` becomes at least that of the block behind the last swap's."""
        changed: dict[str, object] = {}
        balances = list(self.balances)
        generation = self._generation
        for address, slots in self.slots().items():
            change = diff[address].slots if address in diff else {}
            for slot in slots & change.keys():
                word = change[slot]
                if address == self.lp_token and slot == generation.supply:
                    changed["supply"] = word
                elif slot in generation.balances:
                    balances[generation.balances.index(slot)] = word
                else:
                    changed |= fields_of(generation, slot, word)
        if tuple(balances) != self.balances:
            changed["balances"] = tuple(balances)
        last = changed.get("last_time")
        if isinstance(last, int):
            changed |= {"time": max(self.time, last + BLOCK_TIME), "time_sure": False}
        return replace(self, **changed) if changed else self  # type: ignore[arg-type]

    def slots(self) -> Mapping[str, Set[int]]:
        own = self._generation.slots
        if self.lp_token == self.id:
            return {self.id: own | {self._generation.supply}}
        return {self.id: own, self.lp_token: frozenset((self._generation.supply,))}

    def rate(self, i: int, j: int) -> float:
        return first_rate(self, i, j)

    def segments(self, i: int, j: int) -> Iterator[Segment]:
        """See crypto_segments. Raises UnknownState, NoLiquidity."""
        ramp = self._ramp()
        if not _valid(i, j) or self.killed or not self.d or not all(self.balances):
            raise NoLiquidity(f"{self.id} cannot trade")
        self._generation.limits.check(ramp.ann, ramp.gamma)
        xp = self._scaled(self.balances)
        units = [float(per) for per in (ONE, *self.price_scale)]
        units = [unit / ONE * by for unit, by in zip(units, self.precisions, strict=True)]
        curve = Curve(
            ramp.ann / self._generation.limits.multiplier,
            ramp.gamma / ONE,
            self.mid_fee / FEE_UNIT,
            self.out_fee / FEE_UNIT,
            self.fee_gamma / ONE,
        )
        shares = [x / self.d for x in xp]
        return curve_segments(curve, shares, i, j, units[i] / self.d, self.d / units[j])


def _valid(i: int, j: int) -> bool:
    return i != j and 0 <= i < 3 and 0 <= j < 3


def _with(xp: Three, j: int, value: int) -> Three:
    """With another value for coin ``j``."""
    if j == 0:
        return value, xp[1], xp[2]
    return (xp[0], value, xp[2]) if j == 1 else (xp[0], xp[1], value)
