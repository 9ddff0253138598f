"""``mev market``, ``mev scan`` and ``mev quote``, and what they rest on: discovery and the trial of tokens, on a devnet
and on a recorded block."""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from recorded import cassette_path

from bot import abi
from bot.amm.layouts import UNISWAP_V2
from bot.amm.pool import NoLiquidity, UnknownState
from bot.amm.v2 import V2Pool
from bot.chain import snapshot
from bot.chain.discovery import Factories, from_addresses, from_events, from_tokens
from bot.chain.pools import load
from bot.chain.tokens import Verdict, check, describe
from bot.cli.main import run
from bot.devnet.artifacts import Source
from bot.devnet.deployment import Deployment
from bot.devnet.place import Site
from bot.devnet.state import devnet_node, ensure_state
from bot.paths import data_dir, repo_root
from bot.simulation.anvil import Anvil
from bot.simulation.types import BlockContext

FEES = (100, 500, 3_000, 10_000)
CASES = [tomllib.loads(path.read_text()) for path in sorted((repo_root() / "tests" / "cases").glob("*.toml"))]
HOSTILE = {
    "PlainToken": (Verdict.OK, 0),
    "SilentToken": (Verdict.OK, 0),
    "FeeToken": (Verdict.TAXED, 100),
    "Salmonella": (Verdict.TAXED, 9_000),
    "FalseToken": (Verdict.UNSELLABLE, 0),
    "RevertingToken": (Verdict.UNSELLABLE, 0),
}
"""Tokens of tests/forge/helpers, and what trading them is like."""
LOT = 10**24


@dataclass
class Devnet:
    """A node of this module's own. ``runner`` is its event loop: commands start loops of their own."""

    runner: asyncio.Runner
    node: Anvil
    deployment: Deployment
    site: Site
    profile: Path

    @property
    def factories(self) -> Factories:
        deployment = self.deployment
        v2 = dict.fromkeys(deployment.v2_factories, 3_000)
        others = (deployment.balancer_vault,), (deployment.v4_manager,)
        return Factories(v2, {deployment.v3_factory: FEES}, (), (), *others)

    @property
    def head(self) -> int:
        return int(self.runner.run(self.node.rpc.call("eth_blockNumber")), 16)

    def send(self, to: str, data: bytes) -> None:
        self.site.send(to, data)
        self.runner.run(self.site.settle())


@pytest.fixture
def devnet(tmp_path: Path) -> Iterator[Devnet]:
    with asyncio.Runner() as runner:
        state, deployment = runner.run(ensure_state(data_dir()))
        node = devnet_node(state, deployment)
        runner.run(node.start())
        try:
            runner.run(node.rpc.call("anvil_autoImpersonateAccount", True))
            profile = tmp_path / "profile.toml"
            text = (repo_root() / "forks" / "devnet.toml").read_text()
            profile.write_text(text.replace("http://127.0.0.1:8545", node.http_url))
            site = Site(node.rpc, deployment.traders[0], deployment.head_timestamp)
            yield Devnet(runner, node, deployment, site, profile)
        finally:
            runner.run(node.stop())


def answer(capfd: pytest.CaptureFixture[str], *args: str, status: int = 0) -> Any:
    """What a command says in JSON."""
    capfd.readouterr()
    assert run([*args, "--json"]) == status, capfd.readouterr().err
    return json.loads(capfd.readouterr().out)


def taken(devnet: Devnet, capfd: pytest.CaptureFixture[str], *more: str) -> tuple[Path, Any]:
    file = devnet.profile.with_name("market.snapshot")
    said = answer(capfd, "market", "snapshot", "--profile", str(devnet.profile), "-o", str(file), *more)
    return file, said


# --- discovery --------------------------------------------------------------------------------------------------------


def test_events_and_tokens_lead_to_the_same_pools(devnet: Devnet) -> None:
    rpc, tokens = devnet.node.rpc, [token.address for token in devnet.deployment.tokens]
    told: list[tuple[str, int, int]] = []
    by_events = devnet.runner.run(
        from_events(rpc, devnet.factories, 0, devnet.head, progress=lambda *said: told.append(said))
    )
    by_tokens = devnet.runner.run(from_tokens(rpc, devnet.factories, tokens, devnet.head))
    made = {(pool.address, pool.factory, pool.fee) for pool in devnet.deployment.pools}
    found = {(info.id, info.factory, info.fee) for info in by_events if info.protocol in ("uniswap-v2", "uniswap-v3")}
    assert found == made
    assert not any(info.fee_assumed for info in by_events)
    events, asked = {info.id: info for info in by_events}, {info.id: info for info in by_tokens}
    assert asked.items() <= events.items()
    assert {events[pool].protocol for pool in events.keys() - asked.keys()} == {"balancer"}
    addresses = [info.id[:42] for info in by_events if info.protocol != "uniswap-v4"]
    again = devnet.runner.run(from_addresses(rpc, [*addresses, *tokens, devnet.deployment.v3_factory], devnet.head))
    assert {info.id for info in again} >= {info.id for info in by_events if info.protocol != "uniswap-v4"}
    assert ("blocks searched", devnet.head + 1, devnet.head + 1) in told
    few = devnet.runner.run(from_events(rpc, devnet.factories, 0, devnet.head, tokens=tokens[:2]))
    assert few and all(sum(token in tokens[:2] for token in info.tokens) == 2 for info in few)


def test_a_log_of_a_stranger_brings_nothing_in(devnet: Devnet) -> None:
    """A contract that logs PairCreated for something that is no pair."""
    topic = abi.topic("PairCreated(address,address,address,uint256)")
    tokens = b"".join(b"\x73" + abi.to_bytes(token.address) for token in devnet.deployment.tokens[:2])
    code = b"\x73" + abi.to_bytes(devnet.deployment.tokens[1].address) + bytes.fromhex("5f52") + tokens
    code += b"\x7f" + abi.to_bytes(topic) + bytes.fromhex("60405fa300")  # log3(0, 64, topic, token, token)
    liar = "0x" + "77" * 20
    devnet.runner.run(devnet.node.rpc.call("anvil_setCode", liar, abi.to_hex(code)))
    devnet.send(liar, b"")
    factories = Factories({liar: 3_000})
    assert not devnet.runner.run(from_events(devnet.node.rpc, factories, 0, devnet.head))


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_hostile_tokens_are_told_from_plain_ones(devnet: Devnet) -> None:
    """Each has a v2 pair with WETH in which its tokens were put by a mint."""
    settings = {"optimizer": {"enabled": True, "runs": 200}, "evmVersion": "cancun"}
    codes = Source("tests/forge/helpers", ("Tokens.sol",), "0.8.37", settings).initcodes()
    pairs = {name: _pair(devnet, codes[name]) for name in HOSTILE}
    rpc, number = devnet.node.rpc, devnet.head
    pools = list(pairs.values())
    tokens = [next(token for token in pool.tokens if token != devnet.deployment.weth) for pool in pools]
    told = devnet.runner.run(describe(rpc, tokens, number))
    block = BlockContext(number + 1, devnet.site.timestamp + 12, 10**9, "0x" + "00" * 20, 30_000_000)
    judged = devnet.runner.run(check(rpc, told, pools, [devnet.deployment.weth], block, hex(number)))
    verdicts = {name: (token.verdict, token.tax) for name, token in zip(pairs, judged, strict=True)}
    assert verdicts == HOSTILE, [token.why for token in judged]
    symbols = [token.symbol for token in told]
    assert symbols == ["PLN", tokens[1], "FEE", "PLN", "NO", "PLN"]
    assert [token.decimals for token in told] == [18, None, 18, 18, 18, 18]
    untried = devnet.runner.run(check(rpc, told[:1], [], [devnet.deployment.weth], block, hex(number)))
    assert untried[0].verdict is Verdict.UNKNOWN


def _pair(devnet: Devnet, code: bytes) -> V2Pool:
    """A pair of the token with WETH, whose reserves were put where it keeps them: not every token can be moved in."""
    weth, site = devnet.deployment.weth, devnet.site
    (token,) = devnet.runner.run(site.create(code))
    factory = devnet.deployment.v2_factories[0]
    devnet.send(factory, abi.call("createPair(address,address)", token, weth))
    pair = abi.address(devnet.runner.run(site.call(factory, abi.call("getPair(address,address)", token, weth))))
    devnet.send(token, abi.call("mint(address,uint256)", pair, LOT))
    devnet.send(weth, abi.call("transfer(address,uint256)", pair, 10**18))
    devnet.send(pair, abi.call("mint(address)", devnet.deployment.traders[0]))
    infos = devnet.runner.run(from_addresses(devnet.node.rpc, [pair], devnet.head))
    pool = devnet.runner.run(load(devnet.node.rpc, infos, devnet.head)).pools[pair]
    assert isinstance(pool, V2Pool) and pool.layout == UNISWAP_V2.name
    assert {pool.reserve0, pool.reserve1} == {LOT, 10**18}
    return pool


def test_devnet_tokens_are_good_through_v2_and_through_v3(devnet: Devnet) -> None:
    rpc, number = devnet.node.rpc, devnet.head
    infos = devnet.runner.run(from_events(rpc, devnet.factories, 0, number))
    pools = devnet.runner.run(load(rpc, infos, number)).pools.values()
    block = BlockContext(number + 1, devnet.site.timestamp + 12, 10**9, "0x" + "00" * 20, 30_000_000)
    weth = devnet.deployment.weth
    for kind in ("v2", "v3"):
        own = [pool for pool in pools if pool.kind == kind and weth in pool.tokens]
        tokens = dict.fromkeys(token for pool in own for token in pool.tokens)
        told = devnet.runner.run(describe(rpc, tokens, number))
        judged = devnet.runner.run(check(rpc, told, own, [weth], block, hex(number)))
        assert len(judged) > 3 and {token.verdict for token in judged} == {Verdict.OK}, [token.why for token in judged]


# --- commands ---------------------------------------------------------------------------------------------------------


def test_a_snapshot_is_taken_shown_and_checked(devnet: Devnet, capfd: pytest.CaptureFixture[str]) -> None:
    file, said = taken(devnet, capfd, "--from-block", "0")
    shown = answer(capfd, "market", "show", str(file))
    assert said == {"file": str(file), "bytes": file.stat().st_size, **shown}
    kinds = Counter(pool.kind for pool in devnet.deployment.pools)
    assert shown["by_protocol"]["uniswap-v2"] == kinds["v2"]
    assert shown["by_protocol"]["uniswap-v3"] == kinds["v3"]
    assert {"uniswap-v4", "balancer", "weth"} <= shown["by_protocol"].keys()
    assert shown["unknown"] == {}
    symbols = {token["address"]: (token["symbol"], token["decimals"]) for token in shown["tokens"]}
    assert all(symbols[token.address] == (token.symbol, token.decimals) for token in devnet.deployment.tokens)
    assert {token["verdict"] for token in shown["tokens"]} == {"ok"}
    profile = ("--profile", str(devnet.profile))
    assert answer(capfd, "market", "check", str(file), *profile)["differ"] == {}
    pair = next(pool for pool in devnet.deployment.pools if pool.kind == "v2" and pool.token1 == devnet.deployment.weth)
    devnet.send(pair.token1, abi.call("transfer(address,uint256)", pair.address, 10**18))
    devnet.send(pair.address, abi.call("sync()"))
    assert answer(capfd, "market", "check", str(file), *profile)["differ"] == {}, "its own block is as it was"
    moved = answer(capfd, "market", "check", str(file), "--head", *profile, status=1)
    assert list(moved["differ"]) == [pair.address]
    assert "reserve" in moved["differ"][pair.address]
    assert run(["market", "check", str(file), "--head", *profile]) == 1
    assert pair.address in capfd.readouterr().out


def test_what_a_mispriced_pool_offers_is_found_on_node_and_snapshot(
    devnet: Devnet, capfd: pytest.CaptureFixture[str]
) -> None:
    weth = devnet.deployment.weth
    pair = next(pool for pool in devnet.deployment.pools if pool.kind == "v2" and pool.token1 == weth)
    held = abi.uint(devnet.runner.run(devnet.site.call(weth, abi.call("balanceOf(address)", pair.address))))
    devnet.send(weth, abi.call("transfer(address,uint256)", pair.address, held // 20))
    devnet.send(pair.address, abi.call("sync()"))
    file, _ = taken(devnet, capfd, "--no-check-tokens")
    found = answer(capfd, "scan", str(file), "--top", "5")
    now = answer(capfd, "scan", str(devnet.profile), "--top", "5")
    assert found["opportunities"] == now["opportunities"]
    assert 0 < len(found["opportunities"]) <= 5 and found["found"] >= len(found["opportunities"])
    nets = [row["net_profit_wei"] for row in found["opportunities"]]
    assert nets == sorted(nets, reverse=True) and nets[-1] > 0
    assert pair.address in found["opportunities"][0]["pools"]
    pools = {pool.id: pool for pool in snapshot.load(file).pools}
    for row in found["opportunities"]:
        amount = row["amounts"][0]
        ends = [*row["tokens"], row["tokens"][0]]
        for at, pool in enumerate(map(pools.__getitem__, row["pools"])):
            amount = pool.quote_in(pool.tokens.index(ends[at]), pool.tokens.index(ends[at + 1]), amount)
            assert amount == row["amounts"][at + 1]
        assert row["gross_profit_wei"] == amount - row["amounts"][0]
        assert row["net_profit_wei"] == row["gross_profit_wei"] - row["gas"] * found["base_fee"]
    assert run(["scan", str(file)]) == 0
    assert "WETH" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("amount", "wei"), [("500", 500 * 10**18), ("1000000000000wei", 10**12), ("0.25", 25 * 10**16)]
)
def test_a_quote_is_exact_and_a_split_no_worse(
    devnet: Devnet, capfd: pytest.CaptureFixture[str], amount: str, wei: int
) -> None:
    file, _ = taken(devnet, capfd, "--no-check-tokens")
    said = answer(capfd, "quote", "WETH", "usdc", amount, "--from", str(file))
    assert said["amount_in"] == wei
    pools = {pool.id: pool for pool in snapshot.load(file).pools}
    for name, way in said["ways"].items():
        balance = Counter({said["token_in"]: wei})
        for swap in way["swaps"]:
            pool = pools[swap["pool"]]
            i, j = pool.tokens.index(swap["token_in"]), pool.tokens.index(swap["token_out"])
            assert pool.quote_in(i, j, swap["amount_in"]) == swap["amount_out"]
            balance[swap["token_in"]] -= swap["amount_in"]
            balance[swap["token_out"]] += swap["amount_out"]
            assert balance[swap["token_in"]] >= 0, name
        assert balance[said["token_out"]] == way["amount_out"], name
        assert len({swap["pool"] for swap in way["swaps"]}) == len(way["swaps"]), "each pool once: quotes stay exact"
    ways = said["ways"]
    tokens = (said["token_in"], said["token_out"])
    single = 0
    for pool in pools.values():
        if all(token in pool.tokens for token in tokens):
            i, j = map(pool.tokens.index, tokens)
            with suppress(UnknownState, NoLiquidity):
                single = max(single, pool.quote_in(i, j, wei))
    assert ways["pool"]["amount_out"] == single
    assert ways["path"]["amount_out"] >= single
    if wei > 10**20:
        assert ways["split"]["amount_out"] > ways["path"]["amount_out"]
        assert len(ways["split"]["swaps"]) > 1
    assert run(["quote", "WETH", "USDC", amount, "--from", str(file)]) == 0
    assert "split" in capfd.readouterr().out


BAD_QUOTES = {
    ("WETH", "USDX", "1"): "has no token 'USDX': did you mean USD",
    ("WETH", "weth", "1"): "are the same token",
    ("WETH", "USDC", "0"): "AMOUNT is 0",
    ("WETH", "USDC", "1,5"): "is not a decimal number",
    ("USDC", "WETH", "0.0000001"): "has more than the token's 6 decimals",
    ("WETH", "USDC", "1", "--index", "3"): "--index is for recorded blocks",
}


def test_bad_quotes_say_why(devnet: Devnet, capfd: pytest.CaptureFixture[str]) -> None:
    file, _ = taken(devnet, capfd, "--no-check-tokens")
    for words, says in BAD_QUOTES.items():
        assert run(["quote", *words, "--from", str(file)]) == 2
        error = capfd.readouterr().err
        assert says in error and len(error.splitlines()) == 1


def test_another_chains_node_is_refused(devnet: Devnet, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    url = ("--url", devnet.node.http_url)
    mainnet = ("--profile", str(repo_root() / "forks" / "mainnet.toml"))
    assert run(["market", "snapshot", *mainnet, *url, "-o", str(tmp_path / "x")]) == 2
    assert "the node is on chain 31337, profile mainnet is for chain 1" in capfd.readouterr().err
    assert not (tmp_path / "x").exists()
    file, _ = taken(devnet, capfd, "--no-check-tokens")
    other = snapshot.load(file)
    snapshot.save(replace(other, head=replace(other.head, hash="0x" + "12" * 32)), file)
    assert run(["market", "check", str(file), "--profile", str(devnet.profile)]) == 2
    assert "is not on the node's chain" in capfd.readouterr().err


def test_what_was_earned_in_a_recorded_block_is_found_by_scan(capfd: pytest.CaptureFixture[str]) -> None:
    case = max(CASES, key=lambda case: case["least_profit_wei"])
    path = str(cassette_path(case["block"]))
    found = answer(capfd, "scan", path, "--index", str(case["index"]), "--hops", "4", "--all", "--top", "500")
    best = [row for row in found["opportunities"] if set(row["pools"]) == set(case["pools"])]
    assert best and best[0]["gross_profit_wei"] >= case["least_profit_wei"]
    assert found["block"] == case["block"] - 1
    assert run(["scan", path, "--index", "100000"]) == 2
    assert "--index is 100000" in capfd.readouterr().err
