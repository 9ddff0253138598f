"""Keys of v4 pools found from their ids: said in calldata, or tried."""

from __future__ import annotations

import pytest

from bot import abi
from bot.amm.v4 import DYNAMIC_FEE, INITIALIZE, MODIFY_LIQUIDITY, SWAP, pool_id
from bot.chain.readers.uniswap_v4 import MAINNET_MANAGER, PoolKey, from_keys
from bot.chain.v4_keys import ETH, Mined, from_transactions, matching
from bot.engine.types import Log

TRANSFER = abi.topic("Transfer(address,address,uint256)")
A, B, C = ("0x" + f"{number:02x}" * 20 for number in (0xAA, 0xBB, 0xCC))
HOOK = "0x" + "12" * 18 + "0080"
ROUTER = "0x" + "77" * 20
USUAL = PoolKey(A, B, 500, 10, ETH)
ODD = PoolKey(A, B, 777, 13, HOOK)
HOOKED = PoolKey(ETH, C, DYNAMIC_FEE, 60, HOOK)


def swapped(key: PoolKey, manager: str = MAINNET_MANAGER, topic: str = SWAP) -> Log:
    return Log(manager, (topic, pool_id(*key), abi.to_hex(abi.encode(ROUTER))), b"")


def moved(*tokens: str) -> list[Log]:
    return [Log(token, (TRANSFER, "0x" + "00" * 32, "0x" + "00" * 32), abi.encode(1)) for token in tokens]


def words(key: PoolKey) -> bytes:
    return b"".join(abi.encode(part) for part in key)


def packed(key: PoolKey) -> bytes:
    token0, token1, fee, spacing, hooks = key
    numbers = fee.to_bytes(3, "big") + spacing.to_bytes(3, "big")
    return abi.to_bytes(token0) + abi.to_bytes(token1) + numbers + abi.to_bytes(hooks)


@pytest.mark.parametrize(
    "key, data, logs",
    [
        (USUAL, b"", moved(A, B)),
        (USUAL, b"", moved(C, B, A)),
        (ODD, b"abcd" + abi.encode(5) + words(ODD) + abi.encode(7), []),
        (ODD, b"abc" + packed(ODD) + b"xyz", []),
        (ODD, b"abcd" + abi.encode(B) + abi.encode(777) + abi.encode(13) + abi.encode(HOOK), moved(A, B)),  # PathKey
        (HOOKED, b"", [*moved(C), Log(HOOK, (), b"")]),
    ],
    ids=["usual", "among others", "words", "packed", "path", "hook that speaks"],
)
@pytest.mark.parametrize("topic", [SWAP, MODIFY_LIQUIDITY])
def test_a_key_is_found(key: PoolKey, data: bytes, logs: list[Log], topic: str) -> None:
    mined = [Mined(None, b"", moved(C)), Mined(ROUTER, data, [*logs, swapped(key, topic=topic)])]
    assert from_transactions(mined) == (from_keys(MAINNET_MANAGER, [key]), [])


def test_currencies_of_other_transactions_are_tried_last() -> None:
    """Only net amounts are paid: a currency in the middle of a path does not move."""
    mined = [Mined(ROUTER, b"", [*moved(A), swapped(USUAL)]), Mined(ROUTER, b"", [*moved(B), swapped(ODD)])]
    assert from_transactions(mined) == (from_keys(MAINNET_MANAGER, [USUAL]), [pool_id(*ODD)])


def test_the_called_contract_may_be_the_hook() -> None:
    assert from_transactions([Mined(HOOK, b"", [*moved(C), swapped(HOOKED)])])[0] == from_keys(
        MAINNET_MANAGER, [HOOKED]
    )


def test_an_initialize_log_says_the_key() -> None:
    data = b"".join(abi.encode(part) for part in (*ODD[2:], 1 << 96, 0))
    made = Log(MAINNET_MANAGER, (INITIALIZE, pool_id(*ODD), *(abi.to_hex(abi.encode(t)) for t in ODD[:2])), data)
    mined = [Mined(ROUTER, b"", [made]), Mined(ROUTER, b"", [swapped(ODD)])]
    assert from_transactions(mined) == (from_keys(MAINNET_MANAGER, [ODD]), [])


def test_other_managers_are_not_heard() -> None:
    assert from_transactions([Mined(None, words(USUAL), [swapped(USUAL, manager=ROUTER)])]) == ([], [])


def test_a_key_of_another_pool_does_not_match() -> None:
    assert matching([USUAL, ODD], [pool_id(*ODD)]) == {pool_id(*ODD): ODD}
    assert matching([USUAL], [pool_id(*ODD)]) == {}
