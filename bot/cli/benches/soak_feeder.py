"""The node's side of ``mev bench soak``, in a process of its own: a websocket that speaks eth_subscribe, and sends
pending transactions at the rate it is told.

Sending goes by the clock, not by what the receiver takes: who falls behind finds it in the times. The time at which a
message was due is written into a file that the receiver maps, by the message's number.
"""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import sys
import time
from pathlib import Path

from aiohttp import WSMsgType, web

from bot.cli.benches.soak_messages import PLACES, Messages
from bot.devnet.state import ensure_state
from bot.paths import data_dir
from bot.simulation.server_process import announce

TICK = 0.0005  # seconds
NOTHING = b'{"jsonrpc":"2.0","id":1,"result":"0x9cef478923ff08bf67fde6c64013158d"}'
WORD = 8
UNLIMITED = 1 << 30


class Feeder:
    """Tells every receiver the same, as nodes do."""

    def __init__(self, messages: Messages, stamps: memoryview) -> None:
        self._messages, self._stamps = messages, stamps
        self._rate, self._start, self._due = 0, 0, 0
        self._receivers: list[web.WebSocketResponse] = []

    async def set_rate(self, request: web.Request) -> web.Response:
        """Messages a second from now on; 0 is none."""
        self._rate, self._start, self._due = int(request.match_info["rate"]), time.monotonic_ns(), 0
        return await self.count(request)

    async def count(self, _: web.Request) -> web.Response:
        """How many different ones were sent."""
        return web.json_response({"different": self._messages.count})

    async def feed(self, request: web.Request) -> web.WebSocketResponse:
        """Confirms a subscription; from then on it is sent to."""
        socket = web.WebSocketResponse(compress=False, writer_limit=UNLIMITED)
        await socket.prepare(request)
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                await socket.send_bytes(NOTHING)
                self._receivers.append(socket)
        self._receivers.remove(socket)
        return socket

    async def send(self) -> None:
        """Until it is cancelled."""
        while True:
            if not self._receivers:
                self._start, self._due = time.monotonic_ns(), 0  # what nobody hears is not sent
            due = (time.monotonic_ns() - self._start) * self._rate // 10**9
            for number in range(self._due, due):
                text, place = self._messages.next()
                if place is not None:
                    self._stamps[place % PLACES] = self._start + number * 10**9 // self._rate
                for socket in self._receivers:
                    with contextlib.suppress(ConnectionError):
                        await socket.send_str(text)
            self._due = due
            await asyncio.sleep(TICK)


async def main(seed: int, file: Path) -> None:
    """Until it is killed."""
    _, deployment = await ensure_state(data_dir())
    with file.open("r+b") as stamps:
        feeder = Feeder(Messages(deployment, seed), memoryview(mmap.mmap(stamps.fileno(), WORD * PLACES)).cast("q"))
        app = web.Application()
        app.add_routes(
            [
                web.get("/", feeder.feed),
                web.post("/rate/{rate}", feeder.set_rate),
                web.get("/count", feeder.count),
            ]
        )
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        announce(site._server.sockets[0])  # type: ignore[attr-defined]
        await feeder.send()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
