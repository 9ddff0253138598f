"""JSON-RPC over HTTP: one asynchronous client for nodes, relays and the tools beside them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import aiohttp
import msgspec


class RpcError(Exception):
    """The server answered with an error."""

    def __init__(self, method: str, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{method}: {message} (code {code})")
        self.method, self.code, self.message, self.data = method, code, message, data


class RpcUnreachable(Exception):
    """No usable answer: connection refused, time-out, or something that is not JSON-RPC. Names no secrets of a URL."""


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""
    data: Any = None


_T = TypeVar("_T")


class _Answer(msgspec.Struct, Generic[_T]):
    id: Any = None
    result: _T | msgspec.UnsetType | None = msgspec.UNSET
    error: _Error | None = None


@lru_cache
def _decoder(kind: Any) -> Callable[[bytes], _Answer[Any]]:
    return msgspec.json.Decoder(_Answer[kind]).decode


_decode_many = msgspec.json.Decoder(list[_Answer[Any]]).decode
_encode = msgspec.json.Encoder().encode
_ids = itertools.count(1)
"""Of requests: no two in this process have the same, as clients may share a connection."""


class JsonRpc:
    """A client of one endpoint. Use as an async context manager, or call ``close``. ``timeout`` is seconds a call.

    A subclass sends differently: over another transport (``post``), or to one of several nodes (``ask``)."""

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        self.url, self.timeout = url, timeout
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections; the next call opens them again."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, body: bytes, headers: dict[str, str] | None = None) -> bytes:
        """The raw answer to a raw body, which goes out byte for byte (a relay signs it). Raises RpcUnreachable."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.timeout))
        try:
            all_headers = {"Content-Type": "application/json", **(headers or {})}
            async with self._session.post(self.url, data=body, headers=all_headers) as answer:
                return await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RpcUnreachable(f"{shown(self.url)}: {type(error).__name__}") from None

    async def ask(self, method: str, body: bytes, decode: Callable[[bytes], _T]) -> _T:
        """What ``decode`` makes of the answer to ``body``: it raises RpcError where the answer is an error, and
        RpcUnreachable where it is none at all. ``method`` is the one of the call, or of the first in a batch."""
        return decode(await self.post(body))

    def request(self, method: str, params: Sequence[Any]) -> bytes:
        """The body of one request."""
        return _request(next(_ids), method, params)

    async def call(self, method: str, *params: Any) -> Any:
        """The result of one call. Raises RpcError, RpcUnreachable."""
        return await self.call_as(Any, method, *params)

    async def call_as(self, kind: type[_T], method: str, *params: Any) -> _T:
        """The result of one call, decoded from its bytes straight into ``kind``. Raises RpcError, RpcUnreachable."""
        number = next(_ids)
        return await self.ask(method, _request(number, method, params), partial(parse, method, kind=kind, asked=number))

    async def batch(self, calls: Sequence[tuple[str, Sequence[Any]]], *, size: int = 500) -> list[Any]:
        """Results in the order of ``calls``; a call that failed gives its RpcError in place of a result. Raises
        RpcUnreachable."""
        results: list[Any] = []
        for start in range(0, len(calls), size):
            chunk = calls[start : start + size]
            asked = [(next(_ids), method) for method, _ in chunk]
            body = _encode(
                [
                    {"jsonrpc": "2.0", "id": n, "method": method, "params": params}
                    for (n, _), (method, params) in zip(asked, chunk, strict=True)
                ]
            )
            results += await self.ask(chunk[0][0], body, partial(_parse_batch, asked))
        return results


def _request(number: int, method: str, params: Sequence[Any]) -> bytes:
    return _encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


def _parse_batch(asked: Sequence[tuple[int, str]], raw: bytes) -> list[Any]:
    try:
        answers = {answer.id: answer for answer in _decode_many(raw)}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError):  # TypeError: an id that cannot be one
        raise RpcUnreachable(f"{asked[0][1]}: the answer is not a JSON-RPC batch") from None
    results = []
    for n, method in asked:
        answer = answers.get(n)
        if answer is None:
            raise RpcUnreachable(f"{method}: an answer of the batch is missing")
        failed = answer.error
        if failed is None and answer.result is msgspec.UNSET:
            raise RpcUnreachable(f"{method}: an answer of the batch has no result")
        results.append(RpcError(method, failed.code, failed.message, failed.data) if failed else answer.result)
    return results


def parse(method: str, raw: bytes, kind: Any = Any, asked: int | None = None) -> Any:
    """The result in a raw answer, a value of ``kind``. Raises RpcError, and RpcUnreachable also where the result is of
    another kind or, with ``asked``, the answer to another request than the one of that id."""
    try:
        answer = _decoder(kind)(raw)
    except msgspec.ValidationError as error:
        raise RpcUnreachable(f"{method}: the answer is not what was asked for: {error}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise RpcUnreachable(f"{method}: the answer is not JSON-RPC") from None
    # An error may have no id, when the server could not read ours.
    if asked is not None and answer.id != asked and not (answer.error and answer.id is None):
        raise RpcUnreachable(f"{method}: the answer is to another request")
    if answer.error:
        raise RpcError(method, answer.error.code, answer.error.message, answer.error.data)
    # A proxy's complaint, say, or null where a kind is named: none of our questions has that for an answer.
    if answer.result is msgspec.UNSET or (answer.result is None and kind is not Any):
        raise RpcUnreachable(f"{method}: the answer has no result")
    return answer.result


def shown(url: str) -> str:
    """Scheme and host only, or the path of a socket: paths and queries of node URLs carry keys."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://{re.split('[/?#]', rest)[0].rsplit('@', 1)[-1]}" if separator else url
