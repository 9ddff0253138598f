"""A writer to kill: says on stdout what has been recorded, after the call returned, until it is killed."""

import os
import sys

from ledger_samples import SENDER, intent

from bot.engine.types import Outcome, Reason
from bot.ledger.ledger import Ledger
from bot.ledger.records import RunKind


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def main(path: str, life: str) -> None:
    say("opening the ledger")
    ledger = Ledger.open(path)
    ledger.begin_run(RunKind.RUN, profile="kill", chain_id=1)
    mined = 0
    for number in range(10**6):
        name = f"{life}.{number}"
        nonce = ledger.reserve_nonce(SENDER, mined)
        submission = ledger.record_intent(intent(name, nonce), ["local"])[0]
        say(f"intent {name} {nonce}")
        ledger.record_answer(submission, bundle_hash="0x1")
        say(f"answer {name}")
        if number % 3:
            # Announced before: a nonce may be handed out again only after this, and the kill may fall in between.
            say(f"ending {name} {nonce}")
            ledger.record_outcome(Outcome(name, Reason.NOT_INCLUDED))
            say(f"outcome {name}")


main(*sys.argv[1:])
