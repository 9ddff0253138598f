"""Every lender's own code: what it lends is paid back with its fee, alone and inside of another loan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest
from recorded import needs_recordings
from venue_chain import ETHER, EXECUTOR, PROBE, UNAUTHORIZED, Chain, Deal, by, fresh, hop, solidity, why
from venue_devnet import USDC, WHALE, cycle, devnet_chain, mispriced
from venue_recorded import USDC as MAINNET_USDC
from venue_recorded import Recordings

from bot import abi
from bot.devnet.artifacts import Source
from bot.devnet.place import arguments, calldata
from bot.devnet.protocols import aave, balancer, morpho, uniswap_v2, uniswap_v3, uniswap_v4
from bot.devnet.tokens import TOKENS, WETH
from bot.execution.codec import pack
from bot.execution.steps import (
    Lender,
    Loan,
    LoanKind,
    Pay,
    Step,
    Steps,
    V2Chain,
    V2Flash,
    V3Flash,
    V4Settle,
    V4Take,
    V4Unlock,
)

AMOUNT = 50 * ETHER + 1_234_567_899  # fees are rounded
LENDERS: dict[LoanKind, str] = {
    Lender.MORPHO: morpho.MORPHO,
    Lender.BALANCER_V2: balancer.VAULT,
    Lender.AAVE_V3: aave.POOL,
}
USDT = TOKENS["USDT"].address
V3_FEE = 3000
FLASH = fresh("flash mint")


@pytest.fixture(scope="module")
def devnet() -> Iterator[Chain]:
    with devnet_chain() as chain:
        yield chain


@pytest.fixture(scope="module")
def recordings() -> Iterator[Recordings]:
    with Recordings() as made:
        yield made


def premium(amount: int) -> int:
    """Aave's, rounded half up."""
    return (amount * aave.PREMIUM + 5_000) // 10_000


def trade(chain: Chain, amount: int) -> tuple[V2Chain, int]:
    """The pairs, paid by the executor, and what they gain before fees."""
    hops = cycle(chain, amount)
    return V2Chain(hops, pay=amount), hops[1].amount_out - amount


def v3_pool(chain: Chain) -> str:
    """One that the trade does not use; WETH is its token 1."""
    asked = abi.call("getPool(address,address,uint24)", USDC, WETH, V3_FEE)
    return abi.address(chain.run([by(PROBE, uniswap_v3.FACTORY, asked)])[0].output)


# --- one lender ------------------------------------------------------------------------------------------------------


def test_morpho(devnet: Chain) -> None:
    swaps, gain = trade(devnet, AMOUNT)
    loan = Loan(Lender.MORPHO, morpho.MORPHO, AMOUNT, (swaps,))
    broke = replace(loan, nested=(swaps, Pay(gain + AMOUNT, to=PROBE)))
    devnet.check(Deal(Steps((loan,), gain), {WETH: gain}, ((WETH, morpho.MORPHO),), refused=(Steps((broke,)),)))


def test_balancer(devnet: Chain) -> None:
    swaps, gain = trade(devnet, AMOUNT)

    def program(owed: int) -> Steps:
        return Steps((Loan(Lender.BALANCER_V2, balancer.VAULT, AMOUNT, (swaps, Pay(owed))),), gain)

    refused = (program(AMOUNT - 1), program(AMOUNT + 1))
    devnet.check(Deal(program(AMOUNT), {WETH: gain}, ((WETH, balancer.VAULT),), refused=refused))


def test_balancer_with_a_fee(devnet: Chain) -> None:
    """It takes none, and could."""
    swaps, before_fee = trade(devnet, AMOUNT)
    share = 10**15  # a tenth of a percent
    fee = -(-AMOUNT * share // ETHER)
    collector = abi.address(devnet.run([by(PROBE, balancer.VAULT, abi.call("getProtocolFeesCollector()"))])[0].output)
    setter = "setFlashLoanFeePercentage(uint256)"
    asked = by(PROBE, collector, calldata("getActionId(bytes4)", abi.selector(setter)))
    action = devnet.run([asked])[0].output
    before = (
        by(WHALE, balancer.AUTHORIZER, calldata("grantRole(bytes32,address)", action, WHALE)),
        by(WHALE, collector, abi.call(setter, share)),
    )

    def program(owed: int) -> Steps:
        loan = Loan(Lender.BALANCER_V2, balancer.VAULT, AMOUNT, (swaps, Pay(owed)))
        return Steps((loan,), before_fee + AMOUNT - owed)

    gain = before_fee - fee
    refused = (replace(program(AMOUNT + fee - 1), minimum=0),)
    devnet.check(Deal(program(AMOUNT + fee), {WETH: gain}, before=before, refused=refused))


def test_a_token_without_return_values(devnet: Chain) -> None:
    """USDT, whose allowance moreover may only be changed to or from nothing, from Aave."""
    amount = 60_000 * 10**6 + 7
    owed = amount + premium(amount)
    there = devnet.pair(0, {USDT: 15_000_000 * 10**6, WETH: 5_000 * ETHER})
    back = devnet.pair(1, {USDT: 16_500_000 * 10**6, WETH: 5_000 * ETHER})
    first = hop(there, USDT, amount)
    second = hop(back, WETH, first.amount_out)
    devnet.dust(USDT, WETH)
    gain = second.amount_out - owed
    swaps = V2Chain((first, second), pay=amount, token=USDT)

    def program(owed: int) -> Steps:
        return Steps((Loan(Lender.AAVE_V3, aave.POOL, amount, (swaps,), USDT, owed),), gain, (USDT,))

    assert gain > 0
    devnet.check(Deal(program(owed), {USDT: gain}, ((USDT, aave.POOL),), refused=(program(owed - 1),)))
    devnet.check(Deal(program(owed + 1), {USDT: gain}, ((USDT, aave.POOL),)))


def test_aave(devnet: Chain) -> None:
    swaps, before_fee = trade(devnet, AMOUNT)
    gain, owed = before_fee - premium(AMOUNT), AMOUNT + premium(AMOUNT)

    def program(owed: int) -> Steps:
        return Steps((Loan(Lender.AAVE_V3, aave.POOL, AMOUNT, (swaps,), owed=owed),), gain)

    spenders = ((WETH, aave.POOL),)
    assert premium(AMOUNT) * 10_000 != AMOUNT * aave.PREMIUM
    devnet.check(Deal(program(owed), {WETH: gain}, spenders, refused=(program(owed - 1),)))
    devnet.check(Deal(program(owed + ETHER), {WETH: gain}, spenders))  # what it does not pull it may not keep


@pytest.mark.parametrize("direct", [False, True], ids=["executor", "pair"])
def test_v3_flash(devnet: Chain, direct: bool) -> None:
    """The pool sends to the executor, or to the first pair itself."""
    swaps, before_fee = trade(devnet, AMOUNT)
    fee = -(-AMOUNT * V3_FEE // 10**6)
    first = replace(swaps, pay=None) if direct else swaps
    to = swaps.hops[0].pool if direct else None

    def program(owed: int) -> Steps:
        return Steps((V3Flash(v3_pool(devnet), True, AMOUNT, (first, Pay(owed)), to),), before_fee - fee)

    gains = {WETH: before_fee - fee}
    devnet.check(Deal(program(AMOUNT + fee), gains, refused=(program(AMOUNT + fee - 1),)))


def test_v3_flash_of_token_0(devnet: Chain) -> None:
    amount = 60_000 * 10**6 + 7
    there, back = mispriced(devnet)
    first = hop(back, USDC, amount)
    second = hop(there, WETH, first.amount_out)
    devnet.dust(WETH, USDC)
    owed = amount + -(-amount * V3_FEE // 10**6)
    gain = second.amount_out - owed

    def program(owed: int, pool: str, *tokens: str) -> Steps:
        return Steps((V3Flash(pool, False, amount, (swaps, Pay(owed, USDC))),), gain, tokens)

    swaps, pool = V2Chain((first, second), pay=amount, token=USDC), v3_pool(devnet)
    refused = (program(owed - 1, pool, USDC), program(owed, pool))
    devnet.check(Deal(program(owed, pool, USDC), {USDC: gain}, refused=refused))


def test_v2_third_pool(devnet: Chain) -> None:
    swaps, before_fee = trade(devnet, AMOUNT)
    asked = abi.call("getPair(address,address)", USDC, WETH)
    third = abi.address(devnet.run([by(PROBE, uniswap_v2.UNISWAP.factory, asked)])[0].output)
    owed = AMOUNT * 1000 // 997 + 1

    def program(owed: int) -> Steps:
        return Steps((V2Flash(third, True, AMOUNT, (swaps, Pay(owed))),), before_fee + AMOUNT - owed)

    gain = before_fee + AMOUNT - owed
    refused = (replace(program(owed - 1), minimum=0),)
    devnet.check(Deal(program(owed), {WETH: gain}, refused=refused))


@cache
def flash_mint() -> bytes:
    """Creation code of OpenZeppelin's ERC20FlashMint, without arguments."""
    settings = {"optimizer": {"enabled": True, "runs": 200}, "evmVersion": "cancun"}
    return Source("tests/fork", ("VenueTokens.sol",), "0.8.37", settings).initcodes()["VenueFlashMint"]


@pytest.mark.parametrize(("fee", "burnt", "amount"), [(0, False, AMOUNT), (900, False, AMOUNT), (900, True, 10**29)])
def test_erc3156(devnet: Chain, fee: int, burnt: bool, amount: int) -> None:
    """OpenZeppelin's lender is the token itself; the last amount is wider than 12 bytes."""
    receiver = "0x" + "00" * 20 if burnt else PROBE
    devnet.place(FLASH, flash_mint() + arguments("(uint256,address)", fee, receiver))
    devnet.layouts[FLASH] = solidity(0)
    dear = devnet.pair(0, {FLASH: 100 * amount, USDC: 16_500_000 * 10**6})
    even = devnet.pair(1, {FLASH: 100 * amount, USDC: 15_000_000 * 10**6})
    first = hop(dear, FLASH, amount)
    second = hop(even, USDC, first.amount_out)
    devnet.dust(FLASH, USDC)
    swaps, owed = V2Chain((first, second), pay=amount, token=FLASH), amount + amount * fee // 10**6
    gain = second.amount_out - owed

    def program(owed: int) -> Steps:
        return Steps((Loan(Lender.ERC3156, FLASH, amount, (swaps,), FLASH, owed),), gain, (FLASH,))

    assert gain > 0
    undeclared = replace(program(owed), tokens=())
    deal = Deal(program(owed), {FLASH: gain}, ((FLASH, FLASH),), refused=(program(owed - 1), undeclared))
    devnet.check(deal)
    devnet.check(replace(deal, program=program(owed + ETHER), refused=()))


@needs_recordings
def test_mainnets_morpho(recordings: Recordings) -> None:
    chain = recordings.after(24628607, 29)
    there = chain.pair(0, {WETH: 5_000 * ETHER, MAINNET_USDC: 11 * 10**12})
    back = chain.pair(1, {WETH: 5_000 * ETHER, MAINNET_USDC: 10 * 10**12})
    first = hop(there, WETH, ETHER)
    second = hop(back, MAINNET_USDC, first.amount_out)
    gain = second.amount_out - ETHER
    chain.dust(WETH, MAINNET_USDC)
    loan = Loan(Lender.MORPHO, morpho.MORPHO, ETHER, (V2Chain((first, second), pay=ETHER),))
    broke = replace(loan, nested=(Pay(ETHER, to=PROBE),))
    refused = (Steps((broke,)), Steps((replace(loan, kind=Lender.BALANCER_V2),)))
    chain.check(Deal(Steps((loan,), gain), {WETH: gain}, ((WETH, morpho.MORPHO),), refused=refused))


# --- loans in loans --------------------------------------------------------------------------------------------------


def test_balancer_in_morpho_in_v4(devnet: Chain) -> None:
    """Three lenders, a third each: the innermost steps pay with all of it."""
    part = AMOUNT // 3
    swaps, gain = trade(devnet, 3 * part)
    inner = Loan(Lender.BALANCER_V2, balancer.VAULT, part, (swaps, Pay(part)))
    middle = Loan(Lender.MORPHO, morpho.MORPHO, part, (inner,))

    def program(taken: int) -> Steps:
        nested = (V4Take(taken), middle, V4Settle(part))
        return Steps((V4Unlock(uniswap_v4.MANAGER, nested),), gain)

    spenders = ((WETH, balancer.VAULT), (WETH, morpho.MORPHO), (WETH, uniswap_v4.MANAGER))
    devnet.check(Deal(program(part), {WETH: gain}, spenders, refused=(program(part + 1),)))


def test_v3_in_aave_in_v2(devnet: Chain) -> None:
    part = AMOUNT // 3
    swaps, before_fee = trade(devnet, 3 * part)
    asked = abi.call("getPair(address,address)", USDC, WETH)
    third = abi.address(devnet.run([by(PROBE, uniswap_v2.UNISWAP.factory, asked)])[0].output)
    owed_v2, owed_v3 = part * 1000 // 997 + 1, part + -(-part * V3_FEE // 10**6)
    owed_aave = part + premium(part)
    gain = before_fee + 3 * part - owed_v2 - owed_v3 - owed_aave

    def program(owed: int) -> Steps:
        flash: Step = V3Flash(v3_pool(devnet), True, part, (swaps, Pay(owed_v3)))
        loan = Loan(Lender.AAVE_V3, aave.POOL, part, (flash,), owed=owed)
        return Steps((V2Flash(third, True, part, (loan, Pay(owed_v2))),), gain)

    devnet.check(Deal(program(owed_aave), {WETH: gain}, ((WETH, aave.POOL),), refused=(program(owed_aave - 1),)))


def test_two_loans_of_one_lender_in_each_other(devnet: Chain) -> None:
    """Morpho in Morpho, of another token inside; each allowance is just its own."""
    swaps, gain = trade(devnet, AMOUNT)
    inner = Loan(Lender.MORPHO, morpho.MORPHO, 10**9, (swaps,), USDC)
    program = Steps((Loan(Lender.MORPHO, morpho.MORPHO, AMOUNT, (inner,)),), gain, (WETH, USDC))
    devnet.check(Deal(program, {WETH: gain}, ((WETH, morpho.MORPHO), (USDC, morpho.MORPHO))))


def test_the_same_token_twice_of_a_lender_that_pulls(devnet: Chain) -> None:
    swaps, gain = trade(devnet, AMOUNT)
    half = AMOUNT // 2
    inner = Loan(Lender.MORPHO, morpho.MORPHO, half, (swaps,))
    program = Steps((Loan(Lender.MORPHO, morpho.MORPHO, half, (inner,)),), gain)
    devnet.check(Deal(program, {WETH: gain}, ((WETH, morpho.MORPHO),)))


# --- strangers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lender", ["balancer", "aave", "erc3156", "v2"])
def test_nobody_else_borrows_for_the_executor(devnet: Chain, lender: str) -> None:
    """These lend to whom they are told to, and call that account back: with a program of the stranger's."""
    devnet.place(FLASH, flash_mint() + arguments("(uint256,address)", 0, PROBE))
    asked = by(PROBE, uniswap_v2.UNISWAP.factory, abi.call("getPair(address,address)", USDC, WETH))
    pair = abi.address(devnet.run([asked])[0].output)
    data = pack(Steps((Pay(1, to=PROBE),)))
    at, signature, args = {
        "balancer": (
            balancer.VAULT,
            "flashLoan(address,address[],uint256[],bytes)",
            (EXECUTOR, [WETH], [AMOUNT], data),
        ),
        "aave": (
            aave.POOL,
            "flashLoanSimple(address,address,uint256,bytes,uint16)",
            (EXECUTOR, WETH, AMOUNT, data, 0),
        ),
        "erc3156": (FLASH, "flashLoan(address,address,uint256,bytes)", (EXECUTOR, FLASH, AMOUNT, data)),
        "v2": (pair, "swap(uint256,uint256,address,bytes)", (0, AMOUNT, EXECUTOR, data)),
    }[lender]
    (result,) = devnet.run([by(PROBE, at, calldata(signature, *args))])
    assert not result.success and UNAUTHORIZED in result.output, why(result)
