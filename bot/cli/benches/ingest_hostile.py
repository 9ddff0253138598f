"""Calldata made to cost a reader much: for ``mev bench ingest``, and for the tests of what it may cost."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from eth_abi.abi import encode

from bot.abi import selector
from bot.chain.swap_calls import FUNCTIONS

LARGEST = 128 * 1024
"""Bytes that nodes take of one transaction."""

_MULTICALL = selector("multicall(bytes[])")
_V2 = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
_KINDS = ["uint256", "uint256", "address[]", "address", "uint256"]
_ADDRESS = "0x" + "7a" * 20


def one_swap(hops: int = 1) -> bytes:
    """A call of a v2 router."""
    return selector(_V2) + encode(_KINDS, [1, 1, [_ADDRESS] * (hops + 1), _ADDRESS, 1])


def bombs() -> dict[str, bytes]:
    """Calls that unfold to far more than their bytes, by what they do."""
    swap = one_swap(16)
    element = _word(len(swap)) + swap
    level = _MULTICALL + _same(200) + element
    for _ in range(3):
        level = _MULTICALL + _same(200) + _word(len(level)) + level
    deep = swap
    for _ in range(1000):
        deep = _MULTICALL + _word(32) + _word(1) + _word(32) + _word(len(deep)) + deep
    itself = _MULTICALL + _word(32) + _word(1) + _word(0)
    execute = selector("execute(bytes,bytes[])")
    settle = next(signature for signature in FUNCTIONS if signature.startswith("settle("))
    many = b"".join(map(_word, (32, 100_000, *[0] * 3_000)))
    trades = b"".join(map(_word, (64, 64, 128, 128, 200, *[6400] * 200)))
    return {
        "the same place in an array": _MULTICALL + _same(200) + element,
        "levels of the same place": level,
        "too many of it": _MULTICALL + _same(3000) + element,
        "1,000 levels": deep,
        "an array in itself": itself * 2,
        "100,000 elements": _MULTICALL + many,
        "commands without inputs": execute + encode(["bytes", "bytes[]"], [b"\x08" * 3000, []]),
        "lengths of 2**256 - 1": b"".join([_MULTICALL, _word(32), b"\xff" * 3200]),
        "offsets that point back": selector(settle) + _word(0) * 400,
        "offsets that point outside": selector(settle) + b"".join([_word(1 << 255)] * 400),
        "trades of the same place": selector(settle) + trades + bytes(3000),
    }


def hostile(seed: int, most: int = LARGEST) -> list[bytes]:
    """The bombs, each again up to ``most`` bytes; and behind every known selector as much garbage, and as many words
    that might be offsets or lengths. Such words are what gets a reader furthest."""
    random = Random(seed)
    found = []
    for bomb in bombs().values():
        found += [bomb[:most], (bomb * (most // len(bomb) + 1))[:most]]
    small = [_word(32 * number) for number in range(64)]
    for signature in FUNCTIONS:
        head = selector(signature)
        found.append(head + random.randbytes(most - 4))
        found.append(head + b"".join(random.choices(small, k=(most - 4) // 32)))
        found.append(head + b"\x00" * (most - 4))
    return found


def plain(length: int) -> bytes:
    """A swap through a v2 router with bytes behind it that nobody reads."""
    return one_swap().ljust(length, b"\0")


def _same(many: int) -> bytes:
    """An array whose elements are all the same place, right behind it."""
    return b"".join(map(_word, (32, many, *[32 * many] * many)))


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def p99(values: Sequence[int]) -> int:
    """What one in a hundred is above."""
    return sorted(values)[len(values) * 99 // 100]
