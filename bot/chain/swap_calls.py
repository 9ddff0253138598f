"""The swaps that a transaction asks for, read off its calldata: a first look, long before it is simulated.

Routers of Uniswap v2, v3 and the Universal Router, calls of pools (v2, v3, Curve), and Balancer's Vault are known by
their selectors, whoever is called: a fork has the same ones. So a swap found here is a hint. It may revert, and what a
contract of one's own does inside is not seen at all; only a simulation tells.

Calldata comes from strangers. Whatever it holds, no exception leaves this module and the cost is linear in its length:
what cannot be read ends the look, and what was found before that stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import Struct
from struct import error as StructError

from bot.abi import selector
from bot.chain.calldata import (
    MOST_HOPS,
    Look,
    SwapIntent,
    addresses,
    key_4,
    number,
    packed,
    path_key,
    signed,
    single_7,
    single_8,
    to_hex,
    uint,
    words_2,
    words_3,
    words_4,
)

_ALL = 1 << 255  # ActionConstants.CONTRACT_BALANCE


def swaps(target: str | None, data: bytes, value: int = 0) -> tuple[SwapIntent, ...]:
    """In the order of the calldata; empty where there are none, or none that can be read. ``value`` is in wei."""
    decoder = _DECODERS.get(data[:4])
    if decoder is None or target is None:
        return ()
    look = Look(target, value, len(data))
    _attempt(look, decoder, data)
    return tuple(look.found)


def swaps_in_hex(target: str | None, data: str, value: str = "0x0") -> tuple[SwapIntent, ...]:
    """``swaps`` of a transaction as a node gives it: most are no swaps, and cost a look at their first eight digits."""
    if target is None or data[2:10] not in _SELECTORS:
        return ()
    try:
        return swaps(target.lower(), bytes.fromhex(data[2:]), int(value, 16))
    except ValueError:  # not hexadecimal
        return ()


_Decoder = Callable[[Look, bytes], None]


def _attempt(look: Look, decoder: _Decoder, data: bytes) -> None:
    """One level deeper."""
    if not look.depth:
        return
    look.depth -= 1
    try:
        decoder(look, data)
    except (StructError, ValueError, OverflowError):
        pass
    finally:
        look.depth += 1


# --- Uniswap v2: UniswapV2Router02, SwapRouter02, pairs ---------------------------------------------------------------


def _v2_tokens(exact_in: bool, held: int = -1) -> _Decoder:
    """(amount, limit, path, …); an amount of ``held`` means what the router holds."""

    def decode(look: Look, data: bytes) -> None:
        amount, limit, offset = words_3(data, 4)
        path = addresses(data, 4 + number(offset, "big"))
        _add_v2(look, path, exact_in, number(amount, "big"), number(limit, "big"), held)

    return decode


def _v2_exact_native(look: Look, data: bytes) -> None:
    """(least out, path, …) for the value."""
    limit, offset = words_2(data, 4)
    _add_v2(look, addresses(data, 4 + number(offset, "big")), True, look.value, number(limit, "big"))


def _v2_native_for_exact(look: Look, data: bytes) -> None:
    """(amount out, path, …) for at most the value."""
    amount, offset = words_2(data, 4)
    _add_v2(look, addresses(data, 4 + number(offset, "big")), False, number(amount, "big"), look.value)


def _add_v2(look: Look, path: tuple[str, ...], exact_in: bool, amount: int, limit: int, held: int = -1) -> None:
    look.add("v2", path, ((),) * (len(path) - 1), exact_in, None if amount == held else amount, limit)


def _v2_pair(look: Look, data: bytes) -> None:
    """UniswapV2Pair.swap(amount0Out, amount1Out, …): what goes in is not said. Two outputs are a loan, no swap."""
    out0, out1 = (number(word, "big") for word in words_2(data, 4))
    if bool(out0) != bool(out1):
        look.add("v2", (), ((),), False, out0 or out1, None, 0, (1, 0) if out0 else (0, 1))


# --- Uniswap v3: SwapRouter, SwapRouter02, pools ----------------------------------------------------------------------


def _v3_single(exact_in: bool, deadline: bool) -> _Decoder:
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


def _v3_path(exact_in: bool, deadline: bool) -> _Decoder:
    """((path, recipient, [deadline,] amount, limit))."""
    held = -1 if deadline or not exact_in else 0
    skipped = 96 if deadline else 64

    def decode(look: Look, data: bytes) -> None:
        start = 4 + uint(data, 4)
        offset = uint(data, start)
        amount, limit = words_2(data, start + skipped)
        _add_v3(look, data, start + offset, exact_in, number(amount, "big"), number(limit, "big"), held)

    return decode


def _add_v3(look: Look, data: bytes, at: int, exact_in: bool, amount: int, limit: int, held: int) -> None:
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


def _multicall(at: int) -> _Decoder:
    """A ``bytes[]`` of calls of the same contract, its offset in the word at ``at``."""

    def decode(look: Look, data: bytes) -> None:
        for start in look.parts(data, 4 + uint(data, at)):
            call = look.part(data, start)
            decoder = _DECODERS.get(call[:4])
            if decoder is not None:
                _attempt(look, decoder, call)

    return decode


def _execute(look: Look, data: bytes) -> None:
    """UniversalRouter.execute(commands, inputs[, deadline])."""
    _steps(look, data, 4, _COMMANDS)


def _sub_plan(look: Look, data: bytes) -> None:
    """(commands, inputs)."""
    _steps(look, data, 0, _COMMANDS)


def _steps(look: Look, data: bytes, base: int, decoders: Mapping[int, _Decoder]) -> None:
    """(kinds, inputs): a byte for each input. Those that swap nothing are passed over."""
    at, inputs = words_2(data, base)
    kinds = look.part(data, base + number(at, "big"))
    look.spend(len(kinds))
    array = base + number(inputs, "big") + 32
    for n, kind in enumerate(kinds[: uint(data, array - 32)]):
        decoder = decoders.get(kind)
        if decoder is not None:
            _attempt(look, decoder, look.part(data, array + uint(data, array + 32 * n)))


def _command(version: int, exact_in: bool) -> _Decoder:
    """(recipient, amount, limit, path, payer is user)."""

    def decode(look: Look, data: bytes) -> None:
        _, amount, limit, offset = words_4(data, 0)
        exact, at = number(amount, "big"), number(offset, "big")
        held = _ALL if exact_in else -1
        if version == 3:
            _add_v3(look, data, at, exact_in, exact, number(limit, "big"), held)
        else:  # Constants.ALREADY_PAID is 0: what the pair was sent before
            held = 0 if exact_in and not exact else held
            _add_v2(look, addresses(data, at), exact_in, exact, number(limit, "big"), held)

    return decode


# --- Uniswap v4: V4_SWAP, as v4-periphery's V4Router takes it ---------------------------------------------------------


def _v4_plan(look: Look, data: bytes) -> None:
    """(actions, params)."""
    _steps(look, data, 0, _ACTIONS)


def _v4_single(exact_in: bool) -> _Decoder:
    """((PoolKey, zeroForOne, amount, limit, …)). An amount of 0 is what is open (ActionConstants.OPEN_DELTA)."""

    def decode(look: Look, data: bytes) -> None:
        token0, token1, fee, spacing, hooks, zero_for_one, amount, limit = key_4(data, uint(data, 0))
        tokens = (to_hex(token0), to_hex(token1)) if zero_for_one else (to_hex(token1), to_hex(token0))
        pools = ((number(fee, "big"), signed(spacing), to_hex(hooks)),)
        look.add("v4", tokens, pools, exact_in, number(amount, "big") or None, number(limit, "big"))

    return decode


def _v4_path(exact_in: bool) -> _Decoder:
    """((currency, PathKey[] path, …, amount, limit)): ``currency`` is what goes in, or what comes out and then the path
    leads to it. Newer routers have one more array in front of the amount, whose offset shows in the path's."""

    def decode(look: Look, data: bytes) -> None:
        start = uint(data, 0)
        currency, offset = words_2(data, start)
        at = number(offset, "big")
        amount, limit = words_2(data, start + (96 if at >= 160 else 64))
        keys = look.parts(data, start + at)
        if not 1 <= len(keys) <= MOST_HOPS:
            return
        path = [path_key(data, key) for key in keys]
        through = [to_hex(key[0]) for key in path]
        tokens = (to_hex(currency[12:]), *through) if exact_in else (*through, to_hex(currency[12:]))
        pools = tuple([(number(fee, "big"), signed(spacing), to_hex(hooks)) for _, fee, spacing, hooks in path])
        look.add("v4", tokens, pools, exact_in, number(amount, "big") or None, number(limit, "big"))

    return decode


# --- Curve and Balancer -----------------------------------------------------------------------------------------------


def _curve(protocol: str) -> _Decoder:
    """(coin in, coin out, amount, least out, …)."""

    def decode(look: Look, data: bytes) -> None:
        i, j, amount, limit = (number(word, "big") for word in words_4(data, 4))
        if max(i, j) < 32:
            look.add(protocol, (), ((),), True, amount, limit, 0, (i, j))

    return decode


_vault_step = Struct(">32s32s12x20s12x20s32s").unpack_from  # SingleSwap: pool id, kind, assets, amount
_batch_step = Struct(">32s32s32s32s").unpack_from  # BatchSwapStep: pool id, indices of assets, amount


def _vault_swap(look: Look, data: bytes) -> None:
    """Vault.swap(SingleSwap, FundManagement, limit, deadline)."""
    single, limit = uint(data, 4), uint(data, 4 + 5 * 32)
    pool, kind, asset_in, asset_out, amount = _vault_step(data, 4 + single)
    exact_in = not any(kind)
    look.add(
        "balancer", (to_hex(asset_in), to_hex(asset_out)), ((to_hex(pool),),), exact_in, number(amount, "big"), limit
    )


def _vault_batch(look: Look, data: bytes) -> None:
    """Vault.batchSwap(kind, steps, assets, …): an intent a step. A step of 0 takes what the one before it gave; the
    limits are of all steps together."""
    kind, steps, listed = words_3(data, 4)
    assets = 4 + number(listed, "big")
    count = uint(data, assets)
    for start in look.parts(data, 4 + number(steps, "big")):
        pool, first, second, amount = _batch_step(data, start)
        token_in, token_out = (_asset(data, assets, count, number(index, "big")) for index in (first, second))
        exact = number(amount, "big") or None
        look.add("balancer", (token_in, token_out), ((to_hex(pool),),), not any(kind), exact, None)


def _asset(data: bytes, at: int, count: int, index: int) -> str:
    if index >= count:
        raise ValueError
    return to_hex(uint(data, at + 32 + 32 * index).to_bytes(32, "big")[12:])


# --- selectors --------------------------------------------------------------------------------------------------------

_V2_TOKENS = "(uint256,uint256,address[],address,uint256)"
_V2_NATIVE = "(uint256,address[],address,uint256)"
_SINGLE = "address,address,uint24,address"
_FUNDS = "(address,bool,address,bool)"
_CURVE_KINDS = (
    *("exchange(int128,int128,uint256,uint256)", "exchange(int128,int128,uint256,uint256,address)"),
    *("exchange(uint256,uint256,uint256,uint256)", "exchange(uint256,uint256,uint256,uint256,address)"),
    *("exchange(uint256,uint256,uint256,uint256,bool)", "exchange(uint256,uint256,uint256,uint256,bool,address)"),
    *("exchange_received(int128,int128,uint256,uint256)", "exchange_received(int128,int128,uint256,uint256,address)"),
    "exchange_received(uint256,uint256,uint256,uint256)",
    "exchange_received(uint256,uint256,uint256,uint256,address)",
)
_CURVE_UNDERLYING = (
    *("exchange_underlying(int128,int128,uint256,uint256)", "exchange_underlying(uint256,uint256,uint256,uint256)"),
    "exchange_underlying(int128,int128,uint256,uint256,address)",
    "exchange_underlying(uint256,uint256,uint256,uint256,address)",
)

_FUNCTIONS: dict[str, _Decoder] = {
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
    # UniversalRouter
    "execute(bytes,bytes[],uint256)": _execute,
    "execute(bytes,bytes[])": _execute,
    # Balancer's Vault
    f"swap((bytes32,uint8,address,address,uint256,bytes),{_FUNDS},uint256,uint256)": _vault_swap,
    f"batchSwap(uint8,(bytes32,uint256,uint256,uint256,bytes)[],address[],{_FUNDS},int256[],uint256)": _vault_batch,
    **dict.fromkeys(_CURVE_KINDS, _curve("curve")),
    **dict.fromkeys(_CURVE_UNDERLYING, _curve("curve underlying")),
}
_DECODERS = {selector(signature): decoder for signature, decoder in _FUNCTIONS.items()}
_SELECTORS = frozenset(each.hex() for each in _DECODERS)

_COMMANDS: dict[int, _Decoder] = {  # universal-router Commands.sol
    0x00: _command(3, exact_in=True),  # V3_SWAP_EXACT_IN
    0x01: _command(3, exact_in=False),  # V3_SWAP_EXACT_OUT
    0x08: _command(2, exact_in=True),  # V2_SWAP_EXACT_IN
    0x09: _command(2, exact_in=False),  # V2_SWAP_EXACT_OUT
    0x10: _v4_plan,  # V4_SWAP
    0x21: _sub_plan,  # EXECUTE_SUB_PLAN
}
_COMMANDS |= {command | 0x80: decoder for command, decoder in _COMMANDS.items()}  # FLAG_ALLOW_REVERT
_ACTIONS: dict[int, _Decoder] = {  # v4-periphery Actions.sol
    0x06: _v4_single(exact_in=True),
    0x07: _v4_path(exact_in=True),
    0x08: _v4_single(exact_in=False),
    0x09: _v4_path(exact_in=False),
}
