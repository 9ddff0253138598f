"""One interface to all that runs calls: the EVM in this process, a pool of processes (bot.simulation.workers), a node.

What pyrevm cannot be sure of it says (``CallResult.doubts``); ``Decided`` then lets the node have the last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.engine.types import StateDiff
from bot.jsonrpc import JsonRpc, RpcError
from bot.simulation.node import simulate
from bot.simulation.revm import ForkEvm
from bot.simulation.rules import Doubt
from bot.simulation.types import BlockContext, Call, CallResult, UnrecordedState


class Simulator(Protocol):
    """Runs calls as transactions, one after the other, on the state that it stands on, which stays as it is."""

    async def simulate(self, calls: Sequence[Call], block: BlockContext) -> list[CallResult]:
        """A result a call, with its doubts. A call that cannot start fails with gas 0 and says why. Raises
        UnrecordedState where state is not to be had."""
        ...


class InProcess:
    """pyrevm in this process."""

    def __init__(self, evm: ForkEvm) -> None:
        self.evm = evm

    async def simulate(self, calls: Sequence[Call], block: BlockContext) -> list[CallResult]:
        return self.evm.run(calls, block, doubtful=True)


class OnNode:
    """The node, at the block ``on`` with ``state`` over it. It knows its chain's rules."""

    def __init__(self, rpc: JsonRpc, on: str = "latest", state: StateDiff | None = None) -> None:
        self._rpc, self.on, self.state = rpc, on, state or {}

    async def simulate(self, calls: Sequence[Call], block: BlockContext) -> list[CallResult]:
        """Raises also RpcUnreachable."""
        try:
            results = await simulate(self._rpc, calls, block, self.state, on=self.on)
        except RpcError as error:
            raise UnrecordedState(error.message) from None
        if all(call.gas_price >= block.base_fee for call in calls):
            return results
        # One that pays less than the base fee cannot be in the block: then the node takes BASEFEE as 0.
        return [
            CallResult(one.success, one.gas_used, one.output, one.logs, one.error, (Doubt.BASE_FEE,)) for one in results
        ]


class Decided:
    """``quick`` where it is sure of all, else the node. ``asked`` counts how often the node had to be."""

    def __init__(self, quick: Simulator, node: Simulator) -> None:
        self._quick, self._node = quick, node
        self.runs = self.asked = 0

    async def simulate(self, calls: Sequence[Call], block: BlockContext) -> list[CallResult]:
        """Raises also RpcUnreachable."""
        self.runs += 1
        try:
            results = await self._quick.simulate(calls, block)
        except UnrecordedState:  # older rules may have led it where the chain does not go
            results = []
        if results and all(result.exact for result in results):
            return results
        self.asked += 1
        return await self._node.simulate(calls, block)
