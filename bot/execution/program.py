"""From a trade to the executor's program.

A v3 pool pays its output before it asks, in its callback, for the input; a v2 pair can do so too. So a cycle needs no
capital: one hop, the anchor, goes first; in its callback the hops behind it bring home the end of the cycle, then the
hops before it are fed from that and pay the anchor. What is left is the profit.

Other venues pull their input from the executor and pay it: they cannot go first.

A cycle in WETH through pools of the book, of v2 pairs and at most one other pool at an end, becomes a route: fewer
bytes and less gas. Any other becomes steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum

from bot.engine.baskets import paths
from bot.engine.types import Basket, Deal, Hop, Trade
from bot.execution import venues
from bot.execution.bid import bid_of
from bot.execution.book import V2_POOLS, Book, Kind
from bot.execution.codec import MAX_V2_HOPS, MOST_IN_ROUTE, pack
from bot.execution.layouts import spent_tokens
from bot.execution.loans import LoanSource, lend
from bot.execution.steps import (
    Form,
    Lender,
    Pay,
    Recipient,
    Route,
    Step,
    Steps,
    V2Chain,
    V2Flash,
    V2Hop,
    V3Swap,
)

MAINNET_WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"

Plan = list[Step] | Route
"""What a trade does, without terms: those are for ``encode``."""


class Capital(StrEnum):
    """Where the money for the first hop comes from."""

    OWN = "own"  # the executor's balance
    NESTED = "nested"  # the cheapest hop that pays first: the last v3 one, else the last one as a v2 flash swap
    V2_FLASH = "v2_flash"  # the last v2 hop pays first
    LOAN = "loan"  # a lender


def plan(
    trade: Deal,
    capital: Capital,
    *,
    lender: LoanSource | None = None,
    anchor: int | None = None,
    weth: str = MAINNET_WETH,
    book: Book = Book.EMPTY,
) -> Plan:
    """A route where ``book`` and the trade's shape allow it, else steps of a cycle or a basket. ``anchor`` is the index
    of the hop that pays first, if the capital's own choice is not wanted. A token that is not ``weth`` is named in the
    steps: the default is right on any chain, the chain's own is cheapest.

    Raises ValueError where the trade is no cycle, or the capital does not fit it.
    """
    _check(trade)
    _check_lender(trade, capital, lender)
    if isinstance(trade, Basket):
        if capital not in (Capital.OWN, Capital.LOAN):
            raise ValueError("a basket begins with own or borrowed money")
        swaps = _swaps(trade, weth)
        return swaps if lender is None else lend(lender, trade.needed, _named(trade.token, weth), swaps)
    if capital in (Capital.NESTED, Capital.V2_FLASH) and anchor is None:
        anchor = _anchor(trade, capital)
    route = _route(trade, capital, anchor, lender, book) if book and trade.token == weth else None
    if route is not None:
        return route
    planner = _Planner(trade, weth)
    if capital is Capital.OWN:
        return planner.own()
    if lender is not None and capital is Capital.LOAN:
        return planner.loan(lender)
    assert anchor is not None
    return planner.nested(anchor)


def encode(
    planned: Plan,
    *,
    token: str,
    bid_bps: int = 0,
    min_profit: int = 0,
    deadline: int | None = None,
    weth: str = MAINNET_WETH,
    book: Book = Book.EMPTY,
) -> bytes:
    """Calldata of a trade whose profit is in ``token``: at least ``min_profit`` wei of it must be left when the
    builder has got ``bid_bps`` basis points of it; both are checked on chain, as is that ``deadline``, a block number,
    is not over. ``book`` must be the one that the trade was planned with.

    Raises ValueError for a bid on a trade in another token than ``weth``: nothing would pay it; and where a route
    leaves less than ``min_profit``: its amounts are exact.
    """
    if bid_bps and token != weth:
        raise ValueError(f"a bid is paid in WETH, {weth}, and this trade's profit is in {token}")
    if isinstance(planned, Route):
        gained = gain(planned, book)
        left = gained - bid_of(gained, bid_bps)
        if left < min_profit:
            raise ValueError(f"the route leaves {left} wei, not {min_profit}")
        return pack(replace(planned, deadline=deadline, bid_bps=bid_bps), book)
    spent = dict.fromkeys(spent_tokens(planned))
    tokens = tuple(dict.fromkeys([token, *spent])) if spent or token != weth else ()
    return pack(Steps(tuple(planned), min_profit, tokens, deadline, bid_bps), book)


def gain(route: Route, book: Book) -> int:
    """Wei of WETH that a route brings at least, before the bid."""
    brought = route.hops[-1].amount_out
    if route.amount is None:
        return brought - route.paid
    if route.form is Form.LAST:
        return route.amount - route.paid
    entry = book.entry(route.anchor or "")
    return brought - (route.paid if entry and entry.kind in V2_POOLS else route.amount)


def _check(trade: Deal) -> None:
    route = trade.route
    if isinstance(trade, Trade) and _broken(trade):
        raise ValueError("not a cycle with one amount more than hops")
    if len({hop.pool for hop in route}) < len(route):
        raise ValueError("a pool is locked while its own swap goes on: each may be in a route once")


def _check_lender(trade: Deal, capital: Capital, lender: LoanSource | None) -> None:
    if capital is Capital.LOAN and lender is None:
        raise ValueError("a loan needs a lender")
    if lender is None:
        return
    if any(hop.pool == lender.address for hop in trade.route):
        raise ValueError(f"{lender.address} is locked while it lends: it cannot be in the route too")
    kept_by = {Lender.V4: "v4", Lender.BALANCER_V2: "balancer"}.get(lender.kind)
    if any(hop.kind == kept_by and hop.terms[:1] == (lender.address,) for hop in trade.route):
        raise ValueError(f"{lender.address} is locked while it lends: no pool that it keeps can be in the route")


def _broken(trade: Trade) -> bool:
    route = trade.route
    return len(trade.amounts) != len(route) + 1 or route[0].token_in != route[-1].token_out


def _anchor(trade: Trade, capital: Capital) -> int:
    kinds = [hop.kind for hop in trade.route]
    wanted = "v2" if capital is Capital.V2_FLASH or "v3" not in kinds else "v3"
    if wanted not in kinds:
        raise ValueError("a trade that pays for itself needs a v2 or v3 hop, a v2 flash swap a v2 hop")
    return len(kinds) - 1 - kinds[::-1].index(wanted)


# --- routes ----------------------------------------------------------------------------------------------------------

_LENDERS = {
    Lender.MORPHO: (Kind.LENDER_MORPHO,),
    Lender.BALANCER_V2: (Kind.LENDER_BALANCER_V2,),
    Lender.AAVE_V3: (Kind.LENDER_AAVE_V3,),
    Lender.V4: (Kind.LENDER_V4,),
    Lender.V2: (Kind.LENDER_V2_WETH_0, Kind.LENDER_V2_WETH_1),
    Lender.V3: (Kind.LENDER_V3_WETH_0, Kind.LENDER_V3_WETH_1),
}


def _route(trade: Trade, capital: Capital, anchor: int | None, lender: LoanSource | None, book: Book) -> Route | None:
    """The trade as a route, if it is one: the pools at its ends, and the lender, are what the book must promise."""
    if any(book.entry(hop.pool) is None for hop in trade.route) or max(trade.amounts) > MOST_IN_ROUTE:
        return None
    first, last = trade.route[0], trade.route[-1]
    amounts, end = trade.amounts, len(trade.route) - 1
    if capital in (Capital.OWN, Capital.LOAN):
        if not (_all_v2(trade.route) and _has_weth(last, book, comes_out=True)):
            return None
        hops = _v2_hops(trade, 0, end + 1)
        if capital is Capital.OWN:
            return Route(Form.OWN, amounts[0], hops)
        assert lender is not None
        entry = book.entry(lender.address)
        if entry is None or entry.kind not in _LENDERS.get(lender.kind, ()):
            return None
        return Route(Form.LOAN, amounts[0], hops, lender.address, amounts[0] + lender.fee)
    if not end or not _has_weth(last, book, comes_out=True):
        return None
    if anchor == end and _all_v2(trade.route[:-1]):
        return Route(Form.LAST, amounts[0], _v2_hops(trade, 0, end), last.pool, amounts[-1])
    if anchor != 0 or not _all_v2(trade.route[1:]) or not _has_weth(first, book, comes_out=False):
        return None
    hops = _v2_hops(trade, 1, end + 1)
    if first.kind == "v3":
        return Route(Form.FIRST, amounts[0], hops, first.pool)
    return Route(Form.LOAN, amounts[0], hops, first.pool, amounts[1])


def _all_v2(route: tuple[Hop, ...]) -> bool:
    return all(hop.kind == "v2" for hop in route)


def _has_weth(hop: Hop, book: Book, *, comes_out: bool) -> bool:
    """Whether the book promises that this is a genuine pool with WETH on the side where the hop has it."""
    entry = book.entry(hop.pool)
    side = int(hop.zero_for_one == comes_out)
    return entry is not None and entry.kind is Kind[f"{hop.kind.upper()}_WETH_{side}"]


def _v2_hops(trade: Trade, start: int, end: int) -> tuple[V2Hop, ...]:
    """Hops ``start`` to before ``end``."""
    return tuple(
        V2Hop(hop.pool, hop.zero_for_one, out)
        for hop, out in zip(trade.route[start:end], trade.amounts[start + 1 : end + 1], strict=True)
    )


# --- steps -----------------------------------------------------------------------------------------------------------


class _Planner:
    def __init__(self, trade: Trade, weth: str) -> None:
        self._trade, self._route, self._amounts, self._weth = trade, trade.route, trade.amounts, weth

    def own(self) -> list[Step]:
        return self._deliver(len(self._route), Recipient.EXECUTOR, base=0)

    def loan(self, lender: LoanSource) -> list[Step]:
        return lend(lender, self._amounts[0], self._token(0), self.own())

    def nested(self, anchor: int) -> list[Step]:
        end = len(self._route)
        first, behind = self._route[anchor], self._route[anchor + 1 :]
        chained = first.kind == "v3" and bool(behind) and _all_v2(behind)
        recipient = Recipient.NESTED_POOL if chained else Recipient.EXECUTOR
        home = self._deliver(end, Recipient.EXECUTOR, base=anchor + 1, prepaid=chained)
        repay = self._deliver(anchor, Recipient.CALLER, base=0)
        return [self._first(anchor, recipient, [*home, *repay])]

    def _first(self, index: int, recipient: Recipient, nested: list[Step]) -> Step:
        """Hop ``index`` as a swap that pays first; a pair sends to the executor only."""
        hop, amount_in, amount_out = self._route[index], self._amounts[index], self._amounts[index + 1]
        if hop.kind == "v3":
            return V3Swap(hop.pool, hop.zero_for_one, amount_in, recipient, tuple(nested))
        return V2Flash(hop.pool, hop.zero_for_one, amount_out, tuple(nested))

    def _deliver(self, index: int, to: Recipient, *, base: int, prepaid: bool = False) -> list[Step]:
        """Steps that bring the input of hop ``index`` (of the end of the cycle) to ``to``, out of the input of hop
        ``base``, which the executor holds (or, ``prepaid``, which the pair ``base`` has got already)."""
        if index == base:
            return self._pass_on(base, to)
        last = self._route[index - 1]
        if last.kind == "v3":
            return [self._first(index - 1, to, self._deliver(index - 1, Recipient.CALLER, base=base, prepaid=prepaid))]
        if last.kind != "v2":
            start = venues.together(self._route, index - 1, base)
            before = self._deliver(start, Recipient.EXECUTOR, base=base, prepaid=prepaid)
            swap = venues.steps(self._route[start:index], self._amounts[start : index + 1], self._weth)
            return [*before, *swap, *self._pass_on(index, to)]
        start = index - 1
        while start > base and self._route[start - 1].kind == "v2":
            start -= 1
        if start > base and self._route[start - 1].kind != "v3":
            before = self._deliver(start, Recipient.EXECUTOR, base=base, prepaid=prepaid)
            return [*before, *self._chains(start, index, to, paid=False)]
        if start > base:
            before = self._deliver(start, Recipient.NEXT_POOL, base=base, prepaid=prepaid)
            return [*before, *self._chains(start, index, to, paid=True)]
        return [*self._chains(start, index, to, paid=prepaid)]

    def _pass_on(self, index: int, to: Recipient) -> list[Step]:
        """What the executor holds of the input of hop ``index``, to ``to``."""
        if index == len(self._route) or to is not Recipient.CALLER:
            return []
        return [Pay(self._amounts[index], self._token(index))]

    def _chains(self, start: int, index: int, to: Recipient, *, paid: bool) -> Iterator[V2Chain]:
        """The pairs ``start`` to before ``index``, of which the first has been ``paid`` or is to be; as one chain, or
        by way of the executor where they are too many."""
        while start < index:
            end = min(start + MAX_V2_HOPS, index)
            to_caller = to is Recipient.CALLER and end == index
            pay, token = (None, None) if paid else (self._amounts[start], self._token(start))
            yield V2Chain(_v2_hops(self._trade, start, end), to_caller, pay, token)
            start, paid = end, False

    def _token(self, index: int) -> str | None:
        return _named(self._route[index].token_in, self._weth)


def _named(token: str, weth: str) -> str | None:
    """As steps name it."""
    return None if token == weth else token


# --- baskets ---------------------------------------------------------------------------------------------------------


def _swaps(basket: Basket, weth: str) -> list[Step]:
    """One path after the other, each out of and into the executor's balance."""
    steps: list[Step] = []
    for path in paths(basket):
        amounts = (path[0].amount_in, *(swap.amount_out for swap in path))
        steps += _Planner(Trade(tuple(swap.hop for swap in path), amounts), weth).own()
    return steps
