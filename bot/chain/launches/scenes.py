"""Scenes: trades of a token played on a node's state over several blocks to come (eth_simulateV1), nothing sent.

Accounts are fresh ones, with ether, the base token and a seed's addresses that a token cannot foresee; blocks have the
number, time, fees and coinbase that real ones would have, so that a token can hardly tell that it is being tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from bot import abi
from bot.abi import keccak
from bot.chain.launches.probe import ROUTERS, RUNTIME, Fill, both, fills, routed, trade
from bot.chain.pool_reader import PoolInfo
from bot.chain.tokens import Balances
from bot.engine.decode import logs
from bot.engine.types import AccountDiff, StateDiff
from bot.jsonrpc import JsonRpc, RpcError
from bot.simulation.state import overrides
from bot.simulation.types import BlockContext, CallResult

GAS = 4_000_000
"""Limit of a call: forty times what a swap takes."""
BLOCK_GAS = 30_000_000
TIP = 10**9
FILLED = 12
"""Seconds at least between blocks: geth fills the blocks left out in such steps."""
AT_ONCE = 20
"""Scenes in one batch: anvil takes 2 MB."""
ETHER = 2 * 10**18


@dataclass(slots=True)
class Stage:
    """Where a token is tried: against ``base`` in ``pool``, from ``block`` (the next one) on the state of block ``on``.

    ``reserve`` is what the pool has of the base, which ``balances`` keeps (None: it is the chain's own
    coin), ``seed`` what addresses are
    made from. ``played`` counts the scenes: simulate calls.
    """

    rpc: JsonRpc
    token: str
    base: str
    pool: PoolInfo
    block: BlockContext
    on: str
    block_time: int
    balances: Balances | None
    reserve: int
    seed: bytes
    played: int = 0
    router: str = field(init=False)
    hand: str = field(init=False)
    purse: int = field(init=False)

    def __post_init__(self) -> None:
        self.router = ROUTERS.get(self.pool.factory or "") or self.account("router")
        self.hand = self.account("hand")
        self.purse = self.reserve + self.drawn("purse", 1, self.reserve)

    def account(self, name: str) -> str:
        """An address that nobody has the key of, nor has seen before."""
        return abi.to_hex(keccak(self.seed + name.encode())[-20:])

    def drawn(self, name: str, low: int, high: int) -> int:
        """A number from ``low`` to ``high`` that cannot be foreseen either."""
        return low + int.from_bytes(keccak(self.seed + b"number" + name.encode()), "big") % (high - low + 1)

    async def play(self, scenes: Iterable[Scene]) -> list[Played]:
        """Each on the same state, whatever the others do. Raises RpcUnreachable."""
        asked = list(scenes)
        self.played += len(asked)
        requests = [("eth_simulateV1", [scene.request(), self.on]) for scene in asked]
        answers = await self.rpc.batch(requests, size=AT_ONCE)
        return [Played(scene, *_results(scene, answer)) for scene, answer in zip(asked, answers, strict=True)]


class Scene:
    """Calls in blocks, in order. Each method that adds a call gives its place among the results."""

    def __init__(self, stage: Stage, *, router: str | None = None, gas: int = GAS) -> None:
        """Trades go over ``router``, the pool's own unless said otherwise, with ``gas`` for each call."""
        self.stage, self._router = stage, router or stage.router
        self._gas, self._ether = hex(gas), stage.drawn("ether", ETHER, 3 * ETHER)
        self._state: StateDiff = {self._router: AccountDiff(code=RUNTIME)}
        self._funded: dict[int, int] = {}
        self.blocks: list[tuple[int, int, list[dict[str, str]]]] = []
        self.sides: dict[int, str] = {}
        self._count = 0
        self.at(0)

    def at(self, blocks: int, seconds: int | None = None) -> Self:
        """What follows is in the block that many behind the next one; ``seconds`` behind it if not the usual."""
        self.blocks.append((blocks, blocks * max(self.stage.block_time, FILLED) if seconds is None else seconds, []))
        return self

    def call(self, sender: str, to: str, data: bytes, *, tip: int = TIP, value: int = 0) -> int:
        """By an account that is given ether."""
        if sender not in self._state:
            self._state[sender] = AccountDiff(balance=self._ether)
        price = hex(self.stage.block.base_fee + tip)
        request = {"from": sender, "to": to, "input": abi.to_hex(data), "gas": self._gas, "gasPrice": price}
        if value:
            request["value"] = hex(value)
        self.blocks[-1][2].append(request)
        self._count += 1
        return self._count - 1

    def act(self, actor: str) -> Self:
        """Lets an owner send transactions that is a contract: without its code, as no contract signs any."""
        self._state[actor] = AccountDiff(balance=self._ether, code=b"")
        return self

    def buy(self, who: str, amount: int, *, tip: int = TIP) -> int:
        """By a fresh account over the router, for ``amount`` of the base."""
        self._fund(who)
        data = trade(self.stage.pool, self.stage.base, amount=amount)
        if self.stage.balances is None:
            return self._trade(who, self._router, data, self.stage.base, tip, amount)
        self.call(who, self.stage.base, _approval(self._router), tip=tip)
        return self._trade(who, self._router, data, self.stage.base, tip)

    def sell(self, who: str, share: int, *, tip: int = TIP) -> int:
        """By an account over the router, of 10,000 parts of what it has."""
        self.call(who, self.stage.token, _approval(self._router), tip=tip)
        data = trade(self.stage.pool, self.stage.token, share=share)
        return self._trade(who, self._router, data, self.stage.token, tip)

    def buy_as_contract(self, who: str, amount: int) -> int:
        """By a contract, for what it holds itself."""
        self._arm()
        data = trade(self.stage.pool, self.stage.base, amount=amount, own=True)
        return self._trade(who, self.stage.hand, data, self.stage.base, TIP)

    def sell_as_contract(self, who: str, share: int) -> int:
        data = trade(self.stage.pool, self.stage.token, share=share, own=True)
        return self._trade(who, self.stage.hand, data, self.stage.token, TIP)

    def round(self, who: str, amount: int) -> int:
        """A contract buys and sells in one transaction."""
        self._arm()
        data = both(self.stage.pool, self.stage.base, self.stage.token, amount)
        return self._trade(who, self.stage.hand, data, self.stage.base, TIP)

    def trade_really(self, who: str, token_in: str, amount: int) -> int:
        """Over the router's own code."""
        self._state.pop(self._router, None)
        if token_in == self.stage.base:
            self._fund(who)
        self.call(who, token_in, _approval(self._router))
        return self.call(who, self._router, routed(self.stage.pool, token_in, amount, who, self.stage.block.timestamp))

    def balance(self, owner: str, token: str | None = None) -> int:
        """Asks a token, the one that is tried unless said otherwise."""
        return self.call(self.stage.account("asker"), token or self.stage.token, abi.call("balanceOf(address)", owner))

    def transfer(self, sender: str, to: str, amount: int) -> int:
        return self.call(sender, self.stage.token, abi.call("transfer(address,uint256)", to, amount))

    def request(self) -> dict[str, Any]:
        """As eth_simulateV1 takes it."""
        state = {**self._state, self.stage.base: AccountDiff(slots=self._funded)} if self._funded else self._state
        played = [block for block in self.blocks if block[2]]
        return {
            "blockStateCalls": [
                {
                    "blockOverrides": self._block(number, seconds),
                    "stateOverrides": overrides(state) if at == 0 else {},
                    "calls": calls,
                }
                for at, (number, seconds, calls) in enumerate(played)
            ],
            "validation": True,
        }

    def _arm(self) -> None:
        """Lets the contract exist that trades for itself."""
        stage, funded = self.stage, self.stage.balances
        self._state[stage.hand] = AccountDiff(code=RUNTIME, balance=None if funded else stage.purse)
        if funded:
            self._funded[funded.of(stage.hand)] = stage.purse

    def _fund(self, who: str) -> None:
        if self.stage.balances is None:
            self._state[who] = AccountDiff(balance=self._ether + self.stage.purse)
        else:
            self._funded[self.stage.balances.of(who)] = self.stage.purse

    def _trade(self, who: str, to: str, data: bytes, token_in: str, tip: int, value: int = 0) -> int:
        at = self.call(who, to, data, tip=tip, value=value)
        self.sides[at] = token_in
        return at

    def _block(self, number: int, seconds: int) -> dict[str, str]:
        block = self.stage.block
        return {
            "number": hex(block.number + number),
            "time": hex(block.timestamp + seconds),
            "baseFeePerGas": hex(block.base_fee),
            "feeRecipient": block.coinbase,
            "gasLimit": hex(max(block.gas_limit, BLOCK_GAS)),
            "prevRandao": abi.to_hex(keccak(self.stage.seed + abi.encode(number))),
        }


@dataclass(frozen=True, slots=True)
class Played:
    """A scene's answers in order; where the node refused it, none and why."""

    scene: Scene
    answers: Sequence[dict[str, Any]]
    refused: str = ""

    def result(self, at: int) -> CallResult:
        """Of a call. Raises IndexError where the node refused the scene."""
        answer = self.answers[at]
        success = answer["status"] == "0x1"
        error = "" if success else answer.get("error", {}).get("message", "failed")
        output = abi.to_bytes(answer["returnData"])
        return CallResult(success, int(answer["gasUsed"], 16), output, logs(answer["logs"]) if success else (), error)

    def fill(self, at: int) -> Fill:
        """Of a trade. Raises IndexError where the node refused the scene."""
        return self.fills(at)[0]

    def fills(self, at: int) -> list[Fill]:
        """Of a round, its buying and its selling; one alone where it failed."""
        return fills(self.scene.stage.pool, self.scene.sides[at], self.result(at))

    def number(self, at: int) -> int | None:
        """The answer to a question, None where it failed."""
        result = self.result(at)
        return abi.uint(result.output) if result.success and len(result.output) >= abi.WORD else None


def _results(scene: Scene, answer: Any) -> tuple[list[dict[str, Any]], str]:
    if isinstance(answer, RpcError):
        return [], answer.message
    wanted = {scene.stage.block.number + number for number, _, calls in scene.blocks if calls}
    # Some nodes put the blocks that lie between into their answer.
    found = [block for block in answer if int(block["number"], 16) in wanted]
    results = [call for block in found for call in block["calls"]]
    expected = sum(len(calls) for _, _, calls in scene.blocks)
    return (results, "") if len(results) == expected else ([], f"{len(results)} results of {expected} calls")


def _approval(spender: str) -> bytes:
    return abi.call("approve(address,uint256)", spender, abi.MASK_256)
