"""Two cassettes are equal when they say the same: any other fact shows, whatever it is about."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_cassette import tiny, write

from bot.simulation.cassette import EMPTY_CODE, Cassette, load
from bot.simulation.cassette_diff import diff

HOLDER, PAID, NEW = ("0x" + byte * 20 for byte in ("aa", "bb", "cc"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cassettes")


def made(folder: Path, content: dict[str, Any]) -> Cassette:
    return load(write(folder, content), check=False)


numbers = st.integers(0, 2**256 - 1).map(hex)
EDITS = st.one_of(
    st.tuples(st.just(("accounts", HOLDER, "balance")), numbers),
    st.tuples(st.just(("accounts", HOLDER, "nonce")), numbers),
    st.tuples(st.just(("accounts", HOLDER, "codeHash")), st.just(EMPTY_CODE)),
    st.tuples(st.just(("accounts", HOLDER, "storage", "0x0")), numbers),
    st.tuples(st.just(("accounts", HOLDER, "storage", "0x1")), numbers),
    st.tuples(st.just(("accounts", PAID, "codeHash")), st.just(EMPTY_CODE)),
    st.tuples(st.just(("accounts", NEW)), st.just({})),
    st.tuples(st.just(("blockHashes", "0xe")), numbers),
    st.tuples(st.just(("blockHashes", "0xd")), numbers),
    st.tuples(st.just(("block", "mixHash")), numbers),
    st.tuples(st.just(("parent", "hash")), numbers),
    st.tuples(st.just(("chainId",)), st.integers(2, 9)),
    st.tuples(st.just(("hardfork",)), st.just("paris")),
    st.tuples(st.just(("rawTransactions",)), st.just(["0x02"])),
)


@settings(deadline=None)
@given(edit=EDITS)
def test_any_edit_shows_both_ways(folder: Path, edit: tuple[tuple[str, ...], Any]) -> None:
    place, value = edit
    content: dict[str, Any] = copy.deepcopy(tiny())
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    before = inner.get(place[-1])
    inner[place[-1]] = value
    a, b = made(folder, tiny()), made(folder, content)
    there, back = diff(a, b), diff(b, a)
    assert there.equal == back.equal == (before == value)
    assert (there.only_a, there.only_b) == (back.only_b, back.only_a)
    assert len(there.contradictions) == len(back.contradictions)
    if before is None:
        assert not there.contradictions and not there.only_a and there.only_b


def test_the_same_in_other_words(folder: Path) -> None:
    content = tiny()
    content["accounts"][HOLDER] |= {"balance": "0x05", "storage": {"0x" + "00" * 32: "0x" + "00" * 31 + "07"}}
    content["accounts"] = {
        HOLDER.upper().replace("X", "x"): content["accounts"][HOLDER],
        PAID: content["accounts"][PAID],
    }
    content |= {"source": "another", "verified": {"engine": "another"}}
    assert diff(made(folder, tiny()), made(folder, content)).equal


def test_an_empty_account_is_an_absent_one(folder: Path) -> None:
    empty, absent = tiny(), tiny()
    empty["accounts"][NEW] = {"nonce": "0x0", "balance": "0x0", "codeHash": EMPTY_CODE, "storage": {}}
    absent["accounts"][NEW] = {**empty["accounts"][NEW], "nonexistent": True}
    assert diff(made(folder, empty), made(folder, absent)).equal
    assert diff(made(folder, tiny()), made(folder, absent)).only_b  # but not known is not absent
