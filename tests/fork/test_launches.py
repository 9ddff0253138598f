"""Checks of launched tokens: hostile ones are caught, honest ones pass; on a devnet's real Uniswap v2 and v3."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from launch_world import DEAD, SEED, SETTINGS, Launched, World, initcodes, launch_world
from recorded import BLOCKS, cassette_path, needs_recordings

from bot import abi
from bot.chain.discovery import ETH, from_addresses
from bot.chain.launches.check import check
from bot.chain.launches.probe import RUNTIME, V2_SWAP, V3_SWAP
from bot.chain.launches.report import Report, Severity, Taxes, Verdict
from bot.cli.launch_source import LaunchSource
from bot.cli.launches import reports
from bot.cli.main import run
from bot.cli.profile import load
from bot.devnet.artifacts import Source
from bot.engine.decode import header
from bot.execution.program import MAINNET_WETH
from bot.paths import repo_root
from bot.simulation.anvil import Anvil
from bot.simulation.cassette import load as load_cassette
from bot.simulation.cassette_server import CassetteServer
from bot.simulation.proof import BARE, prove

HONEST = (
    *("Plain", "WithPermit", "WithVotes", "Burnable", "CapReached", "SixDecimals", "EightDecimals", "NoDecimals"),
    *("NoReturn", "Lean", "PowerlessOwner", "Renounced", "MintFinished", "NoReflections", "Wrapped", "VyperLike"),
    *("IdleHooks", "Snapshots", "Bridged", "Metadata", "AntiSnipeOver", "LendsItself", "Cloned"),
)
TRAP, RISKY = Verdict.TRAP, Verdict.RISKY
HOSTILE = {
    "SellTax": (RISKY, "sell-tax"),
    "BuyTax": (TRAP, "buy-tax"),
    "TransferTax": (RISKY, "transfer-tax"),
    "BigTax": (TRAP, "sell-tax"),
    "OwnerTax": (RISKY, "power-tax"),
    "TaxLater": (TRAP, "no-later-sale-tax"),
    "TaxAfterBuys": (TRAP, "crowd-tax"),
    "SalesEnd": (TRAP, "no-later-sale"),
    "SalesEndByTime": (TRAP, "no-later-sale"),
    "HoldersEnd": (TRAP, "no-later-sale"),
    "AllowList": (TRAP, "allow-list"),
    "SmallSales": (TRAP, "no-sale"),
    "BurnsGas": (TRAP, "gas"),
    "BurnsAllGas": (TRAP, "no-sale"),
    "FakeRenounced": (TRAP, "fake-renounce"),
    "HiddenOwner": (RISKY, "power-stop"),
    "HiddenMint": (RISKY, "power-mint"),
    "Pausable": (RISKY, "power-stop"),
    "Blacklist": (RISKY, "power-stop"),
    "EarlyBuyers": (TRAP, "no-sale"),
    "NoContracts": (RISKY, "contracts"),
    "Inflated": (TRAP, "buy-more"),
    "Invented": (RISKY, "fake-balance"),
    "Melting": (TRAP, "drift"),
    "Liar": (TRAP, "no-sale"),
    "ReturnsFalse": (TRAP, "no-sale"),
    "ApproveTrap": (TRAP, "no-sale"),
    "MaxSale": (TRAP, "no-sale"),
    "OneSale": (TRAP, "no-sale"),
    "OriginOnly": (RISKY, "contracts"),
    "CheapGasOnly": (RISKY, "gas-price"),
    "FreeGasOnly": (TRAP, "no-sale"),
    "Seizes": (RISKY, "power-take"),
    "TakesByTransfer": (RISKY, "power-take"),
    "DrainsPool": (RISKY, "power-pool"),
    "AsksAnother": (RISKY, "depends"),
    "MintsForAll": (RISKY, "anybody-mint"),
    "Timelocked": (RISKY, "power-tax"),
    "RunsOthers": (RISKY, "delegatecall"),
    "Upgradeable": (RISKY, "upgradeable"),
}
"""Token to its verdict, and a reason that has to be among those given."""
EVASIVE = {
    "SeesProbe": (TRAP, "real-router"),
    "BetweenSizes": (TRAP, "no-sale"),
    "CountsGas": (TRAP, "gas-limit-tax"),
    "SecretApproval": (RISKY, "power-stop"),
    "SelfSend": (RISKY, "power-stop"),
    "RisenPrice": (TRAP, "risen"),
    "KnowsPurse": (TRAP, "no-sale"),
    "NoSelector": (RISKY, "takes-all"),
}
"""Tokens written against the checker, with its source at hand, that it learnt to catch."""
SLIP_THROUGH = ("BigCrowd", "KnowsWord", "Patient")
"""And those that it does not: what they wait for is more buyers, or years, than are tried, or a word's hash."""
ON_V3 = {
    "SellTax": (TRAP, "no-sale"),  # a v3 pool wants all that it is owed
    "Pausable": (RISKY, "power-stop"),
    "AllowList": (TRAP, "allow-list"),
    "SalesEnd": (TRAP, "no-later-sale"),
}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with launch_world() as made:
        yield made


@pytest.fixture(scope="module")
def honest(world: World) -> dict[str, Launched]:
    return {one.name: one for one in world.launch_all("Honest.sol", HONEST)}


@pytest.fixture(scope="module")
def hostile(world: World) -> dict[str, Launched]:
    first = [name for name in HOSTILE if name != "Upgradeable"]  # which is named by its proxy's storage only
    launched = world.launch_all("Hostile.sol", first, told=True) + world.launch_all("Hostile.sol", ["Upgradeable"])
    return {one.name: one for one in launched}


def told(report: Report) -> str:
    return "\n".join(f"{one.severity} {one.code}: {one.text} ({one.evidence})" for one in report.reasons)


# The hostile come first: some of them watch the blocks since their launch.


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_token_is_caught(world: World, hostile: dict[str, Launched], name: str) -> None:
    report = world.check(hostile[name])
    verdict, code = HOSTILE[name]
    assert report.verdict is verdict, told(report)
    assert code in {reason.code for reason in report.reasons}, told(report)
    assert (report.score == 0) == (verdict is TRAP) or report.score < 60


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_token_is_safe(
    world: World, honest: dict[str, Launched], name: str, record_property: Callable[[str, object], None]
) -> None:
    report = world.check(honest[name])
    assert (report.verdict, report.score) == (Verdict.SAFE, 100), told(report)
    assert (report.taxes.buy, report.taxes.sell, report.taxes.transfer) == (0, 0, 0)
    record_property(f"simulate calls for {name}", report.simulations)


def test_tokens_that_evade_are_caught_but_for_those_that_are_named(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    for one in world.launch_all("Evasive.sol", [*EVASIVE, *SLIP_THROUGH], told=True):
        report = world.check(one)
        verdict, code = EVASIVE.get(one.name, (Verdict.SAFE, "liquidity"))
        assert report.verdict is verdict, f"{one.name}: {told(report)}"
        assert code in {reason.code for reason in report.reasons}, f"{one.name}: {told(report)}"
    record_property("tokens that evade the checks, of how many", f"{len(SLIP_THROUGH)} of {len(EVASIVE) + 3}")


def test_taxes_are_exact(world: World, hostile: dict[str, Launched]) -> None:
    assert world.check(hostile["SellTax"]).taxes.sell == 3_000
    taxes = world.check(hostile["TransferTax"]).taxes
    assert (taxes.buy, taxes.sell, taxes.transfer) == (200, 200, 200)


def test_through_v3(world: World) -> None:
    for name in ("Plain", "NoReturn", "SixDecimals", "NoDecimals", "VyperLike"):
        report = world.check(world.launch_v3("Honest.sol", name))
        assert report.verdict is Verdict.SAFE, f"{name}: {told(report)}"
    for name, (verdict, code) in ON_V3.items():
        report = world.check(world.launch_v3("Hostile.sol", name))
        assert report.verdict is verdict, f"{name}: {told(report)}"
        assert code in {reason.code for reason in report.reasons}, f"{name}: {told(report)}"


REAL = {
    "SHIB": "0x95ad61b0a150d79219dcf64e1e6cc01f0b64c4ce",
    "MATIC": "0x7d1afa7b718fb893db30a3abc0cfc608aacfebb0",
    "QNT": "0x4a220e6096b25eadb88358cb44068a3248254675",
    "HT": "0x6f259637dcd74c767781e37bc6133cd6a68aa161",
}
"""Mainnet's tokens whose code is in the recorded blocks."""


@needs_recordings
def test_mainnets_own_bytecode_is_safe_where_nobody_owns_it(world: World) -> None:
    """With fresh storage: all of it is the creator's, and nobody has been given a role."""
    codes: dict[str, bytes] = {}
    for block in BLOCKS:
        cassette = json.loads(gzip.decompress(cassette_path(block).read_bytes()))
        accounts = {address.lower(): account for address, account in cassette["accounts"].items()}
        found = {token: accounts[token]["codeHash"] for token in REAL.values() if token in accounts}
        codes |= {token: abi.to_bytes(cassette["codes"][name]) for token, name in found.items() if token not in codes}
    for name, token in REAL.items():
        report = world.check(world.launch_code(name, token, codes[token]))
        assert (report.verdict, report.score) == (Verdict.SAFE, 100), f"{name}: {told(report)}"


def test_through_v4_against_ether_and_against_weth(world: World) -> None:
    for base in (ETH, world.deployment.weth):
        for name in ("Plain", "NoDecimals"):
            report = world.check(world.launch_v4("Honest.sol", name, base))
            assert [reason.code for reason in report.reasons] == ["liquidity"], f"{name}: {told(report)}"
            assert report.taxes == Taxes(0, 0, 0) and report.base == base
        for name, verdict, code in (
            ("Pausable", RISKY, "power-stop"),
            ("HiddenMint", RISKY, "power-mint"),
            ("TransferTax", TRAP, "no-sale"),  # the manager wants all that it is owed
        ):
            report = world.check(world.launch_v4("Hostile.sol", name, base))
            assert report.verdict is verdict, f"{name}: {told(report)}"
            assert code in {reason.code for reason in report.reasons}, f"{name}: {told(report)}"


def test_liquidity_that_its_creator_keeps_is_told(world: World) -> None:
    (kept,) = world.launch_all("Honest.sol", ["Plain"], keep=["Plain"])
    report = world.check(kept)
    assert report.verdict is RISKY
    assert [reason.code for reason in report.reasons if reason.severity is Severity.MEDIUM] == ["liquidity"]
    assert world.creator in report.reasons[0].evidence
    report = world.check(world.launch_v3("Honest.sol", "Lean", keep=True))
    assert report.verdict is RISKY and report.reasons[0].code == "liquidity"
    assert world.creator in report.reasons[0].evidence


def test_what_cannot_be_tried_is_unknown(world: World, honest: dict[str, Launched]) -> None:
    one = honest["Plain"]
    elsewhere = replace(one, pool=replace(one.pool, protocol="balancer"))
    other = replace(one, pool=replace(one.pool, tokens=(one.token, one.pool.id)))
    nothing = replace(one, pool=replace(one.pool, id="0x" + "99" * 20))
    for case in (elsewhere, other, nothing):
        report = world.check(case)
        assert report.verdict is Verdict.UNKNOWN and report.score <= 50, told(report)


def test_the_probes_code_is_its_sources(world: World) -> None:
    settings = {
        "optimizer": {"enabled": True, "runs": 1},
        "evmVersion": "paris",
        "metadata": {"bytecodeHash": "none", "appendCBOR": False},
    }
    assert Source("bot/chain/launches", ("probe.sol",), "0.8.37", settings).initcodes()["LaunchProbe"].endswith(RUNTIME)
    assert SETTINGS["evmVersion"] == "cancun"


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def profile(world: World, tmp_path: Path) -> Path:
    file = tmp_path / "profile.toml"
    text = (repo_root() / "forks" / "devnet.toml").read_text()
    file.write_text(text.replace("http://127.0.0.1:8545", world.node.http_url))
    return file


def answers(capfd: pytest.CaptureFixture[str], *args: str, status: int = 0) -> list[Any]:
    """The lines of JSON that a command prints."""
    capfd.readouterr()
    assert run([*args, "--json"]) == status, capfd.readouterr().err
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_the_command_lists_new_pools_with_verdicts(
    world: World, profile: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    v2 = world.launch_all("Honest.sol", ["Lean"])[0]
    v3 = world.launch_v3("Hostile.sol", "AllowList")
    v4 = world.launch_v4("Honest.sol", "Plain", ETH)
    first = v2.block
    lines = answers(capfd, "launches", "--profile", str(profile), "--blocks", str(world.head - first + 1))
    assert [line["pool"] for line in lines] == [v2.pool.id, v3.pool.id, v4.pool.id]
    assert [line["report"]["verdict"] for line in lines] == ["safe", "trap", "risky"]
    assert {line["creator"] for line in lines} == {world.creator} and all(line["known_factory"] for line in lines)
    assert lines[0]["created_block"] == v2.block and lines[0]["report"]["token"] == v2.token
    assert run(["launches", "--profile", str(profile), "--blocks", str(world.head - first + 1)]) == 0
    shown = capfd.readouterr().out
    assert "safe" in shown and "trap" in shown and "it cannot be sold" in shown


def test_the_command_checks_one_token(world: World, profile: Path, capfd: pytest.CaptureFixture[str]) -> None:
    good, kept = world.launch_all("Honest.sol", ["Plain", "Lean"], keep=["Lean"])
    (report,) = answers(capfd, "launches", "check", good.token, "--profile", str(profile))
    assert (report["verdict"], report["pool"]) == ("safe", good.pool.id)
    (report,) = answers(capfd, "launches", "check", kept.token, "--pool", kept.pool.id, "--profile", str(profile))
    assert report["verdict"] == "risky" and report["reasons"][0]["code"] == "liquidity"
    assert run(["launches", "check", kept.token, "--profile", str(profile)]) == 0
    assert "its liquidity can be taken away" in capfd.readouterr().out


def test_watching_tells_of_a_pool_when_it_has_liquidity(world: World) -> None:
    deployment, site = world.deployment, world.site
    profile = load(repo_root() / "forks" / "devnet.toml")
    source = LaunchSource(profile, world.node.rpc)

    async def watch() -> list[tuple[str, Verdict]]:
        (token,) = await site.create(initcodes("Honest.sol")["Plain"])
        told = reports(source, 1, 0.02)
        next_one = asyncio.ensure_future(anext(told))
        factory = deployment.v2_factories[0]
        site.send(factory, abi.call("createPair(address,address)", token, deployment.weth))
        await site.settle()
        pair = abi.address(await site.call(factory, abi.call("getPair(address,address)", token, deployment.weth)))
        await asyncio.sleep(0.3)
        assert not next_one.done()
        site.send(token, abi.call("transfer(address,uint256)", pair, 10**23))
        site.send(deployment.weth, abi.call("transfer(address,uint256)", pair, 10**19))
        site.send(pair, abi.call("mint(address)", DEAD))
        await site.settle()
        launch, report = await next_one
        await told.aclose()
        assert report is not None and launch.pool == pair
        return [(report.token, report.verdict)] if report.token == token else []

    ((_, verdict),) = world.runner.run(watch())
    assert verdict is RISKY  # nine tenths of it are its creator's


@needs_recordings
@pytest.mark.parametrize("block", BLOCKS if os.environ.get("MEV_VERIFY") == "1" else BLOCKS[-1:])
async def test_tokens_of_a_recorded_block_are_never_called_safe(
    block: int, record_property: Callable[[str, object], None]
) -> None:
    """Their state was not recorded beyond what the block touched: not known is not safe."""
    cassette = load_cassette(cassette_path(block))
    logs = [log for logs in (await prove(cassette)).logs for log in logs if log.topics]
    swapped = dict.fromkeys(log.address for log in logs if log.topics[0] in (V2_SWAP, V3_SWAP))
    verdicts: Counter[Verdict] = Counter()
    with CassetteServer(cassette.path) as url:
        at = {"hardfork": cassette.hardfork, "chain_id": cassette.chain_id, "fork_block": block - 1}
        async with Anvil(**at, fork_url=url, args=BARE) as node:
            head = header(await node.rpc.call("eth_getBlockByNumber", "latest", False))
            for info in await from_addresses(node.rpc, swapped, head.number):
                token = next(one for one in info.tokens if one != MAINNET_WETH)
                report = await check(node.rpc, token, info, [MAINNET_WETH], head, 12, seed=SEED)
                verdicts[report.verdict] += 1
                assert report.verdict is Verdict.UNKNOWN, told(report)
    assert verdicts
    record_property(f"verdicts on tokens of recorded block {block}", dict(verdicts))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["0x12"], "is not an address"),
        (["0x" + "ab" * 20], "have no pool of"),
        (["0x" + "ab" * 20, "--pool", "0x" + "cd" * 20], "is no pool of"),
    ],
)
def test_bad_input_is_one_line(profile: Path, capfd: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert run(["launches", "check", *words, "--profile", str(profile)]) == 2
    err = capfd.readouterr().err
    assert said in err and err.count("\n") == 1
