"""JSON-RPC over a websocket or an IPC socket: many calls at a time on one connection, answers matched by id."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from bot.chain.nodes.link import Link, connected
from bot.jsonrpc import JsonRpc, RpcUnreachable, shown


class _Id(msgspec.Struct, gc=False):
    id: int  # all of ours have one; an error without is about a message that could not be read


_ids: Callable[[bytes], _Id | list[_Id]] = msgspec.json.Decoder(_Id | list[_Id]).decode


class SocketRpc(JsonRpc):
    """A client of the node at a ``ws://`` or ``wss://`` URL, or at the path of its IPC socket. It connects at the first
    call, and anew at the first one after the connection broke."""

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        super().__init__(url, timeout=timeout)
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._link: asyncio.Future[Link] | None = None
        self._reader: asyncio.Task[None] | None = None

    async def close(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    async def post(self, body: bytes, headers: dict[str, str] | None = None) -> bytes:
        key = _key(body)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[key] = answer
        try:
            async with asyncio.timeout(self.timeout):
                await (await self._connection()).send(body)
                return await answer
        except TimeoutError:
            raise RpcUnreachable(f"{shown(self.url)}: TimeoutError") from None
        finally:
            self._waiting.pop(key, None)

    async def _connection(self) -> Link:
        if self._link is None:
            self._link = asyncio.get_running_loop().create_future()
            self._reader = asyncio.create_task(self._read(self._link))
        if self._link.done():
            return self._link.result()
        return await asyncio.shield(self._link)

    async def _read(self, opened: asyncio.Future[Link]) -> None:
        """Hands out answers until the connection breaks; then nobody waits on it any longer."""
        broken = RpcUnreachable(f"{shown(self.url)}: the connection broke")
        try:
            async with connected(self.url) as link:
                opened.set_result(link)
                async for message in link.messages():
                    self._hand_out(message)
        except RpcUnreachable as error:
            broken = error
        finally:
            self._link = None
            everybody: list[asyncio.Future[Any]] = [opened, *self._waiting.values()]
            for waiting in everybody:
                if not waiting.done():
                    waiting.set_exception(broken)
                    waiting.exception()  # there may be nobody left to be told
            self._waiting.clear()

    def _hand_out(self, message: bytes) -> None:
        answer = self._waiting.get(_key(message))
        if answer is not None and not answer.done():
            answer.set_result(message)


def _key(message: bytes) -> int:
    """The id, of a batch the least: its answers may come in any order. Raises RpcUnreachable: behind a message that is
    not JSON-RPC nothing on this connection can be believed."""
    try:
        ids = _ids(message)
        return min(one.id for one in ids) if isinstance(ids, list) else ids.id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError, ValueError):
        raise RpcUnreachable("a message is not JSON-RPC") from None
