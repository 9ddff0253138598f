"""The real PoolManager of Uniswap v4 in an in-process EVM, and an account that settles what it owes with claims."""

from __future__ import annotations

from dataclasses import replace

import pyrevm
from uniswap_evm import MAX_LIMIT, MIN_LIMIT, OWNER, PAYER, Evm, stored_ticks

from bot import abi
from bot.amm.layouts import mapping_slot, price_and_tick, v4_fees, v4_layout
from bot.amm.ticks import TickMap
from bot.amm.v4 import V4Pool, pool_id
from bot.devnet.protocols.uniswap_v4 import MANAGER_ARTIFACT

ETH = "0x" + "00" * 20
NO_HOOKS = "0x" + "00" * 20
TOKENS = (ETH, "0x" + "aa" * 20, "0x" + "bb" * 20)
"""Claims are all that moves, so that tokens need no code; ETH is the zero address."""

_CLAIMS = 4
"""The slot of ERC6909's balanceOf in PoolManager, behind Owned, ProtocolFees (2) and isOperator."""
_KEY = "(address,address,uint24,int24,address)"
_SWAP = abi.selector(f"swap({_KEY},(bool,int256,uint160),bytes)")
_MODIFY = abi.selector(f"modifyLiquidity({_KEY},(int24,int24,int256,bytes32),bytes)")
_DONATE = abi.selector(f"donate({_KEY},uint256,uint256,bytes)")


class V4World:
    """A manager and any pools in it. Calls are kept; what they emit is applied to the pool."""

    def __init__(self) -> None:
        self.evm = Evm()
        deployed = self.evm.evm.deploy(OWNER, MANAGER_ARTIFACT.initcode() + abi.encode(OWNER))
        self.manager = str(deployed).lower()
        self.evm.evm.insert_account_info(PAYER, pyrevm.AccountInfo(code=_payer_code(), nonce=1))
        for token in TOKENS:
            slot = mapping_slot(int(token, 16), mapping_slot(int(PAYER, 16), _CLAIMS))
            self.evm.evm.insert_account_storage(self.manager, slot, 1 << 255)
        self.evm.call(OWNER, self.manager, "setProtocolFeeController(address)", OWNER)

    def create(self, token0: str, token1: str, fee: int, spacing: int, hooks: str, sqrt_price: int) -> V4Pool:
        """A pool that is initialised and empty. A dynamic fee is 0, as nothing ran that could set it."""
        key = (token0, token1, fee, spacing, hooks)
        nothing = TickMap.complete(spacing, {})
        pool = V4Pool(pool_id(*key), self.manager, *key, 0, 0, 0, nothing, None)
        self.evm.call(OWNER, self.manager, f"initialize({_KEY},uint160)", *key, sqrt_price)
        return self._after(pool)

    def modify(self, pool: V4Pool, lower: int, upper: int, amount: int) -> V4Pool:
        """Adds to the payer's position, or takes from it. Raises Reverted."""
        self._unlock(_MODIFY, pool, lower, upper, amount, 0)
        return self._after(pool)

    def donate(self, pool: V4Pool, amount0: int, amount1: int) -> V4Pool:
        self._unlock(_DONATE, pool, amount0, amount1)
        return self._after(pool)

    def swap(self, pool: V4Pool, i: int, specified: int) -> tuple[int, int, V4Pool]:
        """Input and output of a swap without a price limit (``specified`` < 0 goes in, > 0 comes out), and the pool
        after. Raises Reverted."""
        delta = self._unlock(_SWAP, pool, i == 0, specified, MIN_LIMIT if i == 0 else MAX_LIMIT)
        deltas = int.from_bytes(delta[:16], signed=True), int.from_bytes(delta[16:], signed=True)
        return -deltas[i], deltas[1 - i], self._after(pool)

    def set_protocol_fee(self, pool: V4Pool, zero_for_one: int, one_for_zero: int) -> V4Pool:
        packed = one_for_zero << 12 | zero_for_one
        self.evm.call(OWNER, self.manager, f"setProtocolFee({_KEY},uint24)", *self._key(pool), packed)
        return self._after(pool)

    def set_lp_fee(self, pool: V4Pool, fee: int) -> None:
        """What the hook of a dynamic pool does; it is an account without code here. Emits nothing."""
        self.evm.call(pool.hooks, self.manager, f"updateDynamicLPFee({_KEY},uint24)", *self._key(pool), fee)
        assert not self.evm.logs(self.manager)

    def load(self, pool: V4Pool) -> V4Pool:
        """The pool as the manager's storage has it: every word, every tick."""
        layout = v4_layout(pool.id)
        word = self.slot(layout.price)
        price, tick = price_and_tick(word)
        protocol_fee, lp_fee = v4_fees(word)
        ticks, liquidity = stored_ticks(self.evm, pool, layout), self.slot(layout.liquidity)
        fees = {"protocol_fee": protocol_fee, "lp_fee": lp_fee}
        return replace(pool, sqrt_price=price, tick=tick, liquidity=liquidity, ticks=ticks, **fees)

    def slot(self, slot: int) -> int:
        return int(self.evm.evm.storage(self.manager, slot))

    def _key(self, pool: V4Pool) -> tuple[str, str, int, int, str]:
        return pool.token0, pool.token1, pool.key_fee, pool.tick_spacing, pool.hooks

    def _unlock(self, selector: bytes, pool: V4Pool, *args: int) -> bytes:
        """The BalanceDelta of a call with the pool's key, arguments, and no hook data."""
        head = b"".join(abi.encode(part) for part in (*self._key(pool), *args))
        inner = selector + head + abi.encode(len(head) + 32) + abi.encode(0)
        answer = self.evm.call(PAYER, self.manager, "unlock(bytes)", 32, len(inner), *_words(inner))
        return abi.word(answer, 2)

    def _after(self, pool: V4Pool) -> V4Pool:
        for log in self.evm.logs(self.manager):
            pool = pool.apply(log)
        return pool


def _words(data: bytes) -> list[bytes]:
    return [data[start : start + 32] for start in range(0, len(data), 32)]


def _payer_code() -> bytes:
    """From its owner: forwards (address to, payload). From the manager, unlockCallback(bytes): calls it back with the
    bytes, which begin with a pool's key, pays what that left owed by burning claims, takes the rest as claims, and
    answers the BalanceDelta."""
    head = b"\x73" + abi.to_bytes(OWNER) + b"\x33\x14\x15\x61"  # caller != owner
    forward = bytes.fromhex(
        "602036038060205f37"  # calldatacopy(0, 32, calldatasize - 32)
        "5f5f915f5f5f355af1"  # call(gas, calldata[0], 0, 0, calldatasize - 32, 0, 0)
        "3d5f5f3e3d905f9015"  # returndatacopy(0, 0, returndatasize); [returndatasize, 0, failed]
    )
    failed = len(head) + 3 + len(forward) + 5
    code = head + (failed + 2).to_bytes(2, "big") + b"\x57" + forward
    code += b"\x61" + failed.to_bytes(2, "big") + b"\x57\xf3\x5b\xfd"
    code += bytes.fromhex(
        "5b602435806044 5f37"  # calldatacopy(0, 68, size of the bytes)
        "60205f825f5f335af1"  # call(gas, caller, 0, 0, size, 0, 32)
    )
    code += b"\x61" + (len(code) + 11).to_bytes(2, "big") + b"\x57" + bytes.fromhex("3d5f5f3e3d5ffd" + "5b")
    code += bytes.fromhex("5f51")  # delta := mload(0)
    for amount, currency_at in (("8060801d", 72), ("80600f0b", 104)):  # sar(128, delta), signextend(15, delta)
        code += bytes.fromhex(amount) + _SETTLE + bytes([0x60, currency_at, 0x35]) + _SETTLE_AMOUNT
    return code + bytes.fromhex("60205f52 6020602052 604052 60605ff3")  # return abi.encode(bytes(delta))


_MINT = int.from_bytes(abi.selector("mint(address,uint256,uint256)"))
_BURN = int.from_bytes(abi.selector("burn(address,uint256,uint256)"))
_SETTLE = bytes.fromhex(
    f"5f811263{_MINT ^ _BURN:08x}0263{_MINT:08x}18"  # amount < 0 ? burn : mint
    "60e01b608052"  # mstore(128, its selector)
    "30608452"  # mstore(132, this)
)
_SETTLE_AMOUNT = bytes.fromhex(
    "60a452"  # mstore(164, currency)
    "8060ff1d80911803"  # |amount|
    "60c452"  # mstore(196, it)
    "5f5f606460805f335af150"  # call(gas, caller, 0, 128, 100, 0, 0)
)
