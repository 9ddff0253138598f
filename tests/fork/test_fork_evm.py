"""The EVM in process against the node: the same results, to the unit of gas, on the real protocols' order flow."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import pairwise

import pytest
from recorded import cassette_path

from bot.abi import call, uint
from bot.chain.nodes.node import Endpoints
from bot.chain.nodes.upstream import Upstream
from bot.devnet.deployment import account
from bot.devnet.network import Devnet
from bot.engine import decode
from bot.engine.decode import TransactionBody
from bot.engine.types import AccountDiff, Transaction
from bot.jsonrpc import RpcError
from bot.paths import data_dir
from bot.simulation.cassette import load
from bot.simulation.cassette_server import CassetteServer
from bot.simulation.fork import call_of
from bot.simulation.node import simulate, state_diffs
from bot.simulation.revm import ForkEvm
from bot.simulation.state import merge
from bot.simulation.types import BlockContext, Call, CallResult, UnrecordedState

SLOTS = 60 if os.environ.get("MEV_VERIFY") else 4
BUILDER, RICH, SPARE = (account(number).address.lower() for number in (5, 7, 8))


@dataclass(frozen=True)
class World:
    net: Devnet
    evm: ForkEvm
    block: BlockContext

    async def both(self, *calls: Call) -> tuple[list[CallResult], list[CallResult]]:
        return self.evm.run(calls, self.block), await simulate(self.net.node.rpc, calls, self.block)


async def next_block(net: Devnet) -> BlockContext:
    head = decode.header(await net.node.rpc.call("eth_getBlockByNumber", "latest", False))
    return BlockContext(
        number=head.number + 1,
        timestamp=head.timestamp + 12,
        base_fee=head.base_fee,
        coinbase=BUILDER,
        gas_limit=head.gas_limit,
        prev_randao="0x" + "5a" * 32,
    )


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with Devnet(data_dir(), 11) as net:
        await net.build_block()
        block = await next_block(net)
        evm = ForkEvm(net.node.http_url, block.number - 1, chain_id=31337, gas_limit=block.gas_limit)
        yield World(net, evm, block)


async def pending(net: Devnet) -> list[Transaction]:
    """This slot's order flow."""
    call = net.node.rpc.call_as
    bodies = [await call(TransactionBody, "eth_getTransactionByHash", tx_hash) for tx_hash in await net.send_flow()]
    return [tx for body in bodies if (tx := decode.transaction(body)) is not None]


async def test_order_flow_head_after_head(world: World) -> None:
    """Swaps through real routers, good and doomed, each alone on the head's state; then the head moves on."""
    net, evm = world.net, world.evm
    failed = compared = 0
    for _ in range(SLOTS):
        block = await next_block(net)
        for tx in await pending(net):
            ours = evm.run([call_of(tx, block.base_fee)], block)[0]
            nodes = (await simulate(net.node.rpc, [call_of(tx, block.base_fee)], block))[0]
            assert (ours.success, ours.gas_used, ours.output, ours.logs) == (
                nodes.success,
                nodes.gas_used,
                nodes.output,
                nodes.logs,
            )
            failed += not ours.success
            compared += 1
        mined = await net.build_block()
        diff = merge(await state_diffs(net.node.rpc, mined.number))
        evm.apply(diff)
        for address, change in diff.items():
            assert evm.balance(address) == int(await net.node.rpc.call("eth_getBalance", address, "latest"), 16)
            assert evm.nonce(address) == change.nonce
            for slot, value in change.slots.items():
                assert evm.storage(address, slot) == value
    assert compared > 10 * SLOTS
    assert failed


async def test_bundle_has_the_nodes_state_and_gas_no_higher(world: World) -> None:
    """The second call finds what the first left; its gas here is a lower bound (accounts and slots stay warm)."""
    calls = [call_of(tx, world.block.base_fee) for tx in await pending(world.net)]
    compared = 0
    for first, second in pairwise(calls):
        if first.sender == second.sender:
            continue
        ours, nodes = await world.both(first, second)
        assert [(r.success, r.output, r.logs) for r in ours] == [(r.success, r.output, r.logs) for r in nodes]
        assert ours[0].gas_used == nodes[0].gas_used
        assert ours[1].gas_used <= nodes[1].gas_used
        compared += 1
    assert compared > 5


async def test_nothing_of_a_run_stays(world: World) -> None:
    (first, *_) = [call_of(tx, world.block.base_fee) for tx in await pending(world.net)]
    before = world.evm.balance(first.sender), world.evm.nonce(first.sender), world.evm.balance(BUILDER)
    results = [world.evm.run([first, first], world.block)[0] for _ in range(5)]
    assert len(set(results)) == 1
    assert before == (world.evm.balance(first.sender), world.evm.nonce(first.sender), world.evm.balance(BUILDER))


async def test_block_and_fees_are_as_in_a_transaction(world: World) -> None:
    """NUMBER, TIMESTAMP, COINBASE, PREVRANDAO, GASLIMIT, CHAINID, GASPRICE, ORIGIN, and what the next call sees of the
    fee. BASEFEE alone is 0: pyrevm takes it away."""
    opcodes = bytes.fromhex("4342414445463a32")
    writes = b"".join(bytes([op, 0x60, 32 * n, 0x52]) for n, op in enumerate(opcodes))
    reader, banker = "0x" + "e1" * 20, "0x" + "e2" * 20
    contracts = {
        reader: AccountDiff(0, 1, writes + bytes.fromhex("6101005ff3")),
        banker: AccountDiff(0, 1, bytes.fromhex(f"73{RICH[2:]}315f52413160205260405ff3")),  # two balances
    }
    price = 3 * world.block.base_fee
    calls = (
        Call(RICH, reader, b"", gas=99_999, gas_price=price),
        Call(SPARE, banker, b"", gas=99_999, gas_price=price),
    )
    world.evm.apply(contracts)
    ours = world.evm.run(calls, world.block)
    nodes = await simulate(world.net.node.rpc, calls, world.block, contracts)
    assert [(r.success, r.output) for r in ours] == [(r.success, r.output) for r in nodes]
    assert uint(ours[0].output) == world.block.number
    assert uint(ours[1].output) == world.evm.balance(RICH) - ours[0].gas_used * price


async def test_deployments_reverts_and_halts(world: World) -> None:
    rpc = world.net.node.rpc
    for data, success in (
        ("600c600c5f39600c5ff3" + "0000" + "60015f5560425f5260205ff3", True),
        ("60425f5260205ffd", False),
        ("fe", False),
        ("5b5f56", False),
    ):
        deploys = Call(RICH, None, bytes.fromhex(data), gas=200_000)
        result = world.evm.run([deploys], world.block)[0]
        request = {"from": RICH, "data": "0x" + data, "gas": hex(deploys.gas)}
        tx_hash = await rpc.call("eth_sendTransaction", request)
        await rpc.call("evm_mine")
        receipt = await rpc.call("eth_getTransactionReceipt", tx_hash)
        assert (result.success, result.gas_used) == (success, int(receipt["gasUsed"], 16))
        assert (receipt["status"] == "0x1") == success
        if success:
            assert "0x" + result.output.hex() == await rpc.call("eth_getCode", receipt["contractAddress"], "latest")
    reverts = Call(RICH, None, bytes.fromhex("60425f5260205ffd"), gas=200_000)
    assert uint(world.evm.run([reverts], world.block)[0].output) == 0x42


async def test_call_that_cannot_start(world: World) -> None:
    poor = Call("0x" + "77" * 20, RICH, b"", value=1)
    tight = Call(RICH, BUILDER, b"", gas=20_999)
    for wrong in (poor, tight):
        ours, nodes = await world.both(wrong)
        assert (ours[0].success, ours[0].gas_used) == (nodes[0].success, nodes[0].gas_used) == (False, 0)
        assert ours[0].error
        assert nodes[0].error


async def test_state_that_the_source_does_not_hold_is_named_and_survived() -> None:
    cassette = load(cassette_path(19426587))
    weth = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
    fresh, stranger = "0x" + "ab" * 20, "0x" + "cd" * 20
    with CassetteServer(cassette.path, (fresh,)) as url:
        evm = ForkEvm(url, cassette.number - 1, gas_limit=cassette.context.gas_limit)
        good = cassette.calls[0]
        first = evm.run([good], cassette.context)
        asks_fresh = Call(fresh, weth, call("balanceOf(address)", fresh))
        asks_stranger = Call(fresh, weth, call("balanceOf(address)", stranger))
        for _ in range(3):
            with pytest.raises(UnrecordedState, match=f"slot 0x[0-9a-f]+ of {weth}"):
                evm.run([good, asks_stranger], cassette.context)
            with pytest.raises(UnrecordedState, match=f"account {stranger}"):
                evm.run([Call(stranger, weth, b"")], cassette.context)
            with pytest.raises(UnrecordedState, match=f"account {stranger}"):
                evm.apply({stranger: AccountDiff(balance=1)})
        assert uint(evm.run([asks_fresh], cassette.context)[0].output) == 0
        assert evm.run([good], cassette.context) == first
        evm.apply(
            {fresh: AccountDiff(10**18, 0, b""), stranger: AccountDiff(0, 1, bytes.fromhex("5f35405f5260205ff3"))}
        )
        parent = cassette.number - 1
        (known,) = evm.run([Call(fresh, stranger, parent.to_bytes(32, "big"))], cassette.context)
        assert "0x" + known.output.hex() == cassette.parent_hash
        with pytest.raises(UnrecordedState):  # pyrevm panics here, and loses its state
            evm.run([Call(fresh, stranger, (parent - 9).to_bytes(32, "big"))], cassette.context)
        assert evm.balance(fresh) == 10**18
        assert evm.run([good], cassette.context) == first


async def test_node_without_a_tracer_or_state_says_so(world: World) -> None:
    with pytest.raises(RpcError):
        await state_diffs(world.net.node.rpc, 10**9)


async def test_hanging_node_is_not_waited_for(world: World) -> None:
    """pyrevm itself would wait for ever, and hold the GIL while it does."""
    net, block = world.net, world.block
    with Upstream([Endpoints.at(net.node.http_url)], patience=0.3) as url:
        evm = ForkEvm(url, block.number - 1, chain_id=31337, gas_limit=block.gas_limit)
        (swap, other, *_) = [call_of(tx, block.base_fee) for tx in await pending(net)]
        through = evm.run([swap], block)
        assert through == world.evm.run([swap], block)
        os.kill(net.node.pid, signal.SIGSTOP)
        try:
            assert evm.run([swap], block) == through  # all that it needs has been read
            with pytest.raises(UnrecordedState, match="does not answer"):
                evm.balance("0x" + "99" * 20)
        finally:
            os.kill(net.node.pid, signal.SIGCONT)
        assert evm.run([other], block) == world.evm.run([other], block)
    with pytest.raises(UnrecordedState, match="onnection"):
        evm.balance("0x" + "98" * 20)
