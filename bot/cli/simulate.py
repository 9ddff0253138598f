"""``mev simulate``: what a transaction, a bundle, a call or an executor program would do, and why."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import rlp
import typer
from rich.console import Console

from bot import abi
from bot.amm.layouts import mapping_slot
from bot.cli import simulate_report as report
from bot.cli.profile import checked_address
from bot.cli.replay_executor import DUST, EXECUTOR, FRESH, OWNER
from bot.cli.simulate_ground import Ground, Place, ground
from bot.cli.simulate_input import WANTED, Asked, Signed, read, read_text
from bot.cli.simulate_names import Names
from bot.cli.simulate_report import Told
from bot.errors import UserError
from bot.execution.book import Book, runtime_code
from bot.execution.words import decode as words
from bot.simulation.cassette import Cassette
from bot.simulation.rules import refusal
from bot.simulation.sandbox import Mined, NotMined
from bot.simulation.types import Call, UnrecordedState

app = typer.Typer()

UNSEEN = 160  # columns of output that is not a terminal
WETH9_BALANCES = 3  # position of balanceOf in WETH9's storage
GAS = 10_000_000


@app.command(name="simulate", epilog="Example: mev simulate 0x02f8… --cassette 24628607.json.gz --index 25")
def simulate_command(
    what: Annotated[str | None, typer.Argument(help=f"{WANTED}; - reads stdin.")] = None,
    url: Annotated[str | None, typer.Option(help="A node to run on, at its head.")] = None,
    profile: Annotated[Path | None, typer.Option(help="A profile: its node.")] = None,
    cassette: Annotated[Path | None, typer.Option(help="A recorded block to run in.")] = None,
    index: Annotated[int | None, typer.Option(help="Of a recorded block: after so many transactions.")] = None,
    sender: Annotated[str | None, typer.Option("--from", help="Who calls; else somebody new.")] = None,
    to: Annotated[str | None, typer.Option(help="Whom to call; without it --data is deployed.")] = None,
    data: Annotated[str, typer.Option(help="Calldata in hexadecimal.")] = "0x",
    value: Annotated[int, typer.Option(min=0, help="Wei that go with the call.")] = 0,
    gas: Annotated[int | None, typer.Option(min=21_000, help="Its gas limit; else plenty.")] = None,
    program: Annotated[str | None, typer.Option(help="An executor program, in hexadecimal or in a file.")] = None,
    executor: Annotated[str | None, typer.Option(help="Who runs it; else an executor of ours, put there.")] = None,
    book: Annotated[Path | None, typer.Option(help="The executor's address book.")] = None,
    depth: Annotated[int | None, typer.Option(min=0, help="Levels of the trace; 6 if not said, all in JSON.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Runs transactions in a private fork of a node or of a recorded block: nothing is sent, nothing stays.

    Shows status and reason, gas, who gave what to whom, who gained, what an access list would save, and the calls with
    the gas of each. A call without a signature pays the base fee, with ether lent to it where it lacks any. Status 1
    when a transaction reverts, or a bundle would not be included.
    """
    place = Place.of(url, profile, cassette, index)
    addresses = Book.load(book) if book else Book.EMPTY
    asked, lines = _asked(what, sender, to, data, value, gas, program, executor, addresses)
    told, names, where, notes = asyncio.run(_run(place, asked, addresses, own=bool(program) and executor is None))
    dropped = _dropped(asked, told)
    if as_json:
        print(
            json.dumps(
                {
                    "where": where,
                    "block": told[0].block.number,
                    "program": lines,
                    "notes": notes,
                    "bundle_included": None if asked.may_revert is None else not dropped,
                    "transactions": [report.as_json(one, names, depth) for one in told],
                }
            )
        )
    else:
        console = Console(width=None if sys.stdout.isatty() else UNSEEN, highlight=False)
        console.print(f"[bold]{where}[/]")
        for line in (*lines, *notes):
            console.print(f"  {line}", markup=False)
        for place_, one in enumerate(told):
            if len(told) > 1:
                console.print(f"[bold]transaction {place_}[/] {one.hash}")
            report.show(console, one, names, 6 if depth is None else depth)
        if dropped:
            console.print(f"the bundle would not be included: {dropped}", style="red")
    if dropped or not all(one.mined.result.success for one in told):
        raise typer.Exit(1)


# --- what is asked ---------------------------------------------------------------------------------------------------


def _asked(
    what: str | None,
    sender: str | None,
    to: str | None,
    data: str,
    value: int,
    gas: int | None,
    program: str | None,
    executor: str | None,
    book: Book,
) -> tuple[Asked, list[str]]:
    """The transactions, and a program in words. Raises UserError."""
    unsigned = sender is not None or to is not None or data != "0x"
    if sum((what is not None, unsigned and program is None, program is not None)) != 1:
        raise UserError(f"say what to simulate, once: {WANTED}, or an executor's --program")
    if what is not None:
        return read(what), []
    caller = OWNER if sender is None else _address("--from", sender)
    if program is None:
        target = None if to is None else _address("--to", to)
        payload = _unhex("--data", data)
        if target is None and not payload:
            raise UserError("without --to the --data is deployed, and there is none: name --to or --data")
        return Asked((Call(caller, target, payload, value, gas or 0),)), []
    if to is not None or data != "0x":
        raise UserError("--program is calldata of the executor: leave out --to and --data")
    if sender is not None and executor is None:
        raise UserError("--from with --program is an operator of a deployed executor: name it with --executor")
    text = program if program.startswith("0x") else read_text(program, "a program in hexadecimal")
    payload = _unhex("the program", "".join(text.split()))
    lines = words(payload, book)
    target = EXECUTOR if executor is None else _address("--executor", executor)
    # Whoever deployed executor it is, its owner may trade: asked once it is known where we are.
    caller = caller if sender is not None or executor is None else ""
    return Asked((Call(caller, target, payload, value, gas or 0),)), lines


def _address(name: str, text: str) -> str:
    try:
        return checked_address(name, text)
    except ValueError as error:
        raise UserError(str(error)) from None


def _unhex(name: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise UserError(f"{name} is not hexadecimal: it is 0x and pairs of digits") from None


# --- the run ---------------------------------------------------------------------------------------------------------


async def _run(place: Place, asked: Asked, book: Book, *, own: bool) -> tuple[list[Told], Names, str, list[str]]:
    """``own``: an executor of ours is put there first. Raises UserError."""
    recorded = place.cassette
    start = place.index
    raws = [one.raw for one in asked.transactions if isinstance(one, Signed)]
    as_it_was = recorded is not None and list(recorded.raw_transactions[start : start + len(raws)]) == raws != []
    room = 0 if as_it_was else sum(_call(one).gas or GAS for one in asked.transactions)
    try:
        async with ground(place, _fresh(recorded, asked), room, executor=own) as here:
            notes = list(asked.notes)
            box = here.sandbox
            if own:
                held = {here.weth: {mapping_slot(EXECUTOR, WETH9_BALANCES): DUST}}
                await box.place(EXECUTOR, runtime_code(OWNER, here.weth, book), held)
            if asked.target is not None and asked.target != box.block.number:
                notes.append(f"the bundle is for block {asked.target}: here it runs in block {box.block.number}")
            for number, one in enumerate(asked.transactions):
                await _send(here, number, one, notes)
            mined = await box.mine()
            if recorded is not None and not as_it_was:
                _check_known(recorded, mined)
            hashes = [one.hash if isinstance(one, Signed) else "" for one in asked.transactions]
            pairs = zip(hashes, mined, strict=True)
            told = [Told.of(name, done, box.block, here.weth) for name, done in pairs]
            await _learn(here, told)
            return told, here.names, here.what, notes
    except NotMined as error:
        raise UserError(f"transaction {error.place} cannot be in the block: {error.message}") from None
    except UnrecordedState as error:
        raise UserError(f"{error}: this block's recording does not have it, run on a node (--url)") from None


async def _send(here: Ground, number: int, one: Signed | Call, notes: list[str]) -> None:
    """Raises UserError for what can never be in the block, NotMined, UnrecordedState."""
    box = here.sandbox
    if isinstance(one, Signed):
        await _admit(here, number, one)
        await box.send(one.call, one.raw)
        return
    limit = box.block.gas_limit
    one = replace(one, gas=one.gas or min(GAS, limit))
    if one.gas > limit:
        raise UserError(f"--gas is {one.gas}: the block's limit is {limit}")
    if refused := refusal(one, here.hardfork):
        raise UserError(f"--gas: {refused}")
    price = box.block.base_fee
    sender = one.sender or await _owner(here, one.to or "")
    if await box.fund(sender, one.value + one.gas * price):
        notes.append(f"{sender} was lent ether: it has less than value and gas may cost")
    await box.send(replace(one, sender=sender, gas_price=price))


async def _admit(here: Ground, number: int, tx: Signed) -> None:
    """Raises UserError, with what is wrong in plain words, and UnrecordedState."""
    box, call, name = here.sandbox, tx.call, f"transaction {number}"
    if tx.chain_id not in (None, here.chain_id):
        raise UserError(
            f"{name} is signed for chain {tx.chain_id}, this is chain {here.chain_id}: sign it for this one"
        )
    nonce = await box.nonce(call.sender)
    if tx.nonce != nonce:
        why = "it, or another in its place, is on the chain already" if tx.nonce < nonce else "others must come first"
        raise UserError(f"{name} has nonce {tx.nonce}, the next of {call.sender} is {nonce}: {why}")
    if refused := refusal(call, here.hardfork):
        raise UserError(f"{name}: {refused}")
    base_fee = box.block.base_fee
    if call.gas_price < base_fee:
        raise UserError(f"{name} pays at most {call.gas_price} wei per gas, and the block's base fee is {base_fee}")
    cost, balance = call.value + call.gas * call.gas_price, await box.balance(call.sender)
    if balance < cost:
        raise UserError(f"{name} may cost {cost} wei, and {call.sender} has {balance}: fund it, or lower gas and fees")


async def _owner(here: Ground, executor: str) -> str:
    """Raises UserError where nothing there has one."""
    answer = await here.sandbox.rpc.call(
        "eth_call", {"to": executor, "data": abi.to_hex(abi.call("owner()"))}, "latest"
    )
    if len(answer) != 2 + 2 * abi.WORD:
        raise UserError(f"there is no executor at {executor}: leave --executor out, and one is put there")
    return abi.address(abi.to_bytes(answer))


async def _learn(here: Ground, told: Sequence[Told]) -> None:
    frames = [frame for one in told for frame in one.mined.trace.all()]
    accounts = dict.fromkeys(frame.to for frame in frames if int(frame.to or "0x0", 16) > 0x100)
    tokens = dict.fromkeys(flow.token for one in told for flow in one.moved)
    here.names.accounts.setdefault(here.sandbox.block.coinbase, "the builder")
    await here.names.learn(here.sandbox.rpc, accounts, tokens)


def _call(one: Signed | Call) -> Call:
    return one.call if isinstance(one, Signed) else one


def _fresh(cassette: Cassette | None, asked: Asked) -> list[str]:
    """Accounts that the recording does not have because there was nothing: ours, and what is created here."""
    if cassette is None:
        return []
    fresh = [*FRESH]
    for one in asked.transactions:
        call = _call(one)
        if call.to is None:
            account = cassette.accounts.get(call.sender)
            nonce = one.nonce if isinstance(one, Signed) else int(account.nonce, 16) if account else 0
            fresh.append(abi.to_hex(abi.keccak(rlp.encode([abi.to_bytes(call.sender), nonce]))[-20:]))
    return [one for one in fresh if one not in cassette.accounts]


def _check_known(cassette: Cassette, mined: Sequence[Mined]) -> None:
    """Raises UnrecordedState where code that is not known may have run."""
    for done in mined:
        for address, _ in done.touched:
            account = cassette.accounts.get(address)
            if account is not None and cassette.code(account) is None:
                raise UnrecordedState(f"not recorded in the cassette: code of {address}")


def _dropped(asked: Asked, told: Sequence[Told]) -> str:
    """Why a builder would leave the bundle out; empty where it would not, or this is none."""
    if asked.may_revert is None:
        return ""
    for number, one in enumerate(told):
        if not one.mined.result.success and one.hash not in asked.may_revert:
            return f"transaction {number} reverts, and is not among those that may"
    return ""
