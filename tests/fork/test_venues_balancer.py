"""Balancer v2: the vault's own swap through a weighted pool of the devnet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from venue_chain import DUST, ETHER, EXECUTOR, PROBE, Chain, Deal, approve, balance_of, by, created, out_of, sale
from venue_devnet import USDC, devnet_chain

from bot.abi import call
from bot.devnet.place import calldata
from bot.devnet.protocols.balancer import FACTORY, VAULT
from bot.devnet.tokens import TOKENS, WETH
from bot.execution.steps import BalancerSwap, Steps

DAI = TOKENS["DAI"].address
POOL = created(FACTORY, 1)
SWAP = "swap((bytes32,uint8,address,address,uint256,bytes),(address,bool,address,bool),uint256,uint256)"
CASES = [(WETH, USDC, 20 * ETHER), (USDC, WETH, 60_000 * 10**6), (DAI, USDC, 5_000 * ETHER), (USDC, DAI, 10**6)]


@pytest.fixture(scope="module")
def devnet() -> Iterator[Chain]:
    with devnet_chain() as chain:
        yield chain


@pytest.mark.parametrize(("token_in", "token_out", "amount"), CASES)
def test_what_the_vault_gives_anyone_the_executor_gets(
    devnet: Chain, token_in: str, token_out: str, amount: int
) -> None:
    pool_id = devnet.run([by(PROBE, POOL, call("getPoolId()"))])[0].output
    got = by_hand(devnet, pool_id, token_in, token_out, amount)
    pair = devnet.pair(0, {token_out: got * 1_000, token_in: amount * 1_020})
    back = sale(pair, WETH, token_out, got)
    devnet.dust(token_out)
    devnet.give(token_in, EXECUTOR, amount + DUST)
    gain = out_of(back) - amount

    def program(least: int) -> Steps:
        token = None if token_in == WETH else token_in
        swap = BalancerSwap(VAULT, POOL, pool_id[20:], token_out, amount, least, token)
        return Steps((swap, back), gain, (token_in, token_out))

    assert got > 0 < gain and pool_id[:20].hex() == POOL[2:]
    undeclared = replace(program(got), tokens=tuple(token for token in (token_out,) if token != WETH))
    spenders = ((token_in, VAULT), (token_out, VAULT))
    devnet.check(Deal(program(got), {token_in: gain}, spenders, refused=(program(got + 1), undeclared)))


def by_hand(chain: Chain, pool_id: bytes, token_in: str, token_out: str, amount: int) -> int:
    """What comes out when an ordinary account does the same swap."""
    chain.give(token_in, PROBE, amount)
    single = (pool_id, 0, token_in, token_out, amount, b"")
    swap = calldata(SWAP, single, (PROBE, False, PROBE, False), 0, 2**256 - 1)
    (had,) = chain.ask((), [balance_of(token_out, PROBE)])
    (has,) = chain.ask((approve(PROBE, token_in, VAULT), by(PROBE, VAULT, swap)), [balance_of(token_out, PROBE)])
    return has - had
