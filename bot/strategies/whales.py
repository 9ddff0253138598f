"""What watched wallets do, and large trades of anybody: to know, to trade behind, to hedge or to follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from bot.abi import to_bytes
from bot.amm.pool import Pool
from bot.engine.fees import next_base_fee
from bot.engine.types import Event, Header, MinedTx, NewHead, PendingEffect, Signal, SwapIntent, Trade
from bot.market.market import Market
from bot.market.search import search
from bot.market.view import View
from bot.strategies.backrun import REFINED, Backrun
from bot.strategies.gas import GasPolicy
from bot.strategies.whale_impact import BPS, NATIVE, TRANSFER, Flow, Impact, Look, Moved, Watched, about, flows, moves
from bot.strategies.whale_record import HORIZON, MINED, PENDING, Claim, Record

LASTING = 0.5
"""The probability from which on the advice is to hedge or to follow."""

Decode = Callable[[str | None, bytes, int], tuple[SwapIntent, ...]]
"""From a call's target, data and value to the swaps that it asks for."""


@dataclass(frozen=True, slots=True)
class SizeRule:
    """From which size on a trade of anybody counts: basis points that it makes dearer what it buys in some pool, or wei
    of one of these tokens that go into a pool or come out. None and no tokens: no size does."""

    bps: int | None = None
    worth: Mapping[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.bps is not None or bool(self.worth)

    def fits(self, moved: Sequence[Impact]) -> bool:
        """Whether one of them is that large."""
        return any(
            (self.bps is not None and one.after * BPS >= one.before * (BPS + self.bps))
            or one.amount_in >= self.worth.get(one.token_in, one.amount_in + 1)
            or one.amount_out >= self.worth.get(one.token_out, one.amount_out + 1)
            for one in moved
        )


NO_SIZE = SizeRule()


@dataclass(frozen=True, slots=True)
class _Deed:
    """A transaction, pending or mined, with what it does. ``block`` is the one it is in, or the next one."""

    kind: str
    subject: str
    watched: Watched | None
    hash: str
    block: int
    seen_ns: int
    intents: tuple[SwapIntent, ...]
    moved: Moved
    flows: list[Flow]
    trades: list[Trade]


class Whales:
    """Signals about pending transactions, mined ones, and what became of what was foretold (whale_record.py).

    A transaction counts if a watched wallet sent it or is what it calls, if it moves something between such a wallet
    and an exchange, or if its trades are as large as ``size`` says. ``watch`` is the watch list: of a sender who is not
    on it, and without a rule of size, it is asked twice and that is all. ``decode`` reads calldata. ``backrun`` is the
    strategy of that name, where it has looked at the same event before; ``names`` gives tokens a symbol and decimals.
    """

    name = "whales"

    def __init__(
        self,
        market: Market,
        gas: GasPolicy,
        watch: Look = lambda address: None,
        *,
        decode: Decode = lambda to, data, value: (),
        size: SizeRule = NO_SIZE,
        record: Record | None = None,
        backrun: Backrun | None = None,
        names: Mapping[str, tuple[str, int]] | None = None,
    ) -> None:
        self._market, self._gas, self._watch, self._decode, self._size = market, gas, watch, decode, size
        self.record = Record() if record is None else record
        self._backrun = Backrun(market, gas) if backrun is None else backrun
        self._names = names or {}
        self._hash = market.head.hash if market.head else None
        self._pools: dict[str, Pool | None] = dict(market.pools())  # as of that block

    def process(self, event: Event) -> Sequence[Signal]:
        """The market must have followed a head already."""
        if isinstance(event, PendingEffect):
            tx = event.tx
            watched = self._watch(tx.sender) or self._watch(tx.to)
            return self._pending(event, watched) if watched is not None or self._size else ()
        return self._head(event) if isinstance(event, NewHead) else ()

    # --- pending transactions -----------------------------------------------------------------------------------------

    def _pending(self, event: PendingEffect, watched: Watched | None) -> list[Signal]:
        tx, head = event.tx, self._market.head
        if head is None or tx.hash in self.record or (watched is not None and watched.kind == "ignored"):
            return []
        after, trades = self._backrun.behind(event)
        moved = moves(self._market.view, after, event.logs)
        subject, sent = self._subject(tx.sender, tx.to), flows(self._watch, tx.sender, tx.to, tx.value, event.logs)
        if subject is None:
            wallets = [flow.wallet for flow in sent if self._wallet(flow.wallet)]
            if not wallets and not self._size.fits(moved.impacts):
                return []
            subject = wallets[0] if wallets else tx.sender
        intents = self._decode(tx.to, tx.data, tx.value)
        if not (moved.impacts or moved.unknown or sent or intents):
            return []
        deed = _Deed(
            kind=PENDING,
            subject=subject,
            watched=self._watch(subject),
            hash=tx.hash,
            block=head.number + 1,
            seen_ns=event.seen_ns,
            intents=intents,
            moved=moved,
            flows=sent,
            trades=trades,
        )
        return [self._signal(deed, head)]

    def _subject(self, sender: str, to: str | None) -> str | None:
        """The watched wallet whose transaction it is: the sender, or the contract that it calls (a safe, say)."""
        return sender if self._wallet(sender) else to if self._wallet(to) else None

    def _wallet(self, address: str | None) -> bool:
        watched = self._watch(address)
        return watched is not None and watched.kind == "wallet"

    # --- heads --------------------------------------------------------------------------------------------------------

    def _head(self, event: NewHead) -> list[Signal]:
        header, joins = event.header, event.header.parent_hash == self._hash
        known = self.record.settle(header, not joins, event.transactions, self._market.view)
        found = [self._outcome(claim, happened, event) for claim, happened in known]
        wanted = {place for place, tx in enumerate(event.transactions) if self._concerns(tx)}
        if wanted:
            found += [self._signal(deed, header) for deed in self._mined(event, wanted, joins)]
        self._hash = header.hash
        if joins:
            self._pools.update((pool_id, self._market.pool(pool_id)) for pool_id in self._market.changed)
        else:
            self._pools = dict(self._market.pools())
        return found

    def _concerns(self, tx: MinedTx) -> bool:
        if self._subject(tx.sender, tx.to) is not None:
            return True
        for log in tx.logs:
            if len(log.topics) == 3 and log.topics[0] == TRANSFER:
                giver, taker = (self._watch("0x" + word[26:]) for word in log.topics[1:])
                if giver is not None and taker is not None:
                    return True
        return bool(tx.value) and self._watch(tx.sender) is not None and self._watch(tx.to) is not None

    def _mined(self, event: NewHead, wanted: set[int], joins: bool) -> Iterator[_Deed]:
        """Each with its impact as it was in the block: on what the transactions before it had left."""
        graph, view = self._market.graph, self._parent() if joins else None
        for place in range(max(wanted) + 1):
            tx, before = event.transactions[place], view
            if view is not None and tx.logs:
                view = view.after(tx.logs, None, event.header.timestamp)
            if place not in wanted:
                continue
            subject, sent = self._subject(tx.sender, tx.to), flows(self._watch, tx.sender, tx.to, tx.value, tx.logs)
            moved, logs = Moved([], {}), tx.logs if subject else ()
            if before is None or view is None:
                ids = {graph.ids[slot] for slot, _ in about(graph, logs)}
                moved = Moved([], dict.fromkeys(ids, "the block before is not known"))
            elif logs:
                moved = moves(before, view, logs)
            wallets = [flow.wallet for flow in sent if self._wallet(flow.wallet)]
            if not (moved.impacts or moved.unknown or wallets or (subject and sent)):
                continue
            yield _Deed(
                kind=MINED,
                subject=subject or wallets[0],
                watched=self._watch(subject or wallets[0]),
                hash=tx.hash,
                block=event.header.number,
                seen_ns=event.seen_ns,
                intents=self._decode(tx.to, to_bytes(tx.input), tx.value) if subject else (),
                moved=moved,
                flows=sent,
                trades=self._left([one.pool for one in moved.impacts], event.header),
            )

    def _parent(self) -> View:
        """The market as it was before the head. Pools that came in with it are not known there."""
        graph, changed = self._market.graph, self._market.changed
        before = {pool_id: self._pools.get(pool_id) for pool_id in changed}
        view = self._market.view.with_pools(pool for pool in before.values() if pool is not None)
        gone = (graph.slots[pool_id] for pool_id, pool in before.items() if pool is None)
        return view.without(gone, "not known before this block")

    def _left(self, moved: Sequence[str], head: Header) -> list[Trade]:
        """What the head leaves open through these pools."""
        if not moved:
            return []
        base_fee = next_base_fee(head)
        trades = search(self._market.view, moved, self._gas.least(base_fee), most=1, refined=REFINED)
        return self._gas.paying(trades, base_fee)

    # --- signals ------------------------------------------------------------------------------------------------------

    def _signal(self, deed: _Deed, head: Header) -> Signal:
        first = deed.moved.impacts[0] if deed.moved.impacts else None
        foreseen = deed.hash in self.record  # it was seen pending, and that forecast stands
        confidence, claim = None, None
        if first is not None and first.after > first.before and not foreseen:
            confidence = self.record.confidence(deed.kind, deed.subject)
            claim = self.record.open(deed.kind, deed.subject, deed.hash, first, deed.block)
        behind = self._behind(deed.trades, head)
        data = {
            "what": "pending" if deed.kind == PENDING else "mined",
            "label": None if deed.watched is None else deed.watched.label,
            "intents": [msgspec.to_builtins(intent) for intent in deed.intents],
            "impacts": [_impact_data(one) for one in deed.moved.impacts],
            "unknown": deed.moved.unknown,
            "behind": behind,
            "transfers": [_flow_data(flow) for flow in deed.flows],
        }
        if first is not None and confidence is not None:
            data["advice"] = self._advice(deed, first, confidence)
        if claim is not None:
            data["forecast"] = claim.data()
        text = self._text(deed, first, confidence, behind)
        return Signal(self.name, deed.subject, deed.hash, deed.block, deed.seen_ns, confidence, text, data)

    def _behind(self, trades: Sequence[Trade], head: Header) -> dict[str, Any] | None:
        """The best trade directly behind (of a mined one: through its pools at the head), in the token that gas is paid
        in if there is one: exact gain in wei, and what is left after an estimate of gas (None in another token). None
        where no trade pays."""
        if not trades:
            return None
        best = max(trades, key=lambda trade: (trade.token == self._gas.wrapped, trade.gross_profit))
        gas = self._gas.gas(best.route)
        net = best.gross_profit - gas * next_base_fee(head) if best.token == self._gas.wrapped else None
        return {
            "token": best.token,
            "amount_in": best.amounts[0],
            "gross_profit_wei": best.gross_profit,
            "gas": gas,
            "net_profit_wei": net,
            "pools": [hop.pool for hop in best.route],
        }

    def _advice(self, deed: _Deed, first: Impact, confidence: float) -> dict[str, Any]:
        """What to do behind the trade, never before it: hedge what it sells, follow into what it buys, or neither."""
        own, every = self.record.basis(deed.kind, deed.subject)
        return {
            "stance": self._stance(deed, confidence),
            "hedge": first.token_in,
            "follow": first.token_out,
            "own_record": list(own),
            "all_records": list(every),
        }

    def _stance(self, deed: _Deed, confidence: float) -> str:
        if not self.record.basis(deed.kind, deed.subject)[1][1]:
            return "no record yet"
        return "hedge or follow" if confidence >= LASTING else "neither hedge nor follow"

    def _outcome(self, claim: Claim, happened: bool, event: NewHead) -> Signal:
        if not claim.landed:
            text = f"{claim.subject}: it was not mined"
        else:
            text = f"{claim.subject}: after {HORIZON} blocks {'at least' if happened else 'less than'} half is left"
        text += f" of {float(claim.impact.bps):.1f} bps in {claim.impact.pool}"
        data = {"what": "outcome", "came_true": {"id": claim.id, "happened": happened}, "pool": claim.impact.pool}
        return Signal(self.name, claim.subject, claim.tx, event.header.number, event.seen_ns, None, text, data)

    def _text(self, deed: _Deed, first: Impact | None, confidence: float | None, behind: dict[str, Any] | None) -> str:
        who = deed.subject if deed.watched is None else f"{deed.watched.label} ({deed.subject[:10]})"
        parts = [
            f"{self._amount(one.token_in, one.amount_in)} for {self._amount(one.token_out, one.amount_out)} in "
            f"{one.kind}:{one.pool[:10]}, {float(one.bps):+.1f} bps"
            for one in deed.moved.impacts
        ]
        parts += [
            f"{self._amount(flow.token, flow.amount)} {'to' if flow.inward else 'from'} {flow.label}"
            for flow in deed.flows
        ]
        parts += [f"{pool[:10]} moves, how far is not known" for pool in deed.moved.unknown]
        parts = parts or [f"{len(deed.intents)} swaps asked for, through pools not known here"]
        where = "directly behind it" if deed.kind == PENDING else "through its pools, at the head,"
        if behind is not None:
            parts.append(f"{where} {self._amount(behind['token'], behind['gross_profit_wei'])} before gas")
        elif first is not None:
            parts.append(f"{where} nothing pays for its gas")
        if confidence is not None and first is not None:
            parts.append(f"the move lasts with probability {confidence:.2f}: {self._stance(deed, confidence)}")
        return f"{'pending' if deed.kind == PENDING else 'mined'}: {who}: {'; '.join(parts)}"

    def _name(self, token: str) -> str:
        return "ETH" if token == NATIVE else self._names.get(token, (token[:10], 0))[0]

    def _amount(self, token: str, wei: int) -> str:
        decimals = 18 if token == NATIVE else self._names[token][1] if token in self._names else None
        return f"{wei} wei of {token[:10]}" if decimals is None else f"{wei / 10**decimals:.6g} {self._name(token)}"


def _impact_data(one: Impact) -> dict[str, Any]:
    return {
        "pool": one.pool,
        "kind": one.kind,
        "token_in": one.token_in,
        "token_out": one.token_out,
        "amount_in": one.amount_in,
        "amount_out": one.amount_out,
        "price_before": str(one.before),
        "price_after": str(one.after),
        "bps": round(float(one.bps), 6),
    }


def _flow_data(flow: Flow) -> dict[str, Any]:
    return {
        "token": flow.token,
        "amount": flow.amount,
        "wallet": flow.wallet,
        "exchange": flow.exchange,
        "label": flow.label,
        "direction": "to" if flow.inward else "from",
    }
