"""``mev bench growth``: how time and memory grow with the market, at 1,000, 10,000 and 50,000 pools.

A program too: ``python -m bot.cli.benches.growth RESULTS.json PICTURE.svg`` draws what ``mev bench growth --out``
wrote.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bot.chain import snapshot
from bot.chain.snapshot import Snapshot
from bot.cli.benches.growth_plot import plot
from bot.cli.benches.markets import HUBS, mixed_pools, v2_pools
from bot.cli.benches.result import Result
from bot.cli.benches.scan import LEAST, MOST, NOISE, REFINED, cpu_times, market_of, moved, token
from bot.engine.types import Header
from bot.market.market import Market
from bot.market.search import search
from bot.market.view import View
from bot.paths import repo_root

SIZES = (1_000, 10_000, 50_000)
SEED = 1
ROUNDS, CHANGES = 30, 1_000
GOALS = {"a file to a market": 2_000, "resident": 1_024}
"""At the largest."""
PAGE_KIB = 4

Figures = dict[str, tuple[str, float]]
"""By name: unit and figure."""


def run() -> list[Result]:
    """Each size in a process of its own, for the memory. ``peer_value`` is what it would be if the figure grew as the
    number of pools does, from the smallest on."""
    measured = {size: _in_a_process(size) for size in SIZES}
    first = measured[SIZES[0]]
    results = []
    for name in first:
        unit, smallest = first[name]
        power = exponent({size: figures[name][1] for size, figures in measured.items()})
        for size, figures in measured.items():
            goal = GOALS.get(name) if size == SIZES[-1] else None
            results.append(
                Result(
                    bench="growth",
                    name=f"{name}, {size:,} pools",
                    value=figures[name][1],
                    unit=unit,
                    peer="in proportion",
                    peer_value=smallest * size / SIZES[0],
                    checked=True,
                    goal=goal,
                    details={"exponent": round(power, 3), "pools": size},
                )
            )
    return results


def exponent(figures: Mapping[int, float]) -> float:
    """Of the power of the number of pools that fits best."""
    sizes, values = np.log(list(figures.keys())), np.log(list(figures.values()))
    return float(np.polyfit(sizes, values, 1)[0])


def _in_a_process(size: int) -> Figures:
    command = [sys.executable, "-m", __name__, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=repo_root())
    return {name: (unit, figure) for name, (unit, figure) in json.loads(done.stdout).items()}


def measure(size: int) -> Figures:
    """Of one market."""
    _scans(1_000, 3)  # compiles
    pools = v2_pools(size, SEED)
    start = time.thread_time_ns()
    market = market_of(pools, 4)
    adding = (time.thread_time_ns() - start) / 1e6
    dice = random.Random(SEED)
    least = {token(number): LEAST for number in range(HUBS)}
    views = [market.view.with_pools([moved(dice.choice(pools))]) for _ in range(CHANGES)]

    def refined(view: View) -> Any:
        return search(view, view.changed, least, beyond=True, most=MOST, refined=REFINED)

    market.arrays.open_cycles()
    changed = [taken / 1e3 for taken in cpu_times(refined, views)]
    return {
        "scan, ≤ 3 hops": ("ms", _scans(size, 3)),
        "scan, ≤ 4 hops": ("ms", _scans(size, 4)),
        "one changed pool, p50": ("µs", changed[len(changed) // 2]),
        "one changed pool, p99": ("µs", changed[int(len(changed) * 0.99)]),
        "all pools added": ("ms", adding),
        "a file to a market": ("ms", _from_file(size)),
        "resident": ("MiB", _resident_mib()),
    }


def _from_file(size: int) -> float:
    """Milliseconds of CPU from a market file, with ticks and all, to a market that is ready."""
    pools = mixed_pools(size)
    tokens = [token for token, _ in Counter(token for pool in pools for token in pool.tokens).most_common(HUBS)]
    head = Header(1, "0x01", "0x00", 0, 0, 30_000_000, 0, tokens[0])
    with TemporaryDirectory() as folder:
        file = Path(folder) / "market"
        snapshot.save(Snapshot(1, head, tokens[0], tuple(tokens), None, (), tuple(pools)), file)
        start = time.thread_time_ns()
        snapshot.load(file).market(4).arrays.open_cycles(())  # which readies the arrays and looks for nothing
        return (time.thread_time_ns() - start) / 1e6


def _scans(size: int, hops: int) -> float:
    """Milliseconds of CPU, the median, where some cycles gain."""
    market: Market = market_of(v2_pools(size, SEED, NOISE), hops)
    market.arrays.open_cycles()
    times = []
    for _ in range(ROUNDS):
        start = time.thread_time_ns()
        market.arrays.open_cycles()
        times.append(time.thread_time_ns() - start)
    return sorted(times)[ROUNDS // 2] / 1e6


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_KIB / 1024


def draw(results: list[dict[str, Any]]) -> str:
    """The picture, of results as ``mev bench --json`` has them."""
    lines: dict[str, dict[int, float]] = {}
    for result in results:
        if result["bench"] == "growth":
            name = result["name"].rsplit(", ", 1)[0]
            label = f"{name} ({result['unit']}, n^{result['details']['exponent']:.2f})"
            lines.setdefault(label, {})[int(result["details"]["pools"])] = float(result["value"])
    return plot("The market's growth", "pools", lines)


def main(words: list[str]) -> None:
    if len(words) == 1:
        print(json.dumps(measure(int(words[0]))))
    else:
        source, picture = words
        Path(picture).write_text(
            draw(json.loads(Path(source).read_text(encoding="utf-8"))["results"]), encoding="utf-8"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
