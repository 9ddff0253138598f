"""Profit as the logs tell it: what one account gained in one token."""

from __future__ import annotations

from collections.abc import Iterable

from bot.abi import topic, uint
from bot.engine.types import Log

TRANSFER = topic("Transfer(address,address,uint256)")
DEPOSIT = topic("Deposit(address,uint256)")  # WETH9 mints without a Transfer
WITHDRAWAL = topic("Withdrawal(address,uint256)")


def gained(logs: Iterable[Log], token: str, holder: str) -> int:
    """Wei of ``token`` that ``holder`` has more (or, negative, less) after these logs. Right for tokens whose
    balances move by Transfer only, and for WETH9."""
    total = 0
    for log in logs:
        if log.address != token or not log.topics:
            continue
        kind = log.topics[0]
        if kind == TRANSFER and len(log.topics) == 3:
            amount = uint(log.data)
            total += amount * (_account(log.topics[2]) == holder) - amount * (_account(log.topics[1]) == holder)
        elif kind == DEPOSIT and _account(log.topics[1]) == holder:
            total += uint(log.data)
        elif kind == WITHDRAWAL and _account(log.topics[1]) == holder:
            total -= uint(log.data)
    return total


def _account(word: str) -> str:
    return "0x" + word[-40:]
