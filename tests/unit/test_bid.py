"""The builder's part."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.execution.bid import BPS, BidPolicy, bid_of

wei = st.integers(0, 10**24)


@given(wei, wei, st.integers(0, BPS))
def test_a_bid_is_what_the_policy_wants_or_a_hundredth_of_a_percent_less(gross: int, gas: int, share: int) -> None:
    wanted = max(0, gross - gas) * share // BPS
    bps = BidPolicy(share, 0).bid_bps(gross, gas)
    assert 0 <= bps <= BPS
    assert 0 <= wanted - bid_of(gross, bps) <= gross // BPS + 1


def test_a_loss_pays_no_bid() -> None:
    assert BidPolicy(BPS, 0).bid_bps(5, 5) == BidPolicy(BPS, 0).bid_bps(0, 0) == 0
    assert bid_of(-5, BPS) == 0


def test_worth_it() -> None:
    policy = BidPolicy(0, 10)
    assert policy.worth_it(111, 50, 50) and not policy.worth_it(110, 50, 50)
