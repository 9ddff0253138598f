"""From opportunities to bundles at relays: plan, prove, check, journal, sign, send, and learn the outcome."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections import Counter, deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field

import structlog

from bot.engine.clock import Clock
from bot.engine.types import (
    Bundle,
    Deal,
    Event,
    Header,
    Hint,
    Intent,
    NewHead,
    Opportunity,
    Outcome,
    PendingTx,
    Reason,
    Transaction,
)
from bot.execution import access_list, paper
from bot.execution.accounts import Operator, Operators
from bot.execution.bid import BidPolicy, bid_of
from bot.execution.book import Book
from bot.execution.capital import Funding, Offer, cheapest, fundings
from bot.execution.outcomes import from_receipt
from bot.execution.program import encode, plan
from bot.execution.prove import Proof, ProofFailed, Prover
from bot.execution.relay import Relay
from bot.jsonrpc import JsonRpc, RpcError, RpcUnreachable
from bot.ledger.ledger import Ledger
from bot.risk.limits import RiskGate
from bot.simulation.fork import HeadFork, call_of
from bot.simulation.types import AccessList, Call

logger = structlog.get_logger(__name__)

GAS_MARGIN_BPS = 12_000  # gas limit over the proven gas, basis points
PROOF_GAS = 3_000_000  # gas limit while proving
PRESTATE = {"tracer": "prestateTracer"}
HEAD_WAITS = 0.02  # seconds, for the answers of relays
ENDED = 1024  # settled intents that a reorganisation can bring back


class Refused(Exception):
    """We decided not to take an opportunity."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason, self.detail = reason, detail


@dataclass(slots=True)
class Open:
    """An intent whose outcome is not known yet, and what each relay said of it. ``mined``: a block holds it."""

    intent: Intent
    mined: bool = False
    counted: bool = False  # among its operator's mined transactions
    superseded: str | None = None  # why it was taken back
    handing: list[asyncio.Task[None]] = field(default_factory=list)
    accepted: dict[str, str] = field(default_factory=dict)  # relay → bundle hash
    errors: dict[str, RpcError | RpcUnreachable] = field(default_factory=dict)


@dataclass(slots=True)
class Stats:
    """What the executor did in this run. Latencies: nanoseconds from a pending transaction seen to the
    relay's answer to the bundle behind it."""

    submitted: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    latencies_ns: list[int] = field(default_factory=list)


class BundleExecutor:
    """Takes each opportunity or says why not. Everything that can spend is in the ledger before it is sent.

    ``book`` is the one behind the executor's code, ``offers`` are WETH's lenders. In paper mode (``operators`` is
    None) it stops after the proof. As an adapter it settles, at each head, what was meant for that block; it must come
    before the strategies.
    """

    def __init__(
        self,
        *,
        contract: str,
        weth: str,
        fork: HeadFork,
        prover: Prover,
        node: JsonRpc,
        ledger: Ledger,
        risk: RiskGate,
        bids: BidPolicy,
        relays: Sequence[Relay],
        operators: Operators | None,
        chain_id: int,
        run: int,
        clock: Clock,
        book: Book = Book.EMPTY,
        offers: Sequence[Offer] = (),
    ) -> None:
        self._contract, self._weth, self._book, self._offers = contract, weth, book, offers
        self._fork, self._prover, self._node = fork, prover, node
        self._ledger, self._risk, self._bids, self._relays = ledger, risk, bids, list(relays)
        self._operators, self._chain_id, self._run, self._clock = operators, chain_id, run, clock
        self._open: dict[str, Open] = {}
        self._found: list[Opportunity] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._ended: deque[Open] = deque(maxlen=ENDED)
        self._closing = False
        self._learned = access_list.Learned()
        self._learning: list[tuple[tuple[str, ...], asyncio.Task[AccessList]]] = []
        self.stats = Stats()

    # --- decide ------------------------------------------------------------------------------------------------------

    async def execute(self, opportunities: Sequence[Opportunity]) -> None:
        """Decides on each, best first; returns when all are decided and journalled. Sending goes on by itself."""
        self._found.extend(opportunities)
        for opportunity in sorted(opportunities, key=lambda o: (-o.trade.gross_profit, o.id)):
            try:
                await self._take(opportunity)
            except Refused as refusal:
                self.stats.refused[refusal.reason] += 1
                logger.debug("not taken", opportunity=opportunity.id, reason=refusal.reason, detail=refusal.detail)

    async def _take(self, opportunity: Opportunity) -> None:
        rivals = self._rivals(opportunity)
        # with the head: on another branch the same opportunity is another intent
        origin = f"{self._run}:{self._fork.head.hash}:{opportunity.id}"
        intent_id = hashlib.sha256(origin.encode()).hexdigest()[:16]
        if self._operators is None:
            await self._prove(opportunity, sender=paper.OWNER)
            raise Refused(Reason.PAPER)
        operator = self._operators.take(intent_id)
        if operator is None:
            raise Refused(Reason.NO_OPERATOR)
        nonce = self._ledger.reserve_nonce(operator.signer.address, operator.mined)
        try:
            intent = await self._decide(intent_id, opportunity, operator, nonce)
            numbers = self._ledger.record_intent(intent, [relay.name for relay in self._relays])
        except BaseException:
            self._ledger.release_nonce(operator.signer.address, nonce)
            self._operators.release(intent_id)
            raise
        for rival in rivals:
            self._take_back(rival, f"by intent {intent.id}")
        self._send(intent, numbers)

    def _rivals(self, opportunity: Opportunity) -> list[Open]:
        """Open intents that cannot hold beside this one and are worth less together. Raises Refused."""
        if self._closing:
            raise Refused(Reason.CLOSING)
        if opportunity.block_number != self._fork.block.number:
            raise Refused(Reason.STALE)
        rivals = [
            entry
            for entry in self._open.values()
            if entry.superseded is None and exclude(entry.intent.opportunity, opportunity)
        ]
        theirs = sum(entry.intent.opportunity.trade.gross_profit for entry in rivals)
        if rivals and theirs >= opportunity.trade.gross_profit:
            raise Refused(Reason.CONFLICT, f"intent {rivals[0].intent.id} excludes it")
        return rivals

    async def _decide(self, intent_id: str, opportunity: Opportunity, operator: Operator, nonce: int) -> Intent:
        sender, base_fee = operator.signer.address, self._fork.block.base_fee
        program, bid, predicted, proof = await self._prove(opportunity, sender=sender)
        gas_limit = proof.gas * GAS_MARGIN_BPS // 10_000 + access_list.cost(proof.access_list)
        refusal = self._risk.check(
            opportunity,
            bid=bid,
            premium=opportunity.trade.gross_profit - bid - predicted,
            gas_cost=proof.gas * base_fee,
            gas_price=base_fee,
            head_timestamp=self._fork.head.timestamp,
        )
        if refusal:
            raise Refused(Reason.RISK_REFUSED, refusal)
        raw, tx_hash = operator.signer.sign_transaction(
            chain_id=self._chain_id,
            nonce=nonce,
            to=self._contract,
            data=program,
            gas=gas_limit,
            max_fee_per_gas=base_fee,  # exact for the target block: in a dearer one it cannot be mined
            max_priority_fee_per_gas=0,  # the builder is paid by the program, and only out of profit
            access_list=proof.access_list,
        )
        return Intent(intent_id, opportunity, sender, nonce, program, bid, gas_limit, predicted, raw, tx_hash)

    async def _prove(self, opportunity: Opportunity, sender: str) -> tuple[bytes, int, int, Proof]:
        """Program, bid, what is left then, and proof of a trade that did on the fork, to the wei, what was computed."""
        trade, base_fee = opportunity.trade, self._fork.block.base_fee
        if trade.token != self._weth:  # gas and bid are ETH, and nothing here says what that is in this token
            raise Refused(Reason.NOT_PROFITABLE, f"a profit in {trade.token} does not compare with gas")
        funding = self._funding(trade)
        gained = trade.gross_profit - funding.fee
        bid_bps = self._bids.bid_bps(gained, opportunity.gas * base_fee)
        bid = bid_of(gained, bid_bps)
        if not self._bids.worth_it(gained, opportunity.gas * base_fee, bid):
            raise Refused(Reason.NOT_PROFITABLE)
        promised = gained - bid
        try:
            program = encode(
                plan(trade, funding.capital, lender=funding.lender, weth=self._weth, book=self._book),
                token=trade.token,
                bid_bps=bid_bps,
                min_profit=promised,
                deadline=opportunity.block_number,
                weth=self._weth,
                book=self._book,
            )
        except ValueError as error:  # an amount or a number of tokens that no program holds
            raise Refused(Reason.SIMULATION_FAILED, f"not to be written as a program: {error}") from None
        before = [call_of(tx, base_fee) for tx in _in_front(opportunity)]
        ours = Call(sender, self._contract, program, gas=PROOF_GAS, gas_price=base_fee)
        try:
            proof = await self._prover.prove(
                [*before, ours], self._contract, trade.token, self._learned.of(_shape(opportunity))
            )
        except ProofFailed as failure:
            raise Refused(failure.reason, failure.detail) from None
        if proof.realised != promised:
            raise Refused(Reason.SIMULATION_FAILED, f"realised {proof.realised} wei, predicted {promised}")
        if not self._bids.worth_it(gained, proof.gas * base_fee, bid):
            raise Refused(Reason.NOT_PROFITABLE)
        return program, bid, promised, proof

    def _funding(self, trade: Deal) -> Funding:
        """Its pools can pay first, or a lender; the executor's own WETH is not counted on, since its owner may withdraw
        it."""
        funding = cheapest(trade, fundings(trade, offers=self._offers), base_fee=self._fork.block.base_fee)
        if funding is None:
            raise Refused(Reason.NO_CAPITAL, f"no lender has {trade.needed} wei of {trade.token}")
        return funding

    # --- send --------------------------------------------------------------------------------------------------------

    def _send(self, intent: Intent, numbers: Sequence[int]) -> None:
        opportunity = intent.opportunity
        before = _in_front(opportunity)
        bundle = Bundle(
            txs=(*(tx.raw for tx in before), intent.raw),
            hashes=(*(tx.hash for tx in before), intent.tx_hash),
            own=len(before),
            block_number=opportunity.block_number,
        )
        entry = Open(intent)
        self._open[intent.id] = entry
        self.stats.submitted += 1
        for relay, number in zip(self._relays, numbers, strict=True):
            entry.handing.append(self._spawn(self._hand_over(entry, bundle, relay, number)))

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sent)
        return task

    def _sent(self, task: asyncio.Task[None]) -> None:
        """What raised stays, for ``drain`` to raise."""
        if task.cancelled() or task.exception() is None:
            self._sending.discard(task)

    def _take_back(self, rival: Open, why: str) -> None:
        """Two of our bundles on one pool would make both predictions wrong: the lesser one is cancelled. Relays do
        not promise that; its operator stays bound until its block has come."""
        rival.superseded = why
        for relay in self._relays:
            self._spawn(self._cancel(rival, relay))

    async def _cancel(self, rival: Open, relay: Relay) -> None:
        await asyncio.wait(rival.handing)  # a bundle that arrives behind its cancellation would stay
        try:
            await relay.cancel_bundle(_uuid(rival.intent))
        except (RpcError, RpcUnreachable) as error:
            logger.warning("bundle not taken back", intent=rival.intent.id, relay=relay.name, error=str(error))

    async def _hand_over(self, entry: Open, bundle: Bundle, relay: Relay, number: int) -> None:
        try:
            bundle_hash = await relay.send_bundle(bundle, _uuid(entry.intent))
        except (RpcError, RpcUnreachable) as error:
            entry.errors[relay.name] = error
            self._ledger.record_answer(number, error=str(error))
            return
        if entry.intent.opportunity.behind:
            self.stats.latencies_ns.append(self._clock.now_ns() - entry.intent.opportunity.seen_ns)
        entry.accepted[relay.name] = bundle_hash
        self._ledger.record_answer(number, bundle_hash=bundle_hash)

    async def drain(self) -> None:
        """Waits until every relay has answered. What a hand-over raised (a ledger that cannot be written, a bug) is
        raised here."""
        while self._sending:
            await asyncio.gather(*self._sending)

    async def _answers(self) -> None:
        """The same, but no longer than a head may wait."""
        if self._sending:
            done, _ = await asyncio.wait(self._sending, timeout=HEAD_WAITS)
            for task in done:
                task.result()

    def close(self) -> None:
        """Takes no further opportunity. What is under way is settled at the next heads, while ``open`` is not zero."""
        self._closing = True

    @property
    def open(self) -> int:
        """Intents whose outcome is not known yet."""
        return len(self._open)

    async def finish(self) -> None:
        """The last call: waits for the relays and records what was found since the last head."""
        await self.drain()
        for _, task in self._learning:
            task.cancel()
        self._record_found()

    def _record_found(self) -> None:
        self._ledger.record_opportunities(self._found)
        self._found.clear()

    # --- learn -------------------------------------------------------------------------------------------------------

    async def adapt(self, event: Event) -> Event | None:
        """Settles intents whose block has come, and takes back those behind a transaction that was replaced: they
        cannot land, and would stand in the way of one behind the new transaction."""
        if isinstance(event, PendingTx) and event.replaces is not None:
            for entry in self._open.values():
                behind = entry.intent.opportunity.behind
                if behind is not None and behind.hash == event.replaces and entry.superseded is None:
                    self._take_back(entry, f"its sender replaced {behind.hash} by {event.tx.hash}")
        if isinstance(event, NewHead):
            self._record_found()
            self._learn()
            await self._answers()
            if event.header.parent_hash != self._fork.head.hash:  # the fork follows after us: still the old head
                self._reopen(event.header.number)
            due = [e for e in self._open.values() if e.intent.opportunity.block_number <= event.header.number]
            for entry in due:
                if event.header.number == entry.intent.opportunity.block_number:
                    entry.mined = any(tx.hash == entry.intent.tx_hash for tx in event.transactions)
            try:
                for entry in due:
                    if all(task.done() for task in entry.handing):  # else at the next head: this one must not wait
                        await self._settle(entry, event.header)
            except (RpcError, RpcUnreachable) as error:
                logger.warning("outcomes not known yet: asked again at the next head", error=str(error))
        return event

    def _reopen(self, number: int) -> None:
        """Blocks from ``number`` on were undone: what was read off them is asked anew."""
        for entry in [e for e in self._ended if e.intent.opportunity.block_number >= number]:
            self._ended.remove(entry)
            self._open[entry.intent.id] = entry

    async def _settle(self, entry: Open, head: Header) -> None:
        intent = entry.intent
        receipt = await self._node.call("eth_getTransactionReceipt", intent.tx_hash)
        if receipt is None and entry.mined:
            return  # the node indexes behind its head: asked again at the next one
        if receipt is not None:
            outcome = from_receipt(intent, receipt, self._contract)
        else:
            outcome = Outcome(intent.id, *await self._why_not(entry), block_number=head.number)
        assert self._operators is not None
        self._ledger.record_outcome(outcome)
        del self._open[intent.id]
        self._operators.release(intent.id)
        self._operators.count(intent.sender, (receipt is not None) - entry.counted)
        entry.counted = receipt is not None
        self._ended.append(entry)
        if outcome.reason is Reason.LANDED:
            self._learning.append((_shape(intent.opportunity), asyncio.create_task(self._touched(intent))))
        log = logger.error if outcome.reason is Reason.REVERTED else logger.debug
        log("outcome", intent=intent.id, reason=outcome.reason, detail=outcome.detail, block=head.number)

    async def _touched(self, intent: Intent) -> AccessList:
        """What a landed trade touched; nothing where the node cannot tell."""
        try:
            return access_list.from_prestate(await self._node.call("debug_traceTransaction", intent.tx_hash, PRESTATE))
        except (RpcError, RpcUnreachable):
            return ()

    def _learn(self) -> None:
        """At a head: what is known by then of the trades in the last one."""
        for shape, task in self._learning:
            if task.done() and not task.cancelled() and task.result():
                self._learned.remember(shape, task.result())
        self._learning = [(shape, task) for shape, task in self._learning if not task.done()]

    async def _why_not(self, entry: Open) -> tuple[Reason, str]:
        if entry.superseded:
            return Reason.SUPERSEDED, entry.superseded
        if not entry.accepted:
            refused = [error for error in entry.errors.values() if isinstance(error, RpcError)]
            detail = "; ".join(f"{name}: {error}" for name, error in entry.errors.items())
            return (Reason.RELAY_REFUSED if refused else Reason.RELAY_UNREACHABLE), detail
        for relay in self._relays:
            if relay.name in entry.accepted:
                try:
                    said = await relay.bundle_status(entry.accepted[relay.name])
                except RpcUnreachable:
                    continue
                if said:
                    return Reason.NOT_INCLUDED, f"{relay.name}: {said}"
        return Reason.NOT_INCLUDED, ""


def _in_front(opportunity: Opportunity) -> tuple[Transaction, ...]:
    """Whose transaction stands before ours. Raises Refused for a private one, which can be neither proven nor sent, and
    for one that is not as it was told: a bundle would carry another one than was simulated."""
    if isinstance(opportunity.behind, Hint):
        why = f"of the transaction behind hint {opportunity.behind.hash} only its sender's relay has the signed bytes"
        raise Refused(Reason.SIMULATION_FAILED, why)
    if opportunity.behind is None:
        return ()
    try:
        opportunity.behind.raw  # noqa: B018 # made, and proven, when it is first read
    except ValueError as error:
        raise Refused(Reason.SIMULATION_FAILED, str(error)) from None
    return (opportunity.behind,)


def exclude(one: Opportunity, other: Opportunity) -> bool:
    """Whether taking one makes the other's prediction wrong: a pool in common, or the same transaction in front."""
    if one.behind is not None and other.behind is not None and one.behind.hash == other.behind.hash:
        return True
    return not one.pools.isdisjoint(other.pools)


def _shape(opportunity: Opportunity) -> tuple[str, ...]:
    """Trades of one shape do the same in the same contracts, with other amounts."""
    return (opportunity.trade.token, *(hop.pool for hop in opportunity.trade.route))


def _uuid(intent: Intent) -> str:
    """The replacement uuid of an intent's bundle."""
    return str(uuid.UUID(bytes=hashlib.sha256(intent.id.encode()).digest()[:16], version=4))
