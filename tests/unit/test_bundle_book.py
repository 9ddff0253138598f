"""What the relay remembers of bundles. Order and verdicts on a real chain are in tests/fork/test_builder.py."""

from __future__ import annotations

from bot.devnet.bundles import REMEMBERED, BundleBook, HeldBundle, Status, Verdict
from bot.devnet.mining import PoolTx, fifo


def bundle(name: str, first: int = 5, last: int = 5, *, owner: str = "me", uuid: str | None = None) -> HeldBundle:
    return HeldBundle(name, (), first, last, owner, uuid=uuid, private=last > first)


def status(book: BundleBook, name: str) -> tuple[Status, str]:
    verdict = book.status("me", name)
    assert verdict is not None
    return verdict.status, verdict.reason


def test_bundle_that_came_while_its_block_was_built() -> None:
    book = BundleBook()
    book.add(bundle("a"))
    due = book.due(5)
    book.add(bundle("late"))
    book.settle(5, [(held, Verdict(Status.INCLUDED, 5)) for held in due])
    assert status(book, "a") == (Status.INCLUDED, "")
    assert status(book, "late") == (Status.DROPPED, "arrived after the block was begun")
    assert book.due(5) == []


def test_private_transaction_keeps_waiting_and_says_why() -> None:
    book = BundleBook()
    book.add(bundle("p", 5, 6))
    book.settle(5, [(book.due(5)[0], Verdict(Status.DROPPED, 5, "reverts"))])
    assert status(book, "p") == (Status.PENDING, "reverts")
    book.settle(6, [(book.due(6)[0], Verdict(Status.DROPPED, 6, "reverts"))])
    assert status(book, "p") == (Status.DROPPED, "reverts")
    assert book.due(6) == []


def test_same_bundle_again_is_held_once_and_another_block_is_another() -> None:
    book = BundleBook()
    for first in (5, 5, 6):
        book.add(bundle("a", first, first))
    assert (len(book.due(5)), len(book.due(6))) == (1, 1)


def test_same_uuid_moves_a_bundle_to_another_block() -> None:
    book = BundleBook()
    book.add(bundle("a", uuid="u"))
    book.add(bundle("a", 6, 6, uuid="u"))
    assert book.due(5) == [] and len(book.due(6)) == 1
    assert status(book, "a")[0] is Status.PENDING


def test_memory_is_bounded() -> None:
    book = BundleBook()
    for n in range(REMEMBERED + 1):
        book.add(bundle(str(n)))
        book.settle(5, [(held, Verdict(Status.INCLUDED, 5)) for held in book.due(5)])
    assert book.status("me", "0") is None
    assert status(book, str(REMEMBERED))[0] is Status.INCLUDED


def test_fifo_lets_a_nonce_wait_for_the_one_before_it() -> None:
    txs = [PoolTx("b1", "b", 1), PoolTx("a0", "a", 0), PoolTx("b0", "b", 0), PoolTx("a1", "a", 1)]
    assert [tx.hash for tx in fifo(txs)] == ["a0", "b0", "b1", "a1"]
