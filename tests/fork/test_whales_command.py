"""``mev whales`` on the devnet and on files."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest
from structlog.testing import capture_logs
from whale_world import World, running

from bot import abi
from bot.chain.watchlist import load
from bot.cli.main import run
from bot.engine.types import PendingEffect, PendingTx
from bot.ledger.journal import Journal
from bot.ledger.ledger import Ledger
from bot.ledger.records import RunKind
from bot.paths import repo_root
from bot.strategies.whale_impact import price

ONE, TWO = "0x" + "1a" * 20, "0x" + "2b" * 20


@pytest.fixture
def mev(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Any]]:
    """Runs a command with files of its own: what it printed, as JSON where that was asked for. Logs are left as they
    are: the ones that a command sets up would stay with the test's own stderr."""
    monkeypatch.setenv("MEV_HOME", str(tmp_path))
    monkeypatch.setattr("bot.cli.logs.set_up", lambda: None)

    def call(*args: str, status: int = 0) -> Any:
        capfd.readouterr()
        assert run(["whales", *args]) == status, capfd.readouterr()
        said = capfd.readouterr()
        return said.err if status == 2 else json.loads(said.out) if "--json" in args else said.out

    with capture_logs():
        yield call


def test_the_list_grows_and_shrinks(mev: Callable[..., Any], tmp_path: Path) -> None:
    assert "mev whales add" in mev("list", status=2)
    assert ONE in mev("add", ONE, "--label", "Fund, the")
    assert mev("add", TWO, "--kind", "exchange", "--json")["addresses"] == 2
    assert "already" in mev("add", ONE, status=2)
    assert "is not an address" in mev("add", "0x12", status=2)
    assert "wallet" in mev("add", TWO, "--kind", "whale", status=2)
    shown = mev("list", "--json")
    assert [(one["address"], one["label"], one["kind"]) for one in shown["addresses"]] == [
        (ONE, "Fund, the", "wallet"),
        (TWO, TWO, "exchange"),
    ]
    assert TWO not in mev("list", "--kind", "wallet") and "Fund, the" in mev("list")
    assert mev("remove", ONE, "--json")["label"] == "Fund, the"
    assert "is not in" in mev("remove", ONE, status=2)
    assert list(load(tmp_path / "whales.csv")) == [TWO]


def test_without_a_ledger_there_is_no_history(mev: Callable[..., Any]) -> None:
    assert "there is no ledger" in mev("history", status=2)
    assert "name the hash" in mev("impact", status=2)
    assert "no transaction for chain" in mev("impact", "--raw", "0x1234", "--profile", "forks/devnet.toml", status=2)


def profile_of(world: World, folder: Path) -> str:
    path = folder / "profile.toml"
    text = (repo_root() / "forks" / "devnet.toml").read_text(encoding="utf-8")
    path.write_text(text.replace("http://127.0.0.1:8545", world.net.node.http_url), encoding="utf-8")
    return str(path)


async def test_impact_and_find_on_a_node(mev: Callable[..., Any], tmp_path: Path) -> None:
    dice, blocks = Random("command"), 4
    async with running(45) as world:
        profile = await asyncio.to_thread(profile_of, world, tmp_path)
        for kind in ("v2", "v3", "v2", "v3"):
            await world.send(2, *world.random_swap(dice, 2, kind))
            await world.build()
        wallet = world.net.deployment.traders[2]

        tx = await world.send(3, *world.random_swap(dice, 3, "v2"))
        named = await asyncio.to_thread(mev, "impact", tx.hash, "--profile", profile, "--json")
        signed = await asyncio.to_thread(mev, "impact", "--raw", abi.to_hex(tx.raw), "--profile", profile, "--json")
        assert named == signed and named["sender"] == tx.sender and named["data"]["intents"] and not named["why"]
        assert tx.hash in await asyncio.to_thread(mev, "impact", tx.hash, "--profile", profile)
        await world.build()
        pools = await world.pools()
        for one in named["data"]["impacts"]:
            after = pools[one["pool"]]
            i, j = after.tokens.index(one["token_in"]), after.tokens.index(one["token_out"])
            assert Fraction(one["price_after"]) == price(after, i, j, 0)
        said = await asyncio.to_thread(mev, "impact", tx.hash, "--profile", profile, status=2)
        assert "already" in said
        late = await asyncio.to_thread(
            mev, "impact", "--raw", abi.to_hex(tx.raw), "--profile", profile, "--json", status=1
        )
        assert "nonce" in late["why"]

        rule = ("find", "--blocks", str(blocks + 1), "--bps", "1", "--profile", profile)
        found = (await asyncio.to_thread(mev, *rule, "--json", "--add"))["found"]
        assert {one["address"] for one in found} == {wallet, tx.sender} and not found[0]["contract"]
        assert [one["amount"] for one in found] == sorted((one["amount"] for one in found), reverse=True)
        assert set(load(tmp_path / "whales.csv")) == {wallet, tx.sender}
        assert "watched as" in await asyncio.to_thread(mev, *rule, "--worth", "10")

        args = ("find", "--token", "WETH", "--blocks", "10", "--top", "50", "--profile", profile)
        rich = (await asyncio.to_thread(mev, *args, "--json"))["found"]
        weth = world.net.deployment.weth
        for one in rich:
            call = {"to": weth, "data": abi.to_hex(abi.call("balanceOf(address)", one["address"]))}
            assert one["amount"] == int(await world.net.node.rpc.call("eth_call", call, "latest"), 16)
        assert [one["amount"] for one in rich] == sorted((one["amount"] for one in rich), reverse=True)
        assert any(one["contract"] for one in rich), "pools hold some"
        assert "did you mean" not in await asyncio.to_thread(mev, *args[:2], "NOPE", *args[3:], status=2)


async def test_what_was_foretold_is_scored(mev: Callable[..., Any], tmp_path: Path) -> None:
    dice = Random("history")
    async with running(46) as world:
        with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
            ledger.begin_run(RunKind.RUN, profile="devnet", chain_id=31337)
            journal = Journal(ledger)
            for who, wallet in enumerate(world.net.deployment.traders[:2]):
                world.watch[wallet] = Whale(f"whale {who}")
            for number in range(12):
                tx = await world.send(number % 2, *world.random_swap(dice, number % 2, "v3"))
                event = await world.fork.adapt(PendingTx(tx, 1))
                assert isinstance(event, PendingEffect)
                for signal in world.whales.process(event):
                    journal.take(signal)
                head, found = await world.build()
                for signal in found:
                    journal.take(signal)
                await journal.adapt(head)
            await journal.close()
        shown = await asyncio.to_thread(mev, "history", "--json")
        assert shown["score"]["made"] == 12 and shown["score"]["known"] == 12 - 5
        assert 0 <= shown["score"]["brier"] <= 1 and shown["score"]["bins"]
        wallet = world.net.deployment.traders[0]
        own = await asyncio.to_thread(mev, "history", wallet, "--json", "--limit", "2")
        assert own["score"]["made"] == 6 and [one["subject"] for one in own["signals"]] == [wallet] * 2
        assert own["signals"][0]["data"]["impacts"]
        assert re.search(r"7 known, .* came true; Brier score 0\.", await asyncio.to_thread(mev, "history"))
        mev("add", wallet, "--label", "whale 0")
        (listed,) = mev("list", "--json")["addresses"]
        assert listed["known"] == sum(one["happened"] is not None for one in (await signals(mev, wallet)))


async def signals(mev: Callable[..., Any], wallet: str) -> list[dict[str, Any]]:
    shown = await asyncio.to_thread(mev, "history", wallet, "--json", "--limit", "100")
    return list(shown["signals"])


class Whale:
    kind = "wallet"

    def __init__(self, label: str) -> None:
        self.label = label
