"""``mev program``: what an executor program, the calldata of our transactions, would do."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.errors import UserError
from bot.execution.book import Book
from bot.execution.words import decode as words

app = typer.Typer()


@app.callback()
def program() -> None:
    """Reads executor programs.

    Example: mev program decode 0x0070000000000000000000000001
    """


@app.command()
def decode(
    data: Annotated[str, typer.Argument(help="The program in hexadecimal, or - to read it from stdin.")],
    book: Annotated[Path | None, typer.Option(help="The executor's address book, which names indices.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Says in words what a program does, a line a step; the steps inside a callback are indented.

    Example: mev program decode 0x0070000000000000000000000001
    """
    text = "".join((sys.stdin.read() if data == "-" else data).split()).removeprefix("0x")
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raise UserError("the program is not hexadecimal") from None
    lines = words(raw, Book.load(book) if book else Book.EMPTY)
    print(json.dumps({"steps": lines}) if as_json else "\n".join(lines))
