"""Snapshots: what goes in comes out, quickly; what is damaged or of another version is refused in one line."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import TOKENS, WETH, address, header, markets

from bot.amm.balancer.stable import FIXED, Amp, Rate, StablePool
from bot.amm.balancer.vault import Holdings
from bot.amm.balancer.weighted import WeightedPool
from bot.amm.curve.crypto import CryptoPool
from bot.amm.curve.stable import CurveStablePool
from bot.amm.curve.state import StableState
from bot.amm.pool import Pool
from bot.amm.solidly import Place, SolidlyPool
from bot.amm.tick_math import sqrt_ratio_at_tick
from bot.amm.ticks import TickLiquidity, TickMap
from bot.amm.v2 import V2Pool
from bot.amm.v3 import V3Pool
from bot.amm.v4 import DYNAMIC_FEE, V4Pool, pool_id
from bot.amm.vaults import VaultPool, WethPool
from bot.chain import snapshot
from bot.chain.pool_reader import PoolInfo
from bot.chain.snapshot import FORMAT, Snapshot, decode, differences, encode, load, save
from bot.chain.tokens import TokenInfo, Verdict
from bot.cli.benches.markets import mixed_pools
from bot.errors import UserError
from bot.market.columns import pack, unpack

HEAD = header(7, "0x" + "ab" * 32, "0x" + "cd" * 32)
ID = "0x" + "11" * 32


def snapshot_of(pools: list[Pool], tokens: tuple[TokenInfo, ...] = ()) -> Snapshot:
    infos = tuple(PoolInfo(pool.id, "p", "", None, pool.tokens, 3_000, extra=(1, "x", -(2**200))) for pool in pools)
    return Snapshot(1, HEAD, WETH, (WETH,), 10_000, infos, tuple(pools), tokens, {address(99): "why"})


def one_of_each() -> list[Pool]:
    """Of every class that a snapshot knows, with what is not always there."""
    ticks = TickMap(60, {-1: 3 << 200, 0: 0}, {-15_360: TickLiquidity(2**127, -(2**127) + 1)})
    holdings = Holdings(address(1), ID, TOKENS[:3], (1, 2**111, 3), (0, 0, 5))
    state = StableState("stable-2020", (10**20, 10**8), (10**18, 10**30), 2000, 4_000_000, 5 * 10**9, ramp=(1, 2, 3, 4))
    coins = WETH, TOKENS[1], TOKENS[2]
    crypto = (1, 2, 3), 4, (5, 6), (7, 8), (9, 10), *range(11, 23)
    key = TOKENS[0], TOKENS[1], DYNAMIC_FEE, 60, address(5)
    return [
        V2Pool(address(1), WETH, TOKENS[1], 2**112 - 1, 5),
        V3Pool(address(2), WETH, TOKENS[1], 500, 60, sqrt_ratio_at_tick(-99), -99, 2**127, ticks),
        V4Pool(pool_id(*key), address(9), *key, 0, 0, 0, ticks, None),
        SolidlyPool(address(3), WETH, TOKENS[1], 1, 2**200, 500, True, 10**18, 10**6, Place(8, True)),
        replace(CryptoPool(address(8), coins, "g", WETH, (1, 2, 3), 5, *crypto), extra_profit=-4),
        CurveStablePool(address(4), TOKENS[:2], state, moving=True),
        StablePool(replace(holdings, pool_id="0x" + "22" * 32), (1,), 5, Amp(1, 2, 3, 4), (Rate(), FIXED), True, 7),
        WeightedPool(holdings, (10**17, 9 * 10**17, 1), (1, 1, 10**12), 10**15, shortcuts=False),
        VaultPool(address(6), TOKENS[0], 10**40, 3, most_out=None),
        WethPool(WETH),
    ]


@settings(deadline=None)
@given(markets(1, 10**30))
def test_what_goes_in_comes_out(pools: list[Pool]) -> None:
    taken = snapshot_of(
        pools, (TokenInfo(WETH, "WETH", 18), TokenInfo(TOKENS[1], "", None, Verdict.TAXED, 30, "taxed"))
    )
    raw = encode(taken)
    again = decode(raw)
    assert {pool.id: pool for pool in again.pools} == {pool.id: pool for pool in pools}
    assert replace(again, pools=taken.pools) == taken
    assert encode(again) == raw


def test_every_class_comes_out_with_its_fields() -> None:
    pools = one_of_each()
    again = {pool.id: pool for pool in decode(encode(snapshot_of(pools))).pools}
    assert again == {pool.id: pool for pool in pools}
    assert {type(pool) for pool in again.values()} == set(snapshot.POOLS)
    for pool in pools:
        assert not differences(pool, again[pool.id])


def test_strings_are_kept_once() -> None:
    pools = [V2Pool(address(n), "0x" + "aa" * 20, "0x" + "bb" * 20, n + 1, n + 1) for n in range(50)]
    again = decode(encode(snapshot_of(list(pools)))).pools
    assert len({id(pool.tokens[0]) for pool in again}) == 1


@given(st.lists(st.integers(-(2**255), 2**255 - 1) | st.integers(-130, 130)))
def test_numbers_of_any_size(numbers: list[int]) -> None:
    assert unpack(int, pack(int, numbers, {}), []) == numbers


@given(st.lists(st.none() | st.integers() | st.text() | st.tuples(st.text(), st.booleans())))
def test_unions_keep_their_order(values: list[object]) -> None:
    kind = int | str | tuple[str, bool] | None
    words: dict[str, int] = {}
    packed = pack(kind, values, words)
    assert unpack(kind, packed, list(words)) == values


@settings(max_examples=50)
@given(st.data())
def test_a_damaged_file_is_refused(data: st.DataObject) -> None:
    raw = encode(snapshot_of([V2Pool(address(1), WETH, TOKENS[1], 5, 5)]))
    at = data.draw(st.integers(0, len(raw) - 1))
    damaged = raw[:at] if data.draw(st.booleans()) else raw[:at] + bytes([raw[at] ^ 1 << at % 8]) + raw[at + 1 :]
    with pytest.raises(ValueError, match=r"not a market snapshot|its format is|cut off or damaged"):
        decode(damaged)


def test_other_versions_are_told_from_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = encode(snapshot_of([V2Pool(address(1), WETH, TOKENS[1], 5, 5)]))
    file = tmp_path / "a.snapshot"
    file.write_bytes(FORMAT.replace(b"1", b"2") + raw[len(FORMAT) :])
    assert snapshot.is_snapshot(file)
    with pytest.raises(UserError, match=r"a\.snapshot: its format is mev-market/2, this version reads mev-market/1"):
        load(file)
    body = raw[len(FORMAT) + 32 :].replace(b"reserve1", b"reserveX")
    file.write_bytes(FORMAT + hashlib.sha256(body).digest() + body)
    with pytest.raises(UserError, match=r"another version of mevkit \(V2Pool had the fields .*reserveX"):
        load(file)
    file.write_bytes(raw)
    monkeypatch.delitem(snapshot._CLASS, "V2Pool")
    with pytest.raises(UserError, match=r"it holds a V2Pool"):
        load(file)


def test_writing_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.snapshot"
    first = snapshot_of([V2Pool(address(1), WETH, TOKENS[1], 5, 5)])
    assert save(first, file) == len(file.read_bytes())

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(UserError, match=r"a\.snapshot cannot be written: No space left"):
            save(replace(first, chain_id=5), file)
    assert load(file) == first
    assert [path.name for path in tmp_path.iterdir()] == ["a.snapshot"]
    with pytest.raises(UserError, match="cannot be written: No such file"):
        save(first, tmp_path / "absent" / "a.snapshot")


def test_pools_of_bad_tokens_stay_out_of_the_market() -> None:
    pools: list[Pool] = [V2Pool(address(n), WETH, TOKENS[n], 10**6, 10**6) for n in (1, 2, 3)]
    taxed = TokenInfo(TOKENS[1], "TAX", 18, Verdict.TAXED, 100, "a transfer: 99 of 100 arrive")
    stuck = TokenInfo(TOKENS[2], "NO", 18, Verdict.UNSELLABLE, 0, "selling reverts")
    market = snapshot_of(pools, (taxed, stuck, TokenInfo(TOKENS[3], "OK", 18))).market()
    assert set(market.pools()) == {address(3)}
    assert market.unknown == {
        address(1): "token TAX: a transfer: 99 of 100 arrive",
        address(2): "token NO: selling reverts",
    }
    assert market.head == HEAD


def test_a_pool_for_listed_traders_stays_out_of_the_market() -> None:
    pool = next(pool for pool in one_of_each() if isinstance(pool, V3Pool))
    info = PoolInfo(pool.id, "uniswap-v3", "shifted-v3", None, pool.tokens, pool.fee, pool.tick_spacing)
    market = replace(snapshot_of([pool]), infos=(info,)).market()
    assert not market.pools() and "list" in market.unknown[pool.id]


def test_differences_are_named() -> None:
    one, *_ = (pool for pool in one_of_each() if isinstance(pool, V3Pool))
    words = {**one.ticks.words, 5: 1}
    assert differences(one, replace(one, ticks=TickMap(60, words, one.ticks.liquidity))) == []
    ticks = TickMap(60, {**one.ticks.words, -1: 7}, {-15_360: TickLiquidity(1, 1)})
    assert differences(one, replace(one, tick=5, ticks=ticks)) == ["tick", "ticks.words", "ticks.liquidity"]


def test_a_large_market_comes_back_whole(tmp_path: Path) -> None:
    pools = mixed_pools(2_000)
    save(snapshot_of(pools), tmp_path / "large.snapshot")
    assert load(tmp_path / "large.snapshot").market().pools() == {pool.id: pool for pool in pools}


def test_the_file_is_plain_msgpack_behind_its_seal() -> None:
    raw = encode(snapshot_of([V2Pool(address(1), WETH, TOKENS[1], 5, 5)]))
    body, words = msgspec.msgpack.decode(raw[len(FORMAT) + 32 :])
    assert [name for name, _ in body["pools"]] == ["V2Pool"]
    assert address(1) in words
