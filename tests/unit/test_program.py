"""Programs as bytes and back, in words, and what the planner refuses."""

from __future__ import annotations

import re
from dataclasses import replace
from enum import IntEnum
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import EACH, addresses_of, books, numbers_of, routes, step_programs

from bot import abi
from bot.engine.types import Hop, Trade
from bot.errors import UserError
from bot.execution import executor
from bot.execution import steps as s
from bot.execution.book import ENTRY_SIZE, START, Book, Entry, Kind
from bot.execution.codec import pack, unpack
from bot.execution.layouts import LAYOUTS, spent_tokens
from bot.execution.program import Capital, LoanSource, encode, gain, plan
from bot.execution.words import decode

ROOT = Path(__file__).parents[2]
WETH = "0x" + "ee" * 20


def test_there_is_a_strategy_for_every_step() -> None:
    assert set(EACH) == set(get_args(s.Step))


@pytest.mark.parametrize("kind", EACH, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_each_step_round_trips(kind: type, data: st.DataObject) -> None:
    """Also with a book that has some of its accounts: the bytes are fewer, and without the book no account is lost."""
    program = s.Steps((data.draw(EACH[kind]),))
    packed = pack(program)
    assert unpack(packed) == program
    accounts = list(dict.fromkeys(address for step in program.steps for address in addresses_of(step)))
    known = data.draw(st.lists(st.sampled_from(accounts), unique=True)) if accounts else []
    book = Book(tuple(map(Entry, known)))
    short = pack(program, book)
    assert unpack(short, book) == program
    written = sum(addresses_of(step).count(address) for step in program.steps for address in known)
    assert len(packed) - len(short) == 19 * written
    assert pack(unpack(short)) == short


@given(step_programs, books())
def test_steps_round_trip(program: s.Steps, book: Book) -> None:
    assert unpack(pack(program)) == program
    assert unpack(pack(program, book), book) == program


@given(routes())
def test_routes_round_trip(made: tuple[s.Route, Book]) -> None:
    route, book = made
    packed = pack(route, book)
    assert unpack(packed, book) == route
    assert pack(unpack(packed)) == packed
    with pytest.raises(ValueError, match="does not stand in the book"):
        pack(route)


@given(step_programs)
def test_words_say_every_number_and_address(program: s.Steps) -> None:
    words = "\n".join(decode(pack(program)))
    parts = [program.minimum, *program.tokens, program.deadline, program.bid_bps or None]
    parts += [part for step in program.steps for part in (*numbers_of(step), *addresses_of(step))]
    for part in parts:
        if part is not None:
            assert part in ("0x" + "00" * 20, *s.Lender) or str(part) in words


@given(routes())
def test_words_say_all_of_a_route(made: tuple[s.Route, Book]) -> None:
    route, book = made
    words = "\n".join(decode(pack(route, book), book))
    for part in (route.anchor, route.amount, route.deadline, route.bid_bps or None):
        assert part is None or str(part) in words
    for hop in route.hops:
        assert f"{hop.pool} {'0→1' if hop.zero_for_one else '1→0'} out {hop.amount_out}" in words
    unnamed = "\n".join(decode(pack(route, book)))
    assert f"book[{book.index(route.hops[0].pool)}]" in unnamed


@given(st.binary(max_size=200) | st.binary(min_size=40, max_size=200).map(lambda noise: b"\x00" + noise), books())
def test_noise_is_a_program_or_refused(noise: bytes, book: Book) -> None:
    try:
        lines = decode(noise, book)
    except UserError as refusal:
        assert "\n" not in str(refusal)
    else:
        assert lines[-1].startswith("check:")


def test_bottomless_nesting_is_refused() -> None:
    inner = b""
    while len(inner) < 60_000:
        inner = b"\xa8\x00\x00" + len(inner).to_bytes(2, "big") + inner
    with pytest.raises(UserError, match="deep"):
        decode(b"\x00" + inner)


@given(step_programs, st.data())
def test_cut_programs_are_refused(program: s.Steps, data: st.DataObject) -> None:
    """A cut between two steps leaves a program, of fewer steps; any other is noticed."""
    packed = pack(program)
    cut = packed[: data.draw(st.integers(0, len(packed) - 1))]
    try:
        read = unpack(cut)
    except UserError:
        return
    assert isinstance(read, s.Steps)
    assert len(read.steps) < len(program.steps)
    assert read.steps == program.steps[: len(read.steps)]


def test_no_program_begins_like_a_function() -> None:
    """The contract tells them apart by the first byte; the errors' and functions' names are the contract's own."""
    interface = (ROOT / "contracts/interfaces/IExecutor.sol").read_text()
    functions = re.findall(r"function (\w+)\(([^)]*)\)", interface)
    assert len(functions) == 6
    for name, parameters in functions:
        types = ",".join(parameter.split()[0] for parameter in parameters.split(",") if parameter)
        assert abi.selector(f"{name}({types})")[0] >= 0x40
    errors = re.findall(r"error (\w+)\(([^)]*)\)", interface)
    for name, parameters in errors:
        types = ",".join(parameter.split()[0] for parameter in parameters.split(",") if parameter)
        data = abi.selector(f"{name}({types})") + bytes(160)
        assert not executor.explain(data).startswith("reverted"), name


def test_words() -> None:
    a, b = "0x" + "aa" * 20, "0x" + "bb" * 20
    nested = (s.V2Chain((s.V2Hop(b, True, 7),), to_caller=True, pay=5),)
    swap = s.V3Swap(a, False, 7, s.Recipient.EXECUTOR, nested)
    assert decode(pack(s.Steps((swap, s.Tip(1)), 2, deadline=9, bid_bps=250))) == [
        "deadline: not after block 9",
        f"v3 swap: {a} 1→0 in 7, to the executor; in its callback:",
        f"  v2 chain: pay 5 WETH to the first; {b} 0→1 out 7 → the caller",
        "tip: 1 WETH, unwrapped, to the block's builder",
        "bid: 250 basis points of the gain in WETH, to the block's builder",
        "check: at least 2 more WETH than at the start",
    ]
    book = Book((Entry(a, Kind.V3_WETH_0), Entry(b)))
    route = s.Route(s.Form.LAST, 5, (s.V2Hop(b, True, 7),), a, 6)
    assert decode(pack(route, book), book) == [
        f"route: {a}, the last pool, sends at least 6 WETH first; in its callback:",
        f"  pay 5 WETH to the first; {b} 0→1 out 7 → the anchor",
        "check: no less WETH than at the start",
    ]


def test_what_cannot_be_packed() -> None:
    a = "0x" + "aa" * 20
    hop = s.V2Hop(a, True, 1)
    book = Book((Entry(a),))
    for program, why in (
        (s.Steps((), bid_bps=10_001), "basis points"),
        (s.Steps((), 1 << 120), "minimum"),
        (s.Steps((), tokens=(a,) * 8), "at most 7"),
        (s.Steps((s.Loan(s.Lender.AAVE_V3, a, 1, ()),)), "names no amount"),
        (s.Steps((s.Loan(s.Lender.MORPHO, a, 1, (), owed=1),)), "does not say what is owed"),
        (s.Steps((s.BalancerSwap(a, a, b"\0", a, 1, 1),)), "not 12"),
        (s.Steps((s.CurveSwap(a, s.CurveKind.PLAIN, (0, 16), 1, 1),)), "coins"),
        (s.Steps((s.V2Chain((hop,), token=a),)), "names no token"),
        (s.Steps((s.Tip(1 << 128),)), "too large"),
        (s.Route(s.Form.OWN, 1 << 95, (hop,)), "too large for a route"),
        (s.Route(s.Form.OWN, 1, ()), "v2 pairs"),
        (s.Route(s.Form.OWN, 1, (hop,), a), "anchor"),
        (s.Route(s.Form.LAST, 1, (hop,), a), "amount"),
        (s.Route(s.Form.FIRST, 1, (hop,), a, 1), "amount"),
    ):
        with pytest.raises(ValueError, match=why):
            pack(program, book)


def test_what_must_be_declared() -> None:
    a, b, eth = "0x" + "aa" * 20, "0x" + "bb" * 20, "0x" + "00" * 20
    steps = (
        s.V4Unlock(b, (s.V4Take(1, b), s.V4Settle(1, a), s.V4Settle(1, eth), s.V4Sync(b))),
        s.VaultRedeem(b, 1),
        s.LiquidateAave(b, b, b, 1),
        s.RedeemCompoundV2(a, 1),
    )
    assert list(spent_tokens(steps)) == [a, b, a]


# --- plans -------------------------------------------------------------------------------------------------------


def trade(*kinds: str, amounts: tuple[int, ...] = ()) -> Trade:
    tokens = [WETH, *("0x" + f"{n:02x}" * 20 for n in range(1, len(kinds))), WETH]
    hops = tuple(Hop("0x" + f"{0xA0 + n:02x}" * 20, kind, tokens[n], tokens[n + 1]) for n, kind in enumerate(kinds))
    return Trade(hops, amounts or tuple(100 + n for n in range(len(kinds) + 1)))


def test_a_v2_cycle_is_small() -> None:
    """A2 of the bench table: calldata of at most 120 bytes, profit check and all."""
    steps = plan(trade("v2", "v2", amounts=(5 * 10**18, 10**19, 6 * 10**18)), Capital.OWN, weth=WETH)
    assert len(encode(steps, token=WETH, min_profit=10**18, weth=WETH)) <= 120


@pytest.mark.parametrize(
    ("kinds", "capital", "anchor"),
    [
        (("v2", "v2"), Capital.NESTED, 1),
        (("v2", "v3", "v2"), Capital.NESTED, 1),
        (("v3", "v2", "v3"), Capital.NESTED, 2),
        (("v3", "v2", "v3"), Capital.V2_FLASH, 1),
        (("v2", "v3"), Capital.V2_FLASH, 0),
    ],
)
def test_who_pays_first(kinds: tuple[str, ...], capital: Capital, anchor: int) -> None:
    cycle = trade(*kinds)
    (first,) = plan(cycle, capital, weth=WETH)
    assert isinstance(first, s.V3Swap | s.V2Flash)
    assert first.pool == cycle.route[anchor].pool


def constants(library: str) -> dict[str, int]:
    """Of a library of the contract."""
    text = (ROOT / f"contracts/libraries/{library}.sol").read_text()
    return {name: int(value, 0) for name, value in re.findall(r"constant (\w+) = (0x\w+|\d+);", text)}


def members(kind: type[IntEnum], prefix: str = "") -> dict[str, int]:
    return {prefix + name: int(member) for name, member in kind.__members__.items()}


def test_constants_are_the_contracts() -> None:
    program, first = constants("Program"), 0x40
    steps = {value for name, value in program.items() if value >= first and name not in ("FIRST_SELECTOR", "ALL")}
    assert steps == {layout.first for layout in LAYOUTS}
    assert members(s.Form, "ROUTE_").items() <= program.items()
    assert members(s.Recipient, "TO_").items() <= program.items()
    assert members(s.CurveKind, "CURVE_") == constants("Venues")
    assert members(Kind) | {"START": START, "ENTRY_SIZE": ENTRY_SIZE} == constants("Book")


SHAPES = [
    (("v2", "v2"), Capital.OWN, None, s.Form.OWN),
    (("v2", "v2", "v2"), Capital.NESTED, None, s.Form.LAST),
    (("v2", "v2", "v2"), Capital.V2_FLASH, None, s.Form.LAST),
    (("v2", "v2", "v2"), Capital.NESTED, 0, s.Form.LOAN),
    (("v2", "v2", "v2"), Capital.NESTED, 1, None),
    (("v2", "v2", "v3"), Capital.NESTED, None, s.Form.LAST),
    (("v2", "v2", "v3"), Capital.V2_FLASH, None, None),
    (("v2", "v2", "v3"), Capital.OWN, None, None),
    (("v3", "v2", "v2"), Capital.NESTED, None, s.Form.FIRST),
    (("v3", "v2"), Capital.V2_FLASH, None, None),
    (("v3", "v3"), Capital.NESTED, None, None),
    (("v2", "v3", "v2"), Capital.NESTED, None, None),
    (("v2",) * 6, Capital.NESTED, None, s.Form.LAST),
]
"""Kinds of hops, capital and anchor to the form of route that a book makes of such a trade in WETH."""


@pytest.mark.parametrize(("kinds", "capital", "anchor", "form"), SHAPES)
def test_shapes_of_routes(kinds: tuple[str, ...], capital: Capital, anchor: int | None, form: s.Form | None) -> None:
    cycle = trade(*kinds)
    book = book_of(cycle)
    planned = plan(cycle, capital, anchor=anchor, weth=WETH, book=book)
    assert (planned.form if isinstance(planned, s.Route) else None) is form
    terms = {"token": WETH, "weth": WETH, "book": book, "bid_bps": 5_000, "deadline": 7}
    program = unpack(encode(planned, **terms), book)
    assert isinstance(program, s.Steps) == (form is None)
    assert (program.deadline, program.bid_bps) == (7, 5_000)
    if isinstance(planned, s.Route):
        assert gain(planned, book) == cycle.gross_profit
        with pytest.raises(ValueError, match="leaves"):
            encode(planned, min_profit=cycle.gross_profit, **terms)


def test_what_the_book_does_not_promise_is_no_route() -> None:
    cycle = trade("v2", "v2")
    there, back = cycle.route
    whole = book_of(cycle)
    assert isinstance(plan(cycle, Capital.OWN, weth=WETH, book=whole), s.Route)
    other_side = {Kind.V2_WETH_0: Kind.V2_WETH_1, Kind.V2_WETH_1: Kind.V2_WETH_0}
    lies = (
        Book(tuple(entry for entry in whole.entries if entry.address != there.pool and entry.other is None)),
        Book(tuple(replace(entry, kind=Kind.OTHER, other=None) for entry in whole.entries)),
        Book(tuple(replace(entry, kind=other_side.get(entry.kind, entry.kind)) for entry in whole.entries)),
    )
    for book in lies:
        assert not isinstance(plan(cycle, Capital.OWN, weth=WETH, book=book), s.Route)
    assert not isinstance(plan(cycle, Capital.OWN, weth=back.token_in, book=whole), s.Route)
    huge = replace(cycle, amounts=(1, 2**95, 3))
    assert not isinstance(plan(huge, Capital.OWN, weth=WETH, book=whole), s.Route)


def book_of(cycle: Trade) -> Book:
    """All of its pools, each with the kind that it has."""
    pools = [
        SimpleNamespace(
            address=hop.pool,
            kind=hop.kind,
            token0=hop.token_in if hop.zero_for_one else hop.token_out,
            token1=hop.token_out if hop.zero_for_one else hop.token_in,
        )
        for hop in cycle.route
    ]
    return Book.of(WETH, pools)


def test_many_pairs_are_several_chains() -> None:
    """Without a book: the executor gets what the fourth pair gives, and pays the fifth."""
    cycle = trade(*["v2"] * 6)
    first, second = plan(cycle, Capital.OWN, weth=WETH)
    assert isinstance(first, s.V2Chain) and isinstance(second, s.V2Chain)
    assert (len(first.hops), first.pay, len(second.hops), second.pay) == (4, 100, 2, 104)
    assert second.token == cycle.route[4].token_in


def test_what_cannot_be_planned() -> None:
    lender = LoanSource(s.Lender.MORPHO, "0x" + "cc" * 20, fee=1)
    cycle = trade("v2", "v3")
    with pytest.raises(ValueError, match="v2 flash swap"):
        plan(trade("v3", "v3"), Capital.V2_FLASH)
    with pytest.raises(ValueError, match="lender"):
        plan(cycle, Capital.LOAN)
    with pytest.raises(ValueError, match="no fee"):
        plan(cycle, Capital.LOAN, lender=lender)
    with pytest.raises(ValueError, match="has no terms"):
        plan(trade("v2", "curve"), Capital.OWN)
    with pytest.raises(ValueError, match="not a cycle"):
        plan(Trade(cycle.route[:1], cycle.amounts[:2]), Capital.OWN)
    with pytest.raises(ValueError, match="not a cycle"):
        plan(Trade(cycle.route, cycle.amounts[:2]), Capital.OWN)
    with pytest.raises(ValueError, match="locked"):
        plan(
            Trade((cycle.route[0], cycle.route[0].__class__(cycle.route[0].pool, "v2", "0x", WETH)), (1, 2, 3)),
            Capital.OWN,
        )
    with pytest.raises(ValueError, match="too large"):
        encode(plan(trade("v2", "v2", amounts=(1, 2**127, 3)), Capital.OWN, weth=WETH), token=WETH, weth=WETH)
    with pytest.raises(ValueError, match="paid in WETH"):
        encode(plan(cycle, Capital.NESTED), token="0x" + "01" * 20, bid_bps=1)


def test_tokens_that_are_spent_are_declared() -> None:
    """Taking A from a pair and selling it in a v3 pool spends A, if only for a moment."""
    cycle = trade("v2", "v3")
    program = unpack(encode(plan(cycle, Capital.V2_FLASH, weth=WETH), token=WETH, min_profit=1, weth=WETH))
    assert isinstance(program, s.Steps)
    assert program.tokens == (WETH, cycle.route[0].token_out)
    program = unpack(encode(plan(cycle, Capital.NESTED, weth=WETH), token=WETH, weth=WETH))
    assert isinstance(program, s.Steps)
    assert program.tokens == ()


# --- the contract's outside -----------------------------------------------------------------------------------------


def test_explain() -> None:
    pool = "0x" + "aa" * 20
    inner = abi.selector("Error(string)") + abi.encode(32) + abi.encode(4) + b"oops".ljust(32, b"\0")
    failed = abi.selector("CallFailed(address,bytes)") + abi.encode(pool) + abi.encode(64)
    failed += abi.encode(len(inner)) + inner
    assert executor.explain(failed) == f"{pool} failed: oops"
    assert executor.explain(b"") == "reverted without a reason"
    assert executor.explain(b"\1\2\3\4") == "reverted with 0x01020304"


def test_an_executor_that_is_not_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(executor, "repo_root", lambda: tmp_path)
    with pytest.raises(UserError, match="make setup"):
        executor.deploy_data(WETH, WETH)
    artifact = tmp_path / executor.ARTIFACT
    artifact.parent.mkdir(parents=True)
    artifact.write_text("{}")
    with pytest.raises(UserError, match="make setup"):
        executor.deploy_data(WETH, WETH)
