"""Reading StableSwap pools: what counts is the storage; what was not recorded is named."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, cast

import pytest

from bot import abi
from bot.amm.curve.generations import STABLE_2020, STABLE_EMA
from bot.amm.curve.stable import CurveStablePool
from bot.chain import curve_codes
from bot.chain.pool_reader import LoadResult, PoolInfo
from bot.chain.readers.curve_stable import ETH, CurveStable
from bot.chain.state_reader import StateReader
from bot.jsonrpc import RpcError

POOL, IMPLEMENTATION = "0x" + "c1" * 20, "0x" + "c2" * 20
COINS = tuple("0x" + f"{k}a" * 20 for k in range(3))
CODE_2020, CODE_EMA = b"3pool", b"ema"
PROXY = bytes.fromhex("363d3d373d3d3d363d73" + "c2" * 20 + "5af43d82803e903d91602b57fd5bf3")


class Chain:
    """One pool: its code, slots and getters. What is not there is not known."""

    def __init__(self, code: bytes, slots: dict[int, int], getters: dict[str, int]) -> None:
        self.code_of = {POOL: code, IMPLEMENTATION: CODE_EMA}
        self.stored = slots
        self.getters = {abi.call(name): abi.encode(value) for name, value in getters.items() if "(u" not in name}
        balances = {name: value for name, value in getters.items() if "(u" in name}
        self.getters |= {abi.call("balances(uint256)", int(name[-1])): abi.encode(v) for name, v in balances.items()}

    async def calls(self, calls: Iterable[tuple[str, bytes]]) -> list[bytes | None]:
        return [self.getters.get(data) if to == POOL else None for to, data in calls]

    async def slots(self, slots: Iterable[tuple[str, int]]) -> list[int | RpcError]:
        return [self.stored.get(slot, RpcError("eth_getStorageAt", -32004, "not recorded")) for _, slot in slots]

    async def codes(self, addresses: Iterable[str]) -> list[bytes]:
        return [self.code_of[address] for address in addresses]

    def identify(self) -> list[PoolInfo]:
        return asyncio.run(CurveStable().identify(cast(StateReader, self), [POOL]))

    def load(self, infos: list[PoolInfo]) -> LoadResult:
        return asyncio.run(CurveStable().load(cast(StateReader, self), infos, None))


@pytest.fixture(autouse=True)
def codes(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {CODE_2020: STABLE_2020, CODE_EMA: STABLE_EMA}
    made = {abi.to_hex(abi.keccak(code)): curve_codes._Code(kind) for code, kind in known.items()}
    monkeypatch.setattr(curve_codes, "_CODES", made)


def ema(**changes: Any) -> Chain:
    """A factory's pool behind its proxy; ``s4=7`` changes slot 4."""
    slots = {2: int(COINS[0], 16), 3: int(COINS[1], 16), 4: 10**25, 5: 10**13, 6: 4_000_000, 10: 20_000}
    slots |= {13: 10**18, 14: 10**30} | {int(name[1:]): word for name, word in changes.items()}
    getters = {"A()": 200, "A_precise()": 20_000, "fee()": 4_000_000, "(u0": 10**25, "(u1": 10**13}
    return Chain(PROXY, slots, getters)


def test_a_proxy_s_pool_is_read_from_storage() -> None:
    chain = ema()
    (info,) = chain.identify()
    assert (info.layout, info.tokens, info.extra) == ("stable-ema", COINS[:2], (10**18, 10**30))
    pool = chain.load([info]).pools[POOL]
    assert isinstance(pool, CurveStablePool) and not pool.silent
    assert pool.state.balances == (10**25, 10**13) and (pool.state.amp, pool.state.fee) == (20_000, 4_000_000)


@pytest.mark.parametrize("changes", [{"s4": 10**24}, {"s5": 0}, {"s6": 3_999_999}, {"s2": int(ETH, 16)}, {"s13": 0}])
def test_what_keeps_something_else_than_it_tells_is_none(changes: dict[str, int]) -> None:
    assert ema(**changes).identify() == []


def test_what_is_missing_is_named() -> None:
    chain = ema()
    (info,) = chain.identify()
    del chain.stored[5]
    assert chain.load([info]).unknown == {POOL: "balances: slot 5 is not known"}
    assert chain.identify() == [info]  # a later block may have it
    del chain.stored[2]
    assert chain.identify() == []


def test_a_ramp_is_read_with_its_times() -> None:
    chain = ema(s10=40_000, s9=10_000, s11=1_000)
    (info,) = chain.identify()
    assert chain.load([info]).unknown == {POOL: "ramp of A: slot 12 is not known"}
    chain.stored[12] = 2_000
    pool = chain.load([info]).pools[POOL]
    assert isinstance(pool, CurveStablePool)
    assert pool.silent and pool.state.ramp == (10_000, 40_000, 1_000, 2_000) and pool.state.amp == 20_000


def test_3pool_s_code_alone_does_not_make_its_coins() -> None:
    storage = STABLE_2020.storage
    assert storage is not None and storage.coins is not None
    slots = dict.fromkeys(storage.words(3), 10**13) | {storage.ramp + 1: 2000}
    chain = Chain(CODE_2020, slots, {"A()": 2000, "fee()": 10**13})
    assert chain.identify() == []
    chain.stored |= {storage.coins + k: int(token, 16) for k, token in enumerate(COINS)}
    (info,) = chain.identify()
    assert info.tokens == COINS and info.extra == (10**18, 10**30, 10**30)


def test_another_code_is_not_taken() -> None:
    chain = ema()
    chain.code_of[IMPLEMENTATION] = b"something else"
    assert chain.identify() == []
