"""A header's bloom filter of its logs (yellow paper, 4.4.3): says whether logs are missing."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from bot.abi import keccak
from bot.engine.decode import LogEntry


def complete(bloom: str, logs: Iterable[LogEntry]) -> bool:
    """Whether these can be all logs of the block. A chain that keeps no bloom has zero there, and nothing to say."""
    told = int(bloom, 16)
    if not told:
        return True
    made = 0
    for log in logs:
        made |= _bits(log.address)
        for topic in log.topics:
            made |= _bits(topic)
    return made == told


@lru_cache(maxsize=50_000)
def _bits(item: str) -> int:
    digest = keccak(bytes.fromhex(item[2:]))
    bits = 0
    for at in (0, 2, 4):
        bits |= 1 << (int.from_bytes(digest[at : at + 2], "big") & 2047)
    return bits
