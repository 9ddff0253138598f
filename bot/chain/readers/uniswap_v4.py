"""Uniswap v4 pools. A PoolManager keeps all of them under hashes of their keys, so that none can be found by asking it:
whoever knows keys, or the manager's Initialize logs, gets their infos here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from bot import abi
from bot.amm import layouts
from bot.amm.ticks import TickMap
from bot.amm.v4 import DYNAMIC_FEE, INITIALIZE, V4Pool, pool_id
from bot.chain.pool_reader import LoadResult, PoolInfo, rows
from bot.chain.readers.ticks import at_tick, load_with_ticks
from bot.chain.state_reader import StateReader
from bot.engine.types import Log
from bot.jsonrpc import RpcError

MAINNET_MANAGER = "0x000000000004444c5dc75cb358380d2e3de08a90"


class PoolKey(NamedTuple):
    """PoolKey.sol: currencies in the order of their addresses (ETH is the zero address), ``fee`` in millionths or
    DYNAMIC_FEE."""

    token0: str
    token1: str
    fee: int
    tick_spacing: int
    hooks: str


class UniswapV4:
    """See PoolReader."""

    protocol = "uniswap-v4"

    async def identify(self, reader: StateReader, candidates: Sequence[str]) -> list[PoolInfo]:
        """None: an address is no pool here."""
        return []

    async def load(self, reader: StateReader, infos: Sequence[PoolInfo], reach: int | None) -> LoadResult:
        """Of pools that only a simulation can quote no ticks are read."""
        result = LoadResult({}, {})
        empty = await _load_prices(reader, infos, result.unknown)
        result.pools |= {pool.id: pool for pool in empty if pool.simulated}
        quoted = [pool for pool in empty if not pool.simulated]
        await load_with_ticks(reader, quoted, reach, result)
        return result


def from_keys(manager: str, keys: Iterable[PoolKey]) -> list[PoolInfo]:
    """The pools of these keys, whether they exist or not: ``load`` tells. ``fee`` is 0 where it is dynamic; ``extra``
    are the pool's terms (manager, the key's fee, tick spacing, hooks)."""
    infos = []
    for key in keys:
        static = 0 if key.fee == DYNAMIC_FEE else key.fee
        tokens, terms = (key.token0, key.token1), (manager, key.fee, key.tick_spacing, key.hooks)
        infos.append(
            PoolInfo(
                pool_id(*key), UniswapV4.protocol, "uniswap-v4", manager, tokens, static, key.tick_spacing, extra=terms
            )
        )
    return infos


def from_logs(logs: Iterable[Log], managers: Collection[str] = (MAINNET_MANAGER,)) -> list[PoolInfo]:
    """The pools that these managers' Initialize logs tell of."""
    infos = []
    for log in logs:
        if log.address in managers and log.topics and log.topics[0] == INITIALIZE:
            token0, token1 = ("0x" + topic[-40:] for topic in log.topics[2:4])
            fee, spacing, hooks = abi.uint(log.data), abi.sint(log.data, 1), abi.address(log.data, 2)
            infos += from_keys(log.address, [PoolKey(token0, token1, fee, spacing, hooks)])
    return infos


async def _load_prices(reader: StateReader, infos: Sequence[PoolInfo], unknown: dict[str, str]) -> list[V4Pool]:
    """Pools with price, fees and liquidity, that know no tick yet."""
    places = [(_manager(info), layouts.v4_layout(info.id)) for info in infos]
    asked = [(manager, slot) for manager, layout in places for slot in (layout.price, layout.liquidity)]
    loaded = []
    for info, (first, liquidity) in zip(infos, rows(await reader.slots(asked), 2), strict=True):
        if isinstance(first, RpcError) or isinstance(liquidity, RpcError):
            failed = first if isinstance(first, RpcError) else liquidity
            unknown[info.id] = f"price and liquidity: {failed}"
            continue
        pool = _pool(info, first, liquidity)
        if not pool.sqrt_price:
            unknown[info.id] = "the manager has no such pool"
        elif not at_tick(pool.sqrt_price, pool.tick):
            unknown[info.id] = "price: it does not lie at its tick"
        elif pool.key_fee not in (DYNAMIC_FEE, pool.lp_fee):
            unknown[info.id] = "fee: it is not the key's"
        else:
            loaded.append(pool)
    return loaded


def _pool(info: PoolInfo, first: int, liquidity: int) -> V4Pool:
    (token0, token1), (_, fee, spacing, hooks) = info.tokens, info.extra
    price, tick = layouts.price_and_tick(first)
    protocol_fee, lp_fee = layouts.v4_fees(first)
    nothing = TickMap(info.tick_spacing, {}, {})
    key = token0, token1, int(fee), int(spacing), str(hooks)
    return V4Pool(info.id, _manager(info), *key, price, tick, liquidity, nothing, lp_fee, protocol_fee)


def _manager(info: PoolInfo) -> str:
    return str(info.extra[0])
