"""eth_subscribe over a websocket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec

from bot.jsonrpc import RpcError, RpcUnreachable

HEARTBEAT = 15.0  # seconds between pings; a peer that answers none is gone
LARGEST_FRAME = 64 * 1024 * 1024


class _Params(msgspec.Struct):
    result: Any = None


class _Frame(msgspec.Struct):
    id: Any = None
    result: Any = None
    error: dict[str, Any] | None = None
    method: str | None = None
    params: _Params | None = None


_decode = msgspec.json.Decoder(_Frame).decode


async def subscribe(ws_url: str, *params: Any) -> AsyncIterator[Any]:
    """Yields ``None`` once the node has confirmed, then each notification's ``result``. Ends when the node closes.

    Raises RpcError where the node refuses the subscription, RpcUnreachable where there is no node."""
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
                frame = _decode(message.data)
                if frame.error:
                    raise RpcError("eth_subscribe", int(frame.error.get("code", 0)), str(frame.error.get("message")))
                yield frame.params.result if frame.params else None
