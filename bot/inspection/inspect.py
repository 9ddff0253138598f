"""A block inspected: everything that somebody took in it, with what was paid for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bot.inspection.arbitrage import Arbitrage, arbitrages
from bot.inspection.block import ETHER, Block, Payments, Tx, payments
from bot.inspection.liquidation import Liquidation
from bot.inspection.liquidations import liquidations
from bot.inspection.prices import Prices
from bot.inspection.sandwich import Sandwich, Traded, sandwiches
from bot.inspection.swaps import swaps
from bot.inspection.transfers import Flow, flow, net

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Find:
    """One thing taken. ``transactions`` are the taker's: one, or a sandwich's two. ``profit`` is by token in its
    smallest unit, before all payments; ``worth`` the same in wei, None where the block's pools do not price all of it.
    """

    what: Arbitrage | tuple[Liquidation, ...] | Sandwich
    transactions: tuple[Tx, ...]
    profit: dict[str, int]
    worth: int | None
    paid: Payments

    @property
    def kind(self) -> str:
        """arbitrage, liquidation or sandwich."""
        if isinstance(self.what, Arbitrage):
            return "arbitrage"
        return "sandwich" if isinstance(self.what, Sandwich) else "liquidation"

    @property
    def net(self) -> int | None:
        """Wei left to the taker after the builder's share and what was burnt; None where a part of it is not known."""
        return None if self.worth is None or self.paid.total is None else self.worth - self.paid.total


@dataclass(frozen=True, slots=True)
class Inspection:
    """``finds`` in the block's order. ``swaps`` is how many swaps took effect."""

    block: Block
    finds: tuple[Find, ...]
    swaps: int


def inspect(block: Block, progress: Progress = lambda what, done, count: None) -> Inspection:
    """Everything in a block. What a liquidation's transaction traded besides belongs to the liquidation, and what one
    of a sandwich's did to the sandwich."""
    traded: list[Traded] = []
    found: list[tuple[Arbitrage | tuple[Liquidation, ...], Flow]] = []
    for tx in block.transactions:
        if tx.root is not None or tx.logs:
            moved = flow(tx, block.wrapped)
            own = swaps(moved)
            traded.append(Traded(tx, tuple(own)))
            liquidated = tuple(liquidations(moved))
            taken = [liquidated] if liquidated else arbitrages(own, block.wrapped)
            found += [(what, moved) for what in taken]
        progress("transactions", tx.index + 1, len(block.transactions))
    every = [swap for item in traded for swap in item.swaps]
    prices = Prices(every, block.wrapped)
    around = sandwiches(traded, block.wrapped)
    parts = {index for one in around for index in (one.front, one.back)}
    finds = [
        _taken(what, moved, block, prices)
        for what, moved in found
        if moved.tx.index not in parts or not isinstance(what, Arbitrage)
    ]
    by_index = {tx.index: tx for tx in block.transactions}
    finds += [_sandwiched(one, by_index, block, prices) for one in around]
    finds.sort(key=lambda find: find.transactions[0].index)
    return Inspection(block, tuple(finds), len(every))


def _taken(what: Arbitrage | tuple[Liquidation, ...], moved: Flow, block: Block, prices: Prices) -> Find:
    paid = payments(moved.tx, block)
    profit = what.profit if isinstance(what, Arbitrage) else _liquidators(what, moved, block.wrapped, paid)
    return Find(what, (moved.tx,), profit, prices.ether(profit), paid)


def _sandwiched(sandwich: Sandwich, by_index: dict[int, Tx], block: Block, prices: Prices) -> Find:
    both = by_index[sandwich.front], by_index[sandwich.back]
    paid = _sum(payments(tx, block) for tx in both)
    return Find(sandwich, both, sandwich.profit, prices.ether(sandwich.profit), paid)


def _liquidators(what: tuple[Liquidation, ...], moved: Flow, wrapped: str, paid: Payments) -> dict[str, int]:
    """What whoever took part on the liquidator's side has more of: signer, called contract, the one that repaid. What
    they gave the builder counts as theirs, since profit is told before payments."""
    side = {moved.tx.sender, moved.tx.to or "", *(one.liquidator for one in what)}
    change: dict[str, int] = defaultdict(int)
    for account in side:
        for token, amount in net((*moved.transfers, *moved.ether), account).items():
            change[wrapped if token == ETHER else token] += amount
    change[wrapped] += paid.direct or 0
    return {token: amount for token, amount in change.items() if amount}


def _sum(paid: Iterable[Payments]) -> Payments:
    one, other = paid
    pairs = (one.priority, other.priority), (one.direct, other.direct), (one.burnt, other.burnt)
    return Payments(*(_add(*pair) for pair in pairs))


def _add(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
