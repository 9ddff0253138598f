"""JSON-RPC over HTTP: one asynchronous client for nodes, relays and the tools beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
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


class JsonRpc:
    """A client of one endpoint. Use as an async context manager, or call ``close``. ``timeout`` is seconds a call."""

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        self.url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None
        self._id = 0

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
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        try:
            all_headers = {"Content-Type": "application/json", **(headers or {})}
            async with self._session.post(self.url, data=body, headers=all_headers) as answer:
                return await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RpcUnreachable(f"{_host(self.url)}: {type(error).__name__}") from None

    def request(self, method: str, params: Sequence[Any]) -> bytes:
        """The body of one request."""
        self._id += 1
        return _encode({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params})

    async def call(self, method: str, *params: Any, headers: dict[str, str] | None = None) -> Any:
        """The result of one call. Raises RpcError, RpcUnreachable."""
        raw = await self.post(self.request(method, params), headers)
        return parse(method, raw)

    async def call_as(self, kind: type[_T], method: str, *params: Any) -> _T:
        """The result of one call, decoded from its bytes straight into ``kind``. Raises RpcError, RpcUnreachable."""
        result: _T = parse(method, await self.post(self.request(method, params)), kind)
        return result

    async def batch(self, calls: Sequence[tuple[str, Sequence[Any]]], *, size: int = 500) -> list[Any]:
        """Results in the order of ``calls``; a call that failed gives its RpcError in place of a result."""
        results: list[Any] = []
        for start in range(0, len(calls), size):
            chunk = calls[start : start + size]
            body = _encode(
                [
                    {"jsonrpc": "2.0", "id": n, "method": method, "params": params}
                    for n, (method, params) in enumerate(chunk)
                ]
            )
            raw = await self.post(body)
            try:
                answers = {answer.id: answer for answer in _decode_many(raw)}
            except msgspec.MsgspecError:
                raise RpcUnreachable(f"{_host(self.url)}: the answer is not a JSON-RPC batch") from None
            for n, (method, _) in enumerate(chunk):
                answer = answers.get(n)
                if answer is None:
                    raise RpcUnreachable(f"{_host(self.url)}: an answer of the batch is missing")
                failed = answer.error
                if failed is None and answer.result is msgspec.UNSET:
                    raise RpcUnreachable(f"{_host(self.url)}: an answer of the batch has no result")
                results.append(RpcError(method, failed.code, failed.message, failed.data) if failed else answer.result)
        return results


def parse(method: str, raw: bytes, kind: Any = Any) -> Any:
    """The result in a raw answer, a value of ``kind``. Raises RpcError, and RpcUnreachable also where the result is of
    another kind."""
    try:
        answer = _decoder(kind)(raw)
    except msgspec.ValidationError as error:
        raise RpcUnreachable(f"{method}: the answer is not what was asked for: {error}") from None
    except msgspec.MsgspecError:
        raise RpcUnreachable(f"{method}: the answer is not JSON-RPC") from None
    if answer.error:
        raise RpcError(method, answer.error.code, answer.error.message, answer.error.data)
    # A proxy's complaint, say, or null where a kind is named: none of our questions has that for an answer.
    if answer.result is msgspec.UNSET or (answer.result is None and kind is not Any):
        raise RpcUnreachable(f"{method}: the answer has no result")
    return answer.result


def _host(url: str) -> str:
    """Scheme and host only: paths and queries of node URLs carry keys."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.split('/')[0].rsplit('@', 1)[-1]}"
