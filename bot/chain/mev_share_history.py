"""MEV-Share's history: the hints that there were, from its archive over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import NamedTuple, TypeVar

import aiohttp
import msgspec
import structlog

from bot.chain.mev_share import hint
from bot.engine.types import Hint
from bot.jsonrpc import RpcUnreachable, shown

TIMEOUT = 30.0  # seconds an answer
LARGEST_ANSWER = 64 * 1024 * 1024
MOST_LIMIT = 500
"""Hints a page: the archive says what it allows, and may allow too much."""
BUSY = frozenset((429, 502, 503, 504))
PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds before asking a busy archive again."""

logger = structlog.get_logger(__name__)
_T = TypeVar("_T")


class PastHint(NamedTuple):
    """A hint with the block that was next when it came, and that time in seconds."""

    block: int
    timestamp: int
    hint: Hint


class _Extent(msgspec.Struct, frozen=True, rename="camel"):
    """What the archive holds: ``count`` hints, in blocks and seconds from the least to the most; ``max_limit`` a
    page."""

    count: int
    min_block: int
    max_block: int
    min_timestamp: int
    max_timestamp: int
    max_limit: int


class _Entry(msgspec.Struct, frozen=True):
    block: int
    timestamp: int
    hint: msgspec.Raw


async def history(url: str, *, first: int | None = None, last: int | None = None) -> AsyncGenerator[PastHint, None]:
    """Of blocks ``first`` to ``last``, in the archive's order; entries that are no hints are passed over. Raises
    RpcUnreachable."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    async with aiohttp.ClientSession(timeout=timeout, headers={"Accept": "application/json"}) as session:
        base = url.rstrip("/") + "/api/v1/history"
        extent = await _get(session, base + "/info", {}, _Extent)
        limit = max(1, min(extent.max_limit, MOST_LIMIT))
        asked = {"limit": limit} | ({} if first is None else {"blockStart": first})
        asked |= {} if last is None else {"blockEnd": last}
        offset, malformed = 0, 0
        seen: set[tuple[int, str]] = set()  # those that move to a later page while it is asked for
        while offset < extent.count:
            page = await _get(session, base, {**asked, "offset": offset}, list[_Entry])
            for entry in page:
                try:
                    found = hint(bytes(entry.hint), entry.timestamp * 10**9)
                except ValueError:
                    malformed += 1
                    continue
                if (entry.block, found.hash) not in seen:
                    seen.add((entry.block, found.hash))
                    yield PastHint(entry.block, entry.timestamp, found)
            if not page:
                break
            offset += len(page)
        if malformed:
            logger.warning("entries of the archive are no hints", malformed=malformed)


async def _get(session: aiohttp.ClientSession, url: str, query: Mapping[str, int], kind: type[_T]) -> _T:
    """Asks a busy server again. Raises RpcUnreachable."""
    for pause in (*PAUSES, None):
        try:
            async with session.get(url, params=query) as answer:
                if answer.status == 200:
                    return _decoded(url, await _body(answer), kind)
                problem = f"status {answer.status}"
                again = answer.status in BUSY
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            problem, again = type(error).__name__, False
        if pause is None or not again:
            break
        await asyncio.sleep(pause)
    raise RpcUnreachable(f"{shown(url)}: {problem}")


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    """Raises RpcUnreachable where there is too much of it."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise RpcUnreachable(f"{shown(str(answer.url))}: the answer is over {LARGEST_ANSWER >> 20} MiB")
    return bytes(body)


def _decoded(url: str, body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RpcUnreachable(f"{shown(url)}: the answer is not MEV-Share's: {error}") from None
