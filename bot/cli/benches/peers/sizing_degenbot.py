"""degenbot's half of ``mev bench market``: the best amount of every path through v2 pools, by its Rust core.

Takes a file of {"pools": [[address, token 0, token 1, reserve 0, reserve 1, fee numerator, denominator], …], "paths":
[[[pool's place, zero for one], …], …], "rounds": n}; prints the seconds and the seconds of CPU of the quickest round
and, of the paths that gain, [path's place, amount in, profit]. For degenbot 0.6: states are given to its core, no node
is asked.
"""

import json
import sys
import time

from degenbot._ffi import Bot
from degenbot.arbitrage import ArbitrageEngine

CHAIN, BLOCK = 1, 1
FACTORY = "0x" + "00" * 19 + "f0"


def main(path: str) -> None:
    with open(path, encoding="utf-8") as file:
        question = json.load(file)
    bot = Bot(CHAIN)
    pools = [register(bot, *pool) for pool in question["pools"]]
    engine = ArbitrageEngine(py_bot=bot)
    engine.set_profit_thresholds(0)
    places = {}
    for place, hops in enumerate(question["paths"]):
        number, new = engine.register_path([(pools[pool], zero_for_one) for pool, zero_for_one in hops])
        assert new
        places[number] = place
    wall, cpu = [], []
    for block in range(BLOCK, BLOCK + question["rounds"]):
        start, start_cpu = time.perf_counter(), time.process_time()
        engine.solve_all_paths(block)
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
    results, _ = engine.latest_results()
    found = [[places[number], amount, profit] for number, amount, profit, *_ in results]
    print(json.dumps({"seconds": min(wall), "cpu_seconds": min(cpu), "gaining": found}))


def register(bot: Bot, address: str, token0: str, token1: str, reserve0: int, reserve1: int, num: int, den: int) -> int:
    """Past the check that the address is its factory's: it is none's."""
    fees = num, den, num, den
    return bot.register_v2_pool_test_only(
        address, token0, token1, reserve0, reserve1, *fees, FACTORY, BLOCK, "uniswap-v2", False, None
    )


if __name__ == "__main__":
    main(sys.argv[1])
