"""Messages of a node's websocket for ``mev bench ingest``, from a seed: logs of pools, and pending transactions."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
from eth_abi.abi import encode

from bot.abi import keccak, selector, to_hex
from bot.amm.v2 import SYNC
from bot.amm.v3 import SWAP

V2_ROUTER = "0x7a250d5630b4cf539739df2c5dacb4c659f2488d"
V3_ROUTER = "0x68b3465833fb72a70ecdf485e0e4c7bd8665fc45"  # SwapRouter02
UNIVERSAL_ROUTER = "0x66a9893cc07d91d95644aedd05d03f95e1dba8af"

_FIVE = ("uint256", "uint256", "address[]", "address", "uint256")
_FOUR = ("uint256", "address[]", "address", "uint256")
_SINGLE = "(address,address,uint24,address,uint256,uint256,uint160)"
_SWAP_INPUT = ("address", "uint256", "uint256", "bytes", "bool")
_V4_SINGLE = "((address,address,uint24,int24,address),bool,uint128,uint128,bytes)"


def log_messages(seed: int, count: int, pairs: int, pools: int) -> list[bytes]:
    """Notifications of ``Sync`` (two of three) and v3's ``Swap`` from so many v2 pairs and v3 pools."""
    random = Random(seed)
    return [_log_message(random, number, pairs, pools) for number in range(count)]


def pair_address(number: int) -> str:
    return to_hex(keccak(b"pair %d" % number)[12:])


def pool_address(number: int) -> str:
    return to_hex(keccak(b"pool %d" % number)[12:])


def _log_message(random: Random, number: int, pairs: int, pools: int) -> bytes:
    if random.random() < 2 / 3:
        address, topics = pair_address(random.randrange(pairs)), [SYNC]
        data = encode(["uint112", "uint112"], [random.getrandbits(90), random.getrandbits(90)])
    else:
        address = pool_address(random.randrange(pools))
        parties = [to_hex(bytes(12) + random.randbytes(20)) for _ in range(2)]
        topics = [SWAP, *parties]
        moved = random.getrandbits(80)
        values = [moved, -moved, random.getrandbits(128), random.getrandbits(70), random.randrange(-887272, 887272)]
        data = encode(["int256", "int256", "uint160", "uint128", "int24"], values)
    entry = {
        "address": address,
        "topics": topics,
        "data": to_hex(data),
        "blockNumber": hex(22_000_000 + number // 200),
        "transactionHash": to_hex(random.randbytes(32)),
        "transactionIndex": hex(number % 200),
        "blockHash": to_hex(keccak(b"block %d" % (number // 200))),
        "logIndex": hex(number % 200),
        "removed": False,
    }
    return _notification(entry)


def pending_messages(seed: int, count: int) -> list[bytes]:
    """Notifications of full transactions: 30 % send money, 30 % call a token, 40 % are swaps through Uniswap's
    routers."""
    random = Random(seed)
    return [_pending_message(random, number) for number in range(count)]


def notified(data: bytes) -> bytes:
    """The notification of a full transaction with this calldata."""
    return _body(Random(0), 0, V2_ROUTER, data, 0)


def _pending_message(random: Random, number: int) -> bytes:
    return _body(random, number, *_call(random))


def _body(random: Random, number: int, to: str, data: bytes, value: int) -> bytes:
    body: dict[str, Any] = {
        "type": "0x2",
        "chainId": "0x1",
        "nonce": hex(number),
        "gas": hex(21_000 + 60 * len(data)),
        "maxFeePerGas": hex(random.getrandbits(36)),
        "maxPriorityFeePerGas": hex(random.getrandbits(30)),
        "to": to,
        "value": hex(value),
        "accessList": [],
        "input": to_hex(data),
        "r": to_hex(random.randbytes(32)),
        "s": to_hex(random.randbytes(32)),
        "yParity": "0x1",
        "v": "0x1",
        "hash": to_hex(random.randbytes(32)),
        "blockHash": None,
        "blockNumber": None,
        "transactionIndex": None,
        "from": _address(random),
        "gasPrice": hex(random.getrandbits(36)),
    }
    return _notification(body)


def _notification(result: dict[str, Any]) -> bytes:
    params = {"subscription": "0x9cef478923ff08bf67fde6c64013158d", "result": result}
    return msgspec.json.encode({"jsonrpc": "2.0", "method": "eth_subscription", "params": params})


def _call(random: Random) -> tuple[str, bytes, int]:
    """To, calldata, value."""
    choice = random.random()
    if choice < 0.3:
        return _address(random), b"", random.getrandbits(60)
    if choice < 0.6:
        name = random.choice(("transfer(address,uint256)", "approve(address,uint256)"))
        return _address(random), selector(name) + encode(["address", "uint256"], [_address(random), _amount(random)]), 0
    if choice < 0.75:
        return _v2_call(random)
    if choice < 0.85:
        return _v3_call(random)
    return _universal_call(random)


def _v2_call(random: Random) -> tuple[str, bytes, int]:
    path, to = [_address(random) for _ in range(random.choice((2, 2, 3)))], _address(random)
    names = (
        *("swapExactETHForTokens", "swapETHForExactTokens", "swapExactTokensForETHSupportingFeeOnTransferTokens"),
        *("swapExactTokensForTokens", "swapTokensForExactTokens"),
    )
    name = random.choice(names)
    native = name in names[:2]
    kinds = _FOUR if native else _FIVE
    amounts = [_amount(random) for _ in range(1 if native else 2)]
    data = selector(f"{name}({','.join(kinds)})") + encode(kinds, [*amounts, path, to, 1_800_000_000])
    return V2_ROUTER, data, _amount(random) if native else 0


def _v3_call(random: Random) -> tuple[str, bytes, int]:
    """Alone or inside a multicall."""
    choice = random.random()
    if choice < 0.6:
        name = random.choice(("exactInputSingle", "exactOutputSingle"))
        fee = random.choice((500, 3000, 10_000))
        values = [_address(random), _address(random), fee, _address(random), _amount(random), _amount(random), 0]
        data = selector(f"{name}({_SINGLE})") + encode([_SINGLE], [tuple(values)])
    else:
        name, kind = random.choice(("exactInput", "exactOutput")), "(bytes,address,uint256,uint256)"
        values = [_packed(random, 2), _address(random), _amount(random), _amount(random)]
        data = selector(f"{name}({kind})") + encode([kind], [tuple(values)])
    if random.random() < 0.5:
        kinds = ["uint256", "bytes[]"]
        data = selector("multicall(uint256,bytes[])") + encode(kinds, [1_800_000_000, [data]])
    return V3_ROUTER, data, 0


def _universal_call(random: Random) -> tuple[str, bytes, int]:
    """One or two swaps between a permit and an unwrapping."""
    commands, inputs = [0x0A], [random.randbytes(352)]
    for _ in range(random.choice((1, 1, 2))):
        command = random.choice((0x00, 0x00, 0x01, 0x08, 0x09, 0x10))
        commands.append(command)
        inputs.append(_input(random, command))
    commands.append(0x0C)
    inputs.append(encode(["address", "uint256"], [_address(random), _amount(random)]))
    kinds = ["bytes", "bytes[]", "uint256"]
    return (
        UNIVERSAL_ROUTER,
        selector("execute(bytes,bytes[],uint256)") + encode(kinds, [bytes(commands), inputs, 1_800_000_000]),
        0,
    )


def _input(random: Random, command: int) -> bytes:
    if command == 0x10:
        key = (_address(random), _address(random), 3000, 60, "0x" + "00" * 20)
        single = encode([_V4_SINGLE], [(key, random.random() < 0.5, _amount(random), _amount(random), b"")])
        settle = encode(["address", "uint256"], [key[0], _amount(random)])
        return encode(["bytes", "bytes[]"], [b"\x06\x0c", [single, settle]])
    path: Any = [_address(random), _address(random)] if command & 8 else _packed(random, random.choice((1, 1, 2)))
    kinds = [*_SWAP_INPUT[:3], "address[]" if command & 8 else "bytes", "bool"]
    return encode(kinds, [_address(random), _amount(random), _amount(random), path, True])


def _packed(random: Random, hops: int) -> bytes:
    return random.randbytes(20) + b"".join((500).to_bytes(3, "big") + random.randbytes(20) for _ in range(hops))


def _address(random: Random) -> str:
    return to_hex(random.randbytes(20))


def _amount(random: Random) -> int:
    return random.getrandbits(80) + 1
