"""Baskets over many pools at once, of every kind and between the devnet's own pools after its order flow: the executor
gains to the wei what was computed, and no less than by cycles one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace

import pytest
from mixed_world import WETH, MixedWorld, mixed_world
from recorded import needs_recordings
from test_mixed_programs import VERIFY, execute, offers
from venue_chain import DUST, EXECUTOR, created

from bot.chain.discovery import Factories, from_tokens
from bot.chain.pools import identify, load
from bot.chain.readers.uniswap_v4 import PoolKey, from_keys
from bot.cli import profile as profiles
from bot.cli.deployment import OWNER, deploy_executor
from bot.devnet.network import Devnet
from bot.devnet.protocols import balancer, uniswap_v4
from bot.devnet.tokens import TOKENS
from bot.engine.decode import header
from bot.engine.fees import next_base_fee
from bot.engine.types import Basket, Header, NewHead
from bot.execution import keys
from bot.execution.bid import bid_of
from bot.execution.book import Book
from bot.execution.capital import fundings
from bot.execution.executor import explain
from bot.execution.loans import LoanSource
from bot.execution.profit import gained
from bot.execution.program import Capital, encode, plan
from bot.execution.steps import Lender
from bot.market.market import Market
from bot.market.routing.programs import Program
from bot.market.search import search
from bot.paths import data_dir, repo_root
from bot.simulation.fork import HeadFork
from bot.simulation.types import Call
from bot.strategies.gas import GasPolicy
from bot.strategies.joint import Joint

SHARE = 4_321
SLOTS = 4
HEAD = Header(1, "0x1", "0x0", 0, 10**9, 30_000_000, 15_000_000, "0x" + "00" * 20)


def greedy(market: Market, gas: GasPolicy, base_fee: int) -> int:
    """What single cycles that share no pool leave after their gas, best first."""
    used: set[str] = set()
    left = 0
    worth = [
        (trade.gross_profit - gas.gas(trade.route) * base_fee, trade)
        for trade in search(market.view)
        if trade.token == gas.wrapped
    ]
    for net, trade in sorted(worth, key=lambda pair: -pair[0]):
        own = {hop.pool for hop in trade.route}
        if net > 0 and used.isdisjoint(own):
            used |= own
            left += net
    return left


def net(programs: Sequence[Program]) -> float:
    return sum(sum(program.profit.values()) - program.cost for program in programs)


# --- every kind of pool ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mixed() -> Iterator[MixedWorld]:
    with mixed_world() as made:
        yield made


@needs_recordings
@pytest.mark.parametrize("base_fee", [0, 10**9, 30 * 10**9] if VERIFY else [10**9])
def test_every_kind_of_pool(mixed: MixedWorld, base_fee: int) -> None:
    """On own money and from every lender that is not locked."""
    market = Market([WETH], 3)
    market.add(mixed.pools)
    joint = Joint(market, GasPolicy(WETH))
    head = replace(HEAD, base_fee=base_fee)
    found = joint.process(NewHead(head, (), {}, (), 0))
    assert found
    assert net(joint.programs(market.view, base_fee)) >= greedy(market, GasPolicy(WETH), base_fee)
    kinds: set[str] = set()
    for basket in (one.trade for one in found):
        assert isinstance(basket, Basket)
        kinds |= {hop.kind for hop in basket.route}
        for funding in fundings(basket, own=basket.needed, offers=offers(mixed, WETH)):
            if basket.gross_profit <= funding.fee:
                continue
            left = basket.gross_profit - funding.fee
            own = funding.capital is Capital.OWN
            mixed.chain.give(WETH, EXECUTOR, DUST + (basket.needed if own else 0))
            planned = plan(basket, funding.capital, lender=funding.lender, weth=WETH)
            execute(mixed, basket, planned, left)
        mixed.chain.give(WETH, EXECUTOR, DUST)
    assert kinds >= ({"v2", "v3", "curve"} if base_fee <= 10**9 else {"v3", "curve"}), "dear gas leaves the best"


# --- the devnet after its order flow ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    net: Devnet
    contract: str
    fork: HeadFork
    head: Header
    market: Market


@pytest.fixture
async def world() -> AsyncIterator[World]:
    profile = profiles.load(repo_root() / "forks" / "devnet.toml")
    async with Devnet(data_dir(), seed=11) as net:
        contract = await deploy_executor(net, Book.EMPTY, [])
        for _ in range(SLOTS):
            await net.send_flow()
            await net.build_block()
        head = header(await net.node.rpc.call("eth_getBlockByNumber", "latest", False))
        tokens = [token.address for token in profile.tokens]
        factories = Factories(profile.v2_fees(), profile.v3_tiers())
        infos = await from_tokens(net.node.rpc, factories, tokens, head.number)
        infos += await identify(net.node.rpc, [created(balancer.FACTORY, 1)], head.number)
        infos += from_keys(uniswap_v4.MANAGER, (key(*pair[:2]) for pair in uniswap_v4.POOLS))
        market = Market(profile.base_tokens, 3)
        market.add((await load(net.node.rpc, infos, head.number)).pools.values())
        market.anchor(head)
        fork = HeadFork(net.node.http_url, head, chain_id=net.deployment.chain_id, block_time=profile.block_time)
        yield World(net, contract, fork, head, market)


def key(symbol0: str, symbol1: str) -> PoolKey:
    tokens = TOKENS[symbol0].address, TOKENS[symbol1].address
    return PoolKey(*tokens, uniswap_v4.FEE, uniswap_v4.SPACING, uniswap_v4.NO_HOOKS)


async def test_the_devnets_flow(world: World) -> None:
    """Each basket alone, with a bid, and all of them in one block, since they share no pool."""
    owner, morpho = keys.load(OWNER), world.net.deployment.morpho
    assert owner is not None
    gas, base_fee = GasPolicy(WETH), next_base_fee(world.head)
    joint = Joint(world.market, gas)
    assert net(joint.programs(world.market.view, base_fee)) >= greedy(world.market, gas, base_fee)
    baskets = [one.trade for one in joint.process(NewHead(world.head, (), {}, (), 0))]
    assert baskets
    calls = []
    for basket in baskets:
        assert isinstance(basket, Basket)
        planned = plan(basket, Capital.LOAN, lender=LoanSource(Lender.MORPHO, morpho), weth=WETH)
        left = basket.gross_profit - bid_of(basket.gross_profit, SHARE)
        program = encode(planned, token=WETH, bid_bps=SHARE, min_profit=left, weth=WETH)
        calls.append(Call(owner.address, world.contract, program, gas=3_000_000, gas_price=base_fee))
        (result,) = world.fork.run(calls[-1:])
        assert result.success, explain(result.output)
        assert gained(result.logs, WETH, world.contract) == left
    for basket, result in zip(baskets, world.fork.run(calls), strict=True):
        assert result.success, explain(result.output)
        assert gained(result.logs, WETH, world.contract) == basket.gross_profit - bid_of(basket.gross_profit, SHARE)
