"""Uniswap v4 pools: bit-exact with Pool.swap of v4-core, as PoolManager.swap calls it.

What a hook may do is told by the lowest 14 bits of its address (v4-core, Hooks.sol). One that is called before the swap
can change the fee, the amount, or the pool itself; one that returns a delta after it changes what is paid. Such pools
are ``simulated``: there is no quote. A hook that is only called after the swap changes nothing of it, so the quote
stands; like a token, it may still refuse the whole swap, which the proof finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, replace
from struct import Struct
from struct import error as StructError
from typing import ClassVar

from bot import abi
from bot.amm.concentrated import FEE_UNIT, Walk, price_rate
from bot.amm.layouts import V3Layout, price_and_tick, v4_fees, v4_layout
from bot.amm.pool import NoLiquidity, Plain, Segment, UnknownState, first_rate
from bot.amm.ticks import TickMap
from bot.amm.value import value
from bot.engine.types import Log, StateDiff, Terms

SWAP = abi.topic("Swap(bytes32,address,int128,int128,uint160,uint128,int24,uint24)")
MODIFY_LIQUIDITY = abi.topic("ModifyLiquidity(bytes32,address,int24,int24,int256,bytes32)")
INITIALIZE = abi.topic("Initialize(bytes32,address,address,uint24,int24,address,uint160,int24)")
PROTOCOL_FEE_UPDATED = abi.topic("ProtocolFeeUpdated(bytes32,uint24)")
DONATE = abi.topic("Donate(bytes32,address,uint256,uint256)")

DYNAMIC_FEE = 0x800000
"""A key with this as fee: LPFeeLibrary.DYNAMIC_FEE_FLAG."""

BEFORE_SWAP, AFTER_SWAP = 1 << 7, 1 << 6
BEFORE_SWAP_RETURNS_DELTA, AFTER_SWAP_RETURNS_DELTA = 1 << 3, 1 << 2

_CHANGES_AMOUNTS = BEFORE_SWAP | BEFORE_SWAP_RETURNS_DELTA | AFTER_SWAP_RETURNS_DELTA
_CALLED_AROUND = {SWAP: BEFORE_SWAP | AFTER_SWAP, MODIFY_LIQUIDITY: 0xF << 8, INITIALIZE: 3 << 12, DONATE: 3 << 4}
"""By event, the permissions by which a hook runs around what emits it: there it can set a dynamic fee unseen."""

_MAX_INT128 = (1 << 127) - 1
"""Of an amount, as Pool.swap casts it. Paid are negative amounts, of which 2**127 would fit, but not settle."""
_SWAPPED = Struct(">76x20s16x16s28xi28xI").unpack_from
"""Price, liquidity, tick and fee of a Swap's data, behind two amounts."""


def pool_id(token0: str, token1: str, fee: int, tick_spacing: int, hooks: str) -> str:
    """PoolIdLibrary.toId: the hash of the key."""
    return abi.to_hex(abi.keccak(b"".join(abi.encode(part) for part in (token0, token1, fee, tick_spacing, hooks))))


def swap_fee(protocol_fee: int, lp_fee: int) -> int:
    """ProtocolFeeLibrary.calculateSwapFee, of one direction's protocol fee; all in millionths of the input."""
    return protocol_fee + lp_fee - protocol_fee * lp_fee // FEE_UNIT


@value
class V4Pool(Plain):
    """A pool of a PoolManager. ``key_fee`` is the fee in its key, a static fee in millionths of the input or
    DYNAMIC_FEE; ``lp_fee`` the one that holds (None: not known), ``protocol_fee`` the manager's own, 12 bits for
    1 → 0 above 12 for 0 → 1. ETH is the zero address. ``sqrt_price`` is a Q64.96 (0 before initialisation)."""

    id: str
    manager: str
    token0: str
    token1: str
    key_fee: int
    tick_spacing: int
    hooks: str
    sqrt_price: int
    tick: int
    liquidity: int
    ticks: TickMap
    lp_fee: int | None
    protocol_fee: int = 0
    _walks: list[Walk | None] = field(default_factory=lambda: [None, None], init=False, repr=False, compare=False)

    kind: ClassVar[str] = "v4"

    @property
    def contract(self) -> None:
        return None

    @property
    def keeper(self) -> str:
        return self.manager

    @property
    def tokens(self) -> tuple[str, str]:
        return self.token0, self.token1

    @property
    def silent(self) -> bool:
        """A hook sets a dynamic fee whenever it likes, without an event of the manager."""
        return self.key_fee == DYNAMIC_FEE

    @property
    def simulated(self) -> bool:
        """Whether a hook can change amounts, so that only a simulation knows them."""
        return bool(int(self.hooks, 16) & _CHANGES_AMOUNTS)

    @property
    def storage(self) -> V3Layout:
        """Where the manager keeps it."""
        return v4_layout(self.id)

    def terms(self, i: int, j: int) -> Terms:
        return self.manager, self.key_fee, self.tick_spacing, self.hooks

    def fee(self, i: int) -> int:
        """The whole fee of a swap that pays token i, in millionths of the input. Raises UnknownState."""
        if self.simulated:
            raise UnknownState(f"the hook {self.hooks} can change amounts: they are known only by simulation")
        if self.lp_fee is None:
            raise UnknownState("the dynamic fee may have been changed since it was read")
        return swap_fee(self.protocol_fee & 0xFFF if i == 0 else self.protocol_fee >> 12, self.lp_fee)

    def quote_in(self, i: int, j: int, amount_in: int) -> int:
        """What swap pays for exactly ``amount_in``; nothing in gives nothing out. Raises UnknownState, NoLiquidity."""
        walk = self._walks[i] or self._walk(i)
        if amount_in <= 0:
            return 0
        if amount_in > _MAX_INT128:
            raise NoLiquidity("the amount does not fit an int128")
        amount_out = walk.quote_in(amount_in)
        if amount_out > _MAX_INT128:
            raise NoLiquidity("the amount out does not fit an int128")
        return amount_out

    def quote_out(self, i: int, j: int, amount_out: int) -> int:
        """What swap asks for exactly ``amount_out``. Raises UnknownState, NoLiquidity."""
        walk = self._walks[i] or self._walk(i)
        if amount_out <= 0:
            return 0
        if walk.fee >= FEE_UNIT:
            raise NoLiquidity("the fee is all of the input")
        if amount_out > _MAX_INT128:
            raise NoLiquidity("the amount does not fit an int128")
        amount_in = walk.quote_out(amount_out)
        if amount_in > _MAX_INT128:
            raise NoLiquidity("the amount in does not fit an int128")
        return amount_in

    def apply(self, log: Log) -> V4Pool:
        """Follows Swap, ModifyLiquidity, Initialize and ProtocolFeeUpdated with its id as topic 1. A dynamic fee is
        not known any more after a log around which the pool's hook was called, or whose fee is another."""
        topics = log.topics
        if len(topics) < 2 or topics[1] != self.id:
            return self
        topic = topics[0]
        if topic == SWAP:
            return self._swapped(log)
        if topic == MODIFY_LIQUIDITY:
            return self._modified(log)
        if topic == INITIALIZE:
            price, tick = abi.uint(log.data, 3), abi.sint(log.data, 4)
            first = 0 if self.key_fee == DYNAMIC_FEE else self.key_fee
            return replace(self, sqrt_price=price, tick=tick, protocol_fee=0, lp_fee=self._fee_after(topic, first))
        if topic == PROTOCOL_FEE_UPDATED:
            return replace(self, protocol_fee=abi.uint(log.data))
        if topic == DONATE and self._fee_after(topic, self.lp_fee) != self.lp_fee:
            return replace(self, lp_fee=None)
        return self

    def apply_diff(self, diff: StateDiff) -> V4Pool:
        """The manager's slots hold all pools: those of this one are looked for."""
        change = diff.get(self.manager)
        if change is None:
            return self
        slots, layout = change.slots, self.storage
        ticks = self.ticks.stored(layout, slots)
        word = slots.get(layout.price)
        liquidity = slots.get(layout.liquidity, self.liquidity)
        if word is None:
            if liquidity == self.liquidity and ticks is self.ticks:
                return self
            return self._at(self.sqrt_price, self.tick, liquidity, ticks, self.lp_fee, self.protocol_fee)
        protocol_fee, lp_fee = v4_fees(word)
        return self._at(*price_and_tick(word), liquidity, ticks, lp_fee, protocol_fee)

    def slots(self) -> dict[str, frozenset[int]]:
        layout = self.storage
        words, ticks = self.ticks.places(layout)
        return {self.manager: frozenset((layout.price, layout.liquidity, *words, *ticks))}

    def rate(self, i: int, j: int) -> float:
        if not self.liquidity or not self.sqrt_price:
            return first_rate(self, i, j)
        try:
            fee = self.fee(i)
        except UnknownState:
            return 0.0
        return price_rate(self.sqrt_price, fee, i == 0)

    def segments(self, i: int, j: int) -> Iterator[Segment]:
        """See Walk.segments."""
        return (self._walks[i] or self._walk(i)).segments()

    def _walk(self, i: int) -> Walk:
        walk = Walk(self.sqrt_price, self.tick, self.liquidity, self.ticks, self.fee(i), i == 0)
        self._walks[i] = walk
        return walk

    def _swapped(self, log: Log) -> V4Pool:
        try:
            price, liquidity, tick, fee = _SWAPPED(log.data)
        except StructError:
            raise UnknownState(f"a Swap of {self.id} is cut short") from None
        lp_fee, protocol_fee = self.lp_fee, self.protocol_fee
        if self.key_fee == DYNAMIC_FEE:
            lp_fee = self._fee_after(SWAP, lp_fee) if fee == self._charged(log) else None
        return self._at(int.from_bytes(price), tick, int.from_bytes(liquidity), self.ticks, lp_fee, protocol_fee)

    def _charged(self, log: Log) -> int | None:
        """By what is known before a Swap, the fee that it tells; None if it paid nothing. Payments are negative."""
        if self.lp_fee is None:
            return None
        if abi.sint(log.data) < 0:
            return swap_fee(self.protocol_fee & 0xFFF, self.lp_fee)
        return swap_fee(self.protocol_fee >> 12, self.lp_fee) if abi.sint(log.data, 1) < 0 else None

    def _modified(self, log: Log) -> V4Pool:
        lower, upper, amount = (abi.sint(log.data, index) for index in range(3))
        lp_fee = self._fee_after(MODIFY_LIQUIDITY, self.lp_fee)
        if not amount:  # collects fees
            return self if lp_fee == self.lp_fee else replace(self, lp_fee=lp_fee)
        active = self.liquidity + (amount if lower <= self.tick < upper else 0)
        ticks = self.ticks.moved(lower, upper, amount)
        return self._at(self.sqrt_price, self.tick, active, ticks, lp_fee, self.protocol_fee)

    def _fee_after(self, topic: str, fee: int | None) -> int | None:
        """What is known of the fee after an event: nothing if it is dynamic and the hook was called around that."""
        if self.key_fee == DYNAMIC_FEE and int(self.hooks, 16) & _CALLED_AROUND[topic]:
            return None
        return fee

    def _at(
        self, sqrt_price: int, tick: int, liquidity: int, ticks: TickMap, lp_fee: int | None, protocol_fee: int
    ) -> V4Pool:
        fixed = self.id, self.manager, self.token0, self.token1, self.key_fee, self.tick_spacing, self.hooks
        return V4Pool(*fixed, sqrt_price, tick, liquidity, ticks, lp_fee, protocol_fee)
