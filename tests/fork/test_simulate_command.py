"""``mev simulate`` on a devnet and on recorded blocks, against what happened and what was computed."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from recorded import MAINNET, cassette_path

from bot.abi import call, to_bytes, to_hex
from bot.chain.pools import identify, load
from bot.cli.main import run
from bot.cli.replay_executor import EXECUTOR
from bot.devnet.deployment import CHAIN_ID, account
from bot.devnet.network import Devnet
from bot.devnet.place import calldata
from bot.engine.decode import header
from bot.engine.types import NewHead, Trade
from bot.execution.book import Book
from bot.execution.program import Capital, encode, plan
from bot.market.market import Market
from bot.paths import data_dir, repo_root
from bot.simulation.cassette import load as load_cassette
from bot.simulation.flows import ETHER
from bot.strategies.arbitrage import Arbitrage
from bot.strategies.gas import GasPolicy

RICH, OTHER = account(7), account(8)
GWEI = 10**9
LABELLED = [(24628607, 25), (13217637, 2)]
SOME = [(13217637, 1), (17666333, 37), (19426586, 6), (22244135, 75), (24628607, 28), (20378342, 82), (23879620, 60)]
Answer = Callable[..., Any]


@pytest.fixture
def answer(capfd: pytest.CaptureFixture[str]) -> Answer:
    """The JSON that a command gives, and its status."""

    def answer(*args: object, status: int = 0) -> Any:
        capfd.readouterr()
        assert run(["simulate", *map(str, args), "--json"]) == status, capfd.readouterr().err
        return json.loads(capfd.readouterr().out)

    return answer


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a command says on one line when it takes nothing of it."""

    def refused(*args: object) -> str:
        capfd.readouterr()
        status = run(["simulate", *map(str, args)])
        out, err = capfd.readouterr()
        assert (status, out) == (2, ""), err
        assert err.count("\n") == 1
        return err

    return refused


# --- recorded --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("block", "index"), LABELLED + SOME * bool(os.environ.get("MEV_VERIFY")))
def test_recorded_transaction_does_what_it_did(block: int, index: int, answer: Answer) -> None:
    cassette = load_cassette(cassette_path(block))
    raw = to_hex(cassette.raw_transactions[index])
    (told,) = answer(raw, "--cassette", cassette.path, "--index", index)["transactions"]
    receipt = cassette.receipts[index]
    assert (told["status"] == "success") == (receipt["status"] == "0x1")
    assert told["gas_used"] == int(receipt["gasUsed"], 16)
    assert told["hash"] == cassette.block["transactions"][index]["hash"]
    labels = json.loads((MAINNET / "labels.json").read_text())[str(block)]["atomicArbCandidates"]
    for label in labels:
        if label["txIndex"] == index:
            assert told["profit"]["gross_wei"] == label["ethLikeProfitWei"]


def test_recorded_failure_shows_where(answer: Answer) -> None:
    cassette = load_cassette(cassette_path(20378342))
    index = next(n for n, receipt in enumerate(cassette.receipts) if receipt["status"] == "0x0")
    raw = to_hex(cassette.raw_transactions[index])
    (told,) = answer(raw, "--cassette", cassette.path, "--index", index, status=1)["transactions"]
    assert told["status"] == "reverted"
    assert told["reason"]
    assert told["reverted_at"][0]["to"] == told["to"]
    assert told["flows"] == []


def test_recorded_block_as_a_bundle(answer: Answer, tmp_path: Path) -> None:
    """Out of the middle, with a gap in front of it, and with one that others had to come before."""
    cassette = load_cassette(cassette_path(19426587))
    txs = [to_hex(raw) for raw in cassette.raw_transactions[3:8]]
    failed = [tx["hash"] for tx in cassette.block["transactions"]]
    bundle = {"txs": txs, "blockNumber": hex(cassette.number), "revertingTxHashes": failed}
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_sendBundle", "params": [bundle]}))
    reverted = any(receipt["status"] == "0x0" for receipt in cassette.receipts[3:8])
    told = answer(file, "--cassette", cassette.path, "--index", 3, status=int(reverted))
    assert told["bundle_included"]
    assert told["notes"] == []
    gas = [one["gas_used"] for one in told["transactions"]]
    assert gas == [int(receipt["gasUsed"], 16) for receipt in cassette.receipts[3:8]]


def test_what_was_not_recorded_is_not_guessed(refused: Callable[..., str]) -> None:
    path = cassette_path(19426587)
    stranger, weth = "0x" + "cd" * 20, "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
    asked = ("--cassette", path, "--to", weth, "--data", to_hex(call("balanceOf(address)", stranger)))
    assert "not recorded in the cassette: slot" in refused(*asked)
    assert "account " + stranger in refused("--cassette", path, "--to", stranger)
    assert "account " + stranger in refused("--cassette", path, "--to", weth, "--from", stranger)


# --- the devnet ------------------------------------------------------------------------------------------------------


@dataclass
class World:
    runner: asyncio.Runner
    net: Devnet

    def rpc(self, method: str, *params: Any) -> Any:
        return self.runner.run(self.net.node.rpc.call(method, *params))

    @property
    def on(self) -> tuple[str, str]:
        return "--url", self.net.node.http_url

    def signed(self, to: str, data: bytes = b"", **changes: Any) -> str:
        nonce = int(self.rpc("eth_getTransactionCount", RICH.address, "latest"), 16)
        fields: dict[str, Any] = {
            "chainId": CHAIN_ID,
            "nonce": nonce,
            "to": to_bytes(to),
            "data": data,
            "value": 0,
            "gas": 500_000,
            "maxFeePerGas": 20 * GWEI,
            "maxPriorityFeePerGas": GWEI,
        } | changes
        return to_hex(bytes(RICH.sign_transaction(fields).raw_transaction))


@pytest.fixture
def world() -> Iterator[World]:
    with asyncio.Runner() as runner:
        net = Devnet(data_dir(), 11)
        runner.run(net.__aenter__())
        try:
            for _ in range(3):
                runner.run(net.send_flow())
                runner.run(net.build_block())
            yield World(runner, net)
        finally:
            runner.run(net.__aexit__(None, None, None))


def test_wrapping_ether_shows_both_sides(world: World, answer: Answer, capfd: pytest.CaptureFixture[str]) -> None:
    weth, rich = world.net.deployment.weth, RICH.address.lower()
    (told,) = answer(world.signed(weth, call("deposit()"), value=5), *world.on)["transactions"]
    assert told["gains"][rich] == {ETHER: "-5", weth: "5"}
    assert told["trace"]["function"] == "deposit()"
    assert told["profit"]["sender_wei"] == "0"
    before = world.rpc("eth_blockNumber")
    assert run(["simulate", world.signed(weth, call("withdraw(uint256)", 10**40)), *world.on]) == 1
    said = capfd.readouterr().out
    assert "reverted" in said and "withdraw(uint256)" in said
    assert world.rpc("eth_blockNumber") == before  # nothing was sent


def test_swap_by_a_router_names_pools_and_reasons(world: World, answer: Answer) -> None:
    deployment = world.net.deployment
    weth, usdc, rich = deployment.weth, deployment.token("USDC").address, RICH.address.lower()
    signature = "swapExactETHForTokens(uint256,address[],address,uint256)"
    good = calldata(signature, 1, [weth, usdc], rich, 2**40)
    (told,) = answer(world.signed(deployment.v2_routers[0], good, value=10**16), *world.on)["transactions"]
    assert told["status"] == "success"
    assert int(told["gains"][rich][usdc]) > 0
    assert told["access_list"]["saves_gas"] > 0
    assert any("uniswap-v2" in frame["name"] for frame in told["trace"]["calls"])
    greedy = calldata(signature, 10**30, [weth, usdc], rich, 2**40)
    (told,) = answer(world.signed(deployment.v2_routers[0], greedy, value=1), *world.on, status=1)["transactions"]
    assert told["reason"] == "UniswapV2Router: INSUFFICIENT_OUTPUT_AMOUNT"
    shallow = answer(world.signed(deployment.v2_routers[0], good, value=10**16), *world.on, "--depth", 0)
    assert shallow["transactions"][0]["trace"]["calls"] == []


def test_bundle_is_left_out_when_what_may_not_revert_does(world: World, answer: Answer, tmp_path: Path) -> None:
    weth = world.net.deployment.weth
    nonce = int(world.rpc("eth_getTransactionCount", RICH.address, "latest"), 16)
    first = world.signed(weth, call("deposit()"), value=7)
    second = world.signed(weth, call("withdraw(uint256)", 10**40), nonce=nonce + 1)
    file = tmp_path / "bundle"
    file.write_text(json.dumps({"txs": [first, second], "blockNumber": "0x1"}))
    told = answer(file, *world.on, status=1)
    assert told["bundle_included"] is False
    assert "for block 1" in told["notes"][0]
    assert [one["status"] for one in told["transactions"]] == ["success", "reverted"]
    file.write_text(f"# one a line\n{first}\n{world.signed(weth, call('withdraw(uint256)', 7), nonce=nonce + 1)}\n")
    told = answer(file, *world.on)
    assert told["bundle_included"] is None


def test_unsigned_call_of_anybody(world: World, answer: Answer) -> None:
    weth = world.net.deployment.weth
    asked = ("--to", weth, "--data", to_hex(call("deposit()")), "--value", 9)
    told = answer(*asked, *world.on)
    assert "lent ether" in told["notes"][0]
    (one,) = told["transactions"]
    assert one["gains"][one["from"]][weth] == "9"
    (made,) = answer("--data", "0x600c600c5f39600c5ff3" + "0000" + "60015f5560425f5260205ff3", *world.on)[
        "transactions"
    ]
    assert made["created"]


def found(world: World) -> Trade:
    rpc, deployment = world.net.node.rpc, world.net.deployment
    head = header(world.rpc("eth_getBlockByNumber", "latest", False))
    infos = world.runner.run(identify(rpc, [pool.address for pool in deployment.pools], head.number))
    market = Market([deployment.weth])
    market.add(world.runner.run(load(rpc, infos, head.number)).pools.values())
    market.anchor(head)
    free = GasPolicy(deployment.weth, base=0, per_hop={"v2": 0, "v3": 0})
    trades = [one.trade for one in Arbitrage(market, free).process(NewHead(head, (), {}, (), 0))]
    return next(trade for trade in trades if isinstance(trade, Trade))


def test_program_gains_what_was_computed(world: World, answer: Answer, tmp_path: Path) -> None:
    trade, weth = found(world), world.net.deployment.weth
    planned = plan(trade, Capital.NESTED, weth=weth)
    program = encode(planned, token=weth, weth=weth, min_profit=trade.gross_profit, book=Book.EMPTY)
    told = answer("--program", to_hex(program), *world.on)
    (one,) = told["transactions"]
    assert one["gains"][EXECUTOR][weth] == str(trade.gross_profit)
    assert told["program"][-1].startswith("check: at least")
    more = encode(planned, token=weth, weth=weth, min_profit=trade.gross_profit + 1, book=Book.EMPTY)
    file = tmp_path / "program"
    file.write_text(to_hex(more))
    (one,) = answer("--program", file, *world.on, status=1)["transactions"]
    assert f"not {trade.gross_profit + 1} more" in one["reason"]


def test_what_cannot_be_is_told_plainly(world: World, refused: Callable[..., str], tmp_path: Path) -> None:
    weth, on = world.net.deployment.weth, world.on
    nonce = int(world.rpc("eth_getTransactionCount", RICH.address, "latest"), 16)
    assert "signed for chain 1, this is chain 31337" in refused(world.signed(weth, chainId=1), *on)
    assert f"has nonce {nonce + 3}, the next" in refused(world.signed(weth, nonce=nonce + 3), *on)
    assert "may cost" in refused(world.signed(weth, value=10**30), *on)
    assert "base fee is" in refused(world.signed(weth, maxFeePerGas=1, maxPriorityFeePerGas=1), *on)
    assert "cannot be in the block" in refused(world.signed(weth, gas=21_500, data=b"\1" * 500), *on)
    assert "there is no executor" in refused("--program", "0x0070000000000000000000000001", "--executor", weth, *on)
    whole = world.signed(weth)
    for wrong in (whole[:-2], whole[:-1], "0x03" + whole[4:], "0x7f" + whole[4:], "0x", "nothing"):
        refused(wrong, *on)
    empty = tmp_path / "empty"
    for text in ("", "[]", "{}", '{"txs": [1]}', "[" * 100_000, "hello", '{"txs": ["0x00"], "blockNumber": "x"}'):
        empty.write_text(text)
        refused(empty, *on)


def test_where_and_what_are_said_once(refused: Callable[..., str]) -> None:
    devnet = repo_root() / "forks" / "devnet.toml"
    assert "say where" in refused("0x00")
    assert "say where" in refused("0x00", "--profile", devnet, "--url", "http://127.0.0.1:1")
    assert "say what" in refused("--profile", devnet)
    assert "say what" in refused("0x00", "--to", "0x" + "11" * 20, "--profile", devnet)
    assert "--index" in refused("0x00", "--profile", devnet, "--index", 1)
    assert "a node's" in refused("0x00", "--url", "127.0.0.1:8545")
    assert "checksum" in refused("--to", "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756CC2", "--profile", devnet)
    assert "hexadecimal" in refused("--to", "0x" + "11" * 20, "--data", "0xzz", "--profile", devnet)
    assert "there is none" in refused("--from", "0x" + "11" * 20, "--profile", devnet)
    assert "program" in refused("--program", "0x00", "--to", "0x" + "11" * 20, "--profile", devnet)
