"""The command line as a shell sees it: status, stdout, stderr, and how long it takes."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import typer

from bot.cli import main
from bot.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
HELP_SECONDS = 0.3


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    """What sets up the logs in this process writes to this test's stderr, which is gone afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def mev(*args: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bot.cli.main", *args]
    variables = os.environ | {"MEV_HOME": str(home)} | environment
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60)


def test_help_is_fast_and_names_every_command(tmp_path: Path) -> None:
    seconds = []
    for _ in range(3):  # the best of three: other work on the machine is not ours
        start = time.perf_counter()
        done = mev("--help", home=tmp_path)
        seconds.append(time.perf_counter() - start)
    assert done.returncode == 0 and done.stderr == ""
    assert all(name in done.stdout for name in main.COMMANDS)
    assert min(seconds) < HELP_SECONDS


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_has_help_with_an_example(name: str, tmp_path: Path) -> None:
    done = mev(name, "--help", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"mev {name}" in done.stdout.partition("Usage:")[2].partition("Example:")[2]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["doctr"], "did you mean doctor?"),
        (["doctor", "--yaml"], "No such option"),
        (["doctor", "more"], "argument"),
        (["program"], "Missing command"),
        (["program", "decode"], "Missing argument"),
        (["program", "decode", "0xzz"], "not hexadecimal"),
        (["program", "decode", "0x00ff"], "in the middle of a step"),
        (["program", "decode", "0x00", "--book", "none.json"], "none.json cannot be read"),
        (["demo", "--blocks", "none"], "valid integer"),
    ],
)
def test_bad_input_is_one_line_and_status_2(args: list[str], says: str, tmp_path: Path) -> None:
    done = mev(*args, home=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mev: ") and done.stderr.count("\n") == 1
    assert says in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_log_level_is_bad_input(tmp_path: Path) -> None:
    done = mev("doctor", home=tmp_path, MEV_LOG="loud")
    assert done.returncode == 2 and "MEV_LOG" in done.stderr


def test_json_is_all_that_stdout_carries(tmp_path: Path) -> None:
    said = json.loads(mev("program", "decode", "--json", "0x007000000000000000000000002a", home=tmp_path).stdout)
    assert said["steps"][0].startswith("tip: 42 WETH")


def test_a_book_names_what_a_program_writes_as_an_index(tmp_path: Path) -> None:
    file, pool = tmp_path / "book.json", "0x" + "ab" * 20
    file.write_text(json.dumps({"entries": [{"address": pool}]}))
    route = "0x20" + "01".rjust(24, "0") + "0000" + "02".rjust(24, "0")
    assert "book[0] 1→0 out 2" in mev("program", "decode", route, home=tmp_path).stdout
    assert f"{pool} 1→0 out 2" in mev("program", "decode", route, "--book", str(file), home=tmp_path).stdout


def test_the_doctor_names_what_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    done = mev("doctor", "--json", home=file)
    found = {finding["what"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert done.returncode == 1
    assert not found["data directory"]["ok"] and "MEV_HOME" in found["data directory"]["mend"]
    assert found["anvil"]["ok"] and found["solc 0.8.37"]["ok"] and found["pyrevm"]["ok"]


def test_the_doctor_shows_no_secret(tmp_path: Path) -> None:
    done = mev(
        "doctor", home=tmp_path, MEV_RPC_HTTP="https://node.example/v3/0123456789", MEV_RELAY_KEY="0x" + "ab" * 32
    )
    assert "0123456789" not in done.stdout + done.stderr and "abab" not in done.stdout + done.stderr


def crash(monkeypatch: pytest.MonkeyPatch, home: Path, error: BaseException) -> int:
    """Runs a command that ends like this."""
    module = type(sys)("bot.cli.crashing")
    module.app = typer.Typer()  # type: ignore[attr-defined]

    @module.app.command()
    def crashing() -> None:
        raise error

    monkeypatch.setitem(sys.modules, "bot.cli.crashing", module)
    monkeypatch.setitem(main.COMMANDS, "crashing", ("bot.cli.crashing", ""))
    monkeypatch.setenv("MEV_HOME", str(home))
    return main.run(["crashing"])


def test_what_was_not_expected_is_status_1_and_its_traceback_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert crash(monkeypatch, tmp_path, ValueError("at https://user@node.example/key?more=1")) == 1
    told = capsys.readouterr()
    log = tmp_path / "logs" / "mev.log"
    assert told.out == "" and told.err.count("\n") == 1 and str(log) in told.err
    kept = log.read_text()
    assert "test_cli.py" in kept and "ValueError" in kept
    for text in (told.err, kept):
        assert "https://node.example/…" in text and "key?more" not in text


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UserError("two\nlines"), 2),
        (typer.Exit(1), 1),
        (typer.Exit(), 0),
        (typer.Abort(), 130),
        (KeyboardInterrupt(), 130),
    ],
)
def test_the_status_of_an_end(
    error: BaseException,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert crash(monkeypatch, tmp_path, error) == status
    assert capsys.readouterr().err.count("\n") <= 1
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_goes_away_is_no_crash(tmp_path: Path) -> None:
    command = f"{sys.executable} -m bot.cli.main doctor --json | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=os.environ | {"MEV_HOME": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode in (0, 1) and done.stderr == ""
