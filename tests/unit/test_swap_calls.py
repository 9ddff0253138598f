"""Swaps read off calldata: as eth-abi reads them, on recorded transactions and on random ones; strangers' bytes do no
harm."""

from __future__ import annotations

import gzip
import json
import os
import random
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from aggregator_oracle import types_of
from eth_abi import encode
from hypothesis import example, given, settings
from hypothesis import strategies as st
from recorded import MAINNET, needs_recordings
from swap_oracle import BY_SELECTOR, FUNCTIONS, FUNDS, KEY, PATH_KEYS, swaps_by_abi

from bot.abi import selector
from bot.chain.calldata import MOST_SWAPS
from bot.chain.swap_calls import _DECODERS, swaps, swaps_in_hex
from bot.cli.benches.ingest_hostile import bombs, hostile

TARGET = "0x" + "7a" * 20
SWAP_COMMANDS = (0, 1, 8, 9, 0x10, 0x21)
V2_CALL = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"

uints = st.one_of(st.integers(0, 5), st.integers(0, (1 << 256) - 1))
words = st.integers(0, (1 << 128) - 1)
tokens = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())


def test_the_oracle_knows_the_same_functions() -> None:
    assert _DECODERS.keys() == BY_SELECTOR.keys()


@needs_recordings
def test_recorded_transactions() -> None:
    found = seen = 0
    for path in sorted(MAINNET.glob("[0-9]*.json.gz")):
        for tx in json.loads(gzip.decompress(path.read_bytes()))["block"]["transactions"]:
            if not tx["to"]:
                continue
            data, value = bytes.fromhex(tx["input"][2:]), int(tx["value"], 16)
            ours = swaps_in_hex(tx["to"], tx["input"], tx["value"])
            assert list(ours) == swaps_by_abi(tx["to"], data, value), tx["hash"]
            assert ours == swaps(tx["to"], data, value)
            seen += 1
            found += bool(ours)
    assert seen > 3000
    assert found >= 137


# --- random calls -----------------------------------------------------------------------------------------------------


def values(kind: str) -> st.SearchStrategy[Any]:
    """Values of a Solidity type."""
    if kind.endswith("[]"):
        return st.lists(values(kind[:-2]), min_size=2, max_size=4)
    if kind.startswith("("):
        return st.tuples(*map(values, types_of(kind)))
    by_kind: dict[str, st.SearchStrategy[Any]] = {
        "address": tokens,
        "bool": st.booleans(),
        "bytes": st.integers(1, 4).flatmap(lambda hops: st.binary(min_size=20 + 23 * hops, max_size=20 + 23 * hops)),
        "bytes32": st.binary(min_size=32, max_size=32),
        "int24": st.integers(-(1 << 23), (1 << 23) - 1),
        "int128": st.integers(-2, 5),
        "int256": st.integers(-(1 << 255), (1 << 255) - 1),
        "uint8": st.integers(0, 1),
        "string": st.text(max_size=40),
        "uint32": st.integers(0, (1 << 32) - 1),
        "uint24": st.integers(0, (1 << 24) - 1),
        "uint128": st.one_of(st.just(0), words),
        "uint160": st.integers(0, (1 << 160) - 1),
        "uint256": uints,
    }
    return by_kind[kind]


def encoded(types: list[str]) -> st.SearchStrategy[bytes]:
    return st.tuples(*map(values, types)).map(lambda args: encode(types, args))


def calls(signature: str) -> st.SearchStrategy[bytes]:
    return encoded(types_of(signature)).map(lambda args: selector(signature) + args)


NESTED = ("multicall", "execute", "batchSwap", "multiplex", "swap(string", "settle", "exec(", "permitAndCall")
PLAIN = [each for each in FUNCTIONS if not each.startswith(NESTED)]
any_call = st.sampled_from(PLAIN).flatmap(calls)


@pytest.mark.parametrize("signature", PLAIN)
@settings(max_examples=10, deadline=None)
@given(data=st.data(), value=words)
def test_random_calls(signature: str, data: st.DataObject, value: int) -> None:
    call = data.draw(calls(signature))
    assert list(swaps(TARGET, call, value)) == swaps_by_abi(TARGET, call, value)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(any_call, st.binary(max_size=40)), max_size=4), st.sampled_from(["", "uint256", "bytes32"]))
def test_multicalls(inner: list[bytes], first: str) -> None:
    def wrapped(each: list[bytes]) -> bytes:
        if not first:
            return selector("multicall(bytes[])") + encode(["bytes[]"], [each])
        lead: object = 7 if first == "uint256" else bytes(32)
        return selector(f"multicall({first},bytes[])") + encode([first, "bytes[]"], [lead, each])

    expected = [swap for call in inner if call[:4] in BY_SELECTOR for swap in swaps_by_abi(TARGET, call, 9)]
    assert list(swaps(TARGET, wrapped(inner), 9)) == expected
    assert list(swaps(TARGET, wrapped([wrapped(inner), *inner]), 9)) == expected * 2


def plan(kinds: dict[int, st.SearchStrategy[bytes]]) -> st.SearchStrategy[tuple[bytes, list[bytes]]]:
    """Commands or actions with their inputs."""
    steps = st.one_of([st.tuples(st.just(kind), inputs) for kind, inputs in kinds.items()])
    return st.lists(steps, max_size=4).map(lambda each: (bytes(kind for kind, _ in each), [data for _, data in each]))


def as_input(steps: tuple[bytes, list[bytes]]) -> bytes:
    return encode(["bytes", "bytes[]"], steps)


V4 = plan(
    {
        **dict.fromkeys((6, 8), encoded([f"({KEY},bool,uint128,uint128,bytes)"])),
        **dict.fromkeys((7, 9), encoded([f"(address,{PATH_KEYS},uint128,uint128)"])),
        0x0C: encoded(["address", "uint256"]),  # SETTLE_ALL
        0x86: encoded(["address", "uint256"]),  # none: only commands have a flag
    }
).map(as_input)
COMMANDS = {
    **dict.fromkeys((0x00, 0x01, 0x80), encoded(["address", "uint256", "uint256", "bytes", "bool"])),
    **dict.fromkeys((0x08, 0x09, 0x88), encoded(["address", "uint256", "uint256", "address[]", "bool"])),
    0x0B: encoded(["address", "uint256"]),  # WRAP_ETH
    0x40: encoded(["address", "uint256"]),  # a bridge's, not V3_SWAP_EXACT_IN
    0x10: V4,
}


any_plan = plan(COMMANDS).map(lambda steps: selector("execute(bytes,bytes[])") + as_input(steps))


@settings(max_examples=60, deadline=None)
@given(plan({**COMMANDS, 0x21: plan(COMMANDS).map(as_input)}), st.booleans())
def test_universal_router(steps: tuple[bytes, list[bytes]], deadline: bool) -> None:
    if deadline:
        call = selector("execute(bytes,bytes[],uint256)") + encode(["bytes", "bytes[]", "uint256"], [*steps, 1])
    else:
        call = selector("execute(bytes,bytes[])") + as_input(steps)
    assert list(swaps(TARGET, call)) == swaps_by_abi(TARGET, call)


def test_universal_router_holds_the_amount() -> None:
    """An amount that the call does not say is no zero."""
    for amount, kind, expected in ((1 << 255, 0, None), (1 << 255, 8, None), (0, 8, None), (0, 0, 0), (5, 8, 5)):
        path: object = bytes(43) if kind == 0 else [TARGET, TARGET]
        types = ["address", "uint256", "uint256", "bytes" if kind == 0 else "address[]", "bool"]
        given_input = encode(types, [TARGET, amount, 1, path, True])
        call = selector("execute(bytes,bytes[])") + as_input((bytes((kind,)), [given_input]))
        assert [swap.amount for swap in swaps(TARGET, call)] == [expected]


@pytest.mark.parametrize("exact_in", [True, False])
def test_v4_path_of_newer_routers(exact_in: bool) -> None:
    """Universal Router 2.1 has an array of prices between path and amount."""
    keys = [["0x" + "01" * 20, 500, -10, "0x" + "00" * 20, b"hook"], ["0x" + "02" * 20, 3000, 60, TARGET, b""]]
    types = f"(address,{PATH_KEYS},uint256[],uint128,uint128)"
    params = encode([types], [("0x" + "03" * 20, keys, [1, 2], 77, 5)])
    steps = bytes((7 if exact_in else 9,)), [params]
    call = selector("execute(bytes,bytes[])") + as_input((b"\x10", [as_input(steps)]))
    (swap,) = swaps(TARGET, call)
    assert (swap.amount, swap.limit, swap.exact_in) == (77, 5, exact_in)
    assert swap.pools == ((500, -10, "0x" + "00" * 20), (3000, 60, TARGET))
    ends = ("0x" + "03" * 20, "0x" + "02" * 20) if exact_in else ("0x" + "01" * 20, "0x" + "03" * 20)
    assert (swap.tokens[0], swap.tokens[-1]) == ends


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_balancer_batches(data: st.DataObject) -> None:
    assets = data.draw(st.lists(tokens, min_size=1, max_size=4))
    index = st.integers(0, len(assets) - 1)
    step = st.tuples(st.binary(min_size=32, max_size=32), index, index, uints, st.binary(max_size=40))
    steps = data.draw(st.lists(step, max_size=5))
    signature = f"batchSwap(uint8,(bytes32,uint256,uint256,uint256,bytes)[],address[],{FUNDS},int256[],uint256)"
    args = [data.draw(st.integers(0, 1)), steps, assets, (TARGET, False, TARGET, False), [0] * len(assets), 1]
    call = selector(signature) + encode(types_of(signature), args)
    assert list(swaps(TARGET, call)) == swaps_by_abi(TARGET, call)


def test_a_packed_path_with_a_rest() -> None:
    """Path.sol looks at whole hops only; less than one is no path, and more than MOST_HOPS is not looked at."""
    kind = "(bytes,address,uint256,uint256)"
    for size, hops in ((42, None), (43, 1), (65, 1), (66, 2), (20 + 23 * 16, 16), (20 + 23 * 17, None)):
        call = selector(f"exactInput({kind})") + encode([kind], [(bytes(size), TARGET, 1, 1)])
        assert [len(swap.pools) for swap in swaps(TARGET, call)] == ([] if hops is None else [hops])


def test_creations_and_other_calls_are_none() -> None:
    assert swaps(None, selector(V2_CALL) + bytes(400)) == ()
    assert swaps(TARGET, b"") == swaps(TARGET, b"\x38") == swaps(TARGET, b"\xa9\x05\x9c\xbb" + bytes(64)) == ()
    assert swaps_in_hex(TARGET, "0x") == swaps_in_hex(TARGET, "0x38ed1739zz") == swaps_in_hex(None, "0x38ed1739") == ()


# --- strangers' bytes -------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(BY_SELECTOR)), st.binary(max_size=600))
@example(selector("multicall(bytes[])"), b"\xff" * 64)
@example(selector("exactInput((bytes,address,uint256,uint256))"), (1 << 64).to_bytes(32, "big") + bytes(300))
def test_any_bytes_give_no_exception(head: bytes, rest: bytes) -> None:
    swaps(TARGET, head + rest)


@settings(max_examples=300, deadline=None)
@given(st.one_of(any_call, any_plan), st.data())
def test_spoilt_calls_give_no_exception(call: bytes, data: st.DataObject) -> None:
    """Cut off, and with words put in that are large, small or point back."""
    spoilt = bytearray(call[: data.draw(st.integers(4, len(call)))])
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(4, len(spoilt)))
        word = data.draw(st.one_of(st.integers(0, 700), st.integers(0, (1 << 256) - 1), st.just((1 << 256) - 32)))
        spoilt[at : at + 32] = word.to_bytes(32, "big")
    assert len(swaps(TARGET, bytes(spoilt))) <= MOST_SWAPS


def cost(data: bytes) -> int:
    """Functions that a look at it calls, Python's and C's: a measure that no other load on the machine changes."""
    count = 0

    def counted(frame: object, event: str, what: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        found = swaps(TARGET, data)
    finally:
        sys.setprofile(before)
    assert len(found) <= MOST_SWAPS
    return count


MOST_CALLED = 4_000
"""Of functions, by one look."""


@pytest.mark.parametrize("name", sorted(bombs()))
def test_what_unfolds_is_cut_off(name: str) -> None:
    assert cost(bombs()[name]) < MOST_CALLED


def test_hostile_calldata_of_the_largest_size_costs_no_more(record_property: Callable[[str, object], None]) -> None:
    """Also 128 KiB of garbage behind every selector, and of words that are offsets in it."""
    costs = [cost(data) for data in hostile(11)]
    record_property("functions that a look at hostile calldata calls at most", max(costs))
    assert max(costs) < MOST_CALLED


# --- real calls, spoilt -----------------------------------------------------------------------------------------------

EDGES = [*range(0, 700, 32), 1, 1 << 255, (1 << 256) - 1, (1 << 256) - 32, 1 << 64, 1 << 32, 100_000]


@cache
def real_calls() -> list[bytes]:
    """Of the recorded blocks and of the traces, those whose selector is known."""
    found = set()
    for path in sorted(MAINNET.glob("[0-9]*.json.gz")):
        for tx in json.loads(gzip.decompress(path.read_bytes()))["block"]["transactions"]:
            found.add(tx["input"])
    for path in sorted((MAINNET.parent / "inspect").glob("[0-9]*.json.gz")):
        for trace in json.loads(gzip.decompress(path.read_bytes()))["traces"]:
            found.add(trace["action"].get("input", "0x"))
    return sorted(bytes.fromhex(call[2:]) for call in found if bytes.fromhex(call[2:10]) in _DECODERS)


def spoilt(call: bytes, others: list[bytes], dice: random.Random) -> bytes:
    """Cut off, doubled, words exchanged for others or for ones at the edge of what there may be, bytes flipped, another
    call or the same inside."""
    data = bytearray(call)
    for _ in range(dice.randrange(1, 5)):
        at = 4 + 32 * dice.randrange(max(1, len(data) // 32))
        choice = dice.randrange(7)
        if choice < 3:
            data[at : at + 32] = dice.choice(EDGES).to_bytes(32, "big")
        elif choice == 3:
            data[at : at + 32] = data[(other := 4 + 32 * dice.randrange(max(1, len(data) // 32))) : other + 32]
        elif choice == 4 and len(data) > 5:
            data[dice.randrange(4, len(data))] ^= 1 << dice.randrange(8)
        elif choice == 5:
            del data[dice.randrange(4, len(data) + 1) :]
        else:
            other_call = dice.choice([*others, bytes(data)])[:4096]
            data[at:at] = len(other_call).to_bytes(32, "big") + other_call
    return bytes(data)


@needs_recordings
def test_real_calls_that_were_spoilt_give_no_exception(record_property: Callable[[str, object], None]) -> None:
    calls, dice = real_calls(), random.Random(20_240_808)
    selectors = {call[:4] for call in calls}
    record_property("known functions that real calls were read of", f"{len(selectors)} of {len(_DECODERS)}")
    assert len(calls) > 400 and len(selectors) > 40
    rounds = 400_000 if os.environ.get("MEV_VERIFY") == "1" else 8_000
    some = 0
    for _ in range(rounds):
        found = swaps(TARGET, spoilt(dice.choice(calls), calls, dice), 5)
        assert len(found) <= MOST_SWAPS
        some += bool(found)
        for intent in found:
            assert intent.amount is None or 0 <= intent.amount < 1 << 256
            assert intent.tokens == () or len(intent.tokens) == len(intent.pools) + 1
            assert all(len(token) == 42 for token in (*intent.tokens, intent.target))
    record_property("spoilt real calls", f"{rounds:,}, of which {some:,} still ask for something")
