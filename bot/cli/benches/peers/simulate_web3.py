"""web3.py asks a node for the same eth_call: prints the median in microseconds, and the answer."""

import json
import statistics
import sys
import time

from web3 import HTTPProvider, Web3

with open(sys.argv[1], encoding="utf-8") as file:
    question = json.load(file)
call, block, state = question["params"]
node = Web3(HTTPProvider(question["url"]))
addresses = {name: Web3.to_checksum_address(call[name]) for name in ("from", "to")}
fields = {"data": call["input"], **{name: int(call[name], 16) for name in ("gas", "gasPrice", "value")}, **addresses}
assumed = {Web3.to_checksum_address(address): change for address, change in state.items()}
taken = []
answer = b""
for _ in range(question["times"]):
    start = time.perf_counter()
    answer = node.eth.call(fields, block, assumed)
    taken.append(time.perf_counter() - start)
print(json.dumps({"p50_us": statistics.median(taken) * 1e6, "answer": "0x" + bytes(answer).hex()}))
