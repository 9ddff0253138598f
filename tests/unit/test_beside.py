"""The slow strategies in their own process find what they find here, whatever happened to the market before."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from dataclasses import replace

import pytest
from markets import WETH, header

from bot.amm.pool import Pool
from bot.amm.v2 import V2Pool
from bot.cli.beside import Beside, WorkerFailed
from bot.engine.types import Event, Finding, Hint, Log, NewHead, Opportunity
from bot.market.market import Market
from bot.strategies.gas import GasPolicy
from bot.strategies.registry import BESIDE

FREE = GasPolicy(WETH, base=0, per_hop={"v2": 0, "v3": 0}, in_basket=0)
HEADS = 6


def head(number: int) -> NewHead:
    return NewHead(header(number, f"0x{number}", f"0x{number - 1}"), (), {}, (), number)


def here(market: Market, event: Event) -> list[Finding]:
    return [finding for strategy in BESIDE for finding in strategy(market, FREE).process(event)]


def pools_of(seed: int) -> list[V2Pool]:
    dice = random.Random(seed)
    tokens = [WETH, *(f"0x{number:040x}" for number in range(7, 12))]
    found = []
    for number in range(14):
        token0, token1 = sorted(dice.sample(tokens, 2), key=lambda token: int(token, 16))
        held = 10**20 * dice.randint(1, 10), 10**20 * dice.randint(1, 10)
        found.append(V2Pool(f"0x{1000 + number:040x}", token0, token1, *held))
    return found


def moved(pool: V2Pool, dice: random.Random) -> V2Pool:
    return replace(pool, reserve0=pool.reserve0 + dice.randrange(10**19))


async def test_it_finds_what_is_found_here() -> None:
    dice = random.Random(3)
    pools = pools_of(3)
    market = Market([WETH])
    market.add(pools)
    beside = Beside(market, FREE)
    found = 0
    try:
        for number in range(1, HEADS):
            market.anchor(head(number).header)
            work = beside.begin(head(number))
            assert work is not None
            expected = here(market, head(number))
            market.add(moved(pool, dice) for pool in dice.sample(pools, 4))  # nothing that comes later matters
            assert list(await work) == expected
            found += len(expected)
            hint = Hint(f"0xhint{number}", (Log(pools[0].id, ("0x" + "00" * 32,), b""),), (), 5)
            work = beside.begin(hint)
            assert work is not None
            assert list(await work) == here(market, hint)
            market.remove([pools[number].id], "gone")
    finally:
        await beside.close()
    assert found > HEADS


async def test_an_old_head_is_not_searched_when_there_is_a_newer_one() -> None:
    market = Market([WETH])
    market.add(pools_of(3))
    beside = Beside(market, FREE)
    try:
        works = []
        for number in (1, 2, 3):
            market.anchor(head(number).header)
            works.append(beside.begin(head(number)))
        old, older, new = await asyncio.gather(*[work for work in works if work is not None])
        assert (old, older) == ([], [])
        assert {one.block_number for one in new if isinstance(one, Opportunity)} == {4}
    finally:
        await beside.close()


async def test_a_process_that_is_killed_is_started_anew_with_the_whole_market() -> None:
    market = Market([WETH])
    market.add(pools_of(4))
    market.anchor(head(1).header)
    beside = Beside(market, FREE)
    try:
        work = beside.begin(head(1))
        assert work is not None
        expected = here(market, head(1))
        assert list(await work) == expected
        assert beside._worker is not None
        os.kill(beside._worker.pid, signal.SIGKILL)
        work = beside.begin(head(1))
        assert work is not None
        with pytest.raises(WorkerFailed):
            await work
        work = beside.begin(head(1))
        assert work is not None
        assert list(await work) == expected != []
    finally:
        await beside.close()


async def test_what_fails_inside_says_why() -> None:
    market = Market([WETH])
    market.add(pools_of(4))
    market.anchor(head(1).header)
    beside = Beside(market, FREE)
    try:
        broken: Pool = replace(pools_of(4)[0], fee_num=None)  # type: ignore[arg-type]
        work = beside.begin(head(1))
        assert work is not None
        await work
        market._pools[0] = broken
        work = beside.begin(head(1))
        assert work is not None
        with pytest.raises(WorkerFailed, match="TypeError"):
            await work
    finally:
        await beside.close()
