"""Whatever bundles come, the block keeps the builder's promises."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from relay_bench import GATE, GWEI, PAYER, REVERTER, Bench, hash_of, running

EXAMPLES = 400 if os.environ.get("MEV_VERIFY") else 120

ORDINARY = None


@dataclass(frozen=True)
class Sent:
    """One transaction to be made: of whom, to what, with which tip in gwei, and how far its nonce is off."""

    who: int
    to: str | None
    tip: int
    skip: int


SENT = st.builds(
    Sent,
    st.integers(0, 4),
    st.sampled_from([ORDINARY, ORDINARY, ORDINARY, PAYER, GATE, REVERTER]),
    st.integers(0, 50),
    st.sampled_from([0, 0, 0, 0, 1]),
)
BUNDLE = st.tuples(st.lists(SENT, min_size=1, max_size=4), st.booleans(), st.booleans())
"""Transactions, whether reverts are allowed, and whether the first public transaction stands in front."""


@pytest.fixture(scope="module")
def run() -> Iterator[Callable[[Callable[[Bench], Awaitable[Any]]], Any]]:
    """Runs a coroutine on one bench and one loop: hypothesis calls synchronously."""
    with asyncio.Runner() as runner:
        context = running()
        bench = runner.run(context.__aenter__())
        try:
            yield lambda work: runner.run(work(bench))  # type: ignore[arg-type]
        finally:
            runner.run(context.__aexit__(None, None, None))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bundles=st.lists(BUNDLE, max_size=6), public=st.lists(SENT, max_size=6))
def test_block_holds_whole_bundles_and_then_the_mempool(
    run: Callable[[Callable[[Bench], Awaitable[Any]]], Any],
    bundles: list[tuple[list[Sent], bool, bool]],
    public: list[Sent],
) -> None:
    async def slot(bench: Bench) -> None:
        await bench.fresh()
        start = dict(bench.nonces)
        pool = [make(bench, sent) for sent in public]
        await bench.public(*pool)
        sent: dict[str, tuple[list[str], bool]] = {}
        for txs, reverting, behind in bundles:
            bench.nonces.update(start)
            raws = pool[:1] if behind else []
            for tx in txs:
                if (raw := make(bench, tx)) not in raws:
                    raws.append(raw)
            hashes = [hash_of(raw) for raw in raws]
            sent[await bench.send(*raws, revertingTxHashes=hashes if reverting else [])] = (hashes, reverting)
        built = await bench.build()
        receipts = await bench.node.rpc.call("eth_getBlockReceipts", hex(built.number))
        check(sent, [hash_of(raw) for raw in pool], built, receipts)

    run(slot)


def make(bench: Bench, sent: Sent) -> str:
    value = 10**12 if sent.to == PAYER else 0
    nonce = bench.nonces[sent.who] + sent.skip
    bench.nonces[sent.who] = nonce + 1
    return bench.tx(sent.who, sent.to, tip=sent.tip * GWEI, nonce=nonce, value=value)


def check(sent: dict[str, tuple[list[str], bool]], pool: list[str], built: Any, receipts: list[dict[str, Any]]) -> None:
    mined = [receipt["transactionHash"] for receipt in receipts]
    failed = {receipt["transactionHash"] for receipt in receipts if receipt["status"] != "0x1"}
    dropped = dict(built.bundles_dropped)
    assert {*built.bundles_included, *dropped} == set(sent)
    place = 0
    for bundle in built.bundles_included:
        hashes, reverting = sent[bundle]
        assert mined[place : place + len(hashes)] == hashes
        assert reverting or not failed & set(hashes)
        place += len(hashes)
    assert set(mined[place:]) <= set(pool)
    in_bundles = set(mined[:place])
    for bundle in dropped:
        private = set(sent[bundle][0]) - set(pool)
        assert not private & (set(mined) - in_bundles)
        assert dropped[bundle]
