"""The fee of a v2 pair, told from what its swaps paid."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from bot import abi
from bot.amm.v2 import SYNC, V2Pool
from bot.chain.v2_fees import CODE_FEES, SWAP, fee_allowed, fee_from_swaps, kept, likely_fee
from bot.engine.types import Log

PAIR = "0x" + "ab" * 20
ARTIFACT = Path(__file__).parents[2] / "node_modules/@uniswap/v2-core/build/UniswapV2Pair.json"


def swap_logs(fee: int, amounts: list[int], *, short: int = 0) -> list[Log]:
    """What a pair emits that charges ``fee``, when traders ask for ``short`` less than they could, to and fro."""
    pool, logs = V2Pool(PAIR, "0x01", "0x02", 10**20, 7 * 10**20, *kept(fee)), []
    for index, amount in enumerate(amounts):
        i = index % 2
        out = pool.quote_in(i, 1 - i, amount) - short
        moves = (amount, 0, 0, out) if i == 0 else (0, amount, out, 0)
        after = (pool.reserve0 + moves[0] - moves[2], pool.reserve1 + moves[1] - moves[3])
        sync = Log(PAIR, (SYNC,), b"".join(abi.encode(value) for value in after))
        pool = pool.apply(sync)
        logs += [sync, Log(PAIR, (SWAP,), b"".join(abi.encode(value) for value in moves))]
    return logs


@pytest.mark.parametrize("fee", [3_000, 2_500, 2_000, 10_000])
def test_swaps_that_take_all_tell_the_fee(fee: int) -> None:
    logs = swap_logs(fee, [10**18, 10**17, 3 * 10**19])
    assert fee_from_swaps(logs) == fee
    assert likely_fee(fee, logs) == likely_fee(fee + 500, logs) == fee
    assert not fee_allowed(fee + 500, logs)


def test_a_higher_fee_than_assumed_shows() -> None:
    logs = swap_logs(10_000, [10**18])
    assert fee_allowed(3_000, logs)
    assert likely_fee(3_000, logs) == 10_000


def test_swaps_that_ask_for_less_tell_nothing() -> None:
    logs = swap_logs(3_000, [10**18, 10**17], short=1)
    assert fee_from_swaps(logs) is None
    assert likely_fee(3_000, logs) == 3_000
    assert likely_fee(5_000, logs) is None
    assert fee_from_swaps([]) is None


@pytest.mark.skipif(not ARTIFACT.exists(), reason="run `make setup`: node_modules are missing")
def test_code_of_uniswap_is_known() -> None:
    code = json.loads(ARTIFACT.read_text())["evm"]["deployedBytecode"]["object"]
    assert CODE_FEES[abi.to_hex(keccak(bytes.fromhex(code)))] == 3_000
