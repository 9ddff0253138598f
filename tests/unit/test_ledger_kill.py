"""kill -9 in mid-write, again and again on one file: no intent whose record call returned is ever lost."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bot.ledger.ledger import Ledger
from bot.ledger.reader import Reader
from bot.ledger.records import RunKind

HERE = Path(__file__).parent
KILLS = 200 if os.environ.get("MEV_VERIFY") else 20


def start(path: Path, life: int, errors: int | None = None) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": f"{HERE.parent.parent}:{HERE}"}
    command = [sys.executable, HERE / "ledger_writer.py", path, str(life)]
    # Unbuffered: what readline has taken, communicate would not see again.
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment, bufsize=0)


def live_and_die(path: Path, life: int, lines: int, microseconds: int) -> list[str]:
    """What a writer managed to say before it was killed, some time after it had said so many lines."""
    with start(path, life) as writer:
        assert writer.stdout
        said = b"".join(writer.stdout.readline() for _ in range(lines))
        assert said.count(b"\n") == lines
        time.sleep(microseconds / 1e6)
        writer.kill()
        said += writer.stdout.read()
    return said.decode().split("\n")[1:-1]  # without "opening"; the kill may cut the last line


def test_killed_in_mid_write(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    record_property("kill -9 in mid-write, nothing lost", KILLS)
    path, chance = tmp_path / "ledger.sqlite", random.Random(7)
    intents: dict[str, int] = {}
    answered: set[str] = set()
    ending: set[str] = set()
    ended: set[str] = set()
    Ledger.open(path).close()
    for life in range(KILLS):
        for line in live_and_die(path, life, chance.randrange(1, 60), chance.randrange(1500)):
            what, name, *nonce = line.split()
            if what == "intent":
                still_open = [other for other in intents if other not in ending]
                assert all(intents[other] != int(nonce[0]) for other in still_open), "a nonce handed out twice"
                intents[name] = int(nonce[0])
            else:
                {"answer": answered, "ending": ending, "outcome": ended}[what].add(name)
        with Reader.open(path) as reader:
            entries = {entry.id: entry for entry in reader.entries()}
            under_way = {entry.id for entry in reader.under_way()}
        assert intents.keys() <= entries.keys()
        unsaid = entries.keys() - intents.keys()
        assert len(unsaid) <= life + 1, "at most the one in flight, each time"
        assert all(entries[name].nonce == nonce for name, nonce in intents.items())
        assert all(entries[name].submissions for name in entries), "an intent and its submission are one commit"
        assert all(entries[name].submissions[0].answered_ns for name in answered)
        assert under_way & ended == set()
        assert under_way >= intents.keys() - ending
        assert under_way >= unsaid
        open_nonces = [entries[name].nonce for name in under_way]
        assert len(open_nonces) == len(set(open_nonces))
        # What was in flight counts as recorded from here on: the next life must not hand out its nonce again.
        intents |= {name: entries[name].nonce for name in unsaid}
        ending &= entries.keys() - under_way
    assert len(intents) > KILLS
    with Ledger.open(path) as ledger:  # quick_check: the file is sound
        assert ledger.token <= KILLS + 2


def test_killed_while_it_is_created(tmp_path: Path) -> None:
    """All tables or none: the next process opens it as if nothing had been."""
    chance = random.Random(7)
    for life in range(KILLS // 4):
        path = tmp_path / f"{life}.sqlite"
        live_and_die(path, life, 1, chance.randrange(40_000))
        with Ledger.open(path) as ledger:
            assert ledger.begin_run(RunKind.RUN, profile="next", chain_id=1) <= 2


def test_writers_that_depose_each_other(tmp_path: Path) -> None:
    """Each newcomer takes over while the last one writes: that one stops by itself, and no two open intents, of
    whichever process, share a nonce."""
    path = tmp_path / "ledger.sqlite"
    with ExitStack() as stack:
        writers = []
        for life in range(4):
            writers.append(stack.enter_context(start(path, life, subprocess.PIPE)))
            stack.callback(writers[-1].kill)
            assert writers[-1].stdout and writers[-1].stdout.readline() and writers[-1].stdout.readline()
        for writer in writers[:-1]:
            _, errors = writer.communicate(timeout=30)
            assert b"FencedOut" in errors, errors
    with Reader.open(path) as reader:
        assert {entry.id.split(".")[0] for entry in reader.entries()} == {"0", "1", "2", "3"}
        under_way = [entry.nonce for entry in reader.under_way()]
    assert len(under_way) >= 4
    assert len(under_way) == len(set(under_way))
