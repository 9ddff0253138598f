"""How long the market takes: ``python tests/bench/bench_market.py [slots]``.

On the devnet's own pools, moved by the devnet's own order flow: every pending transaction's logs go through backrun,
every block through follow and arbitrage. Prints p50, p99 and the longest, in microseconds of CPU time (the machine may
be busy with other things), and how many were timed.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import defaultdict
from time import thread_time_ns

from bot.chain import decode
from bot.chain.pools import identify, load
from bot.devnet.deployment import BLOCK_SECONDS, Deployment
from bot.devnet.flow import OrderFlow
from bot.devnet.state import devnet_node, ensure_state
from bot.engine.types import Header, Log, NewHead, PendingEffect, Transaction
from bot.jsonrpc import JsonRpc
from bot.market import sizing
from bot.market.market import Market
from bot.market.search import search
from bot.market.view import View
from bot.paths import data_dir
from bot.strategies.arbitrage import Arbitrage
from bot.strategies.backrun import Backrun
from bot.strategies.gas import GasPolicy

Times = dict[str, list[int]]
NOBODY = "0x" + "00" * 20


class Stopwatch:
    """Adds what its block took, in nanoseconds, to a list."""

    def __init__(self, into: list[int]) -> None:
        self._into = into

    def __enter__(self) -> None:
        self._start = thread_time_ns()

    def __exit__(self, *_: object) -> None:
        self._into.append(thread_time_ns() - self._start)


async def main(slots: int) -> None:
    state, deployment = await ensure_state(data_dir())
    times: Times = defaultdict(list)
    async with devnet_node(state, deployment) as node:
        market = await read_market(node.rpc, deployment)
        strategies = Arbitrage(market, GasPolicy(deployment.weth)), Backrun(market, GasPolicy(deployment.weth))
        flow = OrderFlow(deployment, seed=1)
        tokens, cycles = len(deployment.tokens), len(list(market.graph.cycles()))
        print(f"{len(market.pools())} pools, {tokens} tokens, {cycles} cycles of 3 hops at most from WETH")
        for _ in range(slots):
            header, txs = await next_block(node.rpc, flow)
            play(market, *strategies, header, txs, times)
    report(times)


async def read_market(rpc: JsonRpc, deployment: Deployment) -> Market:
    head = decode.header(await rpc.call("eth_getBlockByNumber", "latest", False))
    infos = await identify(rpc, [pool.address for pool in deployment.pools], head.number)
    market = Market([deployment.weth])
    market.add((await load(rpc, infos, head.number)).pools.values())
    market.anchor(head)
    return market


async def next_block(rpc: JsonRpc, flow: OrderFlow) -> tuple[Header, list[tuple[Log, ...]]]:
    """One slot's flow mined: the header, and each transaction's logs."""
    for raw in await flow.slot(rpc):
        await rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
    await rpc.call("evm_increaseTime", BLOCK_SECONDS)
    await rpc.call("evm_mine")
    header = decode.header(await rpc.call("eth_getBlockByNumber", "latest", False))
    receipts = await rpc.call("eth_getBlockReceipts", hex(header.number))
    return header, [tuple(decode.log(entry) for entry in receipt["logs"]) for receipt in receipts]


def play(
    market: Market,
    arbitrage: Arbitrage,
    backrun: Backrun,
    header: Header,
    txs: list[tuple[Log, ...]],
    times: Times,
) -> None:
    """The block's transactions as pending ones on the head before it, then the block."""
    gc.collect()
    for number, logs in enumerate(logs for logs in txs if logs):
        tx = Transaction(hex(number), NOBODY, None, 0, b"", 0, 0, 0, 0, b"")
        event = PendingEffect(tx, logs, 0, 0)
        with Stopwatch(times["PendingEffect to opportunities"]):
            backrun.process(event)
        with Stopwatch(times["  market.after"]):
            after = market.after(logs)
        with Stopwatch(times["  touched search, all refined"]):
            search(after, after.changed)
        time_sizing(after, times)
    logs = tuple(log for logs in txs for log in logs)
    with Stopwatch(times["follow a block"]):
        market.follow(header, logs)
    with Stopwatch(times["NewHead to opportunities"]):
        arbitrage.process(NewHead(header, logs, {}, (), 0))
    with Stopwatch(times["  filter of all cycles"]):
        market.view.open(market.graph.cycles())


def time_sizing(view: View, times: Times) -> None:
    for cycle in view.open(view.graph.through(view.changed)):
        legs = view.legs(cycle)
        if legs is None:
            continue
        with Stopwatch(times["  float optimum of a cycle"]):
            size = sizing.optimum(legs)
        if size is not None:
            with Stopwatch(times["  exact refine of a cycle"]):
                sizing.refine(legs, size)


def report(times: Times) -> None:
    print(f"{'µs':34}{'p50':>10}{'p99':>10}{'max':>10}{'n':>8}")
    for name, taken in times.items():
        taken.sort()
        p50, p99, longest = (taken[int((len(taken) - 1) * share)] / 1000 for share in (0.5, 0.99, 1))
        print(f"{name:34}{p50:10.1f}{p99:10.1f}{longest:10.1f}{len(taken):8}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 30))
