"""Where things lie: the repository, its node_modules, the data directory, Foundry's binaries."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from bot.errors import UserError

FOUNDRY_VERSION = "1.7."
"""What a Foundry on PATH must begin with to be preferred over the packaged one: behaviour was measured on it."""


def repo_root() -> Path:
    """The checkout that this package runs from."""
    return Path(__file__).resolve().parent.parent


def node_modules() -> Path:
    """The npm packages: protocol code, the Solidity compiler, packaged Foundry."""
    return repo_root() / "node_modules"


def data_dir() -> Path:
    """Ledger, caches and run files: ``MEV_HOME``, or ``.mev`` in the working directory. Not created here."""
    return Path(os.environ.get("MEV_HOME") or ".mev").resolve()


@lru_cache(maxsize=8)
def foundry(tool: str) -> Path:
    """The binary of ``anvil``, ``forge`` or ``cast``: from PATH when its version fits, else the npm package's.

    Raises UserError when neither is there.
    """
    found = shutil.which(tool)
    if found and (foundry_version(Path(found)) or "").startswith(FOUNDRY_VERSION):
        return Path(found)
    packaged = _packaged(tool)
    if packaged.is_file():
        return packaged
    raise UserError(f"{tool} {FOUNDRY_VERSION}x is neither on PATH nor in node_modules: run `make setup`")


def foundry_version(binary: Path) -> str | None:
    """The version that a Foundry binary reports, or None when it does not run."""
    try:
        answer = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"(\d+\.\d+\.\d+)", answer.stdout)
    return match.group(1) if match else None


def _packaged(tool: str) -> Path:
    """Foundry's npm packages are named by Node's words for platform and processor."""
    system = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}.get(platform.system(), "unknown")
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
    name = f"{tool}-{system}-{machine.get(platform.machine().lower(), 'unknown')}"
    return node_modules() / "@foundry-rs" / name / "bin" / (f"{tool}.exe" if system == "win32" else tool)
