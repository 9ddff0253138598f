"""A tiny assembler: calls with constant calldata, one after the other, each one's success checked.

A frame copies all its calldata into memory at once, calls, and reverts unless every call succeeded. The successes are
gathered with AND and judged at the frame's end, which undoes the same as judging each alone, for less gas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.abi import to_bytes

STOP, AND = b"\x00", b"\x16"
CALLDATASIZE, CODECOPY = b"\x36", b"\x39"
JUMPI, GAS, JUMPDEST, PUSH0, PUSH20 = b"\x57", b"\x5a", b"\x5b", b"\x5f", b"\x73"
CALL, RETURN, REVERT = b"\xf1", b"\xf3", b"\xfd"


@dataclass(frozen=True, slots=True)
class Call:
    """A call without value."""

    to: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """What one entry of the code does: calls in order, then ``returns`` as return data."""

    calls: tuple[Call, ...]
    returns: bytes = b""


def assemble(main: Frame, callback: Frame | None = None) -> bytes:
    """Runtime code: ``main`` where the calldata is empty, else ``callback``."""
    if callback is None:
        return _link([], main)
    return _link([callback], main)


def push(value: int) -> bytes:
    """The shortest push."""
    size = (value.bit_length() + 7) // 8
    return bytes([PUSH0[0] + size]) + value.to_bytes(size, "big")


def _push2(value: int) -> bytes:
    return b"\x61" + value.to_bytes(2, "big")


def _link(callbacks: Sequence[Frame], main: Frame) -> bytes:
    """Code first, then the frames' data. Places in code are pushed as two bytes, so lengths are known beforehand."""
    entry = len(CALLDATASIZE + _push2(0) + JUMPI) if callbacks else 0
    lengths = [len(_frame(frame, 0, 0)) for frame in (main, *callbacks)]
    data_at = entry + sum(lengths) + len(callbacks)
    code, blobs = b"", b""
    for frame, length in zip((main, *callbacks), lengths, strict=True):
        if code:
            code += JUMPDEST
        elif callbacks:
            code = CALLDATASIZE + _push2(entry + length) + JUMPI
        code += _frame(frame, len(code), data_at + len(blobs))
        blobs += _layout(frame)[0]
    return code + blobs


def _layout(frame: Frame) -> tuple[bytes, list[int]]:
    """The frame's memory without the zeros at its end, and where in it each call's data and the return data begin.

    What has most zeros behind comes last, as memory is zero by itself.
    """
    pieces = [call.data for call in frame.calls] + [frame.returns]
    order = sorted(range(len(pieces)), key=lambda n: len(pieces[n]) - len(pieces[n].rstrip(b"\0")))
    memory, at = b"", [0] * len(pieces)
    for number in order:
        at[number] = len(memory)
        memory += pieces[number]
    return memory.rstrip(b"\0"), at


def _frame(frame: Frame, start: int, data_at: int) -> bytes:
    """Code of a frame that begins at ``start`` and whose memory lies in the code from ``data_at``."""
    memory, at = _layout(frame)
    code = push(len(memory)) + _push2(data_at) + PUSH0 + CODECOPY if memory else b""
    for number, call in enumerate(frame.calls):
        code += PUSH0 * 2 + push(len(call.data)) + push(at[number]) + PUSH0
        code += PUSH20 + to_bytes(call.to) + GAS + CALL + (AND if number else b"")
    if frame.calls:
        revert = PUSH0 * 2 + REVERT
        code += _push2(start + len(code) + len(_push2(0) + JUMPI + revert)) + JUMPI + revert + JUMPDEST
    return code + (push(len(frame.returns)) + push(at[-1]) + RETURN if frame.returns else STOP)
