"""A JSON-RPC node that knows one cassette and nothing else: what anvil and pyrevm fork from.

It runs in its own process, because pyrevm holds the GIL while it reads. What the cassette does not hold is an error
that names it, never zero. Zero is right only for accounts created in the run: ``fresh`` addresses are absent, and
their entries in token mappings are zero.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from bot.abi import encode, keccak, to_bytes
from bot.simulation.cassette import EMPTY_CODE, Cassette, RecordedAccount, load
from bot.simulation.server_process import ServerProcess, serve

PLAIN_SLOTS = 256
"""Mapping positions tried for a fresh account: declared variables, in Solidity's and in Vyper's order."""
ERC7201_ERC20 = 0x52C63247E1F47DB19D5CE0460030C497F067CA4CEBF71BA98EEADABE20BACE00
"""OpenZeppelin 5 upgradeable, ERC20Upgradeable.sol: balances here, allowances one further."""
SOLADY_BALANCE_SEED = 0x87A211A2
"""Solady, ERC20.sol: balance slot = keccak(owner ‖ 8 zero bytes ‖ seed)."""
ALLOWANCE_SLOTS = 16
UNKNOWN = -32004
PARENT_AGE = 12

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class _Unrecorded(Exception):
    pass


class CassetteServer(ServerProcess):
    """``with CassetteServer(path, fresh) as url:`` serves the cassette on loopback for that block.

    ``unmodified`` says that only the recorded block itself will run: an account whose code was not recorded ran none
    in it, so it answers as one without code.
    """

    def __init__(self, path: Path, fresh: Iterable[str] = (), *, unmodified: bool = False) -> None:
        mode = "unmodified" if unmodified else "open"
        super().__init__("cassette", __name__, [str(path.resolve()), mode, *fresh])


class Answers:
    """Answers calls from a cassette."""

    def __init__(self, cassette: Cassette, fresh: Iterable[str] = (), *, unmodified: bool = False) -> None:
        self._cassette = cassette
        self._unmodified = unmodified
        self._fresh = {address.lower() for address in fresh}
        self._zero = frozenset(_mapping_slots(self._fresh, cassette))
        self._storage = {
            address: {int(slot, 16): int(value, 16) for slot, value in account.storage.items()}
            for address, account in cassette.accounts.items()
        }
        self._methods: dict[str, Callable[..., Any]] = {
            "eth_chainId": lambda: hex(cassette.chain_id),
            "net_version": lambda: str(cassette.chain_id),
            "web3_clientVersion": lambda: "mevkit-cassette/1",
            "eth_blockNumber": lambda: hex(cassette.number - 1),
            "eth_gasPrice": lambda: cassette.block["baseFeePerGas"],
            "eth_getBalance": lambda address, *_: self._account(address).balance,
            "eth_getTransactionCount": lambda address, *_: self._account(address).nonce,
            "eth_getCode": lambda address, *_: self._code(address),
            "eth_getAccountInfo": lambda address, *_: self._info(address),
            "eth_getStorageAt": lambda address, slot, *_: self._slot(address, slot),
            "eth_getBlockByNumber": lambda number, *_: self._block(number),
        }

    def answer(self, body: bytes) -> bytes:
        """The answer to the body of a request, or of a batch."""
        request = _decode(body)
        if isinstance(request, list):
            return _encode([self._one(part) for part in request])
        return _encode(self._one(request))

    def _one(self, request: dict[str, Any]) -> dict[str, Any]:
        method = self._methods.get(request["method"])
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request.get("id")}
        if method is None:
            return answer | {"error": {"code": -32601, "message": f"no method {request['method']} in a cassette"}}
        try:
            return answer | {"result": method(*request.get("params", ()))}
        except _Unrecorded as error:
            return answer | {"error": {"code": UNKNOWN, "message": f"not recorded in the cassette: {error}"}}

    def _account(self, address: str) -> RecordedAccount:
        address = address.lower()
        account = self._cassette.accounts.get(address)
        if account is not None:
            return account
        if address in self._fresh or int(address, 16) <= 0x100:  # precompiles have no state
            return RecordedAccount()
        raise _Unrecorded(f"account {address}")

    def _info(self, address: str) -> dict[str, str]:
        """Anvil's three questions in one."""
        account = self._account(address)
        return {"balance": account.balance, "nonce": account.nonce, "code": self._code(address)}

    def _code(self, address: str) -> str:
        code = self._cassette.code(self._account(address))
        if code is None and self._unmodified:
            return "0x"
        if code is None:
            raise _Unrecorded(f"code of {address.lower()}")
        return code

    def _slot(self, address: str, slot: str) -> str:
        address, number = address.lower(), int(slot, 16)
        value = self._storage.get(address, {}).get(number)
        if value is None:
            if address not in self._fresh and number not in self._zero and not self._empty(address):
                raise _Unrecorded(f"slot 0x{number:x} of {address}")
            value = 0
        return f"0x{value:064x}"

    def _empty(self, address: str) -> bool:
        """Whether an account was never a contract (its first code, or its creator, would have counted its nonce up):
        all of its storage is zero, also when the block deploys one there."""
        account = self._account(address)
        return account.nonexistent or (account.codeHash == EMPTY_CODE and int(account.nonce, 16) == 0)

    def _block(self, number: str) -> dict[str, Any]:
        """The parent, of which only number, hash and what follows from the block itself are known; or just a hash."""
        parent = self._cassette.number - 1
        wanted = parent if number in ("latest", "pending", "safe", "finalized") else int(number, 16)
        known = {**self._cassette.block_hashes, parent: self._cassette.parent_hash}
        if wanted not in known:
            raise _Unrecorded(f"hash of block {wanted}")
        return _stand_in(self._cassette, wanted, known[wanted])


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


def _mapping_slots(fresh: Iterable[str], cassette: Cassette) -> Iterable[int]:
    """Slots of mappings keyed by a fresh account, first or second (allowances), in the layouts that tokens use."""
    positions = [*range(PLAIN_SLOTS), ERC7201_ERC20, ERC7201_ERC20 + 1]
    others = [encode(address) for address, account in cassette.accounts.items() if cassette.code(account) != "0x"]
    for address in fresh:
        key = encode(address)
        for position in positions:
            place = encode(position)
            for inner in (keccak(key + place), keccak(place + key)):
                yield int.from_bytes(inner, "big")
        yield int.from_bytes(keccak(to_bytes(address) + encode(SOLADY_BALANCE_SEED)[-12:]), "big")
        for position in (*range(ALLOWANCE_SLOTS), ERC7201_ERC20 + 1):
            mine = keccak(key + encode(position))
            for other in others:
                yield int.from_bytes(keccak(other + mine), "big")
                yield int.from_bytes(keccak(key + keccak(other + encode(position))), "big")


if __name__ == "__main__":
    file, mode, *created = sys.argv[1:]
    answers = Answers(load(Path(file), check=False), created, unmodified=mode == "unmodified")
    asyncio.run(serve(answers.answer))
