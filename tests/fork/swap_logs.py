"""Swap logs of every protocol that the market knows, and the check of one against the pool's state before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from bot import abi
from bot.amm import v2, v3, v4, vaults
from bot.amm.balancer import vault as balancer_vault
from bot.amm.pool import NoLiquidity, Pool, UnknownState
from bot.amm.solidly import SYNCS, SolidlyPool
from bot.amm.v2 import V2Pool
from bot.chain.v2_fees import SWAP as V2_SWAP
from bot.engine.types import Log

VELODROME_SWAP = abi.topic("Swap(address,address,uint256,uint256,uint256,uint256)")
STABLE_EXCHANGE = abi.topic("TokenExchange(address,int128,uint256,int128,uint256)")
UNDERLYING_EXCHANGE = abi.topic("TokenExchangeUnderlying(address,int128,uint256,int128,uint256)")
CRYPTO_EXCHANGE = abi.topic("TokenExchange(address,uint256,uint256,uint256,uint256)")
CRYPTO_NG_EXCHANGE = abi.topic("TokenExchange(address,uint256,uint256,uint256,uint256,uint256,uint256)")

PROTOCOLS = {
    V2_SWAP: "v2",
    VELODROME_SWAP: "solidly",
    v3.SWAP: "v3",
    v3.SWAP_PANCAKE: "v3 (Pancake)",
    v4.SWAP: "v4",
    STABLE_EXCHANGE: "curve stable",
    UNDERLYING_EXCHANGE: "curve underlying",
    CRYPTO_EXCHANGE: "curve crypto",
    CRYPTO_NG_EXCHANGE: "curve crypto ng",
    balancer_vault.SWAP: "balancer",
    vaults.DEPOSIT: "vault",
    vaults.WITHDRAW: "vault",
}

FOREIGN = {
    abi.topic("Swap(address,address,int256,int256,uint256,uint256)"): "Pendle market: no reader",
    abi.topic("BuyGem(address,uint256,uint256)"): "Sky's peg stability module: no reader",
    abi.topic("SellGem(address,uint256,uint256)"): "Sky's peg stability module: no reader",
    abi.topic("Swap(address,address,address,uint256,uint256,uint256,uint256)"): "Balancer v3: no reader",
    abi.topic("LOG_SWAP(address,address,address,uint256,uint256)"): "Balancer v1: no reader",
    abi.topic("DODOSwap(address,address,uint256,uint256,address,address)"): "DODO: no reader",
    abi.topic("Swap(bool,uint256,uint256,address)"): "Fluid: no reader",
    abi.topic("TokensTraded(address,address,address,uint256,uint256,address)"): "Bancor v3: no reader",
    abi.topic("TokenPurchase(address,uint256,uint256)"): "Uniswap v1: no reader",
    abi.topic("EthPurchase(address,uint256,uint256)"): "Uniswap v1: no reader",
}
EKUBO = "0xe0e0e08a6a4b9dc7bd67bcb7aade5cf48157d444"
"""Its core's logs of swaps have no topics."""


class Told(NamedTuple):
    """A swap as its log has it: what went in and what came out, by the pool's indices."""

    i: int
    j: int
    paid: int
    got: int


@dataclass(frozen=True)
class Unchecked(Exception):
    """A swap that no quote is about."""

    why: str


def foreign(log: Log) -> str | None:
    """Why a swap's log is of no pool that we know; None for any other log."""
    if not log.topics:
        return "Ekubo: no reader" if log.address == EKUBO else None
    return FOREIGN.get(log.topics[0])


def pool_id(log: Log) -> str:
    """Of the pool that a swap's log is about."""
    return log.topics[1] if log.topics[0] in (v4.SWAP, balancer_vault.SWAP) else log.address


def told(pool: Pool, log: Log) -> Told:
    """Raises Unchecked."""
    topic, data = log.topics[0], log.data
    if topic in (V2_SWAP, VELODROME_SWAP):
        in0, in1, out0, out1 = (abi.uint(data, index) for index in range(4))
        if in0 and out1 and not in1 and not out0:
            return Told(0, 1, in0, out1)
        if in1 and out0 and not in0 and not out1:
            return Told(1, 0, in1, out0)
        raise Unchecked("more than one token went in or came out")
    if topic in (v3.SWAP, v3.SWAP_PANCAKE, v4.SWAP):
        deltas = abi.sint(data), abi.sint(data, 1)
        if topic == v4.SWAP:  # of the swapper, not of the pool
            deltas = -deltas[0], -deltas[1]
        i = 0 if deltas[0] > 0 else 1
        return Told(i, 1 - i, deltas[i], -deltas[1 - i])
    if topic == balancer_vault.SWAP:
        i, j = (pool.tokens.index("0x" + word[26:]) for word in log.topics[2:4])
        return Told(i, j, abi.uint(data), abi.uint(data, 1))
    if topic == vaults.DEPOSIT:
        return Told(0, 1, abi.uint(data), abi.uint(data, 1))
    if topic == vaults.WITHDRAW:
        return Told(1, 0, abi.uint(data, 1), abi.uint(data))
    if topic == UNDERLYING_EXCHANGE:
        raise Unchecked("an exchange of a base pool's coins is two swaps, and no pool here has it as one")
    i, paid, j, got = (abi.uint(data, word) for word in range(4))
    return Told(i, j, paid, got)


def exact(pool: Pool, swap: Told) -> bool:
    """Whether the pool gives this output for this input, or asks this input for this output: nothing says which of the
    two was given, and one of the ways may lead to ticks that were not recorded."""
    i, j, paid, got = swap
    for quote, given, expected in ((pool.quote_in, paid, got), (pool.quote_out, got, paid)):
        try:
            if quote(i, j, given) == expected:
                return True
        except (UnknownState, NoLiquidity):
            pass
    return False


def allowed(pool: Pool, swap: Told) -> bool:
    """A pair lets its caller name the output: no more than the quote."""
    return isinstance(pool, V2Pool | SolidlyPool) and swap.got <= pool.quote_in(swap.i, swap.j, swap.paid)


def is_sync(log: Log) -> bool:
    return log.topics[0] == v2.SYNC or log.topics[0] in SYNCS
