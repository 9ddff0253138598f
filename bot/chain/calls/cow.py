"""CoW Protocol's settlement: what users sell for what, and the calls by which the solver comes by it."""

from __future__ import annotations

from struct import Struct

from bot.chain.calldata import Decoder, Look, number, uint, word_address, words_4

_MOST_TOKENS = 256
_BUYS, _IN_PARTS = 1, 2  # GPv2Trade's flags

_trade = Struct(">32s32s32x32s32s96x32s32s").unpack_from  # tokens' indices, amounts, flags, executed amount
_interaction = Struct(">12x20s32s32s").unpack_from  # target, value, offset of the call


def _settle(look: Look, data: bytes) -> None:
    """(tokens, clearing prices, trades, interactions before, between and after)."""
    tokens, _, trades, interactions = words_4(data, 4)
    at = 4 + number(tokens, "big")
    count = uint(data, at)
    if count > _MOST_TOKENS:
        raise ValueError
    for start in look.parts(data, 4 + number(trades, "big")):
        _order(look, data, at + 32, count, start)
    phases = 4 + number(interactions, "big")
    for n in range(3):
        for start in look.parts(data, phases + uint(data, phases + 32 * n)):
            target, value, offset = _interaction(data, start)
            call = look.part(data, start + number(offset, "big"))
            look.call(call, "0x" + target.hex(), number(value, "big"))


def _order(look: Look, data: bytes, tokens: int, count: int, start: int) -> None:
    """An order is filled whole, unless it may be filled in parts: then the trade says how much of it is."""
    first, second, sold, bought, flags, executed = (number(word, "big") for word in _trade(data, start))
    if max(first, second) >= count:
        raise ValueError
    sells, in_parts = not flags & _BUYS, flags & _IN_PARTS
    whole, limit = (sold, bought) if sells else (bought, sold)
    amount = executed if in_parts else whole
    if in_parts and whole:  # the limit is of the whole, rounded in the user's favour
        limit = -(-limit * executed // whole) if sells else limit * executed // whole
    ends = [word_address(uint(data, tokens + 32 * index)) for index in (first, second)]
    look.add_order("cow", ends[0], ends[1], sells, amount, limit)


_TRADE = "(uint256,uint256,address,uint256,uint256,uint32,bytes32,uint256,uint256,uint256,bytes)[]"
FUNCTIONS: dict[str, Decoder] = {
    f"settle(address[],uint256[],{_TRADE},(address,uint256,bytes)[][3])": _settle,
}
