"""The engine's queue: bounded, in order, and of what may be lost the oldest goes first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class BoundedQueue(Generic[_T]):
    """First in, first out, for one reader. Where it is full, the oldest of what ``may_go`` makes room for what comes:
    it has waited longest and is worth least. What may not go waits for room only while nothing may."""

    def __init__(self, size: int, may_go: Callable[[_T], bool]) -> None:
        self._size, self._may_go = size, may_go
        self._items: deque[_T] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    async def put(self, item: _T) -> None:
        """Waits where the queue is full of what may not go."""
        while len(self._items) >= self._size and not self._drop_oldest():
            if self._may_go(item):
                self.dropped += 1
                return
            self._room.clear()
            await self._room.wait()
        self._items.append(item)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def get(self) -> _T:
        while not self._items:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        if not self._room.is_set():
            self._room.set()
        return self._items.popleft()

    def _drop_oldest(self) -> bool:
        for place, item in enumerate(self._items):
            if self._may_go(item):
                del self._items[place]
                self.dropped += 1
                return True
        return False
