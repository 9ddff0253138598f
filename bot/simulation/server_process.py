"""A small HTTP server in a process of its own: pyrevm holds the GIL while it waits for an answer."""

from __future__ import annotations

import asyncio
import socket
import sys
from asyncio.trsock import TransportSocket
from collections.abc import Callable, Mapping, Sequence

from bot.simulation.process import Child, wait_for_line

START_SECONDS = 30.0


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


async def serve(answer: Callable[[bytes], bytes]) -> None:
    """Answers bodies of POST requests on a free port of loopback, until it is killed."""
    server = await asyncio.get_running_loop().create_server(lambda: _Http(answer), "127.0.0.1", 0)
    announce(server.sockets[0])
    await server.serve_forever()


class _Http(asyncio.Protocol):
    """As much of HTTP/1.1 as the clients of a node use: requests with a length, connections kept, no pipelining."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport  # asyncio has set TCP_NODELAY

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
        self._transport.write(response(self._answer(body)))


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
