"""The calls of a transaction as a tree: one form, from geth's callTracer and from parity's traces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.abi import to_bytes

MOVES_ETHER = frozenset(("call", "create", "selfdestruct"))
"""Kinds of calls whose value goes from sender to callee: a delegatecall only shows its caller's value again."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. ``kind`` is call, delegatecall, staticcall, callcode, create or selfdestruct; ``value`` is wei; ``to``
    is empty where a creation failed. A failed one has ``ok`` False, and nothing below it has happened either."""

    kind: str
    sender: str
    to: str
    value: int
    input: bytes
    output: bytes
    ok: bool
    calls: tuple[Call, ...] = ()

    @property
    def selector(self) -> bytes:
        """First four bytes of the calldata; fewer where there are none."""
        return self.input[:4]

    @property
    def arguments(self) -> bytes:
        """The calldata behind the selector."""
        return self.input[4:]


@dataclass(frozen=True, slots=True)
class Live:
    """A call that took effect. ``at`` is its place among those of its transaction, in the order in which they began;
    ``end`` the place of the last below it."""

    call: Call
    at: int
    end: int


def live(root: Call | None) -> list[Live]:
    """The calls that took effect: none below a failed one."""
    found: list[Live] = []
    if root is not None:
        _collect(root, found)
    return found


def _collect(call: Call, found: list[Live]) -> None:
    if not call.ok:
        return
    at = len(found)
    found.append(Live(call, at, at))
    for inner in call.calls:
        _collect(inner, found)
    found[at] = Live(call, at, len(found) - 1)


def from_geth(trace: Mapping[str, Any]) -> Call:
    """A callTracer's answer for one transaction. Raises KeyError, ValueError where it is none."""
    kind = trace["type"].lower()
    return Call(
        kind="create" if kind == "create2" else kind,
        sender=trace["from"].lower(),
        to=(trace.get("to") or "").lower(),
        value=int(trace.get("value") or "0x0", 16),
        input=to_bytes(trace.get("input") or "0x"),
        output=to_bytes(trace.get("output") or "0x"),
        ok="error" not in trace,
        calls=tuple(map(from_geth, trace.get("calls") or ())),
    )


def from_parity(traces: Iterable[Mapping[str, Any]]) -> dict[int, Call]:
    """The traces of a block (trace_block), by the transaction's index. Rewards are left out. Raises KeyError,
    ValueError where they are none."""
    of_tx: dict[int, dict[tuple[int, ...], Mapping[str, Any]]] = {}
    for trace in traces:
        if trace["type"] != "reward":
            place = tuple(_field(trace, "traceAddress", "trace_address"))
            of_tx.setdefault(_field(trace, "transactionPosition", "transaction_position"), {})[place] = trace
    return {index: _tree(found) for index, found in of_tx.items()}


def _tree(traces: Mapping[tuple[int, ...], Mapping[str, Any]]) -> Call:
    if () not in traces:
        raise ValueError("a transaction's traces have no outermost call")
    below: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for place in sorted(traces):
        if place:
            below.setdefault(place[:-1], []).append(place)

    def build(place: tuple[int, ...]) -> Call:
        return _parity_call(traces[place], (build(inner) for inner in below.get(place, ())))

    return build(())


def _parity_call(trace: Mapping[str, Any], calls: Iterator[Call]) -> Call:
    action, result, ok = trace["action"], trace.get("result") or {}, not trace.get("error")
    if trace["type"] == "suicide":
        sender, to = action["address"].lower(), (action["refundAddress"] or "").lower()
        return Call("selfdestruct", sender, to, int(action["balance"], 16), b"", b"", ok)
    if trace["type"] == "create":
        to, data, kind = (result.get("address") or "").lower(), action["init"], "create"
    else:
        to, data, kind = action["to"].lower(), action["input"], action["callType"]
    output = to_bytes(result.get("output") or "0x")
    return Call(kind, action["from"].lower(), to, int(action["value"], 16), to_bytes(data), output, ok, tuple(calls))


def _field(trace: Mapping[str, Any], *names: str) -> Any:
    for name in names:
        if name in trace:
            return trace[name]
    raise KeyError(names[0])
