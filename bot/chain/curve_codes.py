"""Codes of StableSwap pools, by their hash: those that tests/fork/test_curve_stable_bytecode.py holds the maths to."""

from __future__ import annotations

from dataclasses import dataclass

from bot import abi
from bot.abi import keccak
from bot.amm.curve.generations import STABLE_2020, STABLE_EMA, STABLE_NG, STABLE_NG_FIRST, Generation

REBASING = 2
"""NG's asset type of coins whose balances grow by themselves; 1 and 3 have a rate that moves, 0 is plain."""
_PROXY = bytes.fromhex("363d3d373d3d3d363d73"), bytes.fromhex("5af43d82803e903d91602b57fd5bf3")
"""EIP-1167, around the implementation's address."""


@dataclass(frozen=True, slots=True)
class _Code:
    """NG's immutables are words behind the first ``size`` bytes of its code, which the hash is of: number of coins, the
    same, factory, then arrays of nine words: coins, asset types, and from word ``rates`` on the rates' multipliers."""

    kind: Generation
    size: int | None = None
    rates: int = 0


_CODES = {
    "0x954a1e212c557c85043985931498ffa3e2fcbe7dfe9cd61513f36eb47d6f4dfc": _Code(STABLE_2020),
    "0xf8b6ec0714326b3183e32c835b0ae5be7156bb248fface95fb6d83aa6abaa3c8": _Code(STABLE_EMA),
    "0x2e55958ada4cc5bb9707e70abaa62bd8c6455b252f086e4bde260435af23aaa3": _Code(STABLE_NG_FIRST, 21_685, 21),
    "0x04b4bd650d72be4619d76c7b5a052de46d95b5194945fe44bba7e49b729d3d60": _Code(STABLE_NG, 21_491, 22),
}


@dataclass(frozen=True, slots=True)
class CurveCode:
    """What a pool's code tells: tokens, asset types and rates where they are in it, else none of them."""

    kind: Generation
    tokens: tuple[str, ...] = ()
    types: tuple[int, ...] = ()
    rates: tuple[int, ...] = ()


COINS = {
    "0xbebc44782c7db0a1a60cb6fe97d0b483032ff1c7": (
        "0x6b175474e89094c44da98b954eedeac495271d0f",  # DAI
        "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",  # USDC
        "0xdac17f958d2ee523a2206206994597c13d831ec7",  # USDT
    )
}
"""Of 3pool itself, which a recorded block seldom holds in full. Another pool may have the same code and other coins."""
_RATES_2020 = (10**18, 10**30, 10**30)
"""StableSwap3Pool, RATES."""


def recognised(code: bytes) -> CurveCode | None:
    """What a code tells, if it is a proven one."""
    for size in dict.fromkeys(known.size for known in _CODES.values()):
        known = _CODES.get(abi.to_hex(keccak(code[:size])))
        if known is None or known.size != size:
            continue
        if size is None:
            return CurveCode(known.kind, rates=_RATES_2020 if known.kind is STABLE_2020 else ())
        words = code[size:]
        coins = range(abi.uint(words))
        tokens = tuple(abi.address(words, 4 + k) for k in coins)
        types = tuple(abi.uint(words, 13 + k) for k in coins)
        return CurveCode(known.kind, tokens, types, tuple(abi.uint(words, known.rates + 1 + k) for k in coins))
    return None


def implementation(code: bytes) -> str | None:
    """What a minimal proxy forwards to."""
    head, tail = _PROXY
    whole = len(code) == len(head) + 20 + len(tail) and code.startswith(head) and code.endswith(tail)
    return abi.to_hex(code[len(head) : len(head) + 20]) if whole else None
