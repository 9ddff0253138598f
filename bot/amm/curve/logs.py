"""What logs and changes of storage make of a StableState."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from bot import abi
from bot.amm.curve import liquidity as curve_liquidity
from bot.amm.curve.generations import GENERATIONS
from bot.amm.curve.invariant import FEE_UNIT
from bot.amm.curve.state import StableState
from bot.amm.pool import NoLiquidity, UnknownState
from bot.engine.types import Log

_MOST_COINS = 8


def after(state: StableState, log: Log) -> StableState:
    """The state after a log. Raises UnknownState."""
    follow = _EVENTS.get(log.topics[0])
    if follow is not None:
        return follow(state, log)
    if log.topics[0] in _WITHOUT_EFFECT:
        return state
    raise UnknownState(f"nobody knows what a log with topic {log.topics[0]} moved")


def stored(state: StableState, slots: Mapping[int, int]) -> StableState:
    """The state after slots of the pool's contract changed. Raises UnknownState."""
    storage, coins = GENERATIONS[state.generation].storage, range(len(state.balances))
    if storage is None and slots:
        raise UnknownState("where such a pool keeps its state is not known")
    if storage is None or not storage.words(len(coins)) & slots.keys():
        return state
    admin = state.admin
    if storage.admin is not None:
        admin = tuple(slots.get(storage.admin + k, admin[k]) for k in coins)
    before = state.admin or (0,) * len(coins)
    kept = admin or before
    balances = tuple(slots.get(storage.balances + k, state.balances[k] + before[k]) - kept[k] for k in coins)
    moved = replace(
        state,
        balances=balances,
        admin=admin,
        fee=slots.get(storage.fee, state.fee),
        admin_fee=state.admin_fee if storage.admin_fee is None else slots.get(storage.admin_fee, state.admin_fee),
        offpeg=state.offpeg if storage.offpeg is None else slots.get(storage.offpeg, state.offpeg),
        killed=state.killed if storage.killed is None else bool(slots.get(storage.killed, state.killed)),
    )
    words = [slots.get(storage.ramp + k) for k in range(4)]
    return moved if words == [None] * 4 else _ramp_in_storage(moved, words)


def _ramp_in_storage(state: StableState, words: list[int | None]) -> StableState:
    """ramp_A and stop_ramp_A both make the A of their block ``initial_A``, and its time ``initial_A_time``; a word that
    is not among the changes has its old value."""
    known: tuple[int | None, ...] = state.ramp or (state.amp, state.amp, None, None)
    initial, future, start, end = (new if new is not None else old for new, old in zip(words, known, strict=True))
    if start is None or end is None or initial is None or future is None:
        raise UnknownState("the times of the ramp of A were never read")
    return _ramping(state, initial, future, start, end)


def _ramping(state: StableState, initial: int, future: int, start: int, end: int) -> StableState:
    """As of the block that began or ended the ramp."""
    ramp = (initial, future, start, end) if end > start and initial != future else None
    return replace(state, amp=initial, ramp=ramp)


def _exchanged(state: StableState, log: Log) -> StableState:
    i, sold, j, bought = (abi.uint(log.data, index) for index in range(4))
    if not (i < len(state.balances) and j < len(state.balances)):
        raise UnknownState("the pool exchanged coins that it has not")
    try:
        out, share = state.exchange(i, j, sold)
    except NoLiquidity as error:
        raise UnknownState(f"the pool exchanged what it could not: {error}") from None
    if out != bought:
        raise UnknownState(f"the pool gave {bought} for {sold}, and should have given {out}")
    moved = [0] * len(state.balances)
    moved[i], moved[j] = sold, -out
    return _moved(state, moved, {j: share})


def _added(state: StableState, log: Log) -> StableState:
    amounts, fees = _arrays(state, log)
    return _moved(state, amounts, _shares(state, fees))


def _removed_imbalanced(state: StableState, log: Log) -> StableState:
    amounts, fees = _arrays(state, log)
    return _moved(state, [-amount for amount in amounts], _shares(state, fees))


def _removed(state: StableState, log: Log) -> StableState:
    """No fee is charged. NG then pays out the admin's share, which moves no quote."""
    amounts, _ = _arrays(state, log)
    return _moved(state, [-amount for amount in amounts], {})


def _removed_one_of(state: StableState, log: Log) -> StableState:
    """NG: coin, LP tokens burnt, amount, LP tokens left."""
    coin, burnt, amount, left = (abi.uint(log.data, index) for index in range(4))
    return _withdrawn(state, (coin,), burnt, amount, left)


def _removed_one(state: StableState, log: Log) -> StableState:
    """LP tokens burnt, amount, LP tokens left: which coin it was shows by the amount."""
    burnt, amount, left = (abi.uint(log.data, index) for index in range(3))
    return _withdrawn(state, range(len(state.balances)), burnt, amount, left)


def _withdrawn(state: StableState, coins: range | tuple[int, ...], burnt: int, amount: int, left: int) -> StableState:
    possible = []
    for coin in coins:
        try:
            got, share = curve_liquidity.withdraw_one(state, coin, burnt, burnt + left)
        except NoLiquidity:
            continue
        if got == amount:
            possible.append((coin, share))
    if len(possible) != 1:
        raise UnknownState("which coin was withdrawn does not show")
    coin, share = possible[0]
    return _moved(state, [-amount if k == coin else 0 for k in range(len(state.balances))], {coin: share})


def _removed_one_untold(state: StableState, log: Log) -> StableState:
    raise UnknownState("the log does not tell which coin was withdrawn")


def _underlying(state: StableState, log: Log) -> StableState:
    raise UnknownState("the log does not tell how many LP tokens of the base pool moved")


def _new_fee(state: StableState, log: Log) -> StableState:
    return replace(state, fee=abi.uint(log.data), admin_fee=abi.uint(log.data, 1))


def _fee_applied(state: StableState, log: Log) -> StableState:
    return replace(state, fee=abi.uint(log.data))


def _fees_applied(state: StableState, log: Log) -> StableState:
    return replace(state, fee=abi.uint(log.data), offpeg=abi.uint(log.data, 1))


def _ramp(state: StableState, log: Log) -> StableState:
    initial, future, start, end = (abi.uint(log.data, index) for index in range(4))
    return _ramping(state, initial, future, start, end)


def _ramp_stopped(state: StableState, log: Log) -> StableState:
    return replace(state, amp=abi.uint(log.data), ramp=None)


def _moved(state: StableState, amounts: list[int], shares: dict[int, int]) -> StableState:
    """Amounts that came in, and what of the balances went to the admin."""
    balances = tuple(
        held + amount - shares.get(k, 0) for k, (held, amount) in enumerate(zip(state.balances, amounts, strict=True))
    )
    admin = tuple(kept + shares.get(k, 0) for k, kept in enumerate(state.admin))
    return replace(state, balances=balances, admin=admin)


def _shares(state: StableState, fees: list[int]) -> dict[int, int]:
    return {k: fee * state.admin_fee // FEE_UNIT for k, fee in enumerate(fees)}


def _arrays(state: StableState, log: Log) -> tuple[list[int], list[int]]:
    """token_amounts and fees; no fees where the first deposit's are left out. Raises UnknownState."""
    n = len(state.balances)
    if not GENERATIONS[state.generation].ng:
        return [abi.uint(log.data, k) for k in range(n)], [abi.uint(log.data, n + k) for k in range(n)]
    found = []
    for index in range(2):
        start = abi.uint(log.data, index) // abi.WORD
        found.append([abi.uint(log.data, start + 1 + k) for k in range(abi.uint(log.data, start))])
    amounts, fees = found
    if len(amounts) != n or len(fees) not in (0, n):
        raise UnknownState(f"the pool logged {len(amounts)} amounts of {n} coins")
    return amounts, fees


_Follow = Callable[[StableState, Log], StableState]
_ARRAYS = ["uint256[]", *(f"uint256[{n}]" for n in range(2, _MOST_COINS + 1))]
_EVENTS: dict[str, _Follow] = {
    **{
        abi.topic(name.format(array)): follow
        for array in _ARRAYS
        for name, follow in (
            ("AddLiquidity(address,{0},{0},uint256,uint256)", _added),
            ("RemoveLiquidity(address,{0},{0},uint256)", _removed),
            ("RemoveLiquidityImbalance(address,{0},{0},uint256,uint256)", _removed_imbalanced),
        )
    },
    abi.topic("TokenExchange(address,int128,uint256,int128,uint256)"): _exchanged,
    abi.topic("TokenExchangeUnderlying(address,int128,uint256,int128,uint256)"): _underlying,
    abi.topic("RemoveLiquidityOne(address,int128,uint256,uint256,uint256)"): _removed_one_of,
    abi.topic("RemoveLiquidityOne(address,uint256,uint256,uint256)"): _removed_one,
    abi.topic("RemoveLiquidityOne(address,uint256,uint256)"): _removed_one_untold,
    abi.topic("NewFee(uint256,uint256)"): _new_fee,
    abi.topic("ApplyNewFee(uint256)"): _fee_applied,
    abi.topic("ApplyNewFee(uint256,uint256)"): _fees_applied,
    abi.topic("RampA(uint256,uint256,uint256,uint256)"): _ramp,
    abi.topic("StopRampA(uint256,uint256)"): _ramp_stopped,
}
_WITHOUT_EFFECT = frozenset(
    abi.topic(name)
    for name in (
        "Transfer(address,address,uint256)",
        "Approval(address,address,uint256)",
        "CommitNewAdmin(uint256,address)",
        "NewAdmin(address)",
        "CommitNewFee(uint256)",
        "CommitNewFee(uint256,uint256,uint256)",
        "SetNewMATime(uint256,uint256)",
    )
)
