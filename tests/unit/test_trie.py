"""The ordered trie against an independent implementation (py-trie)."""

from __future__ import annotations

import rlp
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie

from bot.simulation.trie import ordered_root


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=150))
def test_root(items: list[bytes]) -> None:
    other = HexaryTrie({})
    for index, item in enumerate(items):
        other[rlp.encode(index)] = item
    assert ordered_root(items) == "0x" + other.root_hash.hex()
