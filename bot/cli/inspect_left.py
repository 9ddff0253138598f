"""What was left for us of an arbitrage that somebody took: our own search on the state before it, and in words why we
did not have it. Computed by exact quotes; ``mev replay`` executes what the search finds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.chain.pool_reader import LoadResult
from bot.cli.replay_block import MAX_HOPS, Window, recorded_pools, windows
from bot.inspection.arbitrage import Arbitrage
from bot.inspection.inspect import Find, Inspection
from bot.inspection.transfers import flow
from bot.simulation.cassette import Cassette
from bot.simulation.proof import before, prove
from bot.strategies.gas import GasPolicy

NOT_FOLLOWED = {
    "zero_ex": "a maker's order, no pool",
    "one_inch": "a maker's order, no pool",
    "maker_psm": "Maker's peg module, which no strategy uses",
    "bancor": "Bancor, which we do not follow",
    "balancer_v1": "Balancer v1, which we do not follow",
}
ETHER_WEI = 10**18
WORST = "the recorded state is not enough to know it"


@dataclass(frozen=True, slots=True)
class Left:
    """``window`` is our search's best trade through its pools in the state just before it, None where there is none;
    ``same`` whether it uses the same pools. ``since`` is the index from which that was open. ``gas`` in units, ``net``
    wei after our gas at the block's base fee and as much for the builder as was really paid. ``unknown`` are pools of
    it that we do not follow, and why."""

    window: Window | None
    same: bool
    since: int | None
    gas: int | None
    net: int | None
    unknown: dict[str, str]
    why: str


async def left(cassette: Cassette, inspection: Inspection) -> dict[int, Left]:
    """By the place of the find; arbitrages only. Raises AnvilFailed."""
    wanted = {place: find for place, find in enumerate(inspection.finds) if isinstance(find.what, Arbitrage)}
    if not wanted:
        return {}
    proof = await prove(cassette)
    if not proof.matches:
        return {}
    async with before(cassette) as state:
        loaded = await recorded_pools(cassette, proof, state)
    ours = windows(loaded.pools.values(), proof.logs, proof.diffs, cassette.context.timestamp)
    block = inspection.block
    return {place: _left(find, ours, loaded, block.base_fee, block.wrapped) for place, find in wanted.items()}


def _left(find: Find, ours: Sequence[Window], loaded: LoadResult, base_fee: int, wrapped: str) -> Left:
    assert isinstance(find.what, Arbitrage)
    index, pools = find.transactions[0].index, set(find.what.pools)
    protocols = {swap.pool: swap.protocol for swap in find.what.swaps}
    unknown = {
        pool: loaded.unknown.get(pool) or NOT_FOLLOWED.get(protocols[pool], WORST)
        for pool in find.what.pools
        if pool not in loaded.pools
    }
    open_ = [window for window in ours if window.first <= index <= window.last and pools & _pools(window)]
    best = max(open_, key=lambda window: (_pools(window) == pools, window.trade.gross_profit), default=None)
    if best is None:
        return Left(None, False, None, None, None, unknown, _missed(find.what, unknown, wrapped))
    gas = GasPolicy(wrapped).gas(best.trade.route)
    bid = find.paid.bid
    net = None if bid is None else best.trade.gross_profit - gas * base_fee - bid
    same, since = _pools(best) == pools, _since(best, ours)
    return Left(best, same, since, gas, net, unknown, _verdict(find, best, same, since, net, unknown))


def _pools(window: Window) -> set[str]:
    return {hop.pool for hop in window.trade.route}


def _since(window: Window, ours: Iterable[Window]) -> int:
    """The index from which these pools offered something without a break: each touch of one begins a window anew."""
    ends = {other.last: other.first for other in ours if _pools(other) == _pools(window)}
    first = window.first
    while first - 1 in ends:
        first = ends[first - 1]
    return first


def _missed(what: Arbitrage, unknown: dict[str, str], wrapped: str) -> str:
    if unknown:
        named = "; ".join(f"{pool[:10]}: {why}" for pool, why in unknown.items())
        return f"not found: it needs what we do not follow ({named})"
    if all(wrapped not in swap.reads(wrapped) for swap in what.swaps):
        return "not found: it does not pass through ether, and our cycles begin there"
    if len(what.swaps) > MAX_HOPS:
        return f"not found: {len(what.swaps)} swaps, and our cycles have {MAX_HOPS} at most"
    return "not found: our search sees no gain in its pools in the state before it"


def _verdict(find: Find, best: Window, same: bool, since: int, net: int | None, unknown: dict[str, str]) -> str:
    index = find.transactions[0].index
    how = "open at the block's beginning" if since == 0 else f"opened by transaction {since - 1}"
    what = f"found, {how}" if same else f"{how}, through other pools"
    if unknown:
        what += f"; of its own, not followed: {', '.join(pool[:10] for pool in unknown)}"
    if since == index and index:
        what += ", just before it: behind that transaction only"
    taxed = {hop.token_in for hop in best.trade.route} & flow(find.transactions[0], best.trade.token).keep_a_share()
    if taxed:
        return f"{what}; but {', '.join(t[:10] for t in taxed)} keeps a share of what moves: no trade of ours"
    bid, gross = find.paid.bid, best.trade.gross_profit
    if bid is None or net is None:
        return f"{what}; what they paid is not known"
    share = f"they paid {100 * bid / find.worth:.0f} % to the builder" if find.worth else "they paid the builder"
    if net > 0:
        return f"{what}; {share}: at that bid {net / ETHER_WEI:.6f} ETH would be left to us"
    if gross <= (find.paid.burnt or 0):
        return f"{what}; less than its gas would cost us"
    return f"{what}; outbid: {share}, and after our gas so much is not left to bid"
