"""Cycles that order flow leaves open between the devnet's pools, by every way that needs no capital, and by its
lenders: the executor gains to the wei what was computed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from bot.chain.discovery import Factories, from_tokens
from bot.chain.pools import load
from bot.cli import profile as profiles
from bot.cli.deployment import OWNER, book_of, deploy_executor
from bot.devnet.network import Devnet
from bot.engine.decode import header
from bot.engine.types import Header, NewHead, Trade
from bot.execution import keys
from bot.execution.bid import bid_of
from bot.execution.book import Book
from bot.execution.executor import explain
from bot.execution.profit import gained
from bot.execution.program import Capital, LoanSource, Plan, encode, plan
from bot.execution.steps import Form, Lender, Route
from bot.market.market import Market
from bot.paths import data_dir, repo_root
from bot.simulation.node import simulate
from bot.simulation.types import BlockContext, Call
from bot.strategies.arbitrage import Arbitrage
from bot.strategies.gas import GasPolicy

SLOTS, TRADES, SHARE = 4, 60, 4_321
AAVE_BPS = 5


@dataclass(frozen=True)
class World:
    net: Devnet
    contract: str
    book: Book
    head: Header
    trades: list[Trade]

    async def gain(self, planned: Plan, book: Book, bid_bps: int) -> int:
        """What the executor has more of WETH, in a block on the head."""
        weth, owner = self.net.deployment.weth, keys.load(OWNER)
        assert owner is not None
        program = encode(planned, token=weth, weth=weth, bid_bps=bid_bps, book=book, deadline=self.head.number + 1)
        head = self.head
        block = BlockContext(head.number + 1, head.timestamp + 12, head.base_fee, head.coinbase, head.gas_limit)
        call = Call(owner.address, self.contract, program, gas=3_000_000, gas_price=2 * head.base_fee)
        (result,) = await simulate(self.net.node.rpc, [call], block)
        assert result.success, explain(result.output)
        return gained(result.logs, weth, self.contract)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    profile = profiles.load(repo_root() / "forks" / "devnet.toml")
    async with Devnet(data_dir(), seed=11) as net:
        book = book_of(net.deployment)
        contract = await deploy_executor(net, book, [])
        for _ in range(SLOTS):
            await net.send_flow()
            await net.build_block()
        head = header(await net.node.rpc.call("eth_getBlockByNumber", "latest", False))
        tokens = [token.address for token in profile.tokens]
        infos = await from_tokens(net.node.rpc, Factories(profile.v2_fees(), profile.v3_tiers()), tokens, head.number)
        market = Market(profile.base_tokens, 3)
        market.add((await load(net.node.rpc, infos, head.number)).pools.values())
        market.anchor(head)
        free = GasPolicy(profile.weth, base=0, per_hop={"v2": 0, "v3": 0})
        found = Arbitrage(market, free).process(NewHead(head, (), {}, (), 0))
        trades = [opportunity.trade for opportunity in found]
        assert len(trades) > TRADES
        yield World(net, contract, book, head, random.Random(5).sample(trades, TRADES))


async def test_realised_is_predicted(world: World) -> None:
    weth, forms = world.net.deployment.weth, Counter[Form | None]()
    for trade in world.trades:
        for anchor in (None, *range(len(trade.route))):
            for book in (world.book, Book.EMPTY):
                planned = plan(trade, Capital.NESTED, anchor=anchor, weth=weth, book=book)
                forms[planned.form if isinstance(planned, Route) else None] += 1
                left = trade.gross_profit - bid_of(trade.gross_profit, SHARE)
                assert await world.gain(planned, book, SHARE) == left
    assert {Form.LAST, Form.FIRST, Form.LOAN, None} <= set(forms)


async def test_lenders(world: World) -> None:
    deployment = world.net.deployment
    weth, routes = deployment.weth, 0
    lenders = {
        Lender.MORPHO: deployment.morpho,
        Lender.BALANCER_V2: deployment.balancer_vault,
        Lender.AAVE_V3: deployment.aave_pool,
        Lender.V4: deployment.v4_manager,
    }
    for trade in world.trades:
        for lender, address in lenders.items():
            fee = (trade.amounts[0] * AAVE_BPS + 5_000) // 10_000 if lender is Lender.AAVE_V3 else 0
            if trade.gross_profit <= fee:
                continue
            for book in (world.book, Book.EMPTY):
                source = LoanSource(lender, address, fee)
                planned = plan(trade, Capital.LOAN, lender=source, weth=weth, book=book)
                routes += isinstance(planned, Route)
                assert await world.gain(planned, book, 0) == trade.gross_profit - fee, (lender, trade)
    assert routes
