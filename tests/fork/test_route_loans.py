"""Routes of every form, and every lender of the book, against the real pools of the gas world; and what a route may not
get away with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio

from bot.abi import call, selector, uint
from bot.devnet.deployment import DevPool
from bot.devnet.gas.rows import Lender, Row, Way
from bot.devnet.gas.scene import DUST, IN
from bot.devnet.gas.world import GasWorld, Measured
from bot.devnet.protocols import aave, balancer, morpho, uniswap_v4
from bot.engine import decode
from bot.execution.book import Book, Entry, Kind, deploy_data
from bot.execution.codec import pack
from bot.execution.steps import Form, Route, V2Hop
from bot.paths import data_dir
from bot.simulation.node import simulate
from bot.simulation.types import BlockContext, Call

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROTOCOLS = {
    Lender.MORPHO: morpho.MORPHO,
    Lender.V4: uniswap_v4.MANAGER,
    Lender.BALANCER: balancer.VAULT,
    Lender.AAVE: aave.POOL,
}
NOT_IN_BOOK, BELOW_PROMISE = "NotInBook()", "BelowPromise(uint256,uint256)"
BEYOND = 200
"""An index that no entry has."""


@dataclass(frozen=True)
class Bench:
    """The gas world with executors: ``executor`` with ``book`` behind its code, ``bare`` without one, ``unpromised``
    with one whose kinds are all OTHER, ``doubted`` with one that is not sure of the pools that rows end with. They
    hold a wei of WETH; ``rich`` is like the first and has twice IN more, as ``unpromised`` and ``doubted`` have."""

    world: GasWorld
    book: Book
    executor: str
    rich: str
    bare: str
    unpromised: str
    doubted: str

    def route(self, name: str) -> Route:
        """The row's trade."""
        return route_of(self.world.rows[name], self.world.pools.v3)

    async def run(self, route: Route, *, at: str | None = None) -> Measured:
        """A transaction, undone afterwards."""
        return await self.world.measure(at or self.executor, pack(route, self.book))

    async def refuses(self, route: Route, *, at: str | None = None, reason: str = "") -> None:
        """It reverts, with this error of the executor if one is given; its bytes are those of the route in ``book``,
        whatever the executor has."""
        call = Call(self.world.sender, at or self.executor, pack(route, self.book))
        (result,) = await simulate(self.world.node.rpc, [call], await self.block())
        assert not result.success
        assert selector(reason) in result.output if reason else True, result.output.hex()

    async def block(self) -> BlockContext:
        """The next one."""
        head = decode.header(await self.world.node.rpc.call("eth_getBlockByNumber", "latest", False))
        return BlockContext(head.number + 1, head.timestamp + 12, head.base_fee, head.coinbase, head.gas_limit)


def route_of(row: Row, v3: str) -> Route:
    """A row's trade as a route."""
    hops = tuple(V2Hop(leg.pool, leg.zero_for_one, leg.amount_out) for leg in row.legs if leg.kind == "v2")
    first, last = row.legs[0], row.legs[-1]
    match row.way:
        case Way.OWN:
            return Route(Form.OWN, IN, hops)
        case Way.FLASH_LAST:
            return Route(Form.LAST, IN, hops[:-1], last.pool, last.amount_out)
        case Way.NESTED if last.pool == v3:
            return Route(Form.LAST, IN, hops, last.pool, last.amount_out)
        case Way.NESTED:
            return Route(Form.FIRST, IN, hops, first.pool)
        case Way.FLASH_FIRST:
            return Route(Form.LOAN, IN, hops[1:], first.pool, first.amount_out)
        case Way.LOAN:
            assert row.loan is not None
            return Route(Form.LOAN, IN, hops, row.loan.address, IN + row.loan.fee)


def book_of(world: GasWorld) -> Book:
    """The world's pools and everyone who lends there."""
    at, weth, a, b = world.pools, world.weth, world.a, world.b
    v2 = [(at.v2_dear, weth, a), (at.v2_even, weth, a), (at.v2_ab, a, b), (at.v2_b, weth, b)]
    pools = [DevPool("v2", "", pool, token0, token1, 3000) for pool, token0, token1 in v2]
    pools.append(DevPool("v3", "", at.v3, weth, a, 3000))
    kinds = (Kind.LENDER_MORPHO, Kind.LENDER_V4, Kind.LENDER_BALANCER_V2, Kind.LENDER_AAVE_V3)
    lenders = list(zip(PROTOCOLS.values(), kinds, strict=True))
    lenders += [(at.v2_third, Kind.LENDER_V2_WETH_0), (at.v3_third, Kind.LENDER_V3_WETH_0)]
    return Book.of(weth, pools, lenders, (weth,))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench() -> AsyncIterator[Bench]:
    async with GasWorld(data_dir()) as world:
        book = book_of(world)
        nothing = Book(tuple(Entry(entry.address) for entry in book.entries))
        ends = (world.pools.v2_even, world.pools.v2_b, world.pools.v3)
        doubt = Book(tuple(Entry(entry.address) if entry.address in ends else entry for entry in book.entries))
        made = [
            await world.deploy(deploy_data(world.sender, world.weth, each))
            for each in (book, book, Book.EMPTY, nothing, doubt)
        ]
        for executor in made:
            await world.fund(executor, weth=DUST)
        for executor in (made[1], made[3], made[4]):
            await world.fund(executor, weth=2 * IN, dust=0)
        yield Bench(world, book, *made)


ROWS = ["A2", "B3", "FS-last 2", "FS-last 3", "C23", "C32", "FS-first 2", "FS-first 3"]
LOANS = ["Morpho", "Uniswap v4", "Balancer v2", "Uniswap v3 flash", "Uniswap v2 third pool", "Aave v3.0.2"]


# --- what is promised comes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*ROWS, *LOANS])
async def test_a_route_gains_exactly_what_it_promises(bench: Bench, name: str) -> None:
    row, route = bench.world.rows[name], bench.route(name)
    at = bench.rich if row.way is Way.OWN else bench.executor
    measured = await bench.run(route, at=at)
    assert measured.success and measured.gained == row.profit > 0


@pytest.mark.parametrize("name", [*ROWS, *LOANS])
async def test_a_wei_more_out_of_the_last_pair_is_refused(bench: Bench, name: str) -> None:
    """The pools hold what they said; of a v3 anchor the route does."""
    row, route = bench.world.rows[name], bench.route(name)
    at = bench.rich if row.way is Way.OWN else bench.executor
    if route.form is Form.LAST:
        assert route.amount is not None
        await bench.refuses(replace(route, amount=route.amount + 1), at=at)
    if route.anchor == bench.world.pools.v3 and route.form is Form.LAST:
        assert route.amount is not None
        await bench.refuses(replace(route, amount=route.amount + 1), at=at, reason=BELOW_PROMISE)
    await bench.refuses(altered(route, -1, more=1), at=at)


@pytest.mark.parametrize("name", [*ROWS, *LOANS])
async def test_bid_and_deadline(bench: Bench, name: str) -> None:
    """The builder gets its share of just the gain."""
    row, route = bench.world.rows[name], bench.route(name)
    at = bench.rich if row.way is Way.OWN else bench.executor
    bid = replace(route, bid_bps=9_000, deadline=2**31)
    measured = await bench.run(bid, at=at)
    assert measured.success and measured.gained == row.profit - row.profit * 9_000 // 10_000
    await bench.refuses(replace(route, deadline=1), at=at, reason="Expired(uint256)")


async def test_no_allowance_stays(bench: Bench) -> None:
    """Of the lenders that pull."""
    world = bench.world
    block = await bench.block()
    for name in ("Morpho", "Aave v3.0.2"):
        lender = world.rows[name].loan
        assert lender is not None
        trade = Call(world.sender, bench.executor, pack(bench.route(name), bench.book))
        asked = Call(world.sender, world.weth, call("allowance(address,address)", bench.executor, lender.address))
        traded, answered = await simulate(world.node.rpc, [trade, asked], block)
        assert traded.success and uint(answered.output) == 0


# --- what must not come ----------------------------------------------------------------------------------------------


def altered(route: Route, number: int, *, more: int = 0, turn: bool = False, pool: str | None = None) -> Route:
    """The route with one of its pairs changed."""
    hops = list(route.hops)
    hop = hops[number]
    hops[number] = V2Hop(pool or hop.pool, hop.zero_for_one ^ turn, hop.amount_out + more)
    return replace(route, hops=tuple(hops))


@pytest.mark.parametrize("less", [1, IN // 2, IN])
@pytest.mark.parametrize("name", LOANS)
async def test_less_owed_than_borrowed(bench: Bench, name: str, less: int) -> None:
    """What is gained would be counted too high; own WETH does not make it good either."""
    for at in (bench.executor, bench.rich):
        await bench.refuses(replace(bench.route(name), amount=IN - less), at=at, reason=BELOW_PROMISE)


@pytest.mark.parametrize("change", [-1, 1, 10**18])
async def test_aave_is_owed_its_premium_to_the_wei(bench: Bench, change: int) -> None:
    """Less it cannot pull; more would leave an allowance."""
    route = bench.route("Aave v3.0.2")
    assert route.amount is not None
    reason = BELOW_PROMISE if change > 0 else ""
    for at in (bench.executor, bench.rich):
        await bench.refuses(replace(route, amount=route.amount + change), at=at, reason=reason)


@pytest.mark.parametrize("name", ["Uniswap v3 flash", "Uniswap v2 third pool"])
async def test_a_fee_that_is_too_low(bench: Bench, name: str) -> None:
    route = bench.route(name)
    assert route.amount is not None
    for at in (bench.executor, bench.rich):
        await bench.refuses(replace(route, amount=route.amount - 1), at=at)


@pytest.mark.parametrize("name", ["Morpho", "Balancer v2", "Uniswap v4", "Uniswap v3 flash", "Uniswap v2 third pool"])
async def test_more_owed_than_asked_for_is_never_a_gain(bench: Bench, name: str) -> None:
    """Refused, or paid to the lender as a gift; what is gained is never above the truth."""
    route, row = bench.route(name), bench.world.rows[name]
    assert route.amount is not None
    measured = await bench.run(replace(route, amount=route.amount + 1))
    assert not measured.success or measured.gained in (row.profit - 1, row.profit)


@pytest.mark.parametrize("name", [*ROWS, *LOANS])
async def test_the_direction_of_the_last_pair(bench: Bench, name: str) -> None:
    """It would bring the other token."""
    row, route = bench.world.rows[name], bench.route(name)
    at = bench.rich if row.way is Way.OWN else bench.executor
    await bench.refuses(altered(route, -1, turn=True), at=at)
    await bench.refuses(altered(route, 0, turn=True), at=at)


@pytest.mark.parametrize("name", [*ROWS, *LOANS])
async def test_the_last_pair_must_bring_weth(bench: Bench, name: str) -> None:
    """A cycle that ends with the other token, of which there is more than WETH was paid; own WETH pays the rest."""
    route, legs = bench.route(name), {leg.pool: leg for leg in bench.world.rows["B3"].legs}
    dear, ab = (legs[pool] for pool in (bench.world.pools.v2_dear, bench.world.pools.v2_ab))
    into_b = V2Hop(ab.pool, ab.zero_for_one, ab.amount_out // 2)
    match route.form:
        case Form.OWN:
            wrong = replace(route, hops=(V2Hop(dear.pool, dear.zero_for_one, dear.amount_out),))
        case Form.LOAN if name in LOANS:
            wrong = replace(route, hops=(V2Hop(dear.pool, dear.zero_for_one, dear.amount_out),))
        case Form.LAST:  # its anchor is no WETH pool of the book: it swaps WETH for the other token
            row = bench.world.rows["A2"]
            hops = tuple(V2Hop(leg.pool, leg.zero_for_one, leg.amount_out) for leg in row.legs)
            wrong = Route(Form.LAST, IN, hops, bench.world.pools.v3, 1)
            return await bench.refuses(wrong, at=bench.doubted, reason=NOT_IN_BOOK)
        case _:
            wrong = replace(route, hops=(into_b,))
    assert wrong.hops[-1].amount_out > IN
    await bench.refuses(wrong, at=bench.rich, reason=NOT_IN_BOOK)


@pytest.mark.parametrize(
    "name", [name for name in ROWS if name not in ("FS-last 2", "FS-last 3", "C23", "C32")] + LOANS
)
async def test_the_last_pair_must_be_genuine(bench: Bench, name: str) -> None:
    """All goes well, but the book does not vouch for the pair that brings the WETH."""
    await bench.refuses(bench.route(name), at=bench.doubted, reason=NOT_IN_BOOK)


@pytest.mark.parametrize("name", [*ROWS, *LOANS])
async def test_kinds_that_promise_nothing(bench: Bench, name: str) -> None:
    """The same pools, but by the book neither the anchor nor the last pair is genuine."""
    await bench.refuses(bench.route(name), at=bench.unpromised)


@pytest.mark.parametrize("name", [*ROWS, *LOANS])
async def test_no_book(bench: Bench, name: str) -> None:
    await bench.refuses(bench.route(name), at=bench.bare)


@pytest.mark.parametrize("name", [*ROWS, *LOANS])
async def test_an_index_beyond_the_book(bench: Bench, name: str) -> None:
    row, route = bench.world.rows[name], bench.route(name)
    at = bench.rich if row.way is Way.OWN else bench.executor
    beyond = f"book[{BEYOND}]"
    assert bench.book.address(BEYOND) is None
    await bench.refuses(altered(route, -1, pool=beyond), at=at)
    await bench.refuses(altered(route, 0, pool=beyond), at=at)
    if route.anchor is not None:
        await bench.refuses(replace(route, anchor=beyond), at=at)


@pytest.mark.parametrize("lender", [*PROTOCOLS.values(), "v2_third", "v3_third"])
async def test_a_lender_is_no_pair(bench: Bench, lender: str) -> None:
    """By the book it lends; what it brings as the last pair, or as an anchor of pools, counts for nothing."""
    at = getattr(bench.world.pools, lender, lender)
    for name in ("A2", "Morpho", "FS-first 3"):
        await bench.refuses(altered(bench.route(name), -1, pool=at), at=bench.rich)
    for name in ("FS-last 2", "C32"):
        await bench.refuses(replace(bench.route(name), anchor=at), at=bench.rich)


@pytest.mark.parametrize("token", ["weth", "a"])
async def test_a_token_is_no_pool(bench: Bench, token: str) -> None:
    at = getattr(bench.world, token)
    for name in (*ROWS, *LOANS):
        route = bench.route(name)
        await bench.refuses(altered(route, -1, pool=at), at=bench.rich)
        if route.anchor is not None:
            await bench.refuses(replace(route, anchor=at), at=bench.rich)


@pytest.mark.parametrize("name", LOANS)
async def test_a_pair_is_no_lender(bench: Bench, name: str) -> None:
    """As the anchor of a loan a pair sends its other token: what a lender's route says does not fit."""
    route = bench.route(name)
    for pool in (bench.world.pools.v2_b, bench.world.pools.v3, bench.world.pools.v2_ab):
        await bench.refuses(replace(route, anchor=pool), at=bench.rich)


@pytest.mark.parametrize("name", LOANS)
async def test_a_loan_that_loses(bench: Bench, name: str) -> None:
    """The way round through the same pairs loses; own WETH is not spent for it."""
    world = bench.world
    there, back = world.pools.v2_even, world.pools.v2_dear
    hops = (V2Hop(there, True, IN * 1990), V2Hop(back, False, IN * 1990 * 9 // 20000))
    assert hops[-1].amount_out < IN
    await bench.refuses(replace(bench.route(name), hops=hops), at=bench.rich, reason=BELOW_PROMISE)
    await bench.refuses(Route(Form.OWN, IN, hops), at=bench.rich, reason=BELOW_PROMISE)
