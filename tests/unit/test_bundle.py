"""The rule about other people's transactions, held by the type: ours is always the last of a bundle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.types import Bundle


@given(st.integers(1, 8), st.integers(-2, 9))
def test_no_bundle_has_a_foreign_transaction_behind_ours(length: int, own: int) -> None:
    txs = tuple(bytes([n]) for n in range(length))
    hashes = tuple(f"0x{n:064x}" for n in range(length))
    if own == length - 1:
        assert Bundle(txs, hashes, own, 1).own == length - 1
    else:
        with pytest.raises(ValueError, match="only in front of our own"):
            Bundle(txs, hashes, own, 1)


def test_every_transaction_has_a_hash() -> None:
    with pytest.raises(ValueError):
        Bundle((b"a", b"b"), ("0x01",), 1, 1)
