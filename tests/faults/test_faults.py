"""Nodes that die, hang, are late, answer garbage, lie, drop messages and close in the middle of them: nothing is lost
or doubled, and the state afterwards is that of a rebuild."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from fault_world import BLOCK_TIME, World, world
from faulty import Tamper, cuts, drops, garbage, hangs, late, lies

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEEDS = range(1, 5) if os.environ.get("MEV_VERIFY") else range(1, 2)
DEPTHS = range(1, 11) if os.environ.get("MEV_VERIFY") else (1, 2, 10)
BLOCKS = 3

Record = Callable[[str, object], None]

FAULTS: dict[str, Callable[[random.Random], Tamper]] = {
    "hangs": lambda rng: hangs(),
    "answers late": lambda rng: late(rng.uniform(0.8, 2.0)),
    "answers garbage": garbage,
    "lies about the head": lies,
    "drops every n-th message": lambda rng: drops(rng.randrange(2, 6)),
    "closes in mid-frame": lambda rng: cuts(rng.randrange(1, 6)),
}
ALL = ["dies", *FAULTS]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def beside() -> AsyncIterator[World]:
    """Another node is up."""
    async with world(1, second=True) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def alone() -> AsyncIterator[World]:
    async with world(2, second=False) as made:
        yield made


async def fail(made: World, fault: str, rng: random.Random) -> None:
    if fault == "dies":
        await made.faulty.die()
    else:
        made.faulty.tamper = FAULTS[fault](rng)


async def through(made: World, blocks: int) -> list[float]:
    """Seconds from each block to the bot's being there."""
    return [await made.reached(await made.build()) for _ in range(blocks)]


def said(seconds: list[float], well: list[float]) -> str:
    return (
        f"{max(seconds):.2f} at most, {sorted(seconds)[len(seconds) // 2]:.2f} median; without a fault {min(well):.2f}"
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("fault", ALL)
async def test_where_another_node_is_up_it_goes_on(
    fault: str, seed: int, beside: World, record_property: Record
) -> None:
    rng = random.Random(f"{fault} {seed}")
    well = await through(beside, 1)
    await fail(beside, fault, rng)
    seconds = await through(beside, BLOCKS)
    await beside.check()
    await beside.faulty.well()
    await through(beside, 1)
    await beside.check()
    record_property(f"node {fault}, another is up: seconds from a block to the bot", said(seconds, well))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("fault", ALL)
async def test_an_only_node_is_caught_up_with(fault: str, seed: int, alone: World, record_property: Record) -> None:
    rng = random.Random(f"alone {fault} {seed}")
    well = await through(alone, 1)
    await fail(alone, fault, rng)
    for _ in range(rng.randrange(2, 5)):
        await alone.build()
        await asyncio.sleep(BLOCK_TIME)
    await alone.faulty.well()
    seconds = [await alone.reached(await alone.build())]
    await alone.check()
    record_property(f"only node {fault}: seconds from its recovery to the bot's", said(seconds, well))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("depth", DEPTHS)
async def test_reorganisations_one_to_ten_deep(depth: int, seed: int, beside: World, record_property: Record) -> None:
    """Also while one of the nodes is dead: blocks undone, blocks in their place, each told once."""
    well = await through(beside, depth + 1)
    if (depth + seed) % 2:
        await beside.faulty.die()
    await beside.net.node.rpc.call("anvil_reorg", depth, [])
    seconds = await through(beside, 1)
    await beside.check()
    await beside.faulty.well()
    record_property(f"reorganisation {depth} deep: seconds from the new block to the bot", said(seconds, well))
