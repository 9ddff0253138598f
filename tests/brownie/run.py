"""`make test-brownie`: a devnet to fork, then brownie's tests on a fork of it.

Brownie keeps its networks in the home directory, so it gets a new one for each run.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BROWNIE = str(ROOT / ".build" / "brownie" / "venv" / "bin" / "brownie")
NETWORK = "anvil-fork"
BUILT = ROOT / ".build" / "brownie" / "build"
STOPPING = 20  # seconds that the devnet has to end


def main() -> int:
    shutil.rmtree(BUILT, ignore_errors=True)  # brownie hands the compiler what changed, without what that imports
    with chain() as told, tempfile.TemporaryDirectory(prefix="mevkit-brownie-") as home:
        # Without what would steer another pytest or another Python.
        kept = {key: value for key, value in os.environ.items() if key not in ("PYTEST_ADDOPTS", "PYTHONPATH")}
        environment = kept | {"HOME": home, "MEV_BROWNIE": json.dumps(told)}
        modify = [BROWNIE, "networks", "modify", NETWORK, f"fork={told['url']}", f"port={free_port()}"]
        subprocess.run(modify, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        test = [BROWNIE, "test", "--network", NETWORK, *sys.argv[1:]]
        return subprocess.run(test, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL).returncode


@contextlib.contextmanager
def chain() -> Iterator[dict[str, str | int]]:
    """What chain.py prints, and its chain for as long. Raises SystemExit when it does not start."""
    command = [sys.executable, str(Path(__file__).with_name("chain.py"))]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"brownie: the devnet ended with status {process.wait()}")
        try:
            yield json.loads(line)
        finally:
            process.stdin.close()
            process.wait(STOPPING)


def free_port() -> int:
    """Brownie would take whatever listens on its own port for its node."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
