"""Mutation run: small faults are put into the contracts, one at a time; a test of tests/forge must fail for each.

    python scripts/mutate.py [--seconds N] [--sample N] [--seed N] [--workers N] [--only TEXT] [--again] [--json]

The mutants are the same for the same sources, and come in an order that the seed decides: a run for N seconds, or of
the first N, is a sample of all. What a run finds out is kept in .build/mutants until a contract or a test changes, so
the next one goes on. A mutant is compiled by itself, by one compiler that stays up, with a shorter sequence of the
optimizer than foundry.toml has (which takes a third of the time), and its code laid in place of the artifact that the
tests deploy; first come the quick tests, then all. The sources are not touched.

Of a mutant with the same code as the original nobody can tell anything; it is not counted. Nor is one that does the
same by other code: docs/mutation.md explains it, in a row of the table that begins with its name, eight digits that
hold the file, the line's text and the change. Exit status: 0; 1 when less than 95 % of the others were killed; 2 when
there is nothing to measure.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.path[0] = sys.path[0].removesuffix("/scripts")  # whose operator.py is a command for ape and not Python's module

import argparse
import json
import os
import queue
import random
import shutil
import threading
import time
from typing import Any

from scripts._shared.mutant_bench import WORK, Worker, digest
from scripts._shared.mutants import ROOT, Mutant, mutants

EXPLAINED = ROOT / "docs" / "mutation.md"
GOAL = 0.95


class Results:
    """What earlier runs found out about these sources, and this one adds."""

    def __init__(self, digest: str, again: bool) -> None:
        self.path = WORK / "results.json"
        self.digest = digest
        self.known: dict[str, str] = {}
        if self.path.exists() and not again:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            if kept["digest"] == digest:
                self.known = kept["results"]

    @staticmethod
    def key(mutant: Mutant) -> str:
        return f"{mutant.file}:{mutant.start}:{mutant.end}:{mutant.text}"

    def add(self, mutant: Mutant, result: str) -> None:
        self.known[self.key(mutant)] = result
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps({"digest": self.digest, "results": self.known}), encoding="utf-8")
        beside.replace(self.path)


# --- the run ---------------------------------------------------------------------------------------------------------


def main() -> int:
    options = arguments()
    now = digest()
    WORK.mkdir(parents=True, exist_ok=True)
    results = Results(now, options.again)
    order = sorted(mutants(), key=lambda m: (m.file, m.start, m.end, m.text))
    random.Random(options.seed).shuffle(order)
    if options.only:
        order = [m for m in order if options.only in f"{m.file}:{m.line} {m.name}"]
    sample = order[: options.sample] if options.sample else order
    waiting = [m for m in sample if Results.key(m) not in results.known]
    if waiting:
        run(waiting, results, options, len(sample))
    return report(sample, len(order), results, options)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Mutation run of the contracts against tests/forge.")
    parser.add_argument("--seconds", type=float, help="end after so many; the next run goes on")
    parser.add_argument("--sample", type=int, help="only the first so many, in the seed's order")
    parser.add_argument("--seed", type=int, default=1, help="decides the order (1)")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--only", help="mutants whose file:line and name hold this text")
    parser.add_argument("--again", action="store_true", help="forget what earlier runs found out")
    parser.add_argument("--json", action="store_true", help="the result as JSON on stdout")
    return parser.parse_args()


def run(waiting: list[Mutant], results: Results, options: argparse.Namespace, total: int) -> None:
    if not shutil.which("forge") or not shutil.which("node"):
        raise SystemExit("mutate: forge and node must be on PATH: run `make setup`, and see the Makefile")
    tasks: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    for mutant in waiting:
        tasks.put(mutant)
    workers = [Worker(number, results.digest) for number in range(options.workers)]
    lock = threading.Lock()
    failures: list[BaseException] = []
    start = time.monotonic()

    def over() -> bool:
        return bool(failures) or (options.seconds is not None and time.monotonic() - start > options.seconds)

    def work(worker: Worker) -> None:
        try:
            worker.prepare()
            while not over():
                mutant = tasks.get_nowait()
                result = worker.result(mutant)
                with lock:
                    results.add(mutant, result)
                    done = total - tasks.qsize()
                    print(f"[{done}/{total}] {result:8} {mutant.file}:{mutant.line} {mutant.after}", file=sys.stderr)
        except queue.Empty:
            pass
        except BaseException as failure:  # shown by the main thread
            failures.append(failure)
        finally:
            worker.compiler.process.terminate()

    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def report(sample: list[Mutant], total: int, results: Results, options: argparse.Namespace) -> int:
    by_result: dict[str, list[Mutant]] = {"killed": [], "survived": [], "same": [], "invalid": []}
    for mutant in sample:
        if result := results.known.get(Results.key(mutant)):
            by_result[result].append(mutant)
    table = EXPLAINED.read_text(encoding="utf-8") if EXPLAINED.exists() else ""
    explained = [m for m in by_result["survived"] if f"| {m.name} |" in table]
    open_ = [m for m in by_result["survived"] if m not in explained]
    measured = len(by_result["killed"]) + len(by_result["survived"])
    score = len(by_result["killed"]) / (measured - len(explained)) if measured > len(explained) else 0.0
    figures: dict[str, Any] = {
        "mutants": total,
        "run": sum(map(len, by_result.values())),
        **{result: len(found) for result, found in by_result.items()},
        "explained": len(explained),
        "score": round(score, 4),
        "seed": options.seed,
        "survivors": [
            {"name": m.name, "place": f"{m.file}:{m.line}", "kind": m.kind, "before": m.before, "after": m.after}
            for m in sorted(open_, key=lambda m: (m.file, m.start))
        ],
    }
    if options.json:
        print(json.dumps(figures, indent=1))
    else:
        for survivor in figures["survivors"]:
            print(f"{survivor['name']} {survivor['place']} ({survivor['kind']})")
            print(f"    {survivor['before']}\n    {survivor['after']}")
        print(
            f"{figures['run']} of {total} mutants: {figures['killed']} killed, {figures['survived']} survived "
            f"({len(explained)} of them explained), {figures['same']} with the same code, {figures['invalid']} that do "
            f"not compile. Killed of those not explained: {score:.1%}."
        )
    if not measured:
        return 2
    return 0 if score >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
