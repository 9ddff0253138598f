"""``mev bench nodes``: a call to a node over HTTP, websocket and IPC beside web3.py, and what the pool of nodes adds to
one that goes well."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping

from bot.chain.nodes.node import Endpoints
from bot.chain.nodes.pool import NodePool
from bot.cli.benches import peer
from bot.cli.benches.result import Result
from bot.jsonrpc import JsonRpc
from bot.simulation.anvil import Anvil

CALLS = 2_000
THEIRS = 300
AHEAD = {"http": 3.0, "ws": 2.5, "ipc": 1.5}  # times
ADDED = 100.0  # microseconds that a pool may add to a call


def run() -> list[Result]:
    """Raises UserError where the peer is not installed."""
    return asyncio.run(_run())


async def _run() -> list[Result]:
    async with Anvil(chain_id=31337) as node:
        await node.rpc.call("evm_mine")
        urls = {"http": node.http_url, "ws": node.ws_url, "ipc": node.ipc_path}
        theirs = await asyncio.to_thread(peer.ask, "peers", "nodes_web3.py", {**urls, "times": THEIRS})
        ours = {kind: Endpoints.at(url).client(10.0) for kind, url in urls.items()}
        one, two = (
            NodePool([Endpoints.at(node.http_url)]),
            NodePool([Endpoints.at(node.http_url, "first"), Endpoints.at(node.ws_url, "second")]),
        )
        clients: dict[str, JsonRpc] = {**ours, "one": one, "two": two}
        try:
            taken, hashes = await _measured(clients)
        finally:
            await asyncio.gather(*(client.close() for client in clients.values()))
    results = [
        Result(
            "nodes", f"newest block over {kind}", round(taken[kind], 1), "µs", "web3.py", round(said["p50_us"], 1),
            hashes[kind] == said["hash"], ahead=AHEAD[kind],
        )
        for kind, said in theirs.items()
    ]  # fmt: skip
    for name, words in (("one", "pool of one"), ("two", "pool of two")):
        added = round(taken[name] - taken["http"], 1)
        results.append(
            Result(
                "nodes", f"newest block by a {words}", round(taken[name], 1), "µs", "the bare client",
                round(taken["http"], 1), hashes[name] == hashes["http"], goal=taken["http"] + ADDED,
                details={"µs added": added, "hedges": two.nodes[0].health.late},
            )
        )  # fmt: skip
    return results


async def _measured(clients: Mapping[str, JsonRpc]) -> tuple[dict[str, float], dict[str, str]]:
    """Medians in microseconds, in turns so that the machine's moods reach all alike; and the answers."""
    taken: dict[str, list[float]] = {name: [] for name in clients}
    hashes = {}
    for _ in range(CALLS):
        for name, client in clients.items():
            start = time.perf_counter()
            block = await client.call("eth_getBlockByNumber", "latest", False)
            taken[name].append(time.perf_counter() - start)
            hashes[name] = block["hash"]
    return {name: statistics.median(seconds) * 1e6 for name, seconds in taken.items()}, hashes
