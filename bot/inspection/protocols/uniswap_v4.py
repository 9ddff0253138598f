"""Uniswap v4: pools in one manager, named by the hash of their key, which only calls tell."""

from __future__ import annotations

from bot import abi
from bot.inspection.block import ETHER, NOBODY
from bot.inspection.calls import Live
from bot.inspection.swap import Protocol, Swap
from bot.inspection.transfers import Flow

SWAP = abi.topic("Swap(bytes32,address,int128,int128,uint160,uint128,int24,uint24)")
CALL = abi.selector("swap((address,address,uint24,int24,address),(bool,int256,uint160),bytes)")
KEY = 5 * abi.WORD


def from_log(flow: Flow, at: int) -> Swap | None:
    """Amounts are the taker's: negative is what was paid in."""
    assert flow.tx.logs is not None
    log = flow.tx.logs[at]
    currencies = _currencies(flow).get(log.topics[1])
    if currencies is None:
        return None
    taker = "0x" + log.topics[2][-40:]
    return _swap(log.topics[1], taker, currencies, (abi.sint(log.data), abi.sint(log.data, 1)), at)


def from_call(flow: Flow, place: Live) -> Swap | None:
    """The manager answers with both amounts in one word."""
    key, both = place.call.arguments[:KEY], abi.uint(place.call.output)
    amounts = both >> 128, both & ((1 << 128) - 1)
    signed = tuple(amount - (1 << 128) if amount >> 127 else amount for amount in amounts)
    currencies = _currency(abi.address(key)), _currency(abi.address(key, 1))
    return _swap(abi.to_hex(abi.keccak(key)), place.call.sender, currencies, (signed[0], signed[1]), place.at)


def _currencies(flow: Flow) -> dict[str, tuple[str, str]]:
    """Pool id to its two tokens, by the calls of the transaction."""
    keys = (found.call.arguments[:KEY] for found in flow.calls if found.call.selector == CALL)
    return {
        abi.to_hex(abi.keccak(key)): (_currency(abi.address(key)), _currency(abi.address(key, 1)))
        for key in keys
        if len(key) == KEY
    }


def _currency(address: str) -> str:
    return ETHER if address == NOBODY else address


def _swap(pool: str, taker: str, tokens: tuple[str, str], amounts: tuple[int, int], at: int) -> Swap | None:
    token_in = 0 if amounts[0] < 0 else 1
    paid, got = -amounts[token_in], amounts[1 - token_in]
    if paid <= 0 or got <= 0:
        return None
    return Swap("uniswap_v4", pool, taker, tokens[token_in], paid, tokens[1 - token_in], got, at)


PROTOCOL = Protocol("uniswap_v4", {SWAP: from_log}, {CALL: from_call}, exact=True)
