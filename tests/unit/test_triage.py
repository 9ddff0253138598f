"""What is passed over, what never is, and how it is found that a kind of call begins to matter."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bot.engine.types import Transaction
from bot.simulation import triage
from bot.simulation.triage import AGAIN, FIRST_LOOKS, LOOKS, Triage

ROUTER, BOT = "0x" + "aa" * 20, "0x" + "bb" * 20
TX = Transaction("0x01", "0xaa", ROUTER, 0, b"swap" + b"usdc", 0, 21000, 1, 0, b"raw")


def about(tx: Transaction) -> bytes:
    """As a decoder that reads the router's calls."""
    return tx.data[4:] if tx.to == ROUTER else b""


def look(learnt: Triage, tx: Transaction, *, touched: bool = False, success: bool = True) -> bool:
    """As a fork does: whether it was simulated."""
    kind = learnt.kind(tx)
    if not learnt.worth(kind):
        return False
    learnt.learn(kind, tx, touched=touched, success=success)
    return True


def test_a_kind_that_touches_nothing_is_soon_passed_over_but_never_for_good() -> None:
    learnt = Triage(about)
    looked = [number for number in range(1, 3 * AGAIN) if look(learnt, TX)]
    assert looked[:FIRST_LOOKS] == list(range(1, FIRST_LOOKS + 1))
    assert len(looked) < 20
    assert max(b - a for a, b in pairwise(looked)) <= AGAIN


def test_other_tokens_through_a_router_are_another_kind() -> None:
    learnt, other = Triage(about), replace(TX, data=b"swap" + b"pepe")
    assert look(learnt, TX, touched=True)
    for _ in range(100):
        look(learnt, other, success=False)
    assert not look(learnt, other)
    assert look(learnt, TX, touched=True)


@given(st.lists(st.booleans(), max_size=200))
def test_failing_calls_cannot_blind_us_for_a_kind_that_matters(others: list[bool]) -> None:
    """Anybody can send calls that fail, and pays nothing while they are pending."""
    learnt = Triage(about)
    look(learnt, TX, touched=True)
    for touched in others:
        assert look(learnt, TX, touched=touched, success=touched)
    assert look(learnt, TX)


def test_a_kind_that_mattered_is_given_up_after_many_that_do_not() -> None:
    learnt, tx = Triage(about), replace(TX, to=BOT)
    look(learnt, tx, touched=True)
    looked = sum(look(learnt, tx) for _ in range(2 * LOOKS))
    assert LOOKS <= looked < 2 * LOOKS - 30
    while not look(learnt, tx, touched=True):
        pass
    assert all(look(learnt, tx) for _ in range(LOOKS))


def test_memory_is_bounded_and_what_is_forgotten_is_looked_at_again() -> None:
    learnt, before = Triage(about), triage.REMEMBERED
    triage.REMEMBERED = 10
    try:
        for number in range(100):
            look(learnt, replace(TX, to=f"0x{number:040x}"))
        assert len(learnt._kinds) <= 10
        assert look(learnt, replace(TX, to=f"0x{0:040x}"))
    finally:
        triage.REMEMBERED = before
