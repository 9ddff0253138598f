"""The project's own files: locks that anyone can install from, and nothing in them that binds to a place."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REGISTRIES = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs|registry\.yarnpkg|binaries\.soliditylang|"
    r"--(?:extra-)?index-url|--find-links|--trusted-host|\"resolved\"",
)
NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)", re.MULTILINE)


def tracked() -> list[Path]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: there is no list of files")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_nothing_names_a_registry() -> None:
    for path in tracked():
        if path == Path(__file__).resolve():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        assert not (found := REGISTRIES.search(text)), f"{path.relative_to(ROOT)} names {found and found[0]}"


LOCKS = {
    "runtime.in": "dev.txt",
    "dev.in": "dev.txt",
    "brownie.in": "brownie.txt",
    "halmos.in": "halmos.txt",
    "peers.in": "peers.txt",
    "peers-degenbot.in": "peers-degenbot.txt",
}
"""What is asked for, and the lock that has it."""


@pytest.mark.parametrize("lock", ["runtime.txt", *dict.fromkeys(LOCKS.values())])
def test_every_python_package_is_pinned_by_hashes(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip()]
    assert lines
    for line in lines:
        assert re.match(r"\S+==\S+ ", line) and "--hash=sha256:" in line, line


def test_locks_hold_what_is_asked_for() -> None:
    def names(file: str) -> set[str]:
        return {canonical(name) for name in NAME.findall((ROOT / "requirements" / file).read_text())}

    for asked, lock in LOCKS.items():
        assert not (left := names(asked) - names(lock)), f"{asked} asks for {left}: run make lock"


def test_runtime_packages_are_among_the_developers_in_the_same_version() -> None:
    def pins(lock: str) -> set[str]:
        return set(re.findall(r"^\S+==\S+", (ROOT / "requirements" / lock).read_text(), re.MULTILINE))

    assert pins("runtime.txt") <= pins("dev.txt")


def test_npm_packages_are_pinned_and_locked() -> None:
    asked = json.loads((ROOT / "package.json").read_text())["dependencies"]
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert packages[""]["dependencies"] == asked
    for name, version in asked.items():
        assert re.fullmatch(r"(npm:.+@)?\d+\.\d+\.\d+(-[\w.]+)?", version), f"{name} is not pinned: {version}"
    for path, package in packages.items():
        assert not path or package["integrity"].startswith("sha512-"), f"{path} has no hash"


def test_the_documented_grammar_is_the_contracts() -> None:
    source = (ROOT / "contracts" / "libraries" / "Program.sol").read_text().partition("library Program")[0]
    written = "\n".join(line[4:] for line in source.splitlines() if line.startswith("///"))
    grammar = written[written.index("route    0x20") :].rstrip()
    assert f"```\n{grammar}\n```" in (ROOT / "docs" / "executor.md").read_text()
