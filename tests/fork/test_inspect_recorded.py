"""The MEV of real blocks: what is known to be in them is found, to the wei, and all that is found accounted for."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bot.cli.inspect_source import of_cassette
from bot.inspection.block import ETHER, NOBODY, Block
from bot.inspection.calls import Call, from_geth, from_parity
from bot.inspection.inspect import Find, Inspection, inspect
from bot.inspection.liquidation import Liquidation
from bot.inspection.recorded import from_light
from bot.inspection.swap import Swap
from bot.inspection.swaps import _FUNCTIONS, from_calls, from_logs
from bot.inspection.transfers import flow, net
from bot.paths import repo_root
from bot.simulation.cassette import load
from bot.simulation.proof import replayed
from tests.fork.recorded import BLOCKS, MAINNET, cassette_path, needs_recordings

LIGHT = repo_root().parent / "shared" / "data" / "inspect"
FILES = sorted(path.name.split(".")[0] for path in LIGHT.glob("*.json.gz"))
needs_light = pytest.mark.skipif(not FILES, reason=f"the recorded traces are not at {LIGHT}")
VERIFY = os.environ.get("MEV_VERIFY") == "1"
CHOSEN = BLOCKS if VERIFY else [15050000, 19426586, 24628607]

WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
SAME_BLOCK = "10921990"  # a second file of block 10921991

NO_ARBITRAGE = {
    (22244135, 75): "a vesting contract pays out 290 tokens (log 1), which are sold through LiFi and 1inch: a claim",
}
"""Labelled, and argued to be none: the label counts what an account has more of, whatever it came from."""

OTHER_PROFIT = {
    (15537394, 69): (
        {WETH: 48295547076680853},
        "the label has 1 wei, what stays in the contract: 48295547076680852 wei go on to 0xacf058fc",
    ),
    (19426586, 2): (
        {WETH: 32818528008536064},
        "the label adds 72338158673986374860 of 0x1bfce574, the 5 % that this token keeps of the pool's payment",
    ),
}
"""Labelled with another profit than what the trader really had."""

BEYOND = {
    **dict.fromkeys([(10921991, i) for i in (1, 9, 42, 75, 79)], "two or three pools of one bot, sizes fit"),
    **dict.fromkeys([(12412732, i) for i in (1, 2, 3)], "one bot, 70 to 78 % of the gain paid to the builder directly"),
    (13179291, 4): "WETH USDT USDC WETH, each swap sells what the one before bought",
    (13234998, 4): "two pools of one token, 0.79 mETH left after gas",
    (13302365, 2): "v3 against v2 in USDT, 1.2 mETH left after gas",
    (13302365, 3): "five swaps, two of them Bancor's, sizes fit",
    (13326607, 1): "five swaps paid for by flash swaps, not in the cycle's order; it closes without a remainder",
    (13370850, 6): "three pools, of which one keeps 60519 units of USDC that it did not ask for",
    (13370850, 9): "two pools of one token",
    (13370850, 12): "three pools",
    (13404932, 4): "two pools, the gain goes on to another account",
    (13404932, 5): "the same bot, two other pools",
    (13666312, 0): "three v3 pools, of which one keeps 293881929796 wei of DAI that it did not ask for",
    (13666312, 2): "v3 against the labelled 0x limit order",
    (13666363, 3): "v2 against v3 of one token",
    (24628607, 36): "v3, v3, v4 and back to ether; 18 % of the gain paid to the builder directly",
}
"""Found, and in no label: each looked at, with what speaks for it. Who got the profit is tested for all of them."""

SANDWICHES = {
    (12412732, 194): (195,),
    (13234998, 0): (1,),
    (13370850, 0): (1,),
    (13404932, 0): (1,),
    (17666333, 0): (1, 2),
    (18085863, 4): (5,),
    (19932148, 0): (1,),
}
"""Front to victims. No label has them; each was looked at: one contract's purchase, others', and the sale of it."""

MORE_LIQUIDATIONS = {
    (13179291, 0): "Aave's AMM market",
    (13179291, 80): "Aave v2",
    (13323642, 0): "Compound's DAI market",
    (13370850, 7): "Aave v2",
}
"""Found, and in no label: all are calls of these protocols' own contracts that succeeded."""


@cache
def labels(folder: Path) -> Any:
    return json.loads((folder / "labels.json").read_text(encoding="utf-8"))


@cache
def light(name: str) -> Inspection:
    return inspect(from_light(json.loads(gzip.decompress((LIGHT / f"{name}.json.gz").read_bytes())), WETH))


@cache
def recorded(number: int) -> Inspection:
    return inspect(asyncio.run(of_cassette(load(cassette_path(number)))))


def every_light() -> list[Inspection]:
    return [light(name) for name in FILES if name != SAME_BLOCK]


def of(inspections: list[Inspection], kind: str) -> dict[tuple[int, int], Find]:
    return {
        (one.block.number, find.transactions[0].index): find
        for one in inspections
        for find in one.finds
        if find.kind == kind
    }


# --- labels -----------------------------------------------------------------------------------------------------------


def as_labelled(one: Liquidation) -> dict[str, str]:
    return {
        "liquidated_user": one.borrower,
        "liquidator_user": one.liquidator,
        "debt_token_address": one.debt,
        "debt_purchase_amount": str(one.debt_amount),
        "received_amount": str(one.collateral_amount),
        "received_token_address": one.collateral,
        "protocol": one.protocol,
    }


@needs_light
def test_liquidations_are_as_labelled(record_property: Callable[[str, object], None]) -> None:
    finds = of(every_light(), "liquidation")
    found = [
        (find.transactions[0].hash, as_labelled(one))
        for find in finds.values()
        for one in find.what  # type: ignore[union-attr]
    ]
    wanted = [
        (label["transaction_hash"], {name: label[name] for name in found[0][1]})
        for label in labels(LIGHT)["liquidations"]
    ]
    hit = [label for label in wanted if label in found]
    record_property("liquidations: labelled, found to the wei", f"{len(wanted)}, {len(hit)}")
    record_property("liquidations: found in no label, looked at", len(MORE_LIQUIDATIONS))
    assert len(hit) == len(wanted) == 9
    assert {place for place, find in finds.items() if find.transactions[0].hash not in dict(wanted)} == set(
        MORE_LIQUIDATIONS
    )


@needs_light
def test_orders_of_0x_are_as_labelled() -> None:
    found = {
        (tx.hash, swap.token_in, swap.amount_in, swap.token_out, swap.amount_out)
        for one in every_light()
        for tx in one.block.transactions
        for swap in from_calls(flow(tx, WETH))
        if swap.protocol == "zero_ex"
    }
    fields = ("token_in_address", "token_in_amount", "token_out_address", "token_out_amount")
    for label in labels(LIGHT)["zeroEx"]:
        amounts = [int(label[name]) if name.endswith("amount") else label[name] for name in fields]
        assert (label["transaction_hash"], *amounts) in found


@needs_light
def test_the_block_with_five_arbitrages() -> None:
    """The label's 38 swaps count those of reverted calls: 32 took effect. The sixth arbitrage reverted."""
    (label,) = labels(LIGHT)["arbitrages"]
    one = light(str(label["block"]))
    tried = sum(_calls_of_pools(tx.root) for tx in one.block.transactions if tx.root)
    assert (one.swaps, tried) == (32, label["expected_swaps"])
    finds = of([one], "arbitrage")
    assert len(finds) == label["expected_arbitrages"]
    assert label["reverting"] not in {find.transactions[0].hash for find in finds.values()}


def _calls_of_pools(call: Call) -> int:
    own = call.kind == "call" and call.selector in _FUNCTIONS
    return own + sum(map(_calls_of_pools, call.calls))


@needs_light
def test_the_flow_of_ether_is_as_labelled() -> None:
    for label in labels(LIGHT)["tokenflow"]:
        (find,) = of([light(str(label["block"]))], "arbitrage").values()
        came_in, went_out = map(int, label["ether_flows_in_out"])
        assert find.transactions[0].hash == label["tx"]
        assert find.profit == {WETH: came_in - went_out}


def labelled(block: int) -> dict[int, list[dict[str, int]]]:
    """Profits by transaction, as either list has them."""
    found: dict[int, list[dict[str, int]]] = {}
    for one in labels(MAINNET)[str(block)]["atomicArbCandidates"]:
        profit = {WETH: int(one["ethLikeProfitWei"])} | {t: int(a) for t, a in one["otherTokenProfit"].items()}
        found.setdefault(one["txIndex"], []).append({token: amount for token, amount in profit.items() if amount})
    for one in labels(MAINNET)[str(block)]["poolFlowArbs"]:
        profit = {WETH if token == "WETH" else token: int(amount) for token, amount in one["profit"].items()}
        found.setdefault(one["txIndex"], []).append(profit)
    return found


@needs_recordings
@pytest.mark.parametrize("number", CHOSEN)
def test_arbitrages_are_as_labelled(number: int) -> None:
    finds, wanted = of([recorded(number)], "arbitrage"), labelled(number)
    for index, profits in wanted.items():
        place = number, index
        if place in NO_ARBITRAGE:
            assert place not in finds
            continue
        for profit in profits:
            assert place in finds
            if place in OTHER_PROFIT:
                assert finds[place].profit.items() >= OTHER_PROFIT[place][0].items()
            else:
                assert finds[place].profit == profit
    assert {place for place in finds if place[1] not in wanted} <= BEYOND.keys()


@needs_light
@needs_recordings
@pytest.mark.skipif(not VERIFY, reason="needs all recorded blocks: MEV_VERIFY=1")
def test_precision_and_recall(record_property: Callable[[str, object], None]) -> None:
    """Everything that is found is labelled or argued for, and everything labelled found or argued against."""
    every = [*every_light(), *map(recorded, BLOCKS)]
    finds = of(every, "arbitrage")
    by_label = {(number, index) for number in BLOCKS for index in labelled(number)} - NO_ARBITRAGE.keys()
    counted = {place for place in finds if place[0] == labels(LIGHT)["arbitrages"][0]["block"]}
    flows = {place for place in finds if place[0] in {one["block"] for one in labels(LIGHT)["tokenflow"]}}
    known = by_label | counted | flows
    hit, wrong = known & finds.keys(), finds.keys() - known - BEYOND.keys()
    record_property("arbitrages: labelled, argued against, found", f"{len(known)}, {len(NO_ARBITRAGE)}, {len(hit)}")
    record_property("arbitrages: found in no label, looked at", len(BEYOND))
    record_property(
        "arbitrages: precision with those looked at, recall",
        f"{1 - len(wrong) / len(finds):.3f}, {len(hit) / len(known):.3f}",
    )
    assert hit == known
    assert not wrong
    assert finds.keys() >= BEYOND.keys()
    told = {place: find.what.victims for place, find in of(every, "sandwich").items()}  # type: ignore[union-attr]
    assert told == SANDWICHES


# --- evidence ---------------------------------------------------------------------------------------------------------


def _gone_on(find: Find) -> dict[str, int]:
    """What of the profit signer and contract did not keep, by what moved and not by the swaps; what they gave the
    builder counts as kept."""
    tx = find.transactions[0]
    moved = flow(tx, WETH)
    missing = dict(find.profit)
    for account in {tx.sender, tx.to or ""}:
        for token, amount in net((*moved.transfers, *moved.ether), account).items():
            name = WETH if token == ETHER else token
            missing[name] = missing.get(name, 0) - amount
    missing[WETH] = missing.get(WETH, 0) - (find.paid.direct or 0)
    return {token: amount for token, amount in missing.items() if amount}


def _somebody_got(find: Find, missing: dict[str, int]) -> bool:
    """One account that is no pool and no token has it all."""
    moved = flow(find.transactions[0], WETH)
    pools = {swap.pool for swap in from_logs(moved) or from_calls(moved)} | {WETH, NOBODY}
    ends = {t.to for t in moved.transfers} | {t.to for t in moved.ether}
    owned = (net((*moved.transfers, *moved.ether), account) for account in ends - pools)
    return any(all(one.get(token, 0) >= amount - 1 for token, amount in missing.items()) for one in owned)


def _check_profit(inspections: list[Inspection]) -> tuple[int, int]:
    kept = passed = 0
    for find in of(inspections, "arbitrage").values():
        missing = _gone_on(find)
        kept += not missing
        if missing:
            lost = all(amount == 1 for amount in missing.values())  # a lender's fee of one wei
            assert lost or _somebody_got(find, missing), (find, missing)
            passed += 1
        if find.net is not None:
            assert find.net > 0, "nobody takes what costs more than it brings"
    return kept, passed


@needs_light
def test_somebody_had_every_profit(record_property: Callable[[str, object], None]) -> None:
    """By the accounts' own balances, which the search for arbitrages never looks at."""
    kept, passed = _check_profit(every_light())
    record_property("arbitrages of traces: profit kept by who took it, passed on", f"{kept}, {passed}")
    assert kept >= 20


@needs_recordings
@pytest.mark.parametrize("number", CHOSEN)
def test_somebody_had_every_profit_of_a_recorded_block(number: int) -> None:
    _check_profit([recorded(number)])


# --- two sources ------------------------------------------------------------------------------------------------------


def _shown(swaps: list[Swap]) -> set[tuple[Any, ...]]:
    return {(s.protocol, s.pool, s.token_in, s.amount_in, s.token_out, s.amount_out) for s in swaps}


@needs_recordings
@pytest.mark.parametrize("number", CHOSEN)
def test_calls_tell_the_swaps_that_logs_tell(number: int, record_property: Callable[[str, object], None]) -> None:
    """But for tokens that keep a share, of which calls tell what was asked for, and what only logs tell."""
    same = taxed = 0
    for tx in recorded(number).block.transactions:
        by_logs, by_calls = flow(tx, WETH), flow(replace(tx, logs=None), WETH)
        logged, called = from_logs(by_logs), from_calls(by_calls)
        both = _shown(logged) & _shown(called)
        same += len(both)
        for swap in logged:
            if _shown([swap]) <= both or swap.protocol in ("one_inch", "vault"):
                continue
            tokens = {swap.token_in, swap.token_out} - {WETH}
            moved = [sorted(t.amount for t in each.transfers if t.token in tokens) for each in (by_logs, by_calls)]
            assert moved[0] != moved[1], swap
            taxed += 1
    record_property(f"swaps of {number}: the same by logs and calls, of taxed tokens", f"{same}, {taxed}")
    assert same


@needs_recordings
@pytest.mark.parametrize("number", CHOSEN)
def test_both_tracers_give_one_result(number: int) -> None:
    """A node's debug_traceTransaction and its trace_block, of all transactions that did something."""
    cassette = load(cassette_path(number))

    async def both() -> tuple[Block, dict[int, Call]]:
        async with replayed(cassette) as (rpc, _):
            block = recorded(number).block
            roots = from_parity(await rpc.call("trace_block", hex(number)))
            chosen = [tx for tx in block.transactions if len(tx.logs or ()) > 2]
            for tx in chosen if VERIFY else chosen[:15]:
                roots[tx.index] = from_geth(await rpc.call("debug_traceTransaction", tx.hash, {"tracer": "callTracer"}))
            return block, roots

    block, geth = asyncio.run(both())
    other = replace(block, transactions=tuple(replace(tx, root=geth[tx.index]) for tx in block.transactions))
    one, two = inspect(block), inspect(other)
    assert [(f.kind, f.profit, f.paid) for f in one.finds] == [(f.kind, f.profit, f.paid) for f in two.finds]
    for tx, again in zip(block.transactions, other.transactions, strict=True):
        without = [_shown(from_calls(flow(replace(each, logs=None), WETH))) for each in (tx, again)]
        assert without[0] == without[1]


@needs_recordings
def test_a_cassette_without_logs_or_without_calls_finds_the_same() -> None:
    """As a node without a tracer would show it: the arbitrages are there, payments made directly are not known."""
    block = recorded(24628607).block
    blind = inspect(replace(block, transactions=tuple(replace(tx, root=None) for tx in block.transactions)))
    found, whole = of([blind], "arbitrage"), of([recorded(24628607)], "arbitrage")
    assert found.keys() == whole.keys() - {(24628607, 36)}  # through v4, whose tokens only calls name
    for place, find in found.items():
        assert find.profit == whole[place].profit
        assert find.paid.direct is None and find.net is None and whole[place].net is not None
