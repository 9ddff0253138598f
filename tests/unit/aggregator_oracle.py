"""What calls of aggregators ask for, by eth-abi and the functions' Solidity types: for swap_oracle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_abi import decode

from bot.abi import selector
from bot.chain.calldata import SwapIntent

Args = tuple[Any, ...]
Reading = Callable[[Args, str, int], list[SwapIntent]]
Follow = Callable[[str, bytes, int], list[SwapIntent]]

NATIVE, EEE = "0x" + "00" * 20, "0x" + "ee" * 20
UNDERLYING = "underlying"
CURVE = (  # AggregationRouterV6, _CURVE_SWAP_SELECTORS_1 to _3
    "exchange(int128,int128,uint256,uint256)",
    "exchange_underlying(int128,int128,uint256,uint256)",
    "exchange(int128,int128,uint256,uint256,address)",
    "exchange_underlying(int128,int128,uint256,uint256,address)",
    "exchange(int128,int128,uint256,uint256,bool)",
    "exchange_underlying(int128,int128,uint256,uint256,bool)",
    "exchange(int128,int128,uint256,uint256,bool,address)",
    "exchange_underlying(int128,int128,uint256,uint256,bool,address)",
    "exchange_extended(int128,int128,uint256,uint256,bool,address,address,bytes32)",
    "exchange(uint256,uint256,uint256,uint256)",
    "exchange_underlying(uint256,uint256,uint256,uint256)",
    "exchange(uint256,uint256,uint256,uint256,address)",
    "exchange_underlying(uint256,uint256,uint256,uint256,address)",
    "exchange(uint256,uint256,uint256,uint256,bool)",
    "exchange_underlying(uint256,uint256,uint256,uint256,bool)",
    "exchange(uint256,uint256,uint256,uint256,bool,address)",
    "exchange_underlying(uint256,uint256,uint256,uint256,bool,address)",
    "exchange_extended(uint256,uint256,uint256,uint256,bool,address,address,bytes32)",
)
CURVE_WORDS = bytes.fromhex(
    "3df02124a6417ed6ddc1f59d44ee1986ed4ae2b8bf5ed0562f7865a837cab679"
    "2a064e3c5b41b90865b2489ba64833a0e2ad025a394747c5cb7558f1ce7d6503d2e2833add96994f"
)
assert b"".join(map(selector, CURVE)) == CURVE_WORDS


def native(token: str) -> str:
    return NATIVE if token == EEE else token


def chain(pools: list[tuple[str, str, tuple[int, int]]], amount: int, limit: int) -> list[SwapIntent]:
    """Pools that are called one after the other."""
    found = []
    for n, (protocol, pool, sides) in enumerate(pools):
        least = limit if n == len(pools) - 1 else None
        found.append(SwapIntent(protocol, pool, (), ((),), True, amount if n == 0 else None, least, 0, sides))
    return found


def hexed(word: int) -> str:
    return f"0x{word % (1 << 160):040x}"


def order(protocol: str, target: str, sold: str, bought: str, amount: int | None, limit: int) -> SwapIntent:
    return SwapIntent(protocol, target, (native(sold), native(bought)), ((),), amount is not None, amount, limit)


# --- 1inch ------------------------------------------------------------------------------------------------------------


def v5(protocol: str, at: int) -> Reading:
    def read(args: Args, target: str, value: int) -> list[SwapIntent]:
        amount, limit, pools = args[at : at + 3]
        numbers = [int.from_bytes(pool, "big") if isinstance(pool, bytes) else pool for pool in pools]
        if not 1 <= len(numbers) <= 16:
            return []
        return chain([(protocol, hexed(each), (1, 0) if each >> 255 else (0, 1)) for each in numbers], amount, limit)

    return read


def v6(pools: int, first: int, paid: bool) -> Reading:
    """``first`` is the index of the amount, or of the limit where the value is the amount."""

    def read(args: Args, target: str, value: int) -> list[SwapIntent]:
        amount, limit = (value, args[first]) if paid else args[first : first + 2]
        found = []
        for dex in args[-pools:]:
            kind = dex >> 253
            if kind > 2:
                return []
            sides = (0, 1) if dex >> 247 & 1 else (1, 0)
            name = ("v2", "v3", "curve")[kind]
            if kind == 2:
                index = dex >> 184 & 0xFF
                name += " underlying" if index < len(CURVE) and UNDERLYING in CURVE[index] else ""
                sides = (dex >> 224 & 0xFF, dex >> 232 & 0xFF)
            found.append((name, hexed(dex), sides))
        return chain(found, amount, limit)

    return read


def executor(args: Args, target: str, value: int) -> list[SwapIntent]:
    sold, bought, _, _, amount, limit, flags, *_ = args[1]
    return [order("1inch", target, sold, bought, None if flags & 1 else amount, limit)]


def paraswap(args: Args, target: str, value: int) -> list[SwapIntent]:
    _, amount, limit, _, pools = args
    if not 1 <= len(pools) <= 16:
        return []
    return chain([("v2", hexed(each), (1, 0) if each >> 160 & 1 else (0, 1)) for each in pools], amount, limit)


# --- 0x ---------------------------------------------------------------------------------------------------------------


def path_v2(path: Args, target: str, amount: int | None, limit: int | None) -> SwapIntent:
    said = amount is not None
    return SwapIntent("v2", target, tuple(map(native, path)), ((),) * (len(path) - 1), said, amount, limit)


def path_v3(path: bytes, target: str, amount: int | None, limit: int | None) -> SwapIntent:
    hops = (len(path) - 20) // 23
    tokens = tuple("0x" + path[23 * n : 23 * n + 20].hex() for n in range(hops + 1))
    fees = tuple((int.from_bytes(path[23 * n + 20 : 23 * n + 23], "big"),) for n in range(hops))
    return SwapIntent("v3", target, tokens, fees, amount is not None, amount, limit)


def transform(args: Args, target: str, value: int) -> list[SwapIntent]:
    sold, bought, amount, limit, _ = args
    return [order("0x", target, sold, bought, None if amount == (1 << 256) - 1 else amount, limit)]


def batch(calls: list[Args], whole: int | None, target: str) -> list[SwapIntent]:
    found: list[SwapIntent] = []
    spent, sure = 0, True  # spent: if all that came before is
    for kind, asked, data in calls:
        wanted = None
        if whole is not None:
            wanted = asked if asked < 1 << 255 else whole * min(asked - (1 << 255), 10**18) // 10**18
            if wanted > whole - spent:
                wanted, spent = (whole - spent if sure else None), whole
            else:
                spent += wanted
        sure = sure and kind == 8  # the others may fail: _executeBatchSell
        found += sub_call(kind, data, wanted, target)
    return found


def hops(calls: list[Args], amount: int | None, target: str) -> list[SwapIntent]:
    found: list[SwapIntent] = []
    for n, (kind, data) in enumerate(calls):
        these = sub_call(kind, data, amount if n == 0 else None, target)
        if n and these and kind in (3, 4):  # all of what the one before gave
            these = [SwapIntent(*each[:4], True, *each[5:]) for each in map(fields, these)]
        found += these
    return found


def fields(intent: SwapIntent) -> tuple[Any, ...]:
    return tuple(getattr(intent, name) for name in SwapIntent.__struct_fields__)


def sub_call(kind: int, data: bytes, amount: int | None, target: str) -> list[SwapIntent]:
    if kind == 3:
        return [path_v2(decode(["address[]", "bool"], data)[0], target, amount, None)]
    if kind == 4:
        return [path_v3(data, target, amount, None)]
    if kind == 7:
        return batch(decode(["(uint8,uint256,bytes)[]"], data)[0], amount, target)
    if kind == 8:
        return hops(decode(["address[]", "(uint8,bytes)[]"], data)[1], amount, target)
    return []


def metamask(follow: Follow) -> Reading:
    def read(args: Args, target: str, value: int) -> list[SwapIntent]:
        name, token, _, data = args
        if not name.endswith("FeeDynamic"):
            return []
        types = ["uint256", "address", "address", "uint256", "uint256", "bytes"]
        _, _, _, amount, _, call = decode(types, bytes(32) + data)
        return follow(target, call, 0 if int(token, 16) else amount)

    return read


# --- Settler, CoW -----------------------------------------------------------------------------------------------------

PERMIT = "((address,uint256),uint256,uint256)"


def settler(follow: Follow) -> Reading:
    def read(args: Args, target: str, value: int) -> list[SwapIntent]:
        (_, bought, least), actions = args[:2]
        return [swap for action in actions for swap in act(follow, action, target, bought, least)]

    return read


def paid(permit: Args) -> tuple[str, int | None]:
    (token, amount), *_ = permit
    return token, amount if amount < (1 << 256) - 1 - 10**6 else None


def act(follow: Follow, action: bytes, target: str, bought: str, least: int) -> list[SwapIntent]:
    for signature, read in ACTIONS.items():
        if action[:4] == selector(signature):
            return read(follow, decode(types_of(signature), action[4:], strict=False), target, bought, least)
    return []


def types_of(signature: str) -> list[str]:
    """The argument types of a function's signature."""
    types, depth = [""], 0
    for letter in signature[signature.index("(") + 1 : -1]:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            types.append("")
        else:
            types[-1] += letter
    return types


def forked(path: bytes, target: str, amount: int | None, limit: int) -> SwapIntent:
    size = 44 if (len(path) - 20) % 44 == 0 else 24
    count = (len(path) - 20) // size
    tokens = tuple("0x" + path[size * n : size * n + 20].hex() for n in range(count + 1))
    fees = tuple((int.from_bytes(path[size * n + 21 : size * n + 24], "big"),) for n in range(count))
    return SwapIntent("v3", target, tokens, fees, amount is not None, amount, limit)


def vip(permit: int, path: int) -> Callable[..., list[SwapIntent]]:
    def read(follow: Follow, args: Args, target: str, bought: str, least: int) -> list[SwapIntent]:
        token, amount = paid(args[permit])
        raw = args[path] if args[path][:20] == bytes.fromhex(token[2:]) else bytes.fromhex(token[2:]) + args[path]
        return [forked(raw, target, amount, args[-1])]

    return read


def transfer(follow: Follow, args: Args, target: str, bought: str, least: int) -> list[SwapIntent]:
    token, amount = paid(args[1])
    return [order("0x", target, token, bought, amount, least)] if int(bought, 16) else []


def pair(pool: int) -> Callable[..., list[SwapIntent]]:
    def read(follow: Follow, args: Args, target: str, bought: str, least: int) -> list[SwapIntent]:
        sides = (0, 1) if args[pool + 1] & 1 else (1, 0)
        return [SwapIntent("v2", args[pool], (), ((),), False, None, args[pool + 2], 0, sides)]

    return read


def basic(follow: Follow, args: Args, target: str, bought: str, least: int) -> list[SwapIntent]:
    _, _, pool, _, call = args
    return [SwapIntent(*each[:4], False, None, *each[6:]) for each in map(fields, follow(pool, call, 0))]


ACTIONS: dict[str, Callable[..., list[SwapIntent]]] = {
    f"TRANSFER_FROM(address,{PERMIT},bytes)": transfer,
    f"METATXN_TRANSFER_FROM(address,{PERMIT})": transfer,
    "UNISWAPV3(address,uint256,bytes,uint256)": lambda _, a, target, *__: [forked(a[2], target, None, a[3])],
    f"UNISWAPV3_VIP(address,{PERMIT},bytes,bytes,uint256)": vip(1, 2),
    f"UNISWAPV3_VIP(address,bytes,{PERMIT},bytes,uint256)": vip(2, 1),
    f"METATXN_UNISWAPV3_VIP(address,{PERMIT},bytes,uint256)": vip(1, 2),
    f"METATXN_UNISWAPV3_VIP(address,bytes,{PERMIT},uint256)": vip(2, 1),
    "UNISWAPV2(address,address,uint256,address,uint24,uint256)": pair(3),
    "VELODROME(address,uint256,address,uint24,uint256)": pair(2),
    "BASIC(address,uint256,address,uint256,bytes)": basic,
}


def settle(follow: Follow) -> Reading:
    def read(args: Args, target: str, value: int) -> list[SwapIntent]:
        tokens, _, trades, interactions = args
        found = []
        for first, second, _, sold, bought, _, _, _, flags, executed, _ in trades:
            sells = not flags & 1
            amount, limit = (sold, bought) if sells else (bought, sold)
            if flags & 2:
                share = limit * executed
                limit = limit if not amount else -(-share // amount) if sells else share // amount
                amount = executed
            ends = native(tokens[first]), native(tokens[second])
            found.append(SwapIntent("cow", target, ends, ((),), sells, amount, limit))
        for phase in interactions:
            for called, sent, call in phase:
                found += follow(called, call, sent)
        return found

    return read


D = "address,address,address,address,uint256,uint256,uint256"
SUB, HOP = "(uint8,uint256,bytes)[]", "(uint8,bytes)[]"
TRADE = "(uint256,uint256,address,uint256,uint256,uint32,bytes32,uint256,uint256,uint256,bytes)[]"


def functions(follow: Follow) -> dict[str, Reading]:
    """By signature. ``follow`` reads a call in the call: of a target, its calldata and value."""
    return {
        "unoswap(address,uint256,uint256,bytes32[])": v5("v2", 1),
        "unoswapWithPermit(address,uint256,uint256,bytes32[],bytes)": v5("v2", 1),
        "unoswap(address,uint256,uint256,uint256[])": v5("v2", 1),
        "unoswapTo(address,address,uint256,uint256,uint256[])": v5("v2", 2),
        "unoswapToWithPermit(address,address,uint256,uint256,uint256[],bytes)": v5("v2", 2),
        "uniswapV3Swap(uint256,uint256,uint256[])": v5("v3", 0),
        "uniswapV3SwapTo(address,uint256,uint256,uint256[])": v5("v3", 1),
        "uniswapV3SwapToWithPermit(address,address,uint256,uint256,uint256[],bytes)": v5("v3", 2),
        f"swap(address,({D},bytes),bytes)": executor,
        f"swap(address,({D}),bytes,bytes)": executor,
        f"swap(address,({D}),bytes)": executor,
        **{
            f"unoswap{n if n > 1 else ''}({',uint256' * (n + 3)})".replace("(,", "("): v6(n, 1, False)
            for n in (1, 2, 3)
        },
        **{
            f"unoswapTo{n if n > 1 else ''}({',uint256' * (n + 4)})".replace("(,", "("): v6(n, 2, False)
            for n in (1, 2, 3)
        },
        **{
            f"ethUnoswap{n if n > 1 else ''}({',uint256' * (n + 1)})".replace("(,", "("): v6(n, 0, True)
            for n in (1, 2, 3)
        },
        **{
            f"ethUnoswapTo{n if n > 1 else ''}({',uint256' * (n + 2)})".replace("(,", "("): v6(n, 1, True)
            for n in (1, 2, 3)
        },
        "permitAndCall(bytes,bytes)": lambda a, target, value: follow(target, a[1], value),
        "unxswapByOrderId(uint256,uint256,uint256,bytes32[])": v5("v2", 1),
        "swapOnUniswapV2Fork(address,uint256,uint256,address,uint256[])": paraswap,
        "swapOnUniswap(uint256,uint256,address[])": lambda a, target, _: [path_v2(a[2], target, a[0], a[1])],
        "transformERC20(address,address,uint256,uint256,(uint32,bytes)[])": transform,
        "sellToUniswap(address[],uint256,uint256,bool)": lambda a, target, _: [path_v2(a[0], target, a[1], a[2])],
        "sellToPancakeSwap(address[],uint256,uint256,uint8)": lambda a, target, _: [path_v2(a[0], target, a[1], a[2])],
        "sellTokenForTokenToUniswapV3(bytes,uint256,uint256,address)": lambda a, t, _: [path_v3(a[0], t, a[1], a[2])],
        "sellTokenForEthToUniswapV3(bytes,uint256,uint256,address)": lambda a, t, _: [path_v3(a[0], t, a[1], a[2])],
        "sellEthForTokenToUniswapV3(bytes,uint256,address)": lambda a, t, value: [path_v3(a[0], t, value, a[1])],
        f"multiplexBatchSellTokenForToken(address,address,{SUB},uint256,uint256)": lambda a, t, _: batch(a[2], a[3], t),
        f"multiplexBatchSellEthForToken(address,{SUB},uint256)": lambda a, t, value: batch(a[1], value, t),
        f"multiplexBatchSellTokenForEth(address,{SUB},uint256,uint256)": lambda a, t, _: batch(a[1], a[2], t),
        f"multiplexMultiHopSellTokenForToken(address[],{HOP},uint256,uint256)": lambda a, t, _: hops(a[1], a[2], t),
        f"multiplexMultiHopSellEthForToken(address[],{HOP},uint256)": lambda a, t, value: hops(a[1], value, t),
        f"multiplexMultiHopSellTokenForEth(address[],{HOP},uint256,uint256)": lambda a, t, _: hops(a[1], a[2], t),
        "swap(string,address,uint256,bytes)": metamask(follow),
        "execute((address,address,uint256),bytes[],bytes32)": settler(follow),
        "executeMetaTxn((address,address,uint256),bytes[],bytes32,address,bytes)": settler(follow),
        "exec(address,address,uint256,address,bytes)": lambda a, _, value: follow(a[3], a[4], value),
        f"settle(address[],uint256[],{TRADE},(address,uint256,bytes)[][3])": settle(follow),
    }
