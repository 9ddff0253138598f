"""Traces, flows, what the pool says to its workers, and the rules around pyrevm, as values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.abi import encode
from bot.cli.simulate_names import whole
from bot.engine.types import AccountDiff, Log
from bot.simulation.flows import DEPOSIT, ETHER, NOBODY, TRANSFER, WITHDRAWAL, Flow, flows, gains
from bot.simulation.jobs import Done, Follow, Job, frame, messages
from bot.simulation.rules import SPECS, TX_GAS_CAP, floor_gas, refusal
from bot.simulation.trace import Frame, failure, read
from bot.simulation.types import BlockContext, Call, CallResult

A, B, TOKEN, WETH = ("0x" + digit * 40 for digit in "abcd")
addresses = st.integers(0, 2**160 - 1).map(lambda number: f"0x{number:040x}")
words = st.integers(0, 2**256 - 1)


def as_topic(address: str) -> str:
    return "0x" + encode(address).hex()


def a_log(address: str, *topics: str, amount: int = 0, data: bytes | None = None) -> Log:
    return Log(address, topics, encode(amount) if data is None else data)


def a_frame(
    *inside: Frame | Log,
    kind: str = "CALL",
    sender: str = A,
    to: str = B,
    value: int = 0,
    error: str = "",
    output: bytes = b"",
) -> Frame:
    return Frame(kind, sender, to, value, 100_000, 50_000, b"", output, error, inside)


# --- flows -----------------------------------------------------------------------------------------------------------


def test_what_moves_and_what_does_not() -> None:
    transfer = a_log(TOKEN, TRANSFER, as_topic(A), as_topic(B), amount=7)
    collectible = a_log(TOKEN, TRANSFER, as_topic(A), as_topic(B), as_topic(A), data=b"")
    odd = a_log(TOKEN, TRANSFER, as_topic(A), as_topic(B), data=b"\1")
    assert flows(a_frame(transfer, collectible, odd, value=3)) == [Flow(ETHER, A, B, 3), Flow(TOKEN, A, B, 7)]
    assert flows(a_frame(transfer, value=3, error="reverted")) == []
    assert flows(a_frame(a_frame(transfer, value=3, error="reverted"), transfer)) == [Flow(TOKEN, A, B, 7)]
    assert flows(a_frame(a_frame(kind="DELEGATECALL", value=3), a_frame(kind="STATICCALL"))) == []


def test_wrapped_ether_is_minted_with_ether_only() -> None:
    deposit = a_log(WETH, DEPOSIT, as_topic(A), amount=5)
    withdrawal = a_log(WETH, WITHDRAWAL, as_topic(A), amount=5)
    paid = a_frame(sender=WETH, to=A, value=5)
    assert flows(a_frame(deposit, to=WETH, value=5)) == [Flow(ETHER, A, WETH, 5), Flow(WETH, NOBODY, A, 5)]
    assert flows(a_frame(paid, withdrawal, to=WETH)) == [Flow(ETHER, WETH, A, 5), Flow(WETH, A, NOBODY, 5)]
    assert flows(a_frame(deposit, to=WETH)) == []  # a vault's event of the same name
    assert flows(a_frame(withdrawal, to=WETH)) == []
    minted = a_log(WETH, TRANSFER, as_topic(NOBODY), as_topic(A), amount=5)
    both = [Flow(ETHER, A, WETH, 5), Flow(WETH, NOBODY, A, 5)]
    assert flows(a_frame(minted, deposit, to=WETH, value=5)) == both  # tells it twice


@given(st.lists(st.builds(Flow, st.sampled_from((ETHER, TOKEN)), addresses, addresses, words)))
def test_gains_sum_to_nothing(moved: list[Flow]) -> None:
    totals = gains(moved)
    for token in (ETHER, TOKEN):
        assert sum(by.get(token, 0) for by in totals.values()) == 0
    assert all(by and all(by.values()) for by in totals.values())


# --- traces ----------------------------------------------------------------------------------------------------------


def test_failure_is_followed_to_where_it_began() -> None:
    reason = b"\x08\xc3\x79\xa0deep"
    deepest = a_frame(to=TOKEN, error="execution reverted", output=reason)
    wrapper = a_frame(a_frame(), deepest, error="execution reverted", output=b"wrapped" + reason)
    assert failure(a_frame(wrapper, error="execution reverted", output=b"wrapped" + reason))[-1] is deepest
    own = a_frame(deepest, error="execution reverted", output=b"mine")
    assert failure(own) == [own]  # it went on after that
    later = a_frame(deepest, a_frame(), error="execution reverted", output=reason)
    assert failure(later) == [later]
    assert failure(a_frame(deepest)) == []


def test_logs_stand_between_the_calls_as_they_came() -> None:
    inner = {"type": "STATICCALL", "from": A, "to": B, "gas": "0x1", "gasUsed": "0x1", "input": "0x"}
    entry = {"address": TOKEN, "topics": [TRANSFER], "data": "0x", "position": "0x1"}
    answer: dict[str, Any] = {**inner, "type": "CALL", "value": "0x2", "calls": [inner, inner]}
    found = read({**answer, "logs": [{**entry, "position": "0x0"}, entry]})
    assert [type(one) for one in found.inside] == [Log, Frame, Log, Frame]
    assert (found.value, len(list(found.all()))) == (2, 3)
    with pytest.raises(KeyError):
        read({"type": "CALL"})


# --- the pool's messages ---------------------------------------------------------------------------------------------

lists = st.lists(st.tuples(addresses, st.lists(words, max_size=3).map(tuple)), max_size=2).map(tuple)
calls = st.builds(Call, addresses, st.none() | addresses, st.binary(max_size=40), words, words, words, lists)
blocks = st.builds(BlockContext, words, words, words, addresses, words)
logs = st.builds(Log, addresses, st.lists(addresses, max_size=4).map(tuple), st.binary(max_size=40))
results = st.builds(
    CallResult, st.booleans(), words, st.binary(), st.lists(logs, max_size=3).map(tuple), st.text(), st.just(("doubt",))
)
told = st.one_of(
    st.builds(Job, words, st.text(), st.lists(calls, max_size=3).map(tuple), blocks),
    st.builds(Done, words, st.lists(results, max_size=3).map(tuple), st.text(), st.booleans()),
    st.builds(
        Follow,
        st.text(),
        st.dictionaries(addresses, st.builds(AccountDiff, words, words, st.binary(), st.just({1: 2}))),
    ),
)


@given(st.lists(told, max_size=4), st.integers(1, 200))
def test_messages_arrive_as_they_were_whatever_the_pieces(sent: list[Any], size: int) -> None:
    stream = b"".join(map(frame, sent))
    buffer, received = bytearray(), []
    for start in range(0, len(stream), size):
        buffer += stream[start : start + size]
        received += messages(buffer)
    assert received == sent
    assert not buffer


# --- rules -----------------------------------------------------------------------------------------------------------


def test_rules_that_are_put_around_pyrevm() -> None:
    plain = Call(A, B, bytes(10) + b"\1" * 10, gas=21_000)
    assert floor_gas(plain, "cancun") == 0
    assert floor_gas(plain, "prague") == 21_000 + 10 * (10 + 4 * 10)
    assert refusal(plain, "cancun") == ""
    assert "21500" in refusal(plain, "prague")
    large = Call(A, B, b"", gas=TX_GAS_CAP + 1)
    assert [bool(refusal(large, name)) for name in ("prague", "osaka")] == [False, True]
    assert set(SPECS.values()) == {"London", "Merge", "Shanghai", "Cancun"}  # as pyrevm spells them


@given(st.integers(-(10**30), 10**30), st.integers(0, 24))
def test_whole_tokens_have_all_their_digits(wei: int, decimals: int) -> None:
    text = whole(wei, decimals)
    left, _, right = text.removeprefix("-").partition(".")
    assert int(left + right.ljust(decimals, "0")) * (-1 if text.startswith("-") else 1) == wei
