"""web3.py asks a node for its newest block over HTTP, websocket and IPC: prints the medians in microseconds, and the
hashes."""

import asyncio
import json
import statistics
import sys
import time

from web3 import AsyncWeb3, HTTPProvider, IPCProvider, Web3, WebSocketProvider

with open(sys.argv[1], encoding="utf-8") as file:
    question = json.load(file)
TIMES = question["times"]


def blocking(node: Web3) -> dict[str, object]:
    taken, block = [], None
    for _ in range(TIMES):
        start = time.perf_counter()
        block = node.eth.get_block("latest")
        taken.append(time.perf_counter() - start)
    return {"p50_us": statistics.median(taken) * 1e6, "hash": "0x" + bytes(block["hash"]).hex()}


async def websocket(url: str) -> dict[str, object]:
    taken, block = [], None
    async with AsyncWeb3(WebSocketProvider(url)) as node:
        for _ in range(TIMES):
            start = time.perf_counter()
            block = await node.eth.get_block("latest")
            taken.append(time.perf_counter() - start)
    return {"p50_us": statistics.median(taken) * 1e6, "hash": "0x" + bytes(block["hash"]).hex()}


print(
    json.dumps(
        {
            "http": blocking(Web3(HTTPProvider(question["http"]))),
            "ws": asyncio.run(websocket(question["ws"])),
            "ipc": blocking(Web3(IPCProvider(question["ipc"]))),
        }
    )
)
