"""What a mined block's MEV is: cycles, reverted calls, sandwiches, payments; traces in two forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot import abi
from bot.engine.types import Log
from bot.inspection.arbitrage import DUST, arbitrages
from bot.inspection.block import ETHER, Block, Payments, Tx, payments
from bot.inspection.calls import Call, from_geth, from_parity, live
from bot.inspection.inspect import inspect
from bot.inspection.lenders import maker
from bot.inspection.liquidations import liquidations
from bot.inspection.prices import Prices
from bot.inspection.protocols.uniswap_v2 import SWAP
from bot.inspection.sandwich import Traded, sandwiches
from bot.inspection.swap import Swap, gains
from bot.inspection.swaps import swaps
from bot.inspection.transfers import TRANSFER, flow

WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
BUILDER, BOT, OWNER, USER = ("0x" + f"{n:040x}" for n in (0xB1, 0xB2, 0xB3, 0xB4))
TOKENS = [WETH, *("0x" + f"{n:040x}" for n in range(0xA1, 0xA6))]

amounts = st.integers(10**9, 10**24)


def swap(pool: int, token_in: str, paid: int, token_out: str, got: int, taker: str = BOT, at: int = 0) -> Swap:
    return Swap("uniswap_v2", f"0x{pool:040x}", taker, token_in, paid, token_out, got, at)


def ring(sizes: Sequence[int], gain: int, taker: str = BOT, first_pool: int = 1) -> list[Swap]:
    """Swaps from token to token and back to the first, of which ``gain`` more comes out than went in."""
    paid = [*sizes, sizes[0] + gain]
    tokens = [*TOKENS[: len(sizes)], TOKENS[0]]
    return [
        swap(first_pool + i, tokens[i], paid[i], tokens[i + 1], paid[i + 1], taker, at=first_pool + i)
        for i in range(len(sizes))
    ]


def split(swaps_: Sequence[Swap], which: int, share: int) -> list[Swap]:
    """The same with one swap made in two pools."""
    whole = swaps_[which % len(swaps_)]
    parts = whole.amount_in * share // 100, whole.amount_out * share // 100
    one = replace(whole, amount_in=parts[0], amount_out=parts[1])
    other = replace(
        whole,
        pool=whole.pool[:-2] + "ff",
        amount_in=whole.amount_in - parts[0],
        amount_out=whole.amount_out - parts[1],
        at=whole.at + 100,
    )
    return [one, other, *(s for s in swaps_ if s is not whole)]


# --- cycles ----------------------------------------------------------------------------------------------------------


@given(
    st.lists(amounts, min_size=2, max_size=5), st.integers(1, 50), st.integers(0, 9), st.integers(10, 90), st.randoms()
)
def test_a_closed_cycle_that_gains_is_one_however_it_is_routed(
    sizes: list[int], percent: int, which: int, share: int, random: Any
) -> None:
    gain = sizes[0] * percent // 100
    for made in (ring(sizes, gain), split(ring(sizes, gain), which, share)):
        random.shuffle(made)
        (found,) = arbitrages(made, WETH)
        assert found.profit == {TOKENS[0]: gain}
        assert set(found.swaps) == set(made)


@given(st.lists(amounts, min_size=2, max_size=5), st.integers(1, 50), st.integers(0, 9), st.integers(10, 90))
def test_a_cycle_that_loses_is_none(sizes: list[int], percent: int, which: int, share: int) -> None:
    loss = max(1, sizes[0] * percent // 100)
    assert not arbitrages(split(ring(sizes, -loss), which, share), WETH)


@given(st.lists(amounts, min_size=2, max_size=5), st.integers(1, 50), st.integers(1, 4))
def test_who_swaps_one_token_for_another_is_no_arbitrageur(sizes: list[int], percent: int, cut: int) -> None:
    """An open path, over as many pools as one likes, and with what a router keeps of it."""
    path = ring(sizes, sizes[0] * percent // 100)[:-1] or ring(sizes, 0)[:1]
    assert not arbitrages(path, WETH)
    kept = [replace(s, amount_out=s.amount_out + s.amount_out // (100 * cut)) for s in path]
    assert not arbitrages(kept, WETH)


@given(st.lists(amounts, min_size=2, max_size=4), amounts, amounts)
def test_an_arbitrage_behind_a_user_in_the_same_transaction(sizes: list[int], paid: int, got: int) -> None:
    made = ring(sizes, sizes[0] // 10)
    users = swap(77, TOKENS[4], paid, TOKENS[5], got, taker=USER, at=50)
    (found,) = arbitrages([users, *made], WETH)
    assert set(found.swaps) == set(made)
    (found,) = arbitrages([replace(users, taker=BOT), *made], WETH)  # one caller: by the exact amounts
    assert set(found.swaps) == set(made)
    if len(sizes) == 2:  # what does not fit exactly may be somebody else's
        made[1] = replace(made[1], amount_in=made[1].amount_in - made[1].amount_in // 10)
        assert not arbitrages([replace(users, taker=BOT), *made], WETH)


def test_rounding_is_no_loss_and_no_gain() -> None:
    one = ring([10**18, 10**12], 0)
    assert not arbitrages([one[0], replace(one[1], amount_out=10**18 + 1)], WETH)
    bought_more = [one[0], replace(one[1], amount_in=10**12 + 10**12 // DUST, amount_out=2 * 10**18)]
    (found,) = arbitrages(bought_more, WETH)
    assert found.profit == {WETH: 10**18, TOKENS[1]: -(10**12) // DUST}
    assert not arbitrages([one[0], replace(one[1], amount_in=10**12 + 10**12 // DUST + 2, amount_out=2 * 10**18)], WETH)


def test_one_pool_there_and_back_is_none() -> None:
    there, back = ring([10**18, 10**12], 10**17)
    assert not arbitrages([there, replace(back, pool=there.pool)], WETH)


def test_ether_and_the_token_that_holds_it_are_one() -> None:
    made = ring([10**18, 10**12], 10**17)
    made[1] = replace(made[1], token_out=ETHER)
    assert arbitrages(made, WETH)[0].profit == {WETH: 10**17} == gains(made, WETH)


# --- calls -----------------------------------------------------------------------------------------------------------


def word(value: int | str) -> bytes:
    return abi.encode(value)


def call(to: str, data: bytes = b"", *inner: Call, sender: str = BOT, value: int = 0, output: bytes = b"") -> Call:
    return Call("call", sender, to, value, data, output, True, inner)


def transfer(token: str, sender: str, to: str, amount: int) -> Call:
    return call(token, abi.call("transfer(address,uint256)", to, amount), sender=sender, output=word(1))


def pair_swap(pair: str, token_in: str, paid: int, token_out: str, got: int) -> tuple[Call, Call]:
    """The transfer to a v2 pair and its swap."""
    outs = (0, got) if int(token_in, 16) < int(token_out, 16) else (got, 0)
    data = abi.selector("swap(uint256,uint256,address,bytes)") + b"".join(map(word, (outs[0], outs[1], BOT, 128, 0)))
    return transfer(token_in, BOT, pair, paid), call(pair, data, transfer(token_out, pair, BOT, got))


def cycle_call(gain: int, tip: int = 0) -> Call:
    pairs = ["0x" + f"{n:040x}" for n in (0xC1, 0xC2)]
    there = pair_swap(pairs[0], WETH, 10**18, TOKENS[1], 5 * 10**20)
    back = pair_swap(pairs[1], TOKENS[1], 5 * 10**20, WETH, 10**18 + gain)
    tips = [call(BUILDER, sender=BOT, value=tip)] if tip else []
    return call(BOT, b"\1\2\3\4", *there, *back, *tips, sender=OWNER)


def block_of(*roots: Call, base_fee: int = 10**9) -> Block:
    txs = tuple(
        Tx(i, f"0x{i:064x}", root.sender, root.to, 200_000, base_fee + 10**8, root) for i, root in enumerate(roots)
    )
    return Block(1, BUILDER, base_fee, txs, "made", WETH)


@given(st.integers(10**15, 10**18), st.integers(0, 10**15))
def test_profit_and_what_was_paid_of_it(gain: int, tip: int) -> None:
    (found,) = inspect(block_of(cycle_call(gain, tip))).finds
    assert (found.kind, found.profit, found.worth) == ("arbitrage", {WETH: gain}, gain)
    assert found.paid == Payments(priority=200_000 * 10**8, direct=tip, burnt=200_000 * 10**9)
    assert found.net == gain - tip - 200_000 * (10**8 + 10**9)


calls_anywhere = st.recursive(
    st.just(cycle_call(10**17, 10**15)),
    lambda inner: st.lists(inner, max_size=3).map(lambda many: call(USER, b"\5\6\7\x08", *many, sender=OWNER)),
    max_leaves=4,
)


@given(calls_anywhere, calls_anywhere)
def test_what_was_reverted_did_not_happen(lived: Call, reverted: Call) -> None:
    failed = replace(reverted, ok=False)
    with_it = call(BOT, b"\1\2\3\4", lived, failed, sender=OWNER)
    without = call(BOT, b"\1\2\3\4", lived, sender=OWNER)
    one, other = (inspect(block_of(root)) for root in (with_it, without))
    assert (one.finds and one.finds[0].profit) == (other.finds and other.finds[0].profit)
    assert one.swaps == other.swaps
    assert not inspect(block_of(failed)).finds
    moved = [flow(block_of(root).transactions[0], WETH).transfers for root in (with_it, without)]
    assert moved[0] == moved[1]


def test_a_fee_that_the_recording_does_not_know_is_not_nothing() -> None:
    made = block_of(cycle_call(10**17))
    tx = replace(made.transactions[0], gas_used=None)
    assert payments(tx, made) == Payments(None, 0, None)
    assert inspect(replace(made, transactions=(tx,))).finds[0].net is None
    assert payments(replace(tx, root=None, gas_used=21_000), made).direct is None


def test_a_token_that_says_no_moved_nothing() -> None:
    refused = replace(transfer(TOKENS[1], BOT, USER, 5), output=word(0))
    assert not flow(block_of(call(BOT, b"", refused)).transactions[0], WETH).transfers


def test_a_collectible_is_no_token() -> None:
    topics = (TRANSFER, *("0x" + word(a).hex() for a in (BOT, USER, 7)))
    tx = replace(block_of(cycle_call(1)).transactions[0], logs=(Log(TOKENS[1], topics, b""),))
    assert not flow(tx, WETH).transfers
    assert not flow(replace(tx, logs=(Log(TOKENS[1], topics, word(1)),)), WETH).transfers


def test_junk_that_looks_like_a_swap_is_passed_over() -> None:
    selector = abi.selector("swap(address,bool,int256,uint160,bytes)")
    for output in (b"", b"\1" * 31, word(5) + word(-5)):
        root = call(BOT, b"", call(TOKENS[2], selector, output=output))
        assert not swaps(flow(block_of(root).transactions[0], WETH))


# --- logs -------------------------------------------------------------------------------------------------------------


def logged(*logs: Log, root: Call | None = None) -> Tx:
    return Tx(0, "0x" + "00" * 32, OWNER, BOT, 200_000, 10**9, root, logs)


def topic_of(value: str | int) -> str:
    return "0x" + word(value).hex()


def moved(token: str, sender: str, to: str, amount: int) -> Log:
    return Log(token, (TRANSFER, topic_of(sender), topic_of(to)), word(amount))


def data(*values: str | int) -> bytes:
    return b"".join(map(word, values))


MARKET, DEBT, COLLATERAL = TOKENS[3], TOKENS[1], TOKENS[2]
AAVE = "0xe413a321e8681d831f4dbccbca790d2952b56f977908e45be37335533e005286"
COMPOUND = "0x298637f684da70674f26509b10f07ec2fbc77a335ab1e7d6215a4b2484d8bb52"
MORPHO = "0xa4946ede45d0c6f06a0f5ce92c9ad3b4751452d2fe0e25010783bcab57a67e41"
"""As they are on mainnet."""


@given(st.integers(1, 2**200), st.integers(1, 2**200))
def test_liquidations_by_their_logs(repaid: int, seized: int) -> None:
    paid, got = moved(DEBT, BOT, MARKET, repaid), moved(COLLATERAL, MARKET, BOT, seized)
    expected = {
        "aave": Log(MARKET, (AAVE, *map(topic_of, (COLLATERAL, DEBT, USER))), data(repaid, seized, BOT, 0)),
        "compound_v2": Log(MARKET, (COMPOUND,), data(BOT, USER, repaid, COLLATERAL, seized)),
        "morpho": Log(MARKET, (MORPHO, topic_of(5), *map(topic_of, (BOT, USER))), data(repaid, 1, seized, 0, 0)),
    }
    for protocol, log in expected.items():
        (found,) = liquidations(flow(logged(paid, got, log), WETH))
        assert (found.protocol, found.liquidator, found.borrower) == (protocol, BOT, USER)
        assert (found.debt, found.debt_amount) == (DEBT, repaid)
        assert (found.collateral, found.collateral_amount) == (COLLATERAL, seized)


MAKER_TAKE = "0x05e309fd6ce72f2ab888a20056bb4210df08daed86f21f95053deb19964d86b1"
COMET_BOUGHT = "0xf891b2a411b0e66a5f0a6ff1368670fefa287a13f541eb633a386a1a9cc7046b"


@given(st.integers(1, 10**27), st.integers(10**20, 10**32))
def test_collateral_that_maker_and_compound_v3_sell(bought: int, price: int) -> None:
    taken = Log(MARKET, (MAKER_TAKE, topic_of(1), topic_of(USER)), data(price, price, bought * price, 0, 0))
    (found,) = liquidations(flow(logged(taken, moved(COLLATERAL, MARKET, BOT, bought)), WETH))
    assert (found.debt, found.debt_amount) == (maker.DAI, bought * price // 10**27)
    assert (found.collateral, found.collateral_amount, found.borrower) == (COLLATERAL, bought, USER)
    assert not liquidations(flow(logged(taken, moved(COLLATERAL, MARKET, BOT, bought + 1)), WETH))
    sale = Log(MARKET, (COMET_BOUGHT, topic_of(BOT), topic_of(COLLATERAL)), data(price, bought))
    (one,) = swaps(flow(logged(moved(DEBT, BOT, MARKET, price), sale), WETH))
    assert (one.token_in, one.amount_in, one.token_out, one.amount_out) == (DEBT, price, COLLATERAL, bought)


def test_a_debt_whose_token_nothing_tells_is_left_out() -> None:
    log = Log(MARKET, (COMPOUND,), data(BOT, USER, 100, COLLATERAL, 7))
    assert liquidations(flow(logged(log), WETH))[0].debt == ETHER
    assert not liquidations(flow(logged(moved(DEBT, BOT, MARKET, 99), log), WETH))
    unknown = Log(MARKET, (MORPHO, topic_of(5), topic_of(BOT), topic_of(USER)), data(100, 1, 7, 0, 0))
    assert not liquidations(flow(logged(unknown), WETH))


@given(st.integers(10**6, 10**24), st.integers(1, 40))
def test_what_a_token_keeps_is_nobodys_profit(size: int, percent: int) -> None:
    """A pair pays and is paid in a token that keeps a share each time: the trader loses both."""
    token, kept = TOKENS[1], size * percent // 100
    arrived = size - kept
    sold = arrived - arrived * percent // 100
    pairs = ["0x" + f"{n:040x}" for n in (0xC1, 0xC2)]
    selector = abi.selector("swap(uint256,uint256,address,bytes)")

    def swap_log(pair: str, *values: int) -> Log:
        return Log(pair, (SWAP, topic_of(BOT), topic_of(BOT)), data(*values))

    token_first = int(token, 16) < int(WETH, 16)
    buys = (0, 10**18, size, 0) if token_first else (10**18, 0, 0, size)
    sells = (sold, 0, 0, 2 * 10**18) if token_first else (0, sold, 2 * 10**18, 0)
    logs = (
        moved(WETH, BOT, pairs[0], 10**18),
        moved(token, pairs[0], token, kept),
        moved(token, pairs[0], BOT, arrived),
        swap_log(pairs[0], *buys),
        moved(token, BOT, token, arrived - sold),
        moved(token, BOT, pairs[1], sold),
        moved(WETH, pairs[1], BOT, 2 * 10**18),
        swap_log(pairs[1], *sells),
    )
    root = call(
        BOT,
        b"",
        transfer(WETH, BOT, pairs[0], 10**18),
        call(pairs[0], selector, transfer(token, pairs[0], BOT, size)),
        transfer(token, BOT, pairs[1], arrived),
        call(pairs[1], selector, transfer(WETH, pairs[1], BOT, 2 * 10**18)),
        sender=OWNER,
    )
    made = flow(logged(*logs, root=root), WETH)
    (found,) = arbitrages(swaps(made), WETH)
    assert found.profit == {WETH: 10**18}
    assert made.keep_a_share() == {token}


# --- two forms -------------------------------------------------------------------------------------------------------


def as_geth(made: Call) -> dict[str, Any]:
    form: dict[str, Any] = {
        "type": made.kind.upper(),
        "from": made.sender,
        "to": made.to,
        "value": hex(made.value),
        "input": abi.to_hex(made.input),
        "output": abi.to_hex(made.output),
        "calls": [as_geth(inner) for inner in made.calls],
    }
    return form if made.ok else form | {"error": "execution reverted"}


def as_parity(made: Call, place: tuple[int, ...] = (), *, snake: bool = False) -> list[dict[str, Any]]:
    action = {"from": made.sender, "to": made.to, "callType": made.kind, "value": hex(made.value)}
    names = ("trace_address", "transaction_position") if snake else ("traceAddress", "transactionPosition")
    own: dict[str, Any] = {
        "type": "call",
        "action": action | {"input": abi.to_hex(made.input)},
        "result": {"output": abi.to_hex(made.output)},
        names[0]: list(place),
        names[1]: 0,
    }
    if not made.ok:
        own |= {"error": "Reverted"}
    below = [trace for i, inner in enumerate(made.calls) for trace in as_parity(inner, (*place, i), snake=snake)]
    return [own, *below]


@given(calls_anywhere, calls_anywhere, st.booleans())
def test_both_forms_are_one(one: Call, other: Call, snake: bool) -> None:
    root = call(BOT, b"\1\2\3\4", one, replace(other, ok=False), sender=OWNER)
    assert from_geth(as_geth(root)) == root
    assert from_parity(as_parity(root, snake=snake)) == {0: root}
    assert len(live(root)) == len(live(replace(root, calls=(one,))))


# --- sandwiches and prices --------------------------------------------------------------------------------------------


def traded(index: int, sender: str, to: str, *made: Swap) -> Traded:
    return Traded(Tx(index, f"0x{index:064x}", sender, to, 100_000, 1), made)


@given(amounts, amounts, st.integers(1, 30), st.booleans())
def test_a_purchase_before_and_the_sale_behind(paid: int, got: int, percent: int, one_signer: bool) -> None:
    token, earned = TOKENS[1], paid * percent // 100 + 1
    front = traded(0, OWNER, BOT, swap(1, WETH, paid, token, got))
    victim = traded(1, USER, TOKENS[5], swap(1, WETH, paid, token, got, USER))
    back = traded(2, OWNER if one_signer else TOKENS[4], BOT, swap(1, token, got, WETH, paid + earned))
    (found,) = sandwiches([front, victim, back], WETH)
    assert (found.front, found.back, found.victims, found.profit) == (0, 2, (1,), {WETH: earned})
    assert not sandwiches([front, back], WETH)
    other_way = replace(victim, swaps=(swap(1, token, got, WETH, paid, USER),))
    assert not sandwiches([front, other_way, back], WETH)
    own = replace(victim, tx=replace(victim.tx, sender=OWNER, to=BOT))
    assert not sandwiches([front, own, back], WETH)
    at_a_loss = replace(back, swaps=(swap(1, token, got, WETH, paid),))
    assert not sandwiches([front, victim, at_a_loss], WETH)
    keeps_some = replace(back, swaps=(swap(1, token, got - got // 20, WETH, paid),))
    assert not sandwiches([front, victim, keeps_some], WETH)


def test_a_router_that_all_use_is_no_actor() -> None:
    """Two users of one router, and a third between them who uses it too."""
    router, token = TOKENS[5], TOKENS[1]
    front = traded(0, OWNER, router, swap(1, WETH, 100, token, 100, router))
    middle = traded(1, USER, router, swap(1, WETH, 100, token, 90, router))
    back = traded(2, TOKENS[4], router, swap(1, token, 100, WETH, 120, router))
    assert not sandwiches([front, middle, back], WETH)


def test_prices_are_what_the_block_paid() -> None:
    made = [swap(1, WETH, 10**18, TOKENS[1], 2 * 10**9), swap(2, TOKENS[1], 10**9, TOKENS[2], 10**6)]
    prices = Prices(made, WETH)
    assert prices.ether({WETH: 5, TOKENS[1]: 10**9}) == 5 + 5 * 10**17
    assert prices.ether({TOKENS[2]: 10**6}) == 5 * 10**17  # by way of the other token
    assert prices.ether({TOKENS[3]: 1}) is None
    assert prices.ether({}) == 0
