"""What was really earned in recorded blocks (tests/cases, one a file), ``mev replay`` finds and takes."""

from __future__ import annotations

import gzip
import io
import json
import tomllib
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from recorded import cassette_path

from bot.cli import replay_executor
from bot.cli.main import run
from bot.cli.replay_block import replay
from bot.engine.types import Hop, Trade
from bot.execution.program import Capital
from bot.paths import repo_root
from bot.simulation.cassette import load

CASES = [tomllib.loads(path.read_text()) for path in sorted((repo_root() / "tests" / "cases").glob("*.toml"))]
BLOCKS = sorted({case["block"] for case in CASES})

TRICRYPTO = "0xd51a44d3fae010294c616388b506acda1bfaae46"
ETH_USDT = "0x2287a9620adcbf6250dc71be9ee9b2d3a1ec85a464fc6f5c06669e8d07b61bba"  # v4
WITH_OTHERS: dict[int, dict[tuple[int, str], int]] = {
    13217637: {(1, TRICRYPTO): 2 * 10**17, (2, TRICRYPTO): 10**13},
    24628607: {(0, ETH_USDT): 9 * 10**14},
}
"""By block: where a cycle through a pool that is neither v2 nor v3 opens, and wei that it gains at least."""


@cache
def replayed(block: int) -> dict[str, Any]:
    """The line that is told of a block."""
    out = io.StringIO()
    with redirect_stdout(out):
        assert run(["replay", str(cassette_path(block)), "--json"]) == 0
    (line,) = map(json.loads, out.getvalue().splitlines())
    return line  # type: ignore[no-any-return]


def gas_of(block: int, index: int) -> int:
    """What a recorded transaction used."""
    return int(json.loads(gzip.decompress(cassette_path(block).read_bytes()))["replayReceipts"][index]["gasUsed"], 16)


def test_most_of_what_was_earned_costs_us_less() -> None:
    assert len(CASES) == 5
    assert sum(not case["ours_costs_more"] for case in CASES) >= 3


@pytest.mark.parametrize("block", BLOCKS)
def test_earned_profits_are_found_and_realised(block: int, record_property: Callable[[str, object], None]) -> None:
    line = replayed(block)
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
    for (index, pool), least in WITH_OTHERS.get(block, {}).items():
        gains = [
            find["realised_profit_wei"]
            for find in line["opportunities"]
            if pool in find["pools"] and find["index"] == find["open_from"] == index
        ]
        assert max(gains) >= least
        record_property(f"block {block}, index {index}, through {pool[:8]}: wei", max(gains))
    listed = [(found["index"], -found["gross_profit_wei"]) for found in line["opportunities"]]
    assert listed == sorted(listed)


def test_what_the_record_is_too_short_for_is_made_smaller() -> None:
    """The best size leaves the tick, and so writes an observation's slot that the block never touched."""
    line = replayed(24628607)
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


def test_a_trade_pays_for_itself_where_a_pool_pays_first() -> None:
    for kinds, expected in (
        ("curve v4 weth", Capital.OWN),
        ("v4 v2 weth", Capital.NESTED),
        ("v3 curve", Capital.NESTED),
    ):
        route = tuple(Hop("", kind, "", "") for kind in kinds.split())
        assert replay_executor.capital(Trade(route, (1,) * (len(route) + 1))) is expected


async def test_a_trade_may_begin_with_money_of_its_own() -> None:
    """So it must where no pool pays first; here every trade does, with the same result."""
    cassette = load(cassette_path(15537394))
    reports = [await replay(cassette)]
    chosen = [replay_executor.capital(find.window.trade) for find in reports[0].finds]
    assert chosen and set(chosen) == {Capital.NESTED}
    with patch.object(replay_executor, "capital", return_value=Capital.OWN):
        reports.append(await replay(cassette))
    nested, own = ([(find.index, find.window, find.realised) for find in report.finds] for report in reports)
    assert own == nested
    assert not reports[1].rejected


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
