"""Maker's auctions (Clipper.sol): collateral bought with DAI inside the vat, so only the log tells the debt."""

from __future__ import annotations

from bot import abi
from bot.inspection.liquidation import Lender, Liquidation
from bot.inspection.protocols.maker_psm import DAI
from bot.inspection.transfers import Flow

TAKEN = abi.topic("Take(uint256,uint256,uint256,uint256,uint256,uint256,address)")
RAY = 10**27


def from_log(flow: Flow, at: int) -> Liquidation | None:
    """``owe`` is DAI in 45 decimals, ``price`` DAI in 27 for a whole of the collateral, which the vat counts in 18.
    None where the collateral did not leave the vat in this transaction in just that amount: its token is not known."""
    assert flow.tx.logs is not None
    log = flow.tx.logs[at]
    price, owe = abi.uint(log.data, 1), abi.uint(log.data, 2)
    if not price or not owe:
        return None
    bought = owe // price
    collateral = next((t.token for t in flow.transfers if t.amount == bought and t.token != DAI), None)
    if collateral is None:
        return None
    borrower, liquidator = "0x" + log.topics[2][-40:], flow.tx.to or flow.tx.sender
    return Liquidation("maker", log.address, liquidator, borrower, DAI, owe // RAY, collateral, bought, at)


LENDER = Lender("maker", {TAKEN: from_log}, {})
