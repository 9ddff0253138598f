"""A cycle through mainnet's v4 manager and one of Curve's crypto pools as they were before a recorded block, as the
readers read them; a pair of the test's own closes it. The executor gains to the wei what was computed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from curve_crypto_evm import TRICRYPTO_USDC
from recorded import cassette_path, needs_recordings
from venue_chain import DUST, ETHER, EXECUTOR, Chain, Deal
from venue_recorded import USDC, WBTC, WETH, Recordings, allow_nothing

from bot.amm.pool import Pool
from bot.amm.v2 import V2Pool
from bot.chain.pools import identify, load
from bot.chain.readers.uniswap_v4 import MAINNET_MANAGER, PoolKey, from_keys
from bot.engine.types import Hop, Trade
from bot.execution.codec import unpack
from bot.execution.loans import LoanSource
from bot.execution.program import Capital, encode, plan
from bot.execution.steps import Lender, Steps
from bot.simulation.anvil import Anvil
from bot.simulation.cassette_server import CassetteServer

pytestmark = needs_recordings

BLOCK = 24628607
KEY = PoolKey(WBTC, USDC, 500, 10, "0x" + "00" * 20)
MORPHO = "0xbbbbbbbbbb9cc5e90e3b3af64bdaf62c37eeffcb"
ORDERS = {"pair-v4-curve": (0, 1, 2), "v4-curve-pair": (1, 2, 0), "curve-pair-v4": (2, 0, 1)}
CASES = [(order, capital) for order in ORDERS for capital in (Capital.OWN, Capital.NESTED)]
CASES.append(("pair-v4-curve", Capital.LOAN))  # Morpho's balance of WETH is recorded


@pytest.fixture(scope="module")
def recordings() -> Iterator[Recordings]:
    with Recordings() as made:
        yield made


@pytest.fixture(scope="module")
def pools() -> tuple[Pool, Pool]:
    """v4's of WBTC and USDC, and Curve's of USDC, WBTC and WETH."""

    async def read() -> tuple[Pool, Pool]:
        with CassetteServer(cassette_path(BLOCK)) as url:
            async with Anvil(fork_url=url, fork_block=BLOCK - 1, chain_id=1, args=("--accounts", "0")) as node:
                (curve,) = await identify(node.rpc, [TRICRYPTO_USDC.pool], BLOCK - 1)
                (v4,) = from_keys(MAINNET_MANAGER, [KEY])
                loaded = await load(node.rpc, [v4, curve], BLOCK - 1)
                return loaded.pools[v4.id], loaded.pools[curve.id]

    return asyncio.run(read())


def gaining(chain: Chain, pools: tuple[Pool, Pool], order: tuple[int, int, int]) -> Trade:
    """WETH → pair → USDC → v4 → WBTC → Curve → WETH, begun at any of the three."""
    v4, curve = pools
    curve = curve.at(chain.block.timestamp)
    pair: V2Pool = chain.pair(0, {WETH: 1_000 * ETHER, USDC: 2_400_000 * 10**6})
    ways: list[tuple[Pool, str, str]] = [(pair, WETH, USDC), (v4, USDC, WBTC), (curve, WBTC, WETH)]
    amounts, hops = [{WETH: ETHER // 10, USDC: 200 * 10**6, WBTC: 250_000}[ways[order[0]][1]]], []
    for pool, token_in, token_out in (ways[at] for at in order):
        i, j = pool.tokens.index(token_in), pool.tokens.index(token_out)
        hops.append(Hop(pool.id, pool.kind, token_in, token_out, pool.terms(i, j)))
        amounts.append(pool.quote_in(i, j, amounts[-1]))
    return Trade(tuple(hops), tuple(amounts))


@pytest.mark.parametrize(("order", "capital"), CASES)
def test_realised_is_predicted(recordings: Recordings, pools: tuple[Pool, Pool], order: str, capital: Capital) -> None:
    chain = recordings.after(BLOCK, 0)
    trade = gaining(chain, pools, ORDERS[order])
    base = trade.token
    for token, spender in ((USDC, MAINNET_MANAGER), (WBTC, TRICRYPTO_USDC.pool)):
        allow_nothing(chain, token, EXECUTOR, spender)
    chain.dust(WETH, USDC, WBTC)
    assert trade.gross_profit > 0
    if capital is Capital.OWN:
        chain.give(base, EXECUTOR, trade.needed + DUST)
    lender = LoanSource(Lender.MORPHO, MORPHO) if capital is Capital.LOAN else None
    planned = plan(trade, capital, lender=lender, weth=WETH)
    program = unpack(encode(planned, token=base, min_profit=trade.gross_profit, weth=WETH))
    assert isinstance(program, Steps)
    spenders = ((USDC, MAINNET_MANAGER), (WBTC, TRICRYPTO_USDC.pool))
    chain.check(Deal(program, {base: trade.gross_profit}, spenders))
