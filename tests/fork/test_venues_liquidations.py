"""Liquidations in the protocols' own code: what is seized is what the protocol's formula says; the exit sells it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from venue_chain import ETHER, PROBE, Chain, Deal, by, hop, why
from venue_devnet import USDC, devnet_chain
from venue_liquidations import (
    DEBT,
    PLEDGE,
    RATE,
    USD,
    WAD,
    MorphoMarket,
    aave_position,
    aave_reprice,
    aave_seized,
    answer,
    venus,
    venus_eth,
    venus_reprice,
    venus_seized,
)

from bot import abi
from bot.amm.v2 import V2Pool
from bot.devnet.protocols import aave, balancer, morpho, uniswap_v2
from bot.devnet.tokens import TOKENS, WETH
from bot.execution.steps import (
    Lender,
    LiquidateAave,
    LiquidateCompoundV2,
    LiquidateMorpho,
    Loan,
    LoanKind,
    Pay,
    RedeemCompoundV2,
    Step,
    Steps,
    V2Chain,
    V2Hop,
    Wrap,
)

LINK, DAI = TOKENS["LINK"].address, TOKENS["DAI"].address
REFUSED = abi.selector("Refused(address,uint256)")


@pytest.fixture(scope="module")
def devnet() -> Iterator[Chain]:
    with devnet_chain() as chain:
        yield chain


def devnets_pair(chain: Chain, token_a: str, token_b: str) -> V2Pool:
    """Of its Uniswap v2."""
    token0, token1 = sorted((token_a, token_b))
    asked = by(PROBE, uniswap_v2.UNISWAP.factory, abi.call("getPair(address,address)", token0, token1))
    at = abi.address(chain.run([asked])[0].output)
    answer = chain.run([by(PROBE, at, abi.call("getReserves()"))])[0].output
    return V2Pool(at, token0, token1, abi.uint(answer), abi.uint(answer, 1))


# --- Aave v3 ---------------------------------------------------------------------------------------------------------

LINK_PRICE = 1_350_000_000
SUPPLIED, WETH_OWED = 10_000 * ETHER, 38 * ETHER
LINK_USDC = {LINK: LINK_PRICE, USDC: USD}
LINK_WETH = {LINK: LINK_PRICE, WETH: 3_000 * USD}


def test_aave_debt_in_weth(devnet: Chain) -> None:
    """WETH from Morpho covers the debt, LINK is sold for WETH."""
    answer(devnet, LINK_PRICE)
    position = aave_position(LINK, SUPPLIED, WETH, WETH_OWED)
    before = (*position, aave_reprice(LINK))
    covered = 18 * ETHER
    seized = aave_seized(covered, LINK_WETH, LINK, WETH)
    exit_ = hop(devnets_pair(devnet, LINK, WETH), LINK, seized)
    devnet.dust(WETH, LINK)
    gain = exit_.amount_out - covered

    def program(paid: int) -> Steps:
        nested = (LiquidateAave(aave.POOL, LINK, PROBE, covered), V2Chain((exit_,), pay=paid, token=LINK))
        return Steps((Loan(Lender.MORPHO, morpho.MORPHO, covered, nested),), gain, (WETH, LINK))

    assert seized == 4_200 * ETHER and gain > 0
    spenders = ((WETH, aave.POOL), (LINK, aave.POOL), (WETH, morpho.MORPHO))
    refused = (program(seized + 8), replace(program(seized), tokens=(WETH,)))
    devnet.check(Deal(program(seized), {WETH: gain}, spenders, before, refused))
    healthy, _ = devnet.attempt(position, program(seized), ())
    assert not healthy.success and b"45" in healthy.output  # HEALTH_FACTOR_NOT_BELOW_THRESHOLD


def test_aave_takes_less_than_it_is_offered(devnet: Chain) -> None:
    """The close factor holds it at half of the debt; the rest of the allowance ends."""
    answer(devnet, LINK_PRICE)
    before = (*aave_position(LINK, SUPPLIED, WETH, WETH_OWED), aave_reprice(LINK))
    seized = aave_seized(WETH_OWED // 2, LINK_WETH, LINK, WETH)
    exit_ = hop(devnets_pair(devnet, LINK, WETH), LINK, seized)
    devnet.dust(WETH, LINK)
    gain = exit_.amount_out - WETH_OWED // 2
    nested = (LiquidateAave(aave.POOL, LINK, PROBE, 30 * ETHER), V2Chain((exit_,), pay=seized, token=LINK))
    program = Steps((Loan(Lender.MORPHO, morpho.MORPHO, 30 * ETHER, nested),), gain, (WETH, LINK))
    devnet.check(Deal(program, {WETH: gain}, ((WETH, aave.POOL), (WETH, morpho.MORPHO)), before))


def test_aave_debt_in_another_token(devnet: Chain) -> None:
    """USDC from Balancer covers the debt, LINK goes by way of WETH to USDC, in which the profit is."""
    answer(devnet, LINK_PRICE)
    before = (*aave_position(LINK, SUPPLIED, USDC, 114_000 * 10**6), aave_reprice(LINK))
    covered = 50_000 * 10**6
    seized = aave_seized(covered, LINK_USDC, LINK, USDC)
    first = hop(devnets_pair(devnet, LINK, WETH), LINK, seized)
    second = hop(devnets_pair(devnet, WETH, USDC), WETH, first.amount_out)
    devnet.dust(WETH, USDC, LINK)
    gain = second.amount_out - covered

    def program(owed: int, *tokens: str) -> Steps:
        liquidation = LiquidateAave(aave.POOL, LINK, PROBE, covered, USDC)
        nested = (liquidation, V2Chain((first, second), pay=seized, token=LINK), Pay(owed, USDC))
        return Steps((Loan(Lender.BALANCER_V2, balancer.VAULT, covered, nested, USDC),), gain, tokens)

    assert gain > 0
    refused = (program(covered - 1, USDC, LINK), program(covered, LINK))
    spenders = ((USDC, aave.POOL), (LINK, aave.POOL), (USDC, balancer.VAULT))
    devnet.check(Deal(program(covered, USDC, LINK), {USDC: gain}, spenders, before, refused))


@pytest.mark.parametrize("lender", [Lender.MORPHO, Lender.AAVE_V3])
def test_aave_collateral_in_weth(devnet: Chain, lender: LoanKind) -> None:
    """Just as much WETH is sold as buys the USDC that was lent; the profit is the WETH that stays."""
    answer(devnet, 2_700 * USD)
    before = (*aave_position(WETH, 50 * ETHER, USDC, 115_000 * 10**6), aave_reprice(WETH))
    covered, at = 50_000 * 10**6, {Lender.MORPHO: morpho.MORPHO, Lender.AAVE_V3: aave.POOL}[lender]
    fee = 0 if lender is Lender.MORPHO else (covered * aave.PREMIUM + 5_000) // 10_000
    seized = aave_seized(covered, {WETH: 2_700 * USD, USDC: USD}, WETH, USDC)
    pool = devnets_pair(devnet, WETH, USDC)
    paid = pool.quote_out(int(pool.token0 != WETH), int(pool.token0 == WETH), covered + fee)
    devnet.dust(WETH, USDC)
    gain = seized - paid

    def program(bought: int) -> Steps:
        buy = V2Chain((V2Hop(pool.id, pool.token0 == WETH, bought),), pay=paid)
        nested: tuple[Step, ...] = (LiquidateAave(aave.POOL, WETH, PROBE, covered, USDC), buy)
        owed = None if lender is Lender.MORPHO else covered + fee
        return Steps((Loan(lender, at, covered, nested, USDC, owed),), gain, (WETH, USDC))

    assert gain > 0
    refused = (program(covered + fee - 8),)
    devnet.check(Deal(program(covered + fee), {WETH: gain}, ((USDC, aave.POOL), (USDC, at)), before, refused))


# --- Morpho Blue -----------------------------------------------------------------------------------------------------

USDC_MARKET = MorphoMarket(USDC, WETH, 86, 10**12, 100 * ETHER, 250_000 * 10**6)
WETH_MARKET = MorphoMarket(WETH, LINK, 77, 1_000 * ETHER, 10_000 * ETHER, 38 * ETHER)
PRICES = {  # of the collateral in the loan token, 36 decimals: when borrowed, and when liquidated
    USDC_MARKET: (3_000 * 10**24, 2_800 * 10**24),
    WETH_MARKET: (5 * 10**33, 45 * 10**32),
}


@pytest.mark.parametrize("market", PRICES, ids=["usdc", "weth"])
@pytest.mark.parametrize("by_shares", [False, True], ids=["collateral", "shares"])
def test_morpho(devnet: Chain, market: MorphoMarket, by_shares: bool) -> None:
    """Without a loan: the collateral comes first and is sold, then the debt is pulled."""
    healthy_at, price = PRICES[market]
    sound = market.made(healthy_at)
    before = (*sound, market.priced(price))
    shares = market.shares // 3 if by_shares else market.shares_for(market.pledged // 4, price)
    seized = market.seized_for(shares, price) if by_shares else market.pledged // 4
    repaid = market.repaid(shares)
    pair = devnet.pair(0, {market.collateral: 1_000 * seized, market.loan: 1_060 * repaid})
    exit_ = V2Chain(
        (hop(pair, market.collateral, seized),),
        pay=seized,
        token=None if market.collateral == WETH else market.collateral,
    )
    devnet.dust(market.loan, market.collateral)
    gain = exit_.hops[0].amount_out - repaid

    def program(owed: int, *tokens: str) -> Steps:
        step = LiquidateMorpho(
            lender=morpho.MORPHO,
            collateral=market.collateral,
            oracle=market.oracle,
            rate_model=market.rates,
            lltv=market.params[4],
            borrower=PROBE,
            seized=0 if by_shares else seized,
            shares=shares if by_shares else 0,
            owed=owed,
            nested=(exit_,),
            token=None if market.loan == WETH else market.loan,
        )
        return Steps((step,), gain, tokens)

    tokens = (market.loan, market.collateral)
    deal = Deal(program(repaid, *tokens), {market.loan: gain}, ((market.loan, morpho.MORPHO),), before)
    undeclared = program(repaid, tokens[0] if tokens[0] == WETH else tokens[1])
    assert gain > 0
    devnet.check(replace(deal, refused=(program(repaid - 1, *tokens), undeclared)))
    devnet.check(replace(deal, program=program(repaid + 10**9, *tokens)))
    healthy, _ = devnet.attempt(sound, program(repaid, *tokens), ())
    assert not healthy.success and b"position is healthy" in healthy.output


# --- Compound v2 -----------------------------------------------------------------------------------------------------

FALLEN = 9 * WAD // 10
BORROWED, REPAID = 240 * ETHER, 100 * ETHER


def compound(chain: Chain, repaid: int = REPAID, more: int = 0) -> tuple[Steps, int]:
    """Flash-loaned WETH repays, the seized cTokens are redeemed, the DAI is sold; the program and its gain."""
    seized = venus_seized(repaid, 3_000 * WAD, FALLEN)
    dai = seized * RATE // WAD
    exit_ = hop(chain.pair(0, {DAI: 30_000_000 * ETHER, WETH: 10_000 * ETHER}), DAI, dai)
    chain.dust(WETH, DAI)
    nested = (
        LiquidateCompoundV2(DEBT, PROBE, PLEDGE, repaid),
        RedeemCompoundV2(PLEDGE, seized + more),
        V2Chain((exit_,), pay=dai, token=DAI),
    )
    gain = exit_.amount_out - repaid
    return Steps((Loan(Lender.MORPHO, morpho.MORPHO, repaid, nested),), gain, (WETH, DAI, PLEDGE)), gain


def test_compound_v2(devnet: Chain) -> None:
    program, gain = compound(devnet)
    before = (*venus(DAI, WETH, BORROWED), venus_reprice(PLEDGE, FALLEN))
    undeclared = (replace(program, tokens=(WETH, DAI)), replace(program, tokens=(WETH, PLEDGE)))
    assert gain > 0
    spenders = ((WETH, DEBT), (DAI, PLEDGE), (PLEDGE, PLEDGE), (WETH, morpho.MORPHO))
    devnet.check(Deal(program, {WETH: gain}, spenders, before, (*undeclared, compound(devnet, more=1)[0])))


def test_compound_v2_refuses_by_a_code(devnet: Chain) -> None:
    """Too much, or from a sound borrower: it answers with a number where others revert."""
    markets = venus(DAI, WETH, BORROWED)
    sound, _ = devnet.attempt(markets, compound(devnet)[0], ())
    fallen = (*markets, venus_reprice(PLEDGE, FALLEN))
    above, _ = devnet.attempt(fallen, compound(devnet, 130 * ETHER)[0], ())
    for result in (sound, above):
        assert not result.success and REFUSED in result.output, why(result)


def test_compound_v2_collateral_in_eth(devnet: Chain) -> None:
    price, repaid = WAD // 2_700, 100_000 * ETHER
    before = (*venus_eth(DAI, 100 * ETHER, 220_000 * ETHER, WAD // 3_000), venus_reprice(DEBT, price))
    seized = venus_seized(repaid, price, WAD)
    eth = seized * RATE // WAD
    exit_ = hop(devnet.pair(0, {DAI: 30_000_000 * ETHER, WETH: 10_000 * ETHER}), WETH, eth)
    devnet.dust(WETH, DAI)
    nested = (
        LiquidateCompoundV2(DEBT, PROBE, PLEDGE, repaid, DAI),
        RedeemCompoundV2(PLEDGE, seized),
        Wrap(eth),
        V2Chain((exit_,), pay=eth),
    )
    gain = exit_.amount_out - repaid
    assert gain > 0
    program = Steps((Loan(Lender.MORPHO, morpho.MORPHO, repaid, nested, DAI),), gain, (DAI, WETH, PLEDGE))
    devnet.check(Deal(program, {DAI: gain}, ((DAI, DEBT), (DAI, morpho.MORPHO)), before))
