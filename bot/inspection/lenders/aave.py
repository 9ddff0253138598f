"""Aave v1 to v3 and their forks: all have the same function; v1's event has two fields more."""

from __future__ import annotations

from bot import abi
from bot.inspection.calls import Live
from bot.inspection.liquidation import Lender, Liquidation
from bot.inspection.transfers import Flow

LIQUIDATED = abi.topic("LiquidationCall(address,address,address,uint256,uint256,address,bool)")
LIQUIDATED_V1 = abi.topic("LiquidationCall(address,address,address,uint256,uint256,uint256,address,bool,uint256)")
CALL = abi.selector("liquidationCall(address,address,address,uint256,bool)")


def from_log(flow: Flow, at: int) -> Liquidation | None:
    assert flow.tx.logs is not None
    log = flow.tx.logs[at]
    collateral, debt, borrower = ("0x" + topic[-40:] for topic in log.topics[1:4])
    liquidator = abi.address(log.data, 3 if log.topics[0] == LIQUIDATED_V1 else 2)
    repaid, received = abi.uint(log.data), abi.uint(log.data, 1)
    return Liquidation("aave", log.address, liquidator, borrower, debt, repaid, collateral, received, at)


def from_call(flow: Flow, place: Live) -> Liquidation | None:
    """What was asked for is a maximum: what moved below the call is what happened. Collateral comes last, behind the
    protocol's fees; who took receipt tokens got no collateral."""
    call, data = place.call, place.call.arguments
    collateral, debt, borrower = (abi.address(data, i) for i in range(3))
    moved = flow.within(place)
    paid = next((t for t in moved if t.sender == call.sender and t.token == debt), None)
    arrived = [t for t in moved if t.to == call.sender and t is not paid]
    got = next((t for t in reversed(arrived) if t.token == collateral), arrived[-1] if arrived else None)
    if paid is None or got is None:
        return None
    return Liquidation("aave", call.to, call.sender, borrower, debt, paid.amount, got.token, got.amount, place.at)


LENDER = Lender("aave", {LIQUIDATED: from_log, LIQUIDATED_V1: from_log}, {CALL: from_call})
