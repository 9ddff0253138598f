"""``mev bench gas``: what each trade costs, against its goal. Gas is no time: the same run gives the same figures."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.cli.benches.gas import run
from bot.cli.benches.result import Result
from bot.devnet.gas.rows import REFERENCE

BEYOND = {"Morpho", "Aave v3.0.2"}
"""Goals that only a standing allowance reaches: the lender's floor with one that is given in the transaction is above
the goal, or less than the executor's own cost below."""


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    return {result.name: result for result in run()}


def test_every_trade_is_measured_and_gains_what_the_floor_gains(results: dict[str, Result]) -> None:
    assert set(results) == set(REFERENCE)
    assert all(result.checked for result in results.values())


def test_goals(results: dict[str, Result], record_property: Callable[[str, object], None]) -> None:
    missed = {name for name, result in results.items() if result.goal is not None and result.value > result.goal}
    assert missed == BEYOND
    for result in results.values():
        record_property(f"gas, {result.name}: ours, floor", f"{result.value}, {result.peer_value}")


def test_no_trade_costs_more_than_its_floor_and_four_thousand(results: dict[str, Result]) -> None:
    for result in results.values():
        floor = result.details.get("floor, approving", result.peer_value)
        assert result.value - floor < 4_000, result.name
        assert result.details["calldata bytes"] <= 120


def test_an_access_list_saves_what_it_saves_the_floor(results: dict[str, Result]) -> None:
    for result in results.values():
        saved = result.value - result.details["access list"]
        assert saved >= 2_000, result.name
        if result.name not in BEYOND:
            assert saved == result.peer_value - result.details["floor, access list"], result.name
