"""New pairs and pools, and the first liquidity in them: what a head's logs tell, as signals."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass

from bot import abi
from bot.amm.v4 import INITIALIZE as V4_INITIALIZE
from bot.amm.v4 import MODIFY_LIQUIDITY
from bot.engine.types import Event, Log, MinedTx, NewHead, Signal

V2_CREATED = abi.topic("PairCreated(address,address,address,uint256)")
V3_CREATED = abi.topic("PoolCreated(address,address,uint24,int24,address)")
SOLIDLY_CREATED = abi.topic("PoolCreated(address,address,bool,address,uint256)")
CREATED = (V2_CREATED, V3_CREATED, SOLIDLY_CREATED, V4_INITIALIZE)
"""Topics of the logs that tell of a new pool."""
FIRST = frozenset(
    (
        abi.topic("Mint(address,uint256,uint256)"),  # v2, Solidly
        abi.topic("Mint(address,address,int24,int24,uint128,uint256,uint256)"),  # v3
        MODIFY_LIQUIDITY,
    )
)
WAITING = 10_000
"""Pools without liquidity that are remembered, the newest."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A new pool. ``pool`` is its address, of v4 its id; ``fee`` is in millionths, None where the factory decides it,
    of v4 the key's, with ``spacing`` and ``hooks``; ``creator`` sent the transaction ``tx``. ``known``: its factory is
    one of ours."""

    pool: str
    protocol: str
    factory: str
    tokens: tuple[str, str]
    fee: int | None
    block: int
    tx: str = ""
    creator: str = ""
    known: bool = True
    spacing: int = 0
    hooks: str = ""

    def token(self, bases: Sequence[str]) -> str | None:
        """The one that is traded against a base; None where it has no base, or two."""
        others = [token for token in self.tokens if token not in bases]
        return others[0] if len(others) == 1 else None

    def base(self, bases: Sequence[str]) -> str | None:
        """The base that it is traded against."""
        return next((token for token in bases if token in self.tokens), None)


def created(log: Log, block: int, tx: str, creator: str, factories: Collection[str]) -> Launch | None:
    """The pool that a log tells of; None where it tells of none, or is cut short."""
    try:
        topic = log.topics[0]
        if topic not in CREATED:
            return None
        words = [f"0x{one[-40:]}" for one in log.topics[1:]]
        terms = _terms(topic, log, words)
    except (IndexError, ValueError):
        return None
    protocol, pool, tokens, fee, spacing, hooks = terms
    known = log.address in factories
    return Launch(pool, protocol, log.address, tokens, fee, block, tx, creator, known, spacing, hooks)


class Launches:
    """Signals at heads. ``factories`` are ours; ``every`` tells of others' pools too, named as such."""

    name = "launches"

    def __init__(self, factories: Collection[str], bases: Sequence[str], *, every: bool = False) -> None:
        self._factories, self._bases, self._every = frozenset(factories), tuple(bases), every
        self._waiting: OrderedDict[str, Launch] = OrderedDict()

    def process(self, event: Event) -> Sequence[Signal]:
        """New pools, and pools seen before in which liquidity arrives for the first time, in the order of the logs."""
        if not isinstance(event, NewHead):
            return []
        return [signal for tx in event.transactions for signal in self._of(tx, event)]

    def _of(self, tx: MinedTx, event: NewHead) -> Iterator[Signal]:
        number = event.header.number
        for log in tx.logs:
            launch = created(log, number, tx.hash, tx.sender, self._factories)
            if launch is not None and (launch.known or self._every):
                self._waiting[launch.pool] = launch
                self._waiting.move_to_end(launch.pool)
                if len(self._waiting) > WAITING:
                    self._waiting.popitem(last=False)
                yield self._signal(launch, "created", tx.hash, event)
            elif log.topics and log.topics[0] in FIRST:
                at = log.topics[1] if log.topics[0] == MODIFY_LIQUIDITY and len(log.topics) > 1 else log.address
                waiting = self._waiting.get(at)
                if waiting is not None and (at == log.address or waiting.factory == log.address):
                    del self._waiting[at]
                    yield self._signal(waiting, "liquidity", tx.hash, event)

    def _signal(self, launch: Launch, what: str, tx: str, event: NewHead) -> Signal:
        token, number = launch.token(self._bases), event.header.number
        words = {"created": "a new pool", "liquidity": "the first liquidity in a pool"}[what]
        stranger = "" if launch.known else f" of an unknown factory {launch.factory}"
        text = f"{words} of {token or ' and '.join(launch.tokens)}: {launch.protocol} {launch.pool}{stranger}"
        data = {"event": what, "token": token, "base": launch.base(self._bases), **asdict(launch)}
        data["tokens"] = list(launch.tokens)
        return Signal(self.name, token or launch.pool, tx, number, event.seen_ns, None, text, data)


def _terms(topic: str, log: Log, words: list[str]) -> tuple[str, str, tuple[str, str], int | None, int, str]:
    """Protocol, pool, tokens, fee, tick spacing, hooks. Raises IndexError, ValueError."""
    if topic == V2_CREATED:
        return "uniswap-v2", abi.address(log.data), (words[0], words[1]), None, 0, ""
    if topic == V3_CREATED:
        fee, spacing = int(log.topics[3], 16), abi.sint(log.data)
        return "uniswap-v3", abi.address(log.data, 1), (words[0], words[1]), fee, spacing, ""
    if topic == SOLIDLY_CREATED:
        return "solidly", abi.address(log.data), (words[0], words[1]), None, 0, ""
    # id, currency0, currency1; fee, tickSpacing, hooks, sqrtPriceX96, tick
    fee, spacing, hooks = abi.uint(log.data), abi.sint(log.data, 1), abi.address(log.data, 2)
    return "uniswap-v4", log.topics[1], (words[1], words[2]), fee, spacing, hooks
