"""Real Uniswap v3 bytecode in an in-process EVM, and an account that pays what pools ask for."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pyrevm
from recorded import cassette_path

from bot import abi
from bot.amm.layouts import V3_LAYOUT, V3Layout, mapping_slot, price_and_tick
from bot.amm.tick_math import MAX_TICK
from bot.amm.ticks import TickLiquidity, TickMap, all_words, ticks_in
from bot.amm.v3 import V3Pool
from bot.amm.v4 import V4Pool
from bot.engine.types import AccountDiff, Log, StateDiff

PACKAGES = Path(__file__).parents[2] / "node_modules"
V3_POOLS = {
    "uniswap-v3": "@uniswap/v3-core/artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json",
    "pancake-v3": "@pancakeswap/v3-core/artifacts/contracts/PancakeV3Pool.sol/PancakeV3Pool.json",
}
RECORDED_V3 = {"shifted-v3": (19426586, "0x9afe20b4b51c417e130e0339692e5a32dfc4764c")}
"""The one fork in the recorded blocks whose code is not that of an npm package: block and pool. SushiSwap's pools
there are Uniswap's code."""
OWNER = "0x" + "11" * 20
PAYER = "0x" + "22" * 20


@lru_cache
def bytecode(artifact: str) -> bytes:
    """What creates a contract, from an artifact of an npm package."""
    return bytes.fromhex(json.loads((PACKAGES / artifact).read_text())["bytecode"].removeprefix("0x"))


_FORKS_FACTORY = "0x075c42cd233a1c723c0f18f6dd575c8d679fea85"
_PUSH32 = b"\x7f"
_BALANCES = 1
"""The slot of UniswapV2ERC20's mapping balanceOf."""


@lru_cache
def recorded_code(layout: str, token0: str, token1: str, fee: int, spacing: int) -> bytes:
    """Runtime code of a fork's recorded pool, with other immutables. Skips the test where the block is absent."""
    block, pool = RECORDED_V3[layout]
    cassette = json.loads(gzip.decompress(cassette_path(block).read_bytes()))
    code = abi.to_bytes(cassette["codes"][cassette["accounts"][pool]["codeHash"]])
    evm = Evm()
    evm.evm.insert_account_info(pool, pyrevm.AccountInfo(code=code, nonce=1))
    most = ((1 << 128) - 1) // (MAX_TICK // spacing * 2 + 1)  # Tick.tickSpacingToMaxLiquidityPerTick
    wanted = {"token0": token0, "token1": token1, "fee": fee, "tickSpacing": spacing, "maxLiquidityPerTick": most}
    for getter, value in wanted.items():
        recorded = evm.call(OWNER, pool, f"{getter}()")
        assert _PUSH32 + recorded in code
        code = code.replace(_PUSH32 + recorded, _PUSH32 + abi.encode(value))
    return code


class Reverted(Exception):
    """The call reverted."""


class Evm:
    """Deploys and calls; calls are kept, and their logs returned as the bot's own."""

    def __init__(self) -> None:
        self.evm = pyrevm.EVM(spec_id="Cancun")
        self.evm.set_block_env(pyrevm.BlockEnv(number=1, timestamp=1_700_000_000))

    def deploy(self, artifact: str, arguments: bytes = b"") -> str:
        return str(self.evm.deploy(OWNER, bytecode(artifact) + arguments)).lower()

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
            token = self.deploy("@uniswap/v2-core/build/ERC20.json", abi.encode(abi.MASK_256))
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


MIN_LIMIT = 4295128739 + 1
MAX_LIMIT = 1461446703485210103287273052203988822378723970342 - 1


class V3World:
    """Two tokens, and pools of any fee and spacing over them. ``layout`` says whose bytecode."""

    def __init__(self, layout: str) -> None:
        self.evm = Evm()
        self.layout = V3_LAYOUT[layout]
        self._created = 0
        self.token0, self.token1 = self.evm.token_pair()

    def create(self, fee: int, spacing: int, sqrt_price: int) -> V3Pool:
        """A pool that is initialised and empty."""
        address = self._create(fee, spacing)
        fixed = address, self.token0, self.token1, fee, spacing
        empty = V3Pool(*fixed, 0, 0, 0, TickMap.complete(spacing, {}), self.layout.name)
        self.evm.call(OWNER, address, "initialize(uint160)", sqrt_price)
        (log,) = self.evm.logs(address)
        return empty.apply(log)

    def _create(self, fee: int, spacing: int) -> str:
        """As the factory does: the pool's constructor asks its deployer for parameters()."""
        if self.layout.name in RECORDED_V3:
            code = pyrevm.AccountInfo(code=bytes.fromhex("60015f5260205ff3"), nonce=1)  # to every question: 1
            self.evm.evm.insert_account_info(_FORKS_FACTORY, code)  # asked whether the caller may mint
            return self._place(recorded_code(self.layout.name, self.token0, self.token1, fee, spacing))
        deployer = self._fresh()
        values = (deployer, self.token0, self.token1, fee, spacing)
        info = pyrevm.AccountInfo(code=_deployer_code(b"".join(abi.encode(value) for value in values)), nonce=1)
        self.evm.evm.insert_account_info(deployer, info)
        return abi.address(self.evm.send(OWNER, deployer, bytecode(V3_POOLS[self.layout.name])))

    def _fresh(self) -> str:
        self._created += 1
        return "0x" + f"{self._created:08x}" * 5

    def _place(self, code: bytes) -> str:
        """A pool with this runtime code, but for its own address in it (NoDelegateCall.original)."""
        address = self._fresh()
        code = code.replace(_PUSH32 + abi.encode(RECORDED_V3[self.layout.name][1]), _PUSH32 + abi.encode(address))
        returner = b"\x62" + len(code).to_bytes(3, "big") + bytes.fromhex("80600b5f395ff3")
        scratch = pyrevm.EVM(spec_id="Cancun")  # what is deployed is analysed once
        self.evm.evm.insert_account_info(address, scratch.basic(scratch.deploy(OWNER, returner + code)))
        self.evm.evm.insert_account_storage(address, mapping_slot(int(PAYER, 16), 0), 1)  # who may swap
        return address

    def mint(self, pool: V3Pool, lower: int, upper: int, amount: int) -> V3Pool:
        signature = "mint(address,int24,int24,uint128,bytes)"
        self.evm.call(PAYER, pool.id, signature, PAYER, lower, upper, amount, 160, 0)
        return self._after(pool)

    def burn(self, pool: V3Pool, lower: int, upper: int, amount: int) -> V3Pool:
        self.evm.call(PAYER, pool.id, "burn(int24,int24,uint128)", lower, upper, amount)
        return self._after(pool)

    def swap(self, pool: V3Pool, i: int, specified: int) -> tuple[int, int, V3Pool]:
        """Input and output of UniswapV3Pool.swap without a price limit, and the pool after. Raises Reverted."""
        limit = MIN_LIMIT if i == 0 else MAX_LIMIT
        signature = "swap(address,bool,int256,uint160,bytes)"
        data = self.evm.call(PAYER, pool.id, signature, PAYER, i == 0, specified, limit, 160, 0)
        deltas = abi.sint(data), abi.sint(data, 1)
        return deltas[i], -deltas[1 - i], self._after(pool)

    def held(self, pool: V3Pool, i: int) -> int:
        """What the pool holds of token i."""
        return int(self.evm.evm.storage(pool.tokens[i], mapping_slot(int(pool.id, 16), _BALANCES)))

    def load(self, pool: V3Pool) -> V3Pool:
        """The pool as its storage has it: every word, every tick."""
        price, tick = price_and_tick(self.slot(pool, self.layout.price))
        liquidity, ticks = self.slot(pool, self.layout.liquidity), stored_ticks(self.evm, pool, self.layout)
        return replace(pool, sqrt_price=price, tick=tick, liquidity=liquidity, ticks=ticks)

    def slot(self, pool: V3Pool, slot: int) -> int:
        return int(self.evm.evm.storage(pool.id, slot))

    def _after(self, pool: V3Pool) -> V3Pool:
        for log in self.evm.logs(pool.id):
            pool = pool.apply(log)
        return pool


def stored_ticks(evm: Evm, pool: V3Pool | V4Pool, layout: V3Layout) -> TickMap:
    """A pool's ticks as storage has them: every word, every tick."""

    def slot(number: int) -> int:
        return int(evm.evm.storage(pool.keeper or pool.id, number))

    spacing = pool.tick_spacing
    words = {word: slot(layout.word_slot(word)) for word in all_words(spacing)}
    initialised = [tick for word, bitmap in words.items() for tick in ticks_in(word, bitmap, spacing)]
    ticks = {tick: TickLiquidity.stored(slot(layout.tick_slot(tick))) for tick in initialised}
    return TickMap(spacing, words, ticks)


def changed(evm: Evm, before: V3Pool | V4Pool, after: V3Pool | V4Pool) -> StateDiff:
    """What a call that led from one to the other left in the slots that hold them."""
    slots = {contract: set(numbers) for contract, numbers in before.slots().items()}
    ((contract, numbers),) = after.slots().items()
    slots[contract] |= numbers
    return {contract: AccountDiff(slots={slot: int(evm.evm.storage(contract, slot)) for slot in slots[contract]})}


def _deployer_code(parameters: bytes) -> bytes:
    """From the owner: creates what it is sent, answers the address. From the pool under construction: parameters."""
    create = bytes.fromhex("365f5f37365f5ff05f5260205ff3")  # create(0, 0, calldatasize) with the calldata
    head = b"\x73" + abi.to_bytes(OWNER) + bytes.fromhex("3314")  # caller == owner
    create_at = len(head) + 3 + 10
    parameters_at = create_at + 1 + len(create)
    answer = bytes.fromhex(f"60a060{parameters_at:02x}5f3960a05ff3")  # codecopy(0, parameters_at, 160); return
    return head + bytes([0x60, create_at, 0x57]) + answer + b"\x5b" + create + parameters
