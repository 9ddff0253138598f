"""The proof before money: a trade is run, behind what it follows, on two EVMs that must agree."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.abi import to_hex
from bot.engine.types import Reason, StateDiff
from bot.execution.access_list import from_answer, paying, saving
from bot.execution.executor import explain
from bot.execution.profit import gained
from bot.jsonrpc import JsonRpc, RpcError, RpcUnreachable
from bot.simulation.fork import HeadFork
from bot.simulation.node import simulate
from bot.simulation.types import AccessList, Call, CallResult, UnrecordedState

PATIENCE = 0.02  # seconds that an access list may come later than the second opinion

Asked = asyncio.Task[list[CallResult]]


class ProofFailed(Exception):
    """The trade does not do on a fork what was promised. ``reason`` is the outcome's reason code."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, slots=True)
class Proof:
    """What our transaction did on the fork. ``gas`` is units, with ``access_list``, which is empty unless it pays;
    ``realised`` is wei of the trade's token."""

    gas: int
    realised: int
    access_list: AccessList = ()


class Prover:
    """``overrides`` is state that both EVMs assume on top of the head's (an executor that is not deployed yet)."""

    def __init__(self, fork: HeadFork, node: JsonRpc, overrides: StateDiff | None = None) -> None:
        self._fork, self._node, self._overrides = fork, node, overrides or {}
        self.proved = 0

    async def prove(self, calls: Sequence[Call], executor: str, token: str, expected: AccessList = ()) -> Proof:
        """Runs ``calls``, the last of which is ours, in the next block on the head's state. ``expected`` is what ours
        touches if it is not the first.

        revm in process is the first opinion, the node's eth_simulateV1 the second; the node is asked for an access list
        meanwhile. Raises ProofFailed."""
        self.proved += 1
        asked = asyncio.create_task(self._simulate(calls))
        listed = asyncio.create_task(self._listed(calls, executor, token, expected, asked))
        for task in (asked, listed):
            task.add_done_callback(lambda task: task.cancelled() or task.exception())  # it may be of no use any more
        try:
            await asyncio.sleep(0)  # the requests go out, and the node works while revm does
            first = _own(self._fork.run(calls), executor, token)
            second = _own(await asked, executor, token)
            if first.realised != second.realised:
                raise ProofFailed(Reason.OPINIONS_DIFFER, f"revm {first.realised} wei, node {second.realised} wei")
            await asyncio.wait([listed], timeout=PATIENCE)
            return _cheaper(second, listed)
        except (UnrecordedState, RpcError, RpcUnreachable) as error:
            raise ProofFailed(Reason.SIMULATION_FAILED, f"no opinion: {error}") from None
        finally:
            asked.cancel()
            listed.cancel()

    async def _simulate(self, calls: Sequence[Call]) -> list[CallResult]:
        head = hex(self._fork.head.number)  # the node may be at a newer one already
        return await simulate(self._node, calls, self._fork.block, self._overrides, on=head)

    async def _listed(
        self, calls: Sequence[Call], executor: str, token: str, expected: AccessList, asked: Asked
    ) -> tuple[AccessList, int]:
        """An access list, and the gas that it saves: by the rules, or behind another transaction as measured."""
        ours = calls[-1]
        warm = (ours.sender, executor, self._fork.block.coinbase)
        if len(calls) == 1:
            found = paying(await self._touched(ours), warm)
            return found, saving(found, warm)
        if not (found := paying(expected, warm)):
            return (), 0
        with_it = await self._simulate([*calls[:-1], replace(ours, access_list=found)])
        return found, _own(await asked, executor, token).gas - _own(with_it, executor, token).gas

    async def _touched(self, call: Call) -> AccessList:
        if self._overrides:  # the node cannot take them here
            return ()
        request = {"from": call.sender, "to": call.to, "input": to_hex(call.data), "gas": hex(call.gas)}
        return from_answer(await self._node.call("eth_createAccessList", request, hex(self._fork.head.number)))


def _cheaper(proof: Proof, listed: asyncio.Task[tuple[AccessList, int]]) -> Proof:
    """The proof, with the access list where there is one that pays."""
    if not listed.done() or listed.cancelled() or listed.exception():
        return proof
    found, saved = listed.result()
    return replace(proof, gas=proof.gas - saved, access_list=found) if saved > 0 else proof


def _own(results: Sequence[CallResult], executor: str, token: str) -> Proof:
    for place, result in enumerate(results):
        if not result.success:
            which = "our transaction" if place == len(results) - 1 else "the transaction before ours"
            why = explain(result.output) if result.output else result.error
            raise ProofFailed(Reason.SIMULATION_FAILED, f"{which} reverts: {why}")
    own = results[-1]
    return Proof(own.gas_used, gained(own.logs, token, executor))
