"""A node's state for pyrevm, which waits without end and blocks the whole process meanwhile: here it waits no longer
than it should. What does not come in time is an error, and the run that needed it fails as one without state.
"""

from __future__ import annotations

import http.client
import json
import os
import socketserver
from urllib.parse import urlsplit

from bot.simulation.server_process import ServerProcess, announce, content_length, response

URL, PATIENCE = "MEV_UPSTREAM_URL", "MEV_UPSTREAM_PATIENCE"
UNREACHABLE = -32001


class Upstream(ServerProcess):
    """``with Upstream(node_url) as url:`` passes calls on to the node; ``patience`` is seconds a call may take."""

    def __init__(self, node_url: str, patience: float = 5.0) -> None:
        # Not by the command line, which everybody on the machine can read: a node's URL may carry a key.
        super().__init__("upstream", __name__, [], {URL: node_url, PATIENCE: str(patience)})


class _Server(socketserver.ThreadingTCPServer):
    """A thread for each of pyrevm's connections, with a connection of its own to the node."""

    daemon_threads = True

    def __init__(self, url: str, patience: float) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        parts = urlsplit(url)
        self._make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._patience = parts.netloc.rpartition("@")[2], patience
        self.path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def connect(self) -> http.client.HTTPConnection:
        return self._make(self._host, timeout=self._patience)


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        self._node = self.server.connect()
        while head := self._head():
            body = self._post(self.rfile.read(content_length(head)))
            self.wfile.write(response(body))
        self._node.close()

    def _head(self) -> bytes:
        """The next request's; empty when the client has gone."""
        lines = []
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            lines.append(line)
        return b"".join(lines)

    def _post(self, body: bytes) -> bytes:
        """The node's answer, or a JSON-RPC error in its place."""
        said = ""
        for _ in range(2):  # the node may have closed an idle connection, which shows at the first attempt
            try:
                self._node.request("POST", self.server.path, body, {"Content-Type": "application/json"})
                return self._node.getresponse().read()
            except (OSError, http.client.HTTPException) as error:
                self._node.close()  # the next request opens it again
                said = type(error).__name__
                if isinstance(error, TimeoutError):
                    break
        return _failure(body, f"the node does not answer: {said}")


def _failure(body: bytes, message: str) -> bytes:
    request = json.loads(body)
    error = {"code": UNREACHABLE, "message": message}
    if isinstance(request, list):
        return json.dumps([{"jsonrpc": "2.0", "id": part.get("id"), "error": error} for part in request]).encode()
    return json.dumps({"jsonrpc": "2.0", "id": request.get("id"), "error": error}).encode()


if __name__ == "__main__":
    with _Server(os.environ[URL], float(os.environ[PATIENCE])) as server:
        announce(server.socket)
        server.serve_forever()
