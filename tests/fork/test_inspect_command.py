"""`mev inspect` on recordings and on nodes with and without tracers."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from bot.cli import main
from bot.cli.inspect import report
from bot.cli.inspect_source import LOGS, of_node
from bot.inspection.inspect import inspect
from bot.jsonrpc import JsonRpc, RpcError
from bot.paths import repo_root
from bot.simulation.cassette import load
from bot.simulation.proof import replayed
from tests.fork.recorded import cassette_path, needs_recordings

LIGHT = repo_root().parent / "shared" / "data" / "inspect"
needs_light = pytest.mark.skipif(not LIGHT.is_dir(), reason=f"the recorded traces are not at {LIGHT}")
WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
BLOCK = 24628607


def run(capsys: pytest.CaptureFixture[str], *args: str) -> Any:
    status = main.run(["inspect", *args, "--json"])
    told = capsys.readouterr()
    assert status == 0, told.err
    return json.loads(told.out)


# --- recordings -------------------------------------------------------------------------------------------------------


@needs_light
def test_traces_without_state(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, str(LIGHT / "13302365.json.gz"))
    assert [find["kind"] for find in said["mev"]] == ["arbitrage", "arbitrage", "liquidation"]
    first = said["mev"][0]
    assert first["profit"] == {WETH: 15226635895954875} and first["worth_wei"] == 15226635895954875
    assert first["net_wei"] == first["worth_wei"] - first["priority_fee_wei"] - first["burnt_wei"]
    assert said["mev"][2]["net_wei"] is None, "OHM is priced nowhere in the block"
    assert said["total"]["priced"] == 2 and said["total"]["finds"] == 3
    assert said["not_searched"] and first["left_for_us"] is None


@needs_light
def test_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["inspect", str(LIGHT / "13404932.json.gz")]) == 0
    told = capsys.readouterr().out
    for word in ("sandwich", "around 1", "arbitrage", "cream", "total:", "% of it to the builder"):
        assert word in told


@needs_light
def test_a_block_with_nothing_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["inspect", str(LIGHT / "13666184.json.gz")]) == 0
    assert "no arbitrage, liquidation or sandwich" in capsys.readouterr().out


@needs_recordings
def test_what_was_left_for_us(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, str(cassette_path(BLOCK)))
    taken = {find["transactions"][0]["index"]: find for find in said["mev"]}
    assert list(taken) == [11, 18, 25, 28, 36]
    for index in (11, 25, 28):
        ours = taken[index]["left_for_us"]
        assert ours["found"] and ours["same_pools"] and ours["open_since"] == 0
        assert set(ours["pools"]) == {swap["pool"] for swap in taken[index]["swaps"]}
        assert ours["gross_profit_wei"] >= taken[index]["worth_wei"] - 10**9, "at least as good, but for dust"
        bid = taken[index]["priority_fee_wei"] + taken[index]["direct_payment_wei"]
        assert ours["net_at_their_bid_wei"] == ours["gross_profit_wei"] - ours["gas"] * said["base_fee"] - bid
    assert "Maker" in taken[18]["left_for_us"]["not_followed"]["0xf6e72db5454dd049d0788e411b06cfaf16853042"]
    assert all(find["left_for_us"]["why"] for find in taken.values())
    assert said["total"]["net_wei"] == sum(find["net_wei"] for find in said["mev"])


# --- nodes ------------------------------------------------------------------------------------------------------------


class Without(JsonRpc):
    """A node that lacks some methods."""

    missing: tuple[str, ...] = ()

    async def call(self, method: str, *params: Any, **more: Any) -> Any:
        if method in self.missing:
            raise RpcError(method, -32601, "the method does not exist")
        return await super().call(method, *params, **more)


@needs_recordings
def test_a_node_with_either_tracer_with_none_and_without_receipts_of_blocks() -> None:
    number = 15050000
    lacks = {
        "nothing": (),
        "parity": ("trace_block",),
        "receipts": ("eth_getBlockReceipts",),
        "both": ("trace_block", "debug_traceBlockByNumber"),
    }

    async def all_of_them() -> dict[str, Any]:
        found = {}
        async with replayed(load(cassette_path(number))) as (rpc, _):
            for name, missing in lacks.items():
                async with Without(rpc.url) as node:
                    node.missing = missing
                    found[name] = report(inspect(await of_node(node, number, WETH)), {}, "")
        return found

    found = asyncio.run(all_of_them())
    sources = {name: one.pop("source") for name, one in found.items()}
    assert found["nothing"] == found["parity"] == found["receipts"]
    assert sources["nothing"] == sources["receipts"] != sources["parity"]
    assert sources["both"] == LOGS
    assert found["both"]["swaps"] == found["nothing"]["swaps"] > 0


@needs_recordings
def test_the_command_asks_a_node(capsys: pytest.CaptureFixture[str]) -> None:
    async def ask() -> tuple[int, int]:
        async with replayed(load(cassette_path(BLOCK))) as (rpc, _):
            good = await asyncio.to_thread(main.run, ["inspect", str(BLOCK), "--url", rpc.url, "--json"])
            return good, await asyncio.to_thread(main.run, ["inspect", str(BLOCK + 9), "--url", rpc.url])

    assert asyncio.run(ask()) == (0, 2)
    told = capsys.readouterr()
    said = json.loads(told.out)
    assert [find["transactions"][0]["index"] for find in said["mev"]] == [11, 18, 25, 28, 36]
    assert "record it" in said["not_searched"]
    assert f"no block {BLOCK + 9}" in told.err


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (["13217637"], "--profile or --url"),
        (["13217637", "--url", "ftp://somewhere"], "http"),
        (["nothing.json.gz"], "nothing.json.gz"),
        (["nothing.json.gz", "--url", "http://127.0.0.1:1"], "number"),
        (["EMPTY"], "not a recorded block"),
        (["CUT"], "cut off"),
        (["WRONG"], "trace_block"),
        (["OTHER"], "format"),
    ],
)
def test_bad_input_is_one_line(args: list[str], word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contents = {
        "EMPTY": b"",
        "CUT": gzip.compress(b'{"traces":[]}' * 99)[:40],
        "WRONG": b'{"traces":[{"type":"call"}],"receipts":[]}',
        "OTHER": gzip.compress(b'{"format":"something"}'),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    args = [str(tmp_path / args[0]) if args[0] in contents else args[0], *args[1:]]
    assert main.run(["inspect", *args]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert word in told.err and len(told.err.strip().splitlines()) == 1
