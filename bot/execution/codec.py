"""Programs to bytes and back (grammar: contracts/libraries/Program.sol).

An account is 2 bytes where the given book knows it. Without the book an index is read as ``book[3]``, and written as
that again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from bot.errors import UserError
from bot.execution.book import Book
from bot.execution.layouts import FieldKind, layout_at, layout_of
from bot.execution.steps import (
    CurveKind,
    CurveSwap,
    Form,
    Loan,
    Program,
    Route,
    Step,
    Steps,
    V2Chain,
    V2Hop,
)

# As in Program.sol.
_FIRST_SELECTOR = 0x40
_ROUTE, _ROUTE_TERMS, _ROUTE_FORM, _ROUTE_SIZE = 0x20, 0x10, 0x03, 12
_MINIMUM_SIZE, _TERMS, _TOKENS, _DEADLINE, _BID = 0x0F, 0x10, 0x07, 0x08, 0x10
_V2_HOPS, _V2_TO_CALLER, _V2_PAY, _V2_TOKEN = 0x03, 0x08, 0x10, 0x20
_WIDE, _TOKEN, _TO = 0x04, 0x01, 0x02
_NARROW_SIZE, _WIDE_SIZE = 12, 16
_INLINE = 0xFF

MAX_V2_HOPS = 4
MAX_TOKENS = 7
MOST_IN_ROUTE = (1 << 8 * _ROUTE_SIZE - 1) - 1
"""Of an amount."""
NEVER = (1 << 32) - 1  # the deadline in the terms of a route without one
ALL_BPS = 10_000
MAX_DEPTH = 64  # of nested programs that are read

_INDEX = re.compile(r"book\[(\d{1,5})\]")

# --- to bytes --------------------------------------------------------------------------------------------------------


def pack(program: Program, book: Book = Book.EMPTY) -> bytes:
    """The calldata. Raises ValueError for what has no room: an amount from 2**127, a nested program from 64 KiB, in a
    route a pool that ``book`` does not know."""
    if not 0 <= program.bid_bps <= ALL_BPS:
        raise ValueError(f"a bid is 0 to {ALL_BPS} basis points, not {program.bid_bps}")
    return _pack_route(program, book) if isinstance(program, Route) else _Packer(book).program(program)


def _pack_route(route: Route, book: Book) -> bytes:
    largest = max(route.paid, route.amount or 0, *(hop.amount_out for hop in route.hops))
    if largest > MOST_IN_ROUTE:
        raise ValueError(f"an amount of {largest} is too large for a route")
    if not route.hops:
        raise ValueError("a route has v2 pairs")
    if (route.anchor is None) != (route.form is Form.OWN):
        raise ValueError("a route has an anchor, unless the executor pays")
    if (route.amount is None) != (route.form in (Form.OWN, Form.FIRST)):
        raise ValueError("a route that begins with its last pool, or a loan, has an amount, and others have none")
    head = _ROUTE | route.form
    terms = b""
    if route.deadline is not None or route.bid_bps:
        head |= _ROUTE_TERMS
        terms = (NEVER if route.deadline is None else route.deadline).to_bytes(4, "big")
        terms += route.bid_bps.to_bytes(2, "big")
    fields = b"" if route.anchor is None else _index(route.anchor, book)
    fields += b"" if route.amount is None else route.amount.to_bytes(_ROUTE_SIZE, "big")
    fields += route.paid.to_bytes(_ROUTE_SIZE, "big")
    for hop in route.hops:
        fields += _index(hop.pool, book) + _pack_out(hop, _ROUTE_SIZE)
    return bytes([head]) + terms + fields


def _index(account: str, book: Book) -> bytes:
    packed = _account(account, book)
    if len(packed) != 2:
        raise ValueError(f"{account} does not stand in the book, and a route writes no address out")
    return packed


def _account(account: str, book: Book) -> bytes:
    index = book.index(account)
    if match := _INDEX.fullmatch(account):
        index = int(match[1])
    if index is not None:
        if index >= _INLINE << 8:
            raise ValueError(f"no book has an entry {index}")
        return index.to_bytes(2, "big")
    packed = bytes.fromhex(account[2:])
    if len(packed) != 20:
        raise ValueError(f"{account} is not an address")
    return bytes([_INLINE]) + packed


def _pack_out(hop: V2Hop, size: int) -> bytes:
    return (hop.amount_out | hop.zero_for_one << (8 * size - 1)).to_bytes(size, "big")


def _amount_size(amounts: Iterable[int]) -> int:
    largest = max(amounts, default=0)
    if largest >= 1 << 8 * _WIDE_SIZE:
        raise ValueError(f"an amount of {largest} is too large for a program")
    return _NARROW_SIZE if largest < 1 << 8 * _NARROW_SIZE else _WIDE_SIZE


def _wide(size: int) -> int:
    return _WIDE if size == _WIDE_SIZE else 0


class _Packer:
    def __init__(self, book: Book) -> None:
        self._book = book

    def program(self, program: Steps) -> bytes:
        size = (program.minimum.bit_length() + 7) // 8
        if size > _MINIMUM_SIZE:
            raise ValueError(f"a minimum of {program.minimum} is too large")
        if len(program.tokens) > MAX_TOKENS:
            raise ValueError(f"a program spends at most {MAX_TOKENS} tokens besides WETH, not {len(program.tokens)}")
        minimum, terms, behind = program.minimum.to_bytes(size, "big"), len(program.tokens), b""
        if program.deadline is not None:
            terms |= _DEADLINE
            behind += program.deadline.to_bytes(4, "big")
        if program.bid_bps:
            terms |= _BID
            behind += program.bid_bps.to_bytes(2, "big")
        behind += b"".join(_account(token, self._book) for token in program.tokens)
        head = bytes([size]) if not terms else bytes([_TERMS | size, terms])
        return head + minimum + behind + self._steps(program.steps)

    def _steps(self, steps: Iterable[Step]) -> bytes:
        return b"".join(self._chain(step) if isinstance(step, V2Chain) else self._step(step) for step in steps)

    def _step(self, step: Step) -> bytes:
        layout = layout_of(step)
        values = [(kind, bytes_, getattr(step, name)) for name, kind, bytes_ in layout.fields]
        if any(kind is FieldKind.AMOUNT and value is None for kind, _, value in values):
            raise ValueError(f"{step} names no amount that it must name")
        if isinstance(step, Loan) and step.owed is not None and not any(name == "owed" for name, _, _ in layout.fields):
            raise ValueError(f"{step.kind} pulls or is paid its loan: the step does not say what is owed")
        size = _amount_size(value for kind, _, value in values if kind is FieldKind.AMOUNT)
        head = layout.first | layout.variant | _wide(size)
        for name, (mask, _) in layout.flags.items():
            head |= int(getattr(step, name)) & mask
        packed = b""
        for kind, bytes_, value in values:
            if kind in (FieldKind.SPENT, FieldKind.CURRENCY) and value is not None:
                head |= _TOKEN
            elif kind is FieldKind.TO and value is not None:
                head |= _TO
            packed += self._field(kind, size if kind is FieldKind.AMOUNT else bytes_, value)
        return bytes([head]) + packed

    def _field(self, kind: FieldKind, size: int, value: Any) -> bytes:
        match kind:
            case FieldKind.AMOUNT | FieldKind.UINT:
                return int(value).to_bytes(size, "big")
            case FieldKind.BYTES:
                if len(value) != size:
                    raise ValueError(f"{value.hex()} has {len(value)} bytes, not {size}")
                return bytes(value)
            case FieldKind.COINS:
                if not all(0 <= coin < 16 for coin in value):
                    raise ValueError(f"indices of coins are 0 to 15, not {value}")
                return bytes([value[0] << 4 | value[1]])
            case FieldKind.NESTED:
                packed = self._steps(value)
                if len(packed) >= 1 << 16:
                    raise ValueError(f"a nested program of {len(packed)} bytes is too long")
                return len(packed).to_bytes(2, "big") + packed
            case _:
                return b"" if value is None else _account(value, self._book)

    def _chain(self, step: V2Chain) -> bytes:
        if not 1 <= len(step.hops) <= MAX_V2_HOPS:
            raise ValueError(f"a chain has 1 to {MAX_V2_HOPS} pairs, not {len(step.hops)}")
        if step.token is not None and step.pay is None:
            raise ValueError("a chain that pays nothing names no token")
        amounts = [2 * hop.amount_out for hop in step.hops]  # one bit more: zeroForOne
        size = _amount_size(amounts if step.pay is None else [*amounts, step.pay])
        head = (len(step.hops) - 1) | _wide(size) | (_V2_TO_CALLER if step.to_caller else 0)
        head |= (0 if step.pay is None else _V2_PAY) | (0 if step.token is None else _V2_TOKEN)
        packed = b"" if step.token is None else _account(step.token, self._book)
        packed += b"" if step.pay is None else step.pay.to_bytes(size, "big")
        for hop in step.hops:
            packed += _account(hop.pool, self._book) + _pack_out(hop, size)
        return bytes([head]) + packed


# --- from bytes ------------------------------------------------------------------------------------------------------


class _Reader:
    """Takes fields off a program. Raises UserError at its end."""

    def __init__(self, data: bytes, book: Book, depth: int = 0) -> None:
        self._data, self._at, self._book, self._depth = data, 0, book, depth
        if depth > MAX_DEPTH:
            raise UserError(f"this is not a program: its steps are nested more than {MAX_DEPTH} deep")

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

    def account(self) -> str:
        first = self.uint(1)
        if first == _INLINE:
            return "0x" + self.take(20).hex()
        return self._named(first << 8 | self.uint(1))

    def indexed(self) -> str:
        return self._named(self.uint(2))

    def _named(self, index: int) -> str:
        return self._book.address(index) or f"book[{index}]"

    def hop(self, pool: str, size: int) -> V2Hop:
        out, top = self.uint(size), 1 << (8 * size - 1)
        return V2Hop(pool, bool(out & top), out & (top - 1))

    def nested(self) -> tuple[Step, ...]:
        return _unpack_steps(_Reader(self.take(self.uint(2)), self._book, self._depth + 1))


def unpack(data: bytes, book: Book = Book.EMPTY) -> Program:
    """The inverse of ``pack``. Raises UserError where ``data`` is not a program."""
    reader = _Reader(data, book)
    head = reader.uint(1)
    if head >= _FIRST_SELECTOR:
        raise UserError(f"this is not a program: its first byte is 0x{head:02x}, a program's is below 0x40")
    if head >= _ROUTE:
        return _unpack_route(reader, head)
    terms = reader.uint(1) if head & _TERMS else 0
    minimum = reader.uint(head & _MINIMUM_SIZE)
    deadline = reader.uint(4) if terms & _DEADLINE else None
    bid = _bid(reader) if terms & _BID else 0
    tokens = tuple(reader.account() for _ in range(terms & _TOKENS))
    return Steps(_unpack_steps(reader), minimum, tokens, deadline, bid)


def _bid(reader: _Reader) -> int:
    bid = reader.uint(2)
    if bid > ALL_BPS:
        raise UserError(f"this is not a program: its bid is {bid} basis points, more than {ALL_BPS}")
    return bid


def _unpack_route(reader: _Reader, head: int) -> Route:
    if head & ~(_ROUTE | _ROUTE_TERMS | _ROUTE_FORM):
        raise UserError(f"this is not a program: no route begins with the byte 0x{head:02x}")
    form = Form(head & _ROUTE_FORM)
    deadline = reader.uint(4) if head & _ROUTE_TERMS else NEVER
    bid = _bid(reader) if head & _ROUTE_TERMS else 0
    anchor = None if form is Form.OWN else reader.indexed()
    amount = reader.uint(_ROUTE_SIZE) if form in (Form.LAST, Form.LOAN) else None
    paid = reader.uint(_ROUTE_SIZE)
    hops: list[V2Hop] = []
    while reader or not hops:
        hops.append(reader.hop(reader.indexed(), _ROUTE_SIZE))
    return Route(form, paid, tuple(hops), anchor, amount, None if deadline == NEVER else deadline, bid)


def _unpack_steps(reader: _Reader) -> tuple[Step, ...]:
    steps = []
    while reader:
        head = reader.uint(1)
        steps.append(_unpack_chain(reader, head) if head < _FIRST_SELECTOR else _unpack_step(reader, head))
    return tuple(steps)


def _unpack_step(reader: _Reader, head: int) -> Step:
    layout = layout_at(head)
    values = {name: read(head & mask) for name, (mask, read) in layout.flags.items()} | dict(layout.given)
    for name, kind, bytes_ in layout.fields:
        values[name] = _unpack_field(reader, head, kind, bytes_)
    if layout.step is CurveSwap:
        if values["kind"] not in tuple(CurveKind):
            raise UserError(f"Curve pools have no exchange of the kind {values['kind']}")
        values["kind"] = CurveKind(values["kind"])
    step: Step = layout.step(**values)
    return step


def _unpack_field(reader: _Reader, head: int, kind: FieldKind, size: int) -> Any:
    match kind:
        case FieldKind.ACCOUNT | FieldKind.SHARES:
            return reader.account()
        case FieldKind.SPENT | FieldKind.CURRENCY:
            return reader.account() if head & _TOKEN else None
        case FieldKind.TO:
            return reader.account() if head & _TO else None
        case FieldKind.AMOUNT:
            return reader.uint(_WIDE_SIZE if head & _WIDE else _NARROW_SIZE)
        case FieldKind.UINT:
            return reader.uint(size)
        case FieldKind.BYTES:
            return reader.take(size)
        case FieldKind.COINS:
            return divmod(reader.uint(1), 16)
        case FieldKind.NESTED:
            return reader.nested()


def _unpack_chain(reader: _Reader, head: int) -> V2Chain:
    size = _WIDE_SIZE if head & _WIDE else _NARROW_SIZE
    token = reader.account() if head & _V2_TOKEN else None
    pay = reader.uint(size) if head & _V2_PAY else None
    hops = tuple(reader.hop(reader.account(), size) for _ in range((head & _V2_HOPS) + 1))
    return V2Chain(hops, bool(head & _V2_TO_CALLER), pay, token)
