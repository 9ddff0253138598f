"""Finds pools of every protocol and reads them into exact values: the registry of readers (bot.chain.pool_reader)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from bot import abi
from bot.chain.pool_reader import LoadResult, PoolInfo, PoolReader
from bot.chain.readers.balancer import Balancer
from bot.chain.readers.curve_crypto import CurveCrypto
from bot.chain.readers.curve_stable import CurveStable
from bot.chain.readers.solidly import Solidly
from bot.chain.readers.uniswap_v2 import UniswapV2
from bot.chain.readers.uniswap_v3 import UniswapV3
from bot.chain.readers.uniswap_v4 import UniswapV4
from bot.chain.readers.vaults import Vaults, Weth
from bot.chain.state_reader import Block, StateReader
from bot.jsonrpc import JsonRpc

READERS: tuple[PoolReader, ...] = (
    Solidly(),
    UniswapV2(),
    UniswapV3(),
    UniswapV4(),
    CurveCrypto(),
    CurveStable(),
    Balancer(),
    Vaults(),
    Weth(),
)

ADDRESS = 42
"""Characters of an address: where a pool has an id of 32 bytes, those of its contract (Balancer's) come first."""
REACH = 10_000
"""Ticks to each side of the price that ``load`` reads: a factor of 2.7 in price."""


async def identify(rpc: JsonRpc, addresses: Iterable[str], block: Block) -> list[PoolInfo]:
    """Those of the addresses that are pools we can quote, in order. Raises RpcUnreachable."""
    asked = list(dict.fromkeys(addresses))
    reader = StateReader(rpc, block)
    found: dict[str, PoolInfo] = {}
    for protocol in READERS:
        rest = [address for address in asked if address not in found]
        found |= {info.id[:ADDRESS]: info for info in await protocol.identify(reader, rest)}
    return [found[address] for address in asked if address in found]


async def from_factories(
    rpc: JsonRpc,
    v2_factories: Mapping[str, int],
    v3_factories: Mapping[str, Sequence[int]],
    tokens: Iterable[str],
    block: Block,
) -> list[PoolInfo]:
    """The pools of these factories between any two of the tokens. Raises RpcUnreachable.

    ``v2_factories`` gives the fee that each one's pairs charge, ``v3_factories`` the fee tiers to look for.
    """
    calls: list[tuple[str, bytes]] = []
    for token0, token1 in combinations(sorted(set(tokens)), 2):
        for factory in v2_factories:
            calls.append((factory, abi.call("getPair(address,address)", token0, token1)))
        for factory, fees in v3_factories.items():
            for fee in fees:
                calls.append((factory, abi.call("getPool(address,address,uint24)", token0, token1, fee)))
    answers = await StateReader(rpc, block).calls(calls)
    made_by = {
        abi.address(answer): factory
        for (factory, _), answer in zip(calls, answers, strict=True)
        if answer is not None and abi.uint(answer)
    }
    infos = []
    for info in await identify(rpc, made_by, block):
        factory = made_by[info.id]
        if info.protocol == UniswapV2.protocol:
            info = replace(info, fee=v2_factories[factory], fee_assumed=False)
        infos.append(replace(info, factory=factory))
    return infos


async def load(rpc: JsonRpc, infos: Iterable[PoolInfo], block: Block, *, reach: int | None = REACH) -> LoadResult:
    """Reads pools' state (PoolReader.load). Raises RpcUnreachable."""
    return await load_from(StateReader(rpc, block), infos, reach=reach)


async def load_from(reader: StateReader, infos: Iterable[PoolInfo], *, reach: int | None = REACH) -> LoadResult:
    """``load`` with a reader of one's own."""
    by_protocol: defaultdict[str, list[PoolInfo]] = defaultdict(list)
    for info in infos:
        by_protocol[info.protocol].append(info)
    result = LoadResult({}, {})
    for protocol in READERS:
        part = await protocol.load(reader, by_protocol[protocol.protocol], reach)
        result.pools |= part.pools
        result.unknown |= part.unknown
    return result
