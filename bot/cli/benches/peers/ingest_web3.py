"""The peer of ``mev bench ingest``: the same messages by web3.py and eth-abi, as their users write it.

Run by the interpreter of .build/peers/venv with a file of {"logs": messages, "pending": messages}. Prints JSON:
for each the seconds of one core (the quicker of two rounds), and for each message what it was decoded to.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eth_abi.abi import decode
from web3 import Web3
from web3._utils.method_formatters import log_entry_formatter, transaction_result_formatter
from web3.datastructures import AttributeDict

w3 = Web3()


def field(kind: str, name: str = "", indexed: bool | None = None) -> dict[str, Any]:
    """A parameter in an ABI; a tuple's components are written out in its type."""
    result: dict[str, Any] = {"name": name, "type": kind}
    if kind.startswith("("):
        parts = kind[1:-1].split(",")
        result = {"name": name, "type": "tuple", "components": [field(p, f"f{n}") for n, p in enumerate(parts)]}
    return result if indexed is None else {**result, "indexed": indexed}


def function(name: str, *kinds: str) -> dict[str, Any]:
    """A function in an ABI, its arguments named a0, a1, …"""
    inputs = [field(kind, f"a{n}") for n, kind in enumerate(kinds)]
    return {"type": "function", "name": name, "inputs": inputs, "outputs": [], "stateMutability": "payable"}


# --- logs -------------------------------------------------------------------------------------------------------------

PAIR = [
    {
        "type": "event",
        "name": "Sync",
        "anonymous": False,
        "inputs": [field("uint112", "reserve0", False), field("uint112", "reserve1", False)],
    }
]
POOL = [
    {
        "type": "event",
        "name": "Swap",
        "anonymous": False,
        "inputs": [
            field("address", "sender", True),
            field("address", "recipient", True),
            field("int256", "amount0", False),
            field("int256", "amount1", False),
            field("uint160", "sqrtPriceX96", False),
            field("uint128", "liquidity", False),
            field("int24", "tick", False),
        ],
    }
]
sync, swap = w3.eth.contract(abi=PAIR).events.Sync(), w3.eth.contract(abi=POOL).events.Swap()
SYNC = bytes(w3.keccak(text="Sync(uint112,uint112)"))
SWAP = bytes(w3.keccak(text="Swap(address,address,int256,int256,uint160,uint128,int24)"))


def state(message: str, pools: dict[str, list[int]]) -> list[int]:
    """Of the pool that a log is about, after it."""
    entry = AttributeDict.recursive(log_entry_formatter(json.loads(message)["params"]["result"]))
    topic = bytes(entry["topics"][0])
    if topic == SYNC:
        args = sync.process_log(entry)["args"]
        after = [args["reserve0"], args["reserve1"]]
    elif topic == SWAP:
        args = swap.process_log(entry)["args"]
        after = [args["sqrtPriceX96"], args["liquidity"], args["tick"]]
    else:
        raise ValueError(topic)
    pools[entry["address"]] = after
    return after


# --- pending transactions ---------------------------------------------------------------------------------------------

FIVE = ("uint256", "uint256", "address[]", "address", "uint256")
FOUR = ("uint256", "address[]", "address", "uint256")
SINGLE = "(address,address,uint24,address,uint256,uint256,uint160)"
ROUTERS = {
    "0x7a250d5630b4cf539739df2c5dacb4c659f2488d": [
        function("swapExactTokensForTokens", *FIVE),
        function("swapTokensForExactTokens", *FIVE),
        function("swapExactTokensForETHSupportingFeeOnTransferTokens", *FIVE),
        function("swapExactETHForTokens", *FOUR),
        function("swapETHForExactTokens", *FOUR),
    ],
    "0x68b3465833fb72a70ecdf485e0e4c7bd8665fc45": [
        function("exactInputSingle", SINGLE),
        function("exactOutputSingle", SINGLE),
        function("exactInput", "(bytes,address,uint256,uint256)"),
        function("exactOutput", "(bytes,address,uint256,uint256)"),
        function("multicall", "uint256", "bytes[]"),
    ],
    "0x66a9893cc07d91d95644aedd05d03f95e1dba8af": [function("execute", "bytes", "bytes[]", "uint256")],
}
contracts = {
    Web3.to_checksum_address(address): w3.eth.contract(Web3.to_checksum_address(address), abi=abi)
    for address, abi in ROUTERS.items()
}
Swap = list[Any]
"""Protocol, tokens, pools, whether the input is exact, amount, limit."""


def swaps(message: str) -> list[Swap]:
    """Of one pending transaction."""
    tx = AttributeDict.recursive(transaction_result_formatter(json.loads(message)["params"]["result"]))
    contract = contracts.get(tx["to"])
    return [] if contract is None else call(contract, tx["input"], tx["value"])


def call(contract: Any, data: bytes, value: int) -> list[Swap]:
    """Of a call of a router."""
    chosen, args = contract.decode_function_input(data)
    name, values = chosen.fn_name, list(args.values())
    if name == "multicall":
        return [found for inner in values[1] for found in call(contract, inner, value)]
    if name == "execute":
        return [found for command, given in zip(*values[:2], strict=True) for found in step(command, given)]
    if name.startswith("exact"):
        return v3_call(name.startswith("exactInput"), list(values[0].values()))
    path, exact_in = lower(values[-3]), name.startswith("swapExact")
    amount, limit = values[:2]
    if name == "swapExactETHForTokens":
        amount, limit = value, values[0]
    elif name == "swapETHForExactTokens":
        amount, limit = values[0], value
    return [["v2", path, [[]] * (len(path) - 1), exact_in, amount, limit]]


def v3_call(exact_in: bool, fields: list[Any]) -> list[Swap]:
    """Of the fields of exactInput and its like."""
    if len(fields) == 4:
        return [packed(fields[0], exact_in, fields[2], fields[3])]
    return [["v3", lower(fields[:2]), [[fields[2]]], exact_in, fields[4], fields[5]]]


def step(command: int, given: bytes) -> list[Swap]:
    """Of one of the Universal Router's commands."""
    if command in (0, 1):
        _, amount, limit, path, _ = decode(["address", "uint256", "uint256", "bytes", "bool"], given)
        return [packed(path, command == 0, amount, limit)]
    if command in (8, 9):
        _, amount, limit, path, _ = decode(["address", "uint256", "uint256", "address[]", "bool"], given)
        return [["v2", list(path), [[]] * (len(path) - 1), command == 8, amount, limit]]
    found = []
    if command == 16:
        for action, params in zip(*decode(["bytes", "bytes[]"], given), strict=True):
            if action in (6, 8):
                kind = "((address,address,uint24,int24,address),bool,uint128,uint128,bytes)"
                ((key, zero_for_one, amount, limit, _),) = decode([kind], params)
                tokens = list(key[:2] if zero_for_one else key[1::-1])
                found.append(["v4", tokens, [list(key[2:])], action == 6, amount, limit])
    return found


def packed(path: bytes, exact_in: bool, amount: int, limit: int) -> Swap:
    """A swap along a packed path, which leads back to the input where the output is exact."""
    tokens = ["0x" + path[at : at + 20].hex() for at in range(0, len(path), 23)]
    fees = [[int.from_bytes(path[at : at + 3], "big")] for at in range(20, len(path), 23)]
    if not exact_in:
        tokens.reverse()
        fees.reverse()
    return ["v3", tokens, fees, exact_in, amount, limit]


def lower(addresses: Any) -> list[str]:
    return [address.lower() for address in addresses]


def measure(work: Callable[[], list[Any]]) -> dict[str, Any]:
    """Seconds of one core that the quicker of two rounds took, and what it gave."""
    seconds = []
    values: list[Any] = []
    for _ in range(2):
        start = time.process_time()
        values = work()
        seconds.append(time.process_time() - start)
    return {"seconds": min(seconds), "values": values}


def main() -> None:
    """Both measurements, as JSON."""
    question = json.loads(Path(sys.argv[1]).read_text())
    logs, pending = question["logs"], question["pending"]
    answer = {
        "logs": measure(lambda: (lambda pools: [state(message, pools) for message in logs])({})),
        "pending": measure(lambda: [swaps(message) for message in pending]),
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
