"""Routers and pools of Uniswap v2 and v3: UniswapV2Router02, SwapRouter, SwapRouter02, and forks of them."""

from __future__ import annotations

from bot.chain.calldata import (
    Decoder,
    Look,
    addresses,
    number,
    packed,
    single_7,
    single_8,
    to_hex,
    uint,
    words_2,
    words_3,
    words_4,
)

# --- Uniswap v2: UniswapV2Router02, SwapRouter02, pairs ---------------------------------------------------------------


def _v2_tokens(exact_in: bool, held: int = -1) -> Decoder:
    """(amount, limit, path, …); an amount of ``held`` means what the router holds."""

    def decode(look: Look, data: bytes) -> None:
        amount, limit, offset = words_3(data, 4)
        path = addresses(data, 4 + number(offset, "big"))
        add_v2(look, path, exact_in, number(amount, "big"), number(limit, "big"), held)

    return decode


def _v2_exact_native(look: Look, data: bytes) -> None:
    """(least out, path, …) for the value."""
    limit, offset = words_2(data, 4)
    add_v2(look, addresses(data, 4 + number(offset, "big")), True, look.value, number(limit, "big"))


def _v2_native_for_exact(look: Look, data: bytes) -> None:
    """(amount out, path, …) for at most the value."""
    amount, offset = words_2(data, 4)
    add_v2(look, addresses(data, 4 + number(offset, "big")), False, number(amount, "big"), look.value)


def add_v2(look: Look, path: tuple[str, ...], exact_in: bool, amount: int, limit: int, held: int = -1) -> None:
    look.add("v2", path, ((),) * (len(path) - 1), exact_in, None if amount == held else amount, limit)


def _v2_pair(look: Look, data: bytes) -> None:
    """UniswapV2Pair.swap(amount0Out, amount1Out, …): what goes in is not said. Two outputs are a loan, no swap."""
    out0, out1 = (number(word, "big") for word in words_2(data, 4))
    if bool(out0) != bool(out1):
        look.add("v2", (), ((),), False, out0 or out1, None, 0, (1, 0) if out0 else (0, 1))


# --- Uniswap v3: SwapRouter, SwapRouter02, pools ----------------------------------------------------------------------


def _v3_single(exact_in: bool, deadline: bool) -> Decoder:
    """((token in, token out, fee, recipient, [deadline,] amount, limit, price limit))."""
    fields = single_8 if deadline else single_7
    held = -1 if deadline or not exact_in else 0  # SwapRouter02: Constants.CONTRACT_BALANCE is 0

    def decode(look: Look, data: bytes) -> None:
        token_in, token_out, fee, amount, limit, price = fields(data, 4)
        exact: int | None = number(amount, "big")
        if exact == held:
            exact = None
        tokens = (to_hex(token_in), to_hex(token_out))
        pools = ((number(fee, "big"),),)
        look.add("v3", tokens, pools, exact_in, exact, number(limit, "big"), number(price, "big"))

    return decode


def _v3_path(exact_in: bool, deadline: bool) -> Decoder:
    """((path, recipient, [deadline,] amount, limit))."""
    held = -1 if deadline or not exact_in else 0
    skipped = 96 if deadline else 64

    def decode(look: Look, data: bytes) -> None:
        start = 4 + uint(data, 4)
        offset = uint(data, start)
        amount, limit = words_2(data, start + skipped)
        add_v3(look, data, start + offset, exact_in, number(amount, "big"), number(limit, "big"), held)

    return decode


def add_v3(look: Look, data: bytes, at: int, exact_in: bool, amount: int, limit: int, held: int) -> None:
    """Exact output is asked for with the path from its end."""
    tokens, fees = packed(data, at)
    if not exact_in:
        tokens, fees = tokens[::-1], fees[::-1]
    look.add("v3", tokens, fees, exact_in, None if amount == held else amount, limit)


def _v3_pool(look: Look, data: bytes) -> None:
    """UniswapV3Pool.swap(recipient, zeroForOne, amountSpecified, price limit, data)."""
    _, zero_for_one, amount, price = words_4(data, 4)
    specified = number(amount, "big", signed=True)
    sides = (0, 1) if any(zero_for_one) else (1, 0)
    if specified:
        look.add("v3", (), ((),), specified > 0, abs(specified), None, number(price, "big"), sides)


# --- calls in calls ---------------------------------------------------------------------------------------------------


def _multicall(at: int) -> Decoder:
    """A ``bytes[]`` of calls of the same contract, its offset in the word at ``at``."""

    def decode(look: Look, data: bytes) -> None:
        for start in look.parts(data, 4 + uint(data, at)):
            look.call(look.part(data, start))

    return decode


_V2_TOKENS = "(uint256,uint256,address[],address,uint256)"
_V2_NATIVE = "(uint256,address[],address,uint256)"
_SINGLE = "address,address,uint24,address"

FUNCTIONS: dict[str, Decoder] = {
    # UniswapV2Router02
    f"swapExactTokensForTokens{_V2_TOKENS}": _v2_tokens(True),
    f"swapExactTokensForTokensSupportingFeeOnTransferTokens{_V2_TOKENS}": _v2_tokens(True),
    f"swapExactTokensForETH{_V2_TOKENS}": _v2_tokens(True),
    f"swapExactTokensForETHSupportingFeeOnTransferTokens{_V2_TOKENS}": _v2_tokens(True),
    f"swapTokensForExactTokens{_V2_TOKENS}": _v2_tokens(False),
    f"swapTokensForExactETH{_V2_TOKENS}": _v2_tokens(False),
    f"swapExactETHForTokens{_V2_NATIVE}": _v2_exact_native,
    f"swapExactETHForTokensSupportingFeeOnTransferTokens{_V2_NATIVE}": _v2_exact_native,
    f"swapETHForExactTokens{_V2_NATIVE}": _v2_native_for_exact,
    # UniswapV2Pair, UniswapV3Pool
    "swap(uint256,uint256,address,bytes)": _v2_pair,
    "swap(address,bool,int256,uint160,bytes)": _v3_pool,
    # v3-periphery SwapRouter
    f"exactInputSingle(({_SINGLE},uint256,uint256,uint256,uint160))": _v3_single(True, deadline=True),
    f"exactOutputSingle(({_SINGLE},uint256,uint256,uint256,uint160))": _v3_single(False, deadline=True),
    "exactInput((bytes,address,uint256,uint256,uint256))": _v3_path(True, deadline=True),
    "exactOutput((bytes,address,uint256,uint256,uint256))": _v3_path(False, deadline=True),
    "multicall(bytes[])": _multicall(4),
    # SwapRouter02
    "swapExactTokensForTokens(uint256,uint256,address[],address)": _v2_tokens(True, held=0),
    "swapTokensForExactTokens(uint256,uint256,address[],address)": _v2_tokens(False),
    f"exactInputSingle(({_SINGLE},uint256,uint256,uint160))": _v3_single(True, deadline=False),
    f"exactOutputSingle(({_SINGLE},uint256,uint256,uint160))": _v3_single(False, deadline=False),
    "exactInput((bytes,address,uint256,uint256))": _v3_path(True, deadline=False),
    "exactOutput((bytes,address,uint256,uint256))": _v3_path(False, deadline=False),
    "multicall(uint256,bytes[])": _multicall(36),
    "multicall(bytes32,bytes[])": _multicall(36),
}
