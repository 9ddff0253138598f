"""Morpho Blue: one contract, whose markets are named by the hash of their parameters."""

from __future__ import annotations

from bot import abi
from bot.inspection.calls import Live
from bot.inspection.liquidation import Lender, Liquidation
from bot.inspection.transfers import Flow

LIQUIDATED = abi.topic("Liquidate(bytes32,address,address,uint256,uint256,uint256,uint256,uint256)")
CALL = abi.selector("liquidate((address,address,address,address,uint256),address,uint256,uint256,bytes)")
PARAMETERS = 5 * abi.WORD


def from_log(flow: Flow, at: int) -> Liquidation | None:
    assert flow.tx.logs is not None
    log = flow.tx.logs[at]
    caller, borrower = ("0x" + topic[-40:] for topic in log.topics[2:4])
    repaid, seized = abi.uint(log.data), abi.uint(log.data, 2)
    debt = flow.token_of(log.address, repaid, at, paid=False)
    collateral = flow.token_of(log.address, seized, at, paid=True)
    if debt is None or collateral is None:
        return None
    return Liquidation("morpho", log.topics[1], caller, borrower, debt, repaid, collateral, seized, at)


def from_call(flow: Flow, place: Live) -> Liquidation | None:
    """The answer is what was seized, then what was repaid."""
    call, data = place.call, place.call.arguments
    market = abi.to_hex(abi.keccak(data[:PARAMETERS]))
    seized, repaid = abi.uint(call.output), abi.uint(call.output, 1)
    debt, collateral, borrower = abi.address(data), abi.address(data, 1), abi.address(data, 5)
    return Liquidation("morpho", market, call.sender, borrower, debt, repaid, collateral, seized, place.at)


LENDER = Lender("morpho", {LIQUIDATED: from_log}, {CALL: from_call})
