"""Who gave whom which token in a transaction.

With logs from the tokens' own events; without, from the calldata of the calls that move them, which is what was asked
for and not what a token that keeps a share let arrive. Ether comes from the calls' values, where there are calls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from bot import abi
from bot.engine.types import Log
from bot.inspection.block import ETHER, NOBODY, Tx
from bot.inspection.calls import MOVES_ETHER, Call, Live, live

TRANSFER = abi.topic("Transfer(address,address,uint256)")
DEPOSIT = abi.topic("Deposit(address,uint256)")
WITHDRAWAL = abi.topic("Withdrawal(address,uint256)")

_TRANSFER = abi.selector("transfer(address,uint256)")
_TRANSFER_FROM = abi.selector("transferFrom(address,address,uint256)")
_WITHDRAW = abi.selector("withdraw(uint256)")
_DEPOSIT = abi.selector("deposit()")
_SEIZE = abi.selector("seize(address,address,uint256)")  # Compound v2: to whom, from whom, how much
_ON_LIQUIDATION = abi.selector("transferOnLiquidation(address,address,uint256)")  # Aave's receipt tokens
_REDEEM = abi.selector("redeem(uint256)")
_ALL = 1 << 255  # no amount, but "all that I have"


@dataclass(frozen=True, slots=True)
class Transfer:
    """``amount`` in the token's smallest unit. ``at`` is the place of its log or of its call."""

    token: str
    sender: str
    to: str
    amount: int
    at: int


@dataclass(frozen=True, slots=True)
class Flow:
    """A transaction with what moved in it. ``transfers`` are in order; ``ether`` is apart, since logs and calls are
    counted each for themselves, and so is what calls ``asked`` tokens to move."""

    tx: Tx
    calls: tuple[Live, ...]
    transfers: tuple[Transfer, ...]
    ether: tuple[Transfer, ...]
    asked: tuple[Transfer, ...]

    def token_of(self, account: str, amount: int, at: int, *, paid: bool, but: str = "") -> str | None:
        """The token of which ``account`` paid out (else: took in) just ``amount``, looked for backwards from ``at``,
        and then ahead; ether last. None where nothing tells."""
        before = [t for t in reversed(self.transfers) if t.at <= at]
        ahead = [t for t in self.transfers if t.at > at]
        for transfer in (*before, *ahead, *self.ether):
            end = transfer.sender if paid else transfer.to
            if end == account and transfer.amount == amount and transfer.token != but:
                return transfer.token
        return None

    def within(self, place: Live) -> list[Transfer]:
        """What moved in a call and below it, ether too."""
        return [t for t in (*self.asked, *self.ether) if place.at <= t.at <= place.end]

    def keep_a_share(self) -> set[str]:
        """Tokens that moved less than they were asked to, or elsewhere."""
        done = {(t.token, t.to, t.amount) for t in self.transfers}
        return {t.token for t in self.asked if (t.token, t.to, t.amount) not in done}


def flow(tx: Tx, wrapped: str) -> Flow:
    """Everything that moved in a transaction that took effect; nothing where it failed."""
    calls = tuple(live(tx.root))
    ether = tuple(
        Transfer(ETHER, found.call.sender, found.call.to, found.call.value, found.at)
        for found in calls
        if found.call.value and found.call.kind in MOVES_ETHER
    )
    asked = tuple(t for found in calls for t in _of_call(found.call, found.at, wrapped))
    if tx.logs is None:
        return Flow(tx, calls, asked, ether, asked)
    moved = tuple(t for at, log in enumerate(tx.logs) for t in _of_log(log, at, wrapped))
    return Flow(tx, calls, moved, ether, asked)


def net(transfers: Iterable[Transfer], account: str) -> dict[str, int]:
    """What an account has more of afterwards, by token, without those of which it has as much as before."""
    change: dict[str, int] = defaultdict(int)
    for transfer in transfers:
        if transfer.to == account:
            change[transfer.token] += transfer.amount
        if transfer.sender == account:
            change[transfer.token] -= transfer.amount
    return {token: amount for token, amount in change.items() if amount}


def _of_log(log: Log, at: int, wrapped: str) -> list[Transfer]:
    if not log.topics:
        return []
    event, topics = log.topics[0], log.topics
    if event == TRANSFER and len(topics) == 3 and len(log.data) >= abi.WORD:  # four topics: the token is a collectible
        return [Transfer(log.address, _account(topics[1]), _account(topics[2]), abi.uint(log.data), at)]
    if log.address == wrapped and event == DEPOSIT:
        return [Transfer(wrapped, NOBODY, _account(topics[1]), abi.uint(log.data), at)]
    if log.address == wrapped and event == WITHDRAWAL:
        return [Transfer(wrapped, _account(topics[1]), NOBODY, abi.uint(log.data), at)]
    return []


def _of_call(call: Call, at: int, wrapped: str) -> list[Transfer]:
    if call.kind != "call":  # a proxy passes the same call on by delegatecall
        return []
    if call.to == wrapped and (call.selector == _DEPOSIT or not call.input):
        return [Transfer(wrapped, NOBODY, call.sender, call.value, at)] if call.value else []
    try:
        if call.to == wrapped and call.selector == _WITHDRAW:
            return [Transfer(wrapped, call.sender, NOBODY, abi.uint(call.arguments), at)]
        if call.selector == _TRANSFER and _said_yes(call):
            return [_moved(call, call.sender, abi.address(call.arguments), 1, at)]
        if call.selector in (_TRANSFER_FROM, _ON_LIQUIDATION) and _said_yes(call):
            return [_moved(call, abi.address(call.arguments), abi.address(call.arguments, 1), 2, at)]
        if call.selector == _SEIZE and not any(call.output):  # it answers with an error's number
            return [_moved(call, abi.address(call.arguments, 1), abi.address(call.arguments), 2, at)]
        if call.selector == _REDEEM and not any(call.output) and abi.uint(call.arguments) < _ALL:
            return [_moved(call, call.sender, NOBODY, 0, at)]
    except ValueError:  # calldata cut short: no token's call
        pass
    return []


def _moved(call: Call, sender: str, to: str, amount: int, at: int) -> Transfer:
    return Transfer(call.to, sender, to, abi.uint(call.arguments, amount), at)


def _said_yes(call: Call) -> bool:
    """Tokens answer true or nothing; one that answers false has moved nothing."""
    return not call.output or any(call.output[: abi.WORD])


def _account(topic: str) -> str:
    return "0x" + topic[-40:]
