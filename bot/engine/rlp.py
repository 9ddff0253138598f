"""RLP by hand: the library takes ten times as long."""

from __future__ import annotations

from collections.abc import Iterable


def number(value: int) -> bytes:
    """A number: its bytes without leading zeros."""
    return string(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def string(raw: bytes) -> bytes:
    """A string of bytes."""
    return raw if len(raw) == 1 and raw[0] < 0x80 else _head(0x80, len(raw)) + raw


def items(encoded: Iterable[bytes]) -> bytes:
    """A list of what is encoded already."""
    whole = b"".join(encoded)
    return _head(0xC0, len(whole)) + whole


Item = bytes | list["Item"]
DEEPEST = 4  # of lists: a transaction's access list has its keys in the fourth


def decode(raw: bytes) -> Item:
    """What is encoded in all of ``raw``. Raises ValueError."""
    item, end = _item(raw, 0, DEEPEST)
    if end != len(raw):
        raise ValueError("bytes behind the end")
    return item


def _item(raw: bytes, at: int, depth: int) -> tuple[Item, int]:
    if at >= len(raw):
        raise ValueError("it ends too early")
    first = raw[at]
    if first < 0x80:
        return raw[at : at + 1], at + 1
    kind = 0x80 if first < 0xC0 else 0xC0
    size, at = first - kind, at + 1
    if size > 55:
        start, at = at, at + size - 55
        size = int.from_bytes(raw[start:at], "big")
    end = at + size
    if end > len(raw):
        raise ValueError("it ends too early")
    if kind == 0x80:
        return raw[at:end], end
    if not depth:
        raise ValueError("lists too deep")
    found: list[Item] = []
    while at < end:
        item, at = _item(raw, at, depth - 1)
        found.append(item)
    if at != end:
        raise ValueError("a list ends amid an item")
    return found, end


def _head(kind: int, size: int) -> bytes:
    if size < 56:
        return bytes((kind + size,))
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((kind + 55 + len(length),)) + length
