"""The generations of Curve's three-coin crypto pools: where each keeps its state, and what it takes for safe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot import abi
from bot.abi import keccak
from bot.amm.curve.crypto_math import Limits

_MASK_64 = (1 << 64) - 1
_MASK_128 = (1 << 128) - 1

Shape = Literal["whole", "flag", "prices", "threes"]


@dataclass(frozen=True, slots=True)
class Generation:
    """``fields`` maps a slot to how its word is packed and to the fields of CryptoPool that it holds; ``supply`` is the
    slot of totalSupply in the LP token. ``optional`` fields are not needed for every quote."""

    name: str
    ng: bool
    limits: Limits
    balances: tuple[int, int, int]
    supply: int
    fields: dict[int, tuple[Shape, tuple[str, ...]]]
    optional: frozenset[str] = frozenset(("a_gamma_from", "ramp_from", "extra_profit"))

    @property
    def slots(self) -> frozenset[int]:
        """Of the pool itself."""
        return frozenset((*self.fields, *self.balances))


def fields_of(generation: Generation, slot: int, word: int) -> dict[str, object]:
    """The fields of CryptoPool that a slot other than a balance's holds."""
    shape, names = generation.fields[slot]
    if shape == "flag":
        return {names[0]: bool(word)}
    if shape == "prices":
        return {names[0]: (word & _MASK_128, word >> 128)}
    if shape == "threes":
        values = word >> 128 & _MASK_64, word >> 64 & _MASK_64, word & _MASK_64
        return dict(zip(names, values, strict=True))
    return {names[0]: word}


def _whole(**slots: int) -> dict[int, tuple[Shape, tuple[str, ...]]]:
    return {slot: ("whole", (name,)) for name, slot in slots.items()}


def _prices(**slots: int) -> dict[int, tuple[Shape, tuple[str, ...]]]:
    return {slot: ("prices", (name,)) for name, slot in slots.items()}


_OLD_ARRAY = int.from_bytes(keccak(abi.encode(22)), "big")
"""Vyper 0.2.12 keeps the array declared at 22 behind its hash."""

TRICRYPTO_2 = Generation(  # curve-crypto-contract, deployment-logs/2021-07-13/CryptoSwap.vy, and CurveTokenV4.vy
    "tricrypto2",
    ng=False,
    limits=Limits(10_000, min_ann=27 * 10_000 // 100, max_ann=27 * 10_000 * 1000, max_gamma=5 * 10**16),
    balances=(_OLD_ARRAY, _OLD_ARRAY + 1, _OLD_ARRAY + 2),
    supply=4,
    fields=_prices(price_scale=0, oracle=1, last_prices=2)
    | _whole(last_time=3, a_gamma_from=4, a_gamma=5, ramp_from=6, ramp_to=7, extra_profit=8)
    | _whole(fee_gamma=10, step=12, ma_time=14, mid_fee=16, out_fee=17, d=23, xcp_profit=26, virtual_price=28)
    | {29: ("flag", ("adjusting",)), 30: ("flag", ("killed",))},
)
TRICRYPTO_NG = Generation(  # tricrypto-ng, contracts/main/CurveTricryptoOptimizedWETH.vy
    "tricrypto-ng",
    ng=True,
    limits=Limits(10_000, min_ann=27 * 10_000 // 100, max_ann=27 * 10_000 * 1000, max_gamma=5 * 10**16),
    balances=(11, 12, 13),
    supply=25,
    fields=_prices(price_scale=3, oracle=4, last_prices=5)
    | _whole(last_time=6, a_gamma_from=7, ramp_from=8, a_gamma=9, ramp_to=10, d=14, xcp_profit=15, virtual_price=17)
    | {18: ("threes", ("extra_profit", "step", "ma_time")), 20: ("threes", ("mid_fee", "out_fee", "fee_gamma"))},
)
NG_PRECISIONS = 1
"""tricrypto-ng's slot of the three coins' precisions, 64 bits each from the first down."""

GENERATIONS = (TRICRYPTO_2, TRICRYPTO_NG)
GENERATION = {generation.name: generation for generation in GENERATIONS}


def precisions_of(word: int) -> tuple[int, int, int]:
    """Of tricrypto-ng's slot."""
    return word >> 128 & _MASK_64, word >> 64 & _MASK_64, word & _MASK_64
