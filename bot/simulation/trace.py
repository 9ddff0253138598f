"""What a transaction did call by call: the answer of geth's callTracer with its logs, read into values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bot.abi import to_bytes
from bot.engine.types import Log

CALL_TRACER = {"tracer": "callTracer", "tracerConfig": {"withLog": True}}
MOVES = ("CALL", "CREATE", "CREATE2", "SELFDESTRUCT")
"""Frames whose value goes from one account to another. CALLCODE's stays, DELEGATECALL's is the caller's."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A call, or a creation (then ``to`` is what was created). Wei and gas.

    ``error`` is empty where it went through. ``inside`` are its calls and logs in the order in which they came; logs of
    a frame that failed, or stands in one, did not last.
    """

    kind: str
    sender: str
    to: str
    value: int
    gas: int
    gas_used: int
    data: bytes
    output: bytes
    error: str
    inside: tuple[Frame | Log, ...]

    @property
    def calls(self) -> Iterator[Frame]:
        """The calls that it made."""
        return (one for one in self.inside if isinstance(one, Frame))

    def lasting(self) -> Iterator[Frame]:
        """This and all frames inside whose effects last, in order."""
        if not self.error:
            yield self
            for call in self.calls:
                yield from call.lasting()

    def all(self) -> Iterator[Frame]:
        """This and all frames inside, in order."""
        yield self
        for call in self.calls:
            yield from call.all()


def read(answer: dict[str, Any]) -> Frame:
    """The outermost frame. Raises KeyError, ValueError where it is not a callTracer's answer."""
    calls = [read(call) for call in answer.get("calls", ())]
    logs = answer.get("logs", ())
    inside: list[Frame | Log] = []
    behind = 0
    for entry in logs:
        position = _number(entry.get("position"))  # how many calls came before it
        inside += calls[behind:position]
        behind = max(behind, position)
        inside.append(Log(entry["address"].lower(), tuple(entry["topics"]), to_bytes(entry["data"])))
    inside += calls[behind:]
    error = str(answer.get("error") or "")
    return Frame(
        kind=answer["type"],
        sender=answer["from"].lower(),
        to=(answer.get("to") or "").lower(),
        value=_number(answer.get("value")),
        gas=_number(answer["gas"]),
        gas_used=_number(answer["gasUsed"]),
        data=to_bytes(answer.get("input") or "0x"),
        output=to_bytes(answer.get("output") or "0x"),
        error=error,
        inside=tuple(inside),
    )


def failure(frame: Frame) -> list[Frame]:
    """From a frame that failed down to where it began: each ended with a call that failed, and said no more than what
    that one gave for a reason, wrapped or not. Empty where it did not fail."""
    path: list[Frame] = []
    current: Frame | None = frame if frame.error else None
    while current is not None:
        path.append(current)
        calls = list(current.calls)
        last = calls[-1] if calls else None
        current = last if last is not None and last.error and last.output in current.output else None
    return path


def _number(value: str | int | None) -> int:
    return int(value, 16) if isinstance(value, str) else value or 0
