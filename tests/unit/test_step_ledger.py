"""Plans of random trades and baskets, on all capital: each step can be paid when it runs, and nothing is left over."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from step_ledger import ETH, EXECUTOR, StepLedger, hop_of

from bot.engine.baskets import handled
from bot.engine.types import Basket, Swap, Trade
from bot.execution.layouts import spent_tokens
from bot.execution.loans import LoanSource
from bot.execution.program import Capital, plan
from bot.execution.steps import Lender, Step

WETH = "0x" + "ee" * 20
KINDS = ("v2", "v3", "v4", "curve", "balancer", "vault")
LENDERS = {lender: "0x" + f"{0xC000 + number:040x}" for number, lender in enumerate(Lender)}


def token(number: int) -> str:
    return "0x" + f"{0xD000 + number:040x}"


@st.composite
def routes(draw: st.DrawFn, start: str, end: str, first: int, most: int = 6, wrapped: bool = True) -> Trade:
    """Hops of all kinds from one token to another, maybe by way of ETH (there is but one WETH). Pools and tokens are
    numbered from ``first``, less than ten of them."""
    count = draw(st.integers(2, most))
    tokens = [start, *(token(first + at) for at in range(count - 1)), end]
    if wrapped and WETH not in tokens and count > 2 and draw(st.booleans()):
        at = draw(st.integers(1, count - 2))
        tokens[at : at + 2] = draw(st.sampled_from([(ETH, WETH), (WETH, ETH)]))
    elif wrapped and WETH in (start, end) and count > 2 and draw(st.booleans()):
        tokens[1 if start == WETH else -2] = ETH
    hops = []
    for at, (a, b) in enumerate(pairwise(tokens)):
        kind = "weth" if {a, b} == {ETH, WETH} else "v4" if ETH in (a, b) else draw(st.sampled_from(KINDS))
        hops.append(hop_of(first + at, kind, a, b, WETH))
    amounts = draw(st.lists(st.integers(1, 10**20), min_size=count + 1, max_size=count + 1))
    return Trade(tuple(hops), tuple(amounts))


def swaps_of(trade: Trade) -> list[Swap]:
    return [Swap(hop, *pair) for hop, pair in zip(trade.route, pairwise(trade.amounts), strict=True)]


def check(steps: list[Step], swaps: list[Swap], base: str, own: int, left: int, fee: int = 0) -> None:
    """The executor begins with ``own`` of the base and ends with ``left``, and nothing is anywhere else."""
    ledger = StepLedger(swaps, WETH, base, fee)
    ledger.held[EXECUTOR, base] = own
    ledger.run(steps)
    assert {key: amount for key, amount in ledger.held.items() if amount} == ({(EXECUTOR, base): left} if left else {})
    assert sorted(ledger.done) == sorted(swap.hop.pool for swap in swaps)


@st.composite
def sources(draw: st.DrawFn) -> LoanSource:
    """A lender that keeps none of the pools."""
    lender = draw(st.sampled_from(Lender))
    fee = 0 if lender in (Lender.MORPHO, Lender.V4) else draw(st.integers(0, 10**10))
    return LoanSource(lender, LENDERS[lender], fee)


@given(st.data(), st.sampled_from([WETH, token(99)]))
def test_cycles(data: st.DataObject, base: str) -> None:
    trade = data.draw(routes(base, base, 0))
    gain, source = data.draw(st.integers(0, 10**20)), data.draw(sources())
    needed = trade.amounts[0]
    trade = Trade(trade.route, (*trade.amounts[:-1], needed + source.fee + gain))
    swaps = swaps_of(trade)
    own = plan(trade, Capital.OWN, weth=WETH)
    loan = plan(trade, Capital.LOAN, lender=source, weth=WETH)
    assert isinstance(own, list) and isinstance(loan, list)
    check(own, swaps, base, needed, needed + source.fee + gain)
    check(loan, swaps, base, 0, gain, source.fee)
    for anchor, hop in enumerate(trade.route):
        if hop.kind in ("v2", "v3"):
            nested = plan(trade, Capital.NESTED, anchor=anchor, weth=WETH)
            assert isinstance(nested, list)
            check(nested, swaps, base, 0, source.fee + gain)


@st.composite
def baskets(draw: st.DrawFn, base: str) -> Basket:
    """One to four paths from the base to a token that they share, and one to three back from there, each in turn."""
    middle = token(90)
    there = [draw(routes(base, middle, 10 * at, 4, wrapped=not at)) for at in range(draw(st.integers(1, 4)))]
    total = sum(trade.amounts[-1] for trade in there)
    cuts = draw(st.lists(st.integers(0, total), max_size=2).map(sorted))
    parts = [end - start for start, end in pairwise([0, *cuts, total]) if end > start]
    back = [draw(routes(middle, base, 10 * (5 + at), 4, wrapped=False)) for at in range(len(parts))]
    back = [Trade(trade.route, (part, *trade.amounts[1:])) for trade, part in zip(back, parts, strict=True)]
    swaps = []
    queues = [swaps_of(trade) for trade in there]
    while any(queues):  # each path in its own order, the paths in any
        queue = draw(st.sampled_from([queue for queue in queues if queue]))
        swaps.append(queue.pop(0))
    swaps += [swap for trade in back for swap in swaps_of(trade)]
    needed, brought = (sum(trade.amounts[end] for trade in way) for way, end in ((there, 0), (back, -1)))
    return Basket(base, needed, brought - needed, tuple(swaps))


@given(st.data(), st.sampled_from([WETH, token(99)]))
def test_baskets(data: st.DataObject, base: str) -> None:
    basket = data.draw(baskets(base))
    own = plan(basket, Capital.OWN, weth=WETH)
    assert isinstance(own, list)
    check(own, list(basket.swaps), base, basket.needed, basket.needed + basket.gross_profit)
    pools = {swap.hop.pool for swap in basket.swaps}  # shares bear their vault's name, if not here
    assert set(spent_tokens(own)) - pools <= handled(basket)
    source = data.draw(sources())
    loan = plan(basket, Capital.LOAN, lender=source, weth=WETH)
    assert isinstance(loan, list)
    if basket.gross_profit >= source.fee:
        check(loan, list(basket.swaps), base, 0, basket.gross_profit - source.fee, source.fee)
