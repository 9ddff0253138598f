"""What was really earned in recorded blocks (tests/cases, one a file), ``mev replay`` finds and takes."""

from __future__ import annotations

import gzip
import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from recorded import cassette_path

from bot.cli.main import run
from bot.paths import repo_root

CASES = [tomllib.loads(path.read_text()) for path in sorted((repo_root() / "tests" / "cases").glob("*.toml"))]
BLOCKS = sorted({case["block"] for case in CASES})


def gas_of(block: int, index: int) -> int:
    """What a recorded transaction used."""
    return int(json.loads(gzip.decompress(cassette_path(block).read_bytes()))["replayReceipts"][index]["gasUsed"], 16)


def test_most_of_what_was_earned_costs_us_less() -> None:
    assert len(CASES) == 5
    assert sum(not case["ours_costs_more"] for case in CASES) >= 3


@pytest.mark.parametrize("block", BLOCKS)
def test_earned_profits_are_found_and_realised(
    block: int, capfd: pytest.CaptureFixture[str], record_property: Callable[[str, object], None]
) -> None:
    assert run(["replay", str(cassette_path(block)), "--json"]) == 0
    (line,) = map(json.loads, capfd.readouterr().out.splitlines())
    assert line["block"] == block
    assert line["receipts_root_matches"]
    assert line["transactions"] > line["pools"] > 0
    for found in line["opportunities"]:
        assert found["realised_profit_wei"] == found["gross_profit_wei"] > 0
        assert found["open_from"] <= found["index"] <= found["open_until"]
        assert found["gas"] > 21_000
    for case in (case for case in CASES if case["block"] == block):
        (taken,) = (
            found
            for found in line["opportunities"]
            if found["index"] == case["index"] and set(found["pools"]) == set(case["pools"])
        )
        assert taken["gross_profit_wei"] >= case["least_profit_wei"], case["what"]
        record_property(
            f"block {block}, index {case['index']}: realised = predicted, wei", taken["realised_profit_wei"]
        )
        assert case["original_gas"] == gas_of(block, case["index"])
        assert (taken["gas"] > case["original_gas"]) == case["ours_costs_more"]
        record_property(
            f"block {block}, index {case['index']}: gas, ours and the original's",
            f"{taken['gas']}, {case['original_gas']}",
        )
    listed = [(found["index"], -found["gross_profit_wei"]) for found in line["opportunities"]]
    assert listed == sorted(listed)


def test_what_the_record_is_too_short_for_is_made_smaller(capfd: pytest.CaptureFixture[str]) -> None:
    """The best size leaves the tick, and so writes an observation's slot that the block never touched."""
    assert run(["replay", str(cassette_path(24628607)), "--json"]) == 0
    line = json.loads(capfd.readouterr().out)
    pools = [
        "0xc5c7c2",
        "0x654605",
        "0xc7bbec",
    ]
    found = [
        find
        for find in line["opportunities"]
        if find["index"] in (0, 2) and [pool[:8] for pool in find["pools"]] == pools
    ]
    assert [find["index"] for find in found] == [0, 2]
    for find in found:
        assert find["realised_profit_wei"] == find["gross_profit_wei"] > 5 * 10**15
    assert not any([pool[:8] for pool in failure["pools"]] == pools for failure in line["unknown"])


def test_unknown_rules_are_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    content = json.loads(gzip.decompress(cassette_path(15050000).read_bytes()))
    path = tmp_path / "15050000.json.gz"
    path.write_bytes(gzip.compress(json.dumps(content | {"hardfork": "glamsterdam"}).encode()))
    assert run(["replay", str(path)]) == 2
    (line,) = (line for line in capfd.readouterr().err.splitlines() if "hardfork" in line)
    assert "'glamsterdam'" in line


def test_old_rules_are_named(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", str(cassette_path(15537394))]) == 0
    said = capfd.readouterr().out
    assert "receipts root matches" in said
    assert "under cancun's rules, not paris's" in said


def test_block_that_comes_out_differently_is_not_searched(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    content = json.loads(gzip.decompress(cassette_path(15050000).read_bytes()))
    for account in content["accounts"].values():
        account["balance"] = "0x0"
    path = tmp_path / "15050000.json.gz"
    path.write_bytes(gzip.compress(json.dumps(content).encode()))
    assert run(["replay", str(path), "--json"]) == 1
    line = json.loads(capfd.readouterr().out)
    assert not line["receipts_root_matches"]
    assert line["opportunities"] == []
