"""The architecture, held by its imports: one way down four floors, no circle, no I/O where values are pure."""

from __future__ import annotations

import ast
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES = {"bot": 450, "scripts": 450, "contracts": 450, "tests": 500}

FLOORS = (
    ("errors", "paths", "abi", "jsonrpc", "engine", "amm", "lending", "simulation", "ledger"),
    ("market", "chain", "risk", "devnet", "inspection"),
    ("strategies", "execution"),
    ("cli",),
)
FLOOR_OF = {package: floor for floor, packages in enumerate(FLOORS) for package in packages}

PURE = ("amm", "lending", "market", "inspection", "strategies")
"""Packages of values and functions: nothing that reads a clock, a file or the network, and no randomness."""
IMPURE_PACKAGES = {"chain", "simulation", "ledger", "devnet", "execution", "jsonrpc", "paths", "cli"}
IMPURE_MODULES = {
    *("asyncio", "aiohttp", "ctypes", "httpx", "io", "multiprocessing", "os", "pathlib", "random", "requests"),
    *("secrets", "shutil", "socket", "sqlite3", "subprocess", "tempfile", "threading", "time", "urllib", "web3"),
}


def modules() -> dict[str, Path]:
    """Dotted name to file of every module of the bot."""
    found = {}
    for path in sorted((ROOT / "bot").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


@lru_cache(maxsize=1)
def imports() -> dict[str, set[str]]:
    """Module to all it imports, wherever in the file; of the bot's, the modules themselves."""
    own = modules()
    result: dict[str, set[str]] = {}
    for name, path in own.items():
        wanted: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                wanted.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name}: relative import"
                module = str(node.module)
                inner = {f"{module}.{alias.name}" for alias in node.names}
                wanted.update(inner & own.keys() or {module})
        result[name] = wanted - {name}
    return result


def package(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_every_package_has_a_floor() -> None:
    assert {package(name) for name in modules()} - {""} <= set(FLOOR_OF)


@pytest.mark.parametrize("name", modules())
def test_imports_go_down(name: str) -> None:
    if not package(name):
        return
    for wanted in imports()[name]:
        if wanted.startswith("bot."):
            assert FLOOR_OF[package(wanted)] <= FLOOR_OF[package(name)], f"{name} imports {wanted}, a floor above"


def test_no_circles() -> None:
    own = {name: {to for to in wanted if to in imports()} for name, wanted in imports().items()}
    try:
        TopologicalSorter(own).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_no_circles_between_packages() -> None:
    graph: dict[str, set[str]] = {}
    for name, wanted in imports().items():
        to = {package(other) for other in wanted if other.startswith("bot.")} - {package(name), ""}
        graph.setdefault(package(name), set()).update(to)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


@pytest.mark.parametrize("name", [name for name in modules() if package(name) in PURE])
def test_pure_packages_do_no_io(name: str) -> None:
    for wanted in imports()[name]:
        if wanted.startswith("bot."):
            assert package(wanted) not in IMPURE_PACKAGES, f"{name} imports {wanted}"
        else:
            assert wanted.split(".")[0] not in IMPURE_MODULES, f"{name} imports {wanted}"


@pytest.mark.parametrize("folder", MOST_LINES)
def test_a_file_is_read_in_one_sitting(folder: str) -> None:
    files = [path for kind in ("*.py", "*.sol") for path in (ROOT / folder).rglob(kind)]
    long = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert not {name: lines for name, lines in long.items() if lines > MOST_LINES[folder]}
