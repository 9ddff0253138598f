"""The state at the head, in process: what a transaction would do in the next block."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import structlog

from bot.engine.fees import next_base_fee
from bot.engine.types import Event, Header, Log, NewHead, PendingEffect, PendingTx, StateDiff, Transaction
from bot.simulation.revm import ForkEvm
from bot.simulation.types import BlockContext, Call, CallResult, UnrecordedState

logger = structlog.get_logger(__name__)

Lacking = Callable[[Sequence[Log]], Mapping[str, Iterable[int]]]
"""From a transaction's logs to the slots, by contract, that its effect has to tell besides."""

FORK_AGE = 96  # blocks: what was not read yet is read as of the fork, and nodes keep the state of the last 128
READ_AHEAD_SECONDS = 1.0
PREVIEW_GAS = 3_000_000  # what a stranger's transaction may keep us busy with
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
    ) -> None:
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

    def _follow(self, event: NewHead) -> None:
        old = event.header.number - self._forked_at >= FORK_AGE
        if event.diff is None or old or event.header.parent_hash != self.head.hash:
            self._fork_at(event.header)
            return
        self._evm.apply(event.diff)
        self._evm.apply(self._overrides)
        self._at(event.header)

    def _fork_at(self, head: Header) -> None:
        self._evm = ForkEvm(self._url, head.number, chain_id=self._chain_id, gas_limit=head.gas_limit)
        self._evm.apply(self._overrides)
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

    def _preview(self, event: PendingTx) -> PendingEffect | None:
        tx = event.tx
        if not tx.data or tx.max_fee_per_gas < self.block.base_fee:
            return None  # moves ether only, or cannot be in the next block
        try:
            if self._evm.nonce(tx.sender) != tx.nonce:
                return None  # waits for another one of its sender
            call = call_of(tx, self.block.base_fee)
            call = replace(call, gas=min(call.gas, PREVIEW_GAS), access_list=())
            (result,) = self.run([call])
            slots = self._lacking(result.logs) if self._lacking and result.logs else {}
            diff = self._evm.changes(call, self.block, slots)[1] if slots else None
        except UnrecordedState as error:
            logger.warning("pending transaction not simulated", hash=tx.hash, error=str(error))
            return None
        if not result.success:
            return None
        return PendingEffect(tx, result.logs, result.gas_used, event.seen_ns, diff)
