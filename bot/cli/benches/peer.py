"""Runs a peer's half of a benchmark, in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from bot.errors import UserError
from bot.paths import repo_root

PEERS = Path(__file__).parent / "peers"


def ask(environment: str, script: str, question: Any, seconds: float = 900) -> Any:
    """What ``peers/script`` prints, given a file with the question, both JSON. ``environment`` is one of those that
    ``scripts/setup.py --with`` makes. Raises UserError where that is missing or the script fails."""
    python = repo_root() / ".build" / environment / "venv" / "bin" / "python"
    if not python.exists():
        raise UserError(f"{environment} is not installed: run python scripts/setup.py --with {environment}")
    apart = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "question.json"
        file.write_text(json.dumps(question), encoding="utf-8")
        command = [str(python), str(PEERS / script), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, env=apart)
    if done.returncode:
        raise UserError(f"the peer {script} failed: {done.stderr.strip().splitlines()[-1:] or done.returncode}")
    return json.loads(done.stdout)
