"""The devnet, whole: an anvil with the real protocols, its order flow, and its builder."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.abi import to_hex
from bot.devnet.builder import Builder, BuiltBlock
from bot.devnet.deployment import BLOCK_SECONDS, Deployment, account
from bot.devnet.flow import OrderFlow
from bot.devnet.state import devnet_node, ensure_state
from bot.simulation.anvil import Anvil

GAS_LIMIT = 5_000_000  # a sixth of mainnet's: the flow half fills it, so that the base fee lives


class Devnet:
    """``async with Devnet(data_dir, seed) as net``. A slot: ``send_flow``, then whatever the bots do, then
    ``build_block``. The same seed and the same bundles give the same chain, unless it keeps ``wall_time``.

    ``size`` is that of the flow's trades (OrderFlow). ``port`` and ``relay_port`` 0 are free ones. ``node`` is the
    anvil, ``deployment`` what stands on it, ``relay_url`` takes bundles (see relay_methods.py).
    """

    node: Anvil
    builder: Builder
    deployment: Deployment

    def __init__(
        self,
        data_dir: Path,
        seed: int,
        *,
        wall_time: bool = False,
        size: float = 1.0,
        port: int = 0,
        relay_port: int = 0,
    ) -> None:
        self._data_dir, self._seed, self._wall_time, self._size = data_dir, seed, wall_time, size
        self._port, self._relay_port = port, relay_port
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Raises UserError, AnvilFailed."""
        state, self.deployment = await ensure_state(self._data_dir)
        self._flow = OrderFlow(self.deployment, self._seed, self._size)
        self._timestamp = self.deployment.head_timestamp
        async with AsyncExitStack() as stack:
            self.node = await stack.enter_async_context(devnet_node(state, self.deployment, port=self._port))
            await self.node.rpc.call("evm_setBlockGasLimit", hex(GAS_LIMIT))
            coinbase = account(5).address.lower()
            self.builder = await stack.enter_async_context(Builder(self.node.rpc, coinbase, port=self._relay_port))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def relay_url(self) -> str:
        """Where bundles are taken."""
        return self.builder.url

    async def send_flow(self, gap: float = 0.0) -> list[str]:
        """This slot's transactions, one after the other into the public mempool, ``gap`` seconds apart whatever the
        bots do; their hashes. Raises RpcError."""
        loop = asyncio.get_running_loop()
        start, hashes = loop.time(), []
        for number, raw in enumerate(await self._flow.slot(self.node.rpc)):
            await asyncio.sleep(start + number * gap - loop.time())
            hashes.append(await self.node.rpc.call("eth_sendRawTransaction", to_hex(raw)))
        return hashes

    async def build_block(self) -> BuiltBlock:
        """Ends the slot, twelve seconds after the last one or, with ``wall_time``, now. Raises BuilderFailed,
        RpcUnreachable."""
        last = self._timestamp
        self._timestamp = max(int(time.time()), last + 1) if self._wall_time else last + BLOCK_SECONDS
        return await self.builder.build_block(self._timestamp)
