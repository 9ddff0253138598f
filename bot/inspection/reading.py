"""What the readers of a registry find in a transaction. What looks like a protocol's and is not is passed over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from bot.inspection.calls import Live
from bot.inspection.transfers import Flow

_T = TypeVar("_T")


def in_logs(flow: Flow, events: Mapping[str, Callable[[Flow, int], _T | None]]) -> list[_T]:
    """In the order of the logs; ``events`` are readers by topic."""
    found = []
    for at, log in enumerate(flow.tx.logs or ()):
        reader = events.get(log.topics[0]) if log.topics else None
        if reader is not None:
            try:
                found.append(reader(flow, at))
            except (ValueError, IndexError):  # another contract's event of the same name
                continue
    return [each for each in found if each is not None]


def in_calls(flow: Flow, functions: Mapping[bytes, Callable[[Flow, Live], _T | None]]) -> list[_T]:
    """In the order of the calls; ``functions`` are readers by selector. Proxies pass a call on by delegatecall: only
    what was called counts."""
    found = []
    for place in flow.calls:
        reader = functions.get(place.call.selector) if place.call.kind == "call" else None
        if reader is not None:
            try:
                found.append(reader(flow, place))
            except ValueError:
                continue
    return [each for each in found if each is not None]
