"""Whom a fork gives ether and tokens, and whom it lets one send from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bot.abi import call, to_bytes, to_hex, uint
from bot.cli.profile import Profile, checked_address, smallest_units
from bot.errors import UserError
from bot.jsonrpc import JsonRpc, RpcError
from bot.simulation.erc20_slots import NoBalanceSlot, set_balance, total_supply

ETHER_DECIMALS = 18
REVERTED = 3  # error code of a call that reverts


@dataclass(frozen=True, slots=True)
class Funding:
    """``ether``: address to wei. ``tokens``: holder, token, its decimals if the profile has it, and the amount in whole
    tokens as it was written."""

    ether: dict[str, int]
    tokens: tuple[tuple[str, str, int | None, str], ...]
    impersonated: tuple[str, ...]


def parse(ether: Iterable[str], tokens: Iterable[str], impersonated: Iterable[str], source: Profile | None) -> Funding:
    """``source`` knows tokens by their symbols. Raises UserError."""
    try:
        wei: dict[str, int] = {}
        for text in ether:
            who, amount = _split("--fund", text, "ADDRESS=ETHER")
            wei[checked_address("--fund", who)] = smallest_units("--fund", amount, ETHER_DECIMALS)
        held = []
        for text in tokens:
            place, amount = _split("--token", text, "HOLDER:TOKEN=AMOUNT")
            who, colon, token = place.partition(":")
            if not colon:
                raise ValueError(f"--token {text!r} is not HOLDER:TOKEN=AMOUNT")
            smallest_units("--token", amount, 77)  # its decimals are known later
            held.append((checked_address("--token", who), *_token(token, source), amount))
        return Funding(wei, tuple(held), tuple(checked_address("--impersonate", who) for who in impersonated))
    except ValueError as error:
        raise UserError(str(error)) from None


async def fund(rpc: JsonRpc, funding: Funding) -> dict[str, Any]:
    """Does it on an anvil, and reads it back. Raises UserError for a balance that cannot be set, RpcUnreachable."""
    for who, wei in funding.ether.items():
        await _ask(rpc, "--fund", "anvil_setBalance", who, hex(wei))
    for who in funding.impersonated:
        await _ask(rpc, "--impersonate", "anvil_impersonateAccount", who)
    accounts = []
    for who in dict.fromkeys((*funding.ether, *funding.impersonated)):
        balance = int(await _ask(rpc, "--fund", "eth_getBalance", who, "latest"), 16)
        accounts.append({"address": who, "balance_wei": balance, "impersonated": who in funding.impersonated})
    return {"accounts": accounts, "tokens": [await _give(rpc, *one) for one in funding.tokens]}


async def _give(rpc: JsonRpc, holder: str, token: str, decimals: int | None, amount: str) -> dict[str, Any]:
    try:
        if decimals is None:
            decimals = await _decimals(rpc, token)
        units = smallest_units("--token", amount, decimals)
        place = await set_balance(rpc, token, holder, units)
    except (NoBalanceSlot, ValueError) as error:
        raise UserError(f"--token {holder}:{token}: {error}") from None
    said = {"holder": holder, "token": token, "amount": units, "contract": place.contract, "slot": place.slot}
    return {**said, "total_supply": await total_supply(rpc, token)}


async def _decimals(rpc: JsonRpc, token: str) -> int:
    """As the token says; one that says none counts in its smallest units."""
    try:
        return uint(to_bytes(await rpc.call("eth_call", {"to": token, "data": to_hex(call("decimals()"))}, "latest")))
    except ValueError:
        return 0
    except RpcError as error:
        if error.code == REVERTED:
            return 0
        raise UserError(f"its decimals are not known ({error.message}): name {token} in a profile") from None


async def _ask(rpc: JsonRpc, option: str, method: str, *params: Any) -> Any:
    try:
        return await rpc.call(method, *params)
    except RpcError as error:
        raise UserError(f"{option} {params[0]}: {error.message}") from None


def _split(option: str, text: str, form: str) -> tuple[str, str]:
    before, equals, behind = text.partition("=")
    if not equals:
        raise ValueError(f"{option} {text!r} is not {form}")
    return before, behind


def _token(word: str, source: Profile | None) -> tuple[str, int | None]:
    tokens = source.tokens if source else ()
    address = next((token.address for token in tokens if token.symbol == word), None)
    if address is None and not word.startswith("0x"):
        raise ValueError(f"--token: no token is called {word!r} in the profile: name it by its address")
    address = address or checked_address("--token", word)
    return address, next((token.decimals for token in tokens if token.address == address), None)
