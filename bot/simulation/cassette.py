"""A cassette: one real block with every account, code and slot that it touched, in one file (``fork-cassette/1``)."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import rlp

from bot.abi import keccak, to_bytes, to_hex
from bot.errors import UserError
from bot.simulation.trie import ordered_root
from bot.simulation.types import BlockContext, Call

FORMAT = "fork-cassette/1"
EMPTY_CODE = to_hex(keccak(b""))

HEADER_FIELDS = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom"),
    *("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce"),
    *("baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash"),
)
"""In the order of their encoding; the second half came with London, Shanghai, Cancun (three) and Prague."""
NUMBERS = frozenset(
    ("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "blobGasUsed", "excessBlobGas")
)


class RecordedAccount(msgspec.Struct, frozen=True):
    """State of one account before the block, as the file has it. Quantities are 0x strings.

    ``codeHash`` is null where the account was paid without its code being run: its code is not known.
    """

    nonce: str = "0x0"
    balance: str = "0x0"
    codeHash: str | None = EMPTY_CODE
    storage: dict[str, str] = {}
    nonexistent: bool = False


class _Parent(msgspec.Struct, frozen=True):
    number: str
    hash: str


class _File(msgspec.Struct, frozen=True):
    format: str
    chainId: int
    hardfork: str
    parent: _Parent
    block: dict[str, Any]
    rawTransactions: list[str]
    accounts: dict[str, RecordedAccount]
    codes: dict[str, str]
    blockHashes: dict[str, str]
    source: str = ""
    replayReceipts: msgspec.Raw = msgspec.Raw(b"[]")
    verified: dict[str, Any] = {}


class _Format(msgspec.Struct, frozen=True):
    format: str = ""


@dataclass(frozen=True)
class Cassette:
    """What a file holds, checked. ``block`` is the header as eth_getBlockByNumber gives it."""

    path: Path
    chain_id: int
    hardfork: str
    parent_hash: str
    block: dict[str, Any]
    raw_transactions: tuple[bytes, ...]
    accounts: dict[str, RecordedAccount]
    codes: dict[str, str]
    block_hashes: dict[int, str]
    receipts_json: bytes = b"[]"

    @property
    def receipts(self) -> list[dict[str, Any]]:
        """As the block's own run gave them: status, gas and logs. Nothing here says that they are right."""
        receipts: list[dict[str, Any]] = msgspec.json.decode(self.receipts_json)
        return receipts

    @property
    def number(self) -> int:
        """Of the block; the state is the one after the block before."""
        return int(self.block["number"], 16)

    @cached_property
    def senders(self) -> tuple[str, ...]:
        """Who signed each transaction."""
        from eth_account import Account as EthAccount  # slow to import, and the server needs none

        return tuple(EthAccount.recover_transaction(raw).lower() for raw in self.raw_transactions)

    @cached_property
    def slots(self) -> dict[str, tuple[int, ...]]:
        """The slots that the block touches, by account."""
        return {address: tuple(int(slot, 16) for slot in account.storage) for address, account in self.accounts.items()}

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """Its transactions as calls, at the price that they paid; without access lists, which change gas only."""
        return tuple(map(self._call, self.block["transactions"], self.senders))

    def _call(self, tx: dict[str, Any], sender: str) -> Call:
        base_fee = self.context.base_fee
        if "maxFeePerGas" in tx:
            price = min(int(tx["maxFeePerGas"], 16), base_fee + int(tx["maxPriorityFeePerGas"], 16))
        else:
            price = int(tx["gasPrice"], 16)
        to, gas, value = tx["to"], int(tx["gas"], 16), int(tx["value"], 16)
        return Call(sender, to and to.lower(), to_bytes(tx["input"]), value, gas, price)

    @property
    def context(self) -> BlockContext:
        """The block that its transactions ran in."""
        return BlockContext(
            number=self.number,
            timestamp=int(self.block["timestamp"], 16),
            base_fee=int(self.block["baseFeePerGas"], 16),
            coinbase=self.block["miner"],
            gas_limit=int(self.block["gasLimit"], 16),
            prev_randao=self.block["mixHash"],
        )

    def code(self, account: RecordedAccount) -> str | None:
        """Bytecode as a 0x string; None when it was not recorded."""
        return "0x" if account.codeHash == EMPTY_CODE else self.codes.get(account.codeHash or "")


def load(path: Path, *, check: bool = True) -> Cassette:
    """Reads a cassette. Raises UserError: no such file, not a cassette, cut off, or not what its hashes say.

    ``check`` holds every code, the transactions and the header against their hashes, the state only against the
    codes': that the state is right shows when the block is replayed on it (bot.simulation.proof).
    """
    file = _read(path)
    if check:
        for wrong in (_wrong_block, _wrong_code):
            found = wrong(file)
            if found:
                raise UserError(f"{path}: {found}: the file was changed or damaged, get a fresh copy")
    return Cassette(
        path=path,
        chain_id=file.chainId,
        hardfork=file.hardfork,
        parent_hash=file.parent.hash,
        block=file.block,
        raw_transactions=tuple(to_bytes(raw) for raw in file.rawTransactions),
        accounts={address.lower(): account for address, account in file.accounts.items()},
        codes=file.codes,
        block_hashes={int(number, 0): block_hash for number, block_hash in file.blockHashes.items()},
        receipts_json=bytes(file.replayReceipts),
    )


def save(
    path: Path,
    block: Cassette,
    accounts: dict[str, RecordedAccount],
    codes: dict[str, str],
    block_hashes: Mapping[int, str],
    receipts: Sequence[dict[str, Any]],
    source: str,
) -> None:
    """Writes a cassette of a block whose run gave ``receipts``, the header's. The same content gives the same bytes.
    Raises UserError: it cannot be written there."""
    file = _File(
        format=FORMAT,
        chainId=block.chain_id,
        hardfork=block.hardfork,
        parent=_Parent(hex(block.number - 1), block.parent_hash),
        block=block.block,
        rawTransactions=[to_hex(raw) for raw in block.raw_transactions],
        accounts=accounts,
        codes=dict(sorted(codes.items())),
        blockHashes={hex(number): block_hash for number, block_hash in sorted(block_hashes.items(), reverse=True)},
        source=source,
        replayReceipts=msgspec.Raw(msgspec.json.encode(receipts)),
        verified={"receiptsRoot": True, "gasUsed": True},
    )
    try:
        path.write_bytes(gzip.compress(msgspec.json.encode(file), mtime=0))
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None


def _read(path: Path) -> _File:
    try:
        raw = gzip.decompress(path.read_bytes())
    except OSError as error:
        problem = "not a gzip file" if isinstance(error, gzip.BadGzipFile) else error.strerror
        raise UserError(f"{path}: {problem}: name a cassette such as 13217637.json.gz") from None
    except (EOFError, zlib.error):
        raise UserError(f"{path}: the file is cut off or damaged: get a fresh copy") from None
    try:
        found = msgspec.json.decode(raw, type=_Format).format
        if found != FORMAT:
            raise UserError(f"{path}: its format is {found or 'not named'!r}: this version reads {FORMAT}")
        return msgspec.json.decode(raw, type=_File)
    except msgspec.MsgspecError as error:
        raise UserError(f"{path}: not a cassette ({error}): get a fresh copy") from None


def wrong_block(block: dict[str, Any], raw_transactions: Sequence[bytes]) -> str:
    """What about a block is not as its hash says; empty where all is."""
    try:
        fields = [_field(name, block[name]) for name in HEADER_FIELDS if block.get(name) is not None]
        expected = block["hash"]
    except (KeyError, TypeError, ValueError) as error:
        return f"the header is not readable ({type(error).__name__}: {error})"
    missing = [name for name in HEADER_FIELDS[:16] if block.get(name) is None]
    if missing:
        return f"the header has no {missing[0]}"
    if to_hex(keccak(rlp.encode(fields))) != expected:
        return f"the header's hash is not {expected}"
    if ordered_root(raw_transactions) != block["transactionsRoot"]:
        return "the transactions are not those of the header"
    return ""


def _wrong_block(file: _File) -> str:
    try:
        raws = [to_bytes(raw) for raw in file.rawTransactions]
    except ValueError:
        return "a transaction is not hexadecimal"
    wrong, block = wrong_block(file.block, raws), file.block
    if wrong:
        return wrong
    if file.parent.hash != block["parentHash"] or int(file.parent.number, 16) != int(block["number"], 16) - 1:
        return "the state is not of the block's parent"
    return ""


def _wrong_code(file: _File) -> str:
    for code_hash, code in file.codes.items():
        try:
            actual = to_hex(keccak(to_bytes(code)))
        except ValueError:
            return f"the code {code_hash} is not hexadecimal"
        if actual != code_hash:
            return f"the code {code_hash} has another hash"
    return ""


def _field(name: str, value: str) -> bytes | int:
    return int(value, 16) if name in NUMBERS else to_bytes(value)
