"""Where an inspected block comes from: a recording with or without its state, or a node."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bot.cli import profile as profiles
from bot.cli.urls import HttpUrl
from bot.errors import UserError
from bot.execution.program import MAINNET_WETH
from bot.inspection.block import Block
from bot.inspection.calls import Call, from_geth, from_parity
from bot.inspection.recorded import from_light, from_node
from bot.jsonrpc import JsonRpc, RpcError
from bot.paths import repo_root
from bot.simulation.cassette import Cassette
from bot.simulation.proof import replayed

CALLS = {"tracer": "callTracer"}
PARITY, GETH = "trace_block and receipts", "debug_traceBlockByNumber and receipts"
LOGS = "logs alone: the node has no tracer, so what was paid to the builder directly is not known, nor v4's tokens"
SECONDS = 120.0  # a node may take long to trace a block
KINDS = "name a block's number with --profile or --url, a cassette, or a file of parity traces with receipts"


class _Kind(msgspec.Struct):
    format: str | None = None
    traces: list[Any] | None = None


def recording(path: Path) -> Block | None:
    """A file of traces without state; None where it is another kind, such as a cassette. Raises UserError."""
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        kind = msgspec.json.decode(raw, type=_Kind)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}: {KINDS}") from None
    except (EOFError, zlib.error):
        raise UserError(f"{path}: the file is cut off or damaged: get a fresh copy") from None
    except msgspec.MsgspecError as error:
        raise UserError(f"{path}: not a recorded block ({error}): {KINDS}") from None
    if kind.traces is None:
        return None
    try:
        return from_light(msgspec.json.decode(raw), MAINNET_WETH)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: its traces are not as trace_block gives them ({error!r}): get a fresh copy") from None


async def of_cassette(cassette: Cassette) -> Block:
    """A recorded block, run again under its own rules to have its calls. Raises UserError where it comes out otherwise
    than recorded, AnvilFailed."""
    async with replayed(cassette) as (rpc, _):
        mined = await rpc.call("eth_getBlockByNumber", hex(cassette.number), False)
        if mined is None or mined["receiptsRoot"] != cassette.block["receiptsRoot"]:
            raise UserError(f"{cassette.path}: the block does not come out as recorded: get a fresh copy")
        receipts = await rpc.call("eth_getBlockReceipts", hex(cassette.number))
        roots = from_parity(await rpc.call("trace_block", hex(cassette.number)))
    return from_node(cassette.block, receipts, roots, MAINNET_WETH, "the recording, run again: calls and logs")


async def of_node(rpc: JsonRpc, number: int, wrapped: str) -> Block:
    """A block of a node. Raises UserError where there is none, RpcUnreachable."""
    block = await rpc.call("eth_getBlockByNumber", hex(number), False)
    if block is None:
        head = int(await rpc.call("eth_blockNumber"), 16)
        raise UserError(f"the node has no block {number}: its last is {head}")
    try:
        receipts = await rpc.call("eth_getBlockReceipts", hex(number))
    except RpcError:
        asked = [await rpc.call("eth_getTransactionReceipt", tx) for tx in block["transactions"]]
        receipts = [receipt for receipt in asked if receipt is not None]
    if receipts is None or len(receipts) != len(block["transactions"]):
        raise UserError(f"the node does not have all receipts of block {number}: ask one that keeps them")
    roots, source = await _traced(rpc, number, receipts)
    return from_node(block, receipts, roots, wrapped, source)


async def _traced(
    rpc: JsonRpc, number: int, receipts: Sequence[Mapping[str, Any]]
) -> tuple[dict[int, Call] | None, str]:
    """By whichever tracer the node has; most that have parity's keep its answers, and geth's runs the block again."""
    try:
        found = from_parity(await rpc.call("trace_block", hex(number)) or ())
        if len(found) == len(receipts):
            return found, PARITY
    except RpcError:
        pass
    try:
        traces = await rpc.call("debug_traceBlockByNumber", hex(number), CALLS)
    except RpcError:
        return None, LOGS
    if len(traces) != len(receipts):
        return None, LOGS
    return {index: from_geth(trace["result"]) for index, trace in enumerate(traces)}, GETH


def address(url: str) -> str:
    """A checked URL. Raises UserError, which does not repeat it."""
    try:
        return HttpUrl(url).reveal()
    except ValueError as error:
        raise UserError(f"--url: {error}") from None


async def wrapped_on(rpc: JsonRpc) -> str:
    """The token that holds ether on the node's chain, by the profiles. Raises UserError where none is of that chain."""
    chain_id = int(await rpc.call("eth_chainId"), 16)
    for file in sorted((repo_root() / "forks").glob("*.toml")):
        profile = profiles.load(file)
        if profile.chain_id == chain_id:
            return profile.weth
    raise UserError(f"no profile is of chain {chain_id}, so its wrapped ether is not known: write one, use --profile")
