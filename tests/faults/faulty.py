"""A proxy before a real node that does to its answers what nodes on the internet do."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any, Self

import aiohttp
from aiohttp import web

Message = bytes
Tamper = Callable[[Message], Awaitable[Message | None]]
"""From what the node said to what its client hears; None is nothing at all."""

NOTHING = "0x" + "00" * 32


class Cut(Exception):
    """The connection is to be closed in the middle of the message."""


async def _true(message: Message) -> Message:
    return message


class FaultyNode:
    """``async with`` it: HTTP and websocket on one port, passed on to ``node_url``. ``tamper`` is what happens to every
    answer and notification; ``die`` closes all connections and the port, ``revive`` opens it again."""

    def __init__(self, node_url: str) -> None:
        self._node = node_url
        self._port = 0
        self._runner: web.AppRunner | None = None
        self.tamper: Tamper = _true
        self.passed = 0

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        await self.revive()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.die()
        await self._session.close()

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self._port}"

    async def die(self) -> None:
        if self._runner is not None:
            self._closing.set()
            for transport in list(self._transports):
                transport.abort()
            await self._runner.cleanup()
            self._runner = None

    async def revive(self) -> None:
        self._closing = asyncio.Event()
        self._transports: set[asyncio.Transport] = set()
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/", self._post)
        app.router.add_get("/", self._websocket)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        assert site._server is not None
        self._port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]

    async def well(self) -> None:
        """As if nothing had been."""
        self.tamper = _true
        if self._runner is None:
            await self.revive()

    async def _post(self, request: web.Request) -> web.StreamResponse:
        transport = self._of(request)
        headers = {"Content-Type": "application/json"}
        async with self._session.post(self._node, data=await request.read(), headers=headers) as answer:
            said = await answer.read()
        try:
            heard = await self._heard(said)
        except Cut:
            whole = web.StreamResponse(headers={"Content-Length": str(len(said))})
            await whole.prepare(request)
            await whole.write(said[: len(said) // 2])
            transport.abort()
            return whole
        if heard is None:
            await self._closing.wait()
            return web.Response()
        return web.Response(body=heard, content_type="application/json")

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        transport = self._of(request)
        ours = web.WebSocketResponse(max_msg_size=2**26)
        await ours.prepare(request)
        async with self._session.ws_connect(self._node.replace("http", "ws"), max_msg_size=2**26) as theirs:

            async def down() -> None:
                async for message in theirs:
                    try:
                        heard = await self._heard(message.data.encode())
                    except Cut:
                        size = len(message.data)
                        transport.write(b"\x81\x7f" + size.to_bytes(8, "big") + message.data[: size // 2].encode())
                        await asyncio.sleep(0.02)
                        transport.abort()
                        return
                    if heard is not None:
                        await ours.send_frame(heard, aiohttp.WSMsgType.TEXT)

            pump = asyncio.create_task(down())
            try:
                async for message in ours:
                    await theirs.send_str(message.data)
            finally:
                pump.cancel()
                await asyncio.gather(pump, return_exceptions=True)
        return ours

    async def _heard(self, said: Message) -> Message | None:
        self.passed += 1
        return await self.tamper(said)

    def _of(self, request: web.Request) -> asyncio.Transport:
        transport = request.transport
        assert isinstance(transport, asyncio.Transport)
        self._transports.add(transport)
        return transport


# --- what can happen --------------------------------------------------------------------------------------------------


def hangs() -> Tamper:
    async def tamper(_: Message) -> None:
        return None

    return tamper


def late(seconds: float) -> Tamper:
    async def tamper(said: Message) -> Message:
        await asyncio.sleep(seconds)
        return said

    return tamper


def drops(every: int) -> Tamper:
    count = 0

    async def tamper(said: Message) -> Message | None:
        nonlocal count
        count += 1
        return None if count % every == 0 else said

    return tamper


def cuts(every: int) -> Tamper:
    count = 0

    async def tamper(said: Message) -> Message:
        nonlocal count
        count += 1
        if count % every == 0:
            raise Cut
        return said

    return tamper


def garbage(rng: random.Random) -> Tamper:
    """No JSON, half of it, nested without end, of another id, of another type, an HTML page."""

    async def tamper(said: Message) -> Message:
        body = json.loads(said)
        one = body if isinstance(body, dict) else {}
        wrong = rng.choice(("0x", 7, [], {"hash": 1}, "\ud800", [{"hash": NOTHING}], True))
        return rng.choice(
            (
                b"",
                b"\xff\x00\xfe",
                said[: len(said) // 2],
                b"[" * 100_000,
                b"<html>502 Bad Gateway</html>",
                b"null",
                json.dumps({**one, "id": "x"}).encode(),
                json.dumps({**one, "id": [1]}).encode(),
                json.dumps({**one, "result": wrong}).encode() if "params" not in one else said[1:],
                json.dumps({"jsonrpc": "2.0", "id": one.get("id")}).encode(),
            )
        )

    return tamper


Lie = Callable[[dict[str, Any], random.Random], dict[str, Any]]


def _hash(rng: random.Random) -> str:
    return "0x" + rng.randbytes(32).hex()


LIES: dict[str, Lie] = {
    "far ahead": lambda head, rng: {
        **head,
        "number": hex(int(head["number"], 16) + rng.randrange(1, 10**6)),
        "hash": _hash(rng),
    },
    "a hash that nobody has": lambda head, rng: {**head, "hash": _hash(rng)},
    "a child of the head": lambda head, rng: {**head, "hash": _hash(rng), "parentHash": head["hash"]},
    "another parent": lambda head, rng: {**head, "parentHash": _hash(rng)},
    "the parent's parent": lambda head, rng: {**head, "parentHash": head["hash"]},
    "another number": lambda head, rng: {**head, "number": hex(rng.randrange(2**64))},
    "the parent again": lambda head, rng: {**head, "hash": head["parentHash"], "parentHash": head["hash"]},
    "nothing": lambda head, rng: {},
    "no numbers": lambda head, rng: {**head, "number": "0xzz", "hash": 7, "parentHash": []},
}


def lies(rng: random.Random, kind: str | None = None, *, told: bool = True, asked: bool = True) -> Tamper:
    """About blocks: those that a subscription ``told`` of, those that the node was ``asked`` for."""

    def lie(head: dict[str, Any]) -> dict[str, Any]:
        return LIES[kind or rng.choice(list(LIES))](head, rng)

    async def tamper(said: Message) -> Message:
        body = json.loads(said)
        if told and isinstance(body, dict) and isinstance(body.get("params"), dict):
            body["params"]["result"] = lie(body["params"]["result"])
        elif asked and isinstance(body, dict) and isinstance(body.get("result"), dict) and "hash" in body["result"]:
            body["result"] = lie(body["result"])
        return json.dumps(body).encode()

    return tamper
