"""0x: the Exchange Proxy, and MetaMask's router, which wraps calls of it and of 1inch."""

from __future__ import annotations

from struct import Struct

from bot.chain.calldata import (
    Decoder,
    Look,
    addresses,
    attempt,
    native,
    number,
    packed,
    to_hex,
    uint,
    words_2,
    words_3,
    words_4,
)

_ALL = (1 << 256) - 1  # what the taker has
_SHARE, _WHOLE = 1 << 255, 10**18  # of a sub-call: its amount is a share of all
_V2, _V3, _BATCH, _HOPS = 3, 4, 7, 8  # MultiplexSubcall

_tokens = Struct(">12x20s12x20s").unpack_from


def _add_path(look: Look, path: tuple[str, ...], amount: int | None, limit: int | None, *, said: bool = True) -> None:
    """Of v2. Money of the chain is wrapped by the proxy: which token that makes the call does not say."""
    tokens = tuple([native(token) for token in path])
    look.add("v2", tokens, ((),) * (len(path) - 1), said, amount if said else None, limit)


def _uniswap(look: Look, data: bytes) -> None:
    """sellToUniswap, sellToPancakeSwap(path, amount, least out, which fork)."""
    offset, amount, limit = words_3(data, 4)
    _add_path(look, addresses(data, 4 + number(offset, "big")), number(amount, "big"), number(limit, "big"))


def _uniswap_v3(paid: bool) -> Decoder:
    """(path, [amount,] least out, …)."""

    def decode(look: Look, data: bytes) -> None:
        offset, first, second = words_3(data, 4)
        tokens, fees = packed(data, 4 + number(offset, "big"))
        amount, limit = (look.value, first) if paid else (number(first, "big"), second)
        look.add("v3", tokens, fees, True, amount, number(limit, "big"))

    return decode


def _order(look: Look, data: bytes) -> None:
    """transformERC20(token in, token out, amount, least out, …)."""
    sold, bought = _tokens(data, 4)
    amount, limit = words_2(data, 68)
    exact = number(amount, "big")
    said = exact != _ALL
    look.add_order("0x", to_hex(sold), to_hex(bought), said, exact if said else None, number(limit, "big"))


# --- multiplex --------------------------------------------------------------------------------------------------------


def _batch(at: int, paid: bool) -> Decoder:
    """(…, sub-calls, [amount,] least out): the offset of the sub-calls in the word at ``at``."""

    def decode(look: Look, data: bytes) -> None:
        _batch_calls(look, data, 4 + uint(data, at), look.value if paid else uint(data, at + 32))

    return decode


def _hops(at: int, paid: bool) -> Decoder:
    """(tokens, sub-calls, [amount,] least out)."""

    def decode(look: Look, data: bytes) -> None:
        _hop_calls(look, data, 4 + uint(data, at), look.value if paid else uint(data, at + 32))

    return decode


def _batch_calls(look: Look, data: bytes, at: int, whole: int | None) -> None:
    """(kind, amount, data) each: amounts or shares of the whole, at most what is left, as MultiplexFeature has it. One
    that fails is passed over, unless it is a path of several; so behind it only the least that is left is known."""
    left, sure = whole, True
    for start in look.parts(data, at):
        kind, asked, offset = words_3(data, start)
        amount = None
        if left is not None and whole is not None:
            word = number(asked, "big")
            wanted = whole * min(word - _SHARE, _WHOLE) // _WHOLE if word >= _SHARE else word
            amount = wanted if wanted <= left else left if sure else None
            left -= min(wanted, left)
        sure = sure and number(kind, "big") == _HOPS
        _sub_call(look, number(kind, "big"), look.part(data, start + number(offset, "big")), amount, amount is not None)


def _hop_calls(look: Look, data: bytes, at: int, amount: int | None) -> None:
    """(kind, data) each: one sells what the one before it got."""
    said = amount is not None
    for start in look.parts(data, at):
        kind, offset = words_2(data, start)
        _sub_call(look, number(kind, "big"), look.part(data, start + number(offset, "big")), amount, said)
        amount, said = None, True


def _sub_call(look: Look, kind: int, data: bytes, amount: int | None, said: bool) -> None:
    def nested(look: Look, data: bytes) -> None:
        if kind == _BATCH:
            _batch_calls(look, data, uint(data, 0), amount)
        else:
            _hop_calls(look, data, uint(data, 32), amount)

    if kind == _V2:
        _add_path(look, addresses(data, uint(data, 0)), amount, None, said=said)
    elif kind == _V3:
        tokens, fees = packed(len(data).to_bytes(32, "big") + data, 0)
        look.add("v3", tokens, fees, said, amount if said else None, None)
    elif kind in (_BATCH, _HOPS):
        attempt(look, nested, data)


# --- MetaMask ---------------------------------------------------------------------------------------------------------


def _metamask(look: Look, data: bytes) -> None:
    """swap(adapter, token, amount, what the adapter takes). Of adapters that call an aggregator, which are named
    "…FeeDynamic", that is (token in, token out, amount, least out, the aggregator's call, …), less a word in front that
    the router puts there."""
    name, token, _, offset = words_4(data, 4)
    if not look.part(data, 4 + number(name, "big")).endswith(b"FeeDynamic"):
        return
    inner = look.part(data, 4 + number(offset, "big"))
    _, _, amount, _ = words_4(inner, 0)
    look.call(look.part(inner, uint(inner, 128) - 32), value=0 if any(token) else number(amount, "big"))


_SUB = "(uint8,uint256,bytes)[]"
_HOP = "(uint8,bytes)[]"
FUNCTIONS: dict[str, Decoder] = {
    "transformERC20(address,address,uint256,uint256,(uint32,bytes)[])": _order,
    "sellToUniswap(address[],uint256,uint256,bool)": _uniswap,
    "sellToPancakeSwap(address[],uint256,uint256,uint8)": _uniswap,
    "sellTokenForTokenToUniswapV3(bytes,uint256,uint256,address)": _uniswap_v3(paid=False),
    "sellTokenForEthToUniswapV3(bytes,uint256,uint256,address)": _uniswap_v3(paid=False),
    "sellEthForTokenToUniswapV3(bytes,uint256,address)": _uniswap_v3(paid=True),
    f"multiplexBatchSellTokenForToken(address,address,{_SUB},uint256,uint256)": _batch(68, paid=False),
    f"multiplexBatchSellEthForToken(address,{_SUB},uint256)": _batch(36, paid=True),
    f"multiplexBatchSellTokenForEth(address,{_SUB},uint256,uint256)": _batch(36, paid=False),
    f"multiplexMultiHopSellTokenForToken(address[],{_HOP},uint256,uint256)": _hops(36, paid=False),
    f"multiplexMultiHopSellEthForToken(address[],{_HOP},uint256)": _hops(36, paid=True),
    f"multiplexMultiHopSellTokenForEth(address[],{_HOP},uint256,uint256)": _hops(36, paid=False),
    "swap(string,address,uint256,bytes)": _metamask,
}
