"""What a cassette knows of the chain: its block with transactions, receipts and logs, and the hashes of blocks before.

The receipts are served only where they are the header's: their root is computed here, without any EVM.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

import rlp

from bot.abi import keccak, to_bytes, to_hex
from bot.simulation.cassette import Cassette
from bot.simulation.trie import ordered_root

PARENT_AGE = 12
BLOB_GAS = 1 << 17
"""A blob's (EIP-4844)."""


class Unrecorded(Exception):
    """The cassette does not hold it. The message names it."""


class History:
    """Answers questions about blocks, transactions, receipts and logs. Unless ``whole``, the block itself is not known:
    a fork that is to run it must not be told how it came out."""

    def __init__(self, cassette: Cassette, *, whole: bool) -> None:
        self._cassette, self._last = cassette, cassette.number if whole else cassette.number - 1
        self.methods: dict[str, Callable[..., Any]] = {
            "eth_getBlockByNumber": self._by_number,
            "eth_getBlockByHash": self._by_hash,
        }
        if not whole:
            return
        self.methods |= {
            "eth_getTransactionByHash": lambda wanted: self._transactions.get(wanted.lower()),
            "eth_getRawTransactionByHash": self._raw,
            "eth_getTransactionReceipt": lambda wanted: self._by_transaction.get(wanted.lower()),
            "eth_getBlockReceipts": self._block_receipts,
            "eth_getLogs": self._logs,
        }

    def number(self, block: Any) -> int:
        """Of the block that a tag, number or EIP-1898 object means; the head is the block of the state."""
        parent = self._cassette.number - 1
        if isinstance(block, Mapping):
            if "blockHash" not in block:
                return self.number(block["blockNumber"])
            return self._numbers.get(block["blockHash"].lower(), -1)
        return parent if block in ("latest", "pending", "safe", "finalized") else int(block, 16)

    @cached_property
    def _hashes(self) -> dict[int, str]:
        cassette = self._cassette
        known = {cassette.number - 1: cassette.parent_hash, cassette.number: cassette.block["hash"]}
        return {number: value for number, value in {**cassette.block_hashes, **known}.items() if number <= self._last}

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {block_hash.lower(): number for number, block_hash in self._hashes.items()}

    def _by_number(self, block: Any, full: bool = False) -> dict[str, Any] | None:
        """The recorded block; of those before it only number, hash and what follows from the block itself are known."""
        cassette, number = self._cassette, self.number(block)
        if number > self._last:
            return None
        if number not in self._hashes:
            raise Unrecorded(f"hash of block {number}")
        if number < cassette.number:
            return _stand_in(cassette, number, self._hashes[number])
        hashes = [transaction["hash"] for transaction in cassette.block["transactions"]]
        return cassette.block if full else {**cassette.block, "transactions": hashes}

    def _by_hash(self, block_hash: str, full: bool = False) -> dict[str, Any] | None:
        number = self._numbers.get(block_hash.lower())
        return None if number is None else self._by_number(hex(number), full)

    @cached_property
    def _transactions(self) -> dict[str, dict[str, Any]]:
        return {transaction["hash"]: transaction for transaction in self._cassette.block["transactions"]}

    def _raw(self, wanted: str) -> str | None:
        found = self._transactions.get(wanted.lower())
        return None if found is None else to_hex(self._cassette.raw_transactions[int(found["transactionIndex"], 16)])

    @cached_property
    def _receipts(self) -> list[dict[str, Any]]:
        """As a node gives them. Raises Unrecorded where they are not the header's."""
        receipts = self._cassette.receipts
        if receipts_root(receipts) != self._cassette.block["receiptsRoot"]:
            raise Unrecorded(f"receipts of block {self._cassette.number}")
        block, told, log_index = self._cassette.block, [], 0
        for transaction, receipt in zip(block["transactions"], receipts, strict=True):
            place = {name: transaction[name] for name in ("blockHash", "blockNumber", "transactionIndex")}
            place["transactionHash"] = transaction["hash"]
            logs = []
            for log in receipt["logs"]:
                logs.append({**log, **place, "logIndex": hex(log_index), "removed": False})
                log_index += 1
            whole = {**receipt, **place, "logs": logs, "logsBloom": to_hex(bloom(logs))}
            whole |= {"from": transaction["from"], "to": transaction["to"]}
            whole["effectiveGasPrice"] = hex(_price(transaction, int(block["baseFeePerGas"], 16)))
            if blobs := transaction.get("blobVersionedHashes"):
                whole["blobGasUsed"] = hex(BLOB_GAS * len(blobs))
            told.append(whole)
        return told

    @cached_property
    def _by_transaction(self) -> dict[str, dict[str, Any]]:
        return {receipt["transactionHash"]: receipt for receipt in self._receipts}

    def _block_receipts(self, block: Any) -> list[dict[str, Any]] | None:
        number = self._numbers.get(block.lower(), -1) if len(block) == 66 else self.number(block)
        if number > self._cassette.number or number == -1:
            return None
        if number < self._cassette.number:
            raise Unrecorded(f"receipts of block {number}")
        return self._receipts

    def _logs(self, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Of the recorded block alone; a range that begins before it needs logs that nobody recorded."""
        own = self._cassette.number
        first, last = (self.number(wanted.get(end) or "latest") for end in ("fromBlock", "toBlock"))
        if "blockHash" in wanted:
            first = last = self.number(wanted)
        if first < own and last >= first:
            raise Unrecorded(f"logs of block {first}" if first >= 0 else f"block {wanted['blockHash']}")
        if last < own or first > own:
            return []
        addresses = _words(wanted.get("address"))
        topics = [_words(topic) for topic in wanted.get("topics") or ()]
        return [log for receipt in self._receipts for log in receipt["logs"] if _matches(log, addresses, topics)]


def receipts_root(receipts: list[dict[str, Any]]) -> str:
    """Root of the trie of receipts (Yellow Paper, 4.4.1; EIP-2718), as a 0x string."""
    encoded = []
    for receipt in receipts:
        logs = [
            [to_bytes(log["address"]), [to_bytes(topic) for topic in log["topics"]], to_bytes(log["data"])]
            for log in receipt["logs"]
        ]
        gas = int(receipt["cumulativeGasUsed"], 16)
        payload = rlp.encode([int(receipt["status"], 16), gas, bloom(receipt["logs"]), logs])
        kind = int(receipt["type"], 16)
        encoded.append(bytes([kind]) + payload if kind else payload)
    return ordered_root(encoded)


def bloom(logs: Iterable[Mapping[str, Any]]) -> bytes:
    """The filter over addresses and topics: three bits each, out of 2,048 (Yellow Paper, 4.4.1)."""
    bits = 0
    for word in {word for log in logs for word in (log["address"], *log["topics"])}:
        digest = keccak(to_bytes(word))
        for place in (0, 2, 4):
            bits |= 1 << (int.from_bytes(digest[place : place + 2], "big") & 2047)
    return bits.to_bytes(256, "big")


def _price(transaction: Mapping[str, Any], base_fee: int) -> int:
    if "maxFeePerGas" not in transaction:
        return int(transaction["gasPrice"], 16)
    return min(int(transaction["maxFeePerGas"], 16), base_fee + int(transaction["maxPriorityFeePerGas"], 16))


def _words(wanted: Any) -> set[str] | None:
    """What a filter lets through; None is everything."""
    if wanted is None:
        return None
    return {word.lower() for word in ([wanted] if isinstance(wanted, str) else wanted)} or None


def _matches(log: Mapping[str, Any], addresses: set[str] | None, topics: list[set[str] | None]) -> bool:
    if addresses is not None and log["address"].lower() not in addresses:
        return False
    if len(topics) > len(log["topics"]):
        return False
    return all(wanted is None or topic in wanted for wanted, topic in zip(topics, log["topics"], strict=False))


def _stand_in(cassette: Cassette, number: int, block_hash: str) -> dict[str, Any]:
    """A header with the right number and hash; the rest is there because clients insist on it."""
    block = cassette.block
    zero = "0x" + "00" * 32
    header: dict[str, Any] = dict.fromkeys(
        ("parentHash", "stateRoot", "transactionsRoot", "receiptsRoot", "mixHash"), zero
    )
    header |= {name: block[name] for name in ("sha3Uncles", "gasLimit", "baseFeePerGas", "logsBloom")}
    header |= {name: block[name] for name in ("blobGasUsed", "excessBlobGas") if name in block}
    if "withdrawalsRoot" in block:
        header |= {"withdrawalsRoot": zero, "withdrawals": []}
    if "parentBeaconBlockRoot" in block:
        header["parentBeaconBlockRoot"] = zero
    return header | {
        "number": hex(number),
        "hash": block_hash,
        "timestamp": hex(int(block["timestamp"], 16) - PARENT_AGE * (cassette.number - number)),
        "miner": "0x" + "00" * 20,
        "difficulty": "0x0",
        "totalDifficulty": "0x0",
        "nonce": "0x0000000000000000",
        "extraData": "0x",
        "size": "0x0",
        "gasUsed": hex(int(block["gasLimit"], 16) // 2),  # half full: the base fee stays as it is
        "transactions": [],
        "uncles": [],
    }
