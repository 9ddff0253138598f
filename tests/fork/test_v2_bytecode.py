"""V2Pool against the pairs' own bytecode, Uniswap's and that of forks as mainnet has it: what is quoted goes through,
one wei better does not, and both ways to follow a pair agree."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import pytest
from pair_world import FACTORY, PAIR, TOKEN0, TOKEN1, PairWorld, check_swap
from recorded import cassette_path

from bot import abi
from bot.amm.layouts import V2_LAYOUT
from bot.amm.v2 import V2Pool
from bot.devnet.protocols.uniswap_v2 import PAIR_ARTIFACT

SWAPS = 100_000 if os.environ.get("MEV_VERIFY") == "1" else 10_000
SWAPS_A_PAIR = 50
MOST = (1 << 112) - 1


class Fork(NamedTuple):
    """Whose pair: the block that has it and its address there (None: npm has it), its layout, the slot of its lock, the
    fees to try as (share, whole), and the slots of those that it keeps in storage."""

    block: int | None
    pair: str
    layout: str
    lock: int
    fees: tuple[tuple[int, int], ...] = ((3, 1000),)
    kept_at: tuple[int, ...] = ()


FORKS = {
    "uniswap": Fork(None, "", "uniswap-v2", 12),
    "sushi": Fork(13217637, "0x117d4288b3635021a3d612fe05a3cbf5c717fef2", "uniswap-v2", 12),
    "sumswap": Fork(24628607, "0x498e9f240158c11e822c983938d1a093a81e0e3c", "uniswap-v2", 12),
    "shiba": Fork(
        17666333,
        "0xefb47fcfcad4f96c83d4ca676842fb03ef20a477",
        "uniswap-v2",
        15,
        ((0, 1000), (1, 1000), (3, 1000), (10, 1000), (50, 1000)),
        (12,),
    ),
    "saita": Fork(  # holds k to whole ** share: any other share than 2 is no fee
        17666333,
        "0xaf9742157a67e35f1aa0803e6ec589ca4cfd0864",
        "stored-fee-v2",
        14,
        ((2, 1000), (2, 500), (2, 10_000), (2, 100)),
        (8, 9),
    ),
}


@lru_cache
def code_of(fork: Fork) -> bytes:
    """Its runtime code. Skips the test where there is no such recording."""
    if fork.block is None:
        return bytes.fromhex(json.loads(PAIR_ARTIFACT.file.read_bytes())["evm"]["deployedBytecode"]["object"])
    recording: dict[str, Any] = json.loads(gzip.decompress(cassette_path(fork.block).read_bytes()))
    return abi.to_bytes(recording["codes"][recording["accounts"][fork.pair]["codeHash"]])


def random_pair(fork: Fork, dice: random.Random) -> tuple[PairWorld, V2Pool]:
    """A pair with any reserves and one of the fees."""
    reserve0, reserve1 = (dice.randint(1, 10 ** dice.choice((6, 12, 18, 24, 33))) for _ in range(2))
    share, whole = fee = dice.choice(fork.fees)
    reserves_at = V2_LAYOUT[fork.layout].reserves
    slots = {5: int(FACTORY, 16), 6: int(TOKEN0, 16), 7: int(TOKEN1, 16), fork.lock: 1}
    slots |= {reserves_at: reserve1 << 112 | reserve0} | dict(zip(fork.kept_at, fee, strict=False))
    world = PairWorld(code_of(fork), slots, (reserve0, reserve1))
    return world, V2Pool(PAIR, TOKEN0, TOKEN1, reserve0, reserve1, whole - share, whole, fork.layout)


def size_of(dice: random.Random, pool: V2Pool) -> int:
    held = dice.choice((pool.reserve0, pool.reserve1))
    share = int(held * dice.random() ** 8) + 1
    return dice.choice((1, 2, dice.randint(1, held), share, dice.randint(1, 10 ** dice.randint(1, 34))))


@pytest.mark.parametrize("name", FORKS)
def test_every_swap_equals_the_bytecode(name: str, record_property: Callable[[str, object], None]) -> None:
    done = filled = 0
    for seed in range(SWAPS // SWAPS_A_PAIR // len(FORKS)):
        dice = random.Random(f"{name} {seed}")
        world, pool = random_pair(FORKS[name], dice)
        for _ in range(SWAPS_A_PAIR):
            i, exact_in = dice.randrange(2), dice.random() < 0.5
            most = MOST - (pool.reserve1 if i else pool.reserve0)
            after = check_swap(world, pool, i, exact_in, size_of(dice, pool), most)
            done += 1
            if after is not None:
                filled += 1
                pool = after
    record_property("swaps, of which filled, 0 differences", f"{done}, {filled}")
    assert filled > done // 3
