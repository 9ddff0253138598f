"""The local builder on a real anvil: what goes into a block, in what order, and what the relay says of the rest."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from relay_bench import GATE, GWEI, PAYER, REVERTER, Bench, hash_of, running, sign

from bot.devnet.deployment import account
from bot.jsonrpc import RpcError

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started() -> AsyncIterator[Bench]:
    async with running() as bench:
        yield bench


@pytest_asyncio.fixture(loop_scope="module")
async def bench(started: Bench) -> Bench:
    await started.fresh()
    return started


async def test_bundle_is_atomic(bench: Bench) -> None:
    good, bad = bench.tx(1), bench.tx(2, REVERTER)
    bundle = await bench.send(good, bad)
    block = await bench.build()
    assert block.transactions == 0
    assert block.bundles_dropped == ((bundle, f"transaction {hash_of(bad)} reverts"),)
    status = await bench.call("mevkit_bundleStatus", {"bundleHash": bundle})
    assert status["status"] == "dropped" and "reverts" in status["reason"]


async def test_listed_transaction_may_revert(bench: Bench) -> None:
    good, bad = bench.tx(1), bench.tx(2, REVERTER)
    bundle = await bench.send(good, bad, revertingTxHashes=[hash_of(bad)])
    assert (await bench.build()).bundles_included == (bundle,)
    assert await bench.block_hashes() == [hash_of(good), hash_of(bad)]


async def test_best_payment_first_by_tip_or_by_direct_payment(bench: Bench) -> None:
    low, tip = bench.tx(1, tip=GWEI), bench.tx(2, tip=5 * GWEI)
    direct = bench.tx(3, PAYER, value=10**15, tip=0)
    public = bench.tx(4, tip=90 * GWEI)
    await bench.public(public)
    hashes = [await bench.send(raw) for raw in (low, direct, tip)]
    before = int(await bench.node.rpc.call("eth_getBalance", bench.builder.coinbase, "latest"), 16)
    block = await bench.build()
    after = int(await bench.node.rpc.call("eth_getBalance", bench.builder.coinbase, "latest"), 16)
    assert block.bundles_included == (hashes[1], hashes[2], hashes[0])
    assert await bench.block_hashes() == [hash_of(raw) for raw in (direct, tip, low, public)]
    assert after - before == block.payment + 21_000 * 90 * GWEI


async def test_tip_of_public_transaction_does_not_count(bench: Bench) -> None:
    rich, poor = bench.tx(1, tip=50 * GWEI), bench.tx(2, tip=GWEI)
    await bench.public(rich)
    behind, alone = await bench.send(rich, bench.tx(3, tip=2 * GWEI)), await bench.send(poor, bench.tx(4, tip=2 * GWEI))
    assert (await bench.build()).bundles_included == (alone, behind)


async def test_nothing_paid_is_dropped(bench: Bench) -> None:
    public = bench.tx(1)
    await bench.public(public)
    only_public, free = await bench.send(public), await bench.send(bench.tx(2, tip=0))
    block = await bench.build()
    assert block.bundles_dropped == ((only_public, "pays the builder nothing"), (free, "pays the builder nothing"))
    assert await bench.block_hashes() == [hash_of(public)]


async def test_second_bundle_with_the_same_pending_transaction(bench: Bench) -> None:
    pending = bench.tx(1)
    await bench.public(pending)
    worse, better = await bench.send(pending, bench.tx(2)), await bench.send(pending, bench.tx(3, tip=3 * GWEI))
    block = await bench.build()
    assert block.bundles_included == (better,)
    [(dropped, reason)] = block.bundles_dropped
    assert dropped == worse and reason.startswith(f"transaction {hash_of(pending)} is already in the block")
    assert len(await bench.block_hashes()) == 2


async def test_bundle_spoilt_by_a_better_one(bench: Bench) -> None:
    late, early = bench.tx(1, GATE), bench.tx(2, GATE, tip=2 * GWEI)
    spoilt, winner = await bench.send(late), await bench.send(early)
    block = await bench.build()
    assert block.bundles_included == (winner,)
    assert block.bundles_dropped == ((spoilt, f"transaction {hash_of(late)} reverts behind better bundles, not alone"),)


async def test_bundle_that_builds_on_another(bench: Bench) -> None:
    first, second = bench.tx(1, tip=GWEI), bench.tx(1, tip=9 * GWEI)
    await bench.send(second)
    await bench.send(first)
    await bench.build()
    assert await bench.block_hashes() == [hash_of(first), hash_of(second)]


async def test_replacement_and_cancel(bench: Bench) -> None:
    uuid = str(uuid4())
    old = await bench.send(bench.tx(1, nonce=bench.nonces[1]), replacementUuid=uuid)
    new = await bench.send(bench.tx(1, nonce=bench.nonces[1], tip=2 * GWEI), replacementUuid=uuid.upper())
    stranger = await bench.send(bench.tx(2), replacementUuid=uuid, signer=8)
    gone = await bench.send(bench.tx(3), replacementUuid=(other := str(uuid4())))
    assert await bench.call("eth_cancelBundle", {"replacementUuid": other}, signer=8) == {"bundleHashes": []}
    assert await bench.call("eth_cancelBundle", {"replacementUuid": other}) == {"bundleHashes": [gone]}
    assert (await bench.build()).bundles_included == (new, stranger)
    assert (await bench.call("mevkit_bundleStatus", {"bundleHash": old}))["status"] == "cancelled"
    assert (await bench.call("mevkit_bundleStatus", {"bundleHash": new}))["status"] == "included"
    assert (await bench.call("mevkit_bundleStatus", {"bundleHash": new}, signer=8))["status"] == "unknown"


async def test_private_transaction_waits_and_stays_private(bench: Bench) -> None:
    early, late = bench.tx(1), bench.tx(1)
    assert await bench.call("eth_sendPrivateTransaction", {"tx": late}) == hash_of(late)
    await bench.send(bench.tx(2))
    assert await bench.node.rpc.call("txpool_status") == {"pending": "0x0", "queued": "0x0"}
    assert (await bench.build()).transactions == 1
    assert await bench.node.rpc.call("txpool_status") == {"pending": "0x0", "queued": "0x0"}
    await bench.public(early)
    await bench.build()
    assert await bench.block_hashes() == [hash_of(early)]
    await bench.build()
    assert await bench.block_hashes() == [hash_of(late)]


async def test_private_transaction_ends(bench: Bench) -> None:
    gap = bench.tx(1, nonce=bench.nonces[1] + 1)
    cancelled, expired = bench.tx(2), gap
    await bench.call("eth_sendPrivateTransaction", {"tx": cancelled})
    await bench.call("eth_sendPrivateTransaction", {"tx": expired, "maxBlockNumber": hex(await bench.head() + 1)})
    assert await bench.call("eth_cancelPrivateTransaction", {"txHash": hash_of(cancelled)}) is True
    assert await bench.call("eth_cancelPrivateTransaction", {"txHash": hash_of(cancelled)}) is False
    await bench.build()
    await bench.public(bench.tx(1))
    await bench.build()
    assert (await bench.build()).transactions == 0


async def test_mempool_behind_in_order_of_arrival(bench: Bench) -> None:
    after_gap = bench.tx(4, nonce=bench.nonces[4] + 1)
    public = [bench.tx(3), bench.tx(1, REVERTER), bench.tx(2, tip=9 * GWEI), bench.tx(1)]
    await bench.public(after_gap, *public)
    bundle = bench.tx(0)
    await bench.send(bundle)
    await bench.build()
    assert await bench.block_hashes() == [hash_of(raw) for raw in (bundle, *public)]
    filler = bench.tx(4)
    await bench.public(filler)
    await bench.send(bench.tx(0))
    await bench.build()
    assert (await bench.block_hashes())[1:] == [hash_of(filler), hash_of(after_gap)]


async def test_public_transaction_whose_nonce_went_to_a_bundle(bench: Bench) -> None:
    nonce = bench.nonces[1]
    public, private = bench.tx(1, nonce=nonce, tip=50 * GWEI), bench.tx(1, nonce=nonce)
    await bench.public(public)
    await bench.send(private)
    block = await bench.build()
    assert block.evicted == (hash_of(public),)
    assert await bench.block_hashes() == [hash_of(private)]


@pytest.mark.parametrize(
    ("who", "changes", "says"),
    [
        (1, {"nonce": 10_000}, "nonce 10000 of .* is too high"),
        (6, {"nonce": 0}, "is already used"),
        (2, {"maxFeePerGas": 1, "maxPriorityFeePerGas": 1}, "maximum fee is below the base fee"),
        (3, {"value": 10**24}, "has not the funds"),
        (4, {"gas": 21_000, "data": b"\x01" * 100}, "cannot be executed: .*intrinsic gas"),
        (2, {"gas": 30_000_001}, "does not fit in the block's gas limit"),
    ],
)
async def test_what_cannot_be_executed(bench: Bench, who: int, changes: dict[str, int], says: str) -> None:
    await bench.public(bench.tx(6))
    await bench.build()
    bundle = await bench.send(bench.tx(who, **changes))
    [(dropped, reason)] = (await bench.build()).bundles_dropped
    assert dropped == bundle

    assert re.search(says, reason), reason


async def test_time_limits(bench: Bench) -> None:
    head = await bench.node.rpc.call("eth_getBlockByNumber", "latest", False)
    now = int(head["timestamp"], 16) + 12
    early = await bench.send(bench.tx(1), minTimestamp=now + 1)
    late = await bench.send(bench.tx(2), maxTimestamp=now - 1)
    fits = await bench.send(bench.tx(3), minTimestamp=now, maxTimestamp=now)
    block = await bench.build()
    assert block.bundles_included == (fits,)
    assert {hash_: reason.split(" is ")[1].split()[0] for hash_, reason in block.bundles_dropped} == {
        early: "before",
        late: "after",
    }


async def test_bundle_for_a_later_block_waits(bench: Bench) -> None:
    bundle = await bench.send(bench.tx(1), blockNumber=hex(await bench.head() + 2))
    assert (await bench.build()).bundles_included == ()
    assert (await bench.call("mevkit_bundleStatus", {"bundleHash": bundle}))["status"] == "pending"
    assert (await bench.build()).bundles_included == (bundle,)


async def test_call_bundle(bench: Bench) -> None:
    tips, pays, fails = bench.tx(1, tip=GWEI), bench.tx(2, PAYER, value=777, tip=2 * GWEI), bench.tx(3, REVERTER)
    number = hex(await bench.head() + 1)
    params = {"txs": [tips, pays, fails], "blockNumber": number, "stateBlockNumber": "latest"}
    answer = await bench.call("eth_callBundle", params)
    await bench.send(tips, pays, fails, revertingTxHashes=[hash_of(fails)])
    await bench.build()
    receipts = await bench.node.rpc.call("eth_getBlockReceipts", "latest")
    gas = [int(receipt["gasUsed"], 16) for receipt in receipts]
    assert [result["gasUsed"] for result in answer["results"]] == gas
    assert answer["totalGasUsed"] == sum(gas)
    assert answer["ethSentToCoinbase"] == "777"
    assert int(answer["gasFees"]) == gas[0] * GWEI + gas[1] * 2 * GWEI + gas[2] * GWEI
    assert int(answer["coinbaseDiff"]) == int(answer["gasFees"]) + 777
    assert [result.get("error") for result in answer["results"]] == [None, None, "execution reverted"]
    assert answer["stateBlockNumber"] == int(number, 16) - 1


GOOD = "0x02"  # replaced by a valid transaction


@pytest.mark.parametrize(
    ("method", "params", "code", "says"),
    [
        ("eth_sendBundle", {"txs": [GOOD], "blockNumber": "0xffff", "refundPercent": 5}, -32602, "refundPercent"),
        ("eth_sendBundle", {"txs": [GOOD]}, -32602, "blockNumber"),
        ("eth_sendBundle", {"txs": [GOOD], "blockNumber": 7}, -32602, "blockNumber"),
        ("eth_sendBundle", {"txs": [GOOD], "blockNumber": "7"}, -32602, "blockNumber"),
        ("eth_sendBundle", {"txs": [GOOD], "blockNumber": "0x0"}, -32602, "not after the head"),
        ("eth_sendBundle", {"txs": [], "blockNumber": "0xffff"}, -32602, "0 transactions"),
        ("eth_sendBundle", {"txs": [GOOD] * 101, "blockNumber": "0xffff"}, -32602, "101 transactions"),
        ("eth_sendBundle", {"txs": ["0x" + "00" * 300_001], "blockNumber": "0xffff"}, -32602, "300000 bytes"),
        ("eth_sendBundle", {"txs": [GOOD, GOOD], "blockNumber": "0xffff"}, -32602, r"txs\[1\].*twice"),
        ("eth_sendBundle", {"txs": ["0x02f8"], "blockNumber": "0xffff"}, -32602, r"txs\[0\]: not a signed"),
        ("eth_sendBundle", {"txs": ["0x"], "blockNumber": "0xffff"}, -32602, r"txs\[0\]"),
        ("eth_sendBundle", {"txs": ["f86b"], "blockNumber": "0xffff"}, -32602, r"txs\[0\]: not a 0x string"),
        ("eth_sendBundle", {"txs": ["0x03c0"], "blockNumber": "0xffff"}, -32602, "type 3 is not supported"),
        ("eth_sendBundle", {"txs": [GOOD], "blockNumber": "0xffff", "minTimestamp": "1"}, -32602, "minTimestamp"),
        ("eth_sendBundle", {"txs": [GOOD], "blockNumber": "0xffff", "maxTimestamp": -1}, -32602, "maxTimestamp"),
        ("eth_sendBundle", {"txs": [GOOD], "blockNumber": "0xffff", "replacementUuid": "x"}, -32602, "UUID"),
        (
            "eth_sendBundle",
            {"txs": [GOOD], "blockNumber": "0xffff", "revertingTxHashes": ["0x" + "11" * 32]},
            -32602,
            "revertingTxHashes",
        ),
        ("eth_sendBundle", [GOOD], -32602, "object"),
        ("eth_callBundle", {"txs": [GOOD], "blockNumber": "0xffff"}, -32602, "stateBlockNumber"),
        ("eth_callBundle", {"txs": [GOOD], "blockNumber": "0x1", "stateBlockNumber": "0xfff"}, -32000, "0xfff"),
        ("eth_cancelBundle", {}, -32602, "replacementUuid"),
        ("eth_sendPrivateTransaction", {"tx": GOOD, "maxBlockNumber": "0x0"}, -32602, "maxBlockNumber"),
        ("eth_sendPrivateTransaction", {"tx": GOOD, "preferences": {"quick": True}}, -32602, "quick"),
        ("eth_cancelPrivateTransaction", {"txHash": "0x12"}, -32602, "txHash"),
        ("mevkit_bundleStatus", {}, -32602, "bundleHash"),
        ("flashbots_getUserStats", {}, -32601, "flashbots_getUserStats"),
    ],
)
async def test_malformed_requests(bench: Bench, method: str, params: object, code: int, says: str) -> None:
    good = bench.tx(1)
    if isinstance(params, dict):
        params = {key: [good if raw == GOOD else raw for raw in v] if key == "txs" else v for key, v in params.items()}
        params = {key: good if key == "tx" else v for key, v in params.items()}
    with pytest.raises(RpcError, match=says) as refused:
        await bench.call(method, params)
    assert refused.value.code == code


async def test_contract_creation_and_foreign_chain_are_refused(bench: Bench) -> None:
    for raw, says in ((bench.tx(1, ""), "contract creation"), (bench.tx(1, chainId=1), "chain 1, this is 31337")):
        with pytest.raises(RpcError, match=says):
            await bench.send(raw)


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b'{"id":1,"method":"eth_sendBundle","params":[{}]}', {}, 403, -32600),
        (b"{}", {"X-Flashbots-Signature": f"{account(6).address}:0x{'11' * 65}"}, 403, -32600),
        (b"{", None, 400, -32700),
        (b"[]", None, 400, -32600),
        (b'{"method":7}', None, 400, -32600),
        (b'{"method":"eth_sendBundle","params":{}}', None, 200, -32602),
    ],
)
async def test_envelope(bench: Bench, body: bytes, headers: dict[str, str] | None, status: int, code: int) -> None:

    async with aiohttp.ClientSession() as session:
        signed = {"X-Flashbots-Signature": sign(body, 6)} if headers is None else headers
        async with session.post(bench.builder.url, data=body, headers=signed) as answer:
            assert answer.status == status
            assert (await answer.json())["error"]["code"] == code
