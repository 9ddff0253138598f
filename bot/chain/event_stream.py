"""Server-sent events from bytes as they come: lines in any cut, of any end, and no more memory than one event may take
(WHATWG HTML, 9.2.6)."""

from __future__ import annotations

LARGEST_EVENT = 1024 * 1024
"""Bytes. A transaction is at most 128 KiB, 256 KiB in hexadecimal."""


class EventStream:
    """``oversized`` are the events that were passed over."""

    def __init__(self, largest: int = LARGEST_EVENT) -> None:
        self._largest = largest
        self._line: list[bytes] = []  # parts of one that has not ended
        self._data: list[bytes] = []  # lines of an event that has not ended
        self._size = 0
        self._cut = self._ended = False  # too large, and passed over up to its end; a CR was the last that came
        self._first = True
        self.oversized = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that end in it."""
        if self._ended and chunk[:1] == b"\n":
            chunk = chunk[1:]
            self._ended = False
        if not chunk:
            return []
        self._ended = chunk[-1:] == b"\r"
        events = []
        for part in chunk.splitlines(keepends=True):  # of bytes, only LF, CR and CRLF end a line
            line = part.rstrip(b"\r\n")
            self._take(line)
            if len(line) != len(part) and (event := self._end_line()) is not None:
                events.append(event)
        return events

    def _take(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._largest:
            self._cut = True
            self._data.clear()
            if self._line:
                self._line = [b":"]  # a line of it is left out, and is not an empty one, which ends the event
        if part and not (self._cut and self._line):
            self._line.append(b":" if self._cut else part)

    def _end_line(self) -> bytes | None:
        line = b"".join(self._line)
        self._line.clear()
        if self._first:
            line, self._first = line.removeprefix(b"\xef\xbb\xbf"), False
        if not line:
            return self._end_event()
        if line.startswith(b":"):
            if not self._data and not self._cut:
                self._size = 0
        elif line == b"data" or line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
        return None

    def _end_event(self) -> bytes | None:
        event = b"\n".join(self._data) if self._data else None
        self.oversized += self._cut
        self._data.clear()
        self._size, self._cut = 0, False
        return event
