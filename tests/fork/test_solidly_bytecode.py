"""SolidlyPool against Aerodrome's Pool, compiled here from npm: what is quoted goes through, one wei better does not,
both ways to follow a pool agree, and getAmountOut says the same."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache

import pyrevm
import pytest
from pair_world import FACTORY, OWNER, PAIR, TOKEN0, TOKEN1, PairWorld, check_swap

from bot.amm.pool import NoLiquidity
from bot.amm.solidly import FEE_UNIT, Place, SolidlyPool
from bot.chain.readers.solidly import Solidly
from bot.chain.readers.uniswap_v2 import UniswapV2
from bot.chain.state_reader import StateReader
from bot.devnet.artifacts import Source
from bot.jsonrpc import RpcError
from bot.paths import node_modules, repo_root

SWAPS = 100_000 if os.environ.get("MEV_VERIFY") == "1" else 4_000
SWAPS_A_PAIR = 50
PACKAGE = "sphere-mezo-solidity-files"
FOLDER = node_modules() / PACKAGE / "domains/aerodrome/contracts"
SOURCE = Source(
    os.path.relpath(FOLDER, repo_root()),
    ("Pool.sol",),
    "0.8.37",
    {"optimizer": {"enabled": True, "runs": 200}, "evmVersion": "cancun"},
)
PLACE = Place(18, packed=False)  # as compiled with OpenZeppelin 5
BIPS = 10_000
UNITS = (1, 10**2, 10**6, 10**8, 10**18, 10**20)

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"npm's {PACKAGE} is not in node_modules")


@lru_cache
def code() -> bytes:
    """Runtime code of Pool."""
    evm = pyrevm.EVM(spec_id="Cancun")
    made = evm.deploy(OWNER, SOURCE.initcodes()["Pool"])
    return bytes(evm.get_code(made) or b"")


def random_pair(stable: bool, dice: random.Random) -> tuple[PairWorld, SolidlyPool]:
    """A pool of any size, decimals and fee; stable ones more or less in balance."""
    units = dice.choice(UNITS), dice.choice(UNITS)
    size = 10 ** dice.uniform(-6, 9)
    tilt = 10 ** (dice.uniform(-3, 3) * dice.random())
    reserves = int(size * units[0]) + 1, int(size * tilt * units[1]) + 1
    fee = dice.choice((0, 1, 2, 5, 30, 100, 300))
    slots = {2: 10**18, 10: stable << 160, 11: int(TOKEN0, 16), 12: int(TOKEN1, 16), 13: int(OWNER, 16)}
    slots |= {14: int(FACTORY, 16), 15: 1, 16: units[0], 17: units[1], 18: reserves[0], 19: reserves[1]}
    world = PairWorld(code(), slots, reserves, {"getFee(address,bool)": fee})
    pool = SolidlyPool(PAIR, TOKEN0, TOKEN1, *reserves, fee * FEE_UNIT // BIPS, stable, *units, PLACE)
    return world, pool


def size_of(dice: random.Random, pool: SolidlyPool, i: int) -> int:
    held = pool.reserve1 if i else pool.reserve0
    share = int(held * dice.random() ** 8) + 1
    return dice.choice((1, 2, dice.randint(1, held), share, share, dice.randint(1, 10 ** dice.randint(1, 45))))


def holdings(pool: SolidlyPool) -> tuple[tuple[int, int], tuple[int, int]]:
    """What it has of each token, and a whole one."""
    return (pool.reserve0, pool.unit0), (pool.reserve1, pool.unit1)


def as_told(world: PairWorld, pool: SolidlyPool, i: int, amount_in: int) -> bool | None:
    """Whether getAmountOut says what is quoted; None of swaps for which it cannot be relied on. Its Newton steps stop
    early, late or never among dust and far from balance, and large numbers overflow: what the swap accepts counts."""
    try:
        best = pool.quote_in(i, 1 - i, amount_in)
    except NoLiquidity:
        return None
    held = holdings(pool)
    if amount_in > 10 * held[i][0] or not all(unit <= reserve <= 10**8 * unit <= 10**26 for reserve, unit in held):
        return None
    return world.ask("getAmountOut(uint256,address)", amount_in, (TOKEN0, TOKEN1)[i]) == best


@pytest.mark.parametrize("stable", [False, True], ids=["volatile", "stable"])
def test_every_swap_equals_the_bytecode(stable: bool, record_property: Callable[[str, object], None]) -> None:
    done = filled = 0
    told: Counter[bool | None] = Counter()
    for seed in range(SWAPS // SWAPS_A_PAIR // 2):
        dice = random.Random(f"{stable} {seed}")
        world, pool = random_pair(stable, dice)
        for _ in range(SWAPS_A_PAIR):
            i, exact_in = dice.randrange(2), dice.random() < 0.5
            size = size_of(dice, pool, i if exact_in else 1 - i)
            if exact_in and done % 4 == 0:
                told[as_told(world, pool, i, size)] += 1
            after = check_swap(world, pool, i, exact_in, size, 1 << 190)
            done += 1
            if after is not None:
                filled += 1
                pool = after
    record_property("swaps, of which filled, 0 differences", f"{done}, {filled}")
    record_property("getAmountOut asked, of which the same", f"{told[True] + told[False]}, {told[True]}")
    assert filled > done // 3
    assert told[True] > 99 * told[False]


class WorldReader(StateReader):
    """Reads a world as it would read a node."""

    def __init__(self, world: PairWorld) -> None:
        self.evm = world.evm

    async def calls(self, calls: Iterable[tuple[str, bytes]]) -> list[bytes | None]:
        return [self._call(to, data) for to, data in calls]

    async def slots(self, slots: Iterable[tuple[str, int]]) -> list[int | RpcError]:
        return [self.evm.storage(address, slot) for address, slot in slots]

    async def codes(self, addresses: Iterable[str]) -> list[bytes | RpcError]:
        return [bytes(self.evm.get_code(address) or b"") for address in addresses]

    def _call(self, to: str, data: bytes) -> bytes | None:
        try:
            return bytes(self.evm.message_call(OWNER, to, data)) or None
        except RuntimeError:
            return None


@pytest.mark.parametrize("stable", [False, True], ids=["volatile", "stable"])
def test_a_pair_is_read_with_its_fee(stable: bool) -> None:
    dice = random.Random(stable)
    for _ in range(20):
        world, pool = random_pair(stable, dice)
        reader = WorldReader(world)
        assert asyncio.run(UniswapV2().identify(reader, [PAIR])) == []
        infos = asyncio.run(Solidly().identify(reader, [TOKEN0, PAIR, FACTORY]))
        assert [info.id for info in infos] == [PAIR]
        result = asyncio.run(Solidly().load(reader, infos, None))
        large = all(10**6 * unit > reserve > 10**7 for reserve, unit in holdings(pool))
        assert result.pools == {PAIR: pool} or (result.unknown and not large), pool
