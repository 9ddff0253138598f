"""A relay's HTTP: JSON-RPC 2.0 by POST, each request signed by its sender."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from bot.devnet.signature import BadSignature, signer

MAX_BODY = 1 << 20  # bytes: the largest bundle is 600,000 hex digits

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, FAILED = -32700, -32600, -32601, -32602, -32000


class Refused(Exception):
    """The JSON-RPC error that the sender gets."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


Handler = Callable[[str, str, Any], Awaitable[Any]]
"""(sender, method, params) to the result. Raises Refused."""


class _Request(msgspec.Struct):
    method: str
    id: int | str | None = None
    params: Any = None


class RelayServer:
    """Serves ``handler`` on a port of loopback, 0 for a free one. A request without its sender's signature gets HTTP
    403."""

    def __init__(self, handler: Handler, port: int = 0) -> None:
        self._handler, self._port = handler, port
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_post("/", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, http: web.Request) -> web.Response:
        body = await http.read()
        id_: int | str | None = None
        try:
            sender = signer(http.headers.get("X-Flashbots-Signature"), body)
            request = _parse(body)
            id_ = request.id
            result = await self._handler(sender, request.method, request.params)
        except BadSignature as error:
            return _response({"id": id_, "error": {"code": INVALID_REQUEST, "message": str(error)}}, 403)
        except Refused as error:
            malformed = error.code in (PARSE_ERROR, INVALID_REQUEST)
            answer = {"id": id_, "error": {"code": error.code, "message": error.message}}
            return _response(answer, 400 if malformed else 200)
        return _response({"id": id_, "result": result}, 200)


def _parse(body: bytes) -> _Request:
    try:
        return msgspec.json.decode(body, type=_Request)
    except msgspec.ValidationError as error:
        raise Refused(INVALID_REQUEST, f"not a JSON-RPC request: {error}") from None
    except msgspec.DecodeError as error:
        raise Refused(PARSE_ERROR, f"not JSON: {error}") from None


def _response(answer: dict[str, Any], status: int) -> web.Response:
    content = msgspec.json.encode({"jsonrpc": "2.0", **answer})
    return web.Response(body=content, status=status, content_type="application/json")
