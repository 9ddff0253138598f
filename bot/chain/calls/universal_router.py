"""Uniswap's Universal Router: commands, and the actions of v4 in them, as v4-periphery's V4Router takes them."""

from __future__ import annotations

from collections.abc import Mapping

from bot.chain.calldata import (
    MOST_HOPS,
    Decoder,
    Look,
    addresses,
    attempt,
    key_4,
    number,
    path_key,
    signed,
    to_hex,
    uint,
    words_2,
    words_4,
)
from bot.chain.calls.uniswap import add_v2, add_v3

_ALL = 1 << 255  # ActionConstants.CONTRACT_BALANCE


def _execute(look: Look, data: bytes) -> None:
    """UniversalRouter.execute(commands, inputs[, deadline])."""
    _steps(look, data, 4, _COMMANDS)


def _sub_plan(look: Look, data: bytes) -> None:
    """(commands, inputs)."""
    _steps(look, data, 0, _COMMANDS)


def _steps(look: Look, data: bytes, base: int, decoders: Mapping[int, Decoder]) -> None:
    """(kinds, inputs): a byte for each input. Those that swap nothing are passed over."""
    at, inputs = words_2(data, base)
    kinds = look.part(data, base + number(at, "big"))
    look.spend(len(kinds))
    array = base + number(inputs, "big") + 32
    for n, kind in enumerate(kinds[: uint(data, array - 32)]):
        decoder = decoders.get(kind)
        if decoder is not None:
            attempt(look, decoder, look.part(data, array + uint(data, array + 32 * n)))


def _command(version: int, exact_in: bool) -> Decoder:
    """(recipient, amount, limit, path, payer is user)."""

    def decode(look: Look, data: bytes) -> None:
        _, amount, limit, offset = words_4(data, 0)
        exact, at = number(amount, "big"), number(offset, "big")
        held = _ALL if exact_in else -1
        if version == 3:
            add_v3(look, data, at, exact_in, exact, number(limit, "big"), held)
        else:  # Constants.ALREADY_PAID is 0: what the pair was sent before
            held = 0 if exact_in and not exact else held
            add_v2(look, addresses(data, at), exact_in, exact, number(limit, "big"), held)

    return decode


# --- Uniswap v4: V4_SWAP --------------------------------------------------------------------------------------------


def _v4_plan(look: Look, data: bytes) -> None:
    """(actions, params)."""
    _steps(look, data, 0, _ACTIONS)


def _v4_single(exact_in: bool) -> Decoder:
    """((PoolKey, zeroForOne, amount, limit, …)). An amount of 0 is what is open (ActionConstants.OPEN_DELTA)."""

    def decode(look: Look, data: bytes) -> None:
        token0, token1, fee, spacing, hooks, zero_for_one, amount, limit = key_4(data, uint(data, 0))
        tokens = (to_hex(token0), to_hex(token1)) if zero_for_one else (to_hex(token1), to_hex(token0))
        pools = ((number(fee, "big"), signed(spacing), to_hex(hooks)),)
        look.add("v4", tokens, pools, exact_in, number(amount, "big") or None, number(limit, "big"))

    return decode


def _v4_path(exact_in: bool) -> Decoder:
    """((currency, PathKey[] path, …, amount, limit)): ``currency`` is what goes in, or what comes out and then the path
    leads to it. Newer routers have one more array in front of the amount, whose offset shows in the path's."""

    def decode(look: Look, data: bytes) -> None:
        start = uint(data, 0)
        currency, offset = words_2(data, start)
        at = number(offset, "big")
        amount, limit = words_2(data, start + (96 if at >= 160 else 64))
        keys = look.parts(data, start + at)
        if not 1 <= len(keys) <= MOST_HOPS:
            return
        path = [path_key(data, key) for key in keys]
        through = [to_hex(key[0]) for key in path]
        tokens = (to_hex(currency[12:]), *through) if exact_in else (*through, to_hex(currency[12:]))
        pools = tuple([(number(fee, "big"), signed(spacing), to_hex(hooks)) for _, fee, spacing, hooks in path])
        look.add("v4", tokens, pools, exact_in, number(amount, "big") or None, number(limit, "big"))

    return decode


FUNCTIONS: dict[str, Decoder] = {
    "execute(bytes,bytes[],uint256)": _execute,
    "execute(bytes,bytes[])": _execute,
}
_COMMANDS: dict[int, Decoder] = {  # universal-router Commands.sol
    0x00: _command(3, exact_in=True),  # V3_SWAP_EXACT_IN
    0x01: _command(3, exact_in=False),  # V3_SWAP_EXACT_OUT
    0x08: _command(2, exact_in=True),  # V2_SWAP_EXACT_IN
    0x09: _command(2, exact_in=False),  # V2_SWAP_EXACT_OUT
    0x10: _v4_plan,  # V4_SWAP
    0x21: _sub_plan,  # EXECUTE_SUB_PLAN
}
_COMMANDS |= {command | 0x80: decoder for command, decoder in _COMMANDS.items()}  # FLAG_ALLOW_REVERT
_ACTIONS: dict[int, Decoder] = {  # v4-periphery Actions.sol
    0x06: _v4_single(exact_in=True),
    0x07: _v4_path(exact_in=True),
    0x08: _v4_single(exact_in=False),
    0x09: _v4_path(exact_in=False),
}
