"""Nodes' state for pyrevm, which waits without end and blocks the whole process meanwhile: here it waits no longer than
it should, and where one node fails another is asked. What does not come in time is an error, and the run that needed it
fails as one without state.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from bot.chain.nodes.node import Endpoints
from bot.chain.nodes.pool import NodePool
from bot.jsonrpc import RpcError, RpcUnreachable
from bot.simulation.server_process import ServerProcess, serve

NODES, PATIENCE = "MEV_UPSTREAM_NODES", "MEV_UPSTREAM_PATIENCE"
UNREACHABLE = -32001


class Upstream(ServerProcess):
    """``with Upstream(nodes) as url:`` passes calls on to the nodes; ``patience`` is seconds a call may take."""

    def __init__(self, nodes: Sequence[Endpoints], patience: float = 5.0) -> None:
        # Not by the command line, which everybody on the machine can read: a node's URL may carry a key.
        said = {NODES: msgspec.json.encode(nodes).decode(), PATIENCE: str(patience)}
        super().__init__("upstream", __name__, [], said)


class _Request(msgspec.Struct):
    method: str
    id: Any = None
    params: list[Any] = []


_requests = msgspec.json.Decoder(_Request | list[_Request]).decode


def answers(pool: NodePool, patience: float) -> Callable[[bytes], Awaitable[bytes]]:
    """From the body of a request, or of a batch of them, to the body of the answer."""

    async def one(request: _Request) -> dict[str, Any]:
        said: dict[str, Any] = {"jsonrpc": "2.0", "id": request.id}
        try:
            async with asyncio.timeout(patience):
                return said | {"result": await pool.call(request.method, *request.params)}
        except RpcError as error:
            return said | {"error": {"code": error.code, "message": error.message, "data": error.data}}
        except (RpcUnreachable, TimeoutError) as error:
            why = f"the node does not answer: {error or type(error).__name__}"
            return said | {"error": {"code": UNREACHABLE, "message": why}}

    async def answer(body: bytes) -> bytes:
        asked = _requests(body)
        return msgspec.json.encode(
            await asyncio.gather(*map(one, asked)) if isinstance(asked, list) else await one(asked)
        )

    return answer


async def _main() -> None:
    nodes = msgspec.json.decode(os.environ[NODES], type=list[Endpoints])
    patience = float(os.environ[PATIENCE])
    async with NodePool(nodes, timeout=patience) as pool:
        await serve(answers(pool, patience))


if __name__ == "__main__":
    asyncio.run(_main())
