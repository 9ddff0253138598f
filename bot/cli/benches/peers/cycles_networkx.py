"""networkx's half of ``mev bench market``: every simple cycle of a market up to a length, and which of them gain.

Takes a file of {"edges": [[token in, token out, log rate], …], "hops": most, "rounds": n} with the best rate of each
pair of tokens; prints the seconds of the quickest round, the number of cycles, and those that gain.
"""

import json
import sys
import time

import networkx as nx


def main(path: str) -> None:
    with open(path, encoding="utf-8") as file:
        question = json.load(file)
    graph = nx.DiGraph()
    graph.add_weighted_edges_from(question["edges"])
    best = None
    for _ in range(question["rounds"]):
        start = time.perf_counter()
        count, gaining = scan(graph, question["hops"])
        took = time.perf_counter() - start
        best = took if best is None else min(best, took)
    print(json.dumps({"seconds": best, "cycles": count, "gaining": gaining}))


def scan(graph: nx.DiGraph, hops: int) -> tuple[int, list[list[int]]]:
    rates = {(u, v): rate for u, v, rate in graph.edges(data="weight")}
    count, gaining = 0, []
    for cycle in nx.simple_cycles(graph, length_bound=hops):
        count += 1
        if sum(rates[u, v] for u, v in zip(cycle, cycle[1:] + cycle[:1], strict=True)) > 1e-12:
            gaining.append(cycle)
    return count, gaining


if __name__ == "__main__":
    main(sys.argv[1])
