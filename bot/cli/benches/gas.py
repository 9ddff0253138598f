"""``mev bench gas``: each trade of the gas world by the executor's route, by its steps without a book, and by
straight-line code that can do nothing else, the floor.

The floors of Morpho and Aave have a standing allowance, which the executor never has; their floor with one that is
given in the transaction stands beside (``floor, approving``).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from bot.cli.benches.gas_programs import book_of, route, steps
from bot.cli.benches.result import Result
from bot.devnet.deployment import account
from bot.devnet.gas.rows import Row, Way
from bot.devnet.gas.world import GasWorld, Measured
from bot.execution.book import Book, deploy_data
from bot.execution.codec import pack
from bot.execution.executor import set_operator
from bot.paths import data_dir

GOALS = {
    "A2": 130_900,
    "B3": 181_300,
    "C23": 139_800,
    "C32": 141_000,
    "FS-last 2": 131_300,
    "FS-last 3": 181_700,
    "FS-first 2": 137_500,
    "Morpho": 151_500,
    "Uniswap v4": 152_500,
    "Balancer v2": 163_500,
    "Uniswap v3 flash": 174_000,
    "Uniswap v2 third pool": 184_500,
    "Aave v3.0.2": 256_500,
}
"""Gas of the whole transaction that a trade should not exceed."""


def run() -> list[Result]:
    """Measures every row. Raises UserError before `make setup`."""
    return asyncio.run(_measure())


@dataclass(frozen=True, slots=True)
class _Executors:
    """``own`` has 5 WETH, the others dust of each token; ``plain`` has no book. ``operator`` may trade with ``own``."""

    book: Book
    own: str
    borrowing: str
    plain: str
    operator: str


async def _measure() -> list[Result]:
    async with GasWorld(data_dir()) as world:
        executors = await _deploy(world)
        return [await _row(world, row, executors) for row in world.rows.values()]


async def _deploy(world: GasWorld) -> _Executors:
    book = book_of(world.weth, world.rows.values())
    with_book = deploy_data(world.sender, world.weth, book)
    own, borrowing = await world.deploy(with_book), await world.deploy(with_book)
    plain = await world.deploy(deploy_data(world.sender, world.weth))
    await world.fund(own)
    await world.fund(borrowing, weth=1)
    await world.fund(plain)
    operator = account(1).address.lower()
    await world.call(own, set_operator(operator, True))
    return _Executors(book, own, borrowing, plain, operator)


async def _row(world: GasWorld, row: Row, executors: _Executors) -> Result:
    at = executors.own if row.way is Way.OWN else executors.borrowing
    program = pack(route(row), executors.book)
    written_out = pack(steps(row))
    floor = await world.floor(row)
    floor_listed = await world.floor(row, await world.floor_access_list(row))
    ours = await world.measure(at, program)
    listed = await world.measure(at, program, access_list=await world.access_list(at, program))
    by_operator = await world.measure(executors.own, program, sender=executors.operator)
    plain = await world.measure(executors.plain, written_out)
    details: dict[str, float] = {
        "calldata bytes": len(program),
        "access list": listed.gas,
        "floor, access list": floor_listed.gas,
        "by operator": by_operator.gas,
        "steps, no book": plain.gas,
        "their bytes": len(written_out),
    }
    if approving := world.variants.get(f"{row.name}, approving"):
        details["floor, approving"] = (await world.floor(approving)).gas
    return Result(
        bench="gas",
        name=row.name,
        value=ours.gas,
        unit="gas",
        peer="floor",
        peer_value=floor.gas,
        checked=_same(row, floor, floor_listed, ours, listed, by_operator, plain),
        goal=GOALS.get(row.name),
        details=details,
    )


def _same(row: Row, *measured: Measured) -> bool:
    return all(each.success and each.gained == row.profit for each in measured)
