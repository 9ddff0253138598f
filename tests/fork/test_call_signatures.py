"""Where the signatures of aggregators are from: real calls of them, or the real code that answers to them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from functools import cache

from recorded import MAINNET, needs_recordings
from test_swap_calls import real_calls

from bot.abi import selector
from bot.chain.calls import cow, oneinch, settler, zeroex

UNPROVEN = {
    "sellToPancakeSwap(address[],uint256,uint256,uint8)",
    "multiplexBatchSellTokenForToken(address,address,(uint8,uint256,bytes)[],uint256,uint256)",
    "multiplexBatchSellEthForToken(address,(uint8,uint256,bytes)[],uint256)",
    "multiplexMultiHopSellEthForToken(address[],(uint8,bytes)[],uint256)",
    "multiplexMultiHopSellTokenForEth(address[],(uint8,bytes)[],uint256,uint256)",
    *settler.FUNCTIONS,
}
"""Nothing recorded has them. 0x's are as the ABI in its package contracts-zero-ex has them, Settler's as its published
source, which was never compiled here."""


@cache
def codes() -> set[str]:
    """Of all contracts in the recorded blocks."""
    files = sorted(MAINNET.glob("[0-9]*.json.gz"))
    return {code for path in files for code in json.loads(gzip.decompress(path.read_bytes()))["codes"].values()}


def answered(function: bytes) -> bool:
    """Whether a contract compares a selector with it: PUSH4, as solc's dispatch has it, and EQ or GT soon after."""
    push = "63" + function.hex()
    return any(
        any(after in code[at : at + 24] for after in ("14", "11")) for code in codes() for at in places(code, push)
    )


def places(code: str, push: str) -> list[int]:
    found, at = [], code.find(push)
    while at >= 0:
        found.append(at + len(push))
        at = code.find(push, at + 1)
    return found


@needs_recordings
def test_signatures_are_real(record_property: Callable[[str, object], None]) -> None:
    called = {call[:4] for call in real_calls()}
    functions = {signature for module in (cow, oneinch, settler, zeroex) for signature in module.FUNCTIONS}
    by_call = {signature for signature in functions if selector(signature) in called}
    by_code = {signature for signature in functions - by_call if answered(selector(signature))}
    assert functions - by_call - by_code == UNPROVEN
    record_property("aggregators' functions, proven by", f"{len(by_call)} calls, {len(by_code)} code")
    record_property("aggregators' functions that nothing recorded proves", len(UNPROVEN))
