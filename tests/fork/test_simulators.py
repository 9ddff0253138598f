"""The simulators against each other and against what happened. The claim under test: a result without doubts is what
the chain does, to the unit of gas; where one differs, a doubt says why."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from recorded import BLOCKS, cassette_path, needs_recordings

from bot.abi import call, selector
from bot.devnet.deployment import account
from bot.devnet.network import Devnet
from bot.devnet.place import calldata
from bot.engine import decode
from bot.engine.types import AccountDiff
from bot.paths import data_dir
from bot.simulation.cassette import load
from bot.simulation.cassette_server import CassetteServer
from bot.simulation.proof import prove
from bot.simulation.revm import ForkEvm
from bot.simulation.rules import TX_GAS_CAP, Doubt
from bot.simulation.sandbox import NotMined, sandbox
from bot.simulation.simulator import Decided, InProcess, OnNode
from bot.simulation.types import AccessList, BlockContext, Call, CallResult, UnrecordedState
from bot.simulation.workers import WorkerPool

VERIFY = bool(os.environ.get("MEV_VERIFY"))
CHOSEN = BLOCKS if VERIFY else [15050000, 19426587, 24628607]
RANDOM_CALLS = 12_000 if VERIFY else 120
LARGE = 2**256 - 1


# --- recorded blocks -------------------------------------------------------------------------------------------------


def listed(tx: dict[str, Any]) -> AccessList:
    return tuple(
        (entry["address"].lower(), tuple(int(key, 16) for key in entry["storageKeys"]))
        for entry in tx.get("accessList") or ()
    )


@needs_recordings
@pytest.mark.parametrize("block", CHOSEN)
async def test_recorded_transactions_one_by_one(block: int, record_property: Any) -> None:
    """Each on the state before it, with its access list, by its block's rules; the block itself is the judge."""
    cassette = load(cassette_path(block))
    proof = await prove(cassette)
    assert proof.matches
    count: Counter[str] = Counter()
    with CassetteServer(cassette.path, unmodified=True) as url:
        limit = cassette.context.gas_limit
        evm = ForkEvm(url, cassette.number - 1, gas_limit=limit, hardfork=cassette.hardfork)
        transactions = zip(cassette.calls, cassette.block["transactions"], strict=True)
        for index, (asked, tx) in enumerate(transactions):
            truth = cassette.receipts[index]["status"] == "0x1", proof.gas_used[index], proof.logs[index]
            try:
                (ours,) = evm.run([replace(asked, access_list=listed(tx))], cassette.context, doubtful=True)
            except UnrecordedState:  # older rules led it where the block never was
                assert cassette.hardfork in ("prague", "osaka")
                count["no state"] += 1
            else:
                same = (ours.success, ours.gas_used, ours.logs) == truth
                assert same or not ours.exact, f"transaction {index}: {ours}, not {truth}"
                count["sure" if ours.exact else "doubted, same" if same else "doubted, different"] += 1
            evm.apply(proof.diffs[index])
    went_through = sum(receipt["status"] == "0x1" for receipt in cassette.receipts)
    assert count["sure"] > went_through * 0.75  # of those that failed it is never sure
    for name, number in count.items():
        record_property(f"block {block} ({cassette.hardfork}) in pyrevm: {name}", number)


# --- the devnet ------------------------------------------------------------------------------------------------------


@dataclass
class World:
    net: Devnet
    evm: ForkEvm
    block: BlockContext

    @property
    def node(self) -> OnNode:
        return OnNode(self.net.node.rpc, hex(self.block.number - 1))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with Devnet(data_dir(), 3) as net:
        await net.build_block()
        head = decode.header(await net.node.rpc.call("eth_getBlockByNumber", "latest", False))
        block = BlockContext(
            head.number + 1, head.timestamp + 12, head.base_fee, account(5).address.lower(), 30_000_000
        )
        evm = ForkEvm(net.node.http_url, head.number, chain_id=31337, gas_limit=block.gas_limit)
        yield World(net, evm, block)


class Calls:
    """Random calls of the devnet's protocols: good, hopeless and malformed ones."""

    def __init__(self, net: Devnet, block: BlockContext, seed: int) -> None:
        self._net, self._block, self._random = net, block, random.Random(seed)
        self._traders = [one.lower() for one in net.deployment.traders]

    def one(self) -> Call:
        pick = self._random
        sender = pick.choice(self._traders)
        to, data, value = pick.choice((self._router, self._v3, self._pool, self._token, self._lender, self._noise))(
            sender
        )
        gas = pick.choice((3_000_000, 3_000_000, 300_000, 120_000, 60_000, 30_000, 21_000))
        price = self._block.base_fee + pick.choice((0, 1, 10**9))
        return Call(sender, to, data, value, gas, price, self._list(to) if pick.random() < 0.3 else ())

    def _list(self, to: str) -> AccessList:
        """Of what is touched, or not."""
        pick, deployment = self._random, self._net.deployment
        others = [to, deployment.weth, *(pool.address for pool in deployment.pools)]
        chosen = pick.sample(others, pick.randint(1, 4))
        return tuple((one.lower(), tuple(pick.sample(range(12), pick.randint(0, 5)))) for one in dict.fromkeys(chosen))

    def _amount(self) -> int:
        return self._random.choice((0, 1, LARGE, 10 ** self._random.randint(1, 24), self._random.getrandbits(70)))

    def _tokens(self) -> tuple[str, str]:
        pool = self._random.choice(self._net.deployment.pools)
        tokens = [pool.token0, pool.token1]
        self._random.shuffle(tokens)
        return tokens[0], tokens[1]

    def _router(self, sender: str) -> tuple[str, bytes, int]:
        path = list(self._tokens())
        if self._random.random() < 0.3:
            path.append(self._tokens()[0])
        to = self._random.choice(self._net.deployment.v2_routers)
        deadline = self._block.timestamp + self._random.choice((-1, 0, 1000))
        args = (self._amount(), self._random.choice((0, 1, 10**30)), path, sender, deadline)
        signature = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
        if path[0] == self._net.deployment.weth:
            signature = "swapExactETHForTokens(uint256,address[],address,uint256)"
            return to, calldata(signature, *args[1:]), self._random.getrandbits(62)
        return to, calldata(signature, *args), 0

    def _v3(self, sender: str) -> tuple[str, bytes, int]:
        give, take = self._tokens()
        fee = self._random.choice((100, 500, 3000, 10_000))
        terms = (give, take, fee, sender, self._block.timestamp + 60, self._amount(), 0, 0)
        signature = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
        value = self._random.getrandbits(62) if give == self._net.deployment.weth else 0
        return self._net.deployment.v3_router, calldata(signature, terms), value

    def _pool(self, sender: str) -> tuple[str, bytes, int]:
        pool = self._random.choice(self._net.deployment.pools)
        asked = (
            call("getReserves()"),
            call("slot0()"),
            call("sync()"),
            call("skim(address)", sender),
            calldata("swap(uint256,uint256,address,bytes)", self._amount(), 0, sender, b""),
            calldata("swap(address,bool,int256,uint160,bytes)", sender, True, 10**9, 4295128740, b""),
            call("increaseObservationCardinalityNext(uint16)", self._random.randint(0, 30)),
        )
        return pool.address, self._random.choice(asked), 0

    def _token(self, sender: str) -> tuple[str, bytes, int]:
        token = self._random.choice(self._net.deployment.tokens).address
        other = self._random.choice(self._traders)
        asked = (
            call("transfer(address,uint256)", other, self._amount()),
            call("transferFrom(address,address,uint256)", other, sender, self._amount()),
            call("approve(address,uint256)", other, self._amount()),
            call("balanceOf(address)", other),
        )
        if self._random.random() < 0.2:
            return self._net.deployment.weth, b"", self._random.getrandbits(60)
        return token, self._random.choice(asked), 0

    def _lender(self, sender: str) -> tuple[str, bytes, int]:
        deployment = self._net.deployment
        token = self._random.choice(deployment.tokens).address
        asked = (
            (deployment.morpho, calldata("flashLoan(address,uint256,bytes)", token, self._amount(), b"")),
            (
                deployment.aave_pool,
                calldata(
                    "flashLoanSimple(address,address,uint256,bytes,uint16)", sender, token, self._amount(), b"", 0
                ),
            ),
            (deployment.v4_manager, calldata("unlock(bytes)", b"")),
            (deployment.balancer_vault, call("getProtocolFeesCollector()")),
            (deployment.aave_pool, call("getReservesList()")),
        )
        return (*self._random.choice(asked), 0)

    def _noise(self, sender: str) -> tuple[str, bytes, int]:
        to = self._random.choice(
            [self._net.deployment.weth, sender, self._net.deployment.v3_router, "0x" + "00" * 19 + "05"]
        )
        size = self._random.choice((0, 1, 3, 4, 36, 68, 1000))
        data = self._random.randbytes(size)
        if self._random.random() < 0.5:
            data = selector("multicall(bytes[])") + data
        return to, data, self._random.choice((0, 0, 1, 10**18, 10**30))


def told(result: CallResult) -> tuple[Any, ...]:
    return result.success, result.gas_used, result.output, result.logs


async def test_random_calls_of_real_protocols(world: World, record_property: Any) -> None:
    """One by one in three places: this process, a pool of processes, the node. Where all can, they are bit-equal."""
    calls = Calls(world.net, world.block, seed=7)
    quick, count = InProcess(world.evm), Counter[str]()
    head = decode.header(await world.net.node.rpc.call("eth_getBlockByNumber", "latest", False))
    head = replace(head, gas_limit=world.block.gas_limit)
    async with WorkerPool(world.net.node.http_url, head, workers=2, chain_id=31337) as pool:
        for _ in range(RANDOM_CALLS // 40):
            batch = [calls.one() for _ in range(40)]
            theirs = await asyncio.gather(*(pool.simulate([one], world.block) for one in batch))
            for asked, (other,) in zip(batch, theirs, strict=True):
                (ours,) = await quick.simulate([asked], world.block)
                (nodes,) = await world.node.simulate([asked], world.block)
                assert told(ours) == told(other)
                assert nodes.exact
                same = told(ours) == told(nodes)
                assert same or Doubt.REFUND in ours.doubts, f"{asked}\n{ours}\n{nodes}"
                if not same:
                    assert ours.gas_used >= nodes.gas_used
                    assert told(replace(ours, gas_used=nodes.gas_used)) == told(nodes)
                count["went through" if ours.success else "could not start" if not ours.gas_used else "failed"] += 1
                count["sure" if ours.exact else "doubted"] += 1
                count["with an access list"] += bool(asked.access_list)
                count["different, and doubted"] += not same
    assert min(count["went through"], count["failed"], count["could not start"], count["with an access list"]) > 5
    for name, number in count.items():
        record_property(f"random calls of the devnet, pyrevm and anvil: {name}", number)


async def test_bundles_agree_but_for_the_gas_that_is_doubted(world: World, record_property: Any) -> None:
    calls = Calls(world.net, world.block, seed=11)
    decided = Decided(InProcess(world.evm), world.node)
    compared = 0
    for _ in range(RANDOM_CALLS // 10):
        bundle = [replace(calls.one(), access_list=()) for _ in range(3)]
        if len({one.sender for one in bundle}) < 3 or not all(r.gas_used for r in world.evm.run(bundle, world.block)):
            continue  # nonces that collide, or a call that stops them all at the node
        ours = world.evm.run(bundle, world.block, doubtful=True)
        nodes = await world.node.simulate(bundle, world.block)
        if len(nodes) != 3 or not all(one.gas_used for one in nodes):
            continue
        compared += 1
        assert [one.doubts[:1] == (Doubt.WARM,) for one in ours] == [False, True, True]
        for mine, theirs in zip(ours, nodes, strict=True):
            if mine.gas_used > theirs.gas_used or (mine.success, mine.logs) != (theirs.success, theirs.logs):
                # warm slots leave more gas: only a call at the edge of its limit may come out otherwise
                assert not theirs.success
        assert await decided.simulate(bundle, world.block) == nodes
    assert compared > RANDOM_CALLS // 60
    assert decided.asked == decided.runs == compared
    record_property("bundles of three, pyrevm and anvil", compared)


# --- what it cannot know ---------------------------------------------------------------------------------------------


PROBES = (
    ("basefee", "485f5260205ff3", "cancun", Doubt.BASE_FEE),
    ("basefee as data of a push", "60485f5260205ff3", "cancun", None),
    ("blob base fee", "4a5f5260205ff3", "cancun", Doubt.BLOBS),
    ("blob base fee before it was", "4a5f5260205ff3", "shanghai", None),
    ("randomness", "445f5260205ff3", "cancun", None),
    ("difficulty", "44600052602060 00f3".replace(" ", ""), "london", Doubt.DIFFICULTY),
    ("count of leading zeros", "60011e5f5260205ff3", "osaka", Doubt.OPCODE),
    ("modexp", "5f5f5f5f60055afa5f5260205ff3", "osaka", Doubt.PRECOMPILE),
    ("modexp as it was", "5f5f5f5f60055afa5f5260205ff3", "prague", None),
    ("a precompile of Prague", "5f5f5f5f600b5afa5f5260205ff3", "prague", Doubt.PRECOMPILE),
    ("p256", "5f5f5f5f6101005afa5f5260205ff3", "osaka", Doubt.PRECOMPILE),
    ("another's code", "ef0100" + "11" * 20, "prague", Doubt.DELEGATED),
)


@pytest.mark.parametrize(("what", "code", "hardfork", "doubt"), PROBES)
async def test_doubt_is_raised(world: World, what: str, code: str, hardfork: str, doubt: Doubt | None) -> None:
    evm = ForkEvm(
        world.net.node.http_url, world.block.number - 1, chain_id=31337, gas_limit=30_000_000, hardfork=hardfork
    )
    probe = "0x" + "e1" * 20
    evm.apply({probe: AccountDiff(0, 1, bytes.fromhex(code))})
    sender = world.net.deployment.traders[0].lower()
    (result,) = evm.run([Call(sender, probe, b"", gas=200_000)], world.block, doubtful=True)
    raised = set(result.doubts) - {Doubt.FAILED}
    assert raised == ({doubt} if doubt else set()), what


async def test_floor_of_calldata_and_cap_of_gas_are_the_nodes(world: World) -> None:
    """Rules of Prague and Osaka that are put around pyrevm, against an anvil that has them."""
    sender = world.net.deployment.traders[0].lower()
    asked = [
        Call(sender, account(5).address.lower(), bytes([1, 0] * size), gas=gas, gas_price=world.block.base_fee)
        for size in (0, 1, 50, 3000)
        for gas in (21_000, 21_100, 60_000, 300_000, 2**24, 2**24 + 1)
    ]
    for hardfork in ("cancun", "prague", "osaka"):
        evm = ForkEvm(
            world.net.node.http_url, world.block.number - 1, chain_id=31337, gas_limit=30_000_000, hardfork=hardfork
        )
        forked = sandbox(world.net.node.http_url, world.block, chain_id=31337, hardfork=hardfork)
        async with forked as box:
            for one in asked:
                (ours,) = evm.run([one], world.block, doubtful=True)
                assert ours.exact
                if hardfork == "osaka" and one.gas > TX_GAS_CAP:  # its eth_simulateV1 does not hold to that one
                    assert "above" in ours.error
                    continue
                (nodes,) = await OnNode(box.rpc).simulate([one], world.block)
                assert (ours.success, ours.gas_used) == (nodes.success, nodes.gas_used), (hardfork, one)
            await box.send(replace(asked[0], gas=TX_GAS_CAP + 1))
            if hardfork == "osaka":
                with pytest.raises(NotMined):
                    await box.mine()
            else:
                assert [one.result.success for one in await box.mine()] == [True]
