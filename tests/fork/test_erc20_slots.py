"""A balance is set in any layout, to the unit, with nothing else of the word changed; what is computed is refused."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from recorded import BLOCKS, cassette_path, needs_recordings

from bot.abi import call, to_bytes, to_hex, uint
from bot.devnet.artifacts import Source
from bot.jsonrpc import JsonRpc, RpcError
from bot.simulation.anvil import Anvil
from bot.simulation.cassette import load
from bot.simulation.cassette_server import CassetteServer
from bot.simulation.erc20_slots import BalanceSlot, NoBalanceSlot, find, set_balance
from bot.simulation.proof import BARE

CHOSEN = BLOCKS if os.environ.get("MEV_VERIFY") == "1" else [24628607]
HOLDER, OTHER, DEPLOYER = ("0x" + byte * 20 for byte in ("a1", "b2", "c3"))
SETTABLE = {  # bits of the balance
    "PlainToken": 256,
    "VyperToken": 256,
    "PackedToken": 96,
    "FlaggedToken": 255,
    "NamespacedToken": 256,
    "ProxyToken": 255,
    "ForeignToken": 256,
}
COMPUTED = ("SharesToken", "IndexToken", "CommonToken")
USDC, USDT, WETH = (
    "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",
    "0xdac17f958d2ee523a2206206994597c13d831ec7",
    "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2",
)
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


class Tokens:
    """All of SlotTokens.sol on an anvil, which a test may leave in any state."""

    def __init__(self, runner: asyncio.Runner, rpc: JsonRpc, addresses: dict[str, str]) -> None:
        self.rpc, self.addresses, self._runner = rpc, addresses, runner

    def ask(self, method: str, *params: Any) -> Any:
        return self._runner.run(self.rpc.call(method, *params))

    def balance(self, name: str, holder: str) -> int:
        data = to_hex(call("balanceOf(address)", holder))
        return uint(to_bytes(self.ask("eth_call", {"to": self.addresses[name], "data": data}, "latest")))

    def give(self, name: str, holder: str, amount: int) -> None:
        data = to_hex(call("give(address,uint96)", holder, amount))
        self.ask("eth_sendTransaction", {"from": DEPLOYER, "to": self.addresses[name], "data": data})
        self.ask("evm_mine")

    def find(self, name: str, holder: str = HOLDER) -> BalanceSlot:
        return self._runner.run(find(self.rpc, self.addresses.get(name, name), holder))

    def set(self, name: str, amount: int) -> BalanceSlot:
        return self._runner.run(set_balance(self.rpc, self.addresses[name], HOLDER, amount))


@pytest.fixture(scope="module")
def tokens() -> Iterator[Tokens]:
    options = {"optimizer": {"enabled": True, "runs": 200}, "evmVersion": "cancun"}
    codes = Source("tests/fork", ("SlotTokens.sol",), "0.8.37", options).initcodes()
    with asyncio.Runner() as runner:
        node = Anvil(chain_id=1)
        runner.run(node.start())
        try:
            made = Tokens(runner, node.rpc, {})
            made.ask("anvil_impersonateAccount", DEPLOYER)
            made.ask("anvil_setBalance", DEPLOYER, hex(10**24))
            for name, code in codes.items():
                sent = made.ask("eth_sendTransaction", {"from": DEPLOYER, "data": to_hex(code)})
                made.ask("evm_mine")
                made.addresses[name] = made.ask("eth_getTransactionReceipt", sent)["contractAddress"].lower()
            yield made
        finally:
            runner.run(node.stop())


@pytest.mark.parametrize("name", SETTABLE)
@pytest.mark.parametrize("before", [0, 1, 2**96 - 1])
def test_any_layout(tokens: Tokens, name: str, before: int) -> None:
    tokens.give(name, HOLDER, before)
    tokens.give(name, OTHER, 41)
    found = tokens.find(name)
    assert (found.bits, found.balance) == (SETTABLE[name], before)
    for amount in (0, 1, 10**18 + 7, 2**found.bits - 1):
        place = tokens.set(name, amount)
        assert tokens.balance(name, HOLDER) == amount
        assert tokens.balance(name, OTHER) == 41
        word = int(tokens.ask("eth_getStorageAt", place.contract, hex(place.slot), "latest"), 16)
        mask = ((1 << place.bits) - 1) << place.shift
        assert word & ~mask == found.word & ~mask


@pytest.mark.parametrize("name", SETTABLE)
def test_what_does_not_go_in_is_refused(tokens: Tokens, name: str) -> None:
    before = tokens.balance(name, HOLDER)
    with pytest.raises(NoBalanceSlot, match="does not go into"):
        tokens.set(name, 2 ** SETTABLE[name])
    assert tokens.balance(name, HOLDER) == before


@pytest.mark.parametrize("name", COMPUTED)
@pytest.mark.parametrize("before", [0, 1, 10**18])
def test_computed_balances_are_refused(tokens: Tokens, name: str, before: int) -> None:
    tokens.give(name, HOLDER, before)
    held = tokens.balance(name, HOLDER)
    with pytest.raises(NoBalanceSlot, match="computed"):
        tokens.set(name, 10**18)
    assert tokens.balance(name, HOLDER) == held


def test_what_is_no_token_is_refused(tokens: Tokens) -> None:
    for name, why in ((OTHER, "no token"), ("ConstantToken", "no slot")):
        with pytest.raises(NoBalanceSlot, match=why):
            tokens.find(name)


def test_a_sum_is_set_where_a_part_can_take_it(tokens: Tokens) -> None:
    tokens.give("SplitToken", HOLDER, 99)
    for amount in (66, 10**30):
        tokens.set("SplitToken", amount)
        assert tokens.balance("SplitToken", HOLDER) == amount
    with pytest.raises(NoBalanceSlot):
        tokens.set("SplitToken", 65)  # the locked part alone is 66


@contextmanager
def recorded_fork(block: int) -> Iterator[tuple[asyncio.Runner, JsonRpc]]:
    """``with`` it: a fork of the block before a recorded one."""
    cassette = load(cassette_path(block))
    with CassetteServer(cassette.path) as url, asyncio.Runner() as runner:
        node = Anvil(hardfork=cassette.hardfork, chain_id=1, fork_url=url, fork_block=block - 1, args=BARE)
        runner.run(node.start())
        try:
            yield runner, node.rpc
        finally:
            runner.run(node.stop())


def holders(block: int) -> set[tuple[str, str]]:
    """Tokens that moved in a recorded block, each with who gave: their balances were recorded."""
    logs = [log for receipt in load(cassette_path(block)).receipts for log in receipt["logs"]]
    moved = [log for log in logs if log["topics"] and log["topics"][0] == TRANSFER and len(log["topics"]) == 3]
    return {(log["address"], "0x" + log["topics"][1][-40:]) for log in moved if int(log["topics"][1], 16)}


@needs_recordings
@pytest.mark.parametrize("block", CHOSEN)
def test_mainnets_tokens(block: int, record_property: Callable[[str, object], None]) -> None:
    """All that moved in a block, also the strangest: each reads as it was set, or is refused and stays as it was."""
    refused: dict[str, str] = {}
    done = set()
    with recorded_fork(block) as (runner, rpc):
        for token, holder in sorted(holders(block)):
            asked = {"to": token, "data": to_hex(call("balanceOf(address)", holder))}
            (before,) = runner.run(rpc.batch([("eth_call", (asked, "latest"))]))
            try:
                runner.run(set_balance(rpc, token, holder, 123_456_789))
            except NoBalanceSlot as error:
                refused[token] = str(error)
                (after,) = runner.run(rpc.batch([("eth_call", (asked, "latest"))]))
                assert after == before or isinstance(before, RpcError)
                continue
            done.add(token)
            assert uint(to_bytes(runner.run(rpc.call("eth_call", asked, "latest")))) == 123_456_789
    why = Counter(reason.partition(":")[0] for token, reason in refused.items() if token not in done)
    every = len(done | refused.keys())
    record_property(f"erc20_balances_set_{block}", f"{len(done)} of {every} tokens; refused: {dict(why)}")
    assert done
    if block == CHOSEN[-1]:
        assert {USDC, USDT, WETH} <= done
