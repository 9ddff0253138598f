"""Uniswap v3 pools and their forks, PancakeSwap v3's and Algebra's among them."""

from __future__ import annotations

from bot import abi
from bot.inspection.calls import Live
from bot.inspection.swap import Protocol, Swap
from bot.inspection.transfers import Flow, Transfer

SWAP = abi.topic("Swap(address,address,int256,int256,uint160,uint128,int24)")
PANCAKE_SWAP = abi.topic("Swap(address,address,int256,int256,uint160,uint128,int24,uint128,uint128)")
CALL = abi.selector("swap(address,bool,int256,uint160,bytes)")


def from_log(flow: Flow, at: int) -> Swap | None:
    assert flow.tx.logs is not None
    log = flow.tx.logs[at]
    taker = "0x" + log.topics[1][-40:]
    return _swap(flow, log.address, taker, abi.sint(log.data), abi.sint(log.data, 1), at)


def from_call(flow: Flow, place: Live) -> Swap | None:
    output = place.call.output
    return _swap(flow, place.call.to, place.call.sender, abi.sint(output), abi.sint(output, 1), place.at)


def _swap(flow: Flow, pool: str, taker: str, amount0: int, amount1: int, at: int) -> Swap | None:
    """What the pool took in is positive, what it paid out negative. It pays first, then it is paid."""
    amount_in, amount_out = max(amount0, amount1), -min(amount0, amount1)
    if amount_in <= 0 or amount_out <= 0:
        return None
    token_out = flow.token_of(pool, amount_out, at, paid=True)
    if token_out is None:
        return None
    token_in = flow.token_of(pool, amount_in, at, paid=False, but=token_out)
    if token_in is None:
        more = _overpaid(flow, pool, token_out, amount_in)
        if more is None:
            return None
        token_in, amount_in = more.token, more.amount
    return Swap("uniswap_v3", pool, taker, token_in, amount_in, token_out, amount_out, at)


def _overpaid(flow: Flow, pool: str, token_out: str, asked: int) -> Transfer | None:
    """A payment of more than the pool asked for: it keeps the rest."""
    given = [t for t in flow.transfers if t.to == pool and t.token != token_out and t.amount > asked]
    return min(given, key=lambda transfer: transfer.amount, default=None)


PROTOCOL = Protocol("uniswap_v3", {SWAP: from_log, PANCAKE_SWAP: from_log}, {CALL: from_call}, exact=True)
