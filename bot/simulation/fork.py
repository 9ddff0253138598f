"""The state at the head, in process: what a transaction would do in the next block."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Container, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace

import structlog

from bot.abi import to_bytes
from bot.engine.fees import next_base_fee
from bot.engine.types import (
    AccountDiff,
    Event,
    Header,
    Log,
    NewHead,
    PendingEffect,
    PendingTx,
    StateDiff,
    Transaction,
)
from bot.jsonrpc import JsonRpc, RpcError, RpcUnreachable
from bot.simulation.revm import ForkEvm
from bot.simulation.triage import Triage
from bot.simulation.types import BlockContext, Call, CallResult, UnrecordedState

logger = structlog.get_logger(__name__)

Lacking = Callable[[Sequence[Log]], Mapping[str, Iterable[int]]]
"""From a transaction's logs to the slots, by contract, that its effect has to tell besides."""

FORK_AGE = 96  # blocks: what was not read yet is read as of the fork, and nodes keep the state of the last 128
READ_AHEAD_SECONDS = 1.0
PREVIEW_GAS = 3_000_000  # what a stranger's transaction may keep us busy with
_ACCOUNT = ("eth_getBalance", "eth_getTransactionCount", "eth_getCode")
READ_AHEAD = 13  # slots from 0 on: all that a v2 pair has but mappings, and a v3 pool's prices and fees


def call_of(tx: Transaction, base_fee: int) -> Call:
    """A signed transaction as a call to simulate, at the gas price it would pay."""
    price = min(tx.max_fee_per_gas, base_fee + tx.max_priority_fee_per_gas)
    return Call(tx.sender, tx.to, tx.data, tx.value, tx.gas, price, tx.access_list)


class HeadFork:
    """Follows the head by state diffs, or forks anew: where there are none, after a reorg, and now and then.

    ``block`` is the next block as far as it can be known: time and base fee exact, builder and randomness the head's.
    ``overrides`` is state assumed on top of every head. ``warm`` are contracts read ahead, so that the first
    transaction through them does not wait for the node slot by slot. ``lacking`` says which slots a pending transaction
    is to be run for once more; without it none is.

    ``wanted`` tells the logs for whose sake pending transactions are simulated, those of known pools say: one that
    leaves none has no effect here, and kinds of calls that leave none are soon passed over (Triage; ``subject`` is
    its). Without it all are simulated, and all that go through are effects. Whatever sends or gets one of the
    ``watched`` accounts' transactions is simulated, be it ether alone. ``looked`` counts how it went.
    """

    def __init__(
        self,
        url: str,
        head: Header,
        *,
        chain_id: int,
        block_time: int,
        overrides: StateDiff | None = None,
        warm: Collection[str] = (),
        lacking: Lacking | None = None,
        wanted: Callable[[Log], bool] | None = None,
        subject: Callable[[Transaction], Hashable] = lambda tx: None,
        watched: Container[str | None] = (),
    ) -> None:
        self._wanted, self._watched = wanted, watched
        self._triage = Triage(subject) if wanted else None
        self.looked: Counter[str] = Counter()
        self._url, self._chain_id, self._block_time = url, chain_id, block_time
        self._overrides, self._warm, self._lacking = overrides or {}, warm, lacking
        self._fork_at(head)

    def run(self, calls: Sequence[Call]) -> list[CallResult]:
        """Runs calls in the next block and rolls back. Access lists are left out: they change gas only, and a second
        call's gas is a lower bound here anyway. Raises UnrecordedState."""
        return self._evm.run([replace(call, access_list=()) for call in calls], self.block)

    async def adapt(self, event: Event) -> Event | None:
        """Keeps in step with heads; turns a pending transaction into its effect, or swallows it where it has none."""
        if isinstance(event, NewHead):
            self._follow(event)
        elif isinstance(event, PendingTx):
            return self._preview(event)
        return event

    # --- accounts read ahead ------------------------------------------------------------------------------------------

    def lacks(self, tx: Transaction) -> tuple[str, ...]:
        """The accounts that would be waited for, one by one and with all else standing still, if it were simulated now:
        whoever passes transactions on has ``read`` them before."""
        if tx.sender in self._accounts or tx.max_fee_per_gas < self.block.base_fee:
            return ()
        if not self._is_watched(tx) and not (tx.data and self._matters(tx)):
            return ()
        return (tx.sender,) if tx.to is None or tx.to in self._accounts else (tx.sender, tx.to)

    async def read(self, node: JsonRpc, accounts: Collection[str]) -> None:
        """Reads them in one request; once more where there is a new head meanwhile, for right behind it nodes are slow.
        Where that fails they are waited for later."""
        wanted = [each for each in accounts if each not in self._accounts]
        for _ in range(2):
            head = self.head
            asked = [(method, [each, hex(head.number)]) for each in wanted for method in _ACCOUNT]
            try:
                answers = await node.batch(asked)
            except (RpcUnreachable, RpcError) as error:
                logger.warning("accounts not read ahead", count=len(wanted), error=str(error))
                return
            if self.head is head:
                break
        else:
            return
        for place, each in enumerate(wanted):
            balance, nonce, code = answers[3 * place : 3 * place + 3]
            if each not in self._accounts and all(isinstance(answer, str) for answer in (balance, nonce, code)):
                self._evm.apply({each: AccountDiff(int(balance, 16), int(nonce, 16), to_bytes(code))})
                self._accounts.add(each)

    # --- the head -----------------------------------------------------------------------------------------------------

    def _follow(self, event: NewHead) -> None:
        old = event.header.number - self._forked_at >= FORK_AGE
        if event.diff is None or old or event.header.parent_hash != self.head.hash:
            self._fork_at(event.header)
            return
        self._evm.apply(event.diff)
        self._accounts.update(event.diff)
        self._evm.apply({address: self._overrides[address] for address in event.diff.keys() & self._overrides.keys()})
        self._at(event.header)

    def _fork_at(self, head: Header) -> None:
        self._evm = ForkEvm(self._url, head.hash, chain_id=self._chain_id, gas_limit=head.gas_limit)
        self._evm.apply(self._overrides)
        self._accounts = set(self._overrides)
        self._forked_at = head.number
        self._read_ahead()
        self._at(head)

    def _read_ahead(self) -> None:
        end = time.monotonic() + READ_AHEAD_SECONDS
        try:
            for address in self._warm:
                if time.monotonic() > end:
                    return  # a distant node: what is needed is read when it is needed
                self._evm.prefetch([address])
                self._accounts.add(address)
                for slot in range(READ_AHEAD):
                    self._evm.storage(address, slot)
        except UnrecordedState as error:
            logger.warning("state not read ahead", error=str(error))

    def _at(self, head: Header) -> None:
        self.head = head
        self.block = BlockContext(
            number=head.number + 1,
            timestamp=head.timestamp + self._block_time,
            base_fee=next_base_fee(head),
            coinbase=head.coinbase,
            gas_limit=head.gas_limit,
        )

    # --- pending transactions -----------------------------------------------------------------------------------------

    def _preview(self, event: PendingTx) -> PendingEffect | None:
        tx = event.tx
        watched = self._is_watched(tx)
        if tx.max_fee_per_gas < self.block.base_fee:
            return self._passed("cannot be in the next block")
        if not tx.data and not watched:
            return self._passed("ether alone")
        kind = None if watched or self._triage is None else self._triage.kind(tx)
        if kind is not None and self._triage is not None and not self._triage.worth(kind):
            return self._passed("of a kind that does not matter")
        try:
            return self._simulated(event, watched, kind)
        except UnrecordedState as error:
            logger.warning("pending transaction not simulated", hash=tx.hash, error=str(error))
            return self._passed("not simulated")

    def _simulated(self, event: PendingTx, watched: bool, kind: Hashable) -> PendingEffect | None:
        """Raises UnrecordedState."""
        tx = event.tx
        if self._evm.nonce(tx.sender) != tx.nonce:
            return self._passed("waits for another one of its sender")
        call = call_of(tx, self.block.base_fee)
        call = replace(call, gas=min(call.gas, PREVIEW_GAS), access_list=())
        (result,) = self._evm.run([call], self.block)
        touched = self._wanted is None or any(map(self._wanted, result.logs))
        if kind is not None and self._triage is not None:
            self._triage.learn(kind, tx, touched=touched and result.success, success=result.success)
        if not result.success:
            return self._passed("fails")
        if not touched and not watched:
            return self._passed("touches nothing wanted")
        slots = self._lacking(result.logs) if self._lacking and result.logs else {}
        diff = self._evm.changes(call, self.block, slots)[1] if slots else None
        self.looked["effect"] += 1
        return PendingEffect(tx, result.logs, result.gas_used, event.seen_ns, diff)

    def _is_watched(self, tx: Transaction) -> bool:
        return tx.sender in self._watched or tx.to in self._watched

    def _matters(self, tx: Transaction) -> bool:
        return self._triage is None or self._triage.matters(self._triage.kind(tx))

    def _passed(self, why: str) -> PendingEffect | None:
        self.looked[why] += 1
        return None
