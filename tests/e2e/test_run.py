"""``mev devnet`` and ``mev run``: the bot as a process of its own, on a node and a relay that it knows by URL only."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mev_command import MEV

from bot.paths import repo_root

Started = list[subprocess.Popen[str]]


@pytest.fixture
def profile(home: dict[str, str], started: Started, tmp_path: Path) -> Path:
    """The devnet's profile with the ports of a running one."""
    words = ["devnet", "--block-time", "1", "--port", "0", "--relay-port", "0", "--json"]
    devnet = subprocess.Popen([*MEV, *words], env=home, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    started.append(devnet)
    assert devnet.stdout is not None
    where = json.loads(devnet.stdout.readline())
    text = (repo_root() / "forks" / "devnet.toml").read_text()
    text = text.replace("http://127.0.0.1:8545", where["http"]).replace("ws://127.0.0.1:8545", where["ws"])
    text = text.replace("http://127.0.0.1:8546", where["relay"])
    assert where["executor"] in text.lower(), "the profile names the executor that mev devnet deploys"
    path = tmp_path / "devnet.toml"
    path.write_text(text)
    return path


def run(home: dict[str, str], profile: Path, *words: str) -> dict[str, Any]:
    command = [*MEV, "run", "--profile", str(profile), "--json", *words]
    done = subprocess.run(command, env=home, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_live_lands_and_paper_sends_nothing(home: dict[str, str], profile: Path) -> None:
    live = run(home, profile, "--blocks", "6")
    assert live["landed"] >= 1
    assert live["reverted"] == 0
    assert all(collector["restarts"] == 0 for collector in live["collectors"].values())
    paper = run(home, profile, "--blocks", "3", "--paper")
    assert paper["simulated"] >= 1
    assert paper["submitted"] == 0
    assert paper["refused"]["paper"] >= 1


def test_an_interrupt_ends_the_bot_with_nothing_under_way(
    home: dict[str, str], profile: Path, started: Started
) -> None:
    command = [*MEV, "run", "--profile", str(profile), "--json"]
    bot = subprocess.Popen(command, env=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    started.append(bot)
    assert bot.stderr is not None and bot.stdout is not None
    while "block" not in bot.stderr.readline():
        assert bot.poll() is None
    bot.send_signal(signal.SIGINT)
    out, _ = bot.communicate(timeout=60)
    assert bot.returncode == 0
    result = json.loads(out)
    listed = subprocess.run([*MEV, "ledger", "--json"], env=home, capture_output=True, text=True, check=True)
    assert json.loads(listed.stdout)["under_way"] == []
    assert result["reverted"] == 0


def test_a_book_is_made_from_the_chain_and_its_promises_are_checked(
    home: dict[str, str], profile: Path, tmp_path: Path
) -> None:
    file = tmp_path / "book.json"

    def book(*words: str) -> subprocess.CompletedProcess[str]:
        command = [*MEV, "book", *words, "--profile", str(profile), "--json"]
        return subprocess.run(command, env=home, capture_output=True, text=True, timeout=60, check=False)

    made = book("make", str(file), "--most", "30")
    assert made.returncode == 0, made.stderr
    assert 20 <= json.loads(made.stdout)["entries"] <= 30
    held = book("check", str(file))
    assert (held.returncode, json.loads(held.stdout)["wrong"]) == (0, [])
    text = file.read_text()
    for true, lie in (("v2_weth_0", "v2_weth_1"), ("lender_morpho", "lender_v4"), ("v3_weth_1", "v3_weth_0")):
        assert true in text
        file.write_text(text.replace(true, lie, 1))
        refused = book("check", str(file))
        assert refused.returncode == 1
        (said,) = json.loads(refused.stdout)["wrong"]
        assert f"as {lie}" in said
