"""Real WETH9, Uniswap v2 and v3 pools between many tokens, and the executor, in an in-process EVM."""

from __future__ import annotations

import random
from collections.abc import Sequence
from types import SimpleNamespace

import pyrevm
from uniswap_evm import OWNER, V3_POOLS, Evm, Reverted, _deployer_code, _payer_code, bytecode

from bot import abi
from bot.amm.pool import Pool
from bot.amm.tick_math import sqrt_ratio_at_tick
from bot.amm.ticks import TickMap
from bot.amm.v2 import V2Pool
from bot.amm.v3 import V3Pool
from bot.devnet.artifacts import Source
from bot.devnet.protocols import balancer, morpho, uniswap_v4
from bot.engine.types import Hop, Trade
from bot.execution.book import Book, Kind, deploy_data
from bot.execution.program import LoanSource
from bot.execution.steps import Lender

COINBASE = "0x" + "c0" * 20
BLOCK = 1_000
ETHER = 10**18
DEPTH = 10**24  # of the pools, in the tokens' wei
STAND_INS = Source(
    "tests/fork", ("Lenders.sol",), "0.8.37", {"optimizer": {"enabled": True, "runs": 200}, "evmVersion": "cancun"}
)

__all__ = ["BLOCK", "COINBASE", "ETHER", "OWNER", "ExecutorWorld", "Reverted"]


class ExecutorWorld:
    """WETH and three more tokens, and pools made as they are asked for. ``v3`` says whose bytecode those have."""

    def __init__(self, v3: str = "uniswap-v3") -> None:
        self.v3_code = V3_POOLS[v3]
        self.made: list[str] = []  # v3 pools
        self.evm = Evm()
        self.evm.evm.set_block_env(pyrevm.BlockEnv(number=BLOCK, timestamp=1_700_000_000, coinbase=COINBASE))
        self.evm.evm.set_balance(OWNER, 10**30)
        self.weth = self._deploy_weth()
        self.tokens = [self.weth]
        for _ in range(3):
            self.tokens.append(self.evm.deploy("@uniswap/v2-core/build/ERC20.json", abi.encode(10**40)))
        self.v2_factory = self.evm.deploy("@uniswap/v2-core/build/UniswapV2Factory.json", abi.encode(OWNER))
        self.v2_others = [
            self.evm.deploy("@uniswap/v2-core/build/UniswapV2Factory.json", abi.encode(OWNER)) for _ in range(3)
        ]
        self.executor = self._create(deploy_data(OWNER, self.weth))

    def _deploy_weth(self) -> str:
        weth = self.evm.deploy("canonical-weth/build/contracts/WETH9.json")
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
        return self.pair_of(number, {token0: DEPTH, token1: DEPTH * dice.randint(900, 1_100) // 1_000})

    def pair_of(self, number: int, reserves: dict[str, int]) -> V2Pool:
        """A new pair of factory ``number``."""
        token0, token1 = sorted(reserves)
        factory = [self.v2_factory, *self.v2_others][number]
        pair = abi.address(self.evm.call(OWNER, factory, "createPair(address,address)", token0, token1))
        for token, amount in reserves.items():
            self.evm.call(OWNER, token, "transfer(address,uint256)", pair, amount)
        self.evm.call(OWNER, pair, "mint(address)", OWNER)
        return V2Pool(pair, token0, token1, reserves[token0], reserves[token1])

    def lender(self, kind: Lender, amount: int, token: str | None = None) -> LoanSource:
        """A new lender that holds at least ``amount`` of a token, WETH if none is named. Aave and ERC-3156 are
        stand-ins, which take a ten-thousandth."""
        token = token or self.weth
        if kind in (Lender.V2, Lender.V3):
            return self._lending_pool(kind, amount, token)
        address = self._create(self._lender_code(kind))
        self.evm.call(OWNER, token, "transfer(address,uint256)", address, amount)
        return LoanSource(kind, address, amount // 10_000 if kind in (Lender.AAVE_V3, Lender.ERC3156) else 0)

    def _lender_code(self, kind: Lender) -> bytes:
        match kind:
            case Lender.MORPHO:
                return morpho.SOURCE.initcodes()["Morpho"] + abi.encode(OWNER)
            case Lender.BALANCER_V2:
                authorizer = self._create(balancer.AUTHORIZER_ARTIFACT.initcode() + abi.encode(OWNER))
                code = balancer.VAULT_ARTIFACT.initcode() + abi.encode(authorizer) + abi.encode(self.weth)
                return code + abi.encode(balancer.PAUSE_WINDOW) + abi.encode(balancer.PAUSE_BUFFER)
            case Lender.V4:
                return uniswap_v4.MANAGER_ARTIFACT.initcode() + abi.encode(OWNER)
            case _:
                return STAND_INS.initcodes()["AaveLender" if kind is Lender.AAVE_V3 else "Erc3156Lender"]

    def _lending_pool(self, kind: Lender, amount: int, token: str) -> LoanSource:
        """Of the token and one that no trade uses."""
        other = self.evm.deploy("@uniswap/v2-core/build/ERC20.json", abi.encode(10**40))
        token_1 = int(other, 16) < int(token, 16)
        if kind is Lender.V2:
            pair = self.pair_of(0, {token: DEPTH, other: DEPTH})
            return LoanSource(kind, pair.id, -(-amount * 3 // 997), token_1)
        v3 = self._v3(*sorted((token, other)), random.Random(0), 0)
        return LoanSource(kind, v3.id, -(-amount * v3.fee // 10**6), token_1)

    def with_book(self, pools: Sequence[Pool], lenders: Sequence[tuple[str, Kind]] = ()) -> Book:
        """Puts another executor in the place of the one there is: with a book of these."""
        listed = [SimpleNamespace(address=p.id, kind=p.kind, token0=p.token0, token1=p.token1) for p in pools]
        book = Book.of(self.weth, listed, lenders)
        self.executor = self._create(deploy_data(OWNER, self.weth, book))
        return book

    def _create(self, code: bytes) -> str:
        return str(self.evm.evm.deploy(OWNER, code)).lower()

    def _v3(self, token0: str, token1: str, dice: random.Random, number: int) -> V3Pool:
        fee, spacing = ((3000, 60), (500, 10), (10000, 200))[number]
        deployer = "0x" + "44" * 20  # as the factory does: the pool asks it for parameters()
        values = (deployer, token0, token1, fee, spacing)
        code = _deployer_code(b"".join(abi.encode(value) for value in values))
        self.evm.evm.insert_account_info(deployer, pyrevm.AccountInfo(code=code, nonce=1 + len(self.made)))
        address = abi.address(self.evm.send(OWNER, deployer, bytecode(self.v3_code)))
        self.made.append(address)
        self.evm.call(OWNER, address, "initialize(uint160)", sqrt_ratio_at_tick(dice.randint(-1_000, 1_000)))
        pool = V3Pool(address, token0, token1, fee, spacing, 0, 0, 0, TickMap.complete(spacing, {}))
        (log,) = self.evm.logs(address)
        pool = pool.apply(log)
        for width in (2_400, 12_000):  # multiples of every spacing
            pool = self._mint(pool, -width, width, 2 * DEPTH)
        return pool

    def _mint(self, pool: V3Pool, lower: int, upper: int, amount: int) -> V3Pool:
        payer = "0x" + pool.id[-20:] * 2
        self.evm.evm.insert_account_info(payer, pyrevm.AccountInfo(code=_payer_code(pool.token0, pool.token1), nonce=1))
        for token in (pool.token0, pool.token1):
            self.evm.call(OWNER, token, "transfer(address,uint256)", payer, 10**26)
        mint = abi.call("mint(address,int24,int24,uint128,bytes)", payer, lower, upper, amount, 160, 0)
        self.evm.send(OWNER, payer, abi.encode(pool.id) + mint)
        for log in self.evm.logs(pool.id):
            pool = pool.apply(log)
        return pool


def trade_through(pools: list[Pool], tokens: list[str], amount: int) -> Trade:
    """The trade of ``amount`` through ``pools``; hop i goes from token i to token i + 1."""
    hops, amounts = [], [amount]
    for pool, token_in, token_out in zip(pools, tokens, tokens[1:], strict=False):
        hop = Hop(pool.id, pool.kind, token_in, token_out)
        amounts.append(pool.quote_in(int(not hop.zero_for_one), int(hop.zero_for_one), amounts[-1]))
        hops.append(hop)
    return Trade(tuple(hops), tuple(amounts))
