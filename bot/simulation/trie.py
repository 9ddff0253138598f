"""Root of an ordered trie: how a header commits to its transactions (Yellow Paper, appendix D)."""

from __future__ import annotations

from collections.abc import Sequence

import rlp

from bot.abi import keccak

Nibbles = tuple[int, ...]


def ordered_root(items: Sequence[bytes]) -> str:
    """Root of the trie in which ``rlp(index)`` leads to the item, as a 0x string."""
    leaves = sorted((_nibbles(rlp.encode(index)), item) for index, item in enumerate(items))
    return "0x" + keccak(rlp.encode(_node(leaves, 0) if leaves else b"")).hex()


def _node(leaves: Sequence[tuple[Nibbles, bytes]], depth: int) -> list[object]:
    """The node over sorted leaves that agree in their first ``depth`` nibbles. No key is a prefix of another."""
    first, last = leaves[0][0], leaves[-1][0]
    if len(leaves) == 1:
        return [_compact(first[depth:], leaf=True), leaves[0][1]]
    fork = depth
    while first[fork] == last[fork]:
        fork += 1
    if fork > depth:
        return [_compact(first[depth:fork], leaf=False), _reference(_node(leaves, fork))]
    branch: list[object] = [b""] * 17
    for nibble in range(16):
        below = [leaf for leaf in leaves if leaf[0][depth] == nibble]
        if below:
            branch[nibble] = _reference(_node(below, depth + 1))
    return branch


def _reference(node: list[object]) -> object:
    """A node below another stands there itself when its encoding is short, else by its hash."""
    encoded = rlp.encode(node)
    return node if len(encoded) < 32 else keccak(encoded)


def _compact(nibbles: Nibbles, *, leaf: bool) -> bytes:
    """Hex-prefix encoding: the flag nibble says leaf, and whether the count of nibbles is odd."""
    flag = 2 * leaf + len(nibbles) % 2
    padded = (flag, *nibbles) if len(nibbles) % 2 else (flag, 0, *nibbles)
    return bytes(high << 4 | low for high, low in zip(padded[::2], padded[1::2], strict=True))


def _nibbles(key: bytes) -> Nibbles:
    return tuple(nibble for byte in key for nibble in (byte >> 4, byte & 15))
