"""What forks of a block have read, kept on disk: one file a block, by chain and block hash, which never goes stale."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from bot.paths import data_dir

DEVELOPMENT = ("anvil", "hardhat", "ganache", "mevkit-cassette", "titanoboa", "eels")
"""Clients (how web3_clientVersion begins) whose state can be edited, or is a part of another chain's: a block hash does
not say there what the state is, so it must not meet the real chain's in one file."""


def cacheable(client_version: str) -> bool:
    """Whether a block's hash of this node stands for its state."""
    return not client_version.lower().startswith(DEVELOPMENT)


class ForkCache:
    """Questions and answers as text. Several forks of one block may use it at once. A file that cannot be read is begun
    anew, since all of it can be asked again."""

    def __init__(self, chain_id: int, block_hash: str, folder: Path | None = None) -> None:
        self.path = (folder or data_dir() / "forks") / str(chain_id) / f"{block_hash}.sqlite"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._open()
        except sqlite3.DatabaseError:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            self._open()

    def _open(self) -> None:
        self._file = sqlite3.connect(self.path, isolation_level=None, timeout=10)
        self._file.execute("PRAGMA journal_mode=WAL")  # with NORMAL: a crash loses the last answers, never the file
        self._file.execute("PRAGMA synchronous=NORMAL")
        self._file.execute("CREATE TABLE IF NOT EXISTS kept (question TEXT PRIMARY KEY, answer TEXT) WITHOUT ROWID")
        if self._file.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            self._file.close()
            raise sqlite3.DatabaseError("damaged")

    def get(self, question: str) -> str | None:
        """The answer, if it was kept."""
        found = self._file.execute("SELECT answer FROM kept WHERE question = ?", (question,)).fetchone()
        return None if found is None else str(found[0])

    def put(self, question: str, answer: str) -> None:
        """Keeps it; what is there already stays."""
        with contextlib.suppress(sqlite3.OperationalError):  # locked or full: the fork goes on without
            self._file.execute("INSERT OR IGNORE INTO kept VALUES (?, ?)", (question, answer))

    @property
    def entries(self) -> int:
        return int(self._file.execute("SELECT count(*) FROM kept").fetchone()[0])

    @property
    def size(self) -> int:
        """Bytes on disk."""
        files = [self.path, Path(f"{self.path}-wal")]
        return sum(file.stat().st_size for file in files if file.exists())

    def close(self) -> None:
        self._file.close()
