"""Real WETH9, Uniswap v2 and v3 pools between many tokens, and the executor, in an in-process EVM."""

from __future__ import annotations

import json
import random

import pyrevm
from uniswap_evm import OWNER, UNISWAP, Evm, Reverted, _payer_code

from bot import abi
from bot.amm.pool import Pool
from bot.amm.tick_math import sqrt_ratio_at_tick
from bot.amm.ticks import TickMap
from bot.amm.v2 import V2Pool
from bot.amm.v3 import V3Pool
from bot.engine.types import Hop, Trade
from bot.execution.executor import deploy_data

COINBASE = "0x" + "c0" * 20
BLOCK = 1_000
ETHER = 10**18
DEPTH = 10**24  # of the pools, in the tokens' wei

__all__ = ["BLOCK", "COINBASE", "ETHER", "OWNER", "ExecutorWorld", "Reverted"]


class ExecutorWorld:
    """WETH and three more tokens; ``pool`` makes pools at the price that is asked for."""

    def __init__(self) -> None:
        self.evm = Evm()
        self.evm.evm.set_block_env(pyrevm.BlockEnv(number=BLOCK, timestamp=1_700_000_000, coinbase=COINBASE))
        self.evm.evm.set_balance(OWNER, 10**30)
        self.weth = self._deploy_weth()
        self.tokens = [self.weth]
        for _ in range(3):
            self.tokens.append(self.evm.deploy("v2-core/build/ERC20.json", abi.encode(10**40)))
        self.v2_factory = self.evm.deploy("v2-core/build/UniswapV2Factory.json", abi.encode(OWNER))
        self.v2_others = [
            self.evm.deploy("v2-core/build/UniswapV2Factory.json", abi.encode(OWNER)) for _ in range(3)
        ]
        self.v3_factory = self.evm.deploy(
            "v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json"
        )
        self.executor = str(self.evm.evm.deploy(OWNER, deploy_data(OWNER, self.weth))).lower()

    def _deploy_weth(self) -> str:
        artifact = UNISWAP.parent / "canonical-weth" / "build" / "contracts" / "WETH9.json"
        code = bytes.fromhex(json.loads(artifact.read_text())["bytecode"].removeprefix("0x"))
        weth = str(self.evm.evm.deploy(OWNER, code)).lower()
        self.evm.evm.message_call(OWNER, weth, abi.call("deposit()"), value=10**29)
        return weth

    def balance(self, token: str, account: str) -> int:
        return abi.uint(self.evm.call(OWNER, token, "balanceOf(address)", account))

    def fund(self, token: str, amount: int) -> None:
        self.evm.call(OWNER, token, "transfer(address,uint256)", self.executor, amount)

    def pool(self, kind: str, first: str, second: str, dice: random.Random, number: int) -> Pool:
        """A new pool near price 1, some percent off at random. ``number`` tells apart those of two tokens."""
        token0, token1 = sorted((first, second))
        if kind == "v2":
            return self._v2(token0, token1, dice, number)
        return self._v3(token0, token1, dice, number)

    def _v2(self, token0: str, token1: str, dice: random.Random, number: int) -> V2Pool:
        factory = [self.v2_factory, *self.v2_others][number]
        pair = abi.address(self.evm.call(OWNER, factory, "createPair(address,address)", token0, token1))
        reserves = (DEPTH, DEPTH * dice.randint(900, 1_100) // 1_000)
        for token, amount in zip((token0, token1), reserves, strict=True):
            self.evm.call(OWNER, token, "transfer(address,uint256)", pair, amount)
        self.evm.call(OWNER, pair, "mint(address)", OWNER)
        return V2Pool(pair, token0, token1, *reserves)

    def _v3(self, token0: str, token1: str, dice: random.Random, number: int) -> V3Pool:
        fee, spacing = ((3000, 60), (500, 10), (10000, 200))[number]
        made = self.evm.call(
            OWNER, self.v3_factory, "createPool(address,address,uint24)", token0, token1, fee
        )
        address = abi.address(made)
        self.evm.call(OWNER, address, "initialize(uint160)", sqrt_ratio_at_tick(dice.randint(-1_000, 1_000)))
        pool = V3Pool(address, token0, token1, fee, spacing, 0, 0, 0, TickMap.complete(spacing, {}))
        (log,) = self.evm.logs(address)
        pool = pool.apply(log)
        for width in (2_400, 12_000):  # multiples of every spacing
            pool = self._mint(pool, -width, width, 2 * DEPTH)
        return pool

    def _mint(self, pool: V3Pool, lower: int, upper: int, amount: int) -> V3Pool:
        payer = "0x" + pool.address[-20:] * 2
        self.evm.evm.insert_account_info(
            payer, pyrevm.AccountInfo(code=_payer_code(pool.token0, pool.token1), nonce=1)
        )
        for token in (pool.token0, pool.token1):
            self.evm.call(OWNER, token, "transfer(address,uint256)", payer, 10**26)
        mint = abi.call("mint(address,int24,int24,uint128,bytes)", payer, lower, upper, amount, 160, 0)
        self.evm.send(OWNER, payer, abi.encode(pool.address) + mint)
        for log in self.evm.logs(pool.address):
            pool = pool.apply(log)
        return pool


def trade_through(pools: list[Pool], tokens: list[str], amount: int) -> Trade:
    """The trade of ``amount`` through ``pools``; hop i goes from token i to token i + 1."""
    hops, amounts = [], [amount]
    for pool, token_in, token_out in zip(pools, tokens, tokens[1:], strict=False):
        hop = Hop(pool.address, pool.kind, token_in, token_out)
        amounts.append(pool.quote_in(hop.zero_for_one, amounts[-1]))
        hops.append(hop)
    return Trade(tuple(hops), tuple(amounts))
