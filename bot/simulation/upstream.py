"""A node's state for pyrevm, which waits without end and blocks the whole process meanwhile: here it waits no longer
than it should. What does not come in time is an error, and the run that needed it fails as one without state.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from bot.simulation.server_process import ServerProcess, serve

URL, PATIENCE = "MEV_UPSTREAM_URL", "MEV_UPSTREAM_PATIENCE"
CONNECTIONS = 8
UNREACHABLE = -32001


class Upstream(ServerProcess):
    """``with Upstream(node_url) as url:`` passes calls on to the node; ``patience`` is seconds a call may take."""

    def __init__(self, node_url: str, patience: float = 5.0) -> None:
        # Not by the command line, which everybody on the machine can read: a node's URL may carry a key.
        super().__init__("upstream", __name__, [], {URL: node_url, PATIENCE: str(patience)})


class _Node:
    """One connection a thread, opened anew after a failure."""

    def __init__(self, url: str, patience: float) -> None:
        parts = urlsplit(url)
        self._make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._patience = parts.netloc.rpartition("@")[2], patience
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._local = threading.local()

    def post(self, body: bytes) -> bytes:
        """The node's answer, or a JSON-RPC error in its place."""
        for _ in range(2):  # an idle connection may have been closed: that shows at the first attempt
            connection = getattr(self._local, "connection", None)
            fresh = connection is None
            if connection is None:
                connection = self._local.connection = self._make(self._host, timeout=self._patience)
            try:
                connection.request("POST", self._path, body, {"Content-Type": "application/json"})
                return bytes(connection.getresponse().read())
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self._local.connection = None
                if fresh or isinstance(error, TimeoutError):
                    return _failure(body, f"the node does not answer: {type(error).__name__}")
        return _failure(body, "the node does not answer")


def _failure(body: bytes, message: str) -> bytes:
    request = json.loads(body)
    error = {"code": UNREACHABLE, "message": message}
    if isinstance(request, list):
        return json.dumps([{"jsonrpc": "2.0", "id": part.get("id"), "error": error} for part in request]).encode()
    return json.dumps({"jsonrpc": "2.0", "id": request.get("id"), "error": error}).encode()


async def _main() -> None:
    node = _Node(os.environ[URL], float(os.environ[PATIENCE]))
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        await serve(lambda body: loop.run_in_executor(threads, node.post, body))


if __name__ == "__main__":
    asyncio.run(_main())
