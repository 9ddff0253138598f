"""Compiled contracts: the protocols' own builds from npm, and the few sources that have to be compiled here."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.errors import UserError
from bot.paths import node_modules, repo_root


@dataclass(frozen=True, slots=True)
class Artifact:
    """A compiled contract in node_modules. ``path`` is relative to it; truffle's, waffle's, hardhat's, forge's and
    Balancer's formats are known."""

    path: str

    @property
    def file(self) -> Path:
        return node_modules() / self.path

    def initcode(self, libraries: Mapping[str, str] | None = None) -> bytes:
        """Creation bytecode without constructor arguments. ``libraries`` maps a library's name to its address.

        Raises UserError when the package is missing, ValueError when a library is.
        """
        try:
            content: dict[str, Any] = json.loads(self.file.read_bytes())
        except OSError:
            raise UserError(f"node_modules/{self.path} is missing: run `make setup`") from None
        return _bytecode(content, libraries or {})


@dataclass(frozen=True, slots=True)
class Source:
    """Solidity to compile here. ``folder`` is relative to the repository and holds ``files``; imports are found
    beside the file or in node_modules."""

    folder: str
    files: tuple[str, ...]
    solc: str
    settings: Mapping[str, Any]

    def paths(self) -> list[Path]:
        """Every file that the result depends on, in order."""
        return [_locate(name) for name in sorted(self._gather())]

    def compile(self) -> dict[str, dict[str, Any]]:
        """Contract name to solc's output for it. The shim keeps answers by content, so this is slow only once.

        Raises UserError when compiler or sources are missing, RuntimeError with solc's words when it refuses.
        """
        question = {
            "language": "Solidity",
            "sources": {name: {"content": text} for name, text in sorted(self._gather().items())},
            "settings": {**self.settings, "outputSelection": {"*": {"*": ["abi", "evm.bytecode"]}}},
        }
        answer = json.loads(_solc(self.solc, json.dumps(question)))
        errors = [e["formattedMessage"] for e in answer.get("errors", []) if e["severity"] == "error"]
        if errors:
            raise RuntimeError(f"solc {self.solc} refuses {self.folder}: {errors[0]}")
        return {name: out for file in answer["contracts"].values() for name, out in file.items()}

    def initcodes(self) -> dict[str, bytes]:
        """Contract name to its creation bytecode, for those that have any."""
        return {
            name: bytes.fromhex(out["evm"]["bytecode"]["object"])
            for name, out in self.compile().items()
            if out["evm"]["bytecode"]["object"]
        }

    def _gather(self) -> dict[str, str]:
        found: dict[str, str] = {}
        wanted = [f"{self.folder}/{name}" for name in self.files]
        while wanted:
            name = wanted.pop()
            if name in found:
                continue
            try:
                found[name] = _locate(name).read_text()
            except OSError:
                raise UserError(f"{name} is missing: run `make setup`") from None
            wanted += [_resolve(name, target) for target in _IMPORT.findall(found[name])]
        return found


_IMPORT = re.compile(r"""^\s*import\s[^"';]*["']([^"']+)["']""", re.MULTILINE)


def _resolve(importer: str, target: str) -> str:
    if not target.startswith("."):
        return target
    return os.path.normpath(os.path.join(os.path.dirname(importer), target))


def _locate(name: str) -> Path:
    return (node_modules() if name.startswith("@") else repo_root()) / name


def _solc(version: str, question: str) -> str:
    shim = repo_root() / "scripts" / "solc-shim"
    try:
        done = subprocess.run(
            ["node", str(shim), "--standard-json"],
            input=question,
            env={**os.environ, "MEV_SOLC_VERSION": version},
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
    except FileNotFoundError:
        raise UserError("node is not on PATH: install Node.js 18 or newer") from None
    except subprocess.CalledProcessError as error:
        raise UserError(f"solc {version} does not run ({error.stderr.strip()[-200:]}): run `make setup`") from None
    return done.stdout


def _bytecode(content: dict[str, Any], libraries: Mapping[str, str]) -> bytes:
    raw = content.get("bytecode") or content.get("creationCode")
    text = str(raw["object"] if isinstance(raw, dict) else raw).removeprefix("0x")
    for names in content.get("linkReferences", {}).values():
        for name, places in names.items():
            if name not in libraries:
                raise ValueError(f"{content.get('contractName')} needs the library {name}")
            for place in places:
                start, end = place["start"] * 2, (place["start"] + place["length"]) * 2
                text = text[:start] + libraries[name][2:] + text[end:]
    return bytes.fromhex(text)
