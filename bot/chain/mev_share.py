"""MEV-Share's stream, and what it tells of a private transaction (flashbots/mev-share-node, mevshare/hints.go).

A sender lets out as much as he likes. By default it is the swaps of Uniswap v2 and v3, Curve and Balancer: address and
first topic of their logs (Balancer's second too), the other topics zero and the data empty. Calldata comes without the
value that is sent along.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import aiohttp
import msgspec
import structlog

from bot.abi import MASK_256
from bot.chain.event_stream import EventStream
from bot.chain.swap_calls import swaps
from bot.engine.clock import Clock
from bot.engine.types import Hint, Log, SwapIntent
from bot.jsonrpc import RpcUnreachable, shown

SILENCE = 45.0  # seconds; in a stream without events, a ping comes every 15
CONNECTING = 10.0  # seconds
REMEMBERED = 50_000  # hashes; a hint that comes again after a new connection is one event

logger = structlog.get_logger(__name__)

_ANY = MASK_256
"""Stands for the value, which is not told: no swap pays more, and none can mean it."""


class _Log(msgspec.Struct, frozen=True, gc=False):
    address: str
    topics: tuple[str, ...] = ()
    data: str | None = None


class _Tx(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    to: str | None = None
    call_data: str | None = None


class _Event(msgspec.Struct, frozen=True, gc=False):
    hash: str
    logs: tuple[_Log, ...] | None = None
    txs: tuple[_Tx, ...] | None = None


_HASH = re.compile(r"0x[0-9a-fA-F]{64}")
_decode = msgspec.json.Decoder(_Event).decode


def hint(message: bytes, seen_ns: int) -> Hint:
    """From the JSON behind ``data:``. Raises ValueError for what is none."""
    try:
        event = _decode(message)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"not a hint: {error}") from None
    if not _HASH.fullmatch(event.hash):
        raise ValueError("not a hint: its hash is none")
    logs = tuple(Log(log.address.lower(), log.topics, _bytes(log.data)) for log in event.logs or () if log.topics)
    asked = [intent for tx in event.txs or () if tx.to for intent in swaps(tx.to.lower(), _bytes(tx.call_data), _ANY)]
    return Hint(event.hash, logs, tuple(map(_without_value, asked)), seen_ns)


def _bytes(hexadecimal: str | None) -> bytes:
    """Raises ValueError."""
    return bytes.fromhex((hexadecimal or "0x")[2:])


def _without_value(intent: SwapIntent) -> SwapIntent:
    if intent.exact_in and intent.amount == _ANY:
        return msgspec.structs.replace(intent, amount=None)
    return msgspec.structs.replace(intent, limit=None) if intent.limit == _ANY else intent


@dataclass(slots=True)
class HintCounts:
    """``repeated`` came again, ``malformed`` are no hints, ``oversized`` were too large to look at; none is an
    event."""

    connections: int = 0
    hints: int = 0
    repeated: int = 0
    malformed: int = 0
    oversized: int = 0


class MevShareCollector:
    """The hints of the stream at ``url``. Raises RpcUnreachable where there is none, where it ends, or where it is
    silent for ``silence`` seconds: the engine starts it again, and what came before does not come twice."""

    name = "mev-share"

    def __init__(self, url: str, clock: Clock, *, silence: float = SILENCE) -> None:
        self._url, self._clock = url, clock
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECTING, sock_read=silence)
        self._seen: dict[str, None] = {}
        self.counts = HintCounts()

    async def events(self) -> AsyncGenerator[Hint, None]:
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        try:
            async with (
                aiohttp.ClientSession(timeout=self._timeout, headers=headers, auto_decompress=False) as session,
                session.get(self._url) as answer,
            ):
                if answer.status != 200 or answer.content_type != "text/event-stream":
                    raise RpcUnreachable(f"{shown(self._url)}: status {answer.status}, {answer.content_type}")
                self.counts.connections += 1
                stream = EventStream()
                oversized = self.counts.oversized
                async for chunk in answer.content.iter_any():
                    seen_ns = self._clock.now_ns()
                    messages = stream.feed(chunk)
                    self.counts.oversized = oversized + stream.oversized
                    for message in messages:
                        if (found := self._hint(message, seen_ns)) is not None:
                            yield found
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RpcUnreachable(f"{shown(self._url)}: {type(error).__name__}") from None
        raise RpcUnreachable(f"{shown(self._url)}: the stream ended")

    def _hint(self, message: bytes, seen_ns: int) -> Hint | None:
        try:
            found = hint(message, seen_ns)
        except ValueError as error:
            self.counts.malformed += 1
            logger.debug("no hint", error=str(error), malformed=self.counts.malformed)
            return None
        if found.hash in self._seen:
            self.counts.repeated += 1
            return None
        self._seen[found.hash] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        self.counts.hints += 1
        return found
