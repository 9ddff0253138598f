"""All swaps of a transaction, over the registry of protocols."""

from __future__ import annotations

from dataclasses import replace

from bot.inspection.protocols import (
    balancer,
    bancor,
    comet,
    curve,
    maker_psm,
    one_inch,
    uniswap_v2,
    uniswap_v3,
    uniswap_v4,
    vaults,
    zero_ex,
)
from bot.inspection.reading import in_calls, in_logs
from bot.inspection.swap import Protocol, Swap
from bot.inspection.transfers import Flow

PROTOCOLS: tuple[Protocol, ...] = (
    uniswap_v2.PROTOCOL,
    uniswap_v3.PROTOCOL,
    uniswap_v4.PROTOCOL,
    curve.PROTOCOL,
    balancer.V1,
    balancer.V2,
    zero_ex.PROTOCOL,
    bancor.PROTOCOL,
    one_inch.PROTOCOL,
    maker_psm.PROTOCOL,
    vaults.PROTOCOL,
    comet.PROTOCOL,
)
_EVENTS = {topic: reader for protocol in PROTOCOLS for topic, reader in protocol.events.items()}
_EXACT = frozenset(protocol.name for protocol in PROTOCOLS if protocol.exact)
_FUNCTIONS = {selector: reader for protocol in PROTOCOLS for selector, reader in protocol.functions.items()}


def swaps(flow: Flow) -> list[Swap]:
    """In order. By logs where there are any, and of pools that left none that is known by calls that answer with both
    amounts (their places come behind the logs'); else by calls. What looks like a protocol's and is not is passed over.
    """
    if flow.tx.logs is None:
        return from_calls(flow)
    logged = from_logs(flow)
    known = {swap.pool for swap in logged}
    unlogged = (swap for swap in from_calls(flow) if swap.protocol in _EXACT and swap.pool not in known)
    return [*logged, *(replace(swap, at=swap.at + len(flow.tx.logs)) for swap in unlogged)]


def from_logs(flow: Flow) -> list[Swap]:
    return in_logs(flow, _EVENTS)


def from_calls(flow: Flow) -> list[Swap]:
    return in_calls(flow, _FUNCTIONS)
