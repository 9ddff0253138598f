"""A server that speaks MEV-Share's protocol as it is documented, and breaks it as it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

PING = b":ping\n\n"


def name(number: int) -> str:
    return f"0x{number:064x}"


def message(number: int, **parts: object) -> bytes:
    """The JSON of an event."""
    return msgspec.json.encode({"hash": name(number), "logs": None, "txs": None, **parts})


def event(number: int, **parts: object) -> bytes:
    """As the stream has it."""
    return b"data: " + message(number, **parts) + b"\n\n"


@dataclass
class MevShareServer:
    """``connections`` are what the stream sends to each that comes, one after the other: bytes, or seconds to wait; it
    then ends, but for the last one, which stays open, silent. ``entries`` are the archive's; ``busy`` answers are 429
    before that, ``most`` is the page that it allows, ``forgets`` that it looks at no offset."""

    connections: list[Sequence[bytes | float]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    content_type: str = "text/event-stream"
    status: int = 200
    busy: int = 0
    most: int = 10
    forgets: bool = False
    answer: bytes | None = None
    opened: int = 0
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=self.status, headers={"Content-Type": self.content_type})
        await response.prepare(request)
        number = self.opened
        self.opened += 1
        for each in self.connections[number] if number < len(self.connections) else ():
            if isinstance(each, bytes):
                await response.write(each)
            await asyncio.sleep(0 if isinstance(each, bytes) else each)
        if number >= len(self.connections) - 1:
            await asyncio.sleep(60)
        return response

    async def _info(self, request: web.Request) -> web.Response:
        if self.answer is not None:
            return web.Response(body=self.answer)
        blocks = [entry["block"] for entry in self.entries] or [0]
        return web.json_response(
            {
                "count": len(self.entries),
                "minBlock": min(blocks),
                "maxBlock": max(blocks),
                "minTimestamp": 0,
                "maxTimestamp": 0,
                "maxLimit": self.most,
            }
        )

    async def _page(self, request: web.Request) -> web.Response:
        if self.busy:
            self.busy -= 1
            return web.Response(status=429)
        query = dict(request.query)
        self.asked.append(query)
        first, last = int(query.get("blockStart", 0)), int(query.get("blockEnd", 1 << 60))
        found = [entry for entry in self.entries if first <= entry["block"] <= last]
        offset = 0 if self.forgets else int(query["offset"])
        return web.json_response(found[offset : offset + min(self.most, int(query["limit"]))])


@asynccontextmanager
async def serving(server: MevShareServer) -> AsyncIterator[MevShareServer]:
    """On a free port of 127.0.0.1."""
    application = web.Application()
    application.router.add_get("/", server._stream)
    application.router.add_get("/api/v1/history/info", server._info)
    application.router.add_get("/api/v1/history", server._page)
    runner = web.AppRunner(application, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    server.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    try:
        yield server
    finally:
        await runner.cleanup()
