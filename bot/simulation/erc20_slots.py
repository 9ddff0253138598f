"""Where a token keeps a holder's balance, found by running ``balanceOf`` and not by knowing the token.

What the call reads says which slots can matter, through proxies, in other contracts, in any layout. Flipping each of
their bits in turn says which of them are the balance, unit by unit. The word's other bits (a blacklist flag, a time)
stay as they are. A balance that is computed from shares or an index has no such bits, and is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.abi import call, encode, keccak, to_hex
from bot.engine.types import AccountDiff
from bot.jsonrpc import JsonRpc, RpcError
from bot.simulation.state import overrides

WORD_BITS = 256
LEAST_BITS = 32
"""A balance has at least so many, so that every 32nd bit meets each."""
NOBODY = to_hex(keccak(b"mevkit nobody")[-20:])


class NoBalanceSlot(Exception):
    """The balance cannot be set. The message says why."""


@dataclass(frozen=True, slots=True)
class BalanceSlot:
    """``bits`` bits from ``shift`` on of a slot of ``contract``; ``word`` is what the slot holds, ``balance`` (in the
    token's smallest units) what ``balanceOf`` says with it."""

    contract: str
    slot: int
    shift: int
    bits: int
    word: int
    balance: int

    def holding(self, amount: int) -> int:
        """The word with which the balance is ``amount``. Raises NoBalanceSlot where that does not go in."""
        mask = ((1 << self.bits) - 1) << self.shift
        field = ((self.word & mask) >> self.shift) + amount - self.balance
        if not 0 <= field < 1 << self.bits:
            raise NoBalanceSlot(f"{amount} does not go into its {self.bits} bits")
        return (self.word & ~mask) | field << self.shift


async def find(rpc: JsonRpc, token: str, holder: str, on: str = "latest") -> BalanceSlot:
    """By calls alone: nothing is changed. ``on`` is a tag or a 0x number. Raises NoBalanceSlot, RpcUnreachable."""
    asked = _balance_of(token, holder)
    try:
        balance = _uint(await rpc.call("eth_call", asked, on))
        places = await _read_by(rpc, asked, on)
        words = await rpc.batch([("eth_getStorageAt", (at, f"0x{slot:064x}", on)) for at, slot in places])
    except RpcError as error:
        raise NoBalanceSlot(f"balanceOf fails: {error.message}") from None
    if balance is None:
        raise NoBalanceSlot("balanceOf gives no number: there is no token at this address")
    try:
        common = frozenset(await _read_by(rpc, _balance_of(token, NOBODY), on))
    except (RpcError, NoBalanceSlot):  # a recorded block does not know the stranger's
        common = frozenset()
    found = []
    for (contract, slot), word in zip(places, words, strict=True):
        if isinstance(word, RpcError):
            raise NoBalanceSlot(f"its storage cannot be read: {word.message}")
        place = _Place(rpc, asked, on, contract, slot, int(word, 16), balance)
        if not any(await place.flip(range(0, WORD_BITS, LEAST_BITS))):
            continue
        field = None if (contract, slot) in common else _field(await place.flip(range(WORD_BITS)))
        if field is None:
            raise NoBalanceSlot("its balance is computed, from shares or an index: what is set is not what is read")
        found.append(BalanceSlot(contract, slot, *field, int(word, 16), balance))
    if not found:
        raise NoBalanceSlot("no slot that balanceOf reads changes its answer")
    return max(found, key=lambda one: one.bits)


async def set_balance(rpc: JsonRpc, token: str, holder: str, amount: int) -> BalanceSlot:
    """Sets a balance on an anvil, in the token's smallest units, and reads it back. The total supply stays as it is.
    Raises NoBalanceSlot: then nothing has changed. Raises RpcUnreachable."""
    found = await find(rpc, token, holder)
    await _write(rpc, found, found.holding(amount))
    read = _uint(await rpc.call("eth_call", _balance_of(token, holder), "latest"))
    if read != amount:
        await _write(rpc, found, found.word)
        raise NoBalanceSlot(f"set to {amount}, it reads as {read}")
    return found


async def total_supply(rpc: JsonRpc, token: str) -> int | None:
    """In the token's smallest units; None where the token does not say. Raises RpcUnreachable."""
    try:
        return _uint(await rpc.call("eth_call", {"to": token, "data": to_hex(call("totalSupply()"))}, "latest"))
    except RpcError:
        return None


@dataclass(frozen=True, slots=True)
class _Place:
    """A slot that ``balanceOf`` reads."""

    rpc: JsonRpc
    asked: dict[str, Any]
    on: str
    contract: str
    slot: int
    word: int
    balance: int

    async def flip(self, bits: Iterable[int]) -> list[int]:
        """By how much each bit, flipped, changes the balance: 0 also where the call then fails."""
        questions = []
        for bit in bits:
            state = overrides({self.contract: AccountDiff(slots={self.slot: self.word ^ (1 << bit)})})
            questions.append(("eth_call", (self.asked, self.on, state)))
        answers = [None if isinstance(one, RpcError) else _uint(one) for one in await self.rpc.batch(questions)]
        return [0 if answer is None else abs(answer - self.balance) for answer in answers]


def _field(effects: Sequence[int]) -> tuple[int, int] | None:
    """Shift and width of the bits whose effects are 1, 2, 4, …; None where some bit has another effect."""
    shift = next((bit for bit, effect in enumerate(effects) if effect), 0)
    width = 0
    while shift + width < WORD_BITS and effects[shift + width] == 1 << width:
        width += 1
    return (shift, width) if width >= LEAST_BITS and not any(effects[shift + width :]) else None


def _balance_of(token: str, holder: str) -> dict[str, str]:
    return {"to": token, "data": to_hex(call("balanceOf(address)", holder))}


async def _read_by(rpc: JsonRpc, asked: dict[str, str], on: str) -> list[tuple[str, int]]:
    """The slots that a call reads, by contract. Raises NoBalanceSlot where it reverts, RpcError."""
    read = await rpc.call("eth_createAccessList", asked, on)
    if read.get("error"):
        raise NoBalanceSlot(f"balanceOf fails: {read['error']}")
    return [(entry["address"].lower(), int(slot, 16)) for entry in read["accessList"] for slot in entry["storageKeys"]]


async def _write(rpc: JsonRpc, place: BalanceSlot, word: int) -> None:
    await rpc.call("anvil_setStorageAt", place.contract, f"0x{place.slot:064x}", to_hex(encode(word)))


def _uint(answer: str) -> int | None:
    """The first word of an answer, if there is one."""
    return int(answer[2:66], 16) if len(answer) >= 66 else None
