"""The executor in the middle of recorded blocks. What a block's recording lacks is unknown: using it fails a test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import cache

from recorded import cassette_path
from uniswap_evm import OWNER as PAYER_OWNER
from uniswap_evm import PAYER
from venue_chain import BUILDER, FRESH, Chain, Slot, solidity, vyper

from bot.abi import encode, keccak
from bot.devnet import tokens
from bot.engine.types import AccountDiff, StateDiff
from bot.simulation.cassette import Cassette, load
from bot.simulation.cassette_server import CassetteServer
from bot.simulation.proof import prove
from bot.simulation.revm import ForkEvm
from bot.simulation.state import merge

WETH = tokens.WETH  # the devnet has it where mainnet has
DAI = "0x6b175474e89094c44da98b954eedeac495271d0f"
USDC = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
USDT = "0xdac17f958d2ee523a2206206994597c13d831ec7"
WBTC = "0x2260fac5e5542a773aa44fbcfedf7c193bc2c599"
CRVUSD = "0xf939e0a03fb07f59a73314e73794be0e57ac1b4e"
SHIB = "0x95ad61b0a150d79219dcf64e1e6cc01f0b64c4ce"
USDE = "0x4c9edd5852cd905f086c759e8383e09bff1e68b3"
SUSDE = "0x9d39a5de30e57443bff2a8307a4256c8797a3497"

LAYOUTS: dict[str, Slot] = {
    WETH: solidity(3),
    DAI: solidity(2),
    USDC: solidity(9),
    USDT: solidity(2),
    WBTC: solidity(0),
    SHIB: solidity(0),
    CRVUSD: vyper(1),
    USDE: solidity(2),
    SUSDE: solidity(4),
}

_ALLOWANCES: dict[str, Callable[[str, str], bytes]] = {
    CRVUSD: lambda holder, spender: encode(keccak(encode(0) + encode(holder))) + encode(spender),  # Vyper
    USDC: lambda holder, spender: encode(spender) + keccak(encode(holder) + encode(10)),
    WBTC: lambda holder, spender: encode(spender) + keccak(encode(holder) + encode(2)),
}


def allow_nothing(chain: Chain, token: str, holder: str, spender: str) -> None:
    """Writes the allowance that a fresh account has given: none. The cassette server knows it of Solidity's tokens,
    where the spender is in the record."""
    preimage = _ALLOWANCES.get(token)
    if preimage is not None:
        slot = int.from_bytes(keccak(preimage(holder, spender)), "big")
        chain.evm.apply({token: AccountDiff(slots={slot: 0})})


class Recordings:
    """``with Recordings() as recordings`` serves the blocks that are asked for until the end."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._urls: dict[int, str] = {}
        self._chains: dict[tuple[int, int], Chain] = {}

    def __enter__(self) -> Recordings:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def after(self, block: int, count: int) -> Chain:
        """The state after a block's first ``count`` transactions. Skips the test where there is no such recording."""
        path = cassette_path(block)
        if block not in self._urls:
            server = CassetteServer(path, (*FRESH, PAYER_OWNER, PAYER))
            self._urls[block] = self._stack.enter_context(server)
        if (block, count) not in self._chains:
            cassette, diffs = _replayed(block)
            evm = ForkEvm(self._urls[block], block - 1, gas_limit=cassette.context.gas_limit)
            evm.apply(merge(diffs[:count]))
            context = replace(cassette.context, coinbase=BUILDER)
            self._chains[block, count] = Chain(evm, context, WETH, LAYOUTS)
        return self._chains[block, count]


@cache
def _replayed(block: int) -> tuple[Cassette, tuple[StateDiff, ...]]:
    """A recording, and what each of its transactions changed."""
    cassette = load(cassette_path(block))
    proof = asyncio.run(prove(cassette))
    assert proof.matches
    return cassette, proof.diffs
