"""Compound v2 and its forks: the borrowed market is called, the other market's tokens are seized."""

from __future__ import annotations

from collections.abc import Iterable

from bot import abi
from bot.inspection.block import ETHER
from bot.inspection.calls import Live
from bot.inspection.liquidation import Lender, Liquidation
from bot.inspection.transfers import Flow

LIQUIDATED = abi.topic("LiquidateBorrow(address,address,uint256,address,uint256)")
CALL = abi.selector("liquidateBorrow(address,uint256,address)")
ETHER_CALL = abi.selector("liquidateBorrow(address,address)")
SEIZE = abi.selector("seize(address,address,uint256)")

FAMILY = "compound_v2"
COMPTROLLERS = {
    "0x3d9819210a31b4961b30ef54be2aed79b9c9cd3b": FAMILY,
    "0x3d5bc3c8d13dcb8bf317092d84783c2697ae9258": "cream",
}
"""Who is asked whether the liquidation is allowed says whose market it is; other forks go by the family's name."""


def from_log(flow: Flow, at: int) -> Liquidation | None:
    assert flow.tx.logs is not None
    log = flow.tx.logs[at]
    liquidator, borrower, collateral = (abi.address(log.data, i) for i in (0, 1, 3))
    repaid, seized = abi.uint(log.data, 2), abi.uint(log.data, 4)
    debt = flow.token_of(log.address, repaid, at, paid=False)
    if debt is None:
        if any(t.to == log.address for t in flow.transfers):
            return None
        debt = ETHER  # a market of ether has no token to move
    name = _family(place.call.to for place in flow.calls)
    return Liquidation(name, log.address, liquidator, borrower, debt, repaid, collateral, seized, at)


def from_call(flow: Flow, place: Live) -> Liquidation | None:
    """The markets of tokens answer with an error's number instead of failing."""
    call, data = place.call, place.call.arguments
    for_ether = call.selector == ETHER_CALL
    if not for_ether and any(call.output):
        return None
    below = flow.calls[place.at : place.end + 1]
    seized = [i.call for i in below if i.call.kind == "call" and i.call.selector == SEIZE and not any(i.call.output)]
    if not seized:
        return None  # the same market on both sides seizes without a call: only its log would tell
    if for_ether:
        debt, repaid = ETHER, call.value
    else:
        paid = next((t for t in flow.within(place) if t.sender == call.sender and t.to == call.to), None)
        if paid is None:
            return None
        debt, repaid = paid.token, paid.amount
    amount = abi.uint(seized[0].arguments, 2)
    name, collateral = _family(i.call.to for i in below), seized[0].to
    return Liquidation(name, call.to, call.sender, abi.address(data), debt, repaid, collateral, amount, place.at)


def _family(called: Iterable[str]) -> str:
    return next((COMPTROLLERS[address] for address in called if address in COMPTROLLERS), FAMILY)


LENDER = Lender(FAMILY, {LIQUIDATED: from_log}, {CALL: from_call, ETHER_CALL: from_call})
