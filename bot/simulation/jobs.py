"""What the pool (bot.simulation.workers) and its processes (bot.simulation.worker) say to each other.

Frames are a length of four bytes and a value, in both directions, on a socket that only we can reach: heads as pickles;
jobs and results, of which there are thousands a second, as tuples by marshal, which takes a tenth of that time. Both
ends run the same Python. msgpack and msgspec's JSON have no integers of 256 bits.
"""

from __future__ import annotations

import marshal
import pickle
import struct
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from bot.engine.types import Log, StateDiff
from bot.simulation.types import BlockContext, Call, CallResult

_length = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Fork:
    """Fork the node anew at ``block_number``, with ``diff`` on top: that is the state after the block ``head``.
    ``warm`` are contracts to read ahead."""

    block_number: int
    chain_id: int
    gas_limit: int
    hardfork: str
    head: str
    diff: StateDiff
    warm: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Follow:
    """The block ``head`` changed this."""

    head: str
    diff: StateDiff


@dataclass(frozen=True, slots=True)
class Job:
    """Calls to run on the state after the block ``head``."""

    number: int
    head: str
    calls: tuple[Call, ...]
    block: BlockContext


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a job: ``results``, or why there are none. ``stale``: the worker stands on another head."""

    number: int
    results: tuple[CallResult, ...] = ()
    unrecorded: str = ""
    stale: bool = False


def frame(message: Any) -> bytes:
    """A message as it is sent."""
    match message:
        case Job():
            calls = tuple(map(_CALL, message.calls))
            body = _JOB + marshal.dumps((message.number, message.head, calls, _BLOCK(message.block)))
        case Done():
            results = tuple(map(_plain, message.results))
            body = _DONE + marshal.dumps((message.number, results, message.unrecorded, message.stale))
        case _:
            body = _OTHER + pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return _length.pack(len(body)) + body


def messages(buffer: bytearray) -> list[Any]:
    """The whole messages at the beginning of ``buffer``, which are taken out of it."""
    found = []
    start = 0
    while len(buffer) - start >= _length.size:
        begin = start + _length.size
        end = begin + _length.unpack_from(buffer, start)[0]
        if end > len(buffer):
            break
        found.append(_read(bytes(buffer[begin:end])))
        start = end
    del buffer[:start]
    return found


_JOB, _DONE, _OTHER = b"J", b"D", b"O"
_CALL = attrgetter(*(field.name for field in fields(Call)))
_BLOCK = attrgetter(*(field.name for field in fields(BlockContext)))


def _plain(result: CallResult) -> tuple[Any, ...]:
    logs = tuple((log.address, log.topics, log.data) for log in result.logs)
    doubts = tuple(map(str, result.doubts))
    return result.success, result.gas_used, result.output, logs, result.error, doubts


def _result(plain: tuple[Any, ...]) -> CallResult:
    success, gas_used, output, logs, error, doubts = plain
    return CallResult(success, gas_used, output, tuple(Log(*log) for log in logs), error, doubts)


def _read(body: bytes) -> Any:
    if body[:1] == _OTHER:
        return pickle.loads(body[1:])
    parts = marshal.loads(body[1:])
    if body[:1] == _JOB:
        number, head, calls, block = parts
        return Job(number, head, tuple(Call(*call) for call in calls), BlockContext(*block))
    number, results, unrecorded, stale = parts
    return Done(number, tuple(map(_result, results)), unrecorded, stale)
