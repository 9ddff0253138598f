"""Which capital is cheapest for a trade."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from bot.engine.types import Hop, Trade
from bot.execution.capital import LOAN_GAS, Offer, cheapest, fundings
from bot.execution.program import Capital
from bot.execution.steps import Lender

WETH, DAI = "0x" + "ee" * 20, "0x" + "dd" * 20
POOLS = ("0x" + "a1" * 20, "0x" + "a2" * 20)
MORPHO, AAVE = "0x" + "b1" * 20, "0x" + "b2" * 20
GWEI, ETHER = 10**9, 10**18


def trade(amount: int = ETHER, kind: str = "v2") -> Trade:
    hops = (Hop(POOLS[0], kind, WETH, DAI), Hop(POOLS[1], "v2", DAI, WETH))
    return Trade(hops, (amount, 2_000 * amount, amount + amount // 100))


offers = st.builds(
    Offer,
    st.sampled_from(Lender),
    st.sampled_from((MORPHO, AAVE, *POOLS)),
    st.integers(0, 2 * ETHER),
    st.integers(0, 100),
    st.integers(0, 10**15),
)


@given(
    st.integers(1, 2 * ETHER),
    st.integers(0, 2 * ETHER),
    st.lists(offers, max_size=8),
    st.booleans(),
    st.integers(0, 500 * GWEI),
    st.none() | st.fractions(Fraction(1, 10**12), 10**12),
)
def test_it_holds_enough_and_none_is_cheaper(
    amount: int, own: int, found: list[Offer], nested: bool, base_fee: int, price: Fraction | None
) -> None:
    wanted = trade(amount)
    all_of_them = list(fundings(wanted, own=own, offers=found, nested=nested))
    chosen = cheapest(wanted, all_of_them, base_fee=base_fee, price=price)
    enough = [one for one in all_of_them if one.holds is None or one.holds >= amount]
    if chosen is None:
        assert not enough
        return
    assert chosen in enough
    assert chosen.lender is None or chosen.lender.address not in POOLS
    for other in enough:
        cost, least = (one.fee + (one.gas * base_fee * price if price is not None else 0) for one in (other, chosen))
        assert cost > least or (cost == least and other.gas >= chosen.gas)


def test_own_capital_then_a_pool_that_pays_first_then_a_lender() -> None:
    lenders = [Offer(Lender.MORPHO, MORPHO, 2 * ETHER), Offer(Lender.AAVE_V3, AAVE, 2 * ETHER, 5)]

    def choice(own: int, nested: bool) -> Capital:
        found = cheapest(trade(), fundings(trade(), own=own, offers=lenders, nested=nested), base_fee=GWEI)
        assert found is not None
        return found.capital

    assert choice(ETHER, True) is Capital.OWN
    assert choice(ETHER - 1, True) is Capital.NESTED
    assert choice(ETHER - 1, False) is Capital.LOAN


def test_fee_and_gas_are_weighed() -> None:
    """Morpho is dearer here by a fee that the base fee has to make up for."""
    fee = 10**15
    lenders = [Offer(Lender.MORPHO, MORPHO, ETHER, fee=fee), Offer(Lender.AAVE_V3, AAVE, ETHER)]
    found = list(fundings(trade(), offers=lenders, nested=False))
    even = fee // (LOAN_GAS[Lender.AAVE_V3] - LOAN_GAS[Lender.MORPHO])
    for base_fee, lender in ((even, Lender.AAVE_V3), (even + 1, Lender.MORPHO)):
        chosen = cheapest(trade(), found, base_fee=base_fee)
        assert chosen is not None and chosen.lender is not None
        assert chosen.lender.kind is lender
    unpriced = cheapest(trade(), found, base_fee=even + 1, price=None)
    assert unpriced is not None and unpriced.lender is not None
    assert unpriced.lender.kind is Lender.AAVE_V3


def test_fees_are_rounded_as_lenders_do() -> None:
    for amount in (1, 999, 10**18 + 1):
        owed = amount + Offer(Lender.V2, MORPHO, 0, 30).fee_of(amount)
        assert owed * 997 >= amount * 1_000 > (owed - 1) * 997
    assert Offer(Lender.AAVE_V3, AAVE, 0, 5).fee_of(1_000) == 1  # half up
    assert Offer(Lender.AAVE_V3, AAVE, 0, 5).fee_of(999) == 0
    assert Offer(Lender.V3, AAVE, 0, 5).fee_of(1) == 1
    assert Offer(Lender.ERC3156, AAVE, 0, fee=7).fee_of(10**30) == 7


def test_a_locked_pool_does_not_lend() -> None:
    found = fundings(trade(), offers=[Offer(Lender.V2, POOLS[1], ETHER)], nested=False)
    assert [funding.capital for funding in found] == [Capital.OWN]
