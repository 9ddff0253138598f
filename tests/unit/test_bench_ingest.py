"""`mev bench ingest` measures what it says: its messages are of every kind, and a wrong answer of either side shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from swap_oracle import swaps_by_abi

from bot.cli.benches import ingest as bench_ingest
from bot.cli.benches.ingest import PAIRS, POOLS, SEED, follow
from bot.cli.benches.ingest_messages import log_messages, pending_messages
from bot.paths import repo_root

PEER = repo_root() / ".build" / "peers" / "venv" / "bin" / "python"


def test_pending_messages_ask_for_swaps_of_every_kind() -> None:
    kinds: Counter[str] = Counter()
    for message in pending_messages(3, 400):
        body = msgspec.json.decode(message)["params"]["result"]
        expected = swaps_by_abi(body["to"], bytes.fromhex(body["input"][2:]), int(body["value"], 16))
        assert list(bench_ingest.swaps(message)) == expected
        kinds.update({swap.protocol for swap in expected} or {"none"})
    assert kinds.keys() == {"none", "v2", "v3", "v4"}
    assert 0.5 < kinds["none"] / 400 < 0.7


def test_log_messages_move_pools() -> None:
    before = bench_ingest._pools()
    messages = log_messages(SEED, 300, PAIRS, POOLS)
    after = follow(dict(before), messages)
    told = {msgspec.json.decode(message)["params"]["result"]["address"] for message in messages}
    assert {address for address in before if before[address] is not after[address]} == told


@pytest.mark.skipif(not PEER.exists(), reason="no .build/peers/venv: python3 scripts/setup.py --with peers")
def test_both_sides_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_ingest, "MESSAGES", 120)
    monkeypatch.setattr(bench_ingest, "ROUNDS", 2)
    assert [result.checked for result in bench_ingest.run()] == [True, True, True]
    honest: Callable[..., dict[str, Any]] = bench_ingest._peer

    def wrong(*messages: Sequence[bytes]) -> dict[str, Any]:
        answer = honest(*messages)
        answer["logs"]["values"][-1][0] += 1
        next(each for each in answer["pending"]["values"] if each)[0][4] += 1
        return answer

    monkeypatch.setattr(bench_ingest, "_peer", wrong)
    assert [result.checked for result in bench_ingest.run()] == [False, False, True]
