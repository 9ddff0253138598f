"""The bot put together: the same parts for demo, paper and live. Only what is passed in differs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from bot import abi
from bot.chain.heads import HeadCollector
from bot.chain.mempool import MempoolCollector
from bot.chain.mev_share import MevShareCollector
from bot.chain.nodes.pool import NodePool
from bot.chain.pools import load_from
from bot.chain.snapshot import Snapshot
from bot.chain.state_reader import StateReader
from bot.chain.swap_calls import subject
from bot.cli.beside import Beside
from bot.cli.market_source import read_node
from bot.cli.profile import Profile
from bot.cli.signals import Signals
from bot.engine.clock import Clock
from bot.engine.decode import header
from bot.engine.loop import Engine
from bot.engine.types import Event, Header, NewHead, StateDiff
from bot.errors import UserError
from bot.execution.accounts import Operators
from bot.execution.bid import BidPolicy
from bot.execution.book import Book
from bot.execution.capital import Offer
from bot.execution.pipeline import BundleExecutor
from bot.execution.prove import Prover
from bot.execution.relay import Relay
from bot.execution.steps import Lender
from bot.jsonrpc import JsonRpc, RpcUnreachable
from bot.ledger.ledger import Ledger
from bot.market.market import Market
from bot.risk.limits import RiskGate
from bot.simulation.fork import HeadFork
from bot.strategies.gas import GasPolicy
from bot.strategies.registry import quick

_ATOKEN = 8
"""The word of Aave's DataTypes.ReserveDataLegacy that names it."""

logger = structlog.get_logger(__name__)


class MarketFollower:
    """Keeps the market at the head: by logs, and pools that move without them by reading them anew."""

    def __init__(self, market: Market, node: JsonRpc, taken: Snapshot) -> None:
        self._market, self._node, self._reach, self._block_time = market, node, taken.reach, taken.block_time
        self._infos = {info.id: info for info in taken.infos}

    async def adapt(self, event: Event) -> Event | None:
        if isinstance(event, NewHead):
            self._market.follow(event.header, event.logs, event.diff)
            await self._read_anew(event.header)
        return event

    async def _read_anew(self, head: Header) -> None:
        silent = [self._infos[pool_id] for pool_id in self._market.silent if pool_id in self._infos]
        if not silent:
            return
        reader = StateReader.before_next(self._node, head, self._block_time)
        try:
            loaded = await load_from(reader, silent, reach=self._reach)
        except RpcUnreachable as error:
            logger.warning("silent pools not read: left out until the next head", error=str(error))
            return
        self._market.add(loaded.pools.values())


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot that is ready: ``engine.run()`` runs it."""

    engine: Engine
    executor: BundleExecutor
    prover: Prover
    market: Market
    fork: HeadFork
    mempool: MempoolCollector
    signals: Signals


async def assemble(
    profile: Profile,
    *,
    state_url: str,
    nodes: NodePool,
    contract: str,
    ledger: Ledger,
    run: int,
    relays: Sequence[Relay],
    operators: Operators | None,
    clock: Clock,
    rng: random.Random,
    book: Book = Book.EMPTY,
    overrides: StateDiff | None = None,
    known: Snapshot | None = None,
) -> Bot:
    """Reads the market at the nodes' head, of ``known`` pools only where they are given, and wires the bot to follow it
    from there. ``state_url`` is where revm reads
    state (bot.chain.nodes.upstream), ``contract`` the executor, ``book`` what lies behind its code, ``overrides`` state
    assumed on every head. Raises RpcUnreachable, and UserError where there is no market."""
    taken = await _taken(profile, nodes, known)
    market, head = taken.market(profile.bot.max_hops), taken.head
    for address, why in {**taken.unknown, **market.unknown}.items():
        logger.warning("pool left out", pool=address, why=why)
    gas = GasPolicy(profile.weth)
    found = quick(market, gas)
    signals = Signals(profile, market, gas, ledger, found)
    fork = HeadFork(
        state_url,
        head,
        chain_id=profile.chain_id,
        block_time=profile.block_time,
        overrides=overrides,
        warm=sorted({account for pool in taken.pools for account in (pool.contract, pool.keeper) if account}),
        lacking=market.lacking,
        wanted=lambda log: market.graph.slot_of(log) is not None,
        subject=subject,
        watched=signals.watched,
    )
    prover = Prover(fork, nodes, overrides)
    executor = BundleExecutor(
        contract=contract,
        weth=profile.weth,
        fork=fork,
        prover=prover,
        node=nodes,
        ledger=ledger,
        risk=RiskGate(profile.limits(), ledger, clock),
        bids=BidPolicy(profile.bot.bid_share_bps, profile.bot.min_profit_wei),
        relays=relays,
        operators=operators,
        chain_id=profile.chain_id,
        run=run,
        clock=clock,
        book=book,
        offers=await _offers(profile, nodes, head.number),
    )
    own = operators.addresses if operators else frozenset()
    heads = HeadCollector(nodes, clock, head, profile.block_time)
    mempool = MempoolCollector(nodes.streams, nodes, clock, own, fork)
    hints = [MevShareCollector(profile.mev_share.reveal(), clock)] if profile.mev_share else []
    engine = Engine(
        collectors=[heads, mempool, *hints],
        adapters=[executor, mempool, MarketFollower(market, nodes, taken), *signals.adapters, fork],
        strategies=[*found, *signals.strategies],
        background=[Beside(market, gas, profile.block_time)],
        executor=executor,
        clock=clock,
        rng=rng,
        listener=signals.hear,
    )
    return Bot(engine, executor, prover, market, fork, mempool, signals)


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


async def _taken(profile: Profile, node: JsonRpc, known: Snapshot | None) -> Snapshot:
    """The market at the node's head."""
    if known is None:
        return await read_node(profile, node, checked=True)
    if (known.chain_id, known.weth) != (profile.chain_id, profile.weth):
        raise UserError(f"the market file is of chain {known.chain_id}, profile {profile.name} of {profile.chain_id}")
    head = header(await node.call("eth_getBlockByNumber", "latest", False))
    reader = StateReader.before_next(node, head, profile.block_time)
    loaded = await load_from(reader, known.infos, reach=known.reach)
    return replace(known, head=head, pools=tuple(loaded.pools.values()), unknown=loaded.unknown)
