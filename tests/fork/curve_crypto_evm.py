"""Curve's three-coin crypto pools in an in-process EVM: the pools' and maths contracts' recorded code, every slot of
state written, coins that only keep balances."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, fields
from functools import cache, lru_cache

import pyrevm
from recorded import cassette_path

from bot import abi
from bot.amm.curve.crypto import CryptoPool
from bot.amm.curve.crypto_layouts import GENERATION, NG_PRECISIONS, Generation, fields_of
from bot.engine.types import AccountDiff, Log, StateDiff

TRADER = "0x" + "77" * 20
RICH = 10**60


@dataclass(frozen=True, slots=True)
class Recorded:
    """A pool in a recorded block, and the contracts that it calls."""

    generation: str
    block: int
    pool: str
    math: str
    lp_token: str
    coins: tuple[str, str, str]


USDT, USDC = "0xdac17f958d2ee523a2206206994597c13d831ec7", "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
WBTC, WETH = "0x2260fac5e5542a773aa44fbcfedf7c193bc2c599", "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
CRVUSD, CRV = "0xf939e0a03fb07f59a73314e73794be0e57ac1b4e", "0xd533a949740bb3306d119cc777fa900ba034cd52"
_NG_MATH = "0xcbff3004a20dbfe2731543aa38599a526e0fd6ee"
_NG_USDC = "0x7f86bf177dd4f3494b841a37e810a34dd56c829b"
_NG_CRV = "0x4ebdf703948ddcea3b11f675b4d1fba9d2414a14"

TRICRYPTO_2 = Recorded(
    "tricrypto2",
    17666333,
    "0xd51a44d3fae010294c616388b506acda1bfaae46",
    "0x8f68f4810cce3194b6cb6f3d50fa58c2c9bdd1d5",
    "0xc4ad29ba4b3c580e6d59105fff484999997675ff",
    (USDT, WBTC, WETH),
)
TRICRYPTO_USDC = Recorded("tricrypto-ng", 24628607, _NG_USDC, _NG_MATH, _NG_USDC, (USDC, WBTC, WETH))
TRICRYPTO_CRV = Recorded("tricrypto-ng", 19426586, _NG_CRV, _NG_MATH, _NG_CRV, (CRVUSD, WETH, CRV))
POOLS = {"tricrypto2": TRICRYPTO_2, "tricrypto-usdc": TRICRYPTO_USDC, "tricrypto-crv": TRICRYPTO_CRV}


def _token() -> bytes:
    """A coin: balances at the slots that are the accounts' numbers, no allowances, true for every answer."""
    start = bytes.fromhex("5f3560e01c8063a9059cbb14")
    head = len(start) + 3 + 6 + 3
    answer = bytes.fromhex("5b60015f5260205ff3")
    transfer_at = head + len(answer)
    by_caller = bytes.fromhex("5b5033600435602435")  # [caller, to, amount]
    move_at = transfer_at + len(by_caller) + 3 + 10
    by_any_at = transfer_at + len(by_caller) + 3
    move = bytes.fromhex("5b8083540383558154019055")
    code = start + bytes([0x60, transfer_at, 0x57]) + bytes.fromhex("6323b872dd14") + bytes([0x60, by_any_at, 0x57])
    assert len(code) == head
    code += answer + by_caller + bytes([0x60, move_at, 0x56])
    code += bytes.fromhex("5b600435602435604435")
    assert len(code) == move_at
    return code + move + bytes([0x60, head, 0x56])


@cache
def recorded_codes(block: int) -> dict[str, bytes]:
    """Codes of a recorded block by account."""
    with gzip.open(cassette_path(block)) as file:
        held = json.load(file)
    codes = held["codes"]
    return {
        address: bytes.fromhex(codes[account["codeHash"]][2:])
        for address, account in held["accounts"].items()
        if account.get("codeHash") in codes
    }


@cache
def recorded_storage(block: int, address: str) -> dict[int, int]:
    """A recorded account's slots, before the block."""
    with gzip.open(cassette_path(block)) as file:
        account = json.load(file)["accounts"][address]
    return {int(slot, 16): int(word, 16) for slot, word in account["storage"].items()}


@lru_cache
def _analysed(code: bytes) -> pyrevm.AccountInfo:
    """As the EVM keeps code after a deployment: it need not look at it again at every call."""
    scratch = pyrevm.EVM(spec_id="Cancun")
    returner = b"\x62" + len(code).to_bytes(3, "big") + bytes.fromhex("80600b5f395ff3")
    return scratch.basic(scratch.deploy(TRADER, returner + code))


def words_of(pool: CryptoPool) -> dict[str, dict[int, int]]:
    """The state that a pool value says, by account and slot."""
    generation = GENERATION[pool.generation]
    own = {slot: _word(pool, *field) for slot, field in generation.fields.items()}
    own |= dict(zip(generation.balances, pool.balances, strict=True))
    if generation.ng:
        first, second, third = pool.precisions
        own |= {0: 3, NG_PRECISIONS: first << 128 | second << 64 | third}
    words = {pool.id: own}
    words.setdefault(pool.lp_token, {})[generation.supply] = pool.supply
    return words


def _word(pool: CryptoPool, shape: str, names: tuple[str, ...]) -> int:
    values = [getattr(pool, name) for name in names]
    if shape == "prices":
        return int(values[0][1] << 128 | values[0][0])
    if shape == "threes":
        return int(values[0] << 128 | values[1] << 64 | values[2])
    return int(values[0] or 0)


class CryptoWorld:
    """One pool in the state that ``pool`` says."""

    def __init__(self, of: Recorded, pool: CryptoPool) -> None:
        self.of, self.pool = of, pool
        self.evm = pyrevm.EVM(spec_id="Cancun")
        codes = recorded_codes(of.block)
        for address in {of.pool, of.math, of.lp_token}:
            self._place(address, codes[address])
        for coin in of.coins:
            self._place(coin, _token())
            self.evm.insert_account_storage(coin, int(TRADER, 16), RICH)
            self.evm.insert_account_storage(coin, int(of.pool, 16), RICH)
        self.evm.set_balance(of.pool, RICH)
        self.write(words_of(pool))
        self.to(pool.time)

    def _place(self, address: str, code: bytes) -> None:
        self.evm.insert_account_info(address, _analysed(code))

    def write(self, words: dict[str, dict[int, int]]) -> None:
        for address, slots in words.items():
            for slot, word in slots.items():
                self.evm.insert_account_storage(address, slot, word)

    def to(self, time: int) -> None:
        self.evm.set_block_env(pyrevm.BlockEnv(number=1, timestamp=time))

    def held(self, coin: int) -> int:
        return int(self.evm.storage(self.of.coins[coin], int(TRADER, 16)))

    def ask(self, signature: str, *args: int) -> int:
        """A getter."""
        return abi.uint(bytes(self.evm.message_call(TRADER, self.of.pool, abi.call(signature, *args))))

    def exchange(self, i: int, j: int, amount: int) -> int | None:
        """What the trader gets of coin j; None where the pool refuses."""
        self.evm.insert_account_storage(self.of.coins[i], int(TRADER, 16), amount)
        before = self.held(j)
        data = abi.call("exchange(uint256,uint256,uint256,uint256)", i, j, amount, 0)
        try:
            self.evm.message_call(TRADER, self.of.pool, data)
        except RuntimeError as error:
            assert "revert" in str(error).lower(), error
            return None
        assert self.held(i) == 0
        return self.held(j) - before

    def exchanged(self) -> Log:
        """What the pool emitted of the last swap."""
        (log,) = (log for log in self.evm.result.logs if log.address.lower() == self.of.pool)
        return Log(self.of.pool, tuple(log.topics), bytes(log.data[1]))

    def diff(self, pool: CryptoPool) -> StateDiff:
        """Everything that the pool value watches, as it is now."""
        return {
            address: AccountDiff(slots={slot: int(self.evm.storage(address, slot)) for slot in slots})
            for address, slots in pool.slots().items()
        }


def pool_of(
    of: Recorded, time: int, precisions: tuple[int, int, int], words: dict[int, int], supply: int
) -> CryptoPool:
    """A pool value from words of storage; those that are not there are None where they may be."""
    generation: Generation = GENERATION[of.generation]
    known: dict[str, object] = {}
    for slot in generation.fields:
        if slot in words:
            known |= fields_of(generation, slot, words[slot])
    known["balances"] = tuple(words[slot] for slot in generation.balances)
    fixed = of.pool, of.coins, of.generation, of.lp_token, precisions, time
    names = [field.name for field in fields(CryptoPool)][: len(fixed)]
    return CryptoPool(**dict(zip(names, fixed, strict=True)), supply=supply, **known)  # type: ignore[arg-type]
