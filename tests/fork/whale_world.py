"""The devnet with whales on it: signed swaps of traders through routers, Balancer's Vault and v4's own test router, and
the events that a node would give of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec
from eth_utils.address import to_checksum_address

from bot import abi
from bot.amm.pool import NoLiquidity, Pool, UnknownState
from bot.chain.pools import load
from bot.chain.snapshot import Snapshot
from bot.chain.swap_calls import swaps
from bot.cli import profile as profiles
from bot.cli.market_source import read_node
from bot.devnet.artifacts import Artifact
from bot.devnet.deployment import account, trader
from bot.devnet.network import Devnet
from bot.devnet.place import arguments, calldata
from bot.devnet.protocols.uniswap_v4 import FEE, NO_HOOKS, SPACING
from bot.engine.decode import LogEntry, TransactionBody, header, mined, transaction
from bot.engine.types import Header, NewHead, PendingEffect, PendingTx, Signal, Transaction
from bot.market.market import Market
from bot.paths import data_dir, repo_root
from bot.simulation.fork import HeadFork
from bot.strategies.gas import GasPolicy
from bot.strategies.whale_impact import Watched
from bot.strategies.whales import Whales

SWAP_ROUTER = Artifact("@uniswap/v4-core/out/PoolSwapTest.sol/PoolSwapTest.json")
_KEY = "(address,address,uint24,int24,address)"
_SWAP_4 = f"swap({_KEY},(bool,int256,uint160),(bool,bool),bytes)"
_VAULT_SWAP = "swap((bytes32,uint8,address,address,uint256,bytes),(address,bool,address,bool),uint256,uint256)"
LOW, HIGH = 4295128740, 1461446703485210103287273052203988822378723970341
FREE = GasPolicy("0x", base=0, per_hop={})


@dataclass(frozen=True)
class Entry:
    label: str
    kind: str


@dataclass
class World:
    net: Devnet
    taken: Snapshot
    market: Market
    fork: HeadFork
    router_4: str
    watch: dict[str, Watched]
    whales: Whales
    fees: Random

    # --- what whales send --------------------------------------------------------------------------------------------

    async def send(self, who: int, to: str, data: bytes, value: int = 0) -> Transaction:
        """Into the mempool."""
        rpc = self.net.node.rpc
        sender = self.net.deployment.traders[who]
        fields = {
            "type": 2,
            "chainId": self.net.deployment.chain_id,
            "nonce": int(await rpc.call("eth_getTransactionCount", sender, "pending"), 16),
            "maxPriorityFeePerGas": self.fees.randrange(10**9, 10**10),
            "maxFeePerGas": 2 * self.fork.head.base_fee + 10**10,
            "gas": 900_000,
            "to": to_checksum_address(to),
            "value": value,
            "data": data,
        }
        raw = bytes(trader(who).sign_transaction(fields).raw_transaction)
        sent = await rpc.call("eth_sendRawTransaction", abi.to_hex(raw))
        body = await rpc.call("eth_getTransactionByHash", sent)
        tx = transaction(msgspec.convert(body, TransactionBody))
        assert tx is not None
        return tx

    def swap(self, who: int, path: list[Pool], tokens: list[str], amount: int) -> tuple[str, bytes]:
        """Target and calldata of ``amount`` of the first token through pools of one kind."""
        recipient = self.net.deployment.traders[who]
        if path[0].kind == "v2":
            router = dict(zip(self.net.deployment.v2_factories, self.net.deployment.v2_routers, strict=True))
            signature = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
            return router[self._factory(path[0])], calldata(signature, amount, 0, tokens, recipient, 1 << 40)
        if path[0].kind == "v3":
            packed = abi.to_bytes(tokens[0])
            for pool, out in zip(path, tokens[1:], strict=True):
                packed += int(getattr(pool, "fee")).to_bytes(3, "big") + abi.to_bytes(out)  # noqa: B009
            exact = (packed, recipient, 1 << 40, amount, 0)
            return self.net.deployment.v3_router, calldata("exactInput((bytes,address,uint256,uint256,uint256))", exact)
        if path[0].kind == "balancer":
            single = (abi.to_bytes(path[0].id), 0, *tokens, amount, b"")
            funds = (recipient, False, recipient, False)
            return self.net.deployment.balancer_vault, calldata(_VAULT_SWAP, single, funds, 0, 1 << 40)
        token0, token1 = path[0].tokens
        down = tokens[0] == token0
        terms = (down, -amount, LOW if down else HIGH)
        return self.router_4, calldata(_SWAP_4, (token0, token1, FEE, SPACING, NO_HOOKS), terms, (False, False), b"")

    def _factory(self, pool: Pool) -> str:
        return next(known.factory for known in self.net.deployment.pools if known.address == pool.id)

    def random_swap(self, dice: Random, who: int, kind: str) -> tuple[str, bytes]:
        """Up to three per cent of what a pool has, through one or two pools."""
        pools = [pool for pool in self.market.pools().values() if pool.kind == kind]
        first = dice.choice(pools)
        i, j = dice.sample(range(len(first.tokens)), 2)
        amount = max(1, int(_depth(first, i, j) * dice.uniform(1e-4, 0.03)))
        path, tokens, got = [first], [first.tokens[i], first.tokens[j]], first.quote_in(i, j, amount)
        onward = [pool for pool in pools if kind in ("v2", "v3") and self._follows(pool, first, *tokens)]
        onward = [pool for pool in onward if got < _depth(pool, *_ends(pool, tokens[1])) // 30]
        if onward and dice.random() < 0.5:
            path.append(dice.choice(onward))
            tokens.append(path[1].tokens[_ends(path[1], tokens[1])[1]])
        return self.swap(who, path, tokens, amount)

    def _follows(self, pool: Pool, first: Pool, token_in: str, token_out: str) -> bool:
        same = pool.kind == "v3" or self._factory(pool) == self._factory(first)
        return same and token_out in pool.tokens and token_in not in pool.tokens

    # --- what the bot sees -------------------------------------------------------------------------------------------

    async def pending(self, tx: Transaction) -> list[Signal]:
        event = await self.fork.adapt(PendingTx(tx, 1))
        return list(self.whales.process(event)) if isinstance(event, PendingEffect) else []

    async def build(self) -> tuple[NewHead, list[Signal]]:
        """A block of what is in the mempool, followed by all."""
        await self.net.build_block()
        event = await self.head_event()
        self.market.follow(event.header, event.logs, event.diff)
        await self.fork.adapt(event)
        return event, list(self.whales.process(event))

    async def head_event(self) -> NewHead:
        rpc = self.net.node.rpc
        block = await rpc.call("eth_getBlockByNumber", "latest", True)
        logs = await rpc.call_as(tuple[LogEntry, ...], "eth_getLogs", {"blockHash": block["hash"]})
        transactions = mined(msgspec.convert(block["transactions"], list[TransactionBody]), logs)
        every = tuple(log for tx in transactions for log in tx.logs)
        return NewHead(header(block), every, None, transactions, 2)

    async def pools(self) -> dict[str, Pool]:
        """Read anew at the node's head."""
        head = await self.head()
        return (await load(self.net.node.rpc, self.taken.infos, head.number)).pools

    async def head(self) -> Header:
        return header(await self.net.node.rpc.call("eth_getBlockByNumber", "latest", False))


def _ends(pool: Pool, token: str) -> tuple[int, int]:
    """Of a pool of two: the token's index and the other's."""
    i = pool.tokens.index(token)
    return i, 1 - i


def _depth(pool: Pool, i: int, j: int) -> int:
    try:
        return int(next(pool.segments(i, j)).x)
    except (UnknownState, NoLiquidity):
        return 0


@asynccontextmanager
async def running(seed: int, **settings: Any) -> AsyncIterator[World]:
    """A world in which nobody is watched yet."""
    profile = profiles.load(repo_root() / "forks" / "devnet.toml")
    async with Devnet(data_dir(), seed=seed) as net:
        router = await _prepare(net)
        taken = await read_node(profile, net.node.rpc, from_block=0, reach=None)
        market = taken.market(3)
        watch: dict[str, Watched] = {}
        fork = HeadFork(
            net.node.rpc.url,
            taken.head,
            chain_id=profile.chain_id,
            block_time=profile.block_time,
            lacking=market.lacking,
            watched=watch,
        )
        settings = {"decode": swaps, **settings}
        whales = Whales(market, FREE, watch.get, names=profile.units(), **settings)  # type: ignore[arg-type]
        yield World(net, taken, market, fork, router, watch, whales, Random(seed))


async def _prepare(net: Devnet) -> str:
    """v4's test router, and every trader's approvals to it and to Balancer's Vault."""
    rpc, deployer = net.node.rpc, account(7).address.lower()
    await rpc.call("evm_setBlockGasLimit", hex(1_000_000_000))
    await rpc.call("anvil_autoImpersonateAccount", True)
    data = SWAP_ROUTER.initcode() + arguments("(address)", net.deployment.v4_manager)
    created = await rpc.call("eth_sendTransaction", {"from": deployer, "data": abi.to_hex(data), "gas": hex(10**7)})
    await net.build_block()
    router = str((await rpc.call("eth_getTransactionReceipt", created))["contractAddress"]).lower()
    for spender in (router, net.deployment.balancer_vault):
        data = abi.call("approve(address,uint256)", spender, (1 << 256) - 1)
        for token in net.deployment.tokens:
            for sender in net.deployment.traders[:4]:
                call = {"from": sender, "to": token.address, "data": abi.to_hex(data), "gas": hex(100_000)}
                await rpc.call("eth_sendTransaction", call)
    await net.build_block()
    await rpc.call("anvil_autoImpersonateAccount", False)
    await rpc.call("evm_setBlockGasLimit", hex(30_000_000))
    return router
