"""What every bot does before it starts: open the ledger, and say what an earlier run left under way."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from bot.engine.types import Outcome, Reason
from bot.ledger.ledger import Ledger
from bot.ledger.records import RunKind


def open_ledger(path: Path, console: Console) -> Ledger:
    """The ledger, for writing. Names the intents that a crashed run left behind; those of a demo, whose chain is gone
    with it, end here as interrupted. Raises LedgerError."""
    ledger = Ledger.open(path)
    for entry in ledger.under_way():
        sent = ", ".join(one.relay for one in entry.submissions) or "no relay"
        console.print(
            f"[yellow]run {entry.run} was cut off with intent {entry.id} under way[/]: {entry.strategy} for block "
            f"{entry.block_number}, nonce {entry.nonce} of {entry.sender}, sent to {sent}"
        )
        if entry.kind is not RunKind.RUN:
            ledger.record_outcome(Outcome(entry.id, Reason.INTERRUPTED, "the process and its chain ended"), entry.run)
    return ledger
