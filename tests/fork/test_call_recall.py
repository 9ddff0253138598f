"""What is read off the calldata of recorded transactions, against what they did: pools, direction, amounts, and the
state that they left."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

import pytest
from recorded import BLOCKS, needs_recordings
from swap_logs import PROTOCOLS, Told, pool_id, told
from test_recorded_swaps import replayed

from bot import abi
from bot.amm.pool import Pool, UnknownState
from bot.amm.v3 import V3Pool
from bot.amm.v4 import V4Pool
from bot.amm.vaults import ETH
from bot.chain.calldata import SwapIntent
from bot.chain.calls import cow, oneinch, settler, uniswap, universal_router, venues, zeroex
from bot.chain.swap_calls import swaps_in_hex
from bot.engine.types import Log
from bot.market.effect import after_swaps
from bot.market.market import Market

pytestmark = needs_recordings

CHOSEN = BLOCKS if os.environ.get("MEV_VERIFY") == "1" else [18085863, 19426586]
ORDERS = ("1inch", "0x", "cow")
FAMILIES = {
    abi.selector(signature): module.__name__.rsplit(".", 1)[-1]
    for module in (cow, oneinch, settler, uniswap, universal_router, venues, zeroex)
    for signature in module.FUNCTIONS
}
COW_TRADE = abi.topic("Trade(address,address,address,uint256,uint256,uint256,bytes)")
TRANSFORMED = abi.topic("TransformedERC20(address,address,address,uint256,uint256)")


@dataclass(frozen=True)
class Hop:
    """One pool of an intent, with what is said of it: ``paid`` goes in, ``got`` comes out."""

    intent: SwapIntent
    at: int
    paid: int | None
    got: int | None

    def is_swap(self, pool: Pool, swap: Told) -> bool:
        """Of the pool and direction that were asked for."""
        if pool.kind != self.intent.protocol.removesuffix(" underlying"):
            return False
        if not self.intent.tokens:
            return pool.id == self.intent.target and (swap.i, swap.j) == self.intent.sides
        tokens, terms = self.intent.tokens[self.at : self.at + 2], self.intent.pools[self.at]
        if isinstance(pool, V3Pool) and terms != (pool.fee,):
            return False
        if isinstance(pool, V4Pool) and terms != (pool.key_fee, pool.tick_spacing, pool.hooks):
            return False
        # which token the chain's own money is wrapped in, a call does not always say
        return all(
            asked == token or asked == ETH != token
            for asked, token in zip(tokens, (pool.tokens[swap.i], pool.tokens[swap.j]), strict=True)
        )


def hops(intents: Iterable[SwapIntent]) -> Iterator[Hop]:
    for intent in intents:
        last = len(intent.pools) - 1
        for at in range(len(intent.pools)):
            yield Hop(
                intent,
                at,
                intent.amount if intent.exact_in and at == 0 else None,
                intent.amount if not intent.exact_in and at == last else None,
            )


@dataclass
class Figures:
    """By family of the calls. ``logs`` are the swap logs of transactions that have calls of it, ``explained`` those
    that an intent foretold; ``asked`` the pools that intents go through, ``found`` those with a log. ``exact`` of them
    say how much, to the wei, and ``taxed`` more than arrives. ``effects`` are how the state after all of the intents
    fared against the real one."""

    logs: Counter[str] = field(default_factory=Counter)
    explained: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    exact: Counter[str] = field(default_factory=Counter)
    taxed: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)
    reverted: Counter[str] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    all_logs: int = 0


def score(figures: Figures, family: str, tx: str, intents: Sequence[SwapIntent], logs: list[tuple[Pool, Told]]) -> bool:
    """Whether more happened than the calldata says: a token kept a part of what was paid, or swapped for itself."""
    figures.logs[family] += len(logs)
    left, taxed = list(logs), False
    for hop in hops(intent for intent in intents if intent.protocol not in ORDERS):
        figures.asked[family] += 1
        matches = [n for n, (pool, swap) in enumerate(left) if hop.is_swap(pool, swap)]
        if not matches:
            figures.wrong.append(f"{tx}: {hop}")
            continue
        match = min(matches, key=lambda n: _off(hop, left[n][1]))
        _, swap = left.pop(match)
        figures.found[family] += 1
        if hop.paid is None and hop.got is None:
            continue
        if hop.paid in (None, swap.paid) and hop.got in (None, swap.got):
            figures.exact[family] += 1
        elif hop.paid is not None and swap.paid < hop.paid:
            figures.taxed[family] += 1
            taxed = True
        else:
            figures.wrong.append(f"{tx}: {hop} {swap}")
    figures.explained[family] += len(logs) - len(left)
    return taxed or bool(left)


def _off(hop: Hop, swap: Told) -> tuple[bool, int]:
    """How far from what was asked for; more than that is worse than less: a token may swap for itself before."""
    off = 0 if hop.paid is None else swap.paid - hop.paid
    return off > 0, abs(off)


def check_orders(figures: Figures, tx: str, intents: Sequence[SwapIntent], logs: Sequence[Log]) -> None:
    """Orders of 0x and CoW against what their logs say was sold and bought."""
    filled = [(abi.uint(log.data, 2), abi.uint(log.data, 3)) for log in logs if _is(log, COW_TRADE)]
    filled += [(abi.uint(log.data, 2), abi.uint(log.data, 3)) for log in logs if _is(log, TRANSFORMED)]
    for intent in (each for each in intents if each.protocol in ORDERS):
        figures.orders[intent.protocol] += 1
        if intent.protocol != "1inch":
            sold, bought = filled.pop(0)
            given, other = (sold, bought) if intent.exact_in else (bought, sold)
            assert intent.amount == given and intent.limit is not None, tx
            assert other >= intent.limit if intent.exact_in else other <= intent.limit, tx
    assert not filled


def _is(log: Log, topic: str) -> bool:
    return bool(log.topics) and log.topics[0] == topic


def check_effect(
    figures: Figures, tx: str, market: Market, intents: Sequence[SwapIntent], logs: Sequence[Log], more: bool
) -> None:
    try:
        states = after_swaps(market.view, intents)
    except UnknownState as why:
        figures.effects["not said: a pool's own call" if "a call of" in str(why) else f"not said: {why}"] += 1
        return
    real = dict(market.after(logs).changes)
    if any(dict(state.changes) == real for state in states):
        figures.effects["equal"] += 1
    elif more:
        figures.effects["a token does more"] += 1
    else:
        figures.effects["different" if states else "none"] += 1
        figures.wrong.append(f"{tx}: {states}")


@cache
def measured(block: int) -> Figures:
    cassette, proof, loaded = replayed(block)
    figures = Figures()
    market = Market([])
    market.add(pool.at(cassette.context.timestamp) for pool in loaded.pools.values())
    for tx, logs, diff in zip(cassette.block["transactions"], proof.logs, proof.diffs, strict=True):
        swapped = [log for log in logs if log.topics and log.topics[0] in PROTOCOLS]
        figures.all_logs += len(swapped)
        intents = swaps_in_hex(tx["to"], tx["input"], tx["value"]) if tx["to"] else ()
        if intents and not logs:
            figures.reverted[FAMILIES[bytes.fromhex(tx["input"][2:10])]] += 1
        elif intents:
            known = [(pool, log) for log in swapped if (pool := market.pool(pool_id(log))) is not None]
            family = FAMILIES[bytes.fromhex(tx["input"][2:10])]
            more = score(figures, family, tx["hash"], intents, [(pool, told(pool, log)) for pool, log in known])
            check_orders(figures, tx["hash"], intents, logs)
            check_effect(figures, tx["hash"], market, intents, logs, more)
        market.apply(logs, diff, cassette.context.timestamp)
    return figures


@pytest.mark.parametrize("block", CHOSEN)
def test_decoded_calls_do_what_they_say(block: int) -> None:
    """Every pool that an intent names has swapped in that direction, and as much as is said, unless its token keeps a
    part; and the state after the intents is the real one, where they tell all."""
    figures = measured(block)
    assert figures.wrong == []
    assert figures.found == figures.asked
    assert figures.effects["equal"] >= figures.effects.total() // 2


def test_how_much_calldata_tells(record_property: Callable[[str, object], None]) -> None:
    every = [measured(block) for block in CHOSEN]
    for name in ("logs", "explained", "asked", "found", "exact", "taxed", "orders", "reverted", "effects"):
        total: Counter[str] = sum((getattr(figures, name) for figures in every), Counter())
        record_property(f"calldata, {name}", dict(total))
    logs, explained = (sum(getattr(figures, name).total() for figures in every) for name in ("logs", "explained"))
    everything = sum(figures.all_logs for figures in every)
    record_property("calldata, swap logs of known routers that it foretells", f"{explained} of {logs}")
    record_property("calldata, of all swap logs", f"{explained} of {everything}")
    assert explained >= 0.85 * logs
