"""ERC-4626 vaults: an asset for shares and back at the vault's rate. Part of many cycles, so they count as swaps."""

from __future__ import annotations

from bot import abi
from bot.inspection.swap import Protocol, Swap
from bot.inspection.transfers import Flow

DEPOSIT = abi.topic("Deposit(address,address,uint256,uint256)")
WITHDRAW = abi.topic("Withdraw(address,address,address,uint256,uint256)")


def from_log(flow: Flow, at: int) -> Swap | None:
    """The vault is the shares' token; the asset is what moved to it, or from it, in just that amount."""
    assert flow.tx.logs is not None
    log = flow.tx.logs[at]
    deposits = log.topics[0] == DEPOSIT
    assets, shares = abi.uint(log.data), abi.uint(log.data, 1)
    asset = flow.token_of(log.address, assets, at, paid=not deposits, but=log.address)
    if asset is None or not assets or not shares:
        return None
    given, got = ((asset, assets), (log.address, shares)) if deposits else ((log.address, shares), (asset, assets))
    return Swap("vault", log.address, "0x" + log.topics[1][-40:], *given, *got, at)


PROTOCOL = Protocol("vault", {DEPOSIT: from_log, WITHDRAW: from_log}, {})
