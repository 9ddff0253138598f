"""``mev quote``: what an amount of one token buys of another."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from bot.amm.pool import NoLiquidity, Pool, Segment, UnknownState
from bot.cli.market_source import Source, open_source
from bot.cli.profile import smallest_units
from bot.engine.types import Hop, Swap, Trade
from bot.errors import UserError
from bot.market.kernels import MAX_HOPS, Ints
from bot.market.paths import best_path, best_pool
from bot.market.routing import programs
from bot.market.routing.solver import Legs
from bot.market.view import View
from bot.strategies.gas import GasPolicy

app = typer.Typer()

UNSEEN = 160  # columns of output that is not a terminal
MOST_TOKENS = 150  # next to either end that a split may go by
PRICED = 10**16  # wei of the native coin whose worth in the token says what gas costs
WEI = "wei"


@dataclass(frozen=True, slots=True)
class Way:
    """Swaps in order. ``gas`` is an estimate in units."""

    name: str
    amount_out: int
    swaps: tuple[Swap, ...]
    gas: int


@app.command(name="quote", epilog="Example: mev quote WETH USDC 12.5 --from market.snapshot")
def quote(
    token_in: Annotated[str, typer.Argument(help="What is sold: a symbol or an address.")],
    token_out: Annotated[str, typer.Argument(help="What is bought.")],
    amount: Annotated[str, typer.Argument(help="How much is sold: 1.5, in whole tokens, or 1500000wei.")],
    source: Annotated[Path, typer.Option("--from", help="A profile (its node), a snapshot, or a recorded block.")],
    hops: Annotated[int, typer.Option(min=1, max=MAX_HOPS, help="Pools in a row at most, of the single path.")] = 3,
    index: Annotated[int | None, typer.Option(help="Of a recorded block: after so many transactions.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Shows what comes out, to the wei by exact quotes: split over pools and paths, beside the best single path and the
    best single pool. Amounts are before gas; a split uses as many pools as are worth their gas at the base fee."""
    opened = open_source(source, max(2, hops), index)
    sold, bought = opened.find(token_in), opened.find(token_out)
    if sold == bought:
        raise UserError(f"{token_in} and {token_out} are the same token")
    wei = _wei(opened, sold, amount)
    ways = list(_ways(opened, sold, bought, wei, hops))
    if as_json:
        print(json.dumps(_report(opened, sold, bought, wei, ways)))
    else:
        _print(opened, sold, bought, wei, ways)
    if not ways:
        raise typer.Exit(1)


def _wei(source: Source, token: str, text: str) -> int:
    known = source.tokens.get(token)
    try:
        if text.endswith(WEI):
            wei = smallest_units("AMOUNT", text.removesuffix(WEI), 0)
        elif known is None or known.decimals is None:
            raise UserError(f"nobody knows the decimals of {token}: give the amount in its smallest unit, 1500000wei")
        else:
            wei = smallest_units("AMOUNT", text, known.decimals)
    except ValueError as error:
        raise UserError(str(error)) from None
    if not wei:
        raise UserError("AMOUNT is 0: nothing is bought for it")
    return wei


# --- ways -------------------------------------------------------------------------------------------------------------


def _ways(source: Source, sold: str, bought: str, amount: int, hops: int) -> Iterable[Way]:
    """What is not there is left out. A path is a split of one part: the split shown is no worse, gas counted."""
    view, policy = source.market.view, GasPolicy(source.weth)
    singles = {"path": best_path(view, sold, bought, amount, hops), "pool": best_pool(view, sold, bought, amount)}
    ways = [
        Way(name, trade.amounts[-1], _chain(trade), policy.gas(trade.route))
        for name, trade in singles.items()
        if trade is not None
    ]
    if not ways:
        return
    gas_price = source.base_fee * _coin_price(source, bought)
    split = _split(source, sold, bought, amount, ways[0].amount_out, gas_price)
    yield replace(max([*split, *ways], key=lambda way: way.amount_out - int(way.gas * gas_price)), name="split")
    yield from ways


def _split(source: Source, sold: str, bought: str, amount: int, about: int, gas_price: float) -> list[Way]:
    """At most one; ``about`` is what comes out, ``gas_price`` what a unit of gas costs, in wei of what is bought."""
    view, numbers, policy = source.market.view, source.market.graph.tokens, GasPolicy(source.weth)
    pools = {slot: view.at(slot) for slot in _slots_between(view, numbers[sold], numbers[bought], amount, about)}
    known = {slot: pool for slot, pool in pools.items() if pool is not None}
    legs = Legs.of(known, numbers)
    hops = [_hop(known[int(legs.pool[leg])], int(legs.i[leg]), int(legs.j[leg])) for leg in range(len(legs))]
    gas = np.array([policy.swap(hop) for hop in hops], np.float64)
    try:
        sale = programs.sell(programs.Market(legs, known, gas * gas_price), numbers[sold], numbers[bought], amount)
    except NoLiquidity:
        return []
    swaps = tuple(Swap(hops[swap.leg], swap.amount_in, swap.amount_out) for swap in sale.swaps)
    return [Way("split", sale.amount_out, swaps, policy.base + sum(policy.swap(swap.hop) for swap in swaps))]


def _slots_between(view: View, start: int, end: int, amount: int, about: int) -> list[int]:
    """The pools on paths of up to three pools by way of the tokens that are deepest with either end."""
    graph = view.graph
    index = graph.index
    after, before = index.pair_in == start, index.pair_out == end
    first = _deepest(view, np.flatnonzero(after), index.pair_out, lambda segment: segment.x / amount)
    last = _deepest(view, np.flatnonzero(before), index.pair_in, lambda segment: segment.y / about)
    from_start, to_end = np.zeros((2, len(graph.tokens)), np.bool_)
    from_start[[start, *first]] = True
    to_end[[end, *last]] = True
    between = from_start[index.pair_in] & to_end[index.pair_out]
    slots: list[int] = np.unique(index.leg_slot[between[index.leg_pair]]).tolist()
    return slots


def _deepest(view: View, pairs: Ints, other: Ints, depth: Callable[[Segment], float]) -> list[int]:
    """The MOST_TOKENS tokens at the pairs' other end whose pools are deepest there."""
    graph, index = view.graph, view.graph.index
    depths: dict[int, float] = {}
    for pair in pairs.tolist():
        token = int(other[pair])
        for leg in index.pair_legs[index.pair_start[pair] : index.pair_start[pair + 1]].tolist():
            pool = view.at(graph.leg_slot[leg])
            if pool is None:
                continue
            with suppress(UnknownState, NoLiquidity, StopIteration):
                depths[token] = max(depths.get(token, 0.0), depth(next(pool.segments(*graph.ends[leg]))))
    return sorted(depths, key=lambda token: (-depths[token], token))[:MOST_TOKENS]


def _coin_price(source: Source, token: str) -> float:
    """Wei of the token for a wei of the native coin; 0, so that gas is not counted, where nothing tells."""
    if token == source.weth:
        return 1.0
    if source.weth not in source.market.graph.tokens:
        return 0.0
    worth = best_path(source.market.view, source.weth, token, PRICED, 2)
    return 0.0 if worth is None else worth.amounts[-1] / PRICED


def _hop(pool: Pool, i: int, j: int) -> Hop:
    return Hop(pool.id, pool.kind, pool.tokens[i], pool.tokens[j], pool.terms(i, j))


def _chain(trade: Trade) -> tuple[Swap, ...]:
    return tuple(Swap(hop, *trade.amounts[at : at + 2]) for at, hop in enumerate(trade.route))


# --- output -----------------------------------------------------------------------------------------------------------


def _report(source: Source, sold: str, bought: str, amount: int, ways: Sequence[Way]) -> dict[str, Any]:
    return {
        "source": source.what,
        "block": source.block,
        "token_in": sold,
        "token_out": bought,
        "amount_in": amount,
        "ways": {
            way.name: {
                "amount_out": way.amount_out,
                "gas": way.gas,
                "swaps": [
                    {
                        "pool": swap.hop.pool,
                        "kind": swap.hop.kind,
                        "token_in": swap.hop.token_in,
                        "token_out": swap.hop.token_out,
                        "amount_in": swap.amount_in,
                        "amount_out": swap.amount_out,
                    }
                    for swap in way.swaps
                ],
            }
            for way in ways
        },
    }


def _print(source: Source, sold: str, bought: str, amount: int, ways: Sequence[Way]) -> None:
    console = Console(width=None if sys.stdout.isatty() else UNSEEN, highlight=False)
    asked = f"{source.amount(sold, amount)} {source.symbol(sold)}"
    if not ways:
        console.print(f"{source.what}: nothing sells {asked} for {source.symbol(bought)}")
        return
    console.print(f"{source.what}: {asked} buy, before gas")
    table = Table(box=None, padding=(0, 2))
    table.add_column("best")
    table.add_column(source.symbol(bought), justify="right")
    table.add_column("over one pool", justify="right")
    table.add_column("gas", justify="right")
    table.add_column("through", overflow="fold")
    single = next((way.amount_out for way in ways if way.name == "pool"), None)
    for way in ways:
        more = "" if single is None else f"{(way.amount_out - single) * 10**4 / single:+.2f} bp"
        through = "\n".join(
            f"{source.amount(swap.hop.token_in, swap.amount_in)} {source.symbol(swap.hop.token_in)} "
            f"{swap.hop.kind}:{swap.hop.pool[:8]} → {source.amount(swap.hop.token_out, swap.amount_out)} "
            f"{source.symbol(swap.hop.token_out)}"
            for swap in way.swaps
        )
        table.add_row(way.name, source.amount(bought, way.amount_out), more, f"{way.gas:,}", through)
    console.print(table)
