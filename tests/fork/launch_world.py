"""Launches on a devnet's real Uniswap v2 and v3: tokens deployed, paired with WETH, their liquidity burnt."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from math import isqrt

from bot import abi
from bot.chain.discovery import ETH, from_addresses
from bot.chain.launches.check import check
from bot.chain.launches.report import Report
from bot.chain.pool_reader import PoolInfo
from bot.chain.readers.uniswap_v4 import PoolKey, from_keys
from bot.chain.tokens import find_balances
from bot.devnet.artifacts import Source
from bot.devnet.deployment import BLOCK_SECONDS, Deployment
from bot.devnet.place import Site, arguments, calldata
from bot.devnet.protocols import uniswap_v3, uniswap_v4
from bot.devnet.state import devnet_node, ensure_state
from bot.engine.decode import header
from bot.paths import data_dir
from bot.simulation.anvil import Anvil

DEAD = f"0x{0xDEAD:040x}"
WETH_IN = 50 * 10**18
SEED = b"what no token knows"
SETTINGS = {"optimizer": {"enabled": True, "runs": 200}, "evmVersion": "cancun"}
FOREVER = 2**256 - 1


@cache
def initcodes(file: str) -> dict[str, bytes]:
    return Source("tests/fork/launch_tokens", (file,), "0.8.37", SETTINGS).initcodes()


@dataclass
class Launched:
    """A token with its pool. ``block`` is the one that made the pool."""

    name: str
    token: str
    pool: PoolInfo
    block: int


@dataclass
class World:
    """A node of its own."""

    runner: asyncio.Runner
    node: Anvil
    deployment: Deployment
    site: Site

    @property
    def creator(self) -> str:
        return self.site.deployer

    @property
    def head(self) -> int:
        return int(self.runner.run(self.node.rpc.call("eth_blockNumber")), 16)

    def send(self, to: str, data: bytes) -> None:
        self.site.send(to, data)
        self.runner.run(self.site.settle())

    def launch_all(
        self, file: str, names: Sequence[str], *, keep: Sequence[str] = (), told: bool = False
    ) -> list[Launched]:
        """On v2, many a block. ``keep``: the creator keeps the liquidity; ``told``: tokens have ``launch(pair)``."""
        codes = initcodes(file)
        tokens = self.runner.run(self.site.create(*(codes[name] for name in names)))
        return self._pair_all(names, tokens, keep, told)

    def _pair_all(self, names: Sequence[str], tokens: Sequence[str], keep: Sequence[str], told: bool) -> list[Launched]:
        run, site, factory = self.runner.run, self.site, self.deployment.v2_factories[0]
        for token in tokens:
            site.send(factory, abi.call("createPair(address,address)", token, self.deployment.weth))
        run(site.settle())
        block = self.head
        pairs = [
            abi.address(run(site.call(factory, abi.call("getPair(address,address)", token, self.deployment.weth))))
            for token in tokens
        ]
        for name, token, pair in zip(names, tokens, pairs, strict=True):
            if told:
                site.send(token, abi.call("launch(address)", pair))
            supply = abi.uint(run(site.call(token, abi.call("balanceOf(address)", self.creator))))
            site.send(token, abi.call("transfer(address,uint256)", pair, supply * 95 // 100))
            site.send(self.deployment.weth, abi.call("transfer(address,uint256)", pair, WETH_IN))
            site.send(pair, abi.call("mint(address)", self.creator if name in keep else DEAD))
        run(site.settle())
        infos = {info.id: info for info in run(from_addresses(self.node.rpc, pairs, self.head))}
        return [
            Launched(name, token, self._told(infos[pair], factory), block)
            for name, token, pair in zip(names, tokens, pairs, strict=True)
        ]

    def launch_code(self, name: str, token: str, code: bytes) -> Launched:
        """On v2, code put at an address, with a balance for the creator in its storage."""
        run, rpc = self.runner.run, self.node.rpc
        run(rpc.call("anvil_setCode", token, abi.to_hex(code)))
        balances = run(find_balances(rpc, token, "latest"))
        assert balances is not None
        run(rpc.call("anvil_setStorageAt", token, hex(balances.of(self.creator)), f"0x{10**24:064x}"))
        return self._pair_all([name], [token], (), False)[0]

    def launch_v3(self, file: str, name: str, *, keep: bool = False) -> Launched:
        """On v3, at 1 %, over the whole range, by the position manager."""
        run, site, weth = self.runner.run, self.site, self.deployment.weth
        (token,) = run(site.create(initcodes(file)[name]))
        supply = abi.uint(run(site.call(token, abi.call("balanceOf(address)", self.creator)))) * 95 // 100
        for one in (token, weth):
            site.send(one, abi.call("approve(address,uint256)", uniswap_v3.POSITIONS, FOREVER))
        pair, amounts = (token, weth), (supply, WETH_IN)
        if int(token, 16) > int(weth, 16):
            pair, amounts = pair[::-1], amounts[::-1]
        create = "createAndInitializePoolIfNecessary(address,address,uint24,uint160)"
        site.send(uniswap_v3.POSITIONS, abi.call(create, *pair, 10_000, isqrt((amounts[1] << 192) // amounts[0])))
        mint = "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))"
        ticks, to = (-887_200, 887_200), self.creator if keep else DEAD
        site.send(uniswap_v3.POSITIONS, abi.call(mint, *pair, 10_000, *ticks, *amounts, 0, 0, to, FOREVER))
        run(site.settle())
        pool = run(uniswap_v3.pool_address(site, *pair, 10_000))
        if name in TOLD_ON_V3:
            self.send(token, abi.call("launch(address)", pool))
        (info,) = run(from_addresses(self.node.rpc, [pool], self.head))
        return Launched(name, token, self._told(info, uniswap_v3.FACTORY), self.head - 2)

    def launch_v4(self, file: str, name: str, base: str, *, hooks: str = ETH) -> Launched:
        """On v4, at 1 %, over the whole range, against ``base`` (the zero address is ether), by a router that is then
        the liquidity's owner."""
        run, site, manager = self.runner.run, self.site, self.deployment.v4_manager
        (token,) = run(site.create(initcodes(file)[name]))
        (router,) = run(site.create(uniswap_v4.LIQUIDITY_ARTIFACT.initcode() + arguments("(address)", manager)))
        supply = abi.uint(run(site.call(token, abi.call("balanceOf(address)", self.creator)))) * 95 // 100
        site.send(token, abi.call("approve(address,uint256)", router, FOREVER))
        if base != ETH:
            site.send(base, abi.call("approve(address,uint256)", router, FOREVER))
        pair, amounts = (token, base), (supply, WETH_IN)
        if int(token, 16) > int(base, 16):
            pair, amounts = pair[::-1], amounts[::-1]
        key = (*pair, 10_000, 200, hooks)
        kind = "(address,address,uint24,int24,address)"
        root = isqrt((amounts[1] << 192) // amounts[0])
        site.send(manager, calldata(f"initialize({kind},uint160)", key, root))
        run(site.settle())
        block = self.head
        position = (-887_200, 887_200, isqrt(amounts[0] * amounts[1]) * 99 // 100, bytes(32))
        modify = f"modifyLiquidity({kind},(int24,int24,int256,bytes32),bytes)"
        site.send(router, calldata(modify, key, position, b""), value=WETH_IN if base == ETH else 0)
        run(site.settle())
        (info,) = from_keys(manager, [PoolKey(*pair, 10_000, 200, hooks)])
        return Launched(name, token, info, block)

    def check(self, one: Launched) -> Report:
        rpc = self.node.rpc
        head = header(self.runner.run(rpc.call("eth_getBlockByNumber", "latest", False)))
        bases = [self.deployment.weth, ETH]
        asked = check(
            rpc, one.token, one.pool, bases, head, BLOCK_SECONDS, seed=SEED, creators=[self.creator], since=one.block
        )
        return self.runner.run(asked)

    def _told(self, info: PoolInfo, factory: str) -> PoolInfo:
        return PoolInfo(info.id, info.protocol, info.layout, factory, info.tokens, info.fee or 3_000, info.tick_spacing)


TOLD_ON_V3 = ("SellTax", "Pausable", "AllowList", "SalesEnd")


@contextmanager
def launch_world() -> Iterator[World]:
    """``with`` it: a node of its own, mining on demand."""
    with asyncio.Runner() as runner:
        state, deployment = runner.run(ensure_state(data_dir()))
        node = devnet_node(state, deployment)
        runner.run(node.start())
        try:
            runner.run(node.rpc.call("anvil_autoImpersonateAccount", True))
            runner.run(node.rpc.call("evm_setBlockGasLimit", hex(1_000_000_000)))
            creator = deployment.traders[0]
            yield World(runner, node, deployment, Site(node.rpc, creator, deployment.head_timestamp))
        finally:
            runner.run(node.stop())
