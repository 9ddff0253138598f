"""The same swaps as bot.chain.swap_calls finds, by eth-abi and the functions' Solidity types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aggregator_oracle import functions, types_of
from eth_abi import decode

from bot.abi import selector
from bot.chain.calldata import SwapIntent

Args = tuple[Any, ...]
Reading = Callable[[Args, str, int], list[SwapIntent]]

KEY = "(address,address,uint24,int24,address)"
PATH_KEYS = "(address,uint24,int24,address,bytes)[]"
FUNDS = "(address,bool,address,bool)"
ALL = 1 << 255


def swaps_by_abi(target: str, data: bytes, value: int = 0) -> list[SwapIntent]:
    """Raises eth_abi.exceptions.DecodingError for what is malformed."""
    for types, reading in BY_SELECTOR.get(data[:4], ()):
        return reading(decode(types, data[4:], strict=False), target, value)
    return []


def _v2(path: Args, exact_in: bool, amount: int | None, limit: int, target: str) -> list[SwapIntent]:
    return [SwapIntent("v2", target, tuple(path), ((),) * (len(path) - 1), exact_in, amount, limit)]


def _v3(path: bytes, exact_in: bool, amount: int | None, limit: int, target: str) -> list[SwapIntent]:
    tokens, fees = ["0x" + path[:20].hex()], []
    for start in range(20, len(path), 23):
        fees.append((int.from_bytes(path[start : start + 3], "big"),))
        tokens.append("0x" + path[start + 3 : start + 23].hex())
    if not exact_in:
        tokens.reverse()
        fees.reverse()
    return [SwapIntent("v3", target, tuple(tokens), tuple(fees), exact_in, amount, limit)]


def _single(exact_in: bool, held: int | None) -> Reading:
    def read(args: Args, target: str, value: int) -> list[SwapIntent]:
        token_in, token_out, fee, *_, amount, limit, price = args[0]
        exact = None if amount == held else amount
        return [SwapIntent("v3", target, (token_in, token_out), ((fee,),), exact_in, exact, limit, price)]

    return read


def _path(exact_in: bool, held: int | None) -> Reading:
    def read(args: Args, target: str, value: int) -> list[SwapIntent]:
        path, *_, amount, limit = args[0]
        return _v3(path, exact_in, None if amount == held else amount, limit, target)

    return read


def _calls(args: Args, target: str, value: int) -> list[SwapIntent]:
    return [swap for call in args[-1] for swap in swaps_by_abi(target, call, value)]


def _execute(args: Args, target: str, value: int) -> list[SwapIntent]:
    found: list[SwapIntent] = []
    for command, data in zip(args[0], args[1], strict=True):
        kind = command & 0x7F
        if kind in (0, 1):
            _, amount, limit, path, _ = decode(["address", "uint256", "uint256", "bytes", "bool"], data)
            found += _v3(path, kind == 0, None if kind == 0 and amount == ALL else amount, limit, target)
        elif kind in (8, 9):
            _, amount, limit, path, _ = decode(["address", "uint256", "uint256", "address[]", "bool"], data)
            found += _v2(path, kind == 8, None if kind == 8 and amount in (0, ALL) else amount, limit, target)
        elif kind == 0x10:
            found += _v4(data, target)
        elif kind == 0x21:
            found += _execute(decode(["bytes", "bytes[]"], data), target, value)
    return found


def _v4(data: bytes, target: str) -> list[SwapIntent]:
    found = []
    actions, params = decode(["bytes", "bytes[]"], data)
    for action, each in zip(actions, params, strict=True):
        if action in (6, 8):
            ((key, zero_for_one, amount, limit, _),) = decode([f"({KEY},bool,uint128,uint128,bytes)"], each)
            tokens = key[:2] if zero_for_one else key[1::-1]
            found.append(SwapIntent("v4", target, tokens, (key[2:],), action == 6, amount or None, limit))
        elif action in (7, 9):
            ((currency, keys, amount, limit),) = decode([f"(address,{PATH_KEYS},uint128,uint128)"], each)
            through = tuple(key[0] for key in keys)
            tokens = (currency, *through) if action == 7 else (*through, currency)
            pools = tuple(key[1:4] for key in keys)
            found.append(SwapIntent("v4", target, tokens, pools, action == 7, amount or None, limit))
    return found


def _pair(args: Args, target: str, value: int) -> list[SwapIntent]:
    out0, out1 = args[:2]
    if bool(out0) == bool(out1):
        return []
    return [SwapIntent("v2", target, (), ((),), False, out0 or out1, None, sides=(1, 0) if out0 else (0, 1))]


def _pool(args: Args, target: str, value: int) -> list[SwapIntent]:
    _, zero_for_one, amount, price, _ = args
    if not amount:
        return []
    sides = (0, 1) if zero_for_one else (1, 0)
    return [SwapIntent("v3", target, (), ((),), amount > 0, abs(amount), None, price, sides)]


def _curve(protocol: str) -> Reading:
    def read(args: Args, target: str, value: int) -> list[SwapIntent]:
        i, j, amount, limit = args[:4]
        if not (0 <= i < 32 and 0 <= j < 32):
            return []
        return [SwapIntent(protocol, target, (), ((),), True, amount, limit, sides=(i, j))]

    return read


def _vault(args: Args, target: str, value: int) -> list[SwapIntent]:
    (pool, kind, asset_in, asset_out, amount, _), _, limit, _ = args
    return [SwapIntent("balancer", target, (asset_in, asset_out), (("0x" + pool.hex(),),), kind == 0, amount, limit)]


def _batch(args: Args, target: str, value: int) -> list[SwapIntent]:
    kind, steps, assets, *_ = args
    return [
        SwapIntent("balancer", target, (assets[i], assets[j]), (("0x" + pool.hex(),),), kind == 0, amount or None, None)
        for pool, i, j, amount, _ in steps
    ]


def _tokens(exact_in: bool, held: int | None = None) -> Reading:
    return lambda a, target, _: _v2(a[2], exact_in, None if a[0] == held else a[0], a[1], target)


FIVE = "(uint256,uint256,address[],address,uint256)"
FOUR = "(uint256,address[],address,uint256)"
SUPPORTING = "SupportingFeeOnTransferTokens"
SEVEN = "((address,address,uint24,address,uint256,uint256,uint160))"
EIGHT = "((address,address,uint24,address,uint256,uint256,uint256,uint160))"

FUNCTIONS: dict[str, Reading] = {
    f"swapExactTokensForTokens{FIVE}": _tokens(True),
    f"swapExactTokensForTokens{SUPPORTING}{FIVE}": _tokens(True),
    f"swapExactTokensForETH{FIVE}": _tokens(True),
    f"swapExactTokensForETH{SUPPORTING}{FIVE}": _tokens(True),
    f"swapTokensForExactTokens{FIVE}": _tokens(False),
    f"swapTokensForExactETH{FIVE}": _tokens(False),
    f"swapExactETHForTokens{FOUR}": lambda a, target, value: _v2(a[1], True, value, a[0], target),
    f"swapExactETHForTokens{SUPPORTING}{FOUR}": lambda a, target, value: _v2(a[1], True, value, a[0], target),
    f"swapETHForExactTokens{FOUR}": lambda a, target, value: _v2(a[1], False, a[0], value, target),
    "swapExactTokensForTokens(uint256,uint256,address[],address)": _tokens(True, held=0),
    "swapTokensForExactTokens(uint256,uint256,address[],address)": _tokens(False),
    f"exactInputSingle{EIGHT}": _single(True, None),
    f"exactOutputSingle{EIGHT}": _single(False, None),
    f"exactInputSingle{SEVEN}": _single(True, 0),
    f"exactOutputSingle{SEVEN}": _single(False, None),
    "exactInput((bytes,address,uint256,uint256,uint256))": _path(True, None),
    "exactOutput((bytes,address,uint256,uint256,uint256))": _path(False, None),
    "exactInput((bytes,address,uint256,uint256))": _path(True, 0),
    "exactOutput((bytes,address,uint256,uint256))": _path(False, None),
    "multicall(bytes[])": _calls,
    "multicall(uint256,bytes[])": _calls,
    "multicall(bytes32,bytes[])": _calls,
    "execute(bytes,bytes[])": _execute,
    "execute(bytes,bytes[],uint256)": _execute,
    "swap(uint256,uint256,address,bytes)": _pair,
    "swap(address,bool,int256,uint160,bytes)": _pool,
    f"swap((bytes32,uint8,address,address,uint256,bytes),{FUNDS},uint256,uint256)": _vault,
    f"batchSwap(uint8,(bytes32,uint256,uint256,uint256,bytes)[],address[],{FUNDS},int256[],uint256)": _batch,
    **{
        f"{name}({index},{index},uint256,uint256{more})": _curve(
            "curve underlying" if name == "exchange_underlying" else "curve"
        )
        for name in ("exchange", "exchange_received", "exchange_underlying")
        for index in ("int128", "uint256")
        for more in ("", ",address")
    },
    "exchange(uint256,uint256,uint256,uint256,bool)": _curve("curve"),
    "exchange(uint256,uint256,uint256,uint256,bool,address)": _curve("curve"),
    **functions(swaps_by_abi),
}


BY_SELECTOR = {selector(signature): [(types_of(signature), reading)] for signature, reading in FUNCTIONS.items()}
