"""Trades behind private transactions, of which only a hint is known.

Where the hint tells all (whole logs, or calldata whose swaps can be followed) there is one state to trade on, as
behind a public transaction. Where it keeps the amount back, the states after some sizes are guessed, and each of these
rungs is a bundle of its own. A trade sized for a rung goes through at every size from there up: the pool that was
pushed further only pays more, and what it pays more stays with us or with a pool. Below it, it gains less than the
least it must and reverts, and a bundle that reverts is not mined. So the lowest rung is the smallest size that pays,
which covers all that can be covered; the others are put where they add most to the share that is gained on average.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bot import abi
from bot.amm import v3, v4
from bot.amm.pool import NoLiquidity, UnknownState
from bot.engine.fees import next_base_fee
from bot.engine.types import Event, Header, Hint, Opportunity, Trade
from bot.market.effect import Step, Way, after_swaps, along, ways
from bot.market.market import Market
from bot.market.search import search
from bot.market.view import View
from bot.strategies.backrun import REFINED
from bot.strategies.gas import GasPolicy

MOST = 4
"""Trades on one state that is known, as in ``backrun``; and ways that one of which not all is known may have gone."""
RUNGS = 6
"""Bundles for one way that a swap may have gone."""
LEAST, LARGEST = 1e-5, 0.1
"""Sizes looked at, as shares of the (virtual) reserve of what goes in."""
STEPS = 160
"""Between them, in equal ratios: 6 % each."""
TRIED = 12
"""Sizes from the lowest that pays to the largest, of which the rungs are chosen."""

SWAPS = frozenset(
    (
        abi.topic("Swap(address,uint256,uint256,uint256,uint256,address)"),  # v2's pairs, and Solidly's
        abi.topic("Swap(address,address,uint256,uint256,uint256,uint256)"),  # Velodrome's and Aerodrome's
        *(v3.SWAP, v3.SWAP_PANCAKE, v4.SWAP),
    )
)
_RATIO = (LARGEST / LEAST) ** (1 / STEPS)
_HIDDEN = "a hint keeps back what happened in it"

Guess = tuple[View, list[Trade]]


class HintBackrun:
    """What hints let us trade on; the program's own minimum keeps a wrong guess from being mined."""

    name = "hint"

    def __init__(self, market: Market, gas: GasPolicy) -> None:
        self._market, self._gas = market, gas

    def process(self, event: Event) -> Sequence[Opportunity]:
        """Best first. All are behind the same transaction, so that only one of them will hold."""
        head = self._market.head
        if not isinstance(event, Hint) or head is None:
            return []
        found = [
            Opportunity(
                strategy=self.name,
                trade=trade,
                block_number=head.number + 1,
                behind=event,
                seen_ns=event.seen_ns,
                gas=self._gas.gas(trade.route),
                moved=view.changed,
            )
            for view, trades in self._guesses(event, head)
            for trade in trades
        ]
        unique = {one.id: one for one in found}
        return sorted(unique.values(), key=lambda one: (-one.trade.gross_profit, one.id))

    def _guesses(self, hint: Hint, head: Header) -> Iterator[Guess]:
        """States that there may be, each with what pays on it."""
        known = self._market.after([log for log in hint.logs if log.data])
        hidden = self._hidden(hint, known)
        if hint.logs and not hidden:
            yield known, self._paying(known, head, MOST)
            return
        states, unsaid = [], bool(hidden)
        try:
            states = after_swaps(known, hint.swaps) if hint.swaps else []
        except UnknownState:
            unsaid = True
        states = [state for state in states if hidden.keys() <= state.changes.keys()]
        for state in states:
            yield state, self._paying(state, head, MOST)
        if unsaid and not states:
            base = known.without(hidden, _HIDDEN)
            for way in _ways(known, hint, [slot for slot, swap in hidden.items() if swap]):
                yield from self._ladder(known, base, way, head)

    def _hidden(self, hint: Hint, known: View) -> dict[int, bool]:
        """The slots of pools about which something was kept back, in the order of the logs: True where it was a swap
        and nothing else."""
        hidden: dict[int, bool] = {}
        for log in hint.logs:
            slot = None if log.data else self._market.graph.slot_of(log)
            if slot is not None and slot not in known.changes:
                hidden[slot] = hidden.get(slot, True) and log.topics[0] in SWAPS
        return hidden

    def _ladder(self, known: View, base: View, way: Way, head: Header) -> list[Guess]:
        """The rungs of one way, each with its best trade."""
        top = _first(lambda step: _moved(known, base, way, step) is None) - 1
        tried: dict[int, Guess] = {}

        def pays(step: int) -> bool:
            if step not in tried and (view := _moved(known, base, way, step)) is not None:
                tried[step] = view, self._paying(view, head, 1)
            return step > top or (step in tried and bool(tried[step][1]))

        if top < 0 or not pays(top):
            return []
        lowest = _first(pays)
        steps = sorted({lowest + (top - lowest) * part // (TRIED - 1) for part in range(TRIED)})
        paying = [tried[step] for step in steps if pays(step)]
        return [paying[rung] for rung in rungs([trades[0].gross_profit for _, trades in paying])]

    def _paying(self, view: View, head: Header, most: int) -> list[Trade]:
        base_fee = next_base_fee(head)
        trades = search(view, view.changed, self._gas.least(base_fee), beyond=True, most=most, refined=REFINED)
        return self._gas.paying(trades, base_fee)


def _moved(known: View, base: View, way: Way, step: int) -> View | None:
    """``base`` after size number ``step`` went along the way."""
    try:
        return along(known, way, _size(known, way[0], step), base)
    except (UnknownState, NoLiquidity):
        return None


def _size(view: View, first: Step, step: int) -> int:
    """Raises UnknownState, NoLiquidity."""
    pool = view.at(first.slot)
    if pool is None:
        raise UnknownState(f"{view.graph.ids[first.slot]} is not known")
    reserve = next(pool.segments(first.i, first.j)).x
    return max(1, int(reserve * LEAST * _RATIO**step))


def rungs(profits: Sequence[int]) -> list[int]:
    """Which of the sizes, upwards, to send a bundle for, by the profit of each: the first, then as many as there may be
    that add most to the share of its profit that a size gets on average, which is what the best rung up to it gains.
    Larger swaps gain more and are as much rarer, so that all sizes count the same."""

    def shares(chosen: list[int]) -> float:
        return sum(max(profits[rung] for rung in chosen if rung <= size) / most for size, most in enumerate(profits))

    chosen = [0]
    while len(chosen) < min(RUNGS, len(profits)):
        others = [rung for rung in range(len(profits)) if rung not in chosen]
        chosen.append(max(others, key=lambda rung: shares([*chosen, rung])))
    return sorted(chosen)


def _ways(view: View, hint: Hint, swapped: Sequence[int]) -> list[Way]:
    """Where an unknown amount may have gone: along the path that calldata names; else through the pools that swapped,
    one feeding the next, or each for itself where they cannot be one path."""
    if len(hint.swaps) == 1:
        try:
            named = ways(view, hint.swaps[0])
        except UnknownState:
            named = []
        named = [way for way in named if set(swapped) <= {step.slot for step in way}]
        if named:
            return named[:MOST]
    by_pool = [[Step(slot, *view.graph.ends[leg]) for leg in view.graph.legs(slot)] for slot in swapped]
    paths: list[Way] = [(step,) for step in by_pool[0]] if by_pool else []
    for steps in by_pool[1:]:
        paths = [(*path, step) for path in paths for step in steps if _feeds(view, path[-1], step)]
    return (paths or [(step,) for steps in by_pool for step in steps])[:MOST]


def _feeds(view: View, one: Step, other: Step) -> bool:
    """Whether what comes out of one goes into the other."""
    source, target = view.at(one.slot), view.at(other.slot)
    return source is not None and target is not None and source.tokens[one.j] == target.tokens[other.i]


def _first(holds: Callable[[int], bool]) -> int:
    """The first of the sizes for which it holds, where it holds for all above; the number after the last if none."""
    low, high = 0, STEPS + 1
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
