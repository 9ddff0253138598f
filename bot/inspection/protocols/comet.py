"""Compound v3: collateral that it absorbed, on sale for its base token at a discount."""

from __future__ import annotations

from bot import abi
from bot.inspection.swap import Protocol, Swap
from bot.inspection.transfers import Flow

BOUGHT = abi.topic("BuyCollateral(address,address,uint256,uint256)")


def from_log(flow: Flow, at: int) -> Swap | None:
    assert flow.tx.logs is not None
    log = flow.tx.logs[at]
    buyer, asset = ("0x" + topic[-40:] for topic in log.topics[1:3])
    paid, got = abi.uint(log.data), abi.uint(log.data, 1)
    base = flow.token_of(log.address, paid, at, paid=False)
    return None if base is None else Swap("compound_v3", log.address, buyer, base, paid, asset, got, at)


PROTOCOL = Protocol("compound_v3", {BOUGHT: from_log}, {})
