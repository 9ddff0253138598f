"""``mev doctor``: what is there, which version, where; what is missing and how to mend it."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer

from bot.errors import UserError
from bot.paths import data_dir, foundry, foundry_version, node_modules, repo_root

app = typer.Typer()

SET_UP = "run `make setup`"

_VARIABLE = re.compile(r'^[^#\n]*"(?:\$\{(\w+)\}|env:(\w+))"', re.MULTILINE)
"""A value of a profile that comes from the environment; not one in a comment."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked for. ``found`` is its version and place, ``mend`` what to do when it is not ``ok``;
    ``needed``: without it the demo cannot run."""

    what: str
    ok: bool
    found: str
    mend: str = ""
    needed: bool = True


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Says what is installed and configured, and how to mend what is not.

    Exit status 0 when the demo can run, 1 when not.

    Example: mev doctor --json
    """
    findings = [finding for check in CHECKS for finding in check()]
    ready = all(finding.ok for finding in findings if finding.needed)
    if as_json:
        print(json.dumps({"ready": ready, "findings": [asdict(finding) for finding in findings]}))
    else:
        show(findings, ready)
    raise typer.Exit(0 if ready else 1)


def show(findings: list[Finding], ready: bool) -> None:
    """As a table; what has to be mended stands under it too, where it can be copied."""
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        mark = "ok" if finding.ok else "MISSING" if finding.needed else "-"
        print(f"{mark:<8} {finding.what:<{width}}  {finding.found}")
    for finding in findings:
        if not finding.ok:
            print(f"\n{finding.what}: {finding.mend}", end="")
    print("\nThe demo can run: make demo" if ready else "\nThe demo cannot run yet.")


# --- what is looked for ----------------------------------------------------------------------------------------------


def python() -> Iterator[Finding]:
    fits = sys.version_info[:2] in ((3, 11), (3, 12))
    yield Finding("Python", fits, f"{platform.python_version()} {sys.executable}", "install Python 3.11 or 3.12")
    for package in ("mevkit", "eth-ape"):
        try:
            yield Finding(package, True, version(package))
        except PackageNotFoundError:
            yield Finding(package, False, "not installed", SET_UP, needed=False)
    try:
        import_module("pyrevm")
        yield Finding("pyrevm", True, version("pyrevm"))
    except (ImportError, PackageNotFoundError) as error:
        yield Finding("pyrevm", False, f"does not load: {error}", SET_UP)


def node() -> Iterator[Finding]:
    found = shutil.which("node")
    answer = _answer([found, "--version"]) if found else ""
    major = answer.removeprefix("v").split(".")[0]
    fits = major.isdigit() and int(major) >= 18
    yield Finding("Node.js", fits, f"{answer} {found}" if answer else "not on PATH", "install Node.js 18 or later")


def tools() -> Iterator[Finding]:
    for tool in ("anvil", "forge", "cast"):
        try:
            binary = foundry(tool)
        except UserError as error:
            yield Finding(tool, False, "not found", str(error))
            continue
        found = foundry_version(binary)
        yield Finding(tool, found is not None, f"{found or 'does not run'} {binary.resolve()}", SET_UP)
    links = sorted((repo_root() / ".build" / "solc").glob("solc-v*"))
    for link in links:
        kind = "JavaScript, behind scripts/solc-shim" if link.resolve().name == "solc-shim" else "native"
        said = _answer([str(link), "--version"]).partition("Version: ")[2]
        yield Finding(f"solc {link.name[6:]}", bool(said), f"{said or 'does not run'} ({kind})", SET_UP)
    if not links:
        yield Finding("solc", False, "not set up", SET_UP)


def set_up() -> Iterator[Finding]:
    """What `make setup` would still do."""
    answer = _answer([sys.executable, str(repo_root() / "scripts" / "setup.py"), "--check"])
    steps: dict[str, bool] = json.loads(answer) if answer else {}
    for step, current in steps.items():
        yield Finding(step, current, "as locked" if current else "changed since make setup", SET_UP, needed=False)
    packages = json.loads((repo_root() / "package.json").read_text())["dependencies"]
    absent = [name for name in packages if not (node_modules() / name / "package.json").exists()]
    yield Finding("protocol code", not absent, f"{len(packages) - len(absent)} of {len(packages)} packages", SET_UP)
    artifact = repo_root() / "out" / "Executor.sol" / "Executor.json"
    yield Finding("Executor artifact", artifact.exists(), str(artifact), SET_UP)


def data() -> Iterator[Finding]:
    where = data_dir()
    existing = next(path for path in (where, *where.parents) if path.exists())
    writable = existing.is_dir() and os.access(existing, os.W_OK)
    yield Finding("data directory", writable, str(where), "set MEV_HOME to a folder that you may write to")
    path = where / "ledger.sqlite"
    if not path.exists():
        yield Finding("ledger", True, "none yet")
        return
    from bot.ledger.reader import Reader

    try:
        with Reader.open(path) as ledger:
            runs, under_way = len(ledger.runs()), len(ledger.under_way())
        yield Finding("ledger", True, f"{runs} runs, {under_way} intents without an outcome")
    except UserError as error:
        yield Finding("ledger", False, str(path), str(error))


def profiles() -> Iterator[Finding]:
    """Whether they can be read, and which of their variables are set; never what is in them."""
    from bot.cli.profile import load

    for path in sorted((repo_root() / "forks").glob("*.toml")):
        needed = path.stem == "devnet"
        try:
            profile = load(path)
            yield Finding(f"forks/{path.name}", True, f"chain {profile.chain_id}", needed=needed)
        except UserError as error:
            yield Finding(f"forks/{path.name}", False, "not valid", str(error), needed=needed)
        for match in _VARIABLE.finditer(path.read_text(encoding="utf-8")):
            name = match[1] or match[2]
            there = bool(os.environ.get(name))
            mend = f"export {name} to run forks/{path.name}"
            yield Finding(name, there, "set" if there else "not set", mend, needed=False)


def loopback() -> Iterator[Finding]:
    """The demo's node and relay listen on free ports of 127.0.0.1."""
    try:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            yield Finding("loopback port", True, "127.0.0.1 can be listened on")
    except OSError as error:
        yield Finding("loopback port", False, str(error), "allow this user to listen on 127.0.0.1")


CHECKS = (python, node, tools, set_up, data, profiles, loopback)


def _answer(command: list[Any]) -> str:
    """What a command prints; nothing when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
