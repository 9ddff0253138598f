"""0x v4: limit, RFQ and OTC orders, filled at the exchange's proxy. The maker stands where others have a pool."""

from __future__ import annotations

from bot import abi
from bot.inspection.calls import Live
from bot.inspection.swap import Protocol, Swap
from bot.inspection.transfers import Flow

_LIMIT = "(address,address,uint128,uint128,uint128,address,address,address,address,bytes32,uint64,uint256)"
_RFQ = "(address,address,uint128,uint128,address,address,address,bytes32,uint64,uint256)"
_SIGNATURE = "(uint8,uint8,bytes32,bytes32)"
MAKER_OF_LIMIT, MAKER_OF_RFQ = 5, 4  # words of the orders

LIMIT_FILLED = abi.topic(
    "LimitOrderFilled(bytes32,address,address,address,address,address,uint128,uint128,uint128,uint256,bytes32)"
)
RFQ_FILLED = abi.topic("RfqOrderFilled(bytes32,address,address,address,address,uint128,uint128,bytes32)")
OTC_FILLED = abi.topic("OtcOrderFilled(bytes32,address,address,address,address,uint128,uint128)")

LIMIT_CALLS = tuple(
    abi.selector(f"{name}({_LIMIT},{_SIGNATURE},uint128{more})")
    for name, more in (("fillLimitOrder", ""), ("fillOrKillLimitOrder", ""), ("_fillLimitOrder", ",address,address"))
)
RFQ_CALLS = tuple(
    abi.selector(f"{name}({_RFQ},{_SIGNATURE},uint128{more})")
    for name, more in (
        ("fillRfqOrder", ""),
        ("fillOrKillRfqOrder", ""),
        ("_fillRfqOrder", ",address"),
        ("_fillRfqOrder", ",address,bool,address"),
    )
)


def limit_from_log(flow: Flow, at: int) -> Swap | None:
    return _from_log(flow, at, maker=1, taker=2, tokens=4, given=6, got=7)


def rfq_from_log(flow: Flow, at: int) -> Swap | None:
    return _from_log(flow, at, maker=1, taker=2, tokens=3, given=5, got=6)


def otc_from_log(flow: Flow, at: int) -> Swap | None:
    return _from_log(flow, at, maker=1, taker=2, tokens=3, given=6, got=5)


def _from_log(flow: Flow, at: int, *, maker: int, taker: int, tokens: int, given: int, got: int) -> Swap | None:
    assert flow.tx.logs is not None
    data = flow.tx.logs[at].data
    maker_token, taker_token = abi.address(data, tokens), abi.address(data, tokens + 1)
    taken, made = abi.uint(data, given), abi.uint(data, got)
    return _swap(abi.address(data, maker), abi.address(data, taker), taker_token, taken, maker_token, made, at)


def limit_from_call(flow: Flow, place: Live) -> Swap | None:
    return _from_call(place, MAKER_OF_LIMIT)


def rfq_from_call(flow: Flow, place: Live) -> Swap | None:
    return _from_call(place, MAKER_OF_RFQ)


def _from_call(place: Live, maker: int) -> Swap | None:
    """The answer has what the taker gave, then, but for fill-or-kill, what the maker gave."""
    call, data = place.call, place.call.arguments
    taken, made = abi.uint(call.output), abi.uint(call.output, 1)
    return _swap(abi.address(data, maker), call.sender, abi.address(data, 1), taken, abi.address(data), made, place.at)


def _swap(maker: str, taker: str, token_in: str, taken: int, token_out: str, made: int, at: int) -> Swap | None:
    return Swap("zero_ex", maker, taker, token_in, taken, token_out, made, at) if taken and made else None


PROTOCOL = Protocol(
    "zero_ex",
    {LIMIT_FILLED: limit_from_log, RFQ_FILLED: rfq_from_log, OTC_FILLED: otc_from_log},
    dict.fromkeys(LIMIT_CALLS, limit_from_call) | dict.fromkeys(RFQ_CALLS, rfq_from_call),
)
