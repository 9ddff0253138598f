"""The hops that pull their input from the executor and pay it: every venue but v2 pairs and v3 pools."""

from __future__ import annotations

from collections.abc import Sequence

from bot.engine.types import Hop
from bot.execution.steps import (
    BalancerSwap,
    CurveKind,
    CurveSwap,
    Step,
    Unwrap,
    V4Settle,
    V4Swap,
    V4Take,
    V4Unlock,
    VaultDeposit,
    VaultRedeem,
    Wrap,
)

_ADDRESS = 42  # characters of a 0x string of 20 bytes


def together(route: Sequence[Hop], index: int, base: int) -> int:
    """The first of the hops up to ``index``, not before ``base``, that one step does: v4's manager does several hops in
    one unlock."""
    start = index
    while (
        start > base
        and route[index].kind == "v4" == route[start - 1].kind
        and _manager(route[start - 1]) == _manager(route[index])
    ):
        start -= 1
    return start


def steps(hops: Sequence[Hop], amounts: Sequence[int], weth: str) -> list[Step]:
    """The steps of hops that ``together`` has put together; ``amounts`` are one more, wei. Raises ValueError for a hop
    whose terms are not its kind's."""
    hop, amount, out = hops[0], amounts[0], amounts[-1]
    token = None if hop.token_in == weth else hop.token_in
    match hop.kind, hop.terms:
        case "v4", _:
            swaps = [_v4_swap(each, given) for each, given in zip(hops, amounts, strict=False)]
            last = hops[-1].token_out
            ends = V4Settle(amount, token), V4Take(out, None if last == weth else last)
            return [V4Unlock(_manager(hop), (*swaps, *ends))]
        case "curve", (int(kind), int(i), int(j)):
            return [CurveSwap(hop.pool, CurveKind(kind), (i, j), amount, out, token)]
        case "balancer", (str(vault),):
            pool, rest = hop.pool[:_ADDRESS], bytes.fromhex(hop.pool[_ADDRESS:])
            return [BalancerSwap(vault, pool, rest, hop.token_out, amount, out, token)]
        case "vault", ("in",):
            return [VaultDeposit(hop.pool, amount, token)]
        case "vault", ("out",):
            return [VaultRedeem(hop.pool, amount)]
        case "weth", ("in",):
            return [Wrap(amount)]
        case "weth", ("out",):
            return [Unwrap(amount)]
    raise ValueError(f"a hop of kind {hop.kind} has no terms {hop.terms}")


def _v4_swap(hop: Hop, amount: int) -> V4Swap:
    match hop.terms:
        case (str(_), int(fee), int(spacing), str(hooks)):
            low, high = sorted((hop.token_in, hop.token_out))
            return V4Swap(low, high, fee, spacing, hooks, hop.zero_for_one, amount)
    raise ValueError(f"a hop of kind v4 has no terms {hop.terms}")


def _manager(hop: Hop) -> str:
    return str(hop.terms[0]) if hop.terms else ""
