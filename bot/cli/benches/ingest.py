"""``mev bench ingest``: a node's messages as values, beside web3.py: logs to the state of pools, pending transactions
to the swaps that they ask for; and what calldata that is made to cost much costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from bot.amm.pool import Pool
from bot.amm.ticks import TickMap
from bot.amm.v2 import V2Pool
from bot.amm.v3 import V3Pool
from bot.chain.calldata import MOST_SWAPS, SwapIntent
from bot.chain.subscription import Frame
from bot.chain.swap_calls import swaps_in_hex
from bot.cli.benches import peer
from bot.cli.benches.ingest_hostile import hostile, p99, plain
from bot.cli.benches.ingest_messages import log_messages, notified, pair_address, pending_messages, pool_address
from bot.cli.benches.result import Result
from bot.engine.decode import LogEntry, TransactionBody, log

SEED = 20_240_808
MESSAGES = 5_000
PAIRS, POOLS = 1_000, 500
ROUNDS = 25
GOALS = {"log to pool state": 4_000, "pending transaction to swaps": 6_667}
"""Nanoseconds a message: 250,000 and 150,000 messages a second."""
HOSTILE_GOAL = 1_000
"""Microseconds a message, that one in a hundred may take longer than."""

_T = TypeVar("_T")
_decode_log = msgspec.json.Decoder(Frame[LogEntry]).decode
_decode_pending = msgspec.json.Decoder(Frame[TransactionBody]).decode


def run() -> list[Result]:
    """Both measurements. Raises UserError where the peer is not installed."""
    logs = log_messages(SEED, MESSAGES, PAIRS, POOLS)
    pending = pending_messages(SEED, MESSAGES)
    theirs = _peer(logs, pending)
    markets = iter([_pools() for _ in range(ROUNDS)])
    log_ns, _ = _best(lambda: follow(next(markets), logs))
    pending_ns, found = _best(lambda: [swaps(message) for message in pending])
    asking = [message for message, each in zip(pending, found, strict=True) if each]
    asking_ns, _ = _best(lambda: [swaps(message) for message in asking])
    return [
        _result("log to pool state", log_ns, MESSAGES, theirs["logs"], _states(logs) == theirs["logs"]["values"], {}),
        _result(
            "pending transaction to swaps",
            pending_ns,
            MESSAGES,
            theirs["pending"],
            [[_plain(swap) for swap in each] for each in found] == theirs["pending"]["values"],
            {"with a swap": len(asking), "ns, those alone": asking_ns // len(asking)},
        ),
        _hostile(),
    ]


def _hostile() -> Result:
    """The slowest of a hundred messages, beside ordinary swaps of the same lengths."""
    calls = hostile(SEED)
    ours, found = _slow([notified(call) for call in calls])
    theirs, _ = _slow([notified(plain(len(call))) for call in calls])
    return Result(
        bench="ingest",
        name="hostile calldata",
        value=p99(ours) / 1000,
        unit="µs a message, p99",
        peer="plain calldata",
        peer_value=p99(theirs) / 1000,
        checked=all(len(each) <= MOST_SWAPS for each in found),
        goal=HOSTILE_GOAL,
        details={"messages": len(calls), "µs, the slowest": max(ours) // 1000},
    )


def _slow(messages: Sequence[bytes]) -> tuple[list[int], list[tuple[SwapIntent, ...]]]:
    """Nanoseconds of each message, the quickest of three times, and what it asks for."""
    took, found = [], []
    for message in messages:
        best: list[int] = []
        for _ in range(3):
            start = time.process_time_ns()
            asked = swaps(message)
            best.append(time.process_time_ns() - start)
        took.append(min(best))
        found.append(asked)
    return took, found


def follow(pools: dict[str, Pool], messages: Sequence[bytes]) -> dict[str, Pool]:
    """The pools after the messages, in place."""
    for message in messages:
        params = _decode_log(message).params
        if params is not None:
            entry = log(params.result)
            pool = pools.get(entry.address)
            if pool is not None:
                pools[entry.address] = pool.apply(entry)
    return pools


def swaps(message: bytes) -> tuple[SwapIntent, ...]:
    """Of one pending transaction."""
    params = _decode_pending(message).params
    return () if params is None else swaps_in_hex(params.result.to, params.result.input, params.result.value)


def _pools() -> dict[str, Pool]:
    tokens = "0x" + "01" * 20, "0x" + "02" * 20
    ticks = TickMap(60, {}, {})
    pools: list[Pool] = [V2Pool(pair_address(number), *tokens, 1, 1) for number in range(PAIRS)]
    pools += [V3Pool(pool_address(number), *tokens, 3000, 60, 1 << 96, 0, 1, ticks) for number in range(POOLS)]
    return {pool.id: pool for pool in pools}


def _states(messages: Sequence[bytes]) -> list[list[int]]:
    """Of the pool that each message is about, after it."""
    pools = _pools()
    states = []
    for message in messages:
        follow(pools, [message])
        params = _decode_log(message).params
        pool = pools[params.result.address] if params else None
        if isinstance(pool, V2Pool):
            states.append([pool.reserve0, pool.reserve1])
        elif isinstance(pool, V3Pool):
            states.append([pool.sqrt_price, pool.liquidity, pool.tick])
    return states


def _plain(swap: SwapIntent) -> list[Any]:
    """What the peer gives for a swap, as JSON has it."""
    pools = [list(terms) for terms in swap.pools]
    return [swap.protocol, list(swap.tokens), pools, swap.exact_in, swap.amount, swap.limit]


def _best(work: Callable[[], _T]) -> tuple[int, _T]:
    """Nanoseconds of one core that the quickest of some rounds took, and what the last gave."""
    best: int | None = None
    for _ in range(ROUNDS):
        start = time.process_time_ns()
        result = work()
        took = time.process_time_ns() - start
        best = took if best is None else min(best, took)
    return best or 1, result


def _result(
    name: str, total_ns: int, count: int, peer: dict[str, Any], checked: bool, details: dict[str, int]
) -> Result:
    value = total_ns // count
    peer_value = int(peer["seconds"] * 1e9 / count)
    return Result(
        bench="ingest",
        name=name,
        value=value,
        unit="ns a message",
        peer="web3.py",
        peer_value=peer_value,
        checked=checked,
        goal=GOALS[name],
        details={"messages/s": 10**9 // value, "web3.py messages/s": 10**9 // peer_value, **details},
    )


def _peer(logs: Sequence[bytes], pending: Sequence[bytes]) -> dict[str, Any]:
    """What web3.py takes for the same messages, and what it makes of them. Raises UserError."""
    question = {"logs": [message.decode() for message in logs], "pending": [message.decode() for message in pending]}
    answer: dict[str, Any] = peer.ask("peers", "ingest_web3.py", question)
    return answer
