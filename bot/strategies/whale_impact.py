"""What a transaction's swaps do to prices, exactly, and what it moves to and from exchanges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, Protocol

from bot import abi
from bot.amm import v3, v4, vaults
from bot.amm.balancer import vault as balancer_vault
from bot.amm.pool import NoLiquidity, Pool, UnknownState
from bot.amm.v2 import V2Pool
from bot.amm.v3 import V3Pool
from bot.amm.v4 import V4Pool
from bot.engine.types import Log
from bot.market.graph import Graph
from bot.market.view import View

TRANSFER = abi.topic("Transfer(address,address,uint256)")
NATIVE = vaults.ETH
"""The chain's own money, as v4 and Balancer name it."""
EXCHANGE_KINDS = ("exchange", "deposit")
BPS = 10_000
PROBE = 10_000
"""A pool without a price of its own is asked what this part of its reserve buys."""
_Q192 = 1 << 192


class Watched(Protocol):
    """What a watch list says of an address; ``kind`` is wallet, exchange, deposit or ignored."""

    @property
    def label(self) -> str: ...
    @property
    def kind(self) -> str: ...


Look = Callable[[str | None], Watched | None]
"""From an address to what the watch list says of it."""


@dataclass(frozen=True, slots=True)
class Impact:
    """One pool moved by swaps: net amounts in and out in wei (fees included), by the pool's indices ``i`` and ``j``.

    Prices are what a unit of the bought token costs in units of the paid one, before fees: exact where a pool has a
    price (v2, v3, v4), else what ``probe`` of the paid token buys. A swap makes what it buys dearer."""

    pool: str
    kind: str
    i: int
    j: int
    token_in: str
    token_out: str
    amount_in: int
    amount_out: int
    probe: int
    before: Fraction
    after: Fraction

    @property
    def bps(self) -> Fraction:
        """By how much the bought token became dearer, in basis points."""
        return (self.after / self.before - 1) * BPS


@dataclass(frozen=True, slots=True)
class Flow:
    """``amount`` wei of ``token`` between ``wallet`` and an ``exchange``'s address; ``inward``: to the exchange."""

    token: str
    amount: int
    wallet: str
    exchange: str
    label: str
    inward: bool


class Moved(NamedTuple):
    """What a transaction did to prices, the largest move first, and the pools whose move is not known, with why."""

    impacts: list[Impact]
    unknown: dict[str, str]


def moves(before: View, after: View, logs: Iterable[Log]) -> Moved:
    """What ``logs``, which lead from one view to the other, did to each pool. One through which as much came back as
    went in has no impact."""
    deltas: dict[int, dict[int, int]] = {}
    for slot, log in about(before.graph, logs):
        pool, net = before.at(slot), deltas.setdefault(slot, {})
        for index, amount in ((pool and swapped(pool, log)) or {}).items():
            net[index] = net.get(index, 0) + amount
    found, unknown = [], {}
    for slot, net in deltas.items():
        pool_id, old, new = before.graph.ids[slot], before.at(slot), after.at(slot)
        if old is None or new is None:
            view = before if old is None else after
            unknown[pool_id] = view.reasons.get(pool_id, "its state is not known")
            continue
        ends = sorted(net.items(), key=lambda item: -item[1])
        if len(ends) < 2 or not ends[0][1] > 0 > ends[-1][1]:
            continue
        (i, paid), (j, got) = ends[0], ends[-1]
        try:
            probe = probe_of(old, i, j)
            prices = price(old, i, j, probe), price(new, i, j, probe)
        except (UnknownState, NoLiquidity) as error:
            unknown[pool_id] = str(error)
            continue
        found.append(Impact(pool_id, old.kind, i, j, old.tokens[i], old.tokens[j], paid, -got, probe, *prices))
    return Moved(sorted(found, key=lambda one: (-one.bps, one.pool)), unknown)


def about(graph: Graph, logs: Iterable[Log]) -> Iterator[tuple[int, Log]]:
    """The logs of swaps in pools of the graph, each with the pool's slot."""
    for log in logs:
        slot = graph.slot_of(log) if log.topics and log.topics[0] in _SWAPS else None
        if slot is not None:
            yield slot, log


def price(pool: Pool, i: int, j: int, probe: int) -> Fraction:
    """Units of token i for one of token j: see Impact. Raises UnknownState, NoLiquidity."""
    if isinstance(pool, V2Pool):
        numerator, denominator = (pool.reserve0, pool.reserve1) if i == 0 else (pool.reserve1, pool.reserve0)
    elif isinstance(pool, V3Pool | V4Pool):
        square = pool.sqrt_price * pool.sqrt_price
        numerator, denominator = (_Q192, square) if i == 0 else (square, _Q192)
    else:
        numerator, denominator = probe, pool.quote_in(i, j, probe)
    if not numerator or not denominator:
        raise NoLiquidity(f"{pool.id} has no price")
    return Fraction(numerator, denominator)


def probe_of(pool: Pool, i: int, j: int) -> int:
    """The amount that ``price`` is asked with, 0 where the pool has a price of its own. Raises UnknownState,
    NoLiquidity."""
    if isinstance(pool, V2Pool | V3Pool | V4Pool):
        return 0
    first = next(pool.segments(i, j), None)
    if first is None:
        raise NoLiquidity(f"{pool.id} has no price")
    return max(1, int(first.x) // PROBE)


def swapped(pool: Pool, log: Log) -> dict[int, int] | None:
    """What a swap's log says that the pool gained (or, negative, lost) of its tokens, by index; None for another log,
    or one that cannot be read."""
    read = _SWAPS.get(log.topics[0]) if log.topics else None
    try:
        told = {} if read is None else read(pool, log)
    except (ValueError, IndexError):
        return None
    return told if told and max(told) < len(pool.tokens) else None


def flows(look: Look, sender: str, to: str | None, value: int, logs: Iterable[Log]) -> list[Flow]:
    """The transfers between watched wallets, or the sender whoever it is, and exchanges: ether that the call itself
    carries, and tokens by their logs."""
    transfers = [(NATIVE, sender, to, value)] if value and to else []
    for log in logs:
        if len(log.topics) == 3 and log.topics[0] == TRANSFER and len(log.data) >= abi.WORD:
            transfers.append((log.address, "0x" + log.topics[1][26:], "0x" + log.topics[2][26:], abi.uint(log.data)))
    found = []
    for token, giver, taker, amount in transfers:
        first, second = look(giver), look(taker)
        if second is not None and second.kind in EXCHANGE_KINDS and amount and _is_wallet(first, giver == sender):
            found.append(Flow(token, amount, giver, str(taker), second.label, True))
        elif first is not None and first.kind in EXCHANGE_KINDS and amount and _is_wallet(second, False):
            found.append(Flow(token, amount, str(taker), giver, first.label, False))
    return found


def _is_wallet(watched: Watched | None, sends: bool) -> bool:
    return sends if watched is None else watched.kind == "wallet"


# --- the logs of swaps ------------------------------------------------------------------------------------------------


def _pair(pool: Pool, log: Log) -> dict[int, int]:
    in0, in1, out0, out1 = (abi.uint(log.data, index) for index in range(4))
    return {0: in0 - out0, 1: in1 - out1}


def _concentrated(pool: Pool, log: Log) -> dict[int, int]:
    return {0: abi.sint(log.data), 1: abi.sint(log.data, 1)}


def _v4(pool: Pool, log: Log) -> dict[int, int]:
    """It tells what the swapper gained."""
    return {0: -abi.sint(log.data), 1: -abi.sint(log.data, 1)}


def _balancer(pool: Pool, log: Log) -> dict[int, int]:
    i, j = (pool.tokens.index("0x" + word[26:]) for word in log.topics[2:4])
    return {i: abi.uint(log.data), j: -abi.uint(log.data, 1)}


def _curve(pool: Pool, log: Log) -> dict[int, int]:
    i, paid, j, got = (abi.uint(log.data, index) for index in range(4))
    return {i: paid, j: -got}


def _deposit(pool: Pool, log: Log) -> dict[int, int]:
    return {0: abi.uint(log.data), 1: -abi.uint(log.data, 1)}


def _withdraw(pool: Pool, log: Log) -> dict[int, int]:
    return {1: abi.uint(log.data, 1), 0: -abi.uint(log.data)}


_SWAPS: Mapping[str, Callable[[Pool, Log], dict[int, int]]] = {
    abi.topic("Swap(address,uint256,uint256,uint256,uint256,address)"): _pair,  # v2, Solidly
    abi.topic("Swap(address,address,uint256,uint256,uint256,uint256)"): _pair,  # Velodrome, Aerodrome
    v3.SWAP: _concentrated,
    v3.SWAP_PANCAKE: _concentrated,
    v4.SWAP: _v4,
    balancer_vault.SWAP: _balancer,
    abi.topic("TokenExchange(address,int128,uint256,int128,uint256)"): _curve,
    abi.topic("TokenExchange(address,uint256,uint256,uint256,uint256)"): _curve,
    abi.topic("TokenExchange(address,uint256,uint256,uint256,uint256,uint256,uint256)"): _curve,
    vaults.DEPOSIT: _deposit,
    vaults.WITHDRAW: _withdraw,
}
