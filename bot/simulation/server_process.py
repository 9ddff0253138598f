"""A small HTTP server in a process of its own: pyrevm holds the GIL while it waits for an answer."""

from __future__ import annotations

import asyncio
import socket
import sys
from asyncio.trsock import TransportSocket
from collections.abc import Awaitable, Callable, Mapping, Sequence

from bot.errors import UserError
from bot.simulation.process import Child, wait_for_line

START_SECONDS = 30.0

Answerer = Callable[[bytes], bytes | Awaitable[bytes]]
"""From the body of a request to the body of its answer."""


class ServerProcess:
    """``with`` it: runs ``python -m module``, which calls ``serve``, and gives the server's URL."""

    def __init__(
        self, name: str, module: str, words: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        self._name = name
        self._command = [sys.executable, "-m", module, *words]
        self._environment = environment
        self._child: Child | None = None

    def __enter__(self) -> str:
        self._child = Child(self._name, lambda _: self._command, self._environment)
        address = wait_for_line(self._child, "Listening on ", START_SECONDS)
        if address is None:
            tail = self._child.log_tail()
            self._child.stop()
            raise RuntimeError(f"the {self._name} server did not start:\n{tail}")
        return f"http://{address}"

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.stop()


def announce(listening: socket.socket | TransportSocket) -> None:
    """Says to the ServerProcess where we listen."""
    host, port = listening.getsockname()[:2]
    print(f"Listening on {host}:{port}", flush=True)


async def serve(answer: Answerer, port: int = 0) -> None:
    """Answers bodies of POST requests on loopback (``port`` 0 is a free one), until it is killed."""
    server = await listen(answer, port)
    announce(server.sockets[0])
    await server.serve_forever()


async def listen(answer: Answerer, port: int = 0) -> asyncio.Server:
    """The same, in this process: answers until the server is closed. Raises OSError when the port is taken."""
    return await asyncio.get_running_loop().create_server(lambda: _Http(answer), "127.0.0.1", port)


def check_free(port: int, options: str = "--port") -> None:
    """Raises UserError when something listens on this port of loopback already; ``options`` choose another."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            raise UserError(f"port {port} is taken: stop what listens there, or choose another ({options})") from None


class _Http(asyncio.Protocol):
    """As much of HTTP/1.1 as the clients of a node use: requests with a length, connections kept, no pipelining."""

    def __init__(self, answer: Answerer) -> None:
        self._answer = answer
        self._buffer = bytearray()
        self._pending: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport  # asyncio has set TCP_NODELAY

    def connection_lost(self, error: Exception | None) -> None:
        if self._pending is not None:
            self._pending.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        whole = end + 4 + content_length(bytes(self._buffer[:end]))
        if len(self._buffer) < whole:
            return
        body = bytes(self._buffer[end + 4 : whole])
        del self._buffer[:whole]
        answer = self._answer(body)
        if isinstance(answer, bytes):
            self._transport.write(response(answer))
        else:
            self._pending = asyncio.ensure_future(self._when_ready(answer))

    async def _when_ready(self, answer: Awaitable[bytes]) -> None:
        try:
            self._transport.write(response(await answer))
        except Exception:
            self._transport.abort()  # a client that waited would wait for ever
            raise


def response(body: bytes) -> bytes:
    """Head and body in one piece: written apart they would wait for each other (Nagle)."""
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def content_length(head: bytes) -> int:
    """Of the body behind this head of a request."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0
