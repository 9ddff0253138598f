"""1inch's AggregationRouter v4, v5 and v6, and two that pack their pools alike: OKX and ParaSwap.

Their pools are words: an address in the low 160 bits, and above it which way and through what. Each pool is an intent
of its own; the first takes the amount, the others what the one before them gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from bot.chain.calldata import (
    Decoder,
    Look,
    addresses,
    native,
    number,
    to_hex,
    uint,
    word_address,
    words,
    words_2,
    words_3,
)

_REVERSE = 1 << 255  # v4 and v5: from token 1 to token 0
_V6_PROTOCOL, _V6_ZERO_FOR_ONE = 253, 1 << 247  # UniswapV2, UniswapV3, Curve
_V6_CURVE_FROM, _V6_CURVE_TO = 224, 232
_V6_CURVE_FUNCTION = 184
_UNDERLYING = frozenset((1, 3, 5, 7, 10, 12, 14, 16))  # of _CURVE_SWAP_SELECTORS, those of exchange_underlying
_PARTIAL_FILL = 1
_PARASWAP_REVERSE = 1 << 160

_description = Struct(">12x20s12x20s64x32s32s32s").unpack_from  # tokens, receivers, amount, least, flags

Pool = tuple[str, str, tuple[int, int]]
"""Protocol, address, sides."""


def _add(look: Look, pools: Sequence[Pool], amount: int, limit: int) -> None:
    last = len(pools) - 1
    for n, (protocol, address, sides) in enumerate(pools):
        look.add_pool(protocol, address, sides, None if n else amount, limit if n == last else None)


def _sides(reverse: int) -> tuple[int, int]:
    return (1, 0) if reverse else (0, 1)


# --- v4, v5 -----------------------------------------------------------------------------------------------------------


def _v5(protocol: str, at: int) -> Decoder:
    """(…, amount, least out, pools, …), the first of these in the word at ``at``."""

    def decode(look: Look, data: bytes) -> None:
        amount, limit, offset = words_3(data, at)
        pools = words(data, 4 + number(offset, "big"))
        found = [(protocol, word_address(pool), _sides(pool & _REVERSE)) for pool in pools]
        _add(look, found, number(amount, "big"), number(limit, "big"))

    return decode


def _swap(at: int) -> Decoder:
    """A swap with an executor, which alone knows through what: (…, description, …), in words of the call."""

    def decode(look: Look, data: bytes) -> None:
        _describe(look, data, at)

    return decode


def _swap_v4(look: Look, data: bytes) -> None:
    """(caller, description, data): the description is a dynamic value, as it ends with a permit."""
    _describe(look, data, 4 + uint(data, 36))


def _describe(look: Look, data: bytes, at: int) -> None:
    sold, bought, amount, limit, flags = _description(data, at)
    whole = not flags[31] & _PARTIAL_FILL
    exact = number(amount, "big") if whole else None
    look.add_order("1inch", to_hex(sold), to_hex(bought), whole, exact, number(limit, "big"))


def _permit_and_call(look: Look, data: bytes) -> None:
    """(permit, call)."""
    look.call(look.part(data, 4 + uint(data, 36)))


# --- v6 ---------------------------------------------------------------------------------------------------------------


def _v6(at: int, pools: int, paid: bool) -> Decoder:
    """(…, [amount,] least out, pool, …): ``at`` is where these begin; ``paid`` with the value, no amount is named."""
    first = at if paid else at + 32

    def decode(look: Look, data: bytes) -> None:
        amount = look.value if paid else uint(data, at)
        found = [_v6_pool(uint(data, first + 32 * (n + 1))) for n in range(pools)]
        _add(look, found, amount, uint(data, first))

    return decode


def _v6_pool(dex: int) -> Pool:
    """Raises ValueError for a protocol that there is not."""
    protocol = dex >> _V6_PROTOCOL
    if protocol < 2:
        return ("v2", "v3")[protocol], word_address(dex), _sides(not dex & _V6_ZERO_FOR_ONE)
    if protocol != 2:
        raise ValueError
    sides = (dex >> _V6_CURVE_FROM & 0xFF, dex >> _V6_CURVE_TO & 0xFF)
    name = "curve underlying" if dex >> _V6_CURVE_FUNCTION & 0xFF in _UNDERLYING else "curve"
    return name, word_address(dex), sides


# --- OKX, ParaSwap ----------------------------------------------------------------------------------------------------


def _paraswap(look: Look, data: bytes) -> None:
    """(token in, amount, least out, weth, pools): direction in bit 160, the fee above it."""
    amount, limit = words_2(data, 36)
    pools = [("v2", word_address(pool), _sides(pool & _PARASWAP_REVERSE)) for pool in words(data, 4 + uint(data, 132))]
    _add(look, pools, number(amount, "big"), number(limit, "big"))


def _paraswap_path(look: Look, data: bytes) -> None:
    """(amount, least out, path): of Uniswap's own pairs."""
    amount, limit, offset = words_3(data, 4)
    path = tuple([native(token) for token in addresses(data, 4 + number(offset, "big"))])
    look.add("v2", path, ((),) * (len(path) - 1), True, number(amount, "big"), number(limit, "big"))


_DESCRIPTION = "address,address,address,address,uint256,uint256,uint256"
FUNCTIONS: dict[str, Decoder] = {
    # AggregationRouterV4
    "unoswap(address,uint256,uint256,bytes32[])": _v5("v2", 36),
    "unoswapWithPermit(address,uint256,uint256,bytes32[],bytes)": _v5("v2", 36),
    f"swap(address,({_DESCRIPTION},bytes),bytes)": _swap_v4,
    # v4 and v5
    "uniswapV3Swap(uint256,uint256,uint256[])": _v5("v3", 4),
    "uniswapV3SwapTo(address,uint256,uint256,uint256[])": _v5("v3", 36),
    "uniswapV3SwapToWithPermit(address,address,uint256,uint256,uint256[],bytes)": _v5("v3", 68),
    # AggregationRouterV5
    "unoswap(address,uint256,uint256,uint256[])": _v5("v2", 36),
    "unoswapTo(address,address,uint256,uint256,uint256[])": _v5("v2", 68),
    "unoswapToWithPermit(address,address,uint256,uint256,uint256[],bytes)": _v5("v2", 68),
    f"swap(address,({_DESCRIPTION}),bytes,bytes)": _swap(36),
    # AggregationRouterV6
    "unoswap(uint256,uint256,uint256,uint256)": _v6(36, 1, paid=False),
    "unoswap2(uint256,uint256,uint256,uint256,uint256)": _v6(36, 2, paid=False),
    "unoswap3(uint256,uint256,uint256,uint256,uint256,uint256)": _v6(36, 3, paid=False),
    "unoswapTo(uint256,uint256,uint256,uint256,uint256)": _v6(68, 1, paid=False),
    "unoswapTo2(uint256,uint256,uint256,uint256,uint256,uint256)": _v6(68, 2, paid=False),
    "unoswapTo3(uint256,uint256,uint256,uint256,uint256,uint256,uint256)": _v6(68, 3, paid=False),
    "ethUnoswap(uint256,uint256)": _v6(4, 1, paid=True),
    "ethUnoswap2(uint256,uint256,uint256)": _v6(4, 2, paid=True),
    "ethUnoswap3(uint256,uint256,uint256,uint256)": _v6(4, 3, paid=True),
    "ethUnoswapTo(uint256,uint256,uint256)": _v6(36, 1, paid=True),
    "ethUnoswapTo2(uint256,uint256,uint256,uint256)": _v6(36, 2, paid=True),
    "ethUnoswapTo3(uint256,uint256,uint256,uint256,uint256)": _v6(36, 3, paid=True),
    f"swap(address,({_DESCRIPTION}),bytes)": _swap(36),
    "permitAndCall(bytes,bytes)": _permit_and_call,
    # OKX DexRouter, ParaSwap's Augustus 5
    "unxswapByOrderId(uint256,uint256,uint256,bytes32[])": _v5("v2", 36),
    "swapOnUniswapV2Fork(address,uint256,uint256,address,uint256[])": _paraswap,
    "swapOnUniswap(uint256,uint256,address[])": _paraswap_path,
}
