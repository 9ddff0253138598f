"""The swaps that a transaction asks for, read off its calldata: a first look, long before it is simulated.

Routers, aggregators and pools are known by their selectors, whoever is called: a fork has the same ones. So a swap
found here is a hint. It may revert, and what a contract of one's own does inside is not seen at all; only a simulation
tells. An aggregator that names no pools gives an order: what for what, and how much (protocols "1inch", "0x", "cow").
``bot.chain.calls`` has a file a family.

Calldata comes from strangers. Whatever it holds, no exception leaves this module and the cost is linear in its length:
what cannot be read ends the look, and what was found before that stays.
"""

from __future__ import annotations

from bot.abi import selector
from bot.chain.calldata import Decoder, Look, SwapIntent, attempt
from bot.chain.calls import cow, oneinch, settler, uniswap, universal_router, venues, zeroex
from bot.engine.types import Transaction


def swaps(target: str | None, data: bytes, value: int = 0) -> tuple[SwapIntent, ...]:
    """In the order of the calldata; empty where there are none, or none that can be read. ``value`` is in wei."""
    decoder = _DECODERS.get(data[:4])
    if decoder is None or target is None:
        return ()
    look = Look(target, value, len(data), _DECODERS)
    attempt(look, decoder, data)
    return tuple(look.found)


def swaps_in_hex(target: str | None, data: str, value: str = "0x0") -> tuple[SwapIntent, ...]:
    """``swaps`` of a transaction as a node gives it: most are no swaps, and cost a look at their first eight digits."""
    if target is None or data[2:10] not in _SELECTORS:
        return ()
    try:
        return swaps(target.lower(), bytes.fromhex(data[2:]), int(value, 16))
    except ValueError:  # not hexadecimal
        return ()


FUNCTIONS: dict[str, Decoder] = {
    signature: decoder
    for family in (uniswap, universal_router, venues, oneinch, zeroex, settler, cow)
    for signature, decoder in family.FUNCTIONS.items()
}
"""By the Solidity signature."""
_DECODERS = {selector(signature): decoder for signature, decoder in FUNCTIONS.items()}
_SELECTORS = frozenset(each.hex() for each in _DECODERS)


def subject(tx: Transaction) -> tuple[object, ...]:
    """What calls of one router are told apart by (for Triage): tokens and pools of the swaps that they ask for."""
    return tuple(
        ("" if swap.tokens else swap.target, swap.tokens, swap.pools) for swap in swaps(tx.to, tx.data, tx.value)
    )
