"""What a v2 pair charges. It does not say so itself: the fee is a constant in its code.

Known by the factory, by the code, or by what its swaps paid. Fees are in millionths of the input.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot import abi
from bot.amm.pool import NoLiquidity
from bot.amm.v2 import SYNC, V2Pool
from bot.amm.v3 import FEE_UNIT
from bot.engine.types import Log

SWAP = abi.topic("Swap(address,uint256,uint256,uint256,uint256,address)")

ASSUMED = 3_000
"""What most forks left as it was."""

FACTORY_FEES = {
    "0x5c69bee701ef814a2b6a3edd4b1652cb9cc5aa6f": 3_000,  # Uniswap v2
    "0xc0aee478e3658e2610c5f7a4a2e1777ce9e4f2ac": 3_000,  # SushiSwap
    "0x115934131916c8b277dd010ee02de363c09d037c": 3_000,  # ShibaSwap
    "0x1097053fd2ea711dad45caccc45eff7548fcb362": 2_500,  # PancakeSwap
}

CODE_FEES = {
    "0x5b83bdbcc56b2e630f2807bbadd2b0c21619108066b92a58de081261089e9ce5": 3_000,  # Uniswap v2
}
"""By the keccak of the pair's code, where its factory was not recorded."""

_SEEN_FEES = (3_000, 2_500, 2_000, 1_000, 500, 100, 0, 4_000, 5_000, 6_000, 10_000)


def kept(fee: int) -> tuple[int, int]:
    """``fee_num`` and ``fee_den`` of a V2Pool."""
    return FEE_UNIT - fee, FEE_UNIT


def fee_from_swaps(logs: Sequence[Log]) -> int | None:
    """The fee at which a pair's swaps paid exactly what they could, told from its Sync and Swap logs in order.

    None when they do not tell: no swap took all that it could, at a fee that every swap allows.
    """
    swaps = list(_one_way_swaps(logs))
    exact = {fee: sum(_room(swap, fee) == 0 for swap in swaps) for fee in _SEEN_FEES if fee_allowed(fee, logs)}
    best = max(exact, key=lambda fee: exact[fee], default=None)
    return best if best is not None and exact[best] else None


def fee_allowed(fee: int, logs: Sequence[Log]) -> bool:
    """Whether no swap in a pair's logs got more than it could at this fee."""
    return all(_room(swap, fee) >= 0 for swap in _one_way_swaps(logs))


def likely_fee(assumed: int, logs: Sequence[Log]) -> int | None:
    """The fee of a pair of which it is only assumed: what its own swaps tell; the assumed one where they tell nothing
    and allow it; else None, and the pair's quotes cannot be trusted.

    No swap can get more than the fee allows; and one that got all that another fee allows tells of that one. (Of a
    known fee the latter says nothing, since a trader may ask for less than he could.)
    """
    told = fee_from_swaps(logs)
    if told is not None:
        return told
    return assumed if fee_allowed(assumed, logs) else None


_Swap = tuple[int, int, int, int]  # reserve in, reserve out, amount in, amount out


def _one_way_swaps(logs: Sequence[Log]) -> Iterator[_Swap]:
    """Swaps with one token in and the other out, on the reserves before them. Sync stands in front of its Swap."""
    after: tuple[int, int] | None = None
    for log in logs:
        if log.topics[0] == SYNC:
            after = abi.uint(log.data), abi.uint(log.data, 1)
        elif log.topics[0] == SWAP and after is not None:
            in0, in1, out0, out1 = (abi.uint(log.data, index) for index in range(4))
            before = after[0] - in0 + out0, after[1] - in1 + out1
            if in0 and out1 and not in1 and not out0:
                yield before[0], before[1], in0, out1
            elif in1 and out0 and not in0 and not out1:
                yield before[1], before[0], in1, out0


def _room(swap: _Swap, fee: int) -> int:
    """How much more a swap could have got at this fee."""
    reserve_in, reserve_out, amount_in, amount_out = swap
    try:
        return V2Pool("", "", "", reserve_in, reserve_out, *kept(fee)).quote_in(0, 1, amount_in) - amount_out
    except NoLiquidity:
        return -1
