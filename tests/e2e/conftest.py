"""End to end: the command as a user runs it, in a data directory of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.paths import data_dir


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of a fresh data directory, which shares the devnet's cached state with the real one."""
    cache = data_dir() / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (tmp_path / "cache").symlink_to(cache)
    return {**os.environ, "MEV_HOME": str(tmp_path), "MEV_LOG": "warning"}


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that a test started; they are killed at its end."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()
