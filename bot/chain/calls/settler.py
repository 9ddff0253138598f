"""0x Settler: actions on what it holds, and AllowanceHolder, which calls it.

Actions sell a share of the Settler's balance: in hundredths of a percent or in millionths, of which one alone tells the
versions apart. So how much is sold is said only where a user pays a pool directly ("VIP"), by his permit.
"""

from __future__ import annotations

from struct import Struct

import msgspec

from bot.abi import selector
from bot.chain.calldata import (
    MOST_HOPS,
    Decoder,
    Look,
    attempt,
    native,
    number,
    signed,
    to_hex,
    uint,
    words_2,
    words_3,
)
from bot.engine.types import Terms

_OLD_HOP, _HOP = 24, 44  # bytes of a path's hop: token, fork, fee; newer ones have a price limit too
_BALANCE = (1 << 256) - 1 - 1_000_000  # a permit's amount above this is a share of the user's balance
_ZERO_FOR_ONE = 1
_FILL_HEADS = (2, 22)  # bytes of a fill in front of its case: share; newer ones have a price limit too

_permit = Struct(">12x20s32s64x").unpack_from  # token, amount, nonce, deadline


def _execute(look: Look, data: bytes) -> None:
    """((recipient, token that is bought, least of it), actions, …)."""
    _, bought, limit = words_3(data, 4)
    order = "0x" + bought[12:].hex(), number(limit, "big")
    for start in look.parts(data, 4 + uint(data, 100)):
        action = look.part(data, start)
        decoder = _ACTIONS.get(action[:4])
        if decoder is not None:
            attempt(look, decoder, action)
        elif action[:4] in _TRANSFERS and any(bought):
            attempt(look, _transfer(*order), action)


def _transfer(bought: str, limit: int) -> Decoder:
    """(recipient, permit, …): what the user pays, for what the call is to bring."""

    def decode(look: Look, data: bytes) -> None:
        token, amount = _paid(data, 36)
        look.add_order("0x", token, bought, amount is not None, amount, limit)

    return decode


def _paid(data: bytes, at: int) -> tuple[str, int | None]:
    """Of a permit: token, and amount if that is what it says."""
    token, word = _permit(data, at)
    amount = number(word, "big")
    return to_hex(token), amount if amount < _BALANCE else None


def _v3_held(look: Look, data: bytes) -> None:
    """UNISWAPV3(recipient, share, path, least out)."""
    offset, limit = words_2(data, 68)
    tokens, fees = _path(look.part(data, 4 + number(offset, "big")))
    look.add("v3", tokens, fees, False, None, number(limit, "big"))


def _v3_paid(path: int, limit: int) -> Decoder:
    """UNISWAPV3_VIP, with the words of its path and limit: the amount is the permit's."""
    permit = 68 if path == 36 else 36

    def decode(look: Look, data: bytes) -> None:
        raw = look.part(data, 4 + uint(data, path))
        token, amount = _paid(data, permit)
        paid = bytes.fromhex(token[2:])
        tokens, fees = _path(raw if raw[:20] == paid else paid + raw)  # newer ones begin behind the permit's token
        look.add("v3", tokens, fees, amount is not None, amount, uint(data, limit))

    return decode


def _path(raw: bytes) -> tuple[tuple[str, ...], tuple[Terms, ...]]:
    """Tokens and fees. Raises ValueError."""
    sizes = [size for size in (_HOP, _OLD_HOP) if (len(raw) - 20) % size == 0]
    hops = (len(raw) - 20) // sizes[0] if len(sizes) == 1 else 0
    if not 1 <= hops <= MOST_HOPS:
        raise ValueError
    starts = range(0, len(raw), sizes[0])
    return (
        tuple([to_hex(raw[start : start + 20]) for start in starts]),
        tuple([(number(raw[start + 21 : start + 24], "big"),) for start in starts[:-1]]),
    )


def _v4(look: Look, data: bytes) -> None:
    """UNISWAPV4(recipient, token, share, …, fills, least out)."""
    offset, limit = words_2(data, 196)
    fills = look.part(data, 4 + number(offset, "big"))
    read = [found for head in _FILL_HEADS if (found := _fills(fills, to_hex(data[48:68]), head))]
    if len(read) != 1:
        raise ValueError  # which version's they are cannot be told
    for n, (tokens, terms) in enumerate(read[0]):
        last = n == len(read[0]) - 1
        look.add("v4", tokens, (terms,), False, None, number(limit, "big") if last else None)


def _fills(fills: bytes, sold: str, head: int) -> list[tuple[tuple[str, str], Terms]]:
    """Tokens and pool of each; none where they are not packed like that: ``head`` bytes, a case, up to two tokens, fee,
    spacing, hooks, and the hook's data behind their length."""
    found: list[tuple[tuple[str, str], Terms]] = []
    at, bought = 0, ""
    while at < len(fills):
        case = fills[at + head] if at + head < len(fills) else 4
        if case > 3 or len(found) >= MOST_HOPS or (case != 1 and not found):
            return []
        at += head + 1
        if case == 2:
            sold = bought
        elif case == 3:
            sold, at = to_hex(fills[at : at + 20]), at + 20
        if case:
            bought, at = to_hex(fills[at : at + 20]), at + 20
        fee, spacing, hooks = fills[at : at + 3], fills[at + 3 : at + 6], fills[at + 6 : at + 26]
        at += 29 + number(fills[at + 26 : at + 29], "big")
        found.append(((native(sold), native(bought)), (number(fee, "big"), signed(spacing), to_hex(hooks))))
    return found if at == len(fills) else []


def _pair(at: int) -> Decoder:
    """(…, share, pool, direction and fee, least out): the share in the word at ``at``."""

    def decode(look: Look, data: bytes) -> None:
        pool, info, limit = words_3(data, at + 32)
        sides = (0, 1) if info[31] & _ZERO_FOR_ONE else (1, 0)
        look.add_pool("v2", to_hex(pool[12:]), sides, None, number(limit, "big"), said=False)

    return decode


def _basic(look: Look, data: bytes) -> None:
    """BASIC(token, share, pool, offset, call): the amount is put into the call at the offset, so that those in it say
    nothing."""
    first = len(look.found)
    call = look.part(data, 4 + uint(data, 132))
    look.call(call, to_hex(data[80:100]), 0)
    look.found[first:] = [msgspec.structs.replace(intent, exact_in=False, amount=None) for intent in look.found[first:]]


def _exec(look: Look, data: bytes) -> None:
    """AllowanceHolder.exec(operator, token, amount, target, call)."""
    look.call(look.part(data, 4 + uint(data, 132)), to_hex(data[112:132]))


_PERMIT = "((address,uint256),uint256,uint256)"
_SLIPPAGE = "(address,address,uint256)"
FUNCTIONS: dict[str, Decoder] = {
    f"execute({_SLIPPAGE},bytes[],bytes32)": _execute,
    f"executeMetaTxn({_SLIPPAGE},bytes[],bytes32,address,bytes)": _execute,
    "exec(address,address,uint256,address,bytes)": _exec,
}
_TRANSFERS = frozenset(
    map(selector, (f"TRANSFER_FROM(address,{_PERMIT},bytes)", f"METATXN_TRANSFER_FROM(address,{_PERMIT})"))
)
_ACTIONS = {
    selector(signature): decoder
    for signature, decoder in {
        "UNISWAPV3(address,uint256,bytes,uint256)": _v3_held,
        f"UNISWAPV3_VIP(address,{_PERMIT},bytes,bytes,uint256)": _v3_paid(164, 228),
        f"UNISWAPV3_VIP(address,bytes,{_PERMIT},bytes,uint256)": _v3_paid(36, 228),
        f"METATXN_UNISWAPV3_VIP(address,{_PERMIT},bytes,uint256)": _v3_paid(164, 196),
        f"METATXN_UNISWAPV3_VIP(address,bytes,{_PERMIT},uint256)": _v3_paid(36, 196),
        "UNISWAPV2(address,address,uint256,address,uint24,uint256)": _pair(68),
        "UNISWAPV4(address,address,uint256,bool,uint256,uint256,bytes,uint256)": _v4,
        "VELODROME(address,uint256,address,uint24,uint256)": _pair(36),
        "BASIC(address,uint256,address,uint256,bytes)": _basic,
    }.items()
}
