"""`make verify`: the long proofs; writes docs/verification.md with counts, seeds, figures and the commit.

A test's figures are what it gives to pytest's `record_property`. Nothing is written unless everything passed. With
`--python` the contracts' proofs are not run again but taken over from the last report, which is refused where anything
that they depend on is not as it was then; their rows then name the commit that they ran at.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.path.pop(0)  # this folder, whose operator.py is a command for ape and not Python's module

import json
import os
import platform
import re
import subprocess
import tempfile
import time
import tomllib
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "verification.md"
HYPOTHESIS_SEED = "20260101"
CONTRACTS = ("contracts", "tests/forge", "foundry.toml", "package-lock.json", "requirements/halmos.txt")
"""What the contracts' proofs depend on."""
MUTANTS_SECONDS = 900  # what an earlier run of the same contracts and tests found out comes on top


def main() -> int:
    commit = output("git", "rev-parse", "HEAD")
    if output("git", "status", "--porcelain", "--untracked-files=no"):
        print("verify: commit first: what is verified must have a name", file=sys.stderr)
        return 2
    rows = rows_of_last() if "--python" in sys.argv[1:] else run_contracts()
    with tempfile.TemporaryDirectory() as folder:
        xml = Path(folder) / "pytest.xml"
        pytest = ["pytest", f"--junitxml={xml}", f"--hypothesis-seed={HYPOTHESIS_SEED}"]
        _, seconds = run(pytest, {"MEV_VERIFY": "1"})
        suite = next(ElementTree.parse(xml).iter("testsuite"))
        rows.append(pytest_row(suite, seconds))
    REPORT.write_text(report(commit, rows, suite), encoding="utf-8")
    print(f"verify: passed; written to {REPORT.relative_to(ROOT)}")
    return 0


def run_contracts() -> list[str]:
    mutate = [sys.executable, "scripts/mutate.py", "--json", "--seconds", str(MUTANTS_SECONDS)]
    return [
        forge_row(*run(["forge", "test"], {"FOUNDRY_PROFILE": "ci"})),
        symbolic_row(*run(["make", "symbolic"], {})),
        mutants_row(*run(mutate, {})),
    ]


def rows_of_last() -> list[str]:
    """The contracts' rows of the report that is there. Exits where they say nothing of the contracts as they are."""
    words = REPORT.read_text(encoding="utf-8")
    rows = [line for line in words.splitlines() if line.startswith(("| `forge", "| `make symbolic", "| `make mutants"))]
    named = re.search(r"at commit `(\w+)`", words)
    if len(rows) != 3 or not named:
        sys.exit(f"verify: {REPORT.name} has no rows of the contracts: run it without --python")
    if subprocess.run(["git", "diff", "--quiet", named[1], "HEAD", "--", *CONTRACTS], cwd=ROOT, check=False).returncode:
        sys.exit(f"verify: the contracts or their tests are not those of {named[1]}: run it without --python")
    return [row if "(at commit" in row else row.replace(" | ", f" (at commit `{named[1]}`) | ", 1) for row in rows]


# --- rows of the report -----------------------------------------------------------------------------------------------


def forge_row(words: str, seconds: float) -> str:
    total = re.findall(r"^Ran \d+ test suites?.*$", words, re.MULTILINE)
    return row("`forge test`, profile ci", total[-1] if total else "passed", seconds)


def symbolic_row(words: str, seconds: float) -> str:
    total = re.findall(r"Symbolic test result: (\d+ passed; \d+ failed)", words)
    return row(
        "`make symbolic` (halmos, see tests/forge/Access.halmos.t.sol)", total[-1] if total else "passed", seconds
    )


def mutants_row(words: str, seconds: float) -> str:
    figures = json.loads(words[words.index("{\n") :])
    said = (
        f"{figures['run']} of {figures['mutants']} mutants, seed {figures['seed']}: {figures['killed']} killed, "
        f"{figures['survived']} survived ({figures['explained']} of them explained in docs/mutation.md), "
        f"{figures['same']} with the same code, {figures['invalid']} do not compile; of those not explained "
        f"{figures['score']:.1%} were killed"
    )
    return row("`make mutants`", said, seconds)


def pytest_row(suite: ElementTree.Element, seconds: float) -> str:
    skipped = int(suite.get("skipped", 0))
    passed = int(suite.get("tests", 0)) - skipped
    return row("`pytest`, MEV_VERIFY=1", f"{passed} passed, {skipped} skipped", seconds)


def row(proof: str, result: str, seconds: float) -> str:
    return f"| {proof} | {result} | {seconds / 60:.1f} |"


# --- running ----------------------------------------------------------------------------------------------------------


def run(command: list[str], environment: dict[str, str]) -> tuple[str, float]:
    """What it printed, shown as well, and seconds. Exits when it fails."""
    start = time.monotonic()
    lines = []
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, stderr=None, text=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        print(f"verify: {' '.join(command)} failed; nothing written", file=sys.stderr)
        sys.exit(1)
    return "".join(lines), time.monotonic() - start


def report(commit: str, rows: list[str], suite: ElementTree.Element) -> str:
    foundry = tomllib.loads((ROOT / "foundry.toml").read_text())["profile"]
    fuzz, invariant = foundry["ci"]["fuzz"], foundry["ci"]["invariant"]
    lines = [
        "# Verification",
        "",
        f"Written by `make verify` on {datetime.now(UTC):%Y-%m-%d} at commit `{commit}`,",
        f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, "
        f"{output('forge', '--version').splitlines()[0]}.",
        "",
        "| proof | result | minutes |",
        "|---|---|---|",
        *rows,
        "",
        f"Forge: {fuzz['runs']} runs a fuzz test, {invariant['runs']} sequences of {invariant['depth']} calls an "
        f"invariant, seed `{foundry['default']['fuzz']['seed']}`. Hypothesis: seed {HYPOTHESIS_SEED}.",
    ]
    figures = [
        f"| {case.get('name')} | {figure.get('name')} | {figure.get('value')} |"
        for case in suite.iter("testcase")
        for figure in case.iter("property")
    ]
    if figures:
        lines += ["", "## Figures", "", "| test | figure | value |", "|---|---|---|", *figures]
    skips = [
        f"- {case.get('classname')}.{case.get('name')}: {skip.get('message')}"
        for case in suite.iter("testcase")
        for skip in case.iter("skipped")
    ]
    if skips:
        lines += ["", "## Skipped", "", *skips]
    return "\n".join(lines) + "\n"


def output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
