"""``mev nodes``: what the nodes of a profile are and can do, and whether they agree."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faulty import FaultyNode, hangs
from mev_command import MEV

from bot.paths import repo_root
from bot.simulation.anvil import Anvil

CHAIN = 31337


def profile(folder: Path, nodes: Sequence[dict[str, str]]) -> str:
    text = (repo_root() / "forks" / "devnet.toml").read_text()
    start, end = text.index("[[nodes]]"), text.index("[[v2]]")
    tables = ["[[nodes]]\n" + "\n".join(f'{key} = "{value}"' for key, value in node.items()) for node in nodes]
    path = folder / "profile.toml"
    path.write_text(text[:start] + "\n".join(tables) + "\n\n" + text[end:])
    return str(path)


async def mev(*words: str) -> tuple[int, str]:
    """In a process of its own: it sets up logs for itself."""
    command = await asyncio.create_subprocess_exec(*MEV, "nodes", "--profile", *words, stdout=asyncio.subprocess.PIPE)
    out, _ = await command.communicate()
    assert command.returncode is not None
    return command.returncode, out.decode()


async def told(where: str) -> tuple[int, dict[str, Any]]:
    status, out = await mev(where, "--json")
    return status, json.loads(out)


async def test_all_is_well(tmp_path: Path) -> None:
    async with Anvil(chain_id=CHAIN) as node:
        await node.rpc.call("evm_mine")
        whole = {"name": "whole", "http": node.http_url, "ws": node.ws_url, "ipc": node.ipc_path}
        status, report = await told(profile(tmp_path, [whole, {"name": "http", "http": node.http_url}]))
    assert (status, report["problems"], report["disagreement"]) == (0, [], None)
    first, second = report["nodes"]
    assert first["reachable"] == ["ipc", "http", "ws"] and second["reachable"] == ["http"]
    for row in report["nodes"]:
        assert (row["chain_id"], row["head"], row["lag"], row["errors"]) == (CHAIN, 1, 0, 0)
        assert row["client"].startswith("anvil/") and row["tracer"] and row["simulate"]
        assert 0 < row["latency_ms"]["p50"] <= row["latency_ms"]["p99"]
    assert (first["mempool"], second["mempool"]) == ("whole", "no")


async def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    """One that is gone, one that hangs, one of another chain, one that lags, one with another block; no key is told."""
    async with (
        Anvil(chain_id=CHAIN) as node,
        Anvil(chain_id=CHAIN, fork_url=node.http_url, fork_block=0) as other,
        Anvil(chain_id=5) as foreign,
        FaultyNode(node.http_url) as faulty,
    ):
        await node.rpc.call("anvil_mine", "0x3")
        await other.rpc.call("anvil_mine", "0x1", "0x7")
        faulty.tamper = hangs()
        nodes = [
            {"name": "first", "http": node.http_url},
            {"name": "again", "http": node.http_url, "ws": "ws://127.0.0.1:1/c0ffee"},
            {"name": "other", "http": other.http_url},
            {"name": "foreign", "http": foreign.http_url},
            {"name": "gone", "http": "http://user:c0ffee@127.0.0.1:1/c0ffee"},
            {"name": "hanging", "http": faulty.http_url},
        ]
        where = profile(tmp_path, [nodes[0], nodes[1], nodes[2], *nodes[4:]])
        status, report = await told(where)
        assert status == 1
        assert [row["lag"] for row in report["nodes"]] == [0, 0, 2, None, None]
        problems = "\n".join(report["problems"])
        assert "c0ffee" not in json.dumps(report)
        for words in (
            "again: ws does not answer",
            "gone does not answer",
            "hanging does not answer",
            "block 1 differs",
        ):
            assert words in problems
        ours = (await node.rpc.call("eth_getBlockByNumber", "0x1", False))["hash"]
        assert report["disagreement"]["followed"] == ours
        assert report["disagreement"]["hashes"]["first"] == ours != report["disagreement"]["hashes"]["other"]
        status, report = await told(profile(tmp_path, [nodes[3]]))
    assert status == 1 and report["problems"] == [f"foreign is on chain 5, the profile is for chain {CHAIN}"]


async def test_people_get_a_table(tmp_path: Path) -> None:
    async with Anvil(chain_id=CHAIN) as node:
        where = profile(tmp_path, [{"name": "mine", "http": node.http_url}])
        status, out = await mev(where)
    assert status == 0
    assert "mine" in out and "anvil/" in out and "p99 ms" in out
