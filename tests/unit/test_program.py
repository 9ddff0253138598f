"""Programs as bytes and back, in words, and what the planner refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import abi
from bot.engine.types import Hop, Trade
from bot.errors import UserError
from bot.execution import executor
from bot.execution.program import Capital, LoanSource, decode, encode, plan
from bot.execution.steps import (
    Deadline,
    Lender,
    Loan,
    Pay,
    Program,
    Recipient,
    Step,
    Tip,
    V2Chain,
    V2Flash,
    V2Hop,
    V3Swap,
    pack,
    unpack,
)

ROOT = Path(__file__).parents[2]
WETH = "0x" + "ee" * 20

addresses = st.binary(min_size=20, max_size=20).map(abi.to_hex)
amounts = st.integers(0, 2**96 - 1) | st.integers(0, 2**128 - 1)
outputs = st.integers(0, 2**95 - 1) | st.integers(0, 2**127 - 1)
hops = st.builds(V2Hop, addresses, st.booleans(), outputs)


@st.composite
def chains(draw: st.DrawFn) -> V2Chain:
    pairs = tuple(draw(st.lists(hops, min_size=1, max_size=4)))
    pay = draw(st.none() | amounts)
    return V2Chain(pairs, draw(st.booleans()), pay, None if pay is None else draw(st.none() | addresses))


leaves = (
    chains()
    | st.builds(Pay, amounts, st.none() | addresses, st.none() | addresses)
    | st.builds(Tip, amounts)
    | st.builds(Deadline, st.integers(0, 2**32 - 1))
)


def nesting(inner: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
    nested = st.lists(inner, max_size=3).map(tuple)
    return (
        st.builds(V3Swap, addresses, st.booleans(), amounts, st.sampled_from(Recipient), nested)
        | st.builds(V2Flash, addresses, st.booleans(), amounts, nested)
        | st.builds(Loan, st.sampled_from(Lender), addresses, amounts, nested, st.none() | addresses)
    )


programs = st.builds(
    Program,
    st.lists(st.recursive(leaves, nesting, max_leaves=6), max_size=4).map(tuple),
    st.integers(0, 2**128 - 1),
    st.lists(addresses, max_size=3).map(tuple),
)


@given(programs)
def test_round_trip(program: Program) -> None:
    assert unpack(pack(program)) == program


@given(programs)
def test_words_say_every_number_and_address(program: Program) -> None:
    def parts(steps: tuple[Step, ...]) -> list[str]:
        found = []
        for step in steps:
            for value in (getattr(step, name) for name in step.__dataclass_fields__):
                if isinstance(value, int) and not isinstance(value, bool | Recipient | Lender):
                    found.append(str(value))
                elif isinstance(value, str):
                    found.append(value)
            if isinstance(step, V2Chain):
                found += [part for hop in step.hops for part in (hop.pool, str(hop.amount_out))]
            if isinstance(step, V3Swap | V2Flash | Loan):
                found += parts(step.nested)
        return found

    words = "\n".join(decode(pack(program)))
    for part in [*parts(program.steps), str(program.minimum), *program.tokens]:
        assert part in words


@given(st.binary(max_size=200))
def test_noise_is_a_program_or_refused(noise: bytes) -> None:
    try:
        lines = decode(noise)
    except UserError as refusal:
        assert "\n" not in str(refusal)
    else:
        assert lines[-1].startswith("check:")


@given(programs, st.data())
def test_cut_programs_are_refused(program: Program, data: st.DataObject) -> None:
    """A cut between two steps leaves a program, of fewer steps; any other is noticed."""
    packed = pack(program)
    cut = packed[: data.draw(st.integers(0, len(packed) - 1))]
    try:
        read = unpack(cut)
    except UserError:
        return
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
    nested = (V2Chain((V2Hop(b, True, 7),), to_caller=True, pay=5),)
    program = pack(Program((Deadline(9), V3Swap(a, False, 7, Recipient.EXECUTOR, nested), Tip(1)), 2))
    assert decode(program) == [
        "deadline: not after block 9",
        f"v3 swap: {a} 1→0 in 7, to the executor; in its callback:",
        f"  v2 chain: pay 5 WETH to the first; {b} 0→1 out 7 → the caller",
        "tip: 1 WETH, unwrapped, to the block's builder",
        "check: at least 2 more WETH than at the start",
    ]


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
    assert isinstance(first, V3Swap | V2Flash)
    assert first.pool == cycle.route[anchor].pool


def test_what_cannot_be_planned() -> None:
    lender = LoanSource(Lender.MORPHO, "0x" + "cc" * 20, fee=1)
    cycle = trade("v2", "v3")
    with pytest.raises(ValueError, match="v2 flash swap"):
        plan(trade("v3", "v3"), Capital.V2_FLASH)
    with pytest.raises(ValueError, match="lender"):
        plan(cycle, Capital.LOAN)
    with pytest.raises(ValueError, match="no fee"):
        plan(cycle, Capital.LOAN, lender=lender)
    with pytest.raises(ValueError, match="kinds v2 and v3"):
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
    with pytest.raises(ValueError, match="1 to 4 pairs"):
        plan(trade(*["v2"] * 5), Capital.OWN)
    with pytest.raises(ValueError, match="too large"):
        encode(plan(trade("v2", "v2", amounts=(1, 2**127, 3)), Capital.OWN, weth=WETH), token=WETH, weth=WETH)
    with pytest.raises(ValueError, match="paid in WETH"):
        encode(plan(cycle, Capital.NESTED), token="0x" + "01" * 20, bid=1)


def test_tokens_that_are_spent_are_declared() -> None:
    """Taking A from a pair and selling it in a v3 pool spends A, if only for a moment."""
    cycle = trade("v2", "v3")
    program = unpack(encode(plan(cycle, Capital.V2_FLASH, weth=WETH), token=WETH, min_profit=1, weth=WETH))
    assert program.tokens == (WETH, cycle.route[0].token_out)
    assert unpack(encode(plan(cycle, Capital.NESTED, weth=WETH), token=WETH, weth=WETH)).tokens == ()


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
