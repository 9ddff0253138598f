"""The four roles of the engine. A new source, strategy or venue is one class with one of these shapes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Protocol

from bot.engine.types import Event, Finding, Opportunity


class Collector(Protocol):
    """A stream of events. It may end or raise at any time: the engine starts it again with backoff."""

    name: str

    def events(self) -> AsyncIterator[Event]: ...


class Adapter(Protocol):
    """Sees every event before the strategies: keeps state in step, turns an event into another, or swallows it."""

    async def adapt(self, event: Event) -> Event | None: ...


class Strategy(Protocol):
    """A pure function of the event and the state that the adapters keep. No I/O, no clock."""

    name: str

    def process(self, event: Event) -> Sequence[Finding]: ...


class Background(Protocol):
    """Strategies that take longer than pending transactions can wait, and so run in a process of their own. What they
    find is acted on while the head is the one that they were asked at, else dropped."""

    name: str

    async def start(self) -> None:
        """Starts the process, so that it is ready when it is needed."""

    def begin(self, event: Event) -> Awaitable[Sequence[Finding]] | None:
        """Takes from the state what it needs before it returns; None where it finds nothing in such an event."""

    async def close(self) -> None:
        """Ends the process."""


class Executor(Protocol):
    """Decides on opportunities and acts on them. ``execute`` returns when all are decided, which may be before the
    last relay has answered; ``drain`` waits for the answers."""

    async def execute(self, opportunities: Sequence[Opportunity]) -> None: ...
    async def drain(self) -> None: ...
