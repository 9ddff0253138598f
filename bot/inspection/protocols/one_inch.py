"""1inch's limit orders (v3 of the protocol), resting until somebody fills them, often out of pools. The maker stands
where others have a pool; what moved tells the amounts, so they are read from logs only."""

from __future__ import annotations

from bot import abi
from bot.inspection.swap import Protocol, Swap
from bot.inspection.transfers import Flow, net

FILLED = abi.topic("OrderFilled(address,bytes32,uint256)")


def from_log(flow: Flow, at: int) -> Swap | None:
    assert flow.tx.logs is not None
    maker = "0x" + flow.tx.logs[at].topics[1][-40:]
    change = net(flow.transfers, maker)
    took = [(token, amount) for token, amount in change.items() if amount > 0]
    paid = [(token, -amount) for token, amount in change.items() if amount < 0]
    if len(took) != 1 or len(paid) != 1 or maker in (flow.tx.sender, flow.tx.to):
        return None
    return Swap("one_inch", maker, flow.tx.to or "", *took[0], *paid[0], at)


PROTOCOL = Protocol("one_inch", {FILLED: from_log}, {})
