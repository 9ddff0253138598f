"""Hypothesis strategies for the executor's programs."""

from __future__ import annotations

from dataclasses import fields

from hypothesis import strategies as st

from bot import abi
from bot.execution import steps as s
from bot.execution.book import MOST, Book, Entry, Kind

addresses = st.binary(min_size=20, max_size=20).map(abi.to_hex)
amounts = st.integers(0, 2**96 - 1) | st.integers(0, 2**128 - 1)
outputs = st.integers(0, 2**95 - 1) | st.integers(0, 2**127 - 1)
tokens = st.none() | addresses
deadlines = st.none() | st.integers(0, 2**32 - 2)
bids = st.integers(0, 10_000)
hops = st.builds(s.V2Hop, addresses, st.booleans(), outputs)


@st.composite
def chains(draw: st.DrawFn) -> s.V2Chain:
    pairs = tuple(draw(st.lists(hops, min_size=1, max_size=4)))
    pay = draw(st.none() | amounts)
    return s.V2Chain(pairs, draw(st.booleans()), pay, None if pay is None else draw(tokens))


uint24 = st.integers(0, 2**24 - 1)
LEAVES = {
    s.V2Chain: chains(),
    s.V4Sync: st.builds(s.V4Sync, addresses),
    s.V4Swap: st.builds(s.V4Swap, addresses, addresses, uint24, uint24, addresses, st.booleans(), amounts),
    s.V4Take: st.builds(s.V4Take, amounts, tokens, tokens),
    s.V4Settle: st.builds(s.V4Settle, amounts, tokens),
    s.V4SettlePaid: st.just(s.V4SettlePaid()),
    s.CurveSwap: st.builds(
        s.CurveSwap,
        addresses,
        st.sampled_from(s.CurveKind),
        st.tuples(st.integers(0, 15), st.integers(0, 15)),
        amounts,
        amounts,
        tokens,
    ),
    s.BalancerSwap: st.builds(
        s.BalancerSwap,
        addresses,
        addresses,
        st.binary(min_size=12, max_size=12),
        addresses,
        amounts,
        amounts,
        tokens,
    ),
    s.VaultDeposit: st.builds(s.VaultDeposit, addresses, amounts, tokens),
    s.VaultRedeem: st.builds(s.VaultRedeem, addresses, amounts),
    s.Pay: st.builds(s.Pay, amounts, tokens, tokens),
    s.Tip: st.builds(s.Tip, amounts),
    s.Wrap: st.builds(s.Wrap, amounts),
    s.Unwrap: st.builds(s.Unwrap, amounts),
    s.LiquidateAave: st.builds(s.LiquidateAave, addresses, addresses, addresses, amounts, tokens),
    s.LiquidateCompoundV2: st.builds(s.LiquidateCompoundV2, addresses, addresses, addresses, amounts, tokens),
    s.RedeemCompoundV2: st.builds(s.RedeemCompoundV2, addresses, amounts),
}


@st.composite
def loans(draw: st.DrawFn, nested: st.SearchStrategy[tuple[s.Step, ...]]) -> s.Loan:
    kind = draw(st.sampled_from((s.Lender.MORPHO, s.Lender.BALANCER_V2, s.Lender.AAVE_V3, s.Lender.ERC3156)))
    owed = draw(amounts) if kind in (s.Lender.AAVE_V3, s.Lender.ERC3156) else None
    return s.Loan(kind, draw(addresses), draw(amounts), draw(nested), draw(tokens), owed)


def nesting(inner: st.SearchStrategy[s.Step]) -> dict[type, st.SearchStrategy[s.Step]]:
    """Steps around others, by type."""
    nested = st.lists(inner, max_size=3).map(tuple)
    return {
        s.V3Swap: st.builds(s.V3Swap, addresses, st.booleans(), amounts, st.sampled_from(s.Recipient), nested),
        s.V2Flash: st.builds(s.V2Flash, addresses, st.booleans(), amounts, nested),
        s.V3Flash: st.builds(s.V3Flash, addresses, st.booleans(), amounts, nested, tokens),
        s.V4Unlock: st.builds(s.V4Unlock, addresses, nested),
        s.Loan: loans(nested),
        s.LiquidateMorpho: st.builds(
            s.LiquidateMorpho,
            *(addresses, addresses, addresses, addresses, st.integers(0, 2**64 - 1), addresses),
            *(amounts, amounts, amounts, nested, tokens),
        ),
    }


leaves = st.one_of(*LEAVES.values())
steps = st.recursive(leaves, lambda inner: st.one_of(*nesting(inner).values()), max_leaves=6)
EACH: dict[type, st.SearchStrategy[s.Step]] = LEAVES | nesting(steps)
"""Every type of step."""

step_programs = st.builds(
    s.Steps,
    st.lists(steps, max_size=4).map(tuple),
    st.integers(0, 2**120 - 1),
    st.lists(addresses, max_size=7).map(tuple),
    deadlines,
    bids,
)


@st.composite
def routes(draw: st.DrawFn) -> tuple[s.Route, Book]:
    """A route, and a book that has its accounts."""
    known = draw(books(at_least=2))
    accounts = st.sampled_from([entry.address for entry in known.entries])
    numbers = st.integers(0, 2**95 - 1)
    form = draw(st.sampled_from(s.Form))
    pairs = st.lists(st.builds(s.V2Hop, accounts, st.booleans(), numbers), min_size=1, max_size=5).map(tuple)
    return s.Route(
        form,
        draw(numbers),
        draw(pairs),
        None if form is s.Form.OWN else draw(accounts),
        draw(numbers) if form in (s.Form.LAST, s.Form.LOAN) else None,
        draw(deadlines),
        draw(bids),
    ), known


@st.composite
def books(draw: st.DrawFn, at_least: int = 0) -> Book:
    found = draw(st.lists(addresses, min_size=at_least, max_size=12, unique=True))
    found += [abi.to_hex(number.to_bytes(20, "big")) for number in range(draw(st.sampled_from((0, 0, MOST - 12))))]
    entries = []
    for address in dict.fromkeys(found):
        kind = draw(st.sampled_from(Kind)) if len(entries) < 12 else Kind.OTHER
        other = draw(st.integers(0, len(set(found)) - 1)) if kind in (Kind.V2_WETH_0, Kind.V2_WETH_1) else None
        entries.append(Entry(address, kind, other))
    return Book(tuple(entries))


def addresses_of(step: s.Step) -> list[str]:
    """All that are written in a step, those of nested ones too."""
    found: list[str] = []
    for field in fields(step):
        value = getattr(step, field.name)
        if type(value) is str:
            found.append(value)
        elif field.name == "hops":
            found += [hop.pool for hop in value]
        elif field.name == "nested":
            found += [address for inner in value for address in addresses_of(inner)]
    return found


def numbers_of(step: s.Step) -> list[int]:
    """All that are written in a step, those of nested ones too."""
    found: list[int] = []
    for field in fields(step):
        value = getattr(step, field.name)
        if type(value) is int:
            found.append(value)
        elif field.name == "hops":
            found += [hop.amount_out for hop in value]
        elif field.name == "nested":
            found += [number for inner in value for number in numbers_of(inner)]
    return found
