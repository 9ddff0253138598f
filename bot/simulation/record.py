"""A real block of a node as a cassette: its transactions, and every account and slot that it touches, before it.

Anvil runs the block on the node's state through a server that notes what it asked for. Where the node traces
(prestateTracer), what the traces touch is read beforehand in batches, which spares a distant node's every answer. A
record that does not give the header's receipts root when it is run again is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.abi import keccak, to_bytes, to_hex
from bot.errors import UserError
from bot.jsonrpc import JsonRpc, RpcError
from bot.simulation import hardforks
from bot.simulation.cassette import EMPTY_CODE, Cassette, RecordedAccount, load, save, wrong_block
from bot.simulation.cassette_server import CassetteServer
from bot.simulation.pinned import Pin, PinnedNode
from bot.simulation.proof import run_on
from bot.simulation.raw_transaction import encode
from bot.simulation.recorded_history import receipts_root
from bot.simulation.rules import at_least

PRESTATE = {"tracer": "prestateTracer"}
SYSTEM = "0xfffffffffffffffffffffffffffffffffffffffe"
BEACON_ROOTS, BEACON_RING = "0x000f3df6d732807ef1319fb7b8bb8522d0beac02", 8_191
HISTORY, HISTORY_RING = "0x0000f90827f1c53a10cb7a02335b175320002935", 8_191
REQUESTS = ("0x00000961ef480eb55e80d19ad83579a64c007002", "0x0000bbddc7ce488642fb579f8b00f3a590007251")
"""What the block itself calls: beacon roots (EIP-4788), hashes of blocks (EIP-2935), requests (EIP-7002, 7251)."""

Progress = Callable[[str], None]


class RecordFailed(Exception):
    """The block does not come out as its header says. The message says what differs first. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What was written where. ``traced``: the node's traces said what is touched; ``asked`` counts questions to the
    node; ``left_out`` is what the block touches beside its transactions and the node did not tell."""

    path: Path
    cassette: Cassette
    traced: bool
    asked: int
    left_out: tuple[str, ...]


async def record(
    node: JsonRpc, number: int, path: Path, *, hardfork: str | None = None, progress: Progress = lambda _: None
) -> Recording:
    """Writes the block to ``path``. Raises UserError for a block that cannot be recorded, RecordFailed, AnvilFailed,
    RpcError, RpcUnreachable."""
    block = await node.call("eth_getBlockByNumber", hex(number), True)
    if block is None:
        raise UserError(f"the node has no block {number}: ask for one up to its head, or another node")
    chain_id = int(await node.call("eth_chainId"), 16)
    parent = await node.call("eth_getBlockByNumber", hex(number - 1), False)
    if parent is None or parent["hash"] != block["parentHash"]:
        raise RecordFailed(f"the node changed its chain at block {number} meanwhile: try again")
    bare = _bare(block, chain_id, hardfork or hardforks.of_block(chain_id, block), path)
    pinned = PinnedNode(node, Pin(chain_id, number - 1, parent["hash"], parent), unmodified=True)
    progress("reading what the block touches")
    traced = await _read_ahead(node, pinned, block)
    progress(f"running {len(bare.raw_transactions)} transactions")
    async with pinned.served() as url, run_on(bare, url) as run:
        receipts = await _receipts(run.rpc, block)
        if run.refused or receipts_root(receipts) != block["receiptsRoot"]:
            why = run.refused or await _first_difference(node, block, receipts)
            raise RecordFailed(f"{why} (the node said: {pinned.refused})" if pinned.refused else why)
    left_out = await pinned.read(*_beside(block, bare.hardfork), lenient=True)
    await pinned.read_hashes()
    progress("running the record")
    part = path.with_name(f".{path.name}.part")
    try:
        save(part, bare, _accounts(pinned), _codes(pinned), pinned.hashes, receipts, await _source(node))
        cassette = load(part)
        with CassetteServer(part, unmodified=True) as url:
            async with run_on(cassette, url) as run:
                again = await _receipts(run.rpc, block)
        if run.refused or receipts_root(again) != block["receiptsRoot"]:
            why = run.refused or await _first_difference(node, block, again)
            raise RecordFailed(f"the record does not suffice: {why}")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return Recording(path, load(path, check=False), traced, pinned.asked, tuple(left_out))


def _bare(block: dict[str, Any], chain_id: int, hardfork: str | None, path: Path) -> Cassette:
    """The block without any state. Raises UserError where it cannot be run or is not what its hashes say."""
    number = int(block["number"], 16)
    if hardfork is None:
        raise UserError(f"block {number} is from before London, which anvil cannot replay: record a later one")
    raws = []
    for index, transaction in enumerate(block["transactions"]):
        try:
            raw = encode(transaction)
        except ValueError as error:
            raise UserError(f"block {number}, transaction {index}: {error}: choose another block") from None
        if to_hex(keccak(raw)) != transaction["hash"]:
            raise UserError(
                f"block {number}, transaction {index} has not the hash that the node says: ask another node"
            )
        raws.append(raw)
    if wrong := wrong_block(block, raws):
        raise UserError(f"block {number}: {wrong}: ask another node")
    return Cassette(path, chain_id, hardfork, block["parentHash"], block, tuple(raws), {}, {}, {})


# --- what the block touches -------------------------------------------------------------------------------------------


async def _read_ahead(node: JsonRpc, pinned: PinnedNode, block: dict[str, Any]) -> bool:
    """What the transactions name, and what the node's traces touch if it traces. Only what access lists name is not
    asked for by the run as well: they make it warm, read or not (EIP-2930)."""
    addresses, slots = [block["miner"].lower()], []
    for transaction in block["transactions"]:
        addresses += [one.lower() for one in (transaction["from"], transaction["to"]) if one]
        for entry in transaction.get("accessList") or ():
            addresses.append(entry["address"].lower())
            slots += [(entry["address"].lower(), int(slot, 16)) for slot in entry["storageKeys"]]
    traces = await _traces(node, block)
    for trace in traces or ():
        for address, account in trace["result"].items():
            addresses.append(address.lower())
            slots += [(address.lower(), int(slot, 16)) for slot in account.get("storage") or ()]
    await pinned.read(addresses, slots, lenient=True)
    return traces is not None


async def _traces(node: JsonRpc, block: dict[str, Any]) -> list[dict[str, Any]] | None:
    for method, where in (("debug_traceBlockByHash", block["hash"]), ("debug_traceBlockByNumber", block["number"])):
        try:
            traces: list[dict[str, Any]] = await node.call(method, where, PRESTATE)
        except RpcError:
            continue
        if len(traces) == len(block["transactions"]) and all("result" in trace for trace in traces):
            return traces
    return None


def _beside(block: dict[str, Any], hardfork: str) -> tuple[list[str], list[tuple[str, int]]]:
    """What the block touches beside its transactions: whom it pays withdrawals, and the contracts that it calls."""
    addresses = [withdrawal["address"].lower() for withdrawal in block.get("withdrawals") or ()]
    slots: list[tuple[str, int]] = []
    if at_least(hardfork, "cancun"):
        place = int(block["timestamp"], 16) % BEACON_RING
        addresses += [SYSTEM, BEACON_ROOTS]
        slots += [(BEACON_ROOTS, place), (BEACON_ROOTS, place + BEACON_RING)]
    if at_least(hardfork, "prague"):
        addresses += [HISTORY, *REQUESTS]
        slots.append((HISTORY, (int(block["number"], 16) - 1) % HISTORY_RING))
    return addresses, slots


# --- the record -------------------------------------------------------------------------------------------------------


def _accounts(pinned: PinnedNode) -> dict[str, RecordedAccount]:
    """Absent where nothing is there: since EIP-161 no account is empty, and none that is has any storage."""
    storage: dict[str, dict[str, str]] = {address: {} for address in pinned.accounts}
    for (address, slot), value in sorted(pinned.slots.items()):
        storage.setdefault(address, {})[hex(slot)] = hex(value)
    accounts = {}
    for address, slots in sorted(storage.items()):
        told = pinned.accounts[address]
        code_hash = None if told.code is None else to_hex(keccak(to_bytes(told.code)))
        nonce, balance = (hex(int(quantity, 16)) for quantity in (told.nonce, told.balance))
        absent = (nonce, balance, code_hash) == ("0x0", "0x0", EMPTY_CODE)
        accounts[address] = RecordedAccount(nonce, balance, code_hash, slots, absent)
    return accounts


def _codes(pinned: PinnedNode) -> dict[str, str]:
    codes = (account.code for account in pinned.accounts.values())
    return {to_hex(keccak(to_bytes(code))): code for code in codes if code not in (None, "0x")}


async def _source(node: JsonRpc) -> str:
    try:
        return f"mev fork record, {await node.call('web3_clientVersion')}"
    except RpcError:
        return "mev fork record"


# --- receipts ---------------------------------------------------------------------------------------------------------


async def _receipts(rpc: JsonRpc, block: dict[str, Any]) -> list[dict[str, Any]]:
    """Of our run, as far as it came."""
    receipts = await rpc.call("eth_getBlockReceipts", block["number"]) or []
    return [_plain(receipt) for receipt in receipts]


def _plain(receipt: dict[str, Any]) -> dict[str, Any]:
    names = ("transactionHash", "status", "gasUsed", "cumulativeGasUsed", "type", "contractAddress")
    logs = [{name: log[name] for name in ("address", "topics", "data")} for log in receipt["logs"]]
    return {**{name: receipt.get(name) for name in names}, "logs": logs}


async def _first_difference(node: JsonRpc, block: dict[str, Any], ours: Sequence[dict[str, Any]]) -> str:
    """Between the node's receipts and those of our run."""
    try:
        hashes = [transaction["hash"] for transaction in block["transactions"]]
        answers = await node.batch([("eth_getTransactionReceipt", (one,)) for one in hashes])
    except RpcError:
        answers = []
    theirs = [_plain(answer) for answer in answers if isinstance(answer, dict)]
    return difference(theirs, ours) or "the receipts root differs, and the node has no receipts to say where"


def difference(theirs: Sequence[dict[str, Any]], ours: Sequence[dict[str, Any]]) -> str:
    """What differs first between a chain's receipts and those of a run, in words; empty where nothing does."""
    for index, (their, our) in enumerate(zip(theirs, ours, strict=False)):
        if their["transactionHash"] != our["transactionHash"]:
            return f"transaction {index} does not run"  # its sender cannot pay, say
        for name in ("status", "gasUsed"):
            if int(their[name], 16) != int(our[name], 16):
                return f"transaction {index}: {name} is {int(our[name], 16)}, not {int(their[name], 16)}"
        if len(their["logs"]) != len(our["logs"]):
            return f"transaction {index}: {len(our['logs'])} logs, not {len(their['logs'])}"
        for place, pair in enumerate(zip(their["logs"], our["logs"], strict=True)):
            if _words(pair[0]) != _words(pair[1]):
                return f"transaction {index}: log {place} of {pair[1]['address']} differs"
    if theirs and len(theirs) != len(ours):
        return f"{len(ours)} transactions ran, not {len(theirs)}"
    return ""


def _words(log: dict[str, Any]) -> Iterable[str]:
    return [word.lower() for word in (log["address"], log["data"], *log["topics"])]
