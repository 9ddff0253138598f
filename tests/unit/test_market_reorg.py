"""After any reorganisation the market is what it would be, had it only ever seen the chain that stands."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import SPACING, TOKENS, WETH, address, header, log_for, pools

from bot.abi import encode
from bot.amm.pool import Pool, UnknownState
from bot.amm.v2 import V2Pool
from bot.amm.v3 import BURN, MINT, V3Pool
from bot.amm.vaults import DEPOSIT, VaultPool
from bot.engine.types import Header, Log, Route
from bot.market.kernels import NONE
from bot.market.market import DEPTH, Market

DEEPEST = 10
GENESIS = header(0, "0x0", "0x")


@dataclass
class Change:
    """What was done to the market besides following: pools read (anew), or taken out."""

    read: list[Pool] = field(default_factory=list)
    removed: dict[str, str] = field(default_factory=dict)

    def apply(self, market: Market) -> None:
        market.add(self.read)
        for pool, why in self.removed.items():
            market.remove([pool], why)


@dataclass
class Block:
    """A block of the chain, and what was done at it."""

    header: Header
    logs: list[Log] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


Seen = tuple[dict[str, Pool], dict[str, str], dict[tuple[str, str, str], float], set[Route]]


def seen(market: Market) -> Seen:
    """All that can be seen of a market, whatever order its pools came in."""
    arrays, graph = market.arrays, market.graph
    with arrays.patched({}):
        rows = arrays.open_cycles()
    rates = {
        (hop.pool, hop.token_in, hop.token_out): rate
        for hop, rate in zip(graph.hops, arrays.rates.tolist(), strict=False)
        if rate > -1e9
    }
    cycles = {graph.route(tuple(leg for leg in row if leg != NONE)) for row in rows.tolist()}
    assert len(cycles) == len(rows)
    return market.pools(), dict(market.unknown), rates, cycles


def rebuilt(first: list[Pool], chain: list[Block]) -> Market:
    """From nothing, over the chain that stands."""
    market = Market([WETH, TOKENS[1]], 4)
    market.add(first)
    market.anchor(chain[0].header)
    for block in chain:
        if block is not chain[0]:
            market.follow(block.header, block.logs)
        for change in block.changes:
            change.apply(market)
    return market


@st.composite
def any_pool(draw: st.DrawFn, number: int) -> Pool:
    """One in five moves without logs."""
    if draw(st.integers(0, 4)):
        return draw(pools(number, 10**3, 10**9))
    side = number % 2
    return VaultPool(TOKENS[3 + side], TOKENS[side], draw(st.integers(1, 10**9)), draw(st.integers(1, 10**9)))


def a_log(pool: Pool, dice: random.Random) -> Log:
    """Something that moves the pool, or that nobody can follow."""
    amount, who = dice.randint(1, 10**6), "0x" + encode(WETH).hex()
    if isinstance(pool, VaultPool):
        return Log(pool.id, (DEPOSIT, who, who), encode(amount) + encode(amount))
    if dice.random() < 0.1:
        return Log(pool.id, (), b"")
    if isinstance(pool, V3Pool) and (pool.liquidity < 0 or dice.random() < 0.6):
        lower = dice.randint(-50, 48) * SPACING
        ends = tuple("0x" + encode(tick).hex() for tick in (lower, lower + SPACING * dice.randint(1, 40)))
        if dice.random() < 0.5:
            return Log(pool.id, (MINT, who, *ends), encode(WETH) + encode(amount) + bytes(64))
        return Log(pool.id, (BURN, who, *ends), encode(amount) + bytes(64))
    return log_for(pool, amount)


def a_change(market: Market, values: list[Pool], later: list[Pool], dice: random.Random) -> Change:
    """A pool that comes in, is read anew, or taken out."""
    kind, known = dice.randrange(3), list(market.pools())
    if kind == 0 and later:
        return Change(read=[later.pop()])
    if kind == 1 and known:
        return Change(removed={dice.choice(known): "taken out"})
    return Change(read=[dice.choice(values)])


@settings(deadline=None, max_examples=5_000 if os.environ.get("MEV_VERIFY") else 150)
@given(st.lists(st.integers(0, 99), min_size=2, max_size=8, unique=True), st.integers(0, 2**32), st.data())
def test_state_after_any_reorganisation_is_the_state_rebuilt_from_nothing(
    numbers: list[int], seed: int, data: st.DataObject
) -> None:
    drawn = [data.draw(any_pool(number)) for number in numbers]
    dice = random.Random(seed)
    first, later = drawn[: len(drawn) // 2 + 1], drawn[len(drawn) // 2 + 1 :]
    values = {pool.id: pool for pool in first}  # by id, some value that the pool once had
    chain, serial = [Block(GENESIS)], 0
    market = rebuilt(first, chain)
    for _ in range(dice.randint(1, 5)):
        back = dice.randint(0, min(DEEPEST, len(chain) - 1))
        del chain[len(chain) - back :]
        for _ in range(dice.randint(1, DEEPEST)):
            serial += 1
            parent = chain[-1].header
            logs = [a_log(dice.choice(list(values.values())), dice) for _ in range(dice.randint(0, 4))]
            block = Block(header(parent.number + 1, hex(serial), parent.hash), logs)
            chain.append(block)
            market.follow(block.header, block.logs)
            values |= market.pools()
            if dice.random() < 0.3:
                block.changes.append(a_change(market, list(values.values()), later, dice))
                block.changes[-1].apply(market)
                values |= market.pools()
        fresh = rebuilt(first, chain)
        now, should = seen(market), seen(fresh)
        assert now[0] == should[0]
        undone = now[1].keys() - should[1].keys()
        assert all("came back" in now[1][pool] for pool in undone)
        assert {pool: why for pool, why in now[1].items() if pool not in undone} == should[1]
        assert now[2:] == should[2:]
        assert market.head == chain[-1].header
        assert set(fresh.silent) <= set(market.silent)


def test_a_reorganisation_deeper_than_what_is_kept_changes_nothing() -> None:
    market = Market([WETH])
    market.add([V2Pool(address(0), WETH, TOKENS[1], 10**6, 10**6)])
    market.anchor(GENESIS)
    for number in range(1, DEPTH + 2):
        market.follow(header(number, hex(number), hex(number - 1)), [log_for(market.pools()[address(0)], number)])
    before = seen(market)
    with pytest.raises(UnknownState):
        market.follow(header(1, "0xff", "0x0"), [])
    assert seen(market) == before
