"""The gas world: straight-line code costs what was measured before, and does the trades that it is said to do."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.abi import call
from bot.devnet.gas.bytecode import Call, Frame, assemble
from bot.devnet.gas.floors import floor_code
from bot.devnet.gas.rows import EMPTY_LOAN, REFERENCE
from bot.devnet.gas.world import BORROWING, OWNING, GasWorld
from bot.paths import data_dir

TOLERANCE = 0.003
SAVED = {"A2": 2_100, "B3": 3_100, "C23": 2_000, "C32": 2_000, "FS-last 2": 2_100}
"""Row to the gas that an access list saves."""


@pytest.fixture
async def world() -> AsyncIterator[GasWorld]:
    async with GasWorld(data_dir()) as made:
        yield made


async def test_floors(world: GasWorld) -> None:
    assert list(world.rows) == list(REFERENCE)
    for name, row in world.rows.items():
        measured = await world.floor(row)
        assert measured.success and row.profit > 0, name
        assert measured.gained == row.profit, name
        assert measured.gas == pytest.approx(REFERENCE[name], rel=TOLERANCE), name


async def test_empty_loans(world: GasWorld) -> None:
    assert list(world.empty_loans) == list(EMPTY_LOAN)
    for name, row in world.empty_loans.items():
        measured = await world.floor(row)
        assert measured.success and measured.gained == row.profit <= 0, name
        assert measured.gas == pytest.approx(EMPTY_LOAN[name], rel=TOLERANCE), name


async def test_variants_cost_what_they_add_or_leave_out(world: GasWorld) -> None:
    """An allowance given and used up; a transfer less."""
    for name, row in world.variants.items():
        base = await world.floor(world.rows[name.split(",")[0]])
        measured = await world.floor(row)
        assert measured.success and measured.gained == row.profit, name
        low, high = (3_000, 4_000) if name.endswith("approving") else (-4_000, -3_000)
        assert low < measured.gas - base.gas < high, name


async def test_access_lists(world: GasWorld) -> None:
    for name, saved in SAVED.items():
        row = world.rows[name]
        plain = await world.floor(row)
        listed = await world.floor(row, await world.floor_access_list(row))
        assert listed.success and listed.gained == plain.gained
        assert plain.gas - listed.gas == saved, name


async def test_what_is_measured_is_undone(world: GasWorld) -> None:
    row = world.rows["A2"]
    first = await world.floor(row)
    held = await world.balance(world.weth, OWNING)
    assert await world.floor(row) == first
    assert await world.balance(world.weth, OWNING) == held


async def test_a_refused_call_refuses_all(world: GasWorld) -> None:
    """Twice as much asked of the last pool as it gives; then WETH that is not there."""
    row = world.rows["FS-last 2"]
    code = floor_code(row, BORROWING)
    greedy = code.replace(
        row.legs[-1].amount_out.to_bytes(32, "big"), (2 * row.legs[-1].amount_out).to_bytes(32, "big")
    )
    assert greedy != code
    for at, bad in ((BORROWING, greedy), (BORROWING, floor_code(world.rows["A2"], BORROWING))):
        measured = await world.measure(at, code=bad)
        assert not measured.success and measured.gained == 0


async def test_others_are_deployed_funded_and_measured(world: GasWorld) -> None:
    token = world.weth
    runtime = assemble(Frame((Call(token, call("transfer(address,uint256)", world.sender, 7)),)))
    made = await world.deploy(b"\x61" + len(runtime).to_bytes(2, "big") + bytes.fromhex("80600a3d393df3") + runtime)
    assert not (await world.measure(made)).success
    await world.fund(made, weth=100)
    assert [await world.balance(each, made) for each in (world.weth, world.a, world.b)] == [100, 1, 1]
    plain = await world.measure(made, b"\1\0")
    assert (plain.success, plain.gained) == (True, -7)
    assert plain.gas - (await world.measure(made)).gas == 20  # a byte that is not zero, and one that is
    listed = await world.measure(made, access_list=await world.access_list(made))
    assert listed.success
