"""``mev demo``: bundles land, to the wei; the same seed, the same opportunities; kill -9 loses and leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mev_command import MEV

from bot.ledger.reader import Reader
from bot.ledger.schema import LedgerError

BLOCKS = 12


def demo(home: dict[str, str], seed: int, blocks: int = BLOCKS) -> dict[str, Any]:
    command = [*MEV, "demo", "--blocks", str(blocks), "--seed", str(seed), "--json"]
    done = subprocess.run(command, env=home, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def opportunities(home: dict[str, str], run: int) -> list[tuple[str, str]]:
    with sqlite3.connect(Path(home["MEV_HOME"]) / "ledger.sqlite") as connection:
        query = "select id, trade from opportunities where run = ? order by seq"
        return connection.execute(query, (run,)).fetchall()


def test_bundles_land_with_the_predicted_profit_and_the_same_seed_finds_the_same(home: dict[str, str]) -> None:
    first, again, other = demo(home, 7), demo(home, 7), demo(home, 8)
    for result in (first, again, other):
        assert result["blocks"] == BLOCKS
        assert result["landed"] >= BLOCKS // 3
        assert result["reverted"] == 0
        assert result["profit_wei"] == result["predicted_profit_wei"] > 0
        assert result["submitted"] == sum(result["outcomes"].values())
        assert result["found"] >= result["simulated"] >= result["submitted"] >= result["landed"]
        assert 0 < result["latency_ms"]["p50"] <= result["latency_ms"]["p99"] <= result["latency_ms"]["max"]
        assert result["wrong"] == []
    assert opportunities(home, first["run"]) == opportunities(home, again["run"]) != []
    assert opportunities(home, first["run"]) != opportunities(home, other["run"])


@pytest.mark.skipif("MEV_VERIFY" not in os.environ, reason="takes half a minute a seed: make verify runs it")
@pytest.mark.parametrize("seed", range(1, 11))
def test_sixty_blocks_of_any_seed(
    seed: int, home: dict[str, str], record_property: Callable[[str, object], None]
) -> None:
    result = demo(home, seed, blocks=60)
    assert result["landed"] >= 20
    assert result["reverted"] == 0
    assert result["profit_wei"] == result["predicted_profit_wei"]
    assert result["wrong"] == []
    record_property("landed, of submitted", f"{result['landed']}, {result['submitted']}")
    record_property("profit = predicted, wei", result["profit_wei"])
    record_property(
        "seen to handed over, ms: p50, p99", f"{result['latency_ms']['p50']}, {result['latency_ms']['p99']}"
    )


def test_every_landed_bundle_is_in_the_ledger_with_its_submission_before_its_outcome(home: dict[str, str]) -> None:
    result = demo(home, 3)
    with Reader.open(Path(home["MEV_HOME"]) / "ledger.sqlite") as reader:
        entries = reader.entries(result["run"])
    assert len(entries) == result["submitted"]
    for entry in entries:
        assert entry.outcome is not None
        (sent,) = entry.submissions
        assert entry.created_ns <= sent.sent_ns < entry.outcome.ended_ns
        if entry.outcome.reason == "landed":
            assert entry.outcome.realised_profit == entry.predicted_profit > 0
            assert sent.bundle_hash and entry.outcome.block_number == entry.block_number


def submitted(ledger: Path) -> bool:
    """Whether a submission without an outcome stands in the ledger, which may be about to be created."""
    if not ledger.exists():
        return False
    try:
        with Reader.open(ledger) as reader:
            return any(entry.submissions for entry in reader.under_way())
    except LedgerError:
        return False


def killed_in_mid_trade(home: dict[str, str]) -> list[str]:
    """Intents that were under way when the demo was killed."""
    ledger = Path(home["MEV_HOME"]) / "ledger.sqlite"
    bot = subprocess.Popen([*MEV, "demo", "--json"], env=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            assert bot.poll() is None
            if submitted(ledger):
                break
            time.sleep(0.002)
    finally:
        bot.send_signal(signal.SIGKILL)
        bot.wait()
    with Reader.open(ledger) as reader:
        return [entry.id for entry in reader.under_way()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc to see whether a process is gone")
def test_kill_9_leaves_no_anvil_and_the_next_start_names_what_was_under_way(home: dict[str, str]) -> None:
    under_way: list[str] = []
    for _ in range(5):  # an outcome may be recorded between the look and the kill
        under_way = killed_in_mid_trade(home)
        if under_way:
            break
    assert under_way
    records = [msgspec.json.decode(path.read_bytes()) for path in (Path(home["MEV_HOME"]) / "run").glob("*.json")]
    assert records, "the anvil was recorded"
    command = [*MEV, "demo", "--blocks", "1"]
    after = subprocess.run(command, env=home, capture_output=True, text=True, timeout=120, check=False)
    assert after.returncode == 0, after.stderr[-2000:]
    told = " ".join(after.stderr.split())
    assert all(intent in told for intent in under_way)
    assert not any(alive(record["pid"]) for record in records)
    assert not list((Path(home["MEV_HOME"]) / "run").glob("*.json"))
    with Reader.open(Path(home["MEV_HOME"]) / "ledger.sqlite") as reader:
        assert reader.under_way() == []
