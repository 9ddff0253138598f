"""A connection that messages go through both ways: a node's websocket, or its IPC socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import aiohttp

from bot.jsonrpc import RpcUnreachable, shown

HEARTBEAT = 15.0  # seconds between pings; a peer that answers none is gone
CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 1.0  # for the closing handshake, which a dead peer does not answer
LARGEST = 64 * 1024 * 1024  # bytes a message


class Link(Protocol):
    """Whole messages. ``send`` raises RpcUnreachable. ``messages`` ends when the other side has closed, whatever it was
    in the middle of."""

    async def send(self, message: bytes) -> None: ...
    def messages(self) -> AsyncIterator[bytes]: ...


def connected(url: str) -> contextlib.AbstractAsyncContextManager[Link]:
    """A link to a websocket URL, or to the unix socket at a path. Entering it raises RpcUnreachable."""
    return _websocket(url) if "://" in url else _ipc(url)


class _Websocket:
    def __init__(self, url: str, socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
        self._url, self._socket = url, socket

    async def send(self, message: bytes) -> None:
        try:
            await self._socket.send_frame(message, aiohttp.WSMsgType.TEXT)
        except (aiohttp.ClientError, OSError) as error:
            raise RpcUnreachable(f"{shown(self._url)}: {type(error).__name__}") from None

    async def messages(self) -> AsyncIterator[bytes]:
        async for message in self._socket:
            if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                return
            yield message.data


@asynccontextmanager
async def _websocket(url: str) -> AsyncIterator[Link]:
    close = aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS)
    async with aiohttp.ClientSession() as session:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                socket = await session.ws_connect(
                    url, heartbeat=HEARTBEAT, max_msg_size=LARGEST, timeout=close, decode_text=False
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RpcUnreachable(f"{shown(url)}: {type(error).__name__}") from None
        async with socket:
            yield _Websocket(url, socket)


class _Ipc:
    """A message ends with a line: a newline cannot be in compact JSON."""

    def __init__(self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._path, self._reader, self._writer = path, reader, writer

    async def send(self, message: bytes) -> None:
        try:
            self._writer.write(message + b"\n")
            await self._writer.drain()
        except OSError as error:
            raise RpcUnreachable(f"{self._path}: {type(error).__name__}") from None

    async def messages(self) -> AsyncIterator[bytes]:
        while True:
            try:
                message = await self._reader.readuntil(b"\n")
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
                return
            if not message.isspace():
                yield message


@asynccontextmanager
async def _ipc(path: str) -> AsyncIterator[Link]:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_unix_connection(path, limit=LARGEST)
    except (TimeoutError, OSError) as error:
        raise RpcUnreachable(f"{path}: {type(error).__name__}") from None
    try:
        yield _Ipc(path, reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
