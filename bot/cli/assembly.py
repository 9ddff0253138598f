"""The bot put together: the same parts for demo, paper and live. Only what is passed in differs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from bot import abi
from bot.chain.heads import HeadCollector
from bot.chain.mempool import MempoolCollector
from bot.chain.pools import from_factories, load
from bot.chain.state_reader import StateReader
from bot.cli.profile import Profile
from bot.engine.clock import Clock
from bot.engine.decode import header
from bot.engine.loop import Engine
from bot.engine.types import Event, NewHead, StateDiff
from bot.errors import UserError
from bot.execution.accounts import Operators
from bot.execution.bid import BidPolicy
from bot.execution.book import Book
from bot.execution.capital import Offer
from bot.execution.pipeline import BundleExecutor
from bot.execution.prove import Prover
from bot.execution.relay import Relay
from bot.execution.steps import Lender
from bot.jsonrpc import JsonRpc
from bot.ledger.ledger import Ledger
from bot.market.market import Market
from bot.risk.limits import RiskGate
from bot.simulation.fork import HeadFork
from bot.strategies.gas import GasPolicy
from bot.strategies.registry import strategies

_ATOKEN = 8
"""The word of Aave's DataTypes.ReserveDataLegacy that names it."""

logger = structlog.get_logger(__name__)


class MarketFollower:
    """Keeps the market at the head."""

    def __init__(self, market: Market) -> None:
        self._market = market

    async def adapt(self, event: Event) -> Event | None:
        if isinstance(event, NewHead):
            self._market.follow(event.header, event.logs, event.diff)
        return event


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot that is ready: ``engine.run()`` runs it."""

    engine: Engine
    executor: BundleExecutor
    prover: Prover
    market: Market
    fork: HeadFork


async def assemble(
    profile: Profile,
    *,
    state_url: str,
    ws: str,
    node: JsonRpc,
    contract: str,
    ledger: Ledger,
    run: int,
    relays: Sequence[Relay],
    operators: Operators | None,
    clock: Clock,
    rng: random.Random,
    book: Book = Book.EMPTY,
    overrides: StateDiff | None = None,
) -> Bot:
    """Reads the market at the node's head and wires the bot to follow it from there. ``state_url`` is where revm reads
    state (bot.simulation.upstream), ``contract`` the executor, ``book`` what lies behind its code, ``overrides`` state
    assumed on every head. Raises RpcUnreachable, and UserError where there is no market."""
    head = header(await node.call("eth_getBlockByNumber", "latest", False))
    market = await _market(profile, node, head.number)
    market.anchor(head)
    fork = HeadFork(
        state_url,
        head,
        chain_id=profile.chain_id,
        block_time=profile.block_time,
        overrides=overrides,
        warm=sorted(market.pools()),
    )
    prover = Prover(fork, node, overrides)
    executor = BundleExecutor(
        contract=contract,
        weth=profile.weth,
        fork=fork,
        prover=prover,
        node=node,
        ledger=ledger,
        risk=RiskGate(profile.limits(), ledger, clock),
        bids=BidPolicy(profile.bot.bid_share_bps, profile.bot.min_profit_wei),
        relays=relays,
        operators=operators,
        chain_id=profile.chain_id,
        run=run,
        clock=clock,
        book=book,
        offers=await _offers(profile, node, head.number),
    )
    own = operators.addresses if operators else frozenset()
    engine = Engine(
        collectors=[HeadCollector(ws, node, clock, head), MempoolCollector(ws, node, clock, own)],
        adapters=[executor, MarketFollower(market), fork],
        strategies=strategies(market, GasPolicy(profile.weth)),
        executor=executor,
        clock=clock,
        rng=rng,
    )
    return Bot(engine, executor, prover, market, fork)


async def _offers(profile: Profile, node: JsonRpc, block: int) -> list[Offer]:
    """The profile's lenders of WETH with what they hold. One that has less by the time of a trade fails its proof."""
    named = [(lender, address) for lender, address in profile.lenders.by_kind().items() if address]
    reader = StateReader(node, block)
    held = await reader.calls((profile.weth, abi.call("balanceOf(address)", address)) for _, address in named)
    pools = [(address, abi.call("FLASHLOAN_PREMIUM_TOTAL()")) for lender, address in named if lender is Lender.AAVE_V3]
    premiums = [abi.uint(answer) for answer in await reader.calls(pools) if answer]
    offers = []
    for (lender, address), answer in zip(named, held, strict=True):
        if lender is Lender.AAVE_V3:  # WETH lies with its aToken, and what it takes is its own to say
            reserve = await reader.calls([(address, abi.call("getReserveData(address)", profile.weth))])
            if not premiums or reserve[0] is None:
                continue
            atoken = abi.address(reserve[0], _ATOKEN)
            (answer,) = await reader.calls([(profile.weth, abi.call("balanceOf(address)", atoken))])
        if answer is not None and abi.uint(answer):
            offers.append(Offer(lender, address, abi.uint(answer), premiums[0] if lender is Lender.AAVE_V3 else 0))
    return offers


async def _market(profile: Profile, node: JsonRpc, block: int) -> Market:
    infos = await from_factories(
        node,
        profile.v2_fees(),
        profile.v3_tiers(),
        [token.address for token in profile.tokens],
        block,
    )
    loaded = await load(node, infos, block)
    for address, why in loaded.unknown.items():
        logger.warning("pool left out", pool=address, why=why)
    if not loaded.pools:
        raise UserError(
            f"no pool found between the {len(profile.tokens)} tokens of profile {profile.name}: "
            "check its tokens and factories against the chain that the node is on"
        )
    market = Market(profile.base_tokens, profile.bot.max_hops)
    market.add(loaded.pools.values())
    return market
