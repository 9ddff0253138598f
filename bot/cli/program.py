"""``mev program``: what an executor program, the calldata of our transactions, would do."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from bot.errors import UserError
from bot.execution.program import decode as words

app = typer.Typer()


@app.callback()
def program() -> None:
    """Reads executor programs.

    Example: mev program decode 0x00d000000000000000000000002a
    """


@app.command()
def decode(
    data: Annotated[str, typer.Argument(help="The program in hexadecimal, or - to read it from stdin.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Says in words what a program does, a line a step; the steps inside a callback are indented.

    Example: mev program decode 0x00d000000000000000000000002a
    """
    text = "".join((sys.stdin.read() if data == "-" else data).split()).removeprefix("0x")
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raise UserError("the program is not hexadecimal") from None
    lines = words(raw)
    print(json.dumps({"steps": lines}) if as_json else "\n".join(lines))
