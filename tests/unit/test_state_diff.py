"""Changes of state: merged as if applied in order, read from traces with nothing guessed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.engine.types import AccountDiff, StateDiff
from bot.simulation.state import from_trace, merge, overrides

A, B = "0x" + "aa" * 20, "0x" + "bb" * 20

changes = st.builds(
    AccountDiff,
    balance=st.none() | st.integers(0, 5),
    nonce=st.none() | st.integers(0, 5),
    code=st.none() | st.binary(max_size=2),
    slots=st.dictionaries(st.integers(0, 3), st.integers(0, 5), max_size=3),
)
diffs = st.lists(st.dictionaries(st.sampled_from([A, B]), changes, max_size=2), max_size=5)


def apply(state: dict[tuple[str, object], object], diff: StateDiff) -> None:
    for address, change in diff.items():
        for name in ("balance", "nonce", "code"):
            if getattr(change, name) is not None:
                state[address, name] = getattr(change, name)
        for slot, value in change.slots.items():
            state[address, slot] = value


@given(diffs)
def test_merged_diff_does_what_all_do_in_order(sequence: list[StateDiff]) -> None:
    one_by_one: dict[tuple[str, object], object] = {}
    for diff in sequence:
        apply(one_by_one, diff)
    at_once: dict[tuple[str, object], object] = {}
    apply(at_once, merge(sequence))
    assert at_once == one_by_one


@given(diffs)
def test_merging_leaves_its_parts_alone(sequence: list[StateDiff]) -> None:
    before = repr(sequence)
    merge([*sequence, *sequence])
    assert repr(sequence) == before


def test_trace() -> None:
    slot = {name: f"0x{number:064x}" for number, name in enumerate(("zero", "one", "two"))}
    trace = {
        "pre": {
            A: {"balance": "0x5", "nonce": 1, "code": "0x60", "storage": {slot["one"]: "0x7", slot["two"]: "0x8"}},
            B: {"balance": "0x1", "code": "0x61"},
        },
        "post": {
            A: {"balance": "0x4", "storage": {slot["two"]: "0x9", slot["zero"]: "0x3"}},
            "0x" + "CC" * 20: {"balance": "0x2", "nonce": 1, "code": "0x62"},
        },
    }
    assert from_trace(trace) == {
        A: AccountDiff(4, 1, b"\x60", {0: 3, 1: 0, 2: 9}),  # slot 1 is not in post: it became zero
        B: AccountDiff(0, 0, b"", {}),  # destroyed
        "0x" + "cc" * 20: AccountDiff(2, 1, b"\x62", {}),
    }


def test_overrides_name_only_what_changed() -> None:
    assert overrides({A: AccountDiff(slots={1: 2}), B: AccountDiff(balance=3, nonce=0, code=b"\x60")}) == {
        A: {"stateDiff": {f"0x{1:064x}": f"0x{2:064x}"}},
        B: {"balance": "0x3", "nonce": "0x0", "code": "0x60"},
    }
