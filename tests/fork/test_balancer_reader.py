"""The reader of Balancer pools against every version of the pools' bytecode."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from balancer_evm import VERSIONS, BalancerWorld
from balancer_pools import make, refill, step
from evm_node import EvmReader
from venue_chain import created

from bot import abi
from bot.amm.balancer.stable import StablePool
from bot.chain.readers import balancer
from bot.chain.readers.balancer import Balancer
from bot.chain.state_reader import StateReader
from bot.devnet.place import calldata
from bot.devnet.protocols.balancer import FACTORY
from bot.devnet.state import devnet_node, ensure_state
from bot.devnet.tokens import TOKENS
from bot.paths import data_dir

READER = Balancer()
USDC = TOKENS["USDC"].address
QUERY = "queryBatchSwap(uint8,(bytes32,uint256,uint256,uint256,bytes)[],address[],(address,bool,address,bool))"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> BalancerWorld:
    """Whose Vault is the one that the reader trusts."""
    made = BalancerWorld()
    monkeypatch.setattr(balancer, "VAULT", made.vault)
    return made


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_version_is_recognised_and_read(version: str, world: BalancerWorld) -> None:
    for seed in range(3):
        dice = random.Random(f"{version} {seed}")
        made = make(world, dice, version)
        step(world, dice, made)
        pool = made.pool = refill(world, dice, made)
        node = EvmReader(world.evm, world.time)
        (info,) = await READER.identify(node, [pool.tokens[0], pool.contract, world.vault])
        assert (info.id, info.tokens) == (pool.id, pool.tokens)
        loaded = await READER.load(node, [info], None)
        expected = pool
        if isinstance(pool, StablePool):  # a pool without a provider for a token says nothing of it
            assert [rate.at(world.time) for rate in loaded.pools[info.id].rates] == [
                rate.at(world.time) for rate in pool.rates
            ]
            expected = replace(pool, rates=loaded.pools[info.id].rates)
        assert loaded.pools == {pool.id: expected} and not loaded.unknown


async def test_what_is_not_recorded_is_unknown(world: BalancerWorld) -> None:
    for version in ("weighted-v1", "composable-v3"):
        dice = random.Random(version)
        made = make(world, dice, version)
        pool = refill(world, dice, made)
        (info,) = await READER.identify(EvmReader(world.evm, world.time), [pool.contract])
        for contract, slots in pool.slots().items():
            for slot in slots:
                hidden = EvmReader(world.evm, world.time, [(contract, slot)])
                loaded = await READER.load(hidden, [info], None)
                assert not loaded.pools and "not recorded" in loaded.unknown[pool.id]


async def test_a_contract_that_only_answers_alike_is_no_pool(world: BalancerWorld) -> None:
    """Another's answers, from an address that the Vault does not know: its storage tells another fee, too."""
    made = make(world, random.Random(1), "weighted-v1")
    copy = "0x" + "c0" * 20
    world.copy(made.pool.contract, copy)
    node = EvmReader(world.evm, world.time)
    (answer,) = await node.calls([(copy, abi.call("getPoolId()"))])
    assert answer == abi.to_bytes(made.pool.id)
    assert not await READER.identify(node, [copy])


async def test_a_paused_pool_is_left_out(world: BalancerWorld) -> None:
    made = make(world, random.Random(2), "weighted-v1")
    pool = refill(world, random.Random(2), made)
    (info,) = await READER.identify(EvmReader(world.evm, world.time), [pool.contract])
    answers = EvmReader(world.evm, world.time)
    real = answers.batch

    async def paused(calls: object) -> object:
        replies = await real(calls)  # type: ignore[arg-type]
        ask = abi.to_hex(abi.call("getPausedState()"))
        pairs = zip(calls, replies, strict=True)  # type: ignore[call-overload]
        return [
            abi.to_hex(abi.encode(1) * 3) if call[1][0] == {"to": pool.contract, "data": ask} else reply
            for call, reply in pairs
        ]

    answers.batch = paused  # type: ignore[method-assign, assignment]
    loaded = await READER.load(answers, [info], None)
    assert "paused" in loaded.unknown[pool.id]


async def test_a_devnets_pool_is_read_and_quotes_like_the_vault() -> None:
    state, deployment = await ensure_state(data_dir())
    async with devnet_node(state, deployment) as node:
        reader = StateReader(node.rpc, deployment.head_number)
        address = created(FACTORY, 1)
        infos = await READER.identify(reader, [FACTORY, address])
        loaded = await READER.load(reader, infos, None)
        assert [pool_id[:42] for pool_id in loaded.pools] == [address]
        (pool,) = loaded.pools.values()
        for i, j in ((0, 1), (1, 2), (2, 0)):
            amount = 10 ** (6 if pool.tokens[i] == USDC else 18) * 777 + 1
            step = (abi.to_bytes(pool.id), 0, 1, amount, b"")
            funds = (FACTORY, False, FACTORY, False)
            query = calldata(QUERY, 0, [step], [pool.tokens[i], pool.tokens[j]], funds)
            (answer,) = await reader.calls([(pool.keeper, query)])
            assert answer is not None and pool.quote_in(i, j, amount) == -abi.sint(answer, 3)
