"""The devnet with every kind of pool beside its own ones: Curve's recorded code, a vault, v4 pools of ETH and of the
vault's shares. All is put on the node, so that the readers find it there as on any chain; prices differ by a percent or
two, so that cycles of all kinds gain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isqrt

from curve_crypto_evm import TRICRYPTO_2, TRICRYPTO_USDC, Recorded, recorded_codes, words_of
from curve_stable_evm import recorded_code
from vaults_evm import openzeppelin
from venue_chain import BUILDER, EXECUTOR, Chain, created, solidity
from venue_devnet import BASE_FEE, BLOCK_GAS, USDC, WHALE

from bot import abi
from bot.amm.curve.crypto import CryptoPool
from bot.amm.curve.crypto_layouts import GENERATION
from bot.amm.curve.crypto_math import ONE, geometric_mean, high_to_low, newton_d
from bot.amm.curve.generations import STABLE_2020
from bot.amm.layouts import v4_layout
from bot.amm.pool import Pool
from bot.chain.pools import identify, load
from bot.chain.readers.uniswap_v4 import PoolKey, from_keys
from bot.devnet.deployment import BLOCK_SECONDS, Deployment
from bot.devnet.place import Site, calldata
from bot.devnet.protocols import balancer, uniswap_v2, uniswap_v4
from bot.devnet.protocols.uniswap_v4 import FEE, MANAGER, MAX_TICK, NO_HOOKS, SPACING
from bot.devnet.state import devnet_node, ensure_state
from bot.devnet.tokens import TOKENS, WETH, approve
from bot.paths import data_dir
from bot.simulation.revm import ForkEvm
from bot.simulation.types import BlockContext

ETH = "0x" + "00" * 20
ETHER = 10**18
DAI, USDT, WBTC = (TOKENS[symbol].address for symbol in ("DAI", "USDT", "WBTC"))
THREE_POOL, THREE_POOL_BLOCK = "0xbebc44782c7db0a1a60cb6fe97d0b483032ff1c7", 17666333
_KEY = "(address,address,uint24,int24,address)"


@dataclass(frozen=True, slots=True)
class MixedWorld:
    """The executor's chain, and every pool that the readers found on it."""

    chain: Chain
    deployment: Deployment
    pools: tuple[Pool, ...]
    vault: str


@contextmanager
def mixed_world() -> Iterator[MixedWorld]:
    """``with`` it: a node of its own."""
    with asyncio.Runner() as runner:
        state, deployment = runner.run(ensure_state(data_dir()))
        node = devnet_node(state, deployment)
        runner.run(node.start())
        try:
            runner.run(node.rpc.call("anvil_autoImpersonateAccount", True))
            site = Site(node.rpc, WHALE, deployment.head_timestamp)
            vault = runner.run(_place(site))
            number = int(runner.run(node.rpc.call("eth_blockNumber")), 16)
            pools = runner.run(_read(site, deployment, vault, number))
            evm = ForkEvm(node.http_url, number, chain_id=deployment.chain_id, gas_limit=BLOCK_GAS)
            block = BlockContext(number + 1, site.timestamp + BLOCK_SECONDS, BASE_FEE, BUILDER, BLOCK_GAS)
            layouts = {spec.address: solidity(3 if spec.address == WETH else 0) for spec in TOKENS.values()}
            chain = Chain(evm, block, WETH, layouts | {vault: solidity(0)})
            for token in (*layouts, vault):
                chain.dust(token)
            yield MixedWorld(chain, deployment, tuple(pools), vault)
        finally:
            runner.run(node.stop())


async def _place(site: Site) -> str:
    """Everything that the devnet has not; the vault's address."""
    vault = await _vault(site)
    await _v4(site, vault)
    uniswap_v2.add_pool(site, uniswap_v2.UNISWAP, vault, WETH, 300_000 * ETHER, 153 * ETHER)
    await site.settle()
    await _put(site, THREE_POOL, recorded_code(THREE_POOL_BLOCK, THREE_POOL), _three_pool())
    for token, amount in zip((DAI, USDC, USDT), _THREE, strict=True):
        site.send(token, abi.call("transfer(address,uint256)", THREE_POOL, amount))
    for of, scale, shares in (
        (TRICRYPTO_2, (60_300 * ONE, 3_030 * ONE), (1.0, 0.99, 1.0)),
        (TRICRYPTO_USDC, (59_700 * ONE, 2_960 * ONE), (1.0, 1.0, 1.005)),
    ):
        await _crypto(site, of, scale, shares)
    await site.settle()
    return vault


async def _vault(site: Site) -> str:
    """OpenZeppelin's, of DAI: a share is worth one and a half."""
    (vault,) = await site.create(openzeppelin() + abi.encode(DAI))
    approve(site, DAI, vault)
    site.send(vault, abi.call("deposit(uint256,address)", 4_000_000 * ETHER, WHALE))
    site.send(DAI, abi.call("transfer(address,uint256)", vault, 2_000_000 * ETHER + 123))
    for spender in (uniswap_v2.UNISWAP.router, MANAGER):
        approve(site, vault, spender)
    return vault


def _v4_pools(vault: str) -> list[dict[str, int]]:
    """ETH is dear in dollars of the one kind and cheap in the other, a share is dear."""
    eth = {ETH: 2_000 * ETHER, USDC: 6_090_000 * 10**6}, {ETH: 1_500 * ETHER, DAI: 4_440_000 * ETHER}
    return [*eth, {vault: 800_000 * ETHER, WETH: 404 * ETHER}]


async def _v4(site: Site, vault: str) -> None:
    """Pools of ETH and of shares, filled over their whole range."""
    (router,) = await site.create(uniswap_v4.LIQUIDITY_ARTIFACT.initcode() + abi.encode(MANAGER))
    for token in (USDC, DAI, WETH, vault):
        approve(site, token, router)
    for amounts in _v4_pools(vault):
        key = _key(*amounts)
        amount0, amount1 = amounts[key.token0], amounts[key.token1]
        site.send(MANAGER, calldata(f"initialize({_KEY},uint160)", key, isqrt((amount1 << 192) // amount0)))
        position = (-MAX_TICK, MAX_TICK, isqrt(amount0 * amount1), bytes(32))
        modify = f"modifyLiquidity({_KEY},(int24,int24,int256,bytes32),bytes)"
        site.send(router, calldata(modify, key, position, b""), value=amounts[ETH] + ETHER if ETH in amounts else 0)
    await site.settle()


# --- Curve -----------------------------------------------------------------------------------------------------------

_THREE = 9_000_000 * ETHER, 14_000_000 * 10**6, 21_000_000 * 10**6
"""USDT is cheap in it, DAI dear."""


def _three_pool() -> dict[int, int]:
    """StableSwap3Pool's slots: balances, fee of 0.01 %, A of 200."""
    storage = STABLE_2020.storage
    assert storage is not None and storage.coins is not None and storage.admin_fee is not None
    slots = {storage.coins + k: int(token, 16) for k, token in enumerate((DAI, USDC, USDT))}
    slots |= {storage.balances + k: amount for k, amount in enumerate(_THREE)}
    return slots | {storage.fee: 10**6, storage.admin_fee: 5 * 10**9, storage.ramp: 200, storage.ramp + 1: 200}


async def _crypto(site: Site, of: Recorded, scale: tuple[int, int], shares: tuple[float, float, float]) -> None:
    """Of 12 million dollars, leaning by ``shares``."""
    pool = _crypto_pool(of, scale, shares, site.timestamp)
    codes = recorded_codes(of.block)
    for address, slots in words_of(pool).items():
        await _put(site, address, codes[address], slots)
    await _put(site, of.math, codes[of.math], {})
    for token, amount in zip(pool.tokens, pool.balances, strict=True):
        site.send(token, abi.call("transfer(address,uint256)", of.pool, amount))
    if GENERATION[of.generation].ng:  # it keeps WETH's coin as ETH
        await site.rpc.call("anvil_setBalance", of.pool, hex(pool.balances[2]))


def _crypto_pool(of: Recorded, scale: tuple[int, int], shares: tuple[float, float, float], time: int) -> CryptoPool:
    ann, gamma = 1_707_629, 11_809_167_828_997
    x = [int(4 * 10**24 * share) for share in shares]
    balances = x[0] // 10**12, x[1] * ONE // scale[0] // 10**10, x[2] * ONE // scale[1]
    xp = balances[0] * 10**12, balances[1] * 10**10 * scale[0] // ONE, balances[2] * scale[1] // ONE
    d = newton_d(GENERATION[of.generation].limits, ann, gamma, xp)
    return CryptoPool(
        id=of.pool,
        tokens=of.coins,
        generation=of.generation,
        lp_token=of.lp_token,
        precisions=(10**12, 10**10, 1),
        time=time,
        balances=balances,
        d=d,
        price_scale=scale,
        oracle=scale,
        last_prices=scale,
        last_time=time - 24,
        a_gamma=ann << 128 | gamma,
        ramp_to=0,
        mid_fee=3_000_000,
        out_fee=30_000_000,
        fee_gamma=500_000_000_000_000,
        step=490_000_000_000_000,
        ma_time=865,
        xcp_profit=ONE,
        virtual_price=ONE - 10**6,
        supply=geometric_mean(*high_to_low((d // 3, d * ONE // (3 * scale[0]), d * ONE // (3 * scale[1])))),
        a_gamma_from=ann << 128 | gamma,
        ramp_from=0,
        extra_profit=2 * 10**12,
    )


async def _put(site: Site, address: str, code: bytes, slots: dict[int, int]) -> None:
    await site.rpc.call("anvil_setCode", address, abi.to_hex(code))
    for slot, word in slots.items():
        await site.rpc.call("anvil_setStorageAt", address, hex(slot), abi.to_hex(abi.encode(word)))


# --- reading ---------------------------------------------------------------------------------------------------------


def _key(a: str, b: str) -> PoolKey:
    """Of the pools of these tokens."""
    token0, token1 = sorted((a, b), key=lambda token: int(token, 16))
    return PoolKey(token0, token1, FEE, SPACING, NO_HOOKS)


async def _read(site: Site, deployment: Deployment, vault: str, number: int) -> Sequence[Pool]:
    """Of the devnet's own pools the first of each kind between two of these tokens."""
    tokens = {WETH, USDC, USDT, DAI, WBTC}
    own = {(pool.kind, pool.token0, pool.token1): pool.address for pool in reversed(deployment.pools)}
    near = [address for (_, token0, token1), address in own.items() if {token0, token1} <= tokens]
    pair = abi.address(await site.call(uniswap_v2.UNISWAP.factory, abi.call("getPair(address,address)", vault, WETH)))
    asked = [*near, pair, THREE_POOL, TRICRYPTO_2.pool, TRICRYPTO_USDC.pool, created(balancer.FACTORY, 1), vault, WETH]
    infos = await identify(site.rpc, asked, number)
    assert len(infos) == len(asked), set(asked) - {info.id[:42] for info in infos}
    keys = [_key(USDC, WETH), _key(DAI, WETH), *(_key(*amounts) for amounts in _v4_pools(vault))]
    loaded = await load(site.rpc, [*infos, *from_keys(MANAGER, keys)], number, reach=None)
    assert not loaded.unknown, loaded.unknown
    for pool in loaded.pools.values():
        await _used(site, pool)
    return list(loaded.pools.values())


async def _used(site: Site, pool: Pool) -> None:
    """What each swap adds to is not nothing, as in a pool that has traded: the first write would take more gas."""
    if pool.kind in _COUNTERS:
        at, first = (MANAGER, v4_layout(pool.id).price) if pool.kind == "v4" else (pool.id, 0)
        for slot in _COUNTERS[pool.kind]:
            await site.rpc.call("anvil_setStorageAt", at, hex(first + slot), abi.to_hex(abi.encode(1)))


_COUNTERS = {"v2": (9, 10), "v3": (1, 2), "v4": (1, 2)}
"""Slots of the pairs' price accumulators and of the pools' fee growths."""

__all__ = ["DAI", "ETH", "EXECUTOR", "USDC", "USDT", "WBTC", "WETH", "MixedWorld", "mixed_world"]
