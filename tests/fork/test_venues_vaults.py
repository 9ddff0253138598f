"""ERC-4626 vaults: Ethena's and another one in a recorded block, and OpenZeppelin's on the devnet."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from recorded import needs_recordings
from venue_chain import (
    DUST,
    ETHER,
    EXECUTOR,
    PAIRS,
    PROBE,
    Chain,
    Deal,
    approve,
    balance_of,
    by,
    created,
    out_of,
    sale,
    solidity,
    transfer,
)
from venue_devnet import WHALE, devnet_chain
from venue_recorded import SUSDE, USDE, Recordings

from bot import abi
from bot.devnet.artifacts import Source
from bot.devnet.tokens import TOKENS, WETH
from bot.engine.types import AccountDiff
from bot.execution.steps import Step, Steps, V2Chain, VaultDeposit, VaultRedeem
from bot.simulation.types import Call

VAULT = "0x815c23eca83261b6ec689b60cc4a58b54bc24d8d"
ASSET = "0xa5f2211b9b8170f694421f2046281775e8468044"
DEPOSIT, REDEEM = "deposit(uint256,address)", "redeem(uint256,address,address)"
DAI = TOKENS["DAI"].address


@pytest.fixture(scope="module")
def recordings() -> Iterator[Recordings]:
    with Recordings() as made:
        yield made


@pytest.fixture(scope="module")
def devnet() -> Iterator[Chain]:
    with devnet_chain() as chain:
        yield chain


def deposit_by_hand(vault: str, asset: str, assets: int) -> tuple[Call, ...]:
    """The transactions of an ordinary account."""
    return (approve(PROBE, asset, vault), by(PROBE, vault, abi.call(DEPOSIT, assets, PROBE)))


def redeem_by_hand(vault: str, shares: int) -> Call:
    return by(PROBE, vault, abi.call(REDEEM, shares, PROBE, PROBE))


# --- recorded blocks -------------------------------------------------------------------------------------------------


@needs_recordings
def test_shares_of_ethenas_vault(recordings: Recordings) -> None:
    """Deposited, and the shares sold: redeeming them takes a week."""
    chain, assets = recordings.after(19932148, 43), 10**21
    restrict_nobody(chain)
    chain.give(USDE, PROBE, assets)
    (shares,) = chain.ask(deposit_by_hand(SUSDE, USDE, assets), [balance_of(SUSDE, PROBE)])
    pair = chain.pair(0, {SUSDE: shares * 1_000, USDE: assets * 1_020})
    back = sale(pair, WETH, SUSDE, shares)
    chain.dust(SUSDE)
    chain.give(USDE, EXECUTOR, assets + DUST)
    gain = out_of(back) - assets

    def program(deposited: int) -> Steps:
        return Steps((VaultDeposit(SUSDE, deposited, USDE), back), gain, (USDE, SUSDE))

    assert shares > 0 < gain
    chain.check(Deal(program(assets), {USDE: gain}, ((USDE, SUSDE),), refused=(program(assets - ETHER),)))


@needs_recordings
def test_a_vault_in_and_out(recordings: Recordings) -> None:
    """Half of the shares are redeemed, the others sold."""
    chain, assets = recordings.after(19932148, 198), 10**20
    learn_vault(chain)
    chain.give(ASSET, PROBE, assets)
    before = deposit_by_hand(VAULT, ASSET, assets)
    (shares,) = chain.ask(before, [balance_of(VAULT, PROBE)])
    half = shares // 2
    (redeemed,) = chain.ask((*before, redeem_by_hand(VAULT, half)), [balance_of(ASSET, PROBE)])
    rest = assets - redeemed
    pair = chain.pair(0, {VAULT: (shares - half) * 1_000, ASSET: rest * 1_020})
    back = sale(pair, WETH, VAULT, shares - half)
    chain.dust(VAULT)
    chain.give(ASSET, EXECUTOR, assets + DUST)
    gain = redeemed + out_of(back) - assets

    def program(redeem: int, *tokens: str) -> Steps:
        return Steps((VaultDeposit(VAULT, assets, ASSET), VaultRedeem(VAULT, redeem), back), gain, tokens)

    assert 0 < redeemed < assets and gain > 0
    refused = (program(half + DUST + 1, ASSET, VAULT), program(half, ASSET))
    chain.check(Deal(program(half, ASSET, VAULT), {ASSET: gain}, ((ASSET, VAULT),), refused=refused))


def learn_vault(chain: Chain) -> None:
    """Where it keeps balances, and, which no fresh account has, deposits."""
    chain.layouts |= {VAULT: solidity(3), ASSET: solidity(0)}
    for holder in (PROBE, EXECUTOR, PAIRS[0]):
        first = nested(abi.encode(0), abi.encode(solidity(6)(holder)))
        chain.evm.apply({VAULT: AccountDiff(slots={first: 0, first + 1: 0})})


def restrict_nobody(chain: Chain) -> None:
    """Writes the roles that a fresh account has in Ethena's vault: none."""
    for role in ("SOFT_RESTRICTED_STAKER_ROLE", "FULL_RESTRICTED_STAKER_ROLE"):
        members = abi.keccak(abi.keccak(role.encode()) + abi.encode(0))
        slots = {nested(abi.encode(account), members): 0 for account in (PROBE, EXECUTOR, PAIRS[0])}
        chain.evm.apply({SUSDE: AccountDiff(slots=slots)})


def nested(key: bytes, mapping: bytes) -> int:
    """Of a mapping that stands in another one."""
    return int.from_bytes(abi.keccak(key + mapping), "big")


# --- the devnet ------------------------------------------------------------------------------------------------------


@cache
def openzeppelin() -> bytes:
    """Creation code of a vault that is OpenZeppelin's, without its argument, the asset."""
    settings = {"optimizer": {"enabled": True, "runs": 200}, "evmVersion": "cancun"}
    return Source("tests/fork", ("VenueTokens.sol",), "0.8.37", settings).initcodes()["VenueVault"]


@pytest.mark.parametrize("asset", [DAI, WETH], ids=["dai", "weth"])
def test_openzeppelins_vault(devnet: Chain, asset: str) -> None:
    """A share is worth three assets and a little: somebody has given the vault some."""
    vault, assets = created(PROBE, 0), 300 * ETHER
    token = None if asset == WETH else asset
    before = (
        by(PROBE, None, openzeppelin() + abi.encode(asset)),
        transfer(WHALE, asset, PROBE, 1_000 * ETHER),
        approve(PROBE, asset, vault),
        by(PROBE, vault, abi.call(DEPOSIT, 100 * ETHER, PROBE)),
        transfer(PROBE, asset, vault, 200 * ETHER + 123),
        transfer(WHALE, asset, EXECUTOR, assets),
    )
    by_hand = by(PROBE, vault, abi.call(DEPOSIT, assets, PROBE))
    (had, shares) = devnet.ask((*before, by_hand), [balance_of(asset, PROBE), balance_of(vault, PROBE)])
    shares -= 100 * ETHER
    (has,) = devnet.ask((*before, by_hand, redeem_by_hand(vault, shares)), [balance_of(asset, PROBE)])
    redeemed = has - had
    assert 99 * ETHER < shares < 101 * ETHER and assets - 3 < redeemed < assets
    devnet.give(asset, EXECUTOR, DUST)
    made_good = mispriced(devnet, asset)

    def program(redeem: int, *tokens: str) -> Steps:
        steps: tuple[Step, ...] = (VaultDeposit(vault, assets, token), VaultRedeem(vault, redeem), *made_good[1])
        return Steps(steps, made_good[0] - assets + redeemed, tokens)

    gain = made_good[0] - assets + redeemed
    refused = (program(shares + 1, asset, vault), program(shares, asset), program(shares - 1, asset, vault))
    devnet.check(Deal(program(shares, asset, vault), {asset: gain}, ((asset, vault),), before, refused))


def mispriced(chain: Chain, asset: str) -> tuple[int, tuple[Step, ...]]:
    """A cycle through two pairs that makes good what rounding cost, and its gain."""
    other = TOKENS["USDC"].address
    there = chain.pair(0, {asset: 10**24, other: 11 * 10**17})
    back = chain.pair(1, {asset: 10**24, other: 10**18})
    first = sale(there, WETH, asset, ETHER)
    second = sale(back, WETH, other, out_of(first))
    chain.dust(other)
    return out_of(second) - ETHER, (V2Chain((*first.hops, *second.hops), pay=ETHER, token=first.token),)
