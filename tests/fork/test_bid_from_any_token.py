"""A profit in USDC whose bid is paid in ETH: a swap step buys WETH with a part of it, and all the WETH is the bid."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from venue_chain import DUST, ETHER, EXECUTOR, Chain, Deal, eth_of, hop
from venue_devnet import USDC, devnet_chain

from bot.devnet.tokens import TOKENS, WETH
from bot.execution.steps import Steps, Tip, V2Chain

DAI = TOKENS["DAI"].address
AMOUNT = 20_000 * 10**6
BID = 1_000 * 10**6  # USDC that are sold for it


@pytest.fixture(scope="module")
def devnet() -> Iterator[Chain]:
    with devnet_chain() as chain:
        yield chain


@pytest.fixture
def trade(devnet: Chain) -> tuple[tuple[V2Chain, V2Chain], int, int]:
    """The cycle and the sale of a part of its profit, what is left of USDC, and the WETH that the sale brings."""
    cheap = devnet.pair(0, {USDC: 5_000_000 * 10**6, DAI: 6_000_000 * ETHER})
    even = devnet.pair(1, {USDC: 5_000_000 * 10**6, DAI: 5_000_000 * ETHER})
    for_bid = devnet.pair(2, {USDC: 5_000_000 * 10**6, WETH: 2_000 * ETHER})
    there = hop(cheap, USDC, AMOUNT)
    back = hop(even, DAI, there.amount_out)
    sold = hop(for_bid, USDC, BID)
    devnet.give(USDC, EXECUTOR, AMOUNT + DUST)
    steps = (V2Chain((there, back), pay=AMOUNT, token=USDC), V2Chain((sold,), pay=BID, token=USDC))
    return steps, back.amount_out - AMOUNT - BID, sold.amount_out


def paid(devnet: Chain, program: Steps) -> int:
    """Wei that the builder gets."""
    builder = eth_of(devnet.block.coinbase)
    (before,) = devnet.ask((), [builder])
    result, (after,) = devnet.attempt((), program, [builder])
    assert result.success
    return after - before


def test_all_that_was_gained_in_weth_is_the_bid(devnet: Chain, trade: tuple[tuple[V2Chain, V2Chain], int, int]) -> None:
    steps, left, bid = trade
    assert left > 0 < bid
    program = Steps(steps, left, (USDC,), bid_bps=10_000)
    devnet.check(Deal(program, {USDC: left}))
    assert paid(devnet, program) == bid


def test_a_fixed_tip_out_of_it(devnet: Chain, trade: tuple[tuple[V2Chain, V2Chain], int, int]) -> None:
    steps, left, bid = trade
    program = Steps((*steps, Tip(bid - 1)), left, (USDC,))
    devnet.check(Deal(program, {USDC: left, WETH: 1}, refused=(Steps((*steps, Tip(bid + 1)), left, (USDC,)),)))
    assert paid(devnet, program) == bid - 1
