"""The address book behind the executor's code (contracts/libraries/Book.sol): a program names what stands in it by 2
bytes, and a route rests on what it says of pools."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import ClassVar, Protocol, Self

import msgspec

from bot import abi
from bot.errors import UserError
from bot.execution import executor

START = 0x4C00  # where it begins in the code
ENTRY_SIZE = 23
MAX_CODE = 24_576  # EIP-170
MOST = (MAX_CODE - START) // ENTRY_SIZE  # entries

RUNTIME_BEGINS = bytes.fromhex("6080604052")
"""The executor's code sets the free memory pointer first; its scratch space at 0x80 relies on that."""


class Kind(IntEnum):
    """What an entry is. All but OTHER are promises: a genuine pool of that protocol with WETH on that side, or a
    lender of WETH."""

    OTHER = 0
    V2_WETH_0 = 1
    V2_WETH_1 = 2
    V3_WETH_0 = 3
    V3_WETH_1 = 4
    LENDER_MORPHO = 5
    LENDER_BALANCER_V2 = 6
    LENDER_AAVE_V3 = 7
    LENDER_V4 = 8
    LENDER_V2_WETH_0 = 9
    LENDER_V2_WETH_1 = 10
    LENDER_V3_WETH_0 = 11
    LENDER_V3_WETH_1 = 12


V2_POOLS = (Kind.V2_WETH_0, Kind.V2_WETH_1)


class PoolLike(Protocol):
    """A pool as market and devnet have it; ``kind`` is ``v2`` or ``v3``."""

    @property
    def address(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def token0(self) -> str: ...
    @property
    def token1(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """``other`` is the index of a v2 pair's token that is not WETH; of such pairs only."""

    address: str
    kind: Kind = Kind.OTHER
    other: int | None = None

    def to_bytes(self) -> bytes:
        return abi.to_bytes(self.address) + bytes([self.kind]) + (self.other or 0).to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class Book:
    """Entries by index. Raises ValueError where they contradict each other or are too many."""

    entries: tuple[Entry, ...] = ()
    _indices: dict[str, int] = field(init=False, repr=False, compare=False)

    EMPTY: ClassVar[Book]

    def __post_init__(self) -> None:
        indices = {entry.address: index for index, entry in enumerate(self.entries)}
        object.__setattr__(self, "_indices", indices)
        if len(self.entries) > MOST:
            raise ValueError(f"{len(self.entries)} entries: there is room for {MOST}")
        for index, entry in enumerate(self.entries):
            if len(abi.to_bytes(entry.address)) != 20:
                raise ValueError(f"{entry.address} is not an address")
            if indices[entry.address] != index:
                raise ValueError(f"{entry.address} stands there twice")
            if (entry.other is not None) != (entry.kind in V2_POOLS):
                raise ValueError(f"{entry.address}: v2 pairs with WETH have another token, and nothing else has")
            if entry.other is not None and not 0 <= entry.other < len(self.entries):
                raise ValueError(f"{entry.address}: there is no entry {entry.other}")

    @classmethod
    def of(
        cls,
        weth: str,
        pools: Iterable[PoolLike] = (),
        lenders: Iterable[tuple[str, Kind]] = (),
        tokens: Iterable[str] = (),
    ) -> Self:
        """Pools, in their order, then lenders, then tokens: those given and those that the pairs with WETH need.

        Raises ValueError, for too many too.
        """
        found = list(pools)
        others = [_other(pool, weth) for pool in found]
        needed = [other for pool, other in zip(found, others, strict=True) if other and pool.kind == "v2"]
        behind = [Entry(address, kind) for address, kind in lenders]
        named = {pool.address for pool in found} | {entry.address for entry in behind}
        behind += [Entry(token) for token in dict.fromkeys([*needed, *tokens]) if token not in named]
        indices = {entry.address: len(found) + number for number, entry in enumerate(behind)}
        entries = [
            Entry(pool.address, _kind(pool, weth), indices[other] if other and pool.kind == "v2" else None)
            for pool, other in zip(found, others, strict=True)
        ]
        return cls((*entries, *behind))

    def __len__(self) -> int:
        return len(self.entries)

    def index(self, address: str) -> int | None:
        """Where an address stands."""
        return self._indices.get(address)

    def entry(self, address: str) -> Entry | None:
        """What the book says of an address."""
        index = self._indices.get(address)
        return None if index is None else self.entries[index]

    def address(self, index: int) -> str | None:
        """The address at an index."""
        return self.entries[index].address if index < len(self.entries) else None

    def to_bytes(self) -> bytes:
        """As it lies behind the code."""
        return b"".join(entry.to_bytes() for entry in self.entries)

    # --- files -------------------------------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: Path) -> Self:
        """The book in a JSON file, or a TOML file if its name ends so. Raises UserError.

        ``entries`` is a list of tables: ``address``; ``kind``, a name of Kind in lower case, ``other`` if there is
        none; and ``other``, the address of the other token of a v2 pair with WETH."""
        try:
            text = path.read_text(encoding="utf-8")
            content = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
            written = msgspec.convert(content, _File)
            return cls(tuple(_entries(written.entries)))
        except OSError as error:
            raise UserError(f"the book {path} cannot be read: {error.strerror}") from None
        except (msgspec.ValidationError, ValueError, RecursionError) as error:
            what = " ".join(str(error).split())
            raise UserError(f"the book {path} is not one ({what}): `mev book make` writes one") from None

    def save(self, path: Path) -> None:
        """Writes the JSON that ``load`` reads."""
        path.write_text(json.dumps({"entries": [self._plain(entry) for entry in self.entries]}, indent=1) + "\n")

    def _plain(self, entry: Entry) -> dict[str, str]:
        plain = {"address": entry.address, "kind": entry.kind.name.lower()}
        return plain if entry.other is None else plain | {"other": self.entries[entry.other].address}


Book.EMPTY = Book()


class _FileEntry(msgspec.Struct, forbid_unknown_fields=True):
    address: str
    kind: str = "other"
    other: str | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    entries: list[_FileEntry]


def _entries(written: list[_FileEntry]) -> Iterable[Entry]:
    indices = {_checked(entry.address): index for index, entry in enumerate(written)}
    for entry in written:
        kind = Kind.__members__.get(entry.kind.upper())
        if kind is None:
            raise ValueError(f"there is no kind {entry.kind!r}: there is {', '.join(Kind.__members__).lower()}")
        if entry.other is not None and _checked(entry.other) not in indices:
            raise ValueError(f"{entry.other}, the other token of {entry.address}, does not stand there")
        yield Entry(_checked(entry.address), kind, None if entry.other is None else indices[_checked(entry.other)])


def _checked(text: str) -> str:
    address = text.lower()
    if len(address) != 42 or not address.startswith("0x") or not set(address[2:]) <= set("0123456789abcdef"):
        raise ValueError(f"{text!r} is not an address")
    return address


def _other(pool: PoolLike, weth: str) -> str | None:
    """The token that a pool with WETH has besides; None of a pool without."""
    return {pool.token0: pool.token1, pool.token1: pool.token0}.get(weth)


def _kind(pool: PoolLike, weth: str) -> Kind:
    if weth not in (pool.token0, pool.token1):
        return Kind.OTHER
    return Kind[f"{pool.kind.upper()}_WETH_{0 if weth == pool.token0 else 1}"]


# --- deployment ------------------------------------------------------------------------------------------------------


def deploy_data(owner: str, weth: str, book: Book = Book.EMPTY) -> bytes:
    """Data of the transaction that creates an executor for ``owner`` with ``book`` behind its code.

    The creation reverts where no ``weth`` has been deployed yet. Raises UserError before forge has built the executor,
    and where code and book do not fit.
    """
    if not book:
        return executor.deploy_data(owner, weth)
    code = runtime_code(owner, weth, book)
    # PUSH20 weth, EXTCODESIZE, JUMPI over a revert; then PUSH3 length, CODECOPY, RETURN
    has_code = b"\x73" + abi.to_bytes(weth) + bytes.fromhex("3b601c575f5ffd5b")
    return has_code + b"\x62" + len(code).to_bytes(3, "big") + bytes.fromhex("8060285f395ff3") + code


def runtime_code(owner: str, weth: str, book: Book = Book.EMPTY) -> bytes:
    """The code of an executor. Raises UserError as ``deploy_data`` does."""
    code = executor.runtime_code(owner, weth)
    if not code.startswith(RUNTIME_BEGINS):
        raise UserError("the executor's code does not begin as its memory needs: build it with `make setup`")
    if not book:
        return code
    if len(code) > START:
        raise UserError(f"the executor's code has {len(code)} bytes, and the book begins at {START}: use no book")
    code = code.ljust(START, b"\0") + book.to_bytes()
    if len(code) > MAX_CODE:
        raise UserError(f"executor and book have {len(code)} bytes, {MAX_CODE} are allowed: shorten the book")
    return code
