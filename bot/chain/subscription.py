"""eth_subscribe over a websocket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar

import aiohttp
import msgspec

from bot.jsonrpc import RpcError, RpcUnreachable

HEARTBEAT = 15.0  # seconds between pings; a peer that answers none is gone
LARGEST_FRAME = 64 * 1024 * 1024


_T = TypeVar("_T")


class _Params(msgspec.Struct, Generic[_T], frozen=True, gc=False):
    result: _T


class Frame(msgspec.Struct, Generic[_T], frozen=True, gc=False):
    """A message of a subscription: its confirmation, an error, or a notification whose ``result`` is a ``_T``."""

    error: dict[str, Any] | None = None
    params: _Params[_T] | None = None


async def subscribe(ws_url: str, kind: type[_T], *params: Any) -> AsyncIterator[_T | None]:
    """Yields ``None`` once the node has confirmed, then each notification's ``result``, decoded from the message's
    bytes straight into ``kind``. Ends when the node closes.

    Raises RpcError where the node refuses the subscription, RpcUnreachable where there is no node, or what it sends is
    of another kind."""
    decode = msgspec.json.Decoder(Frame[kind]).decode  # type: ignore[valid-type]
    request = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": params})
    async with aiohttp.ClientSession() as session:
        try:
            socket = await session.ws_connect(ws_url, heartbeat=HEARTBEAT, max_msg_size=LARGEST_FRAME)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RpcUnreachable(f"websocket of the node: {type(error).__name__}") from None
        async with socket:
            await socket.send_str(request.decode())
            async for message in socket:
                if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                    return
                try:
                    frame = decode(message.data)
                except msgspec.MsgspecError as error:
                    raise RpcUnreachable(f"a message of the subscription is not {params[0]}: {error}") from None
                if frame.error:
                    raise RpcError("eth_subscribe", int(frame.error.get("code", 0)), str(frame.error.get("message")))
                yield frame.params.result if frame.params else None
