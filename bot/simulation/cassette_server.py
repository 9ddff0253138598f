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
from bot.simulation.recorded_history import History, Unrecorded
from bot.simulation.server_process import ServerProcess, serve

PLAIN_SLOTS = 256
"""Mapping positions tried for a fresh account: declared variables, in Solidity's and in Vyper's order."""
ERC7201_ERC20 = 0x52C63247E1F47DB19D5CE0460030C497F067CA4CEBF71BA98EEADABE20BACE00
"""OpenZeppelin 5 upgradeable, ERC20Upgradeable.sol: balances here, allowances one further."""
SOLADY_BALANCE_SEED = 0x87A211A2
"""Solady, ERC20.sol: balance slot = keccak(owner ‖ 8 zero bytes ‖ seed)."""
ALLOWANCE_SLOTS = 16
UNKNOWN = -32004
"""Code of the error for what is not recorded."""
PARSE_ERROR, NO_METHOD, BAD_PARAMS = -32700, -32601, -32602  # JSON-RPC 2.0, 5.1

UNMODIFIED, WHOLE = "unmodified", "whole"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class CassetteServer(ServerProcess):
    """``with CassetteServer(path, fresh) as url:`` serves the cassette on loopback for that block.

    ``unmodified`` says that only the recorded block itself will run: an account whose code was not recorded ran none
    in it, so it answers as one without code. ``whole`` says that the block itself is known too.
    """

    def __init__(self, path: Path, fresh: Iterable[str] = (), *, unmodified: bool = False, whole: bool = False) -> None:
        modes = f"{UNMODIFIED if unmodified else ''},{WHOLE if whole else ''}"
        super().__init__("cassette", __name__, [str(path.resolve()), modes, *fresh])


class Answers:
    """Answers calls from a cassette: its head is the block before, whose state it has."""

    def __init__(
        self, cassette: Cassette, fresh: Iterable[str] = (), *, unmodified: bool = False, whole: bool = False
    ) -> None:
        self._cassette = cassette
        self._history = History(cassette, whole=whole)
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
            "eth_getBalance": self._at_parent(lambda address: self._account(address).balance),
            "eth_getTransactionCount": self._at_parent(lambda address: self._account(address).nonce),
            "eth_getCode": self._at_parent(self._code),
            "eth_getAccountInfo": self._at_parent(self._info),
            "eth_getStorageAt": self._at_parent(self._slot, words=2),
            **self._history.methods,
        }

    def answer(self, body: bytes) -> bytes:
        """The answer to the body of a request, or of a batch."""
        try:
            request = _decode(body)
        except msgspec.DecodeError:
            return _encode(_error(None, PARSE_ERROR, "the request is not JSON"))
        if isinstance(request, list):
            return _encode([self._one(part) for part in request])
        return _encode(self._one(request))

    def _one(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            name, number = request["method"], request.get("id")
        except (TypeError, KeyError):
            return _error(None, PARSE_ERROR, "the request names no method")
        method = self._methods.get(name)
        if method is None:
            return _error(number, NO_METHOD, f"no method {name} in a cassette: ask a fork of it (mev fork up)")
        try:
            return {"jsonrpc": "2.0", "id": number, "result": method(*(request.get("params") or ()))}
        except Unrecorded as error:
            return _error(number, UNKNOWN, f"not recorded in the cassette: {error}")
        except (TypeError, ValueError, LookupError, AttributeError):
            return _error(number, BAD_PARAMS, f"{name} does not go with these parameters")

    def _at_parent(self, ask: Callable[..., Any], words: int = 1) -> Callable[..., Any]:
        """``ask``, with the block of the question behind its words: it has to be the one whose state this is."""

        def method(*params: Any) -> Any:
            block = params[words] if len(params) > words else "latest"
            parent = self._cassette.number - 1
            if self._history.number(block) != parent:
                raise Unrecorded(f"state at block {block}, only that of block {parent}")
            return ask(*params[:words])

        return method

    def _account(self, address: str) -> RecordedAccount:
        address = address.lower()
        account = self._cassette.accounts.get(address)
        if account is not None:
            return account
        if address in self._fresh or int(address, 16) <= 0x100:  # precompiles have no state
            return RecordedAccount()
        raise Unrecorded(f"account {address}")

    def _info(self, address: str) -> dict[str, str]:
        """Anvil's three questions in one."""
        account = self._account(address)
        return {"balance": account.balance, "nonce": account.nonce, "code": self._code(address)}

    def _code(self, address: str) -> str:
        code = self._cassette.code(self._account(address))
        if code is None and self._unmodified:
            return "0x"
        if code is None:
            raise Unrecorded(f"code of {address.lower()}")
        return code

    def _slot(self, address: str, slot: str) -> str:
        address, number = address.lower(), int(slot, 16)
        value = self._storage.get(address, {}).get(number)
        if value is None:
            if address not in self._fresh and number not in self._zero and not self._empty(address):
                raise Unrecorded(f"slot 0x{number:x} of {address}")
            value = 0
        return f"0x{value:064x}"

    def _empty(self, address: str) -> bool:
        """Whether an account was never a contract (its first code, or its creator, would have counted its nonce up):
        all of its storage is zero, also when the block deploys one there."""
        account = self._account(address)
        return account.nonexistent or (account.codeHash == EMPTY_CODE and int(account.nonce, 16) == 0)


def _error(number: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}


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
    file, modes, *created = sys.argv[1:]
    options = {name: name in modes.split(",") for name in (UNMODIFIED, WHOLE)}
    answers = Answers(load(Path(file), check=False), created, **options)
    asyncio.run(serve(answers.answer))
