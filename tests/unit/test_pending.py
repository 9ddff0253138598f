"""What is pending now: against a model that keeps everything."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.chain.pending import News, Pending
from bot.engine.types import MinedTx, Transaction

TX = Transaction("0x01", "0xaa", "0xbb", 0, b"", 0, 21000, 1, 0, b"raw")

told = st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 5))  # sender, nonce, fee


def tx_of(sender: int, nonce: int, fee: int) -> Transaction:
    return replace(TX, hash=f"{sender}:{nonce}:{fee}", sender=f"0x{sender}", nonce=nonce, max_fee_per_gas=fee)


@given(st.lists(st.one_of(told, st.lists(told, max_size=2)), max_size=40))
def test_the_best_paid_of_a_place_is_pending(steps: list[tuple[int, int, int] | list[tuple[int, int, int]]]) -> None:
    """A step tells of a transaction, or of a block with some."""
    pending, best, counts = Pending(), dict[tuple[str, int], Transaction](), {"mined": 0, "dropped": 0, "replaced": 0}
    for step in steps:
        if isinstance(step, list):
            block = [tx_of(*each) for each in step]
            pending.block(MinedTx(tx.hash, tx.sender, tx.to, tx.nonce, 0, "0x") for tx in block)
            for tx in block:
                gone = best.pop((tx.sender, tx.nonce), None)
                if gone is not None:
                    counts["mined" if gone.hash == tx.hash else "dropped"] += 1
        else:
            tx = tx_of(*step)
            before = best.get((tx.sender, tx.nonce))
            news = pending.add(tx)
            if before is None:
                assert news == (News.NEW, None)
            elif before.hash == tx.hash:
                assert news == (News.KNOWN, None)
            elif before.max_fee_per_gas >= tx.max_fee_per_gas:
                assert news == (News.OUTBID, None)
            else:
                assert news == (News.REPLACES, before.hash)
                counts["replaced"] += 1
            if before is None or before.max_fee_per_gas < tx.max_fee_per_gas:
                best[tx.sender, tx.nonce] = tx
        assert len(pending) == len(best)
        assert all(pending.at(*place) == tx.hash for place, tx in best.items())
    assert counts == {"mined": pending.mined, "dropped": pending.dropped, "replaced": pending.replaced}


def test_memory_is_bounded_and_the_oldest_go() -> None:
    pending = Pending(most=10)
    for number in range(100):
        pending.add(tx_of(number, 0, 1))
    assert len(pending) == 10
    assert pending.at("0x99", 0) is not None and pending.at("0x0", 0) is None
