"""Whales on real bytecode: what is foretold of a pending transaction is what mining it does, to the last digit."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from random import Random
from statistics import fmean

from whale_world import Entry, World, running

from bot import abi
from bot.amm.pool import Pool
from bot.strategies.whale_impact import NATIVE, price
from bot.strategies.whale_record import HORIZON
from bot.strategies.whales import SizeRule

KINDS = ("v2", "v3", "v4", "balancer")
ROUNDS = 120 if os.environ.get("MEV_VERIFY") else 3
BLOCKS = 40 if os.environ.get("MEV_VERIFY") else 8


async def balance(world: World, token: str, who: str) -> int:
    data = abi.to_hex(abi.call("balanceOf(address)", who))
    return int(await world.net.node.rpc.call("eth_call", {"to": token, "data": data}, "latest"), 16)


def price_of(pool: Pool, token_in: str, token_out: str, old: Pool) -> Fraction:
    i, j = pool.tokens.index(token_in), pool.tokens.index(token_out)
    probe = max(1, int(next(old.segments(i, j)).x) // 10_000)
    return price(pool, i, j, probe)


async def test_a_pending_swap_does_what_was_foretold(record_property: Callable[[str, object], None]) -> None:
    dice, compared = Random("whales"), Counter[str]()
    async with running(41) as world:
        for number in range(ROUNDS * len(KINDS)):
            who, kind = dice.randrange(4), KINDS[number % len(KINDS)]
            wallet = world.net.deployment.traders[who]
            world.watch.clear()
            world.watch[wallet] = Entry("whale", "wallet")
            before = await world.pools()
            tx = await world.send(who, *world.random_swap(dice, who, kind))
            told = await world.pending(tx)
            if not told:  # a token ran out
                await world.build()
                receipt = await world.net.node.rpc.call("eth_getTransactionReceipt", tx.hash)
                assert receipt["status"] == "0x0"
                compared["failed"] += 1
                continue
            (signal,) = told
            impacts = signal.data["impacts"]
            assert signal.subject == wallet and not signal.data["unknown"] and impacts
            assert (kind == "v4") != bool(signal.data["intents"])
            held = {token: await balance(world, token, wallet) for one in impacts for token in ends(one)}
            _, found = await world.build()
            after = await world.pools()
            for one in impacts:
                old, new = before[one["pool"]], after[one["pool"]]
                assert Fraction(one["price_before"]) == price_of(old, *ends(one), old)
                assert Fraction(one["price_after"]) == price_of(new, *ends(one), old)
                assert one["bps"] > 0
                compared[one["kind"]] += 1
            moved = {token: await balance(world, token, wallet) - before for token, before in held.items()}
            net = Counter[str]()
            for one in impacts:
                net[one["token_in"]] -= one["amount_in"]
                net[one["token_out"]] += one["amount_out"]
            assert moved == dict(net)
            told = [one for one in found if one.data["what"] == "mined"]
            assert [one.data["impacts"] for one in told] == [impacts]
            assert told[0].confidence is None and "forecast" not in told[0].data, "it was foretold when it was pending"
        record_property("pools moved by pending swaps, 0 differences", dict(compared))
    assert set(compared) - {"failed"} == set(KINDS) and compared["failed"] < ROUNDS


def ends(impact: dict[str, str]) -> tuple[str, str]:
    return impact["token_in"], impact["token_out"]


async def test_in_a_full_block_each_has_the_impact_of_its_place(record_property: Callable[[str, object], None]) -> None:
    """Everybody is watched; nothing was seen pending. The impacts of one block, put in a row, lead each pool from where
    it was to where it is."""
    seen, due = 0, Counter[bool]()
    confidence: dict[str, float] = {}
    squares: list[float] = []
    async with running(42) as world:
        world.watch.update(
            {wallet: Entry(f"trader {n}", "wallet") for n, wallet in enumerate(world.net.deployment.traders)}
        )
        for _ in range(BLOCKS):
            before = await world.pools()
            await world.net.send_flow()
            event, found = await world.build()
            after = await world.pools()
            ends_at: dict[str, tuple[dict[str, str], Fraction]] = {}
            for signal in (one for one in found if one.data["what"] == "mined"):
                assert signal.block_number == event.header.number and not signal.data["unknown"]
                for one in signal.data["impacts"]:
                    start, end = (side(one, Fraction(one[name])) for name in ("price_before", "price_after"))
                    expected = ends_at[one["pool"]][1] if one["pool"] in ends_at else plain(before[one["pool"]])
                    assert start == expected, "it begins where the one before it ended"
                    ends_at[one["pool"]] = one, end
                    seen += 1
            for pool, (_, end) in ends_at.items():
                assert end == plain(after[pool])
            confidence |= {one.data["forecast"]["id"]: one.confidence or 0 for one in found if "forecast" in one.data}
            for told in (one.data["came_true"] for one in found if "came_true" in one.data):
                squares.append((confidence[told["id"]] - told["happened"]) ** 2)
                due[told["happened"]] += 1
        record_property("impacts in full blocks, 0 differences", seen)
        record_property(f"moves of which half was left after {HORIZON} blocks", dict(due))
        share = due[True] / due.total()
        record_property("Brier score of order flow, baseline", f"{fmean(squares):.4f} {share * (1 - share):.4f}")
    assert seen > 3 * BLOCKS and sum(due.values()) > BLOCKS


def plain(pool: Pool) -> Fraction:
    """Of the first token, in the second."""
    return price(pool, 1, 0, 0)


def side(one: dict[str, str], told: Fraction) -> Fraction:
    return told if int(one["token_out"], 16) < int(one["token_in"], 16) else 1 / told


async def test_strangers_count_by_the_size_of_their_trades() -> None:
    dice = Random("strangers")
    async with running(43, size=SizeRule(bps=300)) as world:
        large = small = 0
        for _ in range(4 * ROUNDS):
            tx = await world.send(1, *world.random_swap(dice, 1, "v2"))
            found = await world.pending(tx)
            world.whales._size = SizeRule(bps=0)
            (every,) = await world.pending(tx) or found
            world.whales._size = SizeRule(bps=300)
            moved = max(one["bps"] for one in every.data["impacts"])
            assert bool(found) == (moved >= 300)
            large, small = large + bool(found), small + (not found)
            await world.build()
        assert large and small
        weth = world.net.deployment.weth
        world.whales._size = SizeRule(worth={weth: 10**18})
        pool = next(pool for pool in world.market.pools().values() if pool.kind == "v2" and weth in pool.tokens)
        other = next(token for token in pool.tokens if token != weth)
        for amount, counts in ((10**18 - 1, False), (10**18, True)):
            tx = await world.send(1, *world.swap(1, [pool], [weth, other], amount))
            assert bool(await world.pending(tx)) == counts
            await world.build()


async def test_transfers_to_and_from_exchanges() -> None:
    async with running(44) as world:
        wallet, deposit, hot = world.net.deployment.traders[:3]
        token = world.net.deployment.token("USDC").address
        world.watch.update(
            {wallet: Entry("whale", "wallet"), deposit: Entry("X", "deposit"), hot: Entry("X", "exchange")}
        )
        send = abi.call("transfer(address,uint256)", deposit, 5 * 10**9)
        tx = await world.send(0, token, send)
        (signal,) = await world.pending(tx)
        inward = {
            "token": token,
            "amount": 5 * 10**9,
            "wallet": wallet,
            "exchange": deposit,
            "label": "X",
            "direction": "to",
        }
        assert signal.data["transfers"] == [inward] and signal.confidence is None
        assert "5000 USDC to X" in signal.text
        _, found = await world.build()
        assert [one.data["transfers"] for one in found if one.tx == tx.hash] == [[inward]]
        await world.send(2, token, abi.call("transfer(address,uint256)", wallet, 7))
        ether = await world.send(0, deposit, b"", value=10**18)
        (told_ether,) = await world.pending(ether)
        assert told_ether.data["transfers"][0]["token"] == NATIVE and "1 ETH to X" in told_ether.text
        tx = await world.send(1, token, abi.call("approve(address,uint256)", wallet, 1))
        assert not await world.pending(tx)
        _, found = await world.build()
        others = [flow for one in found for flow in one.data["transfers"]]
        assert sorted((flow["direction"], flow["amount"], flow["token"][:4]) for flow in others) == [
            ("from", 7, token[:4]),
            ("to", 10**18, "0x00"),
        ]
