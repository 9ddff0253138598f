"""The proof before money: a trade is run, behind what it follows, on two EVMs that must agree."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bot.engine.types import Reason, StateDiff
from bot.execution.executor import explain
from bot.execution.profit import gained
from bot.jsonrpc import JsonRpc, RpcError, RpcUnreachable
from bot.simulation.fork import HeadFork
from bot.simulation.node import simulate
from bot.simulation.types import Call, CallResult, UnrecordedState


class ProofFailed(Exception):
    """The trade does not do on a fork what was promised. ``reason`` is the outcome's reason code."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, slots=True)
class Proof:
    """What our transaction did on the fork. ``gas`` is units, ``realised`` wei of the trade's token."""

    gas: int
    realised: int


class Prover:
    """``overrides`` is state that both EVMs assume on top of the head's (an executor that is not deployed yet)."""

    def __init__(self, fork: HeadFork, node: JsonRpc, overrides: StateDiff | None = None) -> None:
        self._fork, self._node, self._overrides = fork, node, overrides or {}
        self.proved = 0

    async def prove(self, calls: Sequence[Call], executor: str, token: str) -> Proof:
        """Runs ``calls``, the last of which is ours, in the next block on the head's state.

        revm in process is the first opinion, the node's eth_simulateV1 the second. Raises ProofFailed."""
        self.proved += 1
        head = hex(self._fork.head.number)  # the node may be at a newer one already
        asked = asyncio.create_task(simulate(self._node, calls, self._fork.block, self._overrides, on=head))
        asked.add_done_callback(lambda task: task.cancelled() or task.exception())  # it may be of no use any more
        try:
            await asyncio.sleep(0)  # the request goes out, and the node works while revm does
            first = _own(self._fork.run(calls), executor, token)
            second = _own(await asked, executor, token)
        except (UnrecordedState, RpcError, RpcUnreachable) as error:
            raise ProofFailed(Reason.SIMULATION_FAILED, f"no opinion: {error}") from None
        finally:
            asked.cancel()
        if first.realised != second.realised:
            raise ProofFailed(Reason.OPINIONS_DIFFER, f"revm {first.realised} wei, node {second.realised} wei")
        return second


def _own(results: Sequence[CallResult], executor: str, token: str) -> Proof:
    for place, result in enumerate(results):
        if not result.success:
            which = "our transaction" if place == len(results) - 1 else "the transaction before ours"
            why = explain(result.output) if result.output else result.error
            raise ProofFailed(Reason.SIMULATION_FAILED, f"{which} reverts: {why}")
    own = results[-1]
    return Proof(own.gas_used, gained(own.logs, token, executor))
