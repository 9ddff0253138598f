"""``mev bench whales``: from a whale's pending transaction to its signal, simulation included, with 10,000 wallets
watched; what a stranger's costs; how long the list takes to load."""

from __future__ import annotations

import asyncio
import csv
import tempfile
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from random import Random

import msgspec

from bot.abi import to_hex
from bot.chain import watchlist
from bot.chain.swap_calls import swaps
from bot.chain.watchlist import Kind, Watched, WatchList
from bot.cli import profile as profiles
from bot.cli.benches.result import Result
from bot.cli.benches.soak import RATE, SECONDS, WARM
from bot.cli.benches.whales_soak import soak
from bot.cli.market_source import read_node
from bot.devnet.network import Devnet
from bot.engine.decode import LogEntry, TransactionBody, header, mined, transaction
from bot.engine.types import NewHead, PendingEffect, PendingTx, Signal
from bot.jsonrpc import JsonRpc
from bot.market.market import Market
from bot.paths import data_dir, repo_root
from bot.simulation.fork import HeadFork
from bot.simulation.node import state_diffs
from bot.simulation.state import merge
from bot.strategies.gas import GasPolicy
from bot.strategies.whale_impact import moves
from bot.strategies.whales import Whales

WALLETS = 10_000
SEED = 5
SLOTS, WARM_UP = 40, 3  # of order flow: some fifteen transactions each
GOAL_MS = 20.0
STRANGERS = 200_000
ROUNDS = 5


def run() -> list[Result]:
    """Raises UserError, AnvilFailed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "whales.csv"
        load = _load(path)
        return [*asyncio.run(_signals(path)), asyncio.run(_loaded()), load]


async def _signals(path: Path) -> list[Result]:
    profile = profiles.load(repo_root() / "forks" / "devnet.toml")
    async with Devnet(data_dir(), SEED) as net:
        await net.send_flow()
        await net.build_block()
        rpc = net.node.rpc
        taken = await read_node(profile, rpc)
        market = taken.market(profile.bot.max_hops)
        watchlist.add(path, {trader: Watched("trader", Kind.WALLET) for trader in net.deployment.traders})
        watch = WatchList(path)
        fork = HeadFork(
            rpc.url,
            taken.head,
            chain_id=profile.chain_id,
            block_time=profile.block_time,
            warm=sorted({account for pool in taken.pools for account in (pool.contract, pool.keeper) if account}),
            lacking=market.lacking,
            watched=watch,
        )
        whales = Whales(market, GasPolicy(profile.weth), watch.get, decode=swaps, names=profile.units())
        whole: list[int] = []
        simulated: list[int] = []
        right = compared = 0
        effect: PendingEffect | None = None
        for slot in range(SLOTS):
            told: dict[str, Signal] = {}
            for name in await net.send_flow():
                body = await rpc.call_as(TransactionBody, "eth_getTransactionByHash", name)
                tx = transaction(body)
                if tx is None:
                    continue
                begun = time.perf_counter_ns()
                event = await fork.adapt(PendingTx(tx, begun))
                between = time.perf_counter_ns()
                found = whales.process(event) if isinstance(event, PendingEffect) else ()
                ended = time.perf_counter_ns()
                if found and slot >= WARM_UP:
                    whole.append(ended - begun)
                    simulated.append(between - begun)
                told |= {signal.tx: signal for signal in found}
                effect = event if isinstance(event, PendingEffect) else effect
            await net.build_block()
            head = await _head(rpc)
            first = head.transactions[0]
            if first.hash in told:
                compared += 1
                right += _as_foretold(told[first.hash], market, head)
            market.follow(head.header, head.logs, head.diff)
            await fork.adapt(head)
            whales.process(head)
        assert effect is not None
        return [
            _latency(whole, simulated, right == compared > 0, compared),
            _stranger(whales, watch, effect),
        ]


def _as_foretold(signal: Signal, market: Market, head: NewHead) -> bool:
    """Whether the block's first transaction did what was foretold of it."""
    first, view = head.transactions[0], market.view
    done = moves(view, view.after(first.logs, None, head.header.timestamp), first.logs).impacts
    expected = [(one["pool"], one["price_after"], one["amount_out"]) for one in signal.data["impacts"]]
    return not first.logs or expected == [(one.pool, str(one.after), one.amount_out) for one in done]


async def _head(rpc: JsonRpc) -> NewHead:
    block = await rpc.call("eth_getBlockByNumber", "latest", True)
    logs = await rpc.call_as(tuple[LogEntry, ...], "eth_getLogs", {"blockHash": block["hash"]})
    transactions = mined(msgspec.convert(block["transactions"], list[TransactionBody]), logs)
    diff = merge(await state_diffs(rpc, int(block["number"], 16)))
    return NewHead(header(block), tuple(log for tx in transactions for log in tx.logs), diff, transactions, 0)


def _latency(whole: list[int], simulated: list[int], right: bool, compared: int) -> Result:
    whole.sort()
    simulated.sort()
    return Result(
        bench="whales",
        name=f"a whale's pending transaction to its signal, {WALLETS:,} watched, p99",
        value=_share(whole, 0.99) / 1e6,
        unit="ms",
        peer="its simulation alone",
        peer_value=_share(simulated, 0.99) / 1e6,
        checked=right,
        goal=GOAL_MS,
        details={
            "p50": _share(whole, 0.5) / 1e6,
            "p50 of the simulation": _share(simulated, 0.5) / 1e6,
            "transactions": len(whole),
            "compared with the block": compared,
        },
    )


async def _loaded() -> Result:
    """The same under the feed of the soak."""
    window, timed = await soak(SECONDS, WALLETS, WARM)
    return Result(
        bench="whales",
        name=f"a whale's message to its signal at {RATE:,} messages/s, {WALLETS:,} watched, p99",
        value=timed.latencies.ms(0.99),
        unit="ms",
        peer="any message to the strategies",
        peer_value=window.p99,
        checked=bool(timed.signals) and not window.dropped and not window.lost,
        goal=GOAL_MS,
        details={
            "p50": timed.latencies.ms(0.5),
            "signals": timed.signals,
            "messages": window.messages,
            "dropped": window.dropped,
            "p50 of any": window.p50,
        },
    )


def _stranger(whales: Whales, watch: WatchList, effect: PendingEffect) -> Result:
    """Nanoseconds that the strategy takes for an effect of nobody's on the list, beside one look at a dict."""
    strangers = [f"0x{number:040x}" for number in range(1_000)]
    watch.entries = {address: watched for address, watched in watch.entries.items() if address != effect.tx.sender}
    plain = dict(watch.entries)

    def ask() -> None:
        for _ in range(STRANGERS):
            whales.process(effect)

    def look() -> None:
        for _ in range(STRANGERS // 1_000):
            for stranger in strangers:
                plain.get(stranger)

    return Result(
        bench="whales",
        name="a stranger's transaction",
        value=_best(ask) / STRANGERS,
        unit="ns",
        peer="a look into a dict",
        peer_value=_best(look) / STRANGERS,
        checked=not whales.process(effect),
        goal=1_000,
    )


def _load(path: Path) -> Result:
    """Writes a list, and loads it."""
    dice = Random(SEED)
    rows = [(to_hex(dice.randbytes(20)), f"wallet {number}", "wallet") for number in range(WALLETS)]
    text = "".join(f"{','.join(row)}\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return Result(
        bench="whales",
        name=f"a list of {WALLETS:,} loaded",
        value=_best(lambda: watchlist.load(path)) / 1e6,
        unit="ms",
        peer="csv.reader alone",
        peer_value=_best(lambda: list(csv.reader(StringIO(text)))) / 1e6,
        checked=[(one, what.label, what.kind.value) for one, what in watchlist.load(path).items()] == rows,
        goal=500,
    )


def _share(ordered: list[int], share: float) -> int:
    return ordered[int(len(ordered) * share)]


def _best(work: Callable[[], object]) -> int:
    """Nanoseconds of CPU that the quickest of some rounds took."""
    times = []
    for _ in range(ROUNDS):
        start = time.thread_time_ns()
        work()
        times.append(time.thread_time_ns() - start)
    return min(times)
