"""One recorded block replayed: proven, searched at every index, and each find executed on the state it was found in."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from bot.amm.pool import Pool
from bot.chain import v4_keys
from bot.chain.pool_reader import LoadResult, PoolInfo
from bot.chain.pools import identify, load_from
from bot.chain.state_reader import StateReader
from bot.chain.v2_fees import likely_fee
from bot.cli.replay_executor import FRESH, Bench, Rejected, rules
from bot.engine.types import Log, StateDiff, Trade
from bot.errors import UserError
from bot.execution.program import MAINNET_WETH
from bot.market.market import Market
from bot.market.refine import quote
from bot.market.search import search
from bot.market.view import Legs
from bot.simulation.anvil import AnvilFailed
from bot.simulation.cassette import Cassette
from bot.simulation.proof import Before, Proof, before, prove, replayed
from bot.simulation.types import UnrecordedState

MAX_HOPS = 4
UNKNOWN_RULES = "Unknown hardfork"  # in anvil's words
SMALLEST = 1_000  # of a trade that needs unrecorded state, the part that is tried first


@dataclass(frozen=True, slots=True)
class Window:
    """The best trade of a cycle, and the first and last index k at which the state after k transactions offers it, with
    its pools as they are there."""

    trade: Trade
    first: int
    last: int
    legs: Legs = field(repr=False)


@dataclass(frozen=True, slots=True)
class Find:
    """An opportunity executed at ``index``. Wei of WETH and units of gas."""

    index: int
    window: Window
    gas: int
    realised: int

    @property
    def strategy(self) -> str:
        """What takes it: at the head, or behind the transaction that opened it."""
        return "backrun" if self.window.first else "arbitrage"


@dataclass(frozen=True, slots=True)
class Failure:
    """A trade that was found and did not do when executed what was computed: it is no opportunity."""

    index: int
    trade: Trade
    reason: str


@dataclass(slots=True)
class Report:
    """What came of a block. ``executor_rules`` is the hardfork that our executor ran under."""

    block: int
    transactions: int
    hardfork: str
    executor_rules: str
    matches: bool
    pools: int = 0
    unknown_pools: dict[str, str] = field(default_factory=dict)
    finds: list[Find] = field(default_factory=list)
    rejected: list[Failure] = field(default_factory=list)
    unknown: list[Failure] = field(default_factory=list)
    seconds: float = 0.0


async def replay(cassette: Cassette) -> Report:
    """Raises AnvilFailed, and UserError for rules that nobody here knows or where the executor is not built."""
    began = time.monotonic()
    try:
        proof = await prove(cassette)
    except AnvilFailed as failed:
        if UNKNOWN_RULES not in str(failed):
            raise
        raise UserError(
            f"{cassette.path}: its hardfork is {cassette.hardfork!r}, which our anvil does not know: "
            "take a block from london to osaka"
        ) from None
    report = Report(cassette.number, len(cassette.raw_transactions), cassette.hardfork, rules(cassette), proof.matches)
    if proof.matches:
        await _search(cassette, proof, report)
    report.seconds = time.monotonic() - began
    return report


async def _search(cassette: Cassette, proof: Proof, report: Report) -> None:
    async with before(cassette, hardfork=report.executor_rules, fresh=FRESH) as state:
        loaded = await recorded_pools(cassette, proof, state)
        report.pools = len(loaded.pools)
        report.unknown_pools = loaded.unknown
        found = windows(loaded.pools.values(), proof.logs, proof.diffs, cassette.context.timestamp)
        if found:
            await _execute(found, Bench(cassette, state.url, state.node), proof, report)


async def recorded_pools(cassette: Cassette, proof: Proof, state: Before) -> LoadResult:
    """All pools of a recorded block, as they are before its first transaction."""
    contracts = (a for a, account in cassette.accounts.items() if cassette.code(account) not in ("0x", None))
    infos = [*await identify(state.node, contracts, cassette.number - 1), *await _new_pools(cassette, proof)]
    calls = zip(cassette.calls, proof.logs, strict=True)
    v4_infos, nameless = v4_keys.from_transactions(v4_keys.Mined(call.to, call.data, logs) for call, logs in calls)
    unknown = dict.fromkeys(nameless, "key: nothing tells it")
    known = list(_trusted([*infos, *v4_infos], proof.logs, unknown))
    loaded = await load_from(_BlockReader(cassette, state), known, reach=None)
    return LoadResult(loaded.pools, unknown | loaded.unknown)


class _BlockReader(StateReader):
    """The state before a recorded block: storage and code as recorded; what contracts answer, from the node, as of the
    block's own time, by which rates grow."""

    def __init__(self, cassette: Cassette, state: Before) -> None:
        super().__init__(state.recorded, cassette.number - 1)
        self._asked = StateReader(state.node, cassette.number - 1, (cassette.number, cassette.context.timestamp))

    async def calls(self, calls: Iterable[tuple[str, bytes]]) -> list[bytes | None]:
        return await self._asked.calls(calls)


async def _new_pools(cassette: Cassette, proof: Proof) -> list[PoolInfo]:
    """Those that the block deployed: asked what they are in the state after it, empty in the state before it."""
    born = sorted({log.address for logs in proof.logs for log in logs} & proof.created)
    if not born:
        return []
    async with replayed(cassette) as (rpc, _):
        return await identify(rpc, born, cassette.number)


def _trusted(infos: Iterable[PoolInfo], logs: Sequence[Sequence[Log]], unknown: dict[str, str]) -> Iterator[PoolInfo]:
    """With the fee that a pair's own swaps tell, where nobody knows it; without those that speak against the usual one
    and tell no other."""
    for info in infos:
        if info.fee_assumed:
            own = [log for per_transaction in logs for log in per_transaction if log.address == info.id]
            fee = likely_fee(info.fee, own)
            if fee is None:
                unknown[info.id] = "fee: its swaps do not pay 0.3 %, and nothing tells what they pay"
                continue
            info = replace(info, fee=fee)
        yield info


def windows(
    pools: Iterable[Pool], logs: Sequence[Sequence[Log]], diffs: Sequence[StateDiff], timestamp: int
) -> list[Window]:
    """Every cycle from WETH that gains anything before gas (what gas costs is for the reader to weigh: others paid less
    than we would, or were paid otherwise), with the indices at which it is open.

    A window ends where a transaction touches one of the cycle's pools; what is left of it begins another one.
    """
    market = Market((MAINNET_WETH,), MAX_HOPS)
    market.add(pool.at(timestamp) for pool in pools)
    open_: dict[tuple[str, ...], Window] = {}
    closed: list[Window] = []
    for index in range(len(logs) + 1):
        touched = market.apply(logs[index - 1], diffs[index - 1], timestamp) if index else market.apply(())
        for key in [key for key in open_ if not touched.isdisjoint(key)]:
            closed.append(replace(open_.pop(key), last=index - 1))
        for trade in search(market.view, touched):
            legs = market.view.legs(market.graph.cycle(trade.route))
            assert legs is not None, "it was sized in this view"
            open_[tuple(hop.pool for hop in trade.route)] = Window(trade, index, len(logs), legs)
    return [*closed, *open_.values()]


async def _execute(found: Iterable[Window], bench: Bench, proof: Proof, report: Report) -> None:
    """Executes each window's trade where it opens, and again where it is open for the last time: that is where the
    transaction which took it stood."""
    tries = {(index, window.trade): window for window in found for index in (window.first, window.last)}
    last = len(proof.diffs)
    for (index, trade), window in sorted(tries.items(), key=lambda item: (item[0][0], -item[0][1].gross_profit)):
        if index == last != window.first:
            continue  # still open when the block ends: nobody took it
        while bench.index < index:
            bench.advance(proof.diffs[bench.index])
        try:
            report.finds.append(Find(index, window, *await bench.execute(trade)))
        except Rejected as rejected:
            report.rejected.append(Failure(index, trade, str(rejected)))
        except UnrecordedState as missing:
            smaller = await _smaller(bench, window, index)
            if smaller is None:
                report.unknown.append(Failure(index, trade, str(missing)))
            else:
                report.finds.append(smaller)


async def _smaller(bench: Bench, window: Window, index: int) -> Find | None:
    """The largest trade of the window's cycle that the recorded state is enough for: the best one may go on to ticks
    that nobody reached, while the one that was taken did not. None where not even a very small trade can be made."""
    legs = window.legs
    least, most = window.trade.amounts[0] // SMALLEST, window.trade.amounts[0]
    best: Trade | None = None
    amount = least
    try:
        while amount and least < most:
            amounts = quote(legs, amount)
            trade = None if amounts is None else Trade(window.trade.route, amounts)
            if trade is not None and trade.gross_profit > 0 and bench.recorded(trade):
                best, least = trade, amount + 1
            elif best is None:
                return None
            else:
                most = amount
            amount = (least + most) // 2
        return None if best is None else Find(index, replace(window, trade=best), *await bench.execute(best))
    except (Rejected, UnrecordedState):
        return None
