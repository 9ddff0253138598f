"""What the executor makes of answers that nodes and relays should not give, and of blocks that come back."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
import rlp
from ledger_samples import USDC, WETH, opportunity, transaction

from bot.engine.clock import SystemClock
from bot.engine.decode import TransactionBody, announced
from bot.engine.types import Header, MinedTx, NewHead, PendingTx, Reason
from bot.execution.accounts import Operator, Operators
from bot.execution.bid import BidPolicy
from bot.execution.keys import ephemeral
from bot.execution.pipeline import BundleExecutor
from bot.execution.prove import Proof, Prover
from bot.execution.relay import Relay
from bot.jsonrpc import JsonRpc, RpcUnreachable, parse
from bot.ledger.ledger import Ledger
from bot.ledger.records import RunKind
from bot.risk.limits import RiskGate
from bot.simulation.fork import HeadFork
from bot.simulation.types import AccessList, BlockContext

CONTRACT = "0x" + "ec" * 20
HEAD = Header(99, "0xh99", "0xh98", 1_000, 1, 30_000_000, 0, "0x" + "cc" * 20)
RECEIPT = {"status": "0x1", "blockNumber": "0x64", "gasUsed": "0x1", "effectiveGasPrice": "0x1", "logs": []}
BLOCK = BlockContext(100, 1_012, 1, HEAD.coinbase, HEAD.gas_limit)


@pytest.mark.parametrize("raw", [b"{}", b'{"message":"rate limited"}', b'{"jsonrpc":"2.0","id":1}'])
def test_an_answer_without_a_result_is_none(raw: bytes) -> None:
    with pytest.raises(RpcUnreachable):
        parse("eth_getTransactionReceipt", raw)


def test_a_null_result_is_a_result() -> None:
    assert parse("eth_getTransactionReceipt", b'{"jsonrpc":"2.0","id":1,"result":null}') is None


class World:
    """A node and a relay by what they answer to each method, and the executor between them."""

    def __init__(self, ledger: Ledger, run: int) -> None:
        self.answers: dict[str, Any] = {
            "eth_sendBundle": {"bundleHash": "0xb0"},
            "eth_cancelBundle": None,
            "mevkit_bundleStatus": {},
            "eth_getTransactionReceipt": None,
        }
        self.ledger, self.run = ledger, run
        self.fork = SimpleNamespace(head=HEAD, block=BLOCK)
        signers = [ephemeral(), ephemeral()]
        self.relay = Relay("relay", "http://127.0.0.1:1", ephemeral())
        self.operators = Operators([Operator(signer, mined=0) for signer in signers])
        self.executor = BundleExecutor(
            contract=CONTRACT,
            weth=WETH,
            fork=cast(HeadFork, self.fork),
            prover=cast(Prover, self),
            node=JsonRpc("http://127.0.0.1:1"),
            ledger=ledger,
            risk=cast(RiskGate, SimpleNamespace(check=lambda *_, **__: None)),
            bids=BidPolicy(0, 0),
            relays=[self.relay],
            operators=self.operators,
            chain_id=1,
            run=run,
            clock=SystemClock(),
        )
        self.gross = 5 * 10**15
        self.listed: AccessList = ()
        self.expected: list[AccessList] = []
        self.sent: list[bytes] = []
        self.held: asyncio.Event | None = None  # until then the relay does not answer

    async def prove(self, calls: object, executor: str, token: str, expected: AccessList) -> Proof:
        self.expected.append(expected)
        return Proof(300_000, self.gross, self.listed)

    async def take(self, gross: int = 5 * 10**15) -> None:
        self.gross = gross
        await self.executor.execute([opportunity(100, gross=gross)])

    async def block(self, *transactions: str, number: int = 100) -> None:
        header = replace(HEAD, number=number, hash=f"0xh{number}", parent_hash=f"0xh{number - 1}")
        mined = tuple(MinedTx(tx, "0xa", None, 0, 0, "0x") for tx in transactions)
        await self.executor.adapt(NewHead(header, (), {}, mined, 0))

    def reasons(self) -> list[Reason | None]:
        return [entry.outcome.reason if entry.outcome else None for entry in self.ledger.entries(self.run)]


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        made = World(ledger, ledger.begin_run(RunKind.RUN, profile="test", chain_id=1))

        async def post(_: JsonRpc, body: bytes, headers: object = None) -> bytes:
            asked = msgspec.json.decode(body)
            method, number = asked["method"], asked["id"]
            if method == "eth_sendBundle" and made.held is not None:
                await made.held.wait()
            if method not in made.answers:
                return msgspec.json.encode({"id": number, "error": {"code": -32601, "message": "not found"}})
            if method == "eth_sendBundle":
                made.sent.append(body)
            return msgspec.json.encode({"id": number, "result": made.answers[method]})

        monkeypatch.setattr(JsonRpc, "post", post)
        yield made


@pytest.mark.parametrize("answer", [None, "nil", {"status": "ok"}])
async def test_a_relay_that_names_no_bundle_does_not_end_the_bot(world: World, answer: object) -> None:
    world.answers["eth_sendBundle"] = answer
    await world.take()
    await world.block()
    assert world.reasons() == [Reason.RELAY_UNREACHABLE]


async def test_a_relay_that_knows_no_status_does_not_end_the_bot(world: World) -> None:
    world.answers["mevkit_bundleStatus"] = None
    await world.take()
    await world.block()
    assert world.reasons() == [Reason.NOT_INCLUDED]


async def test_a_relay_that_does_not_answer_holds_no_head(world: World) -> None:
    """Its intents are settled when it has answered."""
    world.held = asyncio.Event()
    await world.take()
    await asyncio.wait_for(world.block(), 10)
    assert world.reasons() == [None]
    world.held.set()
    await world.block(number=101)
    assert world.reasons() == [Reason.NOT_INCLUDED]


async def test_what_is_found_again_on_another_branch_is_another_intent(world: World) -> None:
    await world.take()
    world.fork.head = replace(HEAD, hash="0xother")
    await world.take(6 * 10**15)
    assert world.executor.open == 2
    senders = {entry.sender for entry in world.ledger.entries(world.run)}
    assert senders == world.operators.addresses


async def test_what_a_hand_over_raised_is_not_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(world.ledger, "record_answer", full)
    await world.take()
    for _ in range(20):  # until the hand-over has ended by itself
        await asyncio.sleep(0.005)
    with pytest.raises(sqlite3.OperationalError):
        await world.executor.drain()


async def test_a_mined_transaction_without_receipt_yet_stays_open(world: World) -> None:
    await world.take()
    (entry,) = world.ledger.entries(world.run)
    await world.block(entry.tx_hash)
    assert world.reasons() == [None]
    world.answers["eth_getTransactionReceipt"] = RECEIPT
    await world.block(number=101)
    assert world.reasons() == [Reason.LANDED]


async def test_an_undone_block_takes_its_outcome_and_its_nonce_back(world: World) -> None:
    world.answers["eth_getTransactionReceipt"] = RECEIPT
    await world.take()
    (entry,) = world.ledger.entries(world.run)
    await world.block(entry.tx_hash)
    assert world.reasons() == [Reason.LANDED]
    world.answers["eth_getTransactionReceipt"] = None
    world.fork.head = replace(HEAD, number=100, hash="0xh100")
    await world.block()  # another block 100, on 99
    assert world.reasons() == [Reason.NOT_INCLUDED]
    world.fork.head = replace(HEAD, hash="0xother")
    await world.take()
    assert {(entry.sender, entry.nonce) for entry in world.ledger.entries(world.run)} == {(entry.sender, 0)}


async def test_what_another_branch_includes_after_all_has_landed(world: World) -> None:
    await world.take()
    (entry,) = world.ledger.entries(world.run)
    await world.block()
    assert world.reasons() == [Reason.NOT_INCLUDED]
    world.answers["eth_getTransactionReceipt"] = RECEIPT
    world.fork.head = replace(HEAD, number=100, hash="0xh100")
    await world.block(entry.tx_hash)
    assert world.reasons() == [Reason.LANDED]
    world.fork.head = replace(HEAD, hash="0xother")
    await world.take()
    assert world.ledger.entries(world.run)[0].nonce == 1


async def test_a_profit_that_does_not_compare_with_gas_is_refused(world: World) -> None:
    found = opportunity(100)
    there, back = found.trade.route
    swapped = (replace(back, token_in=USDC, token_out=WETH), replace(there, token_in=WETH, token_out=USDC))
    await world.executor.execute([replace(found, trade=replace(found.trade, route=swapped))])
    assert world.executor.open == 0
    assert world.executor.stats.refused == {Reason.NOT_PROFITABLE: 1}


async def test_an_access_list_that_pays_is_signed(world: World) -> None:
    world.listed = ((USDC, (9, 1)),)
    await world.take()
    await world.executor.drain()
    (body,) = world.sent
    raw = bytes.fromhex(msgspec.json.decode(body)["params"][0]["txs"][0][2:])
    assert rlp.decode(raw[1:])[8] == [[bytes.fromhex(USDC[2:]), [(9).to_bytes(32, "big"), (1).to_bytes(32, "big")]]]
    (entry,) = world.ledger.entries(world.run)
    assert entry.gas == 360_000 + 2_400 + 2 * 1_900


async def test_what_landed_trades_touched_is_expected_of_the_next(world: World) -> None:
    world.answers["eth_getTransactionReceipt"] = RECEIPT
    for number, storage in enumerate(({"0x1": "0x0", "0x2": "0x0"}, {"0x1": "0x0", "0x3": "0x0"}, {})):
        world.answers["debug_traceTransaction"] = {USDC: {"storage": storage}}
        world.fork.head = replace(HEAD, number=99 + number, hash=f"0xh{99 + number}")
        world.fork.block = replace(BLOCK, number=100 + number)
        await world.executor.execute([opportunity(100 + number, gross=world.gross)])
        entry = world.ledger.entries(world.run)[0]
        await world.block(entry.tx_hash, number=100 + number)
        await asyncio.sleep(0.01)
    await world.block(number=103)
    assert world.expected == [(), (), ()]
    world.fork.head = replace(HEAD, number=103, hash="0xh103")
    world.fork.block = replace(BLOCK, number=104)
    await world.executor.execute([opportunity(104, gross=world.gross)])
    assert world.expected[-1] == ((USDC, ()),)


async def test_a_bundle_behind_a_replaced_transaction_is_taken_back_and_makes_room(world: World) -> None:
    world.gross = 5 * 10**15
    behind = opportunity(100, gross=world.gross, behind="0xold")
    assert behind.behind is not None
    await world.executor.execute([behind])
    new = replace(transaction("0xnew"), max_fee_per_gas=10**11)
    await world.executor.adapt(PendingTx(new, 0, "0xother"))
    await world.executor.execute([replace(behind, behind=new)])
    assert world.executor.stats.refused == {Reason.CONFLICT: 1}
    await world.executor.adapt(PendingTx(new, 0, "0xold"))
    await world.executor.execute([replace(behind, behind=new)])
    await world.executor.drain()
    assert world.executor.stats.submitted == 2
    await world.block()
    assert sorted(map(str, world.reasons())) == sorted(map(str, [Reason.SUPERSEDED, Reason.NOT_INCLUDED]))


async def test_nothing_is_taken_behind_a_transaction_that_is_not_as_it_was_told(world: World) -> None:
    """Neither journalled nor sent: the bundle would carry another transaction than was simulated."""
    world.gross = 5 * 10**15
    body = {"hash": "0x" + "01" * 32, "from": USDC, "to": WETH, "type": "0x2", "chainId": "0x1", "maxFeePerGas": "0x9"}
    lie = body | {"maxPriorityFeePerGas": "0x1", "r": "0x1", "s": "0x1", "yParity": "0x1"}
    told = announced(msgspec.convert(lie, TransactionBody))
    await world.executor.execute([replace(opportunity(100, gross=world.gross), behind=told)])
    assert world.executor.stats.refused == {Reason.SIMULATION_FAILED: 1}
    assert (world.reasons(), world.sent, world.executor.open) == ([], [], 0)
