"""Calls in calls of aggregators, as eth-abi reads them: 0x, MetaMask, Settler, CoW, 1inch with a permit."""

from __future__ import annotations

from typing import Any

import pytest
from aggregator_oracle import ACTIONS, HOP, SUB, TRADE, types_of
from eth_abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st
from swap_oracle import swaps_by_abi
from test_swap_calls import TARGET, V2_CALL, any_call, tokens, uints, values, words

from bot.abi import selector
from bot.amm.vaults import ETH
from bot.chain.calldata import SwapIntent
from bot.chain.swap_calls import swaps

EEE = "0x" + "ee" * 20
ALL = (1 << 256) - 1


def call(signature: str, args: Any) -> bytes:
    return selector(signature) + encode(types_of(signature), args)


def agree(data: bytes, value: int = 0) -> tuple[SwapIntent, ...]:
    """What both read."""
    found = swaps(TARGET, data, value)
    assert list(found) == swaps_by_abi(TARGET, data, value)
    return found


v2_sub = st.lists(tokens, min_size=2, max_size=3).map(lambda path: (3, encode(["address[]", "bool"], [path, True])))
v3_sub = (
    st.integers(1, 3).flatmap(lambda n: st.binary(min_size=20 + 23 * n, max_size=20 + 23 * n)).map(lambda p: (4, p))
)
other_sub = st.binary(max_size=40).map(lambda data: (1, data))
plain_subs = st.lists(st.one_of(v2_sub, v3_sub, other_sub), min_size=1, max_size=4)
share = st.integers(0, 10**18 + 1).map(lambda part: (1 << 255) + part)


def batch(subs: list[tuple[int, bytes]], amounts: list[int]) -> list[tuple[int, int, bytes]]:
    return [(kind, amount, data) for (kind, data), amount in zip(subs, amounts, strict=False)]


amounts = st.lists(st.one_of(share, words), min_size=5, max_size=5)
nested = st.one_of(
    st.tuples(plain_subs, amounts).map(lambda a: (7, encode([SUB], [batch(*a)]))),
    plain_subs.map(lambda subs: (8, encode(["address[]", HOP], [[TARGET, TARGET], subs]))),
)
subs = st.lists(st.one_of(v2_sub, v3_sub, other_sub, nested), min_size=1, max_size=4)


@settings(max_examples=30, deadline=None)
@given(subs, amounts, words, words)
def test_multiplex(subs: list[tuple[int, bytes]], amounts: list[int], whole: int, value: int) -> None:
    calls, path = batch(subs, amounts), [TARGET, ETH]
    agree(call(f"multiplexBatchSellTokenForToken(address,address,{SUB},uint256,uint256)", [*path, calls, whole, 1]))
    agree(call(f"multiplexBatchSellTokenForEth(address,{SUB},uint256,uint256)", [TARGET, calls, whole, 1]))
    agree(call(f"multiplexBatchSellEthForToken(address,{SUB},uint256)", [TARGET, calls, 1]), value)
    agree(call(f"multiplexMultiHopSellTokenForToken(address[],{HOP},uint256,uint256)", [path, subs, whole, 1]))
    agree(call(f"multiplexMultiHopSellTokenForEth(address[],{HOP},uint256,uint256)", [path, subs, whole, 1]))
    agree(call(f"multiplexMultiHopSellEthForToken(address[],{HOP},uint256)", [path, subs, 1]), value)


def test_what_is_left_behind_a_call_that_may_fail_is_not_known() -> None:
    path = encode(["address[]", "bool"], [[TARGET, ETH], False])
    hops = encode(["address[]", HOP], [[TARGET, ETH], [(3, path)]])
    signature = f"multiplexBatchSellTokenForToken(address,address,{SUB},uint256,uint256)"
    share = (1 << 255) + 3 * 10**17
    cases = (
        ([(3, 70, path), (3, share, path), (3, 50, path)], [70, 30, None]),
        ([(1, 70, b""), (3, 20, path), (3, 50, path)], [20, None]),
        ([(8, 70, hops), (3, 50, path)], [70, 30]),
    )
    for calls, expected in cases:
        found = agree(call(signature, [TARGET, ETH, calls, 100, 0]))
        assert [intent.amount for intent in found] == expected


@settings(max_examples=20, deadline=None)
@given(any_call, st.sampled_from(["oneInchV5FeeDynamic", "0xFeeDynamic", "airswapLight4FeeDynamicFixed", ""]), words)
def test_metamask(inner: bytes, name: str, amount: int) -> None:
    for token in (TARGET, ETH):
        fields = [0, token, TARGET, amount, 1, inner, 7, TARGET, True]
        types = ["uint256", "address", "address", "uint256", "uint256", "bytes", "uint256", "address", "bool"]
        adapted = encode(types, fields)[32:]
        found = agree(call("swap(string,address,uint256,bytes)", [name, token, amount, adapted]), amount + 5)
        if name.endswith("FeeDynamic"):
            assert list(found) == swaps_by_abi(TARGET, inner, 0 if token == TARGET else amount)
        else:
            assert found == ()


@settings(max_examples=20, deadline=None)
@given(any_call, words)
def test_a_permit_in_front_and_an_allowance_holder(inner: bytes, value: int) -> None:
    assert list(agree(call("permitAndCall(bytes,bytes)", [b"permit", inner]), value)) == swaps_by_abi(
        TARGET, inner, value
    )
    other = "0x" + "7b" * 20
    held = call("exec(address,address,uint256,address,bytes)", [TARGET, TARGET, 5, other, inner])
    assert list(agree(held, value)) == swaps_by_abi(other, inner, value)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 19), words), min_size=3, max_size=3), words)
def test_pools_of_1inch_v6(pools: list[tuple[int, int, int]], amount: int) -> None:
    """Of every protocol, and of every function that it calls Curve's pools by."""
    dexes = [kind << 253 | flags >> 1 << 185 & ((1 << 253) - 1) | which << 184 for kind, which, flags in pools]
    agree(call("unoswap3(uint256,uint256,uint256,uint256,uint256,uint256)", [1, amount, 2, *dexes]))
    agree(call("ethUnoswapTo3(uint256,uint256,uint256,uint256,uint256)", [1, 2, *dexes]), amount)


# --- Settler ----------------------------------------------------------------------------------------------------------


def forked(size: int) -> st.SearchStrategy[bytes]:
    return st.integers(1, 3).flatmap(lambda n: st.binary(min_size=20 + size * n, max_size=20 + size * n))


@st.composite
def actions(draw: st.DrawFn, signature: str) -> bytes:
    types = types_of(signature)
    args = [draw(values(kind)) for kind in types]
    if "UNISWAPV3" in signature:
        path = types.index("bytes")
        args[path] = draw(st.one_of(forked(24), forked(44)))
        permit = next((n for n, kind in enumerate(types) if kind.startswith("((")), None)
        if permit is not None and draw(st.booleans()):  # as older ones have it, the permit's token first
            (_, amount), *rest = args[permit]
            args[permit] = (("0x" + args[path][:20].hex(), amount), *rest)
        elif permit is not None:
            (_, amount), *rest = args[permit]
            args[path], args[permit] = draw(forked(44))[20:], ((TARGET, amount), *rest)
    if signature.startswith("BASIC"):
        args[4] = draw(any_call)
    return selector(signature) + encode(types, args)


some_action = st.one_of(st.sampled_from(sorted(ACTIONS)).flatmap(actions), st.binary(max_size=40))


@settings(max_examples=60, deadline=None)
@given(st.lists(some_action, max_size=4), st.sampled_from([ETH, EEE, TARGET]), uints)
def test_settler(steps: list[bytes], bought: str, least: int) -> None:
    slippage = (TARGET, bought, least)
    agree(call("execute((address,address,uint256),bytes[],bytes32)", [slippage, steps, bytes(32)]))
    signature = "executeMetaTxn((address,address,uint256),bytes[],bytes32,address,bytes)"
    agree(call(signature, [slippage, steps, bytes(32), TARGET, b"sig"]))


def test_settler_says_how_much_only_where_a_permit_does() -> None:
    permit = "((address,uint256),uint256,uint256)"
    path = bytes.fromhex("7a" * 20) + b"\0" + (500).to_bytes(3, "big") + bytes(20) + bytes.fromhex("02" * 20)
    vip = call(
        f"UNISWAPV3_VIP(address,{permit},bytes,bytes,uint256)", [TARGET, ((TARGET, 1000), 1, 2), path[20:], b"sig", 9]
    )
    held = call("UNISWAPV3(address,uint256,bytes,uint256)", [TARGET, 10_000, path, 9])
    share = call(f"TRANSFER_FROM(address,{permit},bytes)", [TARGET, ((TARGET, ALL - 9_999), 1, 2), b"sig"])
    steps = [vip, held, share]
    first, second, third = agree(
        call("execute((address,address,uint256),bytes[],bytes32)", [(TARGET, EEE, 9), steps, bytes(32)])
    )
    assert first == SwapIntent("v3", TARGET, (TARGET, "0x" + "02" * 20), ((500,),), True, 1000, 9)
    assert second == SwapIntent("v3", TARGET, first.tokens, ((500,),), False, None, 9)
    assert third == SwapIntent("0x", TARGET, (TARGET, ETH), ((),), False, None, 9)


def fill(case: int, found: tuple[str, ...], head: int, hook: bytes = b"") -> bytes:
    """One of UNISWAPV4, as src/core/UniswapV4.sol has it."""
    key = (3000).to_bytes(3, "big") + (60).to_bytes(3, "big") + bytes.fromhex("0b" * 20)
    told = b"".join(bytes.fromhex(token[2:]) for token in found)
    return b"\x13" * head + bytes((case,)) + told + key + len(hook).to_bytes(3, "big") + hook


@pytest.mark.parametrize("head", [2, 22])
def test_settler_v4(head: int) -> None:
    one, two, three = ("0x" + digit * 40 for digit in "123")
    fills = fill(1, (one,), head) + fill(0, (), head, b"hook") + fill(2, (two,), head) + fill(3, (EEE, three), head)
    signature = "UNISWAPV4(address,address,uint256,bool,uint256,uint256,bytes,uint256)"

    def read(packed: bytes) -> tuple[SwapIntent, ...]:
        action = call(signature, [TARGET, TARGET, 10_000, False, 1, 2, packed, 9])
        execute = "execute((address,address,uint256),bytes[],bytes32)"
        return swaps(TARGET, call(execute, [(TARGET, one, 9), [action], bytes(32)]))

    found = read(fills)
    ends = [(TARGET, one), (TARGET, one), (one, two), (ETH, three)]
    assert [intent.tokens for intent in found] == ends
    assert [intent.limit for intent in found] == [None, None, None, 9]
    assert {intent.pools for intent in found} == {((3000, 60, "0x" + "0b" * 20),)}
    assert all(intent.amount is None and not intent.exact_in for intent in found)
    assert read(fills[:-1]) == read(fills + b"x") == read(b"") == ()


# --- CoW --------------------------------------------------------------------------------------------------------------

flags = st.integers(0, 3)


@settings(max_examples=30, deadline=None)
@given(st.data(), st.lists(tokens, min_size=1, max_size=4))
def test_cow(data: st.DataObject, listed: list[str]) -> None:
    index = st.integers(0, len(listed) - 1)
    trade = st.tuples(
        *(index, index, tokens, words, words, st.integers(0, 9), st.binary(min_size=32, max_size=32)),
        *(words, flags, words, st.binary(max_size=70)),
    )
    interaction = st.tuples(tokens, words, st.one_of(any_call, st.binary(max_size=40)))
    phases = data.draw(st.tuples(*[st.lists(interaction, max_size=2)] * 3))
    trades = data.draw(st.lists(trade, max_size=3))
    signature = f"settle(address[],uint256[],{TRADE},(address,uint256,bytes)[][3])"
    found = agree(call(signature, [listed, [1] * len(listed), trades, phases]))
    assert [intent.protocol for intent in found[: len(trades)]] == ["cow"] * len(trades)


def test_cow_orders_say_what_is_exact() -> None:
    signature = f"settle(address[],uint256[],{TRADE},(address,uint256,bytes)[][3])"

    def trade(kind: int, sold: int, bought: int, executed: int) -> tuple[object, ...]:
        return (0, 1, TARGET, sold, bought, 9, bytes(32), 0, kind, executed, b"")

    trades = [trade(0, 100, 7, 0), trade(1, 100, 7, 0), trade(2, 100, 7, 30), trade(3, 100, 7, 3)]
    inner = call(V2_CALL, [5, 1, [TARGET, TARGET], TARGET, 1])
    router = "0x" + "7c" * 20
    found = agree(call(signature, [[TARGET, EEE], [1, 1], trades, ([], [(router, 0, inner)], [])]))
    said = [(intent.exact_in, intent.amount, intent.limit) for intent in found]
    assert said == [(True, 100, 7), (False, 7, 100), (True, 30, 3), (False, 3, 42), (True, 5, 1)]
    assert found[0].tokens == (TARGET, ETH) and found[-1].target == router
