"""What the relay holds: bundles waiting for their block, and what became of those that were."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from bot.abi import keccak, to_bytes, to_hex
from bot.engine.types import Transaction

REMEMBERED = 10_000  # verdicts


class Status(StrEnum):
    PENDING = "pending"
    INCLUDED = "included"
    DROPPED = "dropped"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class HeldBundle:
    """A bundle, or a private transaction as a bundle of one that may wait: ``first_block`` to ``last_block``.
    Times are seconds, 0 for no limit. ``owner`` is the account that signed the request."""

    hash: str
    txs: tuple[Transaction, ...]
    first_block: int
    last_block: int
    owner: str
    min_timestamp: int = 0
    max_timestamp: int = 0
    reverting: frozenset[str] = frozenset()
    uuid: str | None = None
    private: bool = False

    @property
    def key(self) -> tuple[str, str, int]:
        """One bundle for one block is held once; a private transaction once for all its blocks."""
        return self.owner, self.hash, 0 if self.private else self.first_block


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a bundle in ``block_number``. ``payment`` is wei to the builder, when included."""

    status: Status
    block_number: int
    reason: str = ""
    payment: int = 0


def bundle_hash(txs: Iterable[Transaction]) -> str:
    """keccak of the transactions' hashes, one after the other."""
    return to_hex(keccak(b"".join(to_bytes(tx.hash) for tx in txs)))


class BundleBook:
    """Bundles in order of arrival, and the verdicts on them."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str, int], HeldBundle] = {}
        self._verdicts: dict[tuple[str, str], Verdict] = {}

    def add(self, bundle: HeldBundle) -> None:
        """Takes a bundle in; one of the same owner and uuid gives way to it."""
        if bundle.uuid is not None:
            self._remove(
                lambda old: old.owner == bundle.owner and old.uuid == bundle.uuid and old.key != bundle.key,
                "replaced by a later bundle of the same replacementUuid",
            )
        self._held[bundle.key] = bundle
        self._judge(bundle, Verdict(Status.PENDING, bundle.first_block))

    def cancel(self, owner: str, uuid: str) -> list[str]:
        """Hashes of the bundles taken back."""
        return self._remove(lambda old: old.owner == owner and old.uuid == uuid, "cancelled by its sender")

    def cancel_private(self, owner: str, tx_hash: str) -> bool:
        """Whether a private transaction was there to be taken back."""
        return bool(
            self._remove(
                lambda old: old.owner == owner and old.private and old.txs[0].hash == tx_hash,
                "cancelled by its sender",
            )
        )

    def due(self, number: int) -> list[HeldBundle]:
        """The bundles that may go into block ``number``, in order of arrival."""
        return [held for held in self._held.values() if held.first_block <= number <= held.last_block]

    def settle(self, number: int, verdicts: Iterable[tuple[HeldBundle, Verdict]]) -> None:
        """Records what became of the bundles of block ``number``; those that have no other block are let go."""
        for bundle, verdict in verdicts:
            waits = verdict.status is Status.DROPPED and bundle.last_block > number
            self._judge(bundle, Verdict(Status.PENDING, number, verdict.reason) if waits else verdict)
            if not waits:
                self._held.pop(bundle.key, None)
        for key, bundle in list(self._held.items()):
            if bundle.last_block <= number:
                self._judge(bundle, Verdict(Status.DROPPED, number, "arrived after the block was begun"))
                del self._held[key]

    def status(self, owner: str, hash_: str) -> Verdict | None:
        """The latest verdict on a bundle of ``owner``; ``None`` when the relay never had it."""
        return self._verdicts.get((owner, hash_))

    def _remove(self, condition: Callable[[HeldBundle], bool], reason: str) -> list[str]:
        gone = {key: held for key, held in self._held.items() if condition(held)}
        for key, held in gone.items():
            del self._held[key]
            self._judge(held, Verdict(Status.CANCELLED, held.first_block, reason))
        return [held.hash for held in gone.values()]

    def _judge(self, bundle: HeldBundle, verdict: Verdict) -> None:
        self._verdicts[bundle.owner, bundle.hash] = verdict
        if len(self._verdicts) > REMEMBERED:
            del self._verdicts[next(iter(self._verdicts))]
