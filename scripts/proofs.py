"""`make verify`: the long proofs; writes docs/verification.md with counts, seeds, figures and the commit.

A test's figures are what it gives to pytest's `record_property`. Nothing is written unless everything passed.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.path.pop(0)  # this folder, whose operator.py is a command for ape and not Python's module

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


def main() -> int:
    commit = output("git", "rev-parse", "HEAD")
    if output("git", "status", "--porcelain", "--untracked-files=no"):
        print("verify: commit first: what is verified must have a name", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        xml = Path(folder) / "pytest.xml"
        forge_words, forge_seconds = run(["forge", "test"], {"FOUNDRY_PROFILE": "ci"})
        pytest = ["pytest", f"--junitxml={xml}", f"--hypothesis-seed={HYPOTHESIS_SEED}"]
        _, pytest_seconds = run(pytest, {"MEV_VERIFY": "1"})
        suite = next(ElementTree.parse(xml).iter("testsuite"))
    REPORT.write_text(report(commit, forge_words, forge_seconds, suite, pytest_seconds), encoding="utf-8")
    print(f"verify: passed; written to {REPORT.relative_to(ROOT)}")
    return 0


def run(command: list[str], environment: dict[str, str]) -> tuple[str, float]:
    """What it printed, shown as well, and seconds. Exits when it fails."""
    start = time.monotonic()
    lines = []
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        print(f"verify: {' '.join(command)} failed; nothing written", file=sys.stderr)
        sys.exit(1)
    return "".join(lines), time.monotonic() - start


def report(
    commit: str, forge_words: str, forge_seconds: float, suite: ElementTree.Element, pytest_seconds: float
) -> str:
    foundry = tomllib.loads((ROOT / "foundry.toml").read_text())["profile"]
    fuzz, invariant = foundry["ci"]["fuzz"], foundry["ci"]["invariant"]
    forge_total = re.findall(r"^Ran \d+ test suites?.*$", forge_words, re.MULTILINE)
    skipped = int(suite.get("skipped", 0))
    passed = int(suite.get("tests", 0)) - skipped
    lines = [
        "# Verification",
        "",
        f"Written by `make verify` on {datetime.now(UTC):%Y-%m-%d} at commit `{commit}`,",
        f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, "
        f"{output('forge', '--version').splitlines()[0]}.",
        "",
        "| proof | result | minutes |",
        "|---|---|---|",
        f"| `forge test`, profile ci | {forge_total[-1] if forge_total else 'passed'} | {forge_seconds / 60:.1f} |",
        f"| `pytest`, MEV_VERIFY=1 | {passed} passed, {skipped} skipped | {pytest_seconds / 60:.1f} |",
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
