"""SolidlyPool: quotes are the best that its curve allows, logs and storage are followed, stretches meet the curve; and
its reader takes what is one, off its storage, and finds the fee."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from math import inf, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import abi
from bot.amm.pool import NoLiquidity
from bot.amm.solidly import FEE_UNIT, ONE, Place, SolidlyPool
from bot.chain.readers.solidly import PACKED, SPLIT, Solidly, fee_told
from bot.chain.readers.uniswap_v2 import UniswapV2
from bot.chain.state_reader import StateReader
from bot.engine.types import AccountDiff, Log
from bot.jsonrpc import RpcError

PAIR, TOKEN0, TOKEN1, FACTORY = ("0x" + digits * 20 for digits in ("ab", "01", "02", "fa"))
POOL = SolidlyPool(PAIR, TOKEN0, TOKEN1, 5 * 10**24, 3 * 10**12, 500, True, 10**18, 10**6, Place(20, False))
UNITS = st.sampled_from([1, 10**2, 10**6, 10**8, 10**18])
DIRECTIONS = st.integers(0, 1)


@st.composite
def pools(draw: st.DrawFn, least: float = -9, most: float = 9) -> SolidlyPool:
    """Of 10 ** least to 10 ** most whole tokens, more or less in balance."""
    units, fee = (draw(UNITS), draw(UNITS)), draw(st.integers(0, 50_000))
    sizes = draw(st.floats(least, most)), draw(st.floats(least, most))
    reserve0, reserve1 = (int(10**size * unit) + 1 for size, unit in zip(sizes, units, strict=True))
    place = Place(15, draw(st.booleans()))
    return SolidlyPool(PAIR, TOKEN0, TOKEN1, reserve0, reserve1, fee, draw(st.booleans()), *units, place)


def accepts(pool: SolidlyPool, i: int, amount_in: int, amount_out: int) -> bool:
    """Whether Pool.swap goes through: the contract's conditions one by one."""
    held, units = [pool.reserve0, pool.reserve1], (pool.unit0, pool.unit1)
    if amount_out >= held[1 - i] or not amount_in or not amount_out:
        return False
    before = curve(pool.stable, held, units)
    held[i] += amount_in - amount_in * pool.fee // FEE_UNIT
    held[1 - i] -= amount_out
    after = curve(pool.stable, held, units)
    return before is not None and after is not None and after >= before


def curve(stable: bool, held: list[int], units: tuple[int, int]) -> int | None:
    """Pool._k; None where it overflows."""
    if not stable:
        return held[0] * held[1] if held[0] * held[1] <= abi.MASK_256 else None
    x, y = (reserve * ONE // unit for reserve, unit in zip(held, units, strict=True))
    a, b = x * y // ONE, x * x // ONE + y * y // ONE
    return a * b // ONE if max(x * x, y * y, x * y, a * b) <= abi.MASK_256 else None


@given(pools(), DIRECTIONS, st.floats(0, 12), st.integers(0, 100))
def test_output_is_the_most(pool: SolidlyPool, i: int, size: float, odd: int) -> None:
    amount = int((pool.reserve1 if i else pool.reserve0) * 10 ** (size - 9)) + odd
    try:
        out = pool.quote_in(i, 1 - i, amount)
    except NoLiquidity:
        assert pool.place.packed or not accepts(pool, i, amount, 1)
        return
    assert accepts(pool, i, amount, out) or not out
    assert not accepts(pool, i, amount, out + 1)
    assert out <= pool.quote_in(i, 1 - i, amount + odd)
    if out:
        paid = pool.quote_out(i, 1 - i, out)
        assert paid <= amount and pool.quote_in(i, 1 - i, paid) >= out


@given(pools(), DIRECTIONS, st.floats(0, 1), st.integers(0, 3))
def test_input_is_the_least(pool: SolidlyPool, i: int, share: float, odd: int) -> None:
    wanted = int((pool.reserve0 if i else pool.reserve1) * share) + odd
    try:
        paid = pool.quote_out(i, 1 - i, wanted)
    except NoLiquidity:
        assert pool.place.packed or not accepts(pool, i, 1 << 120, wanted)
        return
    assert accepts(pool, i, paid, wanted) or not wanted
    assert not accepts(pool, i, paid - 1, wanted)


def test_refusals() -> None:
    for stable in (True, False):
        empty = replace(POOL, reserve0=0, stable=stable)
        full = replace(POOL, stable=stable, reserve0=(1 << 112) - 2, place=Place(15, True), unit0=10**24)
        for i in (0, 1):
            assert POOL.quote_in(i, 1 - i, 0) == POOL.quote_out(i, 1 - i, 0) == 0
            for call in (empty.quote_in, empty.quote_out):
                with pytest.raises(NoLiquidity):
                    call(i, 1 - i, 1)
            with pytest.raises(NoLiquidity):
                next(empty.segments(i, 1 - i))
            with pytest.raises(NoLiquidity):
                POOL.quote_in(i, 1 - i, 1 << 140)
            with pytest.raises(NoLiquidity):
                POOL.quote_out(i, 1 - i, (POOL.reserve0 if i else POOL.reserve1))
        assert full.quote_in(0, 1, 1) >= 0
        with pytest.raises(NoLiquidity):
            full.quote_in(0, 1, 2)


def test_follows_sync_of_both_kinds_and_nothing_else() -> None:
    data = abi.encode(7) + abi.encode(9)
    for event in ("Sync(uint256,uint256)", "Sync(uint112,uint112)"):
        assert POOL.apply(Log(PAIR, (abi.topic(event),), data)) == replace(POOL, reserve0=7, reserve1=9)
    assert POOL.apply(Log(PAIR, (abi.topic("Fees(address,uint256,uint256)"),), data)) is POOL


def test_follows_its_slots_and_nothing_else() -> None:
    packed = replace(POOL, place=Place(15, True))
    assert POOL.slots() == {PAIR: {20, 21}} and packed.slots() == {PAIR: {15}}
    for pool, slots, reserves in (
        (POOL, {20: 7}, (7, POOL.reserve1)),
        (POOL, {21: 9, 22: 5}, (POOL.reserve0, 9)),
        (POOL, {20: 7, 21: 9}, (7, 9)),
        (packed, {15: 5 << 224 | 9 << 112 | 7}, (7, 9)),
    ):
        moved = pool.apply_diff({PAIR: AccountDiff(slots=slots)})
        assert moved == replace(pool, reserve0=reserves[0], reserve1=reserves[1])
    for pool in (POOL, packed):
        for diff in ({}, {FACTORY: AccountDiff(slots={20: 1, 15: 1})}, {PAIR: AccountDiff(slots={22: 5})}):
            assert pool.apply_diff(diff) is pool


def test_a_volatile_pair_is_one_stretch() -> None:
    pool = replace(POOL, stable=False)
    for i, amount in ((0, 10**24), (1, 10**12)):
        (segment,) = pool.segments(i, 1 - i)
        gained = amount * segment.keep
        assert segment.capacity == inf
        assert isclose(segment.y * gained / (segment.x + gained), pool.quote_in(i, 1 - i, amount), rel_tol=1e-9)


@given(st.floats(-2, 2), DIRECTIONS)
def test_stretches_meet_the_stable_curve(tilt: float, i: int) -> None:
    pool = replace(POOL, reserve1=int(5 * 10 ** (12 + tilt)))
    paid = got = 0.0
    price = inf
    segments = list(pool.segments(i, 1 - i))
    assert 16 <= len(segments) <= 32
    for segment in segments:
        start, slope = pool.quote_in(i, 1 - i, int(paid)), segment.keep * segment.y / segment.x
        step = segment.capacity * 1e-3
        there = pool.quote_in(i, 1 - i, int(paid + step)) - start
        assert isclose(slope * step, there, rel_tol=3e-3, abs_tol=2) and slope <= price * (1 + 1e-6)
        gained = segment.capacity * segment.keep
        paid, got, price = paid + segment.capacity, got + segment.y * gained / (segment.x + gained), slope
        assert isclose(got, pool.quote_in(i, 1 - i, int(paid)), rel_tol=1e-6, abs_tol=2)
    assert isclose(got, 0.9 * (pool.reserve0 if i else pool.reserve1), rel_tol=1e-6)


@given(pools(4, 8), st.integers(0, 300), st.integers(-1, 1))
def test_the_fee_is_told_by_what_comes_out(pool: SolidlyPool, bips: int, off: int) -> None:
    amount = pool.reserve0 // 2
    try:
        out = replace(pool, fee=100 * bips).quote_in(0, 1, amount)
    except NoLiquidity:
        return
    fee = fee_told(pool, amount, max(0, out + off))
    assert fee in (None, 100 * bips)
    if pool.unit0 >= 10**6 <= pool.unit1 and not pool.stable:
        assert fee == 100 * bips


# --- reader ----------------------------------------------------------------------------------------------------------


_UNKNOWN = RpcError("eth_getStorageAt", -32000, "not recorded")


class Chain(StateReader):
    """A chain of one pair with its getters and storage. What it was not given it does not know."""

    def __init__(self, pool: SolidlyPool, time: int, slots: dict[int, int], **wrong: bytes) -> None:
        self.pool, self.stored = pool, slots
        self.paused: bytes | None = None
        reserves = abi.encode(pool.reserve0) + abi.encode(pool.reserve1)
        units = abi.encode(pool.unit0) + abi.encode(pool.unit1)
        tokens = abi.encode(TOKEN0) + abi.encode(TOKEN1)
        self.getters = {
            "token0": abi.encode(TOKEN0),
            "token1": abi.encode(TOKEN1),
            "factory": abi.encode(FACTORY),
            "stable": abi.encode(pool.stable),
            "getReserves": reserves + abi.encode(time),
            "metadata": units + reserves + abi.encode(pool.stable) + tokens,
        } | wrong

    async def calls(self, calls: Iterable[tuple[str, bytes]]) -> list[bytes | None]:
        return [self._call(data) if to == PAIR else self.paused for to, data in calls]

    async def slots(self, slots: Iterable[tuple[str, int]]) -> list[int | RpcError]:
        return [self.stored.get(slot, _UNKNOWN) for _, slot in slots]

    async def codes(self, addresses: Iterable[str]) -> list[bytes | RpcError]:
        return [b"\x01" for _ in addresses]

    def _call(self, data: bytes) -> bytes | None:
        if data[:4] == abi.selector("getAmountOut(uint256,address)"):
            i = int(abi.address(data[4:], 1) == TOKEN1)
            return abi.encode(self.pool.quote_in(i, 1 - i, abi.uint(data[4:])))
        return (
            next((answer for name, answer in self.getters.items() if abi.selector(f"{name}()") == data), None) or None
        )


def storage(pool: SolidlyPool, time: int) -> dict[int, int]:
    slot, packed = pool.place
    words = [time << 224 | pool.reserve1 << 112 | pool.reserve0] if packed else [pool.reserve0, pool.reserve1, time]
    return dict.fromkeys(range(40), 0) | {slot + index: word for index, word in enumerate(words)}


PAIRS = [
    replace(POOL, stable=stable, place=place, fee=fee)
    for stable in (True, False)
    for place, fee in ((Place(8, False), 200), (Place(20, False), 500), (Place(15, True), 100), (Place(8, True), 3_333))
]


@pytest.mark.parametrize("pool", PAIRS)
def test_reads_a_pair_and_its_fee(pool: SolidlyPool) -> None:
    chain = Chain(pool, 1_700_000_000, storage(pool, 1_700_000_000))
    (info,) = asyncio.run(Solidly().identify(chain, [PAIR]))
    assert (info.id, info.factory, info.tokens) == (PAIR, FACTORY, (TOKEN0, TOKEN1))
    assert info.layout == (PACKED if pool.place.packed else SPLIT)
    chain.paused = abi.encode(False)
    result = asyncio.run(Solidly().load(chain, [info], None))
    assert result.pools == {PAIR: pool} and not result.unknown
    assert asyncio.run(UniswapV2().identify(chain, [PAIR])) == []


def test_a_pair_without_reserves_is_nobodys() -> None:
    """Its slots are as empty as an empty v2 pair's."""
    empty = replace(POOL, reserve0=0, reserve1=0)
    chain = Chain(empty, 0, storage(empty, 0) | {10: 5 << 240})
    for reader in (Solidly(), UniswapV2()):
        assert asyncio.run(reader.identify(chain, [PAIR])) == []


def test_what_only_answers_like_a_pair_is_none() -> None:
    stored = storage(POOL, 7)
    other = abi.encode(TOKEN1) + abi.encode(TOKEN0)
    metadata = Chain(POOL, 7, stored).getters["metadata"]
    for chain in (
        Chain(POOL, 7, stored | {21: 5}),
        Chain(POOL, 7, {slot: word for slot, word in stored.items() if slot != 21}),
        Chain(POOL, 7, stored | {9: POOL.reserve0, 10: POOL.reserve1, 11: 7}),
        Chain(POOL, 7, stored, metadata=b""),
        Chain(POOL, 7, stored, metadata=metadata[:-64] + other),
        Chain(POOL, 7, stored, metadata=abi.encode(0) + metadata[32:]),
        Chain(POOL, 7, stored, stable=abi.encode(2)),
    ):
        assert asyncio.run(Solidly().identify(chain, [PAIR])) == []


def test_what_is_not_known_is_named() -> None:
    chain = Chain(POOL, 7, storage(POOL, 7))
    infos = asyncio.run(Solidly().identify(chain, [PAIR]))
    del chain.stored[21]
    assert asyncio.run(Solidly().load(chain, infos, None)).unknown == {PAIR: "reserves: not recorded"}
    chain.paused = abi.encode(True)
    assert asyncio.run(Solidly().load(chain, infos, None)).unknown == {PAIR: "its factory is paused"}
    odd = Chain(replace(POOL, reserve0=POOL.reserve0 * 9), 7, storage(POOL, 7))  # another curve than its reserves'
    assert list(asyncio.run(Solidly().load(odd, infos, None)).unknown) == [PAIR]
