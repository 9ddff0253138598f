"""Finds pools of every protocol and reads them into exact values: the registry of readers (bot.chain.pool_reader)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

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
