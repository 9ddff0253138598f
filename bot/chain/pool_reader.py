"""What a protocol's reader is: it recognises its pools by asking contracts what they are, and reads them into values.

The same calls serve a node, an anvil and a server of a recorded block. Where that has no record it answers with an
error: such state is unknown, never zero, and a pool that cannot be read whole enough is named with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol, TypeVar

from bot import abi
from bot.amm.pool import Pool
from bot.chain.state_reader import StateReader
from bot.engine.types import Terms

_T = TypeVar("_T")

WORDS = {"getReserves()": 2, "slot0()": 2}
"""What a getter has to answer at least, where that is more than a word."""


@dataclass(frozen=True, slots=True)
class PoolInfo:
    """What of a pool never changes. ``protocol`` is its reader's name, ``fee`` is in millionths of the input where it
    cannot change.

    ``factory`` is what the pool claims, None where that was not recorded; ``fee_assumed`` marks a v2 pair of which
    nobody knows the fee (bot.chain.v2_fees.likely_fee asks its logs). ``extra`` is what else the reader needs.
    """

    id: str
    protocol: str
    layout: str
    factory: str | None
    tokens: tuple[str, ...]
    fee: int = 0
    tick_spacing: int = 0
    fee_assumed: bool = False
    extra: Terms = ()


@dataclass(slots=True)
class LoadResult:
    """Pools by id, and by id why the others could not be read."""

    pools: dict[str, Pool]
    unknown: dict[str, str]


class PoolReader(Protocol):
    """One protocol. Both methods raise RpcUnreachable."""

    protocol: str

    async def identify(self, reader: StateReader, candidates: Sequence[str]) -> list[PoolInfo]:
        """Those of the addresses that are its pools. A pool has to keep in storage what its getters tell, where a known
        layout keeps it: a contract that merely answers the same questions is not taken for one."""
        ...

    async def load(self, reader: StateReader, infos: Sequence[PoolInfo], reach: int | None) -> LoadResult:
        """Their state. Of concentrated liquidity the ticks up to ``reach`` from the price, all of them with None."""
        ...


async def ask(reader: StateReader, addresses: Sequence[str], names: Sequence[str]) -> list[list[bytes | None]]:
    """The answers of getters without arguments, a row for each address; one that is shorter than the getter's is
    none."""
    questions = list(product(addresses, names))
    answers = await reader.calls((address, abi.call(name)) for address, name in questions)
    flat = [
        answer if answer is not None and len(answer) >= abi.WORD * WORDS.get(name, 1) else None
        for (_, name), answer in zip(questions, answers, strict=True)
    ]
    return rows(flat, len(names))


def rows(flat: list[_T], width: int) -> list[list[_T]]:
    """A flat list of answers as rows."""
    return [flat[start : start + width] for start in range(0, len(flat), width)]
