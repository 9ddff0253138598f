"""Straight-line code for one trade each: the least that it can cost. No calldata, no owner, nothing general."""

from __future__ import annotations

from bot.abi import call, encode
from bot.devnet.gas.bytecode import Call, Frame, assemble
from bot.devnet.gas.rows import Leg, Lender, Loan, Row, Way
from bot.devnet.place import calldata
from bot.devnet.tokens import WETH

MIN_SQRT_RATIO = 4_295_128_739
MAX_SQRT_RATIO = 1_461_446_703_485_210_103_287_273_052_203_988_822_378_723_970_342

V2_SWAP = "swap(uint256,uint256,address,bytes)"
V3_SWAP = "swap(address,bool,int256,uint160,bytes)"


def floor_code(row: Row, trader: str) -> bytes:
    """Runtime code that does the row's trade when it stands at ``trader`` and is called without data."""
    match row.way:
        case Way.OWN:
            return assemble(Frame((_pay(row.legs[0]), *_chain(row.legs, trader))))
        case Way.NESTED:
            return _nested(row, trader)
        case Way.FLASH_LAST:
            last = row.legs[-1]
            inner = (_pay(row.legs[0]), *_chain(row.legs[:-1], last.pool))
            return assemble(Frame((_v2(last, trader, flash=True),)), Frame(inner))
        case Way.FLASH_FIRST:
            first, second = row.legs[0], row.legs[1]
            inner = (transfer(second.token_in, second.pool, second.amount_in), *_chain(row.legs[1:], trader))
            return assemble(Frame((_v2(first, trader, flash=True),)), Frame((*inner, _pay(first))))
        case Way.LOAN:
            return _loan(row, trader)


def transfer(token: str, to: str, amount: int) -> Call:
    """The token's ``transfer``."""
    return Call(token, call("transfer(address,uint256)", to, amount))


def _pay(leg: Leg) -> Call:
    return transfer(leg.token_in, leg.pool, leg.amount_in)


def _chain(legs: tuple[Leg, ...], to: str) -> list[Call]:
    """Swaps of v2 pools that have been paid, each sending to the next and the last to ``to``."""
    receivers = [*(leg.pool for leg in legs[1:]), to]
    return [_v2(leg, receiver) for leg, receiver in zip(legs, receivers, strict=True)]


def _v2(leg: Leg, to: str, *, flash: bool = False) -> Call:
    """The pair's swap. Without a callback the data's offset points at the amount that is zero, which is as good as a
    length and saves a word."""
    outs = (0, leg.amount_out) if leg.zero_for_one else (leg.amount_out, 0)
    if flash:
        return Call(leg.pool, call(V2_SWAP, *outs, to, 128, 1) + b"\0")
    return Call(leg.pool, call(V2_SWAP, *outs, to, 0 if leg.zero_for_one else 32))


def _v3(leg: Leg, to: str) -> Call:
    limit = MIN_SQRT_RATIO + 1 if leg.zero_for_one else MAX_SQRT_RATIO - 1
    if leg.zero_for_one:
        return Call(leg.pool, call(V3_SWAP, to, True, leg.amount_in, limit, 160, 0))
    return Call(leg.pool, call(V3_SWAP, to, False, leg.amount_in, limit, 32))  # the false is the length


def _nested(row: Row, trader: str) -> bytes:
    first, second = row.legs
    if second.kind == "v3":
        inner = (_pay(first), _v2(first, second.pool))
        return assemble(Frame((_v3(second, trader),)), Frame(inner))
    inner = (_v2(second, trader), _pay(first))
    return assemble(Frame((_v3(first, second.pool),)), Frame(inner))


def _loan(row: Row, trader: str) -> bytes:
    loan = row.loan
    assert loan is not None
    trade: list[Call] = []
    if row.legs:
        trade = [*([] if loan.direct else [_pay(row.legs[0])]), *_chain(row.legs, trader)]
    receiver = row.legs[0].pool if loan.direct else trader
    taken = [Call(loan.address, call("take(address,address,uint256)", WETH, receiver, loan.amount))]
    before = taken if loan.lender is Lender.V4 else []
    returns = {Lender.V4: encode(32) + encode(0), Lender.AAVE: encode(True)}
    callback = Frame((*before, *trade, *_repay(loan)), returns.get(loan.lender, b""))
    return assemble(Frame((_borrow(loan, trader, receiver),)), callback)


def _borrow(loan: Loan, trader: str, receiver: str) -> Call:
    """The call that leads to the callback. Empty data is expressed by an offset to a word that is zero anyway."""
    at, amount = loan.address, loan.amount
    match loan.lender:
        case Lender.MORPHO:
            return Call(at, call("flashLoan(address,uint256,bytes)", WETH, amount, 96, 0))
        case Lender.V4:
            return Call(at, call("unlock(bytes)", 0))
        case Lender.BALANCER:
            signature = "flashLoan(address,address[],uint256[],bytes)"
            return Call(at, calldata(signature, trader, [WETH], [amount], b""))
        case Lender.V3:
            return Call(at, call("flash(address,uint256,uint256,bytes)", receiver, amount, 0, 64))
        case Lender.V2:
            return Call(at, call(V2_SWAP, amount, 0, trader, 128, 1) + b"\0")
        case Lender.AAVE:
            signature = "flashLoanSimple(address,address,uint256,bytes,uint16)"
            return Call(at, call(signature, trader, WETH, amount, 128, 0))


def _repay(loan: Loan) -> list[Call]:
    at, owed = loan.address, loan.amount + loan.fee
    match loan.lender:
        case Lender.MORPHO | Lender.AAVE:  # they take it themselves
            return [Call(WETH, call("approve(address,uint256)", at, owed))] if loan.approving else []
        case Lender.V4:
            return [Call(at, call("sync(address)", WETH)), transfer(WETH, at, owed), Call(at, call("settle()"))]
        case Lender.BALANCER | Lender.V3 | Lender.V2:
            return [transfer(WETH, at, owed)]
