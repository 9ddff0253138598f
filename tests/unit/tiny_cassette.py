"""A tiny cassette made from nothing."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import rlp
from eth_utils.crypto import keccak

from bot.abi import to_bytes, to_hex
from bot.simulation.cassette import HEADER_FIELDS, NUMBERS
from bot.simulation.trie import ordered_root

CODE = "0x6001600101"


def tiny() -> dict[str, Any]:
    """A cassette of a block without transactions; every hash in it is right."""
    zero = "0x" + "00" * 32
    block: dict[str, Any] = {name: "0x1" if name in NUMBERS else zero for name in HEADER_FIELDS[:16]}
    block |= {"miner": "0x" + "11" * 20, "nonce": "0x" + "00" * 8, "logsBloom": "0x" + "00" * 256}
    block |= {"number": "0x10", "gasLimit": "0x1c9c380", "transactions": [], "transactionsRoot": ordered_root([])}
    fields = [int(block[n], 16) if n in NUMBERS else to_bytes(block[n]) for n in HEADER_FIELDS[:16]]
    block["hash"] = to_hex(keccak(rlp.encode(fields)))
    return {
        "format": "fork-cassette/1",
        "chainId": 1,
        "hardfork": "london",
        "parent": {"number": "0xf", "hash": zero},
        "block": block,
        "rawTransactions": [],
        "accounts": {
            "0x" + "aa" * 20: {
                "nonce": "0x1",
                "balance": "0x5",
                "codeHash": to_hex(keccak(to_bytes(CODE))),
                "storage": {"0x0": "0x7"},
            },
            "0x" + "bb" * 20: {"nonce": "0x0", "balance": "0x9", "codeHash": None, "storage": {}},
        },
        "codes": {to_hex(keccak(to_bytes(CODE))): CODE},
        "blockHashes": {"0xe": "0x" + "0e" * 32},
    }


def write(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / "16.json.gz"
    path.write_bytes(gzip.compress(json.dumps(content).encode()))
    return path
