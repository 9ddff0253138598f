"""Discovery without a chain: logs fetched from nodes that refuse much, and what logs name."""

from __future__ import annotations

import asyncio
import random
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markets import TOKENS, address

from bot import abi
from bot.chain.discovery import _EVENTS, Factories, _candidate, _questions, logs_in
from bot.engine.decode import LogEntry
from bot.engine.types import Log
from bot.jsonrpc import JsonRpc, RpcError

TOPIC = "0x" + "ab" * 32


class Node:
    """Serves logs by their blocks; refuses ranges of more than ``most_blocks``, answers of more than ``most_logs``."""

    def __init__(self, blocks: list[int], most_blocks: int, most_logs: int) -> None:
        self._blocks, self._most_blocks, self._most_logs = sorted(blocks), most_blocks, most_logs
        self.served = self.refused = 0

    async def call_as(self, kind: object, method: str, query: dict[str, Any]) -> list[LogEntry]:
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        assert method == "eth_getLogs" and first <= last
        found = [block for block in self._blocks if first <= block <= last]
        if last - first + 1 > self._most_blocks or len(found) > self._most_logs:
            self.refused += 1
            raise RpcError(method, -32005, "query returned more than we like")
        self.served += 1
        return [LogEntry(address(1).upper().replace("X", "x"), (TOPIC,), f"0x{block:064x}") for block in found]


def fetched(node: Node, first: int, last: int, told: list[tuple[int, int]]) -> list[int]:
    def progress(what: str, done: int, all_: int) -> None:
        told.append((done, all_))

    logs = asyncio.run(logs_in(cast(JsonRpc, node), [address(1)], [TOPIC], first, last, progress=progress))
    assert all(log.address == address(1) for log in logs)
    return [abi.uint(log.data) for log in logs]


@given(
    st.lists(st.integers(0, 5_000), unique=True, max_size=60),
    st.integers(0, 5_000),
    st.integers(0, 5_000),
    st.integers(1, 6_000),
    st.integers(1, 60),
)
def test_every_log_is_fetched_once_and_in_order(
    blocks: list[int], one: int, other: int, most_blocks: int, most_logs: int
) -> None:
    first, last = sorted((one, other))
    node, told = Node(blocks, most_blocks, most_logs), list[tuple[int, int]]()
    assert fetched(node, first, last, told) == [block for block in sorted(blocks) if first <= block <= last]
    done = [part for part, _ in told]
    assert done == sorted(set(done)) and told[-1] == (last - first + 1, last - first + 1)
    assert node.refused <= node.served + 14, "a refusal halves, and is not asked for again at once"


def test_a_block_that_is_refused_alone_ends_the_search() -> None:
    node = Node([7, 7], 1_000, 1)
    with pytest.raises(RpcError):
        fetched(node, 0, 9, [])
    assert node.refused < 8


@pytest.mark.parametrize("topic", _EVENTS)
def test_what_a_log_names(topic: str) -> None:
    """In a log of each event: its pool, whatever stands around it; cut short, nothing."""
    event, dice = _EVENTS[topic], random.Random(3)
    pool = address(5)
    words = [dice.randbytes(32) for _ in range(14)]
    topics = [topic, *(f"0x{'00' * 12}{token[2:]}" for token in TOKENS[:2]), "0x" + dice.randbytes(32).hex()]
    if event.topic:
        topics[event.topic] = "0x" + abi.encode(pool).hex()
    else:
        words[event.word] = abi.encode(pool)
    log = Log(address(9), tuple(topics), b"".join(words))
    named = _candidate(log, None)
    assert named is not None
    assert (named.address, named.factory, named.protocol) == (pool, address(9), event.protocol)
    if event.tokens:
        assert _candidate(log, TOKENS[:2]) == named
        assert _candidate(log, TOKENS[1:]) is None
    assert _candidate(Log(address(9), (topic,), b""), TOKENS) is None
    assert _candidate(Log(address(9), (TOPIC, *topics[1:]), log.data), None) is None


def test_events_of_the_best_known_factories() -> None:
    """Topics as explorers show them."""
    known = {
        "0x0d3648bd0f6ba80134a33ba9275ac585d9d315f0ad8355cddefde31afa28d0e9": "uniswap-v2",
        "0x783cca1c0412dd0d695e784568c96da2e9c22ff989357a2e8b1d9b2b4e6b7118": "uniswap-v3",
        "0x2128d88d14c80cb081c1252a5acff7a264671bf199ce226b53788fb26065005e": "solidly",
        "0xc4805696c66d7cf352fc1d6bb633ad5ee82f6cb577c453024b6e0eb8306c6fc9": "solidly",
        "0x3c13bc30b8e878c53fd2a36b679409c073afd75950be43d8858768e956fbc20e": "balancer",
    }
    assert {topic: event.protocol for topic, event in _EVENTS.items() if topic in known} == known


def test_factories_are_asked_for_what_they_may_have() -> None:
    factories = Factories({address(1): 3_000}, {address(2): (500, 3_000)}, (address(3),))
    asked = list(_questions(factories, *TOKENS[:2]))
    assert [(factory, protocol) for factory, _, protocol in asked] == [
        (address(1), "uniswap-v2"),
        *[(address(2), "uniswap-v3")] * 2,
        *[(address(3), "solidly")] * 4,
    ]
    assert len({data for _, data, _ in asked}) == len(asked)
    assert factories.all == (address(1), address(2), address(3))
