"""Kills a node of ours that hangs. pyrevm waits for its node without end and lets nothing else in its process run
meanwhile: only another process can see to it that the wait ends."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import time

EVERY = 1.0  # seconds between two questions
QUESTION = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "web3_clientVersion", "params": []})


def watch(address: str, pid: int, patience: float) -> None:
    """Asks the node at ``address`` until process ``pid`` is gone; kills it when an answer takes ``patience``
    seconds."""
    while True:
        time.sleep(EVERY)
        try:
            os.kill(pid, 0)
            _ask(address, patience)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        except OSError:
            continue  # it is ending, or too busy to accept: the next question shows


def _ask(address: str, patience: float) -> None:
    connection = http.client.HTTPConnection(address, timeout=patience)
    try:
        connection.request("POST", "/", QUESTION, {"Content-Type": "application/json"})
        connection.getresponse().read()
    finally:
        connection.close()


if __name__ == "__main__":
    watch(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
