"""What MEV-Share's stream tells of a private transaction (flashbots/mev-share-node, mevshare/hints.go).

A sender lets out as much as he likes. By default it is the swaps of Uniswap v2 and v3, Curve and Balancer: address and
first topic of their logs (Balancer's second too), the other topics zero and the data empty. Calldata comes without the
value that is sent along.
"""

from __future__ import annotations

import msgspec

from bot.abi import MASK_256
from bot.chain.swap_calls import swaps
from bot.engine.types import Hint, Log, SwapIntent

_ANY = MASK_256
"""Stands for the value, which is not told: no swap pays more, and none can mean it."""


class _Log(msgspec.Struct, frozen=True, gc=False):
    address: str
    topics: tuple[str, ...] = ()
    data: str | None = None


class _Tx(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    to: str | None = None
    call_data: str | None = None


class _Event(msgspec.Struct, frozen=True, gc=False):
    hash: str
    logs: tuple[_Log, ...] | None = None
    txs: tuple[_Tx, ...] | None = None


_decode = msgspec.json.Decoder(_Event).decode


def hint(message: bytes, seen_ns: int) -> Hint:
    """From the JSON behind ``data:``. Raises ValueError for what is none."""
    try:
        event = _decode(message)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a hint: {error}") from None
    logs = tuple(Log(log.address.lower(), log.topics, _bytes(log.data)) for log in event.logs or () if log.topics)
    asked = [intent for tx in event.txs or () if tx.to for intent in swaps(tx.to.lower(), _bytes(tx.call_data), _ANY)]
    return Hint(event.hash, logs, tuple(map(_without_value, asked)), seen_ns)


def _bytes(hexadecimal: str | None) -> bytes:
    """Raises ValueError."""
    return bytes.fromhex((hexadecimal or "0x")[2:])


def _without_value(intent: SwapIntent) -> SwapIntent:
    if intent.exact_in and intent.amount == _ANY:
        return msgspec.structs.replace(intent, amount=None)
    return msgspec.structs.replace(intent, limit=None) if intent.limit == _ANY else intent
