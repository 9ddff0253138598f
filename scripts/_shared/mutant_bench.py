"""Compiles and tests mutants: one compiler that stays up, and artifacts that the tests deploy."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

from scripts._shared import mutants
from scripts._shared.mutants import ROOT, TARGETS, Mutant

WORK = ROOT / ".build" / "mutants"

STEPS = "dhfoDgvulfnTUtnIf:fDnTOcmu"
"""Of the optimizer: enough that the code fits, and that the compiler keeps no variables in memory."""

QUICK = {"FOUNDRY_FUZZ_RUNS": "8", "FOUNDRY_INVARIANT_RUNS": "1", "FOUNDRY_INVARIANT_DEPTH": "1"}
FULL = {"FOUNDRY_FUZZ_RUNS": "128", "FOUNDRY_INVARIANT_RUNS": "32", "FOUNDRY_INVARIANT_DEPTH": "32"}
TIMEOUT = 180  # seconds; a mutant that takes longer is killed by that


# --- compiling -------------------------------------------------------------------------------------------------------

COMPILER = r"""
const solc = require(process.argv[1]);
let rest = "";
process.stdin.on("data", chunk => {
  rest += chunk;
  for (let end; (end = rest.indexOf("\n")) >= 0; rest = rest.slice(end + 1)) {
    const output = JSON.parse(solc.compile(JSON.stringify(JSON.parse(rest.slice(0, end)))));
    const answer = {};
    for (const file of Object.values(output.contracts || {}))
      for (const [name, made] of Object.entries(file))
        answer[name] = [made.evm.bytecode.object, made.evm.deployedBytecode.object];
    answer.errors = (output.errors || []).filter(e => e.severity === "error").map(e => e.message);
    require("fs").writeSync(1, JSON.stringify(answer) + "\n");
  }
});
"""


class Compiler:
    """solc of node_modules, which stays up; 0.3 s for each start are saved."""

    def __init__(self) -> None:
        settings = tomllib.loads((ROOT / "foundry.toml").read_text(encoding="utf-8"))["profile"]["default"]
        self.settings = {
            "viaIR": True,
            "evmVersion": settings["evm_version"],
            "optimizer": {
                "enabled": True,
                "runs": settings["optimizer_runs"],
                "details": {"yul": True, "yulDetails": {"stackAllocation": True, "optimizerSteps": STEPS}},
            },
            "metadata": {"bytecodeHash": "none", "appendCBOR": False},
        }
        self.process = subprocess.Popen(
            ["node", "-e", COMPILER, str(ROOT / "node_modules" / "solc")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def compile(self, sources: dict[str, str], target: str) -> tuple[str, str] | None:
        """Creation and runtime code of the contract in `target`, or None when it does not compile."""
        select = {target: {TARGETS[target]: ["evm.bytecode.object", "evm.deployedBytecode.object"]}}
        content = {file: {"content": text} for file, text in sources.items()}
        question = {"language": "Solidity", "sources": content, "settings": self.settings | {"outputSelection": select}}
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        made = answer.get(TARGETS[target])
        return None if answer["errors"] or not made or not made[0] else (made[0], made[1])


def sources_of(target: str) -> dict[str, str]:
    """The file and all that it imports."""
    found: dict[str, str] = {}

    def add(file: str) -> None:
        if file in found:
            return
        found[file] = (ROOT / file).read_text(encoding="utf-8")
        for other in re.findall(r'from "(\.[^"]+)"', found[file]):
            add(os.path.normpath(os.path.join(os.path.dirname(file), other)))

    add(target)
    return found


# --- testing ---------------------------------------------------------------------------------------------------------


class Worker:
    """Compiles and tests one mutant at a time, with artifacts of its own."""

    def __init__(self, number: int, digest: str) -> None:
        self.folder = WORK / f"worker-{number}"
        self.digest = digest
        self.sources = {target: sources_of(target) for target in TARGETS}
        self.compiler = Compiler()
        self.originals: dict[str, tuple[str, str]] = {}

    def prepare(self) -> None:
        """The tests compiled, and the code without any change, which must pass them."""
        if self.forge(["build", "--quiet"], {}):
            raise SystemExit("mutate: the contracts or tests do not compile")
        for target, sources in self.sources.items():
            made = self.compiler.compile(sources, target)
            if made is None:
                raise SystemExit(f"mutate: {target} does not compile")
            self.originals[target] = made
            self.put(target, made)
        if not self.passes(FULL):
            raise SystemExit("mutate: the tests fail without any mutant; see `forge test`")

    def put(self, target: str, made: tuple[str, str]) -> None:
        name = TARGETS[target]
        path = self.folder / "out" / f"{name}.sol" / f"{name}.json"
        artifact = json.loads(path.read_text(encoding="utf-8"))
        artifact["bytecode"]["object"], artifact["deployedBytecode"]["object"] = ("0x" + code for code in made)
        path.write_text(json.dumps(artifact), encoding="utf-8")

    def forge(self, arguments: list[str], environment: dict[str, str]) -> int:
        own = {
            "FOUNDRY_OUT": str(self.folder / "out"),
            "FOUNDRY_CACHE_PATH": str(self.folder / "cache"),
            "FOUNDRY_SNAPSHOTS": str(self.folder / "snapshots"),
        }
        command = ["forge", *arguments]
        quiet = subprocess.DEVNULL
        try:
            return subprocess.run(
                command, cwd=ROOT, env=os.environ | own | environment, stdout=quiet, stderr=quiet, timeout=TIMEOUT
            ).returncode
        except subprocess.TimeoutExpired:
            return 1

    def passes(self, environment: dict[str, str]) -> bool:
        return self.forge(["test", "--fail-fast", "--threads", "1"], environment) == 0

    def result(self, mutant: Mutant) -> str:
        """killed, survived, same (code as the original), or invalid (does not compile)."""
        if digest() != self.digest:
            raise SystemExit("mutate: a contract or test has changed; start again")
        changed = False
        for target, sources in self.sources.items():
            if mutant.file not in sources:
                continue
            made = self.compiler.compile(sources | {mutant.file: mutant.applied(sources[mutant.file])}, target)
            if made is None:
                return "invalid"
            changed |= made != self.originals[target]
            self.put(target, made)
        if not changed:
            return "same"
        try:
            return "survived" if self.passes(QUICK) and self.passes(FULL) else "killed"
        finally:
            for target, made in self.originals.items():
                self.put(target, made)


def digest() -> str:
    """Of everything that a result depends on."""
    hashed = hashlib.sha256(Path(__file__).read_bytes() + Path(mutants.__file__).read_bytes())
    for folder in ("contracts", "tests/forge"):
        for path in sorted((ROOT / folder).rglob("*.sol")):
            hashed.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    hashed.update((ROOT / "foundry.toml").read_bytes())
    return hashed.hexdigest()
