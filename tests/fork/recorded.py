"""The recorded mainnet blocks beside the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.paths import repo_root

MAINNET = repo_root().parent / "shared" / "data" / "mainnet"
BLOCKS = sorted(int(path.name.split(".")[0]) for path in MAINNET.glob("*.json.gz"))

needs_recordings = pytest.mark.skipif(not BLOCKS, reason=f"the recorded blocks are not at {MAINNET}")


def cassette_path(block: int) -> Path:
    """The file of one recorded block; skips the test where it is absent."""
    path = MAINNET / f"{block}.json.gz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    return path
