"""One simulation on the devnet's pools: the EVM in this process as we load it and as it loads by itself, a pool of
processes, and the node."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyrevm

from bot import abi
from bot.amm.layouts import mapping_slot
from bot.cli.benches.peer import ask
from bot.cli.benches.quote import KINDS, MOST_SLOTS, SEED, _next_block, _read
from bot.cli.benches.result import Result
from bot.cli.replay_executor import BUILDER, DUST, ETHER, EXECUTOR, OWNER, _Pool
from bot.devnet.deployment import BLOCK_SECONDS, Deployment, account
from bot.devnet.flow import OrderFlow
from bot.devnet.place import calldata
from bot.devnet.state import devnet_node, ensure_state
from bot.engine.types import AccountDiff, Header, StateDiff, Trade
from bot.errors import UserError
from bot.execution.book import Book, runtime_code
from bot.execution.program import Capital, encode, plan
from bot.market.search import search
from bot.paths import data_dir
from bot.simulation.anvil import Anvil
from bot.simulation.node import request
from bot.simulation.revm import ForkEvm
from bot.simulation.state import overrides
from bot.simulation.types import BlockContext, Call
from bot.simulation.workers import WorkerPool

RUNS, ASKED, THROUGHPUT = 1_500, 300, 3_000
GAS = 3_000_000
GOAL_US = 300.0  # of a cycle of three pools, in this process
WORKERS = 2
_ARB = "cycle of three pools"
TRADER = account(7).address.lower()
WETH9_BALANCES = 3


def run() -> list[Result]:
    """Raises UserError before `make setup`."""
    return asyncio.run(_measure())


async def _measure() -> list[Result]:
    state, deployment = await ensure_state(data_dir())
    async with devnet_node(state, deployment) as node:
        market = await _read(node.rpc, deployment)
        flow = OrderFlow(deployment, seed=SEED)
        for _ in range(MOST_SLOTS):
            header, txs = await _next_block(node.rpc, flow)
            market.follow(header, tuple(log for logs in txs for log in logs))
            trade = next((one for one in search(market.view) if tuple(hop.kind for hop in one.route) == KINDS), None)
            if trade is not None:
                return await _compare(node, deployment, header, trade)
    raise UserError(f"no cycle of a v2, a v3 and a v2 pool gained in {MOST_SLOTS} blocks of the devnet")


async def _compare(node: Anvil, deployment: Deployment, head: Header, trade: Trade) -> list[Result]:
    block = BlockContext(head.number + 1, head.timestamp + BLOCK_SECONDS, head.base_fee, BUILDER, head.gas_limit)
    assumed, calls = _calls(deployment, block, trade)
    evm = ForkEvm(node.http_url, head.number, chain_id=deployment.chain_id, gas_limit=head.gas_limit)
    evm.apply(assumed)
    naive = _naive(node.http_url, head, block, deployment.chain_id, assumed)
    results = []
    for name, call in calls.items():
        (ours,) = evm.run([call], block)
        theirs = naive(call)
        same = ours.success and ours.output == theirs
        value = _p50(RUNS, lambda call=call: evm.run([call], block))  # type: ignore[misc]
        peer = _p50(RUNS, lambda call=call: naive(call))  # type: ignore[misc]
        goal = GOAL_US if name == _ARB else None
        results.append(Result("simulate", f"{name}, in process", value, "µs", "pyrevm by itself", peer, same, goal))
    in_process = results[-1].value
    results.append(await _on_node(node, calls[_ARB], assumed, evm.run([calls[_ARB]], block)[0].output))
    for workers in (1, WORKERS):
        results.append(await _pooled(node, deployment, head, assumed, calls[_ARB], block, workers, in_process))
    return results


def _calls(deployment: Deployment, block: BlockContext, trade: Trade) -> tuple[StateDiff, dict[str, Call]]:
    """What is assumed besides the head's state, and what is run on it."""
    weth, usdc = deployment.weth, deployment.token("USDC").address
    book = Book.of(weth, [_Pool.of(hop) for hop in trade.route])
    assumed: StateDiff = {
        OWNER: AccountDiff(balance=1000 * ETHER, nonce=1, code=b""),
        BUILDER: AccountDiff(balance=0, nonce=0, code=b""),
        EXECUTOR: AccountDiff(balance=0, nonce=1, code=runtime_code(OWNER, weth, book)),
        weth: AccountDiff(slots={mapping_slot(int(EXECUTOR, 16), WETH9_BALANCES): DUST}),
    }
    v2 = calldata(
        "swapExactETHForTokens(uint256,address[],address,uint256)", 1, [weth, usdc], TRADER, block.timestamp + 60
    )
    v3 = calldata(
        "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))",
        (weth, usdc, 500, TRADER, block.timestamp + 60, ETHER, 1, 0),
    )
    planned = plan(trade, Capital.NESTED, weth=weth, book=book)
    program = encode(planned, token=weth, min_profit=trade.gross_profit, weth=weth, book=book)
    base = Call(TRADER, deployment.v2_routers[0], v2, ETHER, GAS, block.base_fee)
    return assumed, {
        "v2 swap by its router": base,
        "v3 swap by its router": replace(base, to=deployment.v3_router, data=v3),
        _ARB: Call(OWNER, EXECUTOR, program, gas=GAS, gas_price=block.base_fee),
    }


def _naive(url: str, head: Header, block: BlockContext, chain_id: int, assumed: StateDiff) -> Callable[[Call], bytes]:
    """pyrevm used as its README does."""
    env = pyrevm.Env(
        cfg=pyrevm.CfgEnv(chain_id=chain_id),
        block=pyrevm.BlockEnv(number=block.number, timestamp=block.timestamp, basefee=block.base_fee),
    )
    evm = pyrevm.EVM(env=env, fork_url=url, fork_block=hex(head.number), gas_limit=head.gas_limit, spec_id="Cancun")
    for address, change in assumed.items():
        if change.code is not None:
            info = pyrevm.AccountInfo(change.balance or 0, change.nonce or 0, None, change.code)  # type: ignore[call-arg, arg-type]
            evm.insert_account_info(address, info)
        for slot, value in change.slots.items():
            evm.insert_account_storage(address, slot, value)

    def call(asked: Call) -> bytes:
        checkpoint = evm.snapshot()
        try:
            assert asked.to is not None
            return evm.message_call(
                asked.sender, asked.to, calldata=asked.data, value=asked.value, gas=asked.gas, gas_price=asked.gas_price
            )
        finally:
            evm.revert(checkpoint)

    return call


async def _on_node(node: Anvil, call: Call, assumed: StateDiff, expected: bytes) -> Result:
    """eth_call over HTTP, over IPC, and by web3.py where that is installed."""
    params = [request(call), "latest", overrides(assumed)]
    answer = await node.rpc.call("eth_call", *params)
    times = []
    for _ in range(ASKED):
        start = time.perf_counter()
        await node.rpc.call("eth_call", *params)
        times.append(time.perf_counter() - start)
    ours = statistics.median(times) * 1e6
    details = {"by IPC": await _by_ipc(node.ipc_path, params)}
    same = abi.to_bytes(answer) == expected
    try:
        question = {"url": node.http_url, "params": params, "times": ASKED}
        told = ask("peers", "simulate_web3.py", question)
    except UserError:  # not installed: then the node is only measured
        return Result("simulate", f"{_ARB}, node by HTTP", ours, "µs", "itself", ours, same, details=details)
    same = same and told["answer"] == answer
    return Result("simulate", f"{_ARB}, node by HTTP", ours, "µs", "web3.py", told["p50_us"], same, details=details)


async def _by_ipc(path: str, params: list[Any]) -> float:
    reader, writer = await asyncio.open_unix_connection(path, limit=1 << 22)
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": params}).encode() + b"\n"
    times = []
    for _ in range(ASKED):
        start = time.perf_counter()
        writer.write(body)
        await reader.readuntil(b"}")  # the answer is one flat object
        times.append(time.perf_counter() - start)
    writer.close()
    return statistics.median(times) * 1e6


async def _pooled(
    node: Anvil,
    deployment: Deployment,
    head: Header,
    assumed: StateDiff,
    call: Call,
    block: BlockContext,
    workers: int,
    in_process: float,
) -> Result:
    """A simulation's share of the time that many take."""
    async with WorkerPool(
        node.http_url, head, workers=workers, chain_id=deployment.chain_id, overrides=assumed
    ) as pool:
        first = await asyncio.gather(*(pool.simulate([call], block) for _ in range(20)))
        start = time.perf_counter()
        jobs = (pool.simulate([call], block) for _ in range(THROUGHPUT))
        done = await asyncio.gather(*jobs)
        taken = (time.perf_counter() - start) / THROUGHPUT * 1e6
        alone = []
        for _ in range(ASKED):
            start = time.perf_counter()
            await pool.simulate([call], block)
            alone.append(time.perf_counter() - start)
    same = all(one == first[0] for one in done) and done[0][0].success
    details = {"a second": 1e6 / taken, "one alone": statistics.median(alone) * 1e6}
    name = f"{_ARB}, {workers} worker{'s' if workers > 1 else ''}"
    return Result("simulate", name, taken, "µs", "in process", in_process, same, details=details)


def _p50(times: int, work: Callable[[], Any]) -> float:
    """Microseconds of CPU: others may use the machine."""
    taken = []
    for _ in range(times):
        start = time.thread_time_ns()
        work()
        taken.append(time.thread_time_ns() - start)
    return statistics.median(taken) / 1e3
