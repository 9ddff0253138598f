"""After a crash, the chain says what became of what was under way, and the nonces are free or used accordingly."""

import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "unit"))
from ledger_samples import intent, opportunity

from bot.abi import to_hex
from bot.devnet.deployment import account
from bot.engine.types import Intent, Reason
from bot.errors import UserError
from bot.execution.keys import Signer
from bot.execution.recovery import settle_left_over
from bot.ledger.ledger import Ledger
from bot.ledger.records import RunKind
from bot.simulation.anvil import Anvil

CHAIN = 1
SIGNER = Signer(bytes(account(1).key))


def signed(name: str, nonce: int, block: int, to: str, data: bytes = b"") -> Intent:
    """A transaction of the operator's, as an intent for a block."""
    raw, tx_hash = SIGNER.sign_transaction(
        chain_id=CHAIN,
        nonce=nonce,
        to=to,
        data=data,
        gas=100_000,
        max_fee_per_gas=10**10,
        max_priority_fee_per_gas=0,
    )
    made = intent(name, nonce, SIGNER.address)
    return replace(made, raw=raw, tx_hash=tx_hash, opportunity=opportunity(block))


@pytest.fixture
async def node() -> AsyncIterator[Anvil]:
    async with Anvil(chain_id=CHAIN) as node:
        await node.rpc.call("anvil_setCode", "0x" + "de" * 20, "0x5f5ffd")  # reverts
        yield node


def crashed(path: Path, *intents: Intent) -> None:
    """Leaves a ledger as a killed bot does."""
    with Ledger.open(path) as ledger:
        ledger.begin_run(RunKind.RUN, profile="test", chain_id=CHAIN)
        for one in intents:
            assert ledger.reserve_nonce(one.sender, 0) == one.nonce
            ledger.record_intent(one, ["relay"])


async def test_mined_reverted_and_never_included(tmp_path: Path, node: Anvil) -> None:
    mined = signed("mined", 0, 1, "0x" + "aa" * 20)
    reverted = signed("reverted", 1, 1, "0x" + "de" * 20)
    missed = signed("missed", 2, 1, "0x" + "aa" * 20)
    crashed(tmp_path / "ledger.sqlite", mined, reverted, missed)
    for sent in (mined, reverted):
        await node.rpc.call("eth_sendRawTransaction", to_hex(sent.raw))
    await node.rpc.call("evm_mine")
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        outcomes = await settle_left_over(ledger, node.rpc, CHAIN)
        assert [(o.intent_id, o.reason) for o in outcomes] == [
            ("mined", Reason.LANDED),
            ("reverted", Reason.REVERTED),
            ("missed", Reason.NOT_INCLUDED),
        ]
        assert ledger.under_way() == []
        ledger.begin_run(RunKind.RUN, profile="test", chain_id=CHAIN)
        count = int(await node.rpc.call("eth_getTransactionCount", SIGNER.address, "latest"), 16)
        assert ledger.reserve_nonce(SIGNER.address, count) == 2, "the missed one's, free again"
        assert ledger.gas_burnt(0) == outcomes[1].gas_used * outcomes[1].gas_price > 0


async def test_it_waits_for_the_block(tmp_path: Path, node: Anvil) -> None:
    crashed(tmp_path / "ledger.sqlite", signed("early", 0, 1, "0x" + "aa" * 20))
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        with pytest.raises(UserError, match="under way for block 1 and the node is at 0"):
            await settle_left_over(ledger, node.rpc, CHAIN, patience=0.5)
        assert len(ledger.under_way()) == 1
        await node.rpc.call("evm_mine")
        assert [o.reason for o in await settle_left_over(ledger, node.rpc, CHAIN)] == [Reason.NOT_INCLUDED]


async def test_other_chains_are_left_alone(tmp_path: Path, node: Anvil) -> None:
    crashed(tmp_path / "ledger.sqlite", signed("here", 0, 1, "0x" + "aa" * 20))
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        assert await settle_left_over(ledger, node.rpc, 10) == []
        assert len(ledger.under_way()) == 1


async def test_a_devnet_that_began_anew(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path) as ledger:
        ledger.begin_run(RunKind.RUN, profile="devnet", chain_id=31337)
        made = signed("gone", ledger.reserve_nonce(SIGNER.address, 0), 900, "0x" + "aa" * 20)
        ledger.record_intent(made)
    async with Anvil(chain_id=31337) as node:
        with Ledger.open(path) as ledger:
            outcomes = await settle_left_over(ledger, node.rpc, 31337)
    assert [(o.intent_id, o.reason) for o in outcomes] == [("gone", Reason.INTERRUPTED)]
