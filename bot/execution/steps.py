"""The executor's steps, typed and as bytes (grammar: contracts/libraries/Program.sol).

Amounts are wei of the token they are in. A ``token`` of None is WETH, which needs no bytes. "The caller" is the pool
or lender whose callback the step runs in. ``bot.execution.program`` makes steps of a trade.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from bot.errors import UserError

# First bytes and flags, as in Program.sol.
_MINIMUM_SIZE, _DECLARES = 0x1F, 0x20
_V3_SWAP, _V2_FLASH, _PAY, _TIP, _DEADLINE, _LOAN = 0x40, 0x80, 0xC0, 0xD0, 0xD8, 0xE0
_WIDE, _TOKEN, _PAY_TO, _ZERO_FOR_ONE = 0x04, 0x01, 0x02, 0x01
_V2_HOPS, _V2_TO_CALLER, _V2_PAY, _V2_TOKEN = 0x03, 0x08, 0x10, 0x20
_RECIPIENT = _LENDER = 0x18

MAX_V2_HOPS = 4


class Recipient(IntEnum):
    """Whom a v3 swap sends its output to."""

    EXECUTOR = 0x00
    CALLER = 0x08
    NESTED_POOL = 0x10  # the first pool of its first nested step, a V2Chain
    NEXT_POOL = 0x18  # the first pool of the step behind it, a V2Chain


class Lender(IntEnum):
    """Who lends, by interface."""

    MORPHO = 0x00  # pulls the amount back
    BALANCER_V2 = 0x08  # is paid back by the nested steps


@dataclass(frozen=True, slots=True)
class V2Hop:
    """One pair of a chain and what exactly comes out of it."""

    pool: str
    zero_for_one: bool
    amount_out: int


@dataclass(frozen=True, slots=True)
class V2Chain:
    """Swaps through pairs, each sending to the next, the last to the executor or the caller.

    ``pay`` of ``token`` goes to the first pair before; without it that pair has been paid already.
    """

    hops: tuple[V2Hop, ...]
    to_caller: bool = False
    pay: int | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class V3Swap:
    """Swaps exactly ``amount`` in; the output comes first, then ``nested`` runs and must pay the input."""

    pool: str
    zero_for_one: bool
    amount: int
    recipient: Recipient
    nested: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class V2Flash:
    """Takes exactly ``amount`` out of a pair into the executor; then ``nested`` runs and must pay the input."""

    pool: str
    zero_for_one: bool
    amount: int
    nested: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Pay:
    """Sends a token to ``to``, or to the caller where that is None."""

    amount: int
    token: str | None = None
    to: str | None = None


@dataclass(frozen=True, slots=True)
class Loan:
    """Borrows, and runs ``nested`` with it."""

    kind: Lender
    lender: str
    amount: int
    nested: tuple[Step, ...]
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Tip:
    """Unwraps ``amount`` of WETH and sends it to the block's builder."""

    amount: int


@dataclass(frozen=True, slots=True)
class Deadline:
    """Reverts in a block after ``block``."""

    block: int


Step = V2Chain | V3Swap | V2Flash | Pay | Loan | Tip | Deadline


@dataclass(frozen=True, slots=True)
class Program:
    """Steps, and the check at their end: no less WETH than at the start, no less of any of ``tokens``, and of the
    first of these (of WETH, if there are none) at least ``minimum`` more."""

    steps: tuple[Step, ...]
    minimum: int = 0
    tokens: tuple[str, ...] = ()


# --- to bytes --------------------------------------------------------------------------------------------------------


def pack(program: Program) -> bytes:
    """The calldata. Raises ValueError for what has no room: an amount from 2**127, a nested program from 64 KiB."""
    minimum = _shortest(program.minimum, 0x1F)
    head = bytes([len(minimum) | (_DECLARES if program.tokens else 0)]) + minimum
    if program.tokens:
        head += bytes([len(program.tokens)]) + b"".join(_address(token) for token in program.tokens)
    return head + _pack_steps(program.steps)


def spent_tokens(steps: Iterable[Step]) -> Iterator[str]:
    """The tokens besides WETH that steps, nested ones too, spend, with repetitions: the program must declare them."""
    for step in steps:
        if isinstance(step, V2Chain | Pay | Loan) and step.token is not None:
            yield step.token
        if isinstance(step, V3Swap | V2Flash | Loan):
            yield from spent_tokens(step.nested)


def _pack_steps(steps: Iterable[Step]) -> bytes:
    return b"".join(_pack_step(step) for step in steps)


def _pack_step(step: Step) -> bytes:
    match step:
        case V2Chain():
            return _pack_chain(step)
        case V3Swap() | V2Flash():
            size = _amount_size([step.amount])
            head = _V3_SWAP | step.recipient if isinstance(step, V3Swap) else _V2_FLASH
            head |= (_ZERO_FOR_ONE if step.zero_for_one else 0) | _wide(size)
            return bytes([head]) + _address(step.pool) + step.amount.to_bytes(size, "big") + _nested(step.nested)
        case Pay():
            size = _amount_size([step.amount])
            head = _PAY | (_TOKEN if step.token else 0) | (_PAY_TO if step.to else 0) | _wide(size)
            return bytes([head]) + _address(step.token) + _address(step.to) + step.amount.to_bytes(size, "big")
        case Loan():
            size = _amount_size([step.amount])
            head = _LOAN | step.kind | (_TOKEN if step.token else 0) | _wide(size)
            fields = _address(step.lender) + _address(step.token) + step.amount.to_bytes(size, "big")
            return bytes([head]) + fields + _nested(step.nested)
        case Tip():
            size = _amount_size([step.amount])
            return bytes([_TIP | _wide(size)]) + step.amount.to_bytes(size, "big")
        case Deadline():
            return bytes([_DEADLINE]) + step.block.to_bytes(4, "big")


def _pack_chain(step: V2Chain) -> bytes:
    if not 1 <= len(step.hops) <= MAX_V2_HOPS:
        raise ValueError(f"a chain has 1 to {MAX_V2_HOPS} pairs, not {len(step.hops)}")
    if step.token is not None and step.pay is None:
        raise ValueError("a chain that pays nothing names no token")
    amounts = [2 * hop.amount_out for hop in step.hops]  # one bit more: zeroForOne
    size = _amount_size(amounts if step.pay is None else [*amounts, step.pay])
    head = (len(step.hops) - 1) | _wide(size) | (_V2_TO_CALLER if step.to_caller else 0)
    head |= (0 if step.pay is None else _V2_PAY) | (_V2_TOKEN if step.token else 0)
    packed = bytes([head])
    for hop in step.hops:
        field = hop.amount_out | hop.zero_for_one << (8 * size - 1)
        packed += _address(hop.pool) + field.to_bytes(size, "big")
    packed += _address(step.token)
    return packed if step.pay is None else packed + step.pay.to_bytes(size, "big")


def _nested(steps: Iterable[Step]) -> bytes:
    packed = _pack_steps(steps)
    if len(packed) >= 1 << 16:
        raise ValueError(f"a nested program of {len(packed)} bytes is too long")
    return len(packed).to_bytes(2, "big") + packed


def _address(address: str | None) -> bytes:
    if address is None:
        return b""
    packed = bytes.fromhex(address[2:])
    if len(packed) != 20:
        raise ValueError(f"{address} is not an address")
    return packed


def _shortest(number: int, limit: int) -> bytes:
    size = (number.bit_length() + 7) // 8
    if size > limit:
        raise ValueError(f"{number} is too large")
    return number.to_bytes(size, "big")


def _amount_size(amounts: Iterable[int]) -> int:
    largest = max(amounts)
    if largest >= 1 << 128:
        raise ValueError(f"an amount of {largest} is too large for a program")
    return 12 if largest < 1 << 96 else 16


def _wide(size: int) -> int:
    return _WIDE if size == 16 else 0


# --- from bytes ------------------------------------------------------------------------------------------------------


class _Reader:
    """Takes fields off a program. Raises UserError at its end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) < size:
            raise UserError(f"the program ends at byte {len(self._data)}, in the middle of a step; is it complete?")
        self._at += size
        return taken

    def uint(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def address(self) -> str:
        return "0x" + self.take(20).hex()


def unpack(data: bytes) -> Program:
    """The inverse of ``pack``. Raises UserError where ``data`` is not a program."""
    reader = _Reader(data)
    head = reader.uint(1)
    if head > _DECLARES | _MINIMUM_SIZE:
        raise UserError(f"this is not a program: its first byte is 0x{head:02x}, a program's is below 0x40")
    minimum = reader.uint(head & _MINIMUM_SIZE)
    tokens = tuple(reader.address() for _ in range(reader.uint(1))) if head & _DECLARES else ()
    return Program(_unpack_steps(reader), minimum, tokens)


def _unpack_steps(reader: _Reader) -> tuple[Step, ...]:
    steps = []
    while reader:
        steps.append(_unpack_step(reader))
    return tuple(steps)


def _unpack_step(reader: _Reader) -> Step:
    head = reader.uint(1)
    size = 16 if head & _WIDE else 12
    if head < _V3_SWAP:
        return _unpack_chain(reader, head, size)
    if head < _PAY:
        pool, zero_for_one, amount = reader.address(), bool(head & _ZERO_FOR_ONE), reader.uint(size)
        nested = _unpack_nested(reader)
        if head < _V2_FLASH:
            return V3Swap(pool, zero_for_one, amount, Recipient(head & _RECIPIENT), nested)
        return V2Flash(pool, zero_for_one, amount, nested)
    if head < _TIP:
        token = reader.address() if head & _TOKEN else None
        to = reader.address() if head & _PAY_TO else None
        return Pay(reader.uint(size), token, to)
    if head < _DEADLINE:
        return Tip(reader.uint(size))
    if head == _DEADLINE:
        return Deadline(reader.uint(4))
    if head >= _LOAN and head & _LENDER in tuple(Lender):
        lender = reader.address()
        token = reader.address() if head & _TOKEN else None
        return Loan(Lender(head & _LENDER), lender, reader.uint(size), _unpack_nested(reader), token)
    raise UserError(f"no step begins with the byte 0x{head:02x}; is this a program of this version?")


def _unpack_chain(reader: _Reader, head: int, size: int) -> V2Chain:
    hops = []
    top = 1 << (8 * size - 1)
    for _ in range((head & _V2_HOPS) + 1):
        pool, field = reader.address(), reader.uint(size)
        hops.append(V2Hop(pool, bool(field & top), field & (top - 1)))
    token = reader.address() if head & _V2_TOKEN else None
    pay = reader.uint(size) if head & _V2_PAY else None
    return V2Chain(tuple(hops), bool(head & _V2_TO_CALLER), pay, token)


def _unpack_nested(reader: _Reader) -> tuple[Step, ...]:
    return _unpack_steps(_Reader(reader.take(reader.uint(2))))
