"""Our executor on the state in the middle of a recorded block, in two EVMs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import rlp

from bot import abi
from bot.abi import keccak
from bot.engine.types import AccountDiff, Hop, StateDiff, Trade
from bot.execution.book import Book, runtime_code
from bot.execution.executor import explain
from bot.execution.program import MAINNET_WETH, Capital, encode, plan
from bot.jsonrpc import JsonRpc, RpcError
from bot.simulation.cassette import Cassette
from bot.simulation.node import simulate
from bot.simulation.revm import ForkEvm
from bot.simulation.state import absorb
from bot.simulation.types import Call, CallResult, UnrecordedState

ETHER = 10**18
GAS = 3_000_000


def _account(name: str) -> str:
    """An address that nobody on the chain ever had."""
    return abi.to_hex(keccak(f"mevkit replay {name}".encode())[-20:])


OWNER = _account("owner")
EXECUTOR = abi.to_hex(keccak(rlp.encode([abi.to_bytes(OWNER), 0]))[-20:])  # the owner's first deployment
BUILDER = _account("builder")
FRESH = (OWNER, EXECUTOR, BUILDER)
DUST = 1  # wei of WETH that the executor holds
_WETH_SLOT = int.from_bytes(keccak(abi.encode(EXECUTOR) + abi.encode(3)), "big")  # WETH9: balanceOf is its slot 3


@dataclass(frozen=True, slots=True)
class _Pool:
    """A pool as a book wants it."""

    address: str
    kind: str
    token0: str
    token1: str

    @classmethod
    def of(cls, hop: Hop) -> Self:
        tokens = (hop.token_in, hop.token_out)
        return cls(hop.pool, hop.kind, *(tokens if hop.zero_for_one else tokens[::-1]))


class Rejected(Exception):
    """The executor did not gain to the wei what was computed."""


def rules(cassette: Cassette) -> str:
    """The hardfork that the executor runs under on this block's state: the block's own, Cancun where that is older.

    The executor guards itself with transient storage, which came with Cancun, as did a header's beacon root.
    """
    return cassette.hardfork if "parentBeaconBlockRoot" in cassette.block else "cancun"


class Bench:
    """The state after the first ``index`` transactions, with our executor on it: one that has traded before, so that
    it holds a wei of WETH, and whose book has the pools of the trade at hand."""

    def __init__(self, cassette: Cassette, url: str, node: JsonRpc) -> None:
        """``url`` serves the cassette, with FRESH as fresh accounts; ``node`` is forked from it."""
        self.index = 0
        self._node = node
        self._block = cassette.context
        builder = cassette.accounts.get(self._block.coinbase)
        if builder is None or cassette.code(builder) is None:
            self._block = replace(self._block, coinbase=BUILDER)
        self._state: StateDiff = {
            OWNER: AccountDiff(balance=1000 * ETHER, nonce=0, code=b""),
            BUILDER: AccountDiff(balance=0, nonce=0, code=b""),
        }
        self._evm = ForkEvm(url, cassette.number - 1, chain_id=cassette.chain_id, gas_limit=self._block.gas_limit)
        self._evm.apply(self._state)
        self._put({OWNER: AccountDiff(nonce=1)})

    def advance(self, diff: StateDiff) -> None:
        """One transaction further."""
        self._put(diff)
        self.index += 1

    def _put(self, diff: StateDiff) -> None:
        self._evm.apply(diff)
        absorb(self._state, diff)

    async def execute(self, trade: Trade) -> tuple[int, int]:
        """Gas, and the WETH that the executor gained. Both EVMs must give the trade's gross profit.

        Raises Rejected, and UnrecordedState where the trade touches what the cassette does not hold.
        """
        calls = self._calls(trade)
        _check(trade, self._evm.run(calls, self._block), "revm")
        try:
            second = await simulate(self._node, calls, self._block, self._state)
        except RpcError as error:
            raise UnrecordedState(error.message) from None
        return second[0].gas_used, _check(trade, second, "anvil")

    def recorded(self, trade: Trade) -> bool:
        """Whether the cassette holds all that the trade touches. Raises Rejected."""
        try:
            _check(trade, self._evm.run(self._calls(trade), self._block), "revm")
        except UnrecordedState:
            return False
        return True

    def _calls(self, trade: Trade) -> tuple[Call, Call]:
        """The trade, by an executor that is there now, and the question what it left."""
        book = Book.of(MAINNET_WETH, [_Pool.of(hop) for hop in trade.route if hop.kind in ("v2", "v3")])
        code = runtime_code(OWNER, MAINNET_WETH, book)
        self._put({EXECUTOR: AccountDiff(balance=0, nonce=1, code=code)})
        self._put({MAINNET_WETH: AccountDiff(slots={_WETH_SLOT: _held(trade)})})
        program = encode(
            plan(trade, capital(trade), book=book),
            token=trade.token,
            min_profit=trade.gross_profit,
            deadline=self._block.number,
            book=book,
        )
        return (
            Call(OWNER, EXECUTOR, program, gas=GAS, gas_price=self._block.base_fee),
            Call(
                OWNER,
                MAINNET_WETH,
                abi.call("balanceOf(address)", EXECUTOR),
                gas=GAS,
                gas_price=self._block.base_fee,
            ),
        )


def capital(trade: Trade) -> Capital:
    """Pays for itself if one of its pools pays first."""
    return Capital.NESTED if any(hop.kind in ("v2", "v3") for hop in trade.route) else Capital.OWN


def _held(trade: Trade) -> int:
    """Wei of WETH that the executor has before it."""
    return DUST + (trade.amounts[0] if capital(trade) is Capital.OWN else 0)


def _check(trade: Trade, results: list[CallResult], evm: str) -> int:
    ours, balance = results
    if not ours.success:
        raise Rejected(f"{evm}: {explain(ours.output) if ours.output else ours.error}")
    realised = abi.uint(balance.output) - _held(trade)
    if realised != trade.gross_profit:
        raise Rejected(f"{evm}: realised {realised} wei, predicted {trade.gross_profit}")
    return realised
