"""The command ``mev``: finds the command's file, runs it, and turns what went wrong into one line and a status.

A command is one file with ``app = typer.Typer()`` and one line in COMMANDS. Only the chosen command's file is
imported. Exit status: 0 done; 1 it ran and failed (``raise typer.Exit(1)``, or any exception); 2 bad input; 130
interrupted from the keyboard.
"""

from __future__ import annotations

import difflib
import os
import sys
from importlib import import_module

from bot.errors import UserError

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("bot.cli.demo", "a chain of real protocols, order flow and the bot, on this machine"),
    "run": ("bot.cli.run", "the bot on a node, by a profile"),
    "devnet": ("bot.cli.devnet", "a chain of real protocols with order flow, for mev run"),
    "replay": ("bot.cli.replay", "the bot on recorded real blocks"),
    "scan": ("bot.cli.scan", "what is profitable now, on a node, a snapshot or a recorded block"),
    "inspect": ("bot.cli.inspect", "the MEV in a mined block: who took it, and what was left for us"),
    "quote": ("bot.cli.quote", "the best way from one token to another"),
    "simulate": ("bot.cli.simulate", "what a transaction, a bundle, a call or a program would do, and why"),
    "market": ("bot.cli.market", "snapshots of a market: take, show, check against the chain"),
    "whales": ("bot.cli.whales", "whom to watch, what they did and would do, how often a signal came true"),
    "fork": ("bot.cli.fork", "forks of a chain, recorded blocks, whether two records say the same"),
    "launches": ("bot.cli.launches", "new pools, and whether their tokens can be trusted"),
    "hints": ("bot.cli.hints", "what MEV-Share tells of private transactions, now or from its archive"),
    "ledger": ("bot.cli.ledger", "what was intended, submitted, and what became of it"),
    "book": ("bot.cli.book", "the address book behind the executor's code, made from a chain and checked"),
    "program": ("bot.cli.program", "read an executor program"),
    "bench": ("bot.cli.bench", "the benchmarks, each against a peer or a floor in the same run"),
    "nodes": ("bot.cli.nodes", "the nodes of a profile: reachable, in step, how fast, what they can do"),
    "doctor": ("bot.cli.doctor", "what is installed, reachable and configured; how to mend the rest"),
}
"""Name, the module that holds its ``app``, and what it does."""

INTERRUPTED = 130  # what shells report after SIGINT, and typer too

HELP = """usage: mev COMMAND [OPTIONS]

MEV and flash-loan toolkit: finds mispricings, proves them on a fork, lands them as atomic bundles.

{commands}

mev COMMAND --help says more. Every command takes --json: JSON on stdout, logs on stderr.
Exit status: 0 done, 1 it ran and failed, 2 bad input. Example: mev demo --blocks 20
"""


def main() -> None:
    """The console script."""
    raise SystemExit(run(sys.argv[1:]))


def run(args: list[str]) -> int:
    """Runs one command line, errors told on stderr; returns the exit status."""
    try:
        status = _dispatch(args)
        sys.stdout.flush()
        return status
    except UserError as error:
        return _tell(str(error), 2)
    except BrokenPipeError:  # the reader of our output has gone; flushing at exit must not fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        from bot.cli.logs import record_crash

        where = record_crash(error)
        return _tell(f"{type(error).__name__}: {error} (details: {where})", 1)


def _dispatch(args: list[str]) -> int:
    name = args[0] if args else "--help"
    if name in ("--help", "-h", "help"):
        print(_help(), end="")
        return 0
    if name == "--version":
        from importlib.metadata import version

        print(f"mev {version('mevkit')}")
        return 0
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        raise UserError(f"no command {name!r}: " + (f"did you mean {near[0]}?" if near else "see mev --help"))
    return _run_command(name, args[1:])


def _run_command(name: str, args: list[str]) -> int:
    """Imports the one command and runs it. Raises UserError for a command line it does not understand."""
    import typer

    from bot.cli.logs import set_up

    set_up()
    app: typer.Typer = import_module(COMMANDS[name][0]).app
    app._add_completion = False
    try:
        status = app(args, prog_name=f"mev {name}", standalone_mode=False)
    except typer.TyperException as error:
        raise UserError(f"{error.format_message()} (see mev {name} --help)") from None
    except typer.Abort:
        raise KeyboardInterrupt from None
    return status if isinstance(status, int) else 0


def _help() -> str:
    width = max(map(len, COMMANDS))
    return HELP.format(commands="\n".join(f"  {name:<{width}}  {what}" for name, (_, what) in COMMANDS.items()))


def _tell(message: str, status: int) -> int:
    """One line on stderr, with nothing in it that must stay secret."""
    from bot.cli.logs import redact

    print("mev: " + redact(" ".join(message.split())), file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
