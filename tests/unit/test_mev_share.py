"""MEV-Share's events: what is told is there, what is kept back is not made up."""

from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import abi
from bot.chain.mev_share import hint
from bot.engine.types import Log, SwapIntent

ROUTER, WETH, TOKEN = "0x" + "AB" * 20, "0x" + "01" * 20, "0x" + "02" * 20
SWAP = "0xd78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822"
HASH = "0xc7dc06c994400830054ab815732d91275bc1241f9be62b62b687b7882f19b8d4"


def event(**parts: object) -> bytes:
    return msgspec.json.encode({"hash": HASH, "logs": None, "txs": None, **parts})


def calldata(signature: str, *args: int | str) -> dict[str, str]:
    data = abi.call(signature, *args)
    return {"to": ROUTER, "functionSelector": abi.to_hex(data[:4]), "callData": abi.to_hex(data)}


def test_the_example_of_the_documentation() -> None:
    tx = {"to": ROUTER, "functionSelector": "0x696d2073", "callData": "0x696d20736861726969696969696e67"}
    found = hint(event(txs=[tx], mevGasPrice="0x2363e7f000", gasUsed="0x20000"), 5)
    assert (found.hash, found.logs, found.swaps, found.seen_ns) == (HASH, (), (), 5)
    assert hint(event(), 5) == found


def test_logs_whole_and_with_their_contents_kept_back() -> None:
    zero = "0x" + "00" * 32
    whole = {"address": ROUTER, "topics": [SWAP], "data": "0x01"}
    kept = {"address": ROUTER, "topics": [SWAP, zero], "data": "0x"}
    found = hint(event(logs=[whole, kept, {**kept, "data": None}, {"address": ROUTER, "topics": []}]), 0)
    router = ROUTER.lower()
    assert found.logs == (Log(router, (SWAP,), b"\x01"), *[Log(router, (SWAP, zero), b"")] * 2)


def test_swaps_of_shown_calldata() -> None:
    args = (1000, 7, 160, ROUTER, 0, 2, WETH, TOKEN)
    signature = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
    (swap,) = hint(event(txs=[calldata(signature, *args)]), 0).swaps
    assert swap == SwapIntent("v2", ROUTER.lower(), (WETH, TOKEN), ((),), True, 1000, 7)
    assert hint(event(txs=[{"to": ROUTER, "functionSelector": "0x38ed1739"}]), 0).swaps == ()


def test_the_value_is_not_told_and_so_is_no_amount() -> None:
    to = ROUTER.lower()
    paid = calldata("swapExactETHForTokens(uint256,address[],address,uint256)", 7, 128, ROUTER, 0, 2, WETH, TOKEN)
    got = calldata("swapETHForExactTokens(uint256,address[],address,uint256)", 9, 128, ROUTER, 0, 2, WETH, TOKEN)
    assert hint(event(txs=[paid, got]), 0).swaps == (
        SwapIntent("v2", to, (WETH, TOKEN), ((),), True, None, 7),
        SwapIntent("v2", to, (WETH, TOKEN), ((),), False, 9, None),
    )


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{}",
        b"[]",
        b'{"hash":5}',
        event(logs=[{"address": ROUTER, "topics": [SWAP], "data": "0xzz"}]),
        event()[:-1],
    ],
)
def test_what_is_no_hint_is_a_value_error(message: bytes) -> None:
    with pytest.raises(ValueError):
        hint(message, 0)


@given(st.binary() | st.binary().map(lambda data: event(txs=[{"to": ROUTER, "callData": abi.to_hex(data)}])))
def test_strangers_words_raise_nothing_else(message: bytes) -> None:
    with suppress(ValueError):
        hint(message, 0)
