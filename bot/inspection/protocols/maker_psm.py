"""Maker's peg stability modules, old and LitePSM: DAI for a stablecoin and back, at par but for a fee."""

from __future__ import annotations

from bot import abi
from bot.inspection.calls import Live
from bot.inspection.swap import Protocol, Swap
from bot.inspection.transfers import Flow, Transfer

DAI = "0x6b175474e89094c44da98b954eedeac495271d0f"
BOUGHT = abi.topic("BuyGem(address,uint256,uint256)")
SOLD = abi.topic("SellGem(address,uint256,uint256)")
BUY = abi.selector("buyGem(address,uint256)")
SELL = abi.selector("sellGem(address,uint256)")


def from_log(flow: Flow, at: int) -> Swap | None:
    """The log names who gets what comes out, and how much of the stablecoin was moved."""
    assert flow.tx.logs is not None
    log = flow.tx.logs[at]
    before = [t for t in flow.transfers if t.at < at]
    owner = "0x" + log.topics[1][-40:]
    return _swap(log.address, flow.tx.to or "", before, abi.uint(log.data), owner, log.topics[0] == BOUGHT, at)


def from_call(flow: Flow, place: Live) -> Swap | None:
    call, data = place.call, place.call.arguments
    buys = call.selector == BUY
    return _swap(call.to, call.sender, flow.within(place), abi.uint(data, 1), abi.address(data), buys, place.at)


def _swap(psm: str, taker: str, moved: list[Transfer], gem: int, owner: str, buys: bool, at: int) -> Swap | None:
    stable = next((t for t in reversed(moved) if t.amount == gem and t.token != DAI), None)
    if stable is None or (buys and stable.to != owner):
        return None
    dai = next((t for t in reversed(moved) if t.token == DAI and (buys or t.to == owner)), None)
    if dai is None:
        return None
    given, got = (dai, stable) if buys else (stable, dai)
    return Swap("maker_psm", psm, taker, given.token, given.amount, got.token, got.amount, at)


PROTOCOL = Protocol("maker_psm", {BOUGHT: from_log, SOLD: from_log}, {BUY: from_call, SELL: from_call})
