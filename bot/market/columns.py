"""Many values of one type as columns: what a snapshot file is made of.

The type says how: dataclasses and named tuples field by field, tuples and mappings as lengths and one flat column,
numbers as arrays of one width. So a new pool class needs nothing here, and making 50,000 pools costs little more than
their constructors. Every string is kept once, also in memory: ``words`` are the strings by number.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import accumulate, chain, pairwise
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

_LIMB = 8
_WIDTHS = (1, 2, 4, 8)


class Unpackable(ValueError):
    """The columns are of other types than this program has."""


def pack(kind: Any, values: Sequence[Any], words: dict[str, int]) -> Any:
    """``values``, all of type ``kind``, as lists, texts, numbers and bytes. Adds its strings to ``words``."""
    if kind is int:
        return _pack_numbers(values)
    if kind is bool:
        return bytes(values)
    if kind is str:
        return _pack_numbers([words.setdefault(value, len(words)) for value in values])
    if _is_enum(kind):
        return pack(str, [value.value for value in values], words)
    if names := _names(kind):
        parts = [[getattr(value, name) for value in values] for name in names]
        hints = _hints(kind)
        return [
            list(names),
            len(values),
            [pack(hints[name], part, words) for name, part in zip(names, parts, strict=True)],
        ]
    origin, inner = get_origin(kind), get_args(kind)
    if origin is tuple and inner[-1] is Ellipsis:
        return [_pack_numbers([len(value) for value in values]), pack(inner[0], _flat(values), words)]
    if origin is tuple:
        return [len(values), [pack(part, [value[at] for value in values], words) for at, part in enumerate(inner)]]
    if _is_mapping(origin):
        lengths = _pack_numbers([len(value) for value in values])
        keys = _flat(value.keys() for value in values)
        return [lengths, pack(inner[0], keys, words), pack(inner[1], _flat(value.values() for value in values), words)]
    if origin in (Union, types.UnionType):
        which = [_choice(inner, value) for value in values]
        parts = [
            [value for value, chosen in zip(values, which, strict=True) if chosen == at] for at in range(len(inner))
        ]
        return [bytes(which), [pack(part, own, words) for part, own in zip(inner, parts, strict=True)]]
    if kind is types.NoneType:
        return len(values)
    raise TypeError(f"no columns for {kind}")


def unpack(kind: Any, packed: Any, words: Sequence[str]) -> list[Any]:
    """The values again. Raises Unpackable for a dataclass that had other fields; of anything else that is not what
    ``pack`` made, whatever comes."""
    if kind is int:
        return _unpack_numbers(packed)
    if kind is bool:
        return list(map(bool, packed))
    if kind is str:
        return list(map(words.__getitem__, _unpack_numbers(packed)))
    if _is_enum(kind):
        return list(map(kind, unpack(str, packed, words)))
    if names := _names(kind):
        had, count, parts = packed
        if tuple(had) != names:
            raise Unpackable(f"{kind.__name__} had the fields {', '.join(had)}")
        hints = _hints(kind)
        return list(map(kind, *(unpack(hints[name], part, words) for name, part in zip(names, parts, strict=True))))
    origin, inner = get_origin(kind), get_args(kind)
    if origin is tuple and inner[-1] is Ellipsis:
        lengths, flat = _unpack_numbers(packed[0]), tuple(unpack(inner[0], packed[1], words))
        return [flat[start:end] for start, end in _spans(lengths)]
    if origin is tuple:
        count, parts = packed
        columns = [unpack(part, own, words) for part, own in zip(inner, parts, strict=True)]
        return list(zip(*columns, strict=True)) if columns else [()] * count
    if _is_mapping(origin):
        lengths = _unpack_numbers(packed[0])
        keys, entries = unpack(inner[0], packed[1], words), unpack(inner[1], packed[2], words)
        return [dict(zip(keys[start:end], entries[start:end], strict=True)) for start, end in _spans(lengths)]
    if origin in (Union, types.UnionType):
        which, parts = packed
        streams = [iter(unpack(part, own, words)) for part, own in zip(inner, parts, strict=True)]
        return [next(streams[chosen]) for chosen in which]
    if kind is types.NoneType:
        return [None] * packed
    raise TypeError(f"no columns for {kind}")


# --- numbers ----------------------------------------------------------------------------------------------------------


def _pack_numbers(values: Sequence[int]) -> tuple[int, bytes]:
    """All in the width that the largest needs: 1, 2, 4, 8, or any multiple of 8 bytes; two's complement."""
    bits = max((value.bit_length() for value in (min(values, default=0), max(values, default=0))), default=0) + 1
    width = next((width for width in _WIDTHS if bits <= 8 * width), -(-bits // (8 * _LIMB)) * _LIMB)
    if width <= _LIMB:
        return width, np.array(values, f"<i{width}").tobytes()
    return width, b"".join(value.to_bytes(width, "little", signed=True) for value in values)


def _unpack_numbers(packed: tuple[int, bytes]) -> list[int]:
    """Wide ones limb by limb, from the signed one at the top downwards."""
    width, raw = packed
    if width <= _LIMB:
        small: list[int] = np.frombuffer(raw, f"<i{width}").tolist()
        return small
    limbs = np.frombuffer(raw, "<u8").reshape(-1, width // _LIMB)
    values: list[int] = limbs[:, -1].astype(np.int64).tolist()
    for at in range(limbs.shape[1] - 2, -1, -1):
        values = [above << 64 | limb for above, limb in zip(values, limbs[:, at].tolist(), strict=True)]
    return values


# --- types ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _names(kind: Any) -> tuple[str, ...]:
    """The constructor's arguments of a dataclass or a named tuple; none of anything else."""
    if isinstance(kind, type) and is_dataclass(kind):
        return tuple(field.name for field in fields(kind) if field.init)
    return getattr(kind, "_fields", ()) if isinstance(kind, type) and issubclass(kind, tuple) else ()


@lru_cache(maxsize=256)
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, StrEnum)


def _is_mapping(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _choice(inner: tuple[Any, ...], value: Any) -> int:
    """Which of a union's types the value is of."""
    for at, kind in enumerate(inner):
        if isinstance(value, get_origin(kind) or kind):
            return at
    raise TypeError(f"{value!r} is none of {inner}")


def _flat(parts: Iterable[Iterable[Any]]) -> list[Any]:
    return list(chain.from_iterable(parts))


def _spans(lengths: Iterable[int]) -> Iterable[tuple[int, int]]:
    """Where each one's entries begin and end in the flat column."""
    return pairwise(accumulate(lengths, initial=0))
