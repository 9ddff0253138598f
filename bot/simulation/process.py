"""Child processes that never outlive the bot: they die with their parent, and the next start reaps what did not.

On Linux the kernel kills them (PR_SET_PDEATHSIG). Everywhere, each is recorded under ``<data dir>/run/``; a record
whose parent is gone names an orphan. Pids are reused, so a record holds start times and a stranger is never killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from bot.paths import data_dir

PR_SET_PDEATHSIG = 1
TAIL_BYTES = 4096


class _Record(msgspec.Struct):
    pid: int
    started: str
    parent: int
    parent_started: str
    scratch: str


class Child:
    """A running child process with its scratch directory, which holds its ``log`` and goes away with it."""

    def __init__(
        self,
        name: str,
        command: Callable[[Path], Sequence[str]],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Starts ``command(scratch)``; its output goes to the log, ``environment`` is added to ours. Reaps orphans of
        earlier runs first."""
        reap_orphans()
        self.name = name
        self.scratch = Path(tempfile.mkdtemp(prefix=f"mev-{name}-"))
        self.log = self.scratch / "log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(part) for part in command(self.scratch)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                process_group=0,  # Ctrl-C is ours to handle: it ends the child when we are done with it
                preexec_fn=_die_with(os.getpid()) if sys.platform == "linux" else None,
            )
        self._record = _record(self._process.pid, self.scratch)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative is the signal that ended it."""
        return self._process.poll()

    def log_tail(self) -> str:
        """The last lines it wrote."""
        try:
            raw = self.log.read_bytes()[-TAIL_BYTES:]
        except OSError:
            return ""
        return raw.decode(errors="replace").strip()

    def stop(self, patience: float = 3.0) -> None:
        """Asks it to end, waits ``patience`` seconds, then kills it. Calling it again does nothing."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        self._record.unlink(missing_ok=True)
        shutil.rmtree(self.scratch, ignore_errors=True)


def reap_orphans() -> list[int]:
    """Kills recorded children whose parent is gone; returns their pids."""
    reaped: list[int] = []
    for path in (data_dir() / "run").glob("*.json"):
        try:
            record = msgspec.json.decode(path.read_bytes(), type=_Record)
        except (OSError, msgspec.MsgspecError):
            continue
        if _started(record.parent) == record.parent_started:
            continue
        if _started(record.pid) == record.started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(record.pid, signal.SIGKILL)
                reaped.append(record.pid)
        if Path(record.scratch).name.startswith("mev-"):
            shutil.rmtree(record.scratch, ignore_errors=True)
        path.unlink(missing_ok=True)
    return reaped


def _record(pid: int, scratch: Path) -> Path:
    """Written to a side file and renamed, so that a reader never sees half a record."""
    directory = data_dir() / "run"
    directory.mkdir(parents=True, exist_ok=True)
    record = _Record(pid, _started(pid) or "", os.getpid(), _started(os.getpid()) or "", str(scratch))
    path = directory / f"{pid}.json"
    part = directory / f"{pid}.part"
    part.write_bytes(msgspec.json.encode(record))
    part.replace(path)
    return path


def _started(pid: int) -> str | None:
    """When a process started, in whatever unit the system tells; None when there is no such process."""
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        fields = stat.rpartition(")")[2].split()  # the name in parentheses may hold anything
        return None if fields[0] == "Z" else fields[19]  # proc(5): field 22, counted from the state, field 3
    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None


def _die_with(parent: int) -> Callable[[], None]:
    """Runs in the child between fork and exec. The signal follows the thread that forked: fork from a lasting one."""
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return prepare


def wait_for_line(child: Child, prefix: str, timeout: float) -> str | None:
    """What follows ``prefix`` in the first log line that starts with it; None when it ended or ``timeout`` s passed."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        ended = child.exit_status is not None
        for line in child.log.read_text(errors="replace").splitlines(keepends=True):
            if line.startswith(prefix) and line.endswith("\n"):
                return line[len(prefix) :].strip()
        if ended:
            return None
        time.sleep(0.005)
    return None
