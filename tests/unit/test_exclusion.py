"""Which of our own intents cannot stand beside another: what lands must be what was predicted."""

from __future__ import annotations

from dataclasses import replace

from bot.engine.types import Hop, Opportunity, Trade, Transaction
from bot.execution.pipeline import exclude

WETH, TOKEN = "0x01", "0x02"
TX = Transaction("0xaa", "0xbb", "0xcc", 0, b"", 0, 21_000, 1, 0, b"raw")


def opportunity(*pools: str, behind: Transaction | None = None, moved: tuple[str, ...] = ()) -> Opportunity:
    there, back = Hop(pools[0], "v2", WETH, TOKEN), Hop(pools[1], "v2", TOKEN, WETH)
    return Opportunity("test", Trade((there, back), (10, 20, 30)), 5, behind, 0, moved=frozenset(moved))


def test_a_pool_in_common_excludes() -> None:
    assert exclude(opportunity("0xp", "0xq"), opportunity("0xq", "0xr"))
    assert not exclude(opportunity("0xp", "0xq"), opportunity("0xr", "0xs"))


def test_a_pool_that_only_the_transaction_in_front_moves_excludes_too() -> None:
    behind = opportunity("0xp", "0xq", behind=TX, moved=("0xp", "0xr"))
    assert exclude(behind, opportunity("0xr", "0xs"))
    assert exclude(opportunity("0xr", "0xs"), behind)


def test_two_behind_the_same_transaction_exclude_each_other() -> None:
    one, other = opportunity("0xp", "0xq", behind=TX), opportunity("0xr", "0xs", behind=TX)
    assert exclude(one, other)
    assert not exclude(one, replace(other, behind=replace(TX, hash="0xdd")))
