"""VaultPool and WethPool against real code: what deposit, redeem, wrapping and unwrapping give is what is quoted."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from contextlib import suppress

import pytest
from evm_node import EvmReader
from recorded import cassette_path, needs_recordings
from vaults_evm import BLOCK, HOLDER, OTHER, SUSDE, VESTING_PERIOD, Reverted, VaultWorld

from bot import abi
from bot.amm.pool import NoLiquidity, Pool, UnknownState
from bot.amm.vaults import ETH, VaultPool, WethPool
from bot.chain.readers.vaults import Vaults, Weth
from bot.chain.state_reader import StateReader
from bot.devnet.artifacts import Artifact
from bot.simulation.anvil import Anvil
from bot.simulation.cassette_server import CassetteServer

WORLDS = 175 if os.environ.get("MEV_VERIFY") == "1" else 3
FILLS, SWAPS_A_FILL = 10, 20
READER = Vaults()
BLOCK_TIME = 0x664F21DF
NAMES = [pytest.param("openzeppelin"), *(pytest.param(name, marks=needs_recordings) for name in ("ethena", "vthor"))]


def refill(world: VaultWorld, dice: random.Random) -> None:
    """Other totals; of Ethena's some that is still vesting, with or without a queue for shares."""
    most = 10**24 if world.name == "vthor" else 10**30
    supply = dice.choice((10**18, dice.randint(10**18, most), dice.randint(10**18, 10**22)))
    assets = int(supply * dice.choice((1.0, dice.uniform(1, 3), dice.uniform(0.01, 1)))) + dice.choice((0, 0, 1))
    world.fill(assets, supply)
    if world.name == "ethena":
        world.at(world.time + dice.randint(1, 100_000))
        since = world.time - dice.choice((0, dice.randint(0, VESTING_PERIOD), 2 * VESTING_PERIOD))
        world.vest(dice.choice((0, dice.randint(0, assets // 2))), since, dice.choice((0, 0, 7 * 86_400)))


async def read(world: VaultWorld) -> VaultPool:
    node = EvmReader(world.evm, world.time)
    infos = await READER.identify(node, [world.asset, world.vault])
    assert [info.tokens for info in infos] == [(world.asset, world.vault)]
    (pool,) = (await READER.load(node, infos, None)).pools.values()
    assert isinstance(pool, VaultPool) and pool.silent
    return pool


def size_of(dice: random.Random, pool: VaultPool, deposit: bool) -> int:
    held = max(1, pool.assets if deposit else pool.shares)
    return dice.choice(
        (1, 2, dice.randint(1, held), dice.randint(1, held), held, dice.randint(1, 10 ** dice.randint(1, 30)))
    )


def check_swap(world: VaultWorld, pool: VaultPool, dice: random.Random) -> VaultPool | None:
    """The pool after a swap on which quote and vault agree, None where there is none."""
    deposit = dice.random() < 0.5
    i, j = (0, 1) if deposit else (1, 0)
    size = size_of(dice, pool, deposit)
    if not pool.assets or not pool.shares:
        with pytest.raises(UnknownState):
            pool.quote_in(i, j, size)
        return None
    if dice.random() < 0.5:  # the least for what a size gives
        try:
            size = pool.quote_out(i, j, max(1, size // 2))
        except NoLiquidity:
            return None
    try:
        quote = pool.quote_in(i, j, size)
    except NoLiquidity:
        with suppress(Reverted):
            assert world.swap(deposit, size)[0] == 0, (pool, deposit, size)
        return None
    if size > 10**26 and world.name == "vthor":  # its tokens cannot count so many votes
        return None
    if size > world.uint(world.asset if deposit else world.vault, "balanceOf(address)", HOLDER):
        return None
    real, logs = world.swap(deposit, size)
    assert quote == real, (pool, deposit, size)
    least = pool.quote_out(i, j, quote)
    assert least <= size and pool.quote_in(i, j, least) == quote
    for log in logs:
        pool = pool.apply(log)
    return pool


@pytest.mark.parametrize("name", NAMES)
async def test_every_deposit_and_redemption_equals_the_bytecode(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    dice, done, filled = random.Random(name), 0, 0
    for fill in range(WORLDS * FILLS):
        if fill % FILLS == 0:
            world = VaultWorld(name)
        refill(world, dice)
        pool = await read(world)
        for _ in range(SWAPS_A_FILL):
            before = world.evm.snapshot()
            after = check_swap(world, pool, dice)
            done += 1
            if after is None:
                world.evm.revert(before)
            else:
                filled, pool = filled + 1, after
        if world.uint(world.vault, "totalSupply()"):
            assert await read(world) == pool
    record_property("deposits and redemptions, of which filled, 0 differences", f"{done}, {filled}")
    assert filled > done // 4


@needs_recordings
async def test_shares_that_wait_cannot_be_redeemed() -> None:
    world = VaultWorld("ethena")
    world.fill(10**24, 10**24)
    world.vest(0, 0, 86_400)
    pool = await read(world)
    with pytest.raises(NoLiquidity):
        pool.quote_in(1, 0, 10**18)
    with pytest.raises(Reverted):
        world.swap(False, 10**18)
    assert pool.quote_in(0, 1, 10**18) == world.swap(True, 10**18)[0]


@needs_recordings
def test_a_recorded_deposit_and_redemption_are_quoted_exactly() -> None:
    """Transactions 42 and 197 of the block, by their logs. No record says whether Ethena's shares wait, so that they
    are not taken for redeemable; vTHOR's code has no such thing."""

    async def find() -> dict[str, Pool]:
        with CassetteServer(cassette_path(BLOCK)) as url:
            async with Anvil(fork_url=url, fork_block=BLOCK - 1, chain_id=1, args=("--accounts", "0")) as node:
                await node.rpc.call("evm_setNextBlockTimestamp", BLOCK_TIME)  # Ethena's assets vest with time
                await node.rpc.call("evm_mine")
                reader = StateReader(node.rpc, BLOCK)
                return (await READER.load(reader, await READER.identify(reader, [SUSDE, OTHER]), None)).pools

    pools = asyncio.run(find())
    assert pools[SUSDE].quote_in(0, 1, 53_288_281084875032798469) == 49_995_935904503365686722
    assert pools[OTHER].quote_in(1, 0, 367_121200718931137705) == 728_551132082812401091
    with pytest.raises(UnknownState):
        pools[SUSDE].quote_in(1, 0, 10**18)


async def test_what_the_vault_lent_out_is_not_taken_for_payable() -> None:
    """One whose total is more than it holds."""
    world = VaultWorld("openzeppelin")
    world.fill(10**24, 10**24)
    node = EvmReader(world.evm, world.time)
    (info,) = await READER.identify(node, [world.vault])
    real = node.batch

    async def lent(calls: object) -> object:
        question = {"to": world.asset, "data": abi.to_hex(abi.call("balanceOf(address)", world.vault))}
        pairs = zip(calls, await real(calls), strict=True)  # type: ignore[arg-type, call-overload]
        return [abi.to_hex(abi.encode(7)) if call[1][0] == question else answer for call, answer in pairs]

    node.batch = lent  # type: ignore[method-assign, assignment]
    (pool,) = (await READER.load(node, [info], None)).pools.values()
    assert pool.quote_in(0, 1, 10**18) == 10**18
    with pytest.raises(UnknownState):
        pool.quote_in(1, 0, 10**18)


async def test_a_plain_token_is_no_vault_and_only_weth_is_weth() -> None:
    world = VaultWorld("openzeppelin")
    weth = world.weth()
    world.fill(10**24, 10**24)
    node = EvmReader(world.evm, world.time)
    assert [info.id for info in await READER.identify(node, [world.asset, weth, world.vault])] == [world.vault]
    infos = await Weth().identify(node, [world.asset, weth, world.vault, HOLDER])
    assert [(info.id, info.tokens) for info in infos] == [(weth, (ETH, weth))]
    assert (await Weth().load(node, infos, None)).pools == {weth: WethPool(weth)}


def test_weth_gives_one_for_one() -> None:
    world, amount = VaultWorld("openzeppelin"), 12_345 * 10**15 + 1
    weth = world.weth()
    pool = WethPool(weth)
    eth = world.evm.get_balance(HOLDER)
    world.send(weth, "deposit()", value=amount)
    assert (
        world.uint(weth, "balanceOf(address)", HOLDER)
        == pool.quote_in(0, 1, amount)
        == eth - world.evm.get_balance(HOLDER)
    )
    world.send(weth, "withdraw(uint256)", amount)
    assert world.evm.get_balance(HOLDER) == eth and pool.quote_in(1, 0, amount) == amount


def test_the_artifact_of_weth_is_there() -> None:
    assert Artifact("canonical-weth/build/contracts/WETH9.json").file.is_file()
