"""A private transaction's hint, from MEV-Share's stream through the engine to an opportunity on the devnet's market."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

from mev_share_server import PING, MevShareServer, event, serving
from test_pending_effect import World, effects
from test_pending_effect import world as world  # a fixture

from bot import abi
from bot.chain.mev_share import MevShareCollector
from bot.engine.clock import SystemClock
from bot.engine.loop import Engine
from bot.engine.types import Hint, Opportunity, PendingEffect, Trade
from bot.strategies.backrun import Backrun
from bot.strategies.gas import GasPolicy
from bot.strategies.hint import HintBackrun


class Taken:
    """An executor that notes what it is given."""

    def __init__(self) -> None:
        self.behind: dict[str, list[Opportunity]] = {}

    async def execute(self, opportunities: Sequence[Opportunity]) -> None:
        for one in opportunities:
            assert isinstance(one.behind, Hint)
            self.behind.setdefault(one.behind.hash, []).append(one)

    async def drain(self) -> None: ...


def told(pending: PendingEffect, *, calldata: bool) -> dict[str, Any]:
    """As a sender lets it out: pools without amounts, and the calldata or not."""
    logs = [{"address": log.address, "topics": list(log.topics), "data": "0x"} for log in pending.logs]
    tx = {"to": pending.tx.to, "callData": abi.to_hex(pending.tx.data)}
    return {"logs": logs, "txs": [tx] if calldata else None}


async def test_a_streamed_hint_becomes_an_opportunity(world: World) -> None:
    policy = GasPolicy("0x", base=0, per_hop={"v2": 0, "v3": 0})
    public = Backrun(world.market, policy)
    pending = {number: each for number, each in enumerate(await effects(world)) if public.process(each)}
    assert pending
    raw = b"".join(
        PING + event(2 * number + calldata, **told(each, calldata=bool(calldata)))
        for number, each in pending.items()
        for calldata in (0, 1)
    )
    pieces = [raw[at : at + 1000] for at in range(0, len(raw), 1000)]
    names = [f"0x{2 * number + calldata:064x}" for number in pending for calldata in (0, 1)]
    taken = Taken()
    async with serving(MevShareServer([pieces])) as server:
        engine = Engine(
            collectors=[MevShareCollector(server.url, SystemClock())],
            adapters=[],
            strategies=[HintBackrun(world.market, policy)],
            executor=taken,
            clock=SystemClock(),
            rng=random.Random(1),
        )
        running = asyncio.create_task(engine.run())
        await engine.settled(names, timeout=60)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert engine.counts.events["Hint"] == len(names) and not engine.counts.failed
    exact = 0
    for number, each in pending.items():
        shown = taken.behind.get(f"0x{2 * number + 1:064x}", [])
        if [one.trade for one in shown] == [one.trade for one in public.process(each)]:
            exact += 1
        hidden = taken.behind.get(f"0x{2 * number:064x}", [])
        assert all(isinstance(one.trade, Trade) and one.trade.gross_profit > 0 for one in hidden)
    assert exact, "what calldata shows is as good as the public transaction"
    assert any(f"0x{2 * number:064x}" in taken.behind for number in pending), "and without it there are guesses"
