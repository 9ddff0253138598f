"""Balancer's Vault and every version of its pools from npm, in an in-process EVM, over tokens that let everything pass.

The tokens answer decimals() and say yes to every transfer, the authorizer yes to everybody, rate providers what they
are told: the Vault and the pools are the deployed code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyrevm
from eth_abi.abi import encode

from bot import abi
from bot.abi import call, selector
from bot.amm.balancer.vault import Holdings, unread
from bot.devnet.artifacts import Artifact
from bot.engine.types import Log

_TASKS = "@balancer-labs/v2-deployments/dist/tasks"
_OLD = f"{_TASKS}/deprecated"
VAULT = Artifact(f"{_TASKS}/20210418-vault/bytecode/Vault.json")
OWNER = "0x" + "11" * 20
AUTHORIZER, PROVIDER = "0x" + "a1" * 20, "0x" + "a2" * 20
FIRST_TIME = 1_700_000_000
SWAP = "swap((bytes32,uint8,address,address,uint256,bytes),(address,bool,address,bool),uint256,uint256)"

_YES = bytes.fromhex("60015f5260205ff3")  # 1, whatever the question
_RATE = bytes.fromhex("5f545f5260205ff3")  # slot 0


def token_code(decimals: int) -> bytes:
    """decimals() or true."""
    return bytes.fromhex("5f3560e01c63313ce56714601657" + _YES.hex() + f"5b60{decimals:02x}5f5260205ff3")


def initcode(artifact: Artifact) -> bytes:
    """As Artifact.initcode; the library that answers MetaStablePool's oracle queries is left out."""
    content = json.loads(artifact.file.read_text())
    code = str(content.get("bytecode") or content["creationCode"]).removeprefix("0x")
    return bytes.fromhex(re.sub(r"__\$\w+\$__", "00" * 20, code))


class Reverted(Exception):
    """The call reverted."""


@dataclass(frozen=True)
class Version:
    """A pool's creation code, and how its constructor's arguments are laid out."""

    artifact: Artifact
    form: str
    weighted: bool
    modern: bool  # since 2022: powers have shortcuts, the invariant is that of 2022


def _weighted(path: str, form: str, modern: bool) -> Version:
    return Version(Artifact(path), form, True, modern)


def _stable(path: str, form: str, modern: bool) -> Version:
    return Version(Artifact(path), form, False, modern)


VERSIONS = {
    "weighted-v1": _weighted(f"{_TASKS}/20210418-weighted-pool/bytecode/WeightedPool.json", "weighted", False),
    "weighted-2tokens": _weighted(f"{_TASKS}/20210418-weighted-pool/bytecode/WeightedPool2Tokens.json", "two", False),
    "weighted-v2": _weighted(f"{_TASKS}/20220908-weighted-pool-v2/bytecode/WeightedPool.json", "weighted-new", True),
    "weighted-v3": _weighted(f"{_TASKS}/20230206-weighted-pool-v3/artifact/WeightedPool.json", "weighted-ver", True),
    "stable-v1": _stable(f"{_OLD}/20210624-stable-pool/bytecode/StablePool.json", "stable", False),
    "stable-v2": _stable(f"{_OLD}/20220609-stable-pool-v2/artifact/StablePoolFactory.json", "factory", True),
    "meta": _stable(f"{_OLD}/20210727-meta-stable-pool/bytecode/MetaStablePool.json", "meta", False),
    "phantom": _stable(f"{_OLD}/20211208-stable-phantom-pool/bytecode/StablePhantomPool.json", "phantom", False),
    "composable-v1": _stable(
        f"{_TASKS}/20220906-composable-stable-pool/bytecode/ComposableStablePool.json", "new", True
    ),
    "composable-v3": _stable(
        f"{_TASKS}/20230206-composable-stable-pool-v3/artifact/ComposableStablePool.json", "ver", True
    ),
}


class BalancerWorld:
    """One Vault. ``time`` is the block's."""

    def __init__(self) -> None:
        self.evm = pyrevm.EVM(spec_id="Cancun", gas_limit=10**9)
        self.time, self.block = FIRST_TIME, 1
        self.at(FIRST_TIME)
        for address, code in ((AUTHORIZER, _YES), (PROVIDER, _YES)):
            self._place(address, code)
        arguments = encode(["address", "address", "uint256", "uint256"], [AUTHORIZER, AUTHORIZER, 0, 0])
        self.vault = self._create(initcode(VAULT) + arguments)
        self._made = 0

    def at(self, time: int) -> None:
        """The next block, at a time."""
        self.time, self.block = time, self.block + 1
        self.evm.set_block_env(pyrevm.BlockEnv(number=self.block, timestamp=time))

    def token(self, decimals: int) -> str:
        self._made += 1
        return self._place("0x" + f"{self._made:04x}".rjust(40, "d"), token_code(decimals))

    def provider(self, rate: int) -> str:
        self._made += 1
        address = self._place("0x" + f"{self._made:04x}".rjust(40, "e"), _RATE)
        self.set_rate(address, rate)
        return address

    def copy(self, source: str, target: str) -> None:
        """The code of a contract at another address."""
        self._place(target, bytes(self.evm.get_code(source)))

    def set_rate(self, provider: str, rate: int) -> None:
        self.evm.insert_account_storage(provider, 0, rate)

    def weighted(self, version: str, tokens: Sequence[str], weights: Sequence[int], fee: int) -> str:
        """The id of a new pool; the tokens are in order."""
        kind, n = VERSIONS[version], len(tokens)
        nobody = "0x" + "00" * 20
        if kind.form == "weighted":
            types = [
                "address",
                "string",
                "string",
                "address[]",
                "uint256[]",
                "uint256",
                "uint256",
                "uint256",
                "address",
            ]
            arguments = encode(types, [self.vault, "P", "P", tokens, weights, fee, 0, 0, OWNER])
        elif kind.form == "two":
            struct = "(address,string,string,address,address,uint256,uint256,uint256,uint256,uint256,bool,address)"
            values = (self.vault, "P", "P", *tokens, *weights, fee, 0, 0, True, OWNER)  # with its oracle
            arguments = encode([struct], [values])
        else:
            types = [
                "(string,string,address[],uint256[],address[],address[],uint256)",
                *("address", "address", "uint256", "uint256", "address"),
            ]
            nobodies = [nobody] * n
            values = [("P", "P", tokens, weights, nobodies, nobodies, fee), self.vault, PROVIDER, 0, 0, OWNER]
            if kind.form == "weighted-ver":
                types, values = [*types, "string"], [*values, "3"]
            arguments = encode(types, values)
        return self._id_of(self._create(initcode(kind.artifact) + arguments))

    def stable(
        self, version: str, tokens: Sequence[str], amp: int, fee: int, providers: Sequence[str], duration: int
    ) -> str:
        """The id of a new pool; ``providers`` are the zero address where a token has none."""
        kind, n = VERSIONS[version], len(tokens)
        durations = [duration] * n
        if kind.form == "factory":
            return self._id_of(self._by_factory(initcode(kind.artifact), tokens, amp, fee))
        head = "address,string,string,address[],address[],uint256[]"
        if kind.form == "stable":
            types = "address,string,string,address[],uint256,uint256,uint256,uint256,address"
            arguments = encode(types.split(","), [self.vault, "P", "P", tokens, amp, fee, 0, 0, OWNER])
        elif kind.form == "meta":
            types = f"({head},uint256,uint256,uint256,uint256,bool,address)"
            values = (self.vault, "P", "P", tokens, providers, durations, amp, fee, 0, 0, False, OWNER)
            arguments = encode([types], [values])
        elif kind.form == "phantom":
            types = f"({head},uint256,uint256,uint256,uint256,address)"
            arguments = encode([types], [(self.vault, "P", "P", tokens, providers, durations, amp, fee, 0, 0, OWNER)])
        else:
            types = f"address,{head},bool[],uint256,uint256,uint256,uint256,address"
            values = (self.vault, PROVIDER, "P", "P", tokens, providers, durations, [False] * n, amp, fee, 0, 0, OWNER)
            if kind.form == "ver":
                types, values = types + ",string", (*values, "3")
            arguments = encode([f"({types})"], [values])
        return self._id_of(self._create(initcode(kind.artifact) + arguments))

    def registered(self, pool_id: str) -> tuple[str, ...]:
        """The tokens that the Vault keeps for a pool, in its order."""
        data = self.send(OWNER, self.vault, call("getPoolTokens(bytes32)", abi.to_bytes(pool_id)))
        tokens = data[abi.uint(data) :]
        return tuple(abi.address(tokens, 1 + index) for index in range(abi.uint(tokens)))

    def fill(self, pool_id: str, balances: dict[str, tuple[int, int]]) -> Holdings:
        """Writes cash and managed balances into the Vault's storage, and checks that the Vault reads them so."""
        tokens = self.registered(pool_id)
        cash, managed = (tuple(balances[token][part] for token in tokens) for part in range(2))
        wanted = Holdings(self.vault, pool_id, tokens, cash, managed)
        for slot, word in wanted.words().items():
            self.evm.insert_account_storage(self.vault, slot, word)
        return wanted

    def told(self, pool_id: str) -> Holdings:
        """What the Vault's getter answers."""
        tokens = self.registered(pool_id)
        answers = [
            self.send(OWNER, self.vault, call("getPoolTokenInfo(bytes32,address)", abi.to_bytes(pool_id), token))
            for token in tokens
        ]
        cash, managed = (tuple(abi.uint(answer, part) for answer in answers) for part in range(2))
        return Holdings(self.vault, pool_id, tokens, cash, managed)

    def stored(self, pool_id: str) -> Holdings:
        """What the Vault's storage says."""
        empty = unread(self.vault, pool_id, self.registered(pool_id))
        return empty.from_words({slot: int(self.evm.storage(self.vault, slot)) for slot in empty.slots()})

    def swap(self, pool_id: str, given_out: bool, token_in: str, token_out: str, amount: int) -> tuple[int, list[Log]]:
        """The amount that the Vault calculates, and the logs. Raises Reverted."""
        types = ["(bytes32,uint8,address,address,uint256,bytes)", "(address,bool,address,bool)", "uint256", "uint256"]
        single = (abi.to_bytes(pool_id), int(given_out), token_in, token_out, amount, b"")
        limit = abi.MASK_256 if given_out else 0
        data = encode(types, [single, (OWNER, False, OWNER, False), limit, abi.MASK_256])
        answer = self.send(OWNER, self.vault, selector(SWAP) + data)
        return abi.uint(answer), self.logs()

    def send(self, sender: str, to: str, data: bytes) -> bytes:
        try:
            return bytes(self.evm.message_call(sender, to, data))
        except RuntimeError as error:
            raise Reverted(str(error)) from None

    def logs(self) -> list[Log]:
        """Of the last call, from whatever contract."""
        return [Log(log.address.lower(), tuple(log.topics), bytes(log.data[1])) for log in self.evm.result.logs]

    def _by_factory(self, code: bytes, tokens: Sequence[str], amp: int, fee: int) -> str:
        factory = self._create(code + encode(["address"], [self.vault]))
        types = ["string", "string", "address[]", "uint256", "uint256", "address"]
        data = encode(types, ["P", "P", tokens, amp, fee, OWNER])
        signature = "create(string,string,address[],uint256,uint256,address)"
        return abi.address(self.send(OWNER, factory, selector(signature) + data))

    def _id_of(self, pool: str) -> str:
        return abi.to_hex(self.send(OWNER, pool, call("getPoolId()")))

    def _create(self, code: bytes) -> str:
        try:
            return str(self.evm.deploy(OWNER, code)).lower()
        except RuntimeError as error:
            raise Reverted(str(error)) from None

    def _place(self, address: str, code: bytes) -> str:
        self.evm.insert_account_info(address, pyrevm.AccountInfo(code=code, nonce=1))
        return address
