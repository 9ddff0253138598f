"""eth_subscribe over a websocket or an IPC socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar

import msgspec

from bot.chain.nodes.link import connected
from bot.jsonrpc import RpcError, RpcUnreachable

_T = TypeVar("_T")


class _Params(msgspec.Struct, Generic[_T], frozen=True, gc=False):
    result: _T


class Frame(msgspec.Struct, Generic[_T], frozen=True, gc=False):
    """A message of a subscription: its confirmation, an error, or a notification whose ``result`` is a ``_T``."""

    error: dict[str, Any] | None = None
    params: _Params[_T] | None = None


async def subscribe(url: str, kind: type[_T], *params: Any) -> AsyncIterator[_T | None]:
    """Yields ``None`` once the node has confirmed, then each notification's ``result``, decoded from the message's
    bytes straight into ``kind``. Ends when the node closes. ``url`` is a websocket's, or the path of an IPC socket.

    Raises RpcError where the node refuses the subscription, RpcUnreachable where there is no node, or what it sends is
    of another kind."""
    decode = msgspec.json.Decoder(Frame[kind]).decode  # type: ignore[valid-type]
    request = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": params})
    async with connected(url) as link:
        await link.send(request)
        async for message in link.messages():
            try:
                frame = decode(message)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise RpcUnreachable(f"a message of the subscription is not {params[0]}: {error}") from None
            if frame.error:
                raise RpcError("eth_subscribe", int(frame.error.get("code", 0)), str(frame.error.get("message")))
            yield frame.params.result if frame.params else None
