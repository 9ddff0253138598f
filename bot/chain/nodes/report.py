"""What each node of a pool is and can do, and whether they agree."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.chain.announced import asked, newest
from bot.chain.nodes.node import Endpoints, Node
from bot.chain.nodes.pool import Disagreement, NodePool
from bot.chain.subscription import subscribe
from bot.engine.decode import TransactionBody
from bot.jsonrpc import RpcError, RpcUnreachable, parse
from bot.simulation.node import PRESTATE_DIFF

SECONDS = 3.0  # for one question
CALLS = 20  # of which latency is measured


@dataclass(slots=True)
class NodeReport:
    """One node. ``reachable`` are the kinds of its endpoints that answer, ``unreachable`` why others do not. ``lag`` is
    the blocks behind the newest head, latencies are seconds. ``tracer``: what blocks changed (prestateTracer);
    ``simulate``: eth_simulateV1; ``mempool``: pending transactions, of which it tells whole or by ``hash``."""

    name: str
    reachable: list[str] = field(default_factory=list)
    unreachable: dict[str, str] = field(default_factory=dict)
    chain_id: int | None = None
    client: str = ""
    head: int | None = None
    head_hash: str = ""
    lag: int | None = None
    p50: float | None = None
    p99: float | None = None
    errors: int = 0
    last_error: str = ""
    tracer: bool = False
    simulate: bool = False
    mempool: str = "no"


async def survey(pool: NodePool) -> tuple[list[NodeReport], Disagreement | None]:
    """Of every node, and the height at which they have different blocks, if they do."""
    reports = await asyncio.gather(*map(_look_at, pool.nodes))
    heads = [report.head for report in reports if report.head is not None]
    for report in reports:
        report.lag = None if report.head is None else max(heads) - report.head
    return reports, await _disagreement(pool.nodes, min(heads)) if len(heads) > 1 else None


async def _disagreement(nodes: Sequence[Node], number: int) -> Disagreement | None:
    """At the newest height that all have. The first node is the one that a tie follows."""
    said = await asyncio.gather(*(_tried(asked(node, "eth_getBlockByNumber", hex(number), False)) for node in nodes))
    hashes = {node.name: str(block.get("hash")) for node, block in zip(nodes, said, strict=True) if block is not None}
    counts = list(hashes.values())
    if len(set(counts)) < 2:
        return None
    return Disagreement(number, hashes, max(counts, key=lambda one: (counts.count(one), -counts.index(one))))


async def _look_at(node: Node) -> NodeReport:
    report = NodeReport(node.name)
    for kind in ("ipc", "http", "ws"):
        at = getattr(node.at, kind)
        if at is not None:
            why = await _why_not(Endpoints(node.name, **{kind: at}))
            if why:
                report.unreachable[kind] = why
            else:
                report.reachable.append(kind)
    if not report.reachable:
        return report
    chain = await _tried(_ask(node, "eth_chainId"))
    report.chain_id = int(chain, 16) if isinstance(chain, str) else None
    report.client = str(await _tried(_ask(node, "web3_clientVersion")) or "")
    head = await _tried(newest(node))
    if head is not None and isinstance(head.get("number"), str):
        report.head, report.head_hash = int(head["number"], 16), str(head.get("hash"))
        traced = await _tried(_ask(node, "debug_traceBlockByHash", report.head_hash, PRESTATE_DIFF))
        report.tracer = isinstance(traced, list)
    calls: dict[str, Any] = {"blockStateCalls": [{"calls": []}]}
    report.simulate = isinstance(await _tried(_ask(node, "eth_simulateV1", calls, "latest")), list)
    report.mempool = await _mempool(node)
    before = len(node.health.latencies)
    for _ in range(CALLS):
        await _tried(_ask(node, "eth_blockNumber"))
    measured = sorted(list(node.health.latencies)[before:])
    if measured:
        report.p50, report.p99 = measured[len(measured) // 2], measured[-1]
    report.errors, report.last_error = node.health.errors, node.health.last_error
    return report


async def _why_not(at: Endpoints) -> str:
    async with at.client(SECONDS) as rpc:
        try:
            await rpc.call("eth_chainId")
        except (RpcError, RpcUnreachable) as error:
            return str(error)
    return ""


async def _mempool(node: Node) -> str:
    """``whole``, ``hash``, or ``no``."""
    if node.at.stream is None:
        return "no"
    for wanted, kind in ((("newPendingTransactions", True), "whole"), (("newPendingTransactions",), "hash")):
        stream = subscribe(node.at.stream, TransactionBody | str, *wanted)  # type: ignore[arg-type]
        try:
            async with asyncio.timeout(SECONDS):
                await anext(stream)
            return kind
        except (RpcError, RpcUnreachable, TimeoutError, StopAsyncIteration):
            continue
        finally:
            await stream.aclose()  # type: ignore[attr-defined]
    return "no"


async def _ask(node: Node, method: str, *params: Any) -> Any:
    body = node.rpc.request(method, params)
    return await node.ask(method, body, lambda raw: parse(method, raw))


async def _tried(question: Awaitable[Any]) -> Any:
    """The answer, or None."""
    try:
        async with asyncio.timeout(SECONDS):
            return await question
    except (RpcError, RpcUnreachable, TimeoutError):
        return None
