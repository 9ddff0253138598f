"""The programs of the gas world's trades: as a route through a book, and as steps that need none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bot.devnet.gas.rows import Leg, Lender, Loan, Row, Way
from bot.execution import steps as s
from bot.execution.book import Book, Kind

LENDERS = {
    Lender.MORPHO: Kind.LENDER_MORPHO,
    Lender.V4: Kind.LENDER_V4,
    Lender.BALANCER: Kind.LENDER_BALANCER_V2,
    Lender.AAVE: Kind.LENDER_AAVE_V3,
    Lender.V3: Kind.LENDER_V3_WETH_0,
    Lender.V2: Kind.LENDER_V2_WETH_0,
}


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool of a leg."""

    address: str
    kind: str
    token0: str
    token1: str


def book_of(weth: str, rows: Iterable[Row]) -> Book:
    """All pools and lenders of the rows."""
    rows = list(rows)
    pools = {leg.pool: _pool(leg) for row in rows for leg in row.legs}
    loans = {row.loan.address: LENDERS[row.loan.lender] for row in rows if row.loan}
    return Book.of(weth, pools.values(), loans.items())


def _pool(leg: Leg) -> Pool:
    token0, token1 = (leg.token_in, leg.token_out) if leg.zero_for_one else (leg.token_out, leg.token_in)
    return Pool(leg.pool, leg.kind, token0, token1)


def _hops(legs: Iterable[Leg]) -> tuple[s.V2Hop, ...]:
    return tuple(s.V2Hop(leg.pool, leg.zero_for_one, leg.amount_out) for leg in legs)


# --- routes ----------------------------------------------------------------------------------------------------------


def route(row: Row) -> s.Route:
    """The row by the executor's fast path."""
    first, last, paid = row.legs[0], row.legs[-1], row.amount_in
    if row.loan:
        owed = row.loan.amount + row.loan.fee
        return s.Route(s.Form.LOAN, paid, _hops(row.legs), row.loan.address, owed)
    if row.way is Way.OWN:
        return s.Route(s.Form.OWN, paid, _hops(row.legs))
    if row.way is Way.FLASH_FIRST:
        return s.Route(s.Form.LOAN, paid, _hops(row.legs[1:]), first.pool, first.amount_out)
    if first.kind == "v3":
        return s.Route(s.Form.FIRST, paid, _hops(row.legs[1:]), first.pool)
    return s.Route(s.Form.LAST, paid, _hops(row.legs[:-1]), last.pool, last.amount_out)


# --- steps -----------------------------------------------------------------------------------------------------------


def steps(row: Row) -> s.Steps:
    """The row step by step, its profit promised."""
    if row.way is Way.FLASH_FIRST:
        made = _flash_first(row)
        return s.Steps((made,), row.profit, (row.legs[0].token_in, row.legs[0].token_out))
    return s.Steps((_step(row),), row.profit)


def _step(row: Row) -> s.Step:
    first, last, paid = row.legs[0], row.legs[-1], row.amount_in
    if row.loan:
        return _loan(row, row.loan)
    if row.way is Way.OWN:
        return s.V2Chain(_hops(row.legs), pay=paid)
    if first.kind == "v3":
        nested = (s.V2Chain(_hops(row.legs[1:])), s.Pay(paid))
        return s.V3Swap(first.pool, first.zero_for_one, paid, s.Recipient.NESTED_POOL, nested)
    repay = (s.V2Chain(_hops(row.legs[:-1]), to_caller=True, pay=paid),)
    if last.kind == "v3":
        return s.V3Swap(last.pool, last.zero_for_one, last.amount_in, s.Recipient.EXECUTOR, repay)
    return s.V2Flash(last.pool, last.zero_for_one, last.amount_out, repay)


def _flash_first(row: Row) -> s.Step:
    first = row.legs[0]
    onward = s.V2Chain(_hops(row.legs[1:]), pay=first.amount_out, token=first.token_out)
    return s.V2Flash(first.pool, first.zero_for_one, first.amount_out, (onward, s.Pay(row.amount_in)))


def _loan(row: Row, loan: Loan) -> s.Step:
    """v4 and v3 send to the first pair straight away."""
    pair, owed = row.legs[0].pool, loan.amount + loan.fee
    trade, prepaid, repay = s.V2Chain(_hops(row.legs), pay=loan.amount), s.V2Chain(_hops(row.legs)), s.Pay(owed)
    match loan.lender:
        case Lender.MORPHO:
            return s.Loan(s.Lender.MORPHO, loan.address, loan.amount, (trade,))
        case Lender.BALANCER:
            return s.Loan(s.Lender.BALANCER_V2, loan.address, loan.amount, (trade, repay))
        case Lender.AAVE:
            return s.Loan(s.Lender.AAVE_V3, loan.address, loan.amount, (trade,), owed=owed)
        case Lender.V4:
            return s.V4Unlock(loan.address, (s.V4Take(loan.amount, to=pair), prepaid, s.V4Settle(owed)))
        case Lender.V3:
            return s.V3Flash(loan.address, False, loan.amount, (prepaid, repay), to=pair)
        case Lender.V2:
            return s.V2Flash(loan.address, False, loan.amount, (trade, repay))
