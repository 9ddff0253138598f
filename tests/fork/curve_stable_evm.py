"""Curve's StableSwap bytecode from recorded blocks in an in-process EVM, in whatever state a test writes into it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import pyrevm
from recorded import cassette_path
from uniswap_evm import OWNER, Evm, Reverted
from venue_chain import fresh, solidity, vyper

from bot import abi
from bot.amm.curve.generations import STABLE_2020, STABLE_EMA, STABLE_NG, STABLE_NG_FIRST, Generation
from bot.amm.curve.stable import CurveStablePool
from bot.amm.curve.state import StableState
from bot.engine.types import AccountDiff, Log
from bot.simulation.cassette import load

TRADER = fresh("trader")
PLENTY = 1 << 250
EXCHANGE = "exchange(int128,int128,uint256,uint256)"
NOW = 1_700_000_000
FACTORY = fresh("factory")
FACTORY_CODE = b"\x73" + abi.to_bytes(OWNER) + bytes.fromhex("5f5260205ff3")  # whoever is asked for: the owner
LP_CODE = bytes.fromhex(
    "5f3560e01c6318160ddd14601657"  # totalSupply(): on to the second half
    "60015f5260205ff3"  # mint, burnFrom: true
    "5b5f545f5260205ff3"  # slot 0
)


@dataclass(frozen=True)
class Code:
    """A deployed contract. NG's immutables lie at ``immutables`` in its code: N_COINS, N_COINS_128, factory, the arrays
    coins and asset_types of nine words each, and, from word ``rates`` on, rate_multipliers. ``prices`` is the slot of
    last_prices_packed."""

    kind: Generation
    block: int
    address: str
    immutables: int = 0
    rates: int = 0
    prices: int = 0

    def __str__(self) -> str:
        return f"{self.kind.name}-{self.address[:6]}"


CODES = (
    Code(STABLE_2020, 17666333, "0xbebc44782c7db0a1a60cb6fe97d0b483032ff1c7"),
    Code(STABLE_EMA, 19426586, "0x67fe41a94e779ccfa22cff02cc2957dc9c0e4286"),
    Code(STABLE_NG_FIRST, 19932148, "0x02950460e2b9529d0e00284a5fa2d7bdf3fa4d72", 21685, 21, 34),
    Code(STABLE_NG, 24628607, "0x4b5e827f4c0a1042272a11857a355da1f4ceebae", 21491, 22, 25),
)


@cache
def recorded_code(block: int, address: str) -> bytes:
    """An account's code in a recorded block; skips the test where that is absent."""
    cassette = load(cassette_path(block))
    return abi.to_bytes(cassette.codes[str(cassette.accounts[address].codeHash)])


class StableWorld:
    """One pool of a code, with tokens that anyone may be given; ``set`` writes its state."""

    def __init__(self, code: Code, coins: int, decimals: Iterable[int]) -> None:
        self.code, self.evm = code, Evm()
        self.set_time(NOW)
        self.pool = fresh("pool")
        self.tokens = tuple(fresh(f"coin {k}") for k in range(coins))
        self.rates = tuple(10 ** (36 - places) for places in decimals)
        self.lp = fresh("lp token")
        model = self.evm.deploy("@uniswap/v2-core/build/ERC20.json", abi.encode(0))
        token = bytes(self.evm.evm.basic(model).code or b"")
        for address in self.tokens:
            self._place(address, token)
        self._place(self.lp, LP_CODE)
        self._place(FACTORY, FACTORY_CODE)
        self._place(self.pool, self._pool_code(recorded_code(code.block, code.address)))
        allowed = abi.keccak(abi.encode(self.pool) + abi.keccak(abi.encode(TRADER) + abi.encode(2)))
        for address in self.tokens:
            self.write(address, {int.from_bytes(allowed, "big"): abi.MASK_256})

    def write(self, address: str, slots: dict[int, int]) -> None:
        for slot, word in slots.items():
            self.evm.evm.insert_account_storage(address, slot, word)

    def set(self, state: StableState, supply: int = 10**24) -> CurveStablePool:
        """Writes a state into the contract's storage; gives the pool value."""
        kind, storage = self.code.kind, self.code.kind.storage
        assert storage is not None
        admin = state.admin or (0,) * len(state.balances)
        slots = {storage.balances + k: held + admin[k] for k, held in enumerate(state.balances)}
        slots |= {storage.fee: state.fee, storage.ramp: state.amp, storage.ramp + 1: state.amp}
        slots |= dict(enumerate(state.ramp or (state.amp, state.amp, 0, 0), storage.ramp))
        if storage.admin_fee is not None:
            slots[storage.admin_fee] = state.admin_fee
        if storage.coins is not None:
            slots |= {storage.coins + k: int(token, 16) for k, token in enumerate(self.tokens)}
        if storage.rates is not None:
            slots |= {storage.rates + k: rate for k, rate in enumerate(state.rates)}
        slots |= self._fixed(state, supply)
        self.write(self.pool, slots)
        for k, token in enumerate(self.tokens):
            self.write(token, {solidity(1)(self.pool): state.balances[k] + admin[k], solidity(1)(TRADER): PLENTY})
        assert kind.coins in (None, len(state.balances))
        return CurveStablePool(self.pool, self.tokens, state)

    def _fixed(self, state: StableState, supply: int) -> dict[int, int]:
        """What the contracts need besides: LP tokens, lengths of arrays, price oracles."""
        kind, n = self.code.kind, len(state.balances)
        if kind is STABLE_2020:
            self.write(self.lp, {0: supply})
            return {5: int(self.lp, 16), 4: int(OWNER, 16)}
        one = 10**18 << 128 | 10**18
        if kind is STABLE_EMA:
            holder = {vyper(20)(TRADER): supply, 22: supply}
            return {1: int(FACTORY, 16), 25: one, 26: 866, 27: NOW - 60, **holder}
        assert kind.storage is not None and kind.storage.offpeg is not None and kind.storage.admin is not None
        slots = {1: n, kind.storage.offpeg: state.offpeg, kind.storage.admin - 1: n}
        slots |= {kind.storage.admin + k: kept for k, kept in enumerate(state.admin)}
        last = self.code.prices
        slots |= {25: n, last: n - 1, **{last + 1 + k: one for k in range(n - 1)}}  # 25: the first code's rate oracles
        slots |= {last + 9: 10**24 << 128 | 10**24, last + 10: 866, last + 11: 62324, last + 12: NOW << 128 | NOW}
        return slots | {vyper(last + 13)(TRADER): supply, last + 15: supply}

    def set_time(self, timestamp: int) -> None:
        self.evm.evm.set_block_env(pyrevm.BlockEnv(number=1, timestamp=timestamp))

    def fix_rates(self, rates: tuple[int, ...]) -> None:
        """Other rates than the decimals': NG has them in its code."""
        self.rates = rates
        self._place(self.pool, self._pool_code(recorded_code(self.code.block, self.code.address)))

    def exchange(self, pool: CurveStablePool, i: int, j: int, amount: int) -> tuple[int, list[Log]]:
        """What the trader gets, and the pool's logs. Raises Reverted."""
        before = self.held(pool.tokens[j], TRADER)
        self.evm.call(TRADER, self.pool, EXCHANGE, i, j, amount, 0)
        logs = self.evm.logs(self.pool)
        return self.held(pool.tokens[j], TRADER) - before, logs

    def send(self, data: bytes, sender: str = TRADER) -> list[Log]:
        """The pool's logs of a call. Raises Reverted."""
        self.evm.send(sender, self.pool, data)
        return self.evm.logs(self.pool)

    def view(self, data: bytes) -> int:
        """The word that a view answers."""
        return abi.uint(self.evm.send(TRADER, self.pool, data))

    def held(self, token: str, holder: str) -> int:
        return int(self.evm.evm.storage(token, solidity(1)(holder)))

    def changed(self, pool: CurveStablePool) -> dict[str, AccountDiff]:
        """All the pool's slots as they are now, as a diff."""
        return {
            address: AccountDiff(slots={slot: int(self.evm.evm.storage(address, slot)) for slot in slots})
            for address, slots in pool.slots().items()
        }

    def _place(self, address: str, code: bytes) -> None:
        self.evm.evm.insert_account_info(address, pyrevm.AccountInfo(code=code, nonce=1))

    def _pool_code(self, code: bytes) -> bytes:
        """NG's with this pool's immutables, as its blueprint would have made it."""
        start, n, patched = self.code.immutables, len(self.tokens), bytearray(code)
        if not start:
            return code
        words = {0: n, 1: n, 2: int(FACTORY, 16)}
        coins = [int(token, 16) for token in self.tokens]
        for first, values in ((3, coins), (12, [0] * n), (self.code.rates, self.rates)):
            words |= {first: n, **dict(enumerate(values, first + 1))}
        for index, word in words.items():
            patched[start + 32 * index : start + 32 * index + 32] = abi.encode(word)
        return bytes(patched)


__all__ = ["CODES", "Code", "Reverted", "StableWorld", "recorded_code"]
