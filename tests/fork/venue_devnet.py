"""The executor on the devnet, where the protocols' own code stands with liquidity."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from venue_chain import BUILDER, ETHER, GAS, Chain, hop, solidity

from bot.amm.v2 import V2Pool
from bot.devnet.deployment import BLOCK_SECONDS, account
from bot.devnet.state import devnet_node, ensure_state
from bot.devnet.tokens import TOKENS, WETH
from bot.execution.steps import V2Hop
from bot.paths import data_dir
from bot.simulation.revm import ForkEvm
from bot.simulation.types import BlockContext

USDC = TOKENS["USDC"].address
WHALE = account(7).address.lower()
"""Deployed everything, owns what can be owned, and has much of every token."""
BASE_FEE = 10**9
BLOCK_GAS = 20 * GAS


@contextmanager
def devnet_chain() -> Iterator[Chain]:
    """``with`` it: a node of its own."""
    with asyncio.Runner() as runner:
        state, deployment = runner.run(ensure_state(data_dir()))
        node = devnet_node(state, deployment)
        runner.run(node.start())
        try:
            evm = ForkEvm(node.http_url, deployment.head_number, chain_id=deployment.chain_id, gas_limit=BLOCK_GAS)
            block = BlockContext(
                number=deployment.head_number + 1,
                timestamp=deployment.head_timestamp + BLOCK_SECONDS,
                base_fee=BASE_FEE,
                coinbase=BUILDER,
                gas_limit=BLOCK_GAS,
            )
            layouts = {spec.address: solidity(3 if spec.address == WETH else 0) for spec in TOKENS.values()}
            yield Chain(evm, block, WETH, layouts)
        finally:
            runner.run(node.stop())


def mispriced(chain: Chain) -> tuple[V2Pool, V2Pool]:
    """Two pairs of WETH and USDC: one gives more USDC for WETH than the other takes."""
    dear = chain.pair(0, {WETH: 5_000 * ETHER, USDC: 16_500_000 * 10**6})
    return dear, chain.pair(1, {WETH: 5_000 * ETHER, USDC: 15_000_000 * 10**6})


def cycle(chain: Chain, amount: int) -> tuple[V2Hop, V2Hop]:
    """The way of so much WETH through both. It gains."""
    there, back = mispriced(chain)
    first = hop(there, WETH, amount)
    second = hop(back, USDC, first.amount_out)
    assert second.amount_out > amount
    chain.dust(WETH, USDC)
    return first, second
