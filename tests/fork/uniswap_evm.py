"""Real Uniswap v2 and v3 bytecode in an in-process EVM, and an account that pays what pools ask for."""

from __future__ import annotations

import json
from pathlib import Path

import pyrevm

from bot import abi
from bot.amm.ticks import TickLiquidity, TickMap, all_words
from bot.amm.v2 import V2Pool
from bot.amm.v3 import V3Pool
from bot.engine.types import Log

UNISWAP = Path(__file__).parents[2] / "node_modules" / "@uniswap"
OWNER = "0x" + "11" * 20
PAYER = "0x" + "22" * 20


class Reverted(Exception):
    """The call reverted."""


class Evm:
    """Deploys and calls; calls are kept, and their logs returned as the bot's own."""

    def __init__(self) -> None:
        self.evm = pyrevm.EVM(spec_id="Cancun")
        self.evm.set_block_env(pyrevm.BlockEnv(number=1, timestamp=1_700_000_000))

    def deploy(self, artifact: str, arguments: bytes = b"") -> str:
        code = json.loads((UNISWAP / artifact).read_text())["bytecode"].removeprefix("0x")
        return str(self.evm.deploy(OWNER, bytes.fromhex(code) + arguments)).lower()

    def call(self, sender: str, to: str, signature: str, *args: int | str | bytes) -> bytes:
        return self.send(sender, to, abi.call(signature, *args))

    def send(self, sender: str, to: str, data: bytes) -> bytes:
        if sender == PAYER:  # code cannot sign: its owner has it forward
            sender, to, data = OWNER, PAYER, abi.encode(to) + data
        try:
            return bytes(self.evm.message_call(sender, to, data))
        except RuntimeError as error:
            raise Reverted(str(error)) from None

    def logs(self, address: str) -> list[Log]:
        """Those that a contract emitted in the last call."""
        return [
            Log(address, tuple(log.topics), bytes(log.data[1]))
            for log in self.evm.result.logs
            if log.address.lower() == address
        ]

    def token_pair(self) -> tuple[str, str]:
        """Two tokens in order, all of whose supply the payer holds."""
        tokens = []
        for _ in range(2):
            token = self.deploy("v2-core/build/ERC20.json", abi.encode(abi.MASK_256))
            self.call(OWNER, token, "transfer(address,uint256)", PAYER, abi.MASK_256)
            tokens.append(token)
        first, second = sorted(tokens)
        code = pyrevm.AccountInfo(code=_payer_code(first, second), nonce=1)
        self.evm.insert_account_info(PAYER, code)
        return first, second


def _payer_code(token0: str, token1: str) -> bytes:
    """From its owner: forwards (address to, payload). From a pool: answers v3's swap and mint callbacks, both
    (int256 or uint256 owed0, owed1, bytes), by paying the caller."""
    forward = bytes.fromhex(
        "602036038060205f37"  # calldatacopy(0, 32, calldatasize - 32)
        "5f5f915f5f5f355af1"  # call(gas, calldata[0], 0, 0, calldatasize - 32, 0, 0)
        "3d5f5f3e3d905f90"  # returndatacopy(0, 0, returndatasize); [returndatasize, 0, success]
    )
    code = b"\x73" + abi.to_bytes(OWNER) + b"\x33\x14\x15"  # caller != owner
    size = len(code) + 4 + len(forward)
    revert_to, pay_from = size + 6, size + 8
    code += b"\x61" + pay_from.to_bytes(2, "big") + b"\x57" + forward
    code += b"\x15\x61" + revert_to.to_bytes(2, "big") + b"\x57\xf3"
    code += b"\x5b\xfd\x5b"
    for token, offset in ((token0, 4), (token1, 36)):
        pay = bytes.fromhex(
            "63a9059cbb60e01b5f52"  # mstore(0, transfer's selector)
            "33600452"  # mstore(4, caller)
            "80602452"  # mstore(36, owed)
            "5f5f60445f5f"  # no output, 68 bytes of input from 0, no value
        )
        pay += b"\x73" + abi.to_bytes(token) + bytes.fromhex("5af150")  # call(gas, token, …)
        head = bytes.fromhex(f"60{offset:02x}35805f12")  # owed := calldata word; 0 < owed, signed
        target = len(code) + len(head) + 5 + len(pay)
        code += head + b"\x15\x61" + target.to_bytes(2, "big") + b"\x57" + pay + b"\x5b\x50"
    return code


class V2World:
    """One pair."""

    def __init__(self) -> None:
        self.evm = Evm()
        self.token0, self.token1 = self.evm.token_pair()
        factory = self.evm.deploy("v2-core/build/UniswapV2Factory.json", abi.encode(OWNER))
        made = self.evm.call(OWNER, factory, "createPair(address,address)", self.token0, self.token1)
        self.pair = abi.address(made)

    def pay(self, zero_for_one: bool, amount: int) -> None:
        token = self.token0 if zero_for_one else self.token1
        self.evm.call(PAYER, token, "transfer(address,uint256)", self.pair, amount)

    def add(self, amount0: int, amount1: int) -> list[Log]:
        self.pay(True, amount0)
        self.pay(False, amount1)
        self.evm.call(PAYER, self.pair, "mint(address)", PAYER)
        return self.evm.logs(self.pair)

    def swap(self, zero_for_one: bool, amount_in: int, amount_out: int) -> list[Log]:
        """Pays, then asks. Raises Reverted."""
        self.pay(zero_for_one, amount_in)
        outs = (0, amount_out) if zero_for_one else (amount_out, 0)
        self.evm.call(PAYER, self.pair, "swap(uint256,uint256,address,bytes)", *outs, PAYER, 128, 0)
        return self.evm.logs(self.pair)

    def load(self) -> V2Pool:
        data = self.evm.call(PAYER, self.pair, "getReserves()")
        return V2Pool(self.pair, self.token0, self.token1, abi.uint(data), abi.uint(data, 1))


MIN_LIMIT = 4295128739 + 1
MAX_LIMIT = 1461446703485210103287273052203988822378723970342 - 1


class V3World:
    """One factory and two tokens; pools of any fee and spacing over them."""

    def __init__(self) -> None:
        self.evm = Evm()
        self.token0, self.token1 = self.evm.token_pair()
        self.factory = self.evm.deploy("v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json")

    def create(self, fee: int, spacing: int, sqrt_price: int) -> V3Pool:
        enabled = self.evm.call(OWNER, self.factory, "feeAmountTickSpacing(uint24)", fee)
        if abi.sint(enabled) != spacing:
            self.evm.call(OWNER, self.factory, "enableFeeAmount(uint24,int24)", fee, spacing)
        made = self.evm.call(OWNER, self.factory, "createPool(address,address,uint24)", self.token0, self.token1, fee)
        address = abi.address(made)
        empty = V3Pool(address, self.token0, self.token1, fee, spacing, 0, 0, 0, TickMap.complete(spacing, {}))
        self.evm.call(OWNER, address, "initialize(uint160)", sqrt_price)
        (log,) = self.evm.logs(address)
        return empty.apply(log)

    def mint(self, pool: V3Pool, lower: int, upper: int, amount: int) -> V3Pool:
        signature = "mint(address,int24,int24,uint128,bytes)"
        self.evm.call(PAYER, pool.address, signature, PAYER, lower, upper, amount, 160, 0)
        return self._after(pool)

    def burn(self, pool: V3Pool, lower: int, upper: int, amount: int) -> V3Pool:
        self.evm.call(PAYER, pool.address, "burn(int24,int24,uint128)", lower, upper, amount)
        return self._after(pool)

    def swap(self, pool: V3Pool, zero_for_one: bool, specified: int) -> tuple[int, int, V3Pool]:
        """Input and output of UniswapV3Pool.swap without a price limit, and the pool after. Raises Reverted."""
        limit = MIN_LIMIT if zero_for_one else MAX_LIMIT
        signature = "swap(address,bool,int256,uint160,bytes)"
        data = self.evm.call(PAYER, pool.address, signature, PAYER, zero_for_one, specified, limit, 160, 0)
        deltas = abi.sint(data), abi.sint(data, 1)
        paid, got = deltas if zero_for_one else deltas[::-1]
        return paid, -got, self._after(pool)

    def balance(self, pool: V3Pool, first: bool) -> int:
        token = self.token0 if first else self.token1
        return abi.uint(self.evm.call(OWNER, token, "balanceOf(address)", pool.address))

    def load(self, pool: V3Pool) -> V3Pool:
        """The pool as its storage has it: every word, every tick."""
        slot0 = self.evm.call(PAYER, pool.address, "slot0()")
        liquidity = self.evm.call(PAYER, pool.address, "liquidity()")
        words, ticks = {}, {}
        for word in all_words(pool.tick_spacing):
            words[word] = abi.uint(self.evm.call(PAYER, pool.address, "tickBitmap(int16)", word))
            for bit in range(256):
                if words[word] >> bit & 1:
                    tick = (word * 256 + bit) * pool.tick_spacing
                    data = self.evm.call(PAYER, pool.address, "ticks(int24)", tick)
                    ticks[tick] = TickLiquidity(abi.uint(data), abi.sint(data, 1))
        return V3Pool(
            pool.address,
            pool.token0,
            pool.token1,
            pool.fee,
            pool.tick_spacing,
            abi.uint(slot0),
            abi.sint(slot0, 1),
            abi.uint(liquidity),
            TickMap(pool.tick_spacing, words, ticks),
        )

    def _after(self, pool: V3Pool) -> V3Pool:
        for log in self.evm.logs(pool.address):
            pool = pool.apply(log)
        return pool
