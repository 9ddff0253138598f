"""Programs of the executor: from a trade to steps to bytes, and back into words.

A v3 pool pays its output before it asks, in its callback, for the input; a v2 pair can do so too. So a cycle needs no
capital: one hop, the anchor, goes first; in its callback the hops behind it bring home the end of the cycle, then the
hops before it are fed from that and pay the anchor. What is left is the profit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from bot.engine.types import Trade
from bot.execution.steps import (
    MAX_V2_HOPS,
    Deadline,
    Lender,
    Loan,
    Pay,
    Program,
    Recipient,
    Step,
    Tip,
    V2Chain,
    V2Flash,
    V2Hop,
    V3Swap,
    pack,
    spent_tokens,
    unpack,
)

MAINNET_WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"


class Capital(StrEnum):
    """Where the money for the first hop comes from."""

    OWN = "own"  # the executor's balance
    NESTED = "nested"  # the cheapest hop that pays first: the last v3 one, else the last one as a v2 flash swap
    V2_FLASH = "v2_flash"  # the last v2 hop pays first
    LOAN = "loan"  # a lender


@dataclass(frozen=True, slots=True)
class LoanSource:
    """A lender. ``fee`` is wei of the token on the amount of this trade; Morpho takes none."""

    kind: Lender
    address: str
    fee: int = 0


def plan(
    trade: Trade,
    capital: Capital,
    *,
    lender: LoanSource | None = None,
    anchor: int | None = None,
    weth: str = MAINNET_WETH,
) -> list[Step]:
    """Steps of a cycle of v2 and v3 hops. ``anchor`` is the index of the hop that pays first, if the capital's own
    choice is not wanted. A token that is not ``weth`` is named in the steps: the default is right on any chain, the
    chain's own is cheapest.

    Raises ValueError where the trade is not such a cycle, or the capital does not fit it.
    """
    _check(trade)
    planner = _Planner(trade, weth)
    if capital is Capital.OWN:
        return planner.own()
    if capital is Capital.LOAN:
        if lender is None:
            raise ValueError("a loan needs a lender")
        return planner.loan(lender)
    if anchor is None:
        anchor = _anchor(trade, capital)
    return planner.nested(anchor)


def encode(
    steps: list[Step],
    *,
    token: str,
    bid: int = 0,
    min_profit: int = 0,
    deadline: int | None = None,
    weth: str = MAINNET_WETH,
) -> bytes:
    """Calldata of a trade whose profit is in ``token``: at least ``min_profit`` wei of it must be left when the
    builder has got ``bid`` wei; both are checked on chain, as is that ``deadline``, a block number, is not over.

    Raises ValueError for a bid on a trade in another token than ``weth``: nothing would pay it.
    """
    if bid and token != weth:
        raise ValueError(f"a bid is paid in WETH, {weth}, and this trade's profit is in {token}")
    before: list[Step] = [] if deadline is None else [Deadline(deadline)]
    behind: list[Step] = [Tip(bid)] if bid else []
    spent = dict.fromkeys(spent_tokens(steps))
    tokens = tuple(dict.fromkeys([token, *spent])) if spent or token != weth else ()
    return pack(Program((*before, *steps, *behind), min_profit, tokens))


def _check(trade: Trade) -> None:
    route = trade.route
    if len(trade.amounts) != len(route) + 1 or route[0].token_in != route[-1].token_out:
        raise ValueError("not a cycle with one amount more than hops")
    if any(hop.kind not in ("v2", "v3") for hop in route):
        raise ValueError("the executor knows hops of the kinds v2 and v3")
    if len({hop.pool for hop in route}) < len(route):
        raise ValueError("a pool is locked while its own swap goes on: each may be in a route once")


def _anchor(trade: Trade, capital: Capital) -> int:
    kinds = [hop.kind for hop in trade.route]
    wanted = "v2" if capital is Capital.V2_FLASH or "v3" not in kinds else "v3"
    if wanted not in kinds:
        raise ValueError("a v2 flash swap needs a v2 hop")
    return len(kinds) - 1 - kinds[::-1].index(wanted)


class _Planner:
    def __init__(self, trade: Trade, weth: str) -> None:
        self._route, self._amounts, self._weth = trade.route, trade.amounts, weth

    def own(self) -> list[Step]:
        return self._deliver(len(self._route), Recipient.EXECUTOR, base=0)

    def loan(self, lender: LoanSource) -> list[Step]:
        nested = self.own()
        token = self._token(0)
        if lender.kind is Lender.BALANCER_V2:
            nested.append(Pay(self._amounts[0] + lender.fee, token))
        elif lender.fee:
            raise ValueError(f"{lender.kind.name} takes no fee")
        return [Loan(lender.kind, lender.address, self._amounts[0], tuple(nested), token)]

    def nested(self, anchor: int) -> list[Step]:
        end = len(self._route)
        first, behind = self._route[anchor], self._route[anchor + 1 :]
        chained = first.kind == "v3" and bool(behind) and all(hop.kind == "v2" for hop in behind)
        recipient = Recipient.NESTED_POOL if chained else Recipient.EXECUTOR
        home = self._deliver(end, Recipient.EXECUTOR, base=anchor + 1, prepaid=chained)
        repay = self._deliver(anchor, Recipient.CALLER, base=0)
        return [self._first(anchor, recipient, [*home, *repay])]

    def _first(self, index: int, recipient: Recipient, nested: list[Step]) -> Step:
        """Hop ``index`` as a swap that pays first; a pair sends to the executor only."""
        hop, amount_in, amount_out = self._route[index], self._amounts[index], self._amounts[index + 1]
        if hop.kind == "v3":
            return V3Swap(hop.pool, hop.zero_for_one, amount_in, recipient, tuple(nested))
        return V2Flash(hop.pool, hop.zero_for_one, amount_out, tuple(nested))

    def _deliver(self, index: int, to: Recipient, *, base: int, prepaid: bool = False) -> list[Step]:
        """Steps that bring the input of hop ``index`` (of the end of the cycle) to ``to``, out of the input of hop
        ``base``, which the executor holds (or, ``prepaid``, which the pair ``base`` has got already)."""
        if index == base:
            return [Pay(self._amounts[base], self._token(base))] if to is Recipient.CALLER else []
        last = self._route[index - 1]
        if last.kind == "v3":
            return [self._first(index - 1, to, self._deliver(index - 1, Recipient.CALLER, base=base, prepaid=prepaid))]
        start = index - 1
        while start > base and self._route[start - 1].kind == "v2":
            start -= 1
        if index - start > MAX_V2_HOPS:
            raise ValueError(f"a chain has 1 to {MAX_V2_HOPS} pairs, not {index - start}")
        hops = tuple(
            V2Hop(hop.pool, hop.zero_for_one, out)
            for hop, out in zip(self._route[start:index], self._amounts[start + 1 : index + 1], strict=True)
        )
        to_caller = to is Recipient.CALLER
        if start > base:
            return [*self._deliver(start, Recipient.NEXT_POOL, base=base, prepaid=prepaid), V2Chain(hops, to_caller)]
        if prepaid:
            return [V2Chain(hops, to_caller)]
        return [V2Chain(hops, to_caller, self._amounts[base], self._token(base))]

    def _token(self, index: int) -> str | None:
        token = self._route[index].token_in
        return None if token == self._weth else token


# --- to words --------------------------------------------------------------------------------------------------------

_TO_WORDS = {
    Recipient.EXECUTOR: "the executor",
    Recipient.CALLER: "the caller",
    Recipient.NESTED_POOL: "the first pair below",
    Recipient.NEXT_POOL: "the first pair of the next step",
}


def decode(program: bytes) -> list[str]:
    """The program in words, a line a step, nested steps indented. Raises UserError where it is not a program."""
    read = unpack(program)
    first = read.tokens[0] if read.tokens else "WETH"
    others = "".join(f", no less {token}" for token in ("WETH", *read.tokens[1:]) if read.tokens)
    return [*_words(read.steps, ""), f"check: at least {read.minimum} more {first} than at the start{others}"]


def _words(steps: Iterable[Step], indent: str) -> Iterator[str]:
    for step in steps:
        yield indent + _step_words(step)
        if isinstance(step, V3Swap | V2Flash | Loan):
            yield from _words(step.nested, indent + "  ")


def _step_words(step: Step) -> str:
    match step:
        case V2Chain():
            paid = "" if step.pay is None else f"pay {step.pay} {step.token or 'WETH'} to the first; "
            pairs = " → ".join(f"{hop.pool} {_side(hop.zero_for_one)} out {hop.amount_out}" for hop in step.hops)
            return f"v2 chain: {paid}{pairs} → {'the caller' if step.to_caller else 'the executor'}"
        case V3Swap():
            to = _TO_WORDS[step.recipient]
            return f"v3 swap: {step.pool} {_side(step.zero_for_one)} in {step.amount}, to {to}; in its callback:"
        case V2Flash():
            return f"v2 flash: {step.pool} {_side(step.zero_for_one)} out {step.amount}; in its callback:"
        case Pay():
            return f"pay: {step.amount} {step.token or 'WETH'} to {step.to or 'the caller'}"
        case Loan():
            name = step.kind.name.lower().replace("_", " ")
            return f"loan: {step.amount} {step.token or 'WETH'} from {name} {step.lender}; in its callback:"
        case Tip():
            return f"tip: {step.amount} WETH, unwrapped, to the block's builder"
        case Deadline():
            return f"deadline: not after block {step.block}"


def _side(zero_for_one: bool) -> str:
    return "0→1" if zero_for_one else "1→0"
