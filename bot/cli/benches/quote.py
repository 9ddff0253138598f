"""On the devnet's own pools, moved by its order flow: an exact quote beside the EVM, and from a message to what could
be done about it."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from bot import abi
from bot.chain.pools import identify, load
from bot.cli.benches.result import Result
from bot.cli.replay_executor import BUILDER, DUST, ETHER, EXECUTOR, GAS, OWNER, _Pool
from bot.devnet.deployment import BLOCK_SECONDS, Deployment
from bot.devnet.flow import OrderFlow
from bot.devnet.state import devnet_node, ensure_state
from bot.engine import decode
from bot.engine.types import AccountDiff, Header, Log, NewHead, PendingEffect, Trade, Transaction
from bot.errors import UserError
from bot.execution.book import Book, runtime_code
from bot.execution.program import Capital, encode, plan
from bot.jsonrpc import JsonRpc
from bot.market import refine
from bot.market.market import Market
from bot.market.search import search
from bot.paths import data_dir
from bot.simulation.revm import ForkEvm
from bot.simulation.types import BlockContext, Call
from bot.strategies.arbitrage import Arbitrage
from bot.strategies.backrun import Backrun
from bot.strategies.gas import GasPolicy

SLOTS, MOST_SLOTS = 25, 100
SEED = 1
KINDS = ("v2", "v3", "v2")
AHEAD = 100
QUOTES, AT_ONCE, CALLS = 20_000, 50, 500
NOBODY = "0x" + "00" * 20

Times = dict[str, list[int]]
PENDING, FOLLOW, HEAD = "pending effect to opportunities", "a block followed", "new head to opportunities"


def run() -> list[Result]:
    """Raises UserError before `make setup`."""
    return asyncio.run(_measure())


async def _measure() -> list[Result]:
    state, deployment = await ensure_state(data_dir())
    times: Times = defaultdict(list)
    quoted: Result | None = None
    async with devnet_node(state, deployment) as node:
        market = await _read(node.rpc, deployment)
        strategies = Arbitrage(market, GasPolicy(deployment.weth)), Backrun(market, GasPolicy(deployment.weth))
        flow = OrderFlow(deployment, seed=SEED)
        slots = 0
        while slots < SLOTS or (quoted is None and slots < MOST_SLOTS):
            header, txs = await _next_block(node.rpc, flow)
            _play(market, *strategies, header, txs, times)
            slots += 1
            trade = next((t for t in search(market.view) if tuple(hop.kind for hop in t.route) == KINDS), None)
            if trade is not None and quoted is None:
                quoted = _quote(market, trade, deployment, node.http_url)
    if quoted is None:
        raise UserError(f"no cycle of a v2, a v3 and a v2 pool gained in {MOST_SLOTS} blocks of the devnet")
    return [quoted, *_times(times, quoted.peer_value)]


# --- the devnet ------------------------------------------------------------------------------------------------------


async def _read(rpc: JsonRpc, deployment: Deployment) -> Market:
    head = decode.header(await rpc.call("eth_getBlockByNumber", "latest", False))
    infos = await identify(rpc, [pool.address for pool in deployment.pools], head.number)
    market = Market([deployment.weth])
    market.add((await load(rpc, infos, head.number)).pools.values())
    market.anchor(head)
    return market


async def _next_block(rpc: JsonRpc, flow: OrderFlow) -> tuple[Header, list[tuple[Log, ...]]]:
    """One slot's flow mined: the header, and each transaction's logs."""
    for raw in await flow.slot(rpc):
        await rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
    await rpc.call("evm_increaseTime", BLOCK_SECONDS)
    await rpc.call("evm_mine")
    header = decode.header(await rpc.call("eth_getBlockByNumber", "latest", False))
    receipts = await rpc.call("eth_getBlockReceipts", hex(header.number))
    return header, [decode.logs(receipt["logs"]) for receipt in receipts]


def _play(
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
        _timed(times[PENDING], lambda: backrun.process(PendingEffect(tx, logs, 0, 0)))  # noqa: B023
    logs = tuple(log for logs in txs for log in logs)
    _timed(times[FOLLOW], lambda: market.follow(header, logs))
    _timed(times[HEAD], lambda: arbitrage.process(NewHead(header, logs, {}, (), 0)))


def _timed(into: list[int], work: Callable[[], Any]) -> None:
    """Nanoseconds of CPU: others may use the machine."""
    start = time.thread_time_ns()
    work()
    into.append(time.thread_time_ns() - start)


def _times(times: Times, evm_us: float) -> list[Result]:
    """Beside one simulation of one cycle: what they would have to do without exact pools."""
    results = []
    for name, taken in times.items():
        p50, p99 = (sorted(taken)[int((len(taken) - 1) * share)] / 1e3 for share in (0.5, 0.99))
        results.append(
            Result("market", f"{name}, devnet, p50", p50, "µs", "one simulation", evm_us, True, details={"p99": p99})
        )
    return results


# --- one trade -------------------------------------------------------------------------------------------------------


def _quote(market: Market, trade: Trade, deployment: Deployment, url: str) -> Result:
    legs = market.view.legs(market.graph.cycle(trade.route))
    head = market.head
    assert legs is not None and head is not None
    amount = trade.amounts[0]
    times: list[int] = []
    for _ in range(QUOTES // AT_ONCE):
        _timed(times, lambda: [refine.quote(legs, amount) for _ in range(AT_ONCE)])
    evm_times, gained = _simulate(trade, deployment, head, url)
    ours, theirs = sorted(times)[len(times) // 2] / AT_ONCE / 1e3, sorted(evm_times)[len(evm_times) // 2] / 1e3
    same = refine.quote(legs, amount) == trade.amounts and gained == trade.gross_profit
    return Result(
        "market", "exact quote of a v2, v3, v2 cycle", ours, "µs", "pyrevm, our executor", theirs, same, ahead=AHEAD
    )


def _simulate(trade: Trade, deployment: Deployment, head: Header, url: str) -> tuple[list[int], int]:
    """Times of the executor's program for the trade on the head's state, and the WETH that it gains."""
    weth = deployment.weth
    book = Book.of(weth, [_Pool.of(hop) for hop in trade.route])
    evm = ForkEvm(url, head.number, chain_id=deployment.chain_id, gas_limit=head.gas_limit)
    block = BlockContext(head.number + 1, head.timestamp + BLOCK_SECONDS, head.base_fee, BUILDER, head.gas_limit)
    balance = int.from_bytes(abi.keccak(abi.encode(EXECUTOR) + abi.encode(3)), "big")  # WETH9: balanceOf is its slot 3
    evm.apply(
        {
            OWNER: AccountDiff(balance=1000 * ETHER, nonce=1, code=b""),
            BUILDER: AccountDiff(balance=0, nonce=0, code=b""),
            EXECUTOR: AccountDiff(balance=0, nonce=1, code=runtime_code(OWNER, weth, book)),
            weth: AccountDiff(slots={balance: DUST}),
        }
    )
    program = encode(
        plan(trade, Capital.NESTED, weth=weth, book=book),
        token=weth,
        min_profit=trade.gross_profit,
        weth=weth,
        book=book,
    )
    trading = Call(OWNER, EXECUTOR, program, gas=GAS, gas_price=head.base_fee)
    asking = Call(OWNER, weth, abi.call("balanceOf(address)", EXECUTOR), gas=GAS, gas_price=head.base_fee)
    done, held = evm.run([trading, asking], block)
    times: list[int] = []
    for _ in range(CALLS):
        _timed(times, lambda: evm.run([trading], block))
    return times, abi.uint(held.output) - DUST if done.success else 0
