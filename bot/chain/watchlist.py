"""The watch list: addresses that somebody gave a label, in a file that may change while the bot runs.

A CSV file: ``address,label,kind`` a line, in quotes where a label has a comma; a line that begins with ``#``, an empty
one, and the header ``address,label,kind`` say nothing. A kind that is left out is ``wallet``:

* ``wallet``: its transactions are looked at, and what it sends to exchanges and gets from them;
* ``exchange``, ``deposit``: an exchange's own wallet, and an address of a customer at one: ends of transfers;
* ``ignored``: never looked at, however large its trades are.
"""

from __future__ import annotations

import asyncio
import csv
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import structlog

from bot.abi import keccak
from bot.engine.types import Event, NewHead
from bot.errors import UserError

logger = structlog.get_logger(__name__)

HEADER = ("address", "label", "kind")
_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}")


class Kind(StrEnum):
    WALLET = "wallet"
    EXCHANGE = "exchange"
    DEPOSIT = "deposit"
    IGNORED = "ignored"


class Watched(NamedTuple):
    """What the list says of an address."""

    label: str
    kind: Kind


class WatchList:
    """The list in a file, taken in anew at a head when the file has changed. A file that cannot be read then leaves the
    list as it was, and says so once."""

    def __init__(self, path: Path) -> None:
        """Raises UserError."""
        self.path = path
        self.entries: Mapping[str, Watched] = load(path)
        self._seen = _stamp(path)
        self._reading: asyncio.Task[None] | None = None

    def get(self, address: str | None) -> Watched | None:
        """Of an address in lower case."""
        return self.entries.get(address)  # type: ignore[arg-type]  # of None there is none

    def __contains__(self, address: object) -> bool:
        """Whether its transactions are looked at."""
        watched = self.entries.get(address)  # type: ignore[call-overload]  # of None there is none
        return watched is not None and watched.kind is not Kind.IGNORED

    async def adapt(self, event: Event) -> Event:
        """The engine's adapter: looks at the file at every head, and reads it beside the loop."""
        idle = self._reading is None or self._reading.done()
        if isinstance(event, NewHead) and idle and _stamp(self.path) != self._seen:
            self._reading = asyncio.create_task(asyncio.to_thread(self.refresh))
        return event

    def refresh(self) -> None:
        """Takes the file in if it has changed, all of it or nothing."""
        stamp = _stamp(self.path)
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self.entries = load(self.path)
        except UserError as error:
            logger.warning("watch list not taken in: the old one stays", error=str(error))
        else:
            logger.info("watch list taken in", file=str(self.path), addresses=len(self.entries))


def load(path: Path) -> dict[str, Watched]:
    """Address to what is said of it. Raises UserError: one line that names the line of the file and what to mend."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"there is no watch list {path}: mev whales add ADDRESS --label NAME begins one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"the watch list {path} cannot be read: {getattr(error, 'strerror', 'it is no text')}"
        ) from None
    entries: dict[str, Watched] = {}
    lines: dict[str, int] = {}
    rows = csv.reader(StringIO(text), skipinitialspace=True, strict=True)
    try:
        for row in rows:
            if not row or row[0].lstrip().startswith("#") or tuple(map(str.strip, row)) == HEADER:
                continue
            address, watched = _entry(row)
            if address in entries:
                raise ValueError(f"{address} is in line {lines[address]} already: keep one")
            entries[address], lines[address] = watched, rows.line_num
    except (ValueError, csv.Error) as error:
        raise UserError(f"watch list {path}, line {rows.line_num}: {error}") from None
    return entries


def address_of(text: str) -> str:
    """In lower case. Raises ValueError: no address, or one in mixed case with a wrong checksum (EIP-55)."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError(f"{text!r} is not an address: 0x and 40 hexadecimal digits")
    digits = text[2:]
    lower = digits.lower()
    if digits not in (lower, digits.upper()) and digits != _checksummed(lower):
        raise ValueError(f"{text} has a wrong checksum: a digit is mistyped (or write it in lower case)")
    return "0x" + lower


def add(path: Path, entries: Mapping[str, Watched]) -> int:
    """Writes them behind what is in the file, which it begins where there is none; how many there are then. Raises
    UserError, with nothing written, also where one is in it already."""
    known = load(path) if path.exists() else {}
    twice = [address for address in entries if address in known]
    if twice:
        raise UserError(f"{twice[0]} is in {path} already, as {known[twice[0]].label!r}: remove it first")
    text = path.read_text(encoding="utf-8-sig") if path.exists() else ",".join(HEADER) + "\n"
    if text and not text.endswith("\n"):
        text += "\n"
    out = StringIO()
    csv.writer(out, lineterminator="\n").writerows(
        (address, watched.label, watched.kind.value) for address, watched in entries.items()
    )
    _write(path, text + out.getvalue())
    return len(known) + len(entries)


def remove(path: Path, address: str) -> Watched:
    """Takes one out, and leaves the rest of the file as it is; what was said of it. Raises UserError."""
    known = load(path)
    if address not in known:
        raise UserError(f"{address} is not in {path}: mev whales list shows what is")
    kept = [
        line for line in path.read_text(encoding="utf-8-sig").splitlines(keepends=True) if not _about(line, address)
    ]
    _write(path, "".join(kept))
    return known[address]


def _entry(row: list[str]) -> tuple[str, Watched]:
    """Raises ValueError."""
    if len(row) > len(HEADER):
        raise ValueError(f"{len(row)} values: write address,label,kind, and a label with a comma in quotes")
    address, label, kind = (*map(str.strip, row), "", "")[:3]
    lower = address_of(address)
    if "\n" in label:
        raise ValueError("a label is one line")
    try:
        return lower, Watched(label or lower, Kind(kind or Kind.WALLET))
    except ValueError:
        raise ValueError(f"kind {kind!r} is none: say {', '.join(Kind)}") from None


def _about(line: str, address: str) -> bool:
    rows = list(csv.reader([line], skipinitialspace=True))
    return bool(rows and rows[0]) and rows[0][0].strip().lower() == address


def _checksummed(lower: str) -> str:
    """The EIP-55 spelling of 40 digits."""
    digest = keccak(lower.encode()).hex()
    return "".join(c.upper() if d >= "8" else c for c, d in zip(lower, digest, strict=False))


def _stamp(path: Path) -> tuple[int, ...]:
    """Changes when the file does; empty where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _write(path: Path, text: str) -> None:
    """Whole or not at all: whoever reads meanwhile sees the old file or the new one. Raises UserError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as part:
            part.write(text)
            part.flush()
            os.fsync(part.fileno())
        if path.exists():
            os.chmod(part.name, path.stat().st_mode & 0o777)
        os.replace(part.name, path)
    except OSError as error:
        raise UserError(f"the watch list {path} cannot be written: {error.strerror}") from None


def named(entries: Iterable[tuple[str, str, Kind]]) -> dict[str, Watched]:
    """Entries for ``add``. Raises UserError."""
    try:
        return dict(_entry([address, label, kind.value]) for address, label, kind in entries)
    except ValueError as error:
        raise UserError(str(error)) from None
