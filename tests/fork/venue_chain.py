"""The executor on a chain's state in process, and what every step is held to there.

Nothing is kept: a run begins with its own transactions, and is rolled back. So a world serves many tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import rlp

from bot import abi
from bot.amm.v2 import V2Pool
from bot.devnet.protocols.uniswap_v2 import PAIR_ARTIFACT
from bot.engine.types import AccountDiff
from bot.execution.book import runtime_code
from bot.execution.codec import pack, unpack
from bot.execution.steps import Steps, V2Chain, V2Hop
from bot.simulation.revm import ForkEvm
from bot.simulation.types import BlockContext, Call, CallResult

ETH = "0x" + "00" * 20
"""As Uniswap v4 names it."""
ETHER = 10**18
DUST = 7
"""What the executor has of everything before a trade, so that nothing can be taken from it unseen."""
GAS = 12_000_000
UNAUTHORIZED = abi.selector("Unauthorized(address)")
BELOW_MINIMUM = abi.selector("BelowMinimum(address,uint256,uint256,uint256)")

Slot = Callable[[str], int]
"""Where a token keeps the balance of an account."""


def fresh(name: str) -> str:
    """An address that nobody on the chain ever had."""
    return abi.to_hex(abi.keccak(f"mevkit venues {name}".encode())[-20:])


def created(sender: str, nonce: int) -> str:
    """Where an account's deployment lands."""
    return abi.to_hex(abi.keccak(rlp.encode([abi.to_bytes(sender), nonce]))[-20:])


OWNER, OPERATOR, EXECUTOR, READER, BUILDER = map(fresh, ("owner", "operator", "executor", "reader", "builder"))
PROBE = fresh("probe")
"""An account that does by itself what the executor is to do: what it gets is what must come out."""
PAIRS = tuple(fresh(f"pair {number}") for number in range(4))
DEPLOYED = tuple(created(PROBE, nonce) for nonce in range(24))
FRESH = (OWNER, OPERATOR, EXECUTOR, READER, BUILDER, PROBE, *PAIRS, *DEPLOYED)

_BALANCE_OF_WORD = bytes.fromhex("5f35315f5260205ff3")  # BALANCE(calldataload(0)), returned


def solidity(position: int) -> Slot:
    """Of a mapping that Solidity laid out."""
    return lambda holder: int.from_bytes(abi.keccak(abi.encode(holder) + abi.encode(position)), "big")


def vyper(position: int) -> Slot:
    """Of a mapping that Vyper laid out."""
    return lambda holder: int.from_bytes(abi.keccak(abi.encode(position) + abi.encode(holder)), "big")


@cache
def pair_code() -> bytes:
    """Runtime code of Uniswap v2's pair."""
    return bytes.fromhex(json.loads(PAIR_ARTIFACT.file.read_bytes())["evm"]["deployedBytecode"]["object"])


@dataclass(frozen=True, slots=True)
class Deal:
    """A program, what the executor gains by it of each token (none of any other), and whom it lets pull what
    (``spenders``: token, spender). ``before`` runs ahead of it. ``refused`` are like it, and promise too much elsewhere
    than in the minimum."""

    program: Steps
    gains: Mapping[str, int]
    spenders: tuple[tuple[str, str], ...] = ()
    before: tuple[Call, ...] = ()
    refused: tuple[Steps, ...] = ()


class Chain:
    """A state with the executor on it, which holds DUST of ETH; ``layouts`` say where tokens keep balances."""

    def __init__(self, evm: ForkEvm, block: BlockContext, weth: str, layouts: Mapping[str, Slot]) -> None:
        self.evm, self.block, self.weth, self.layouts = evm, block, weth, dict(layouts)
        rich = AccountDiff(balance=10**6 * ETHER, nonce=0, code=b"")
        operator = solidity(0)(OPERATOR)  # of the mapping of operators
        executor = AccountDiff(balance=DUST, nonce=1, code=runtime_code(OWNER, weth), slots={operator: 1})
        evm.apply(
            {
                OWNER: rich,
                OPERATOR: rich,
                PROBE: rich,
                BUILDER: AccountDiff(balance=0, nonce=0, code=b""),
                READER: AccountDiff(balance=0, nonce=1, code=_BALANCE_OF_WORD),
                EXECUTOR: executor,
            }
        )

    # --- state -------------------------------------------------------------------------------------------------------

    def give(self, token: str, holder: str, amount: int) -> None:
        """Sets what ``holder`` has of a token."""
        self.evm.apply({token: AccountDiff(slots={self.layouts[token](holder): amount})})
        assert self.ask((), [balance_of(token, holder)]) == [amount], token

    def dust(self, *tokens: str) -> None:
        """The executor has DUST of these, and no more."""
        for token in tokens:
            self.give(token, EXECUTOR, DUST)

    def place(self, at: str, initcode: bytes) -> None:
        """Puts at a fresh address what a deployment makes. What the constructor writes to storage is not there."""
        (result,) = self.run([by(PROBE, None, initcode)])
        assert result.success, why(result)
        self.evm.apply({at: AccountDiff(balance=0, nonce=1, code=result.output)})

    def pair(self, number: int, reserves: Mapping[str, int]) -> V2Pool:
        """Uniswap v2's pair at a fresh address, with these reserves."""
        token0, token1 = sorted(reserves)
        at, reserve0, reserve1 = PAIRS[number], reserves[token0], reserves[token1]
        packed = (self.block.timestamp % 2**32) << 224 | reserve1 << 112 | reserve0
        slots = {5: int(OWNER, 16), 6: int(token0, 16), 7: int(token1, 16), 8: packed, 9: 0, 10: 0, 11: 0, 12: 1}
        self.evm.apply({at: AccountDiff(balance=0, nonce=1, code=pair_code(), slots=slots)})
        for token, amount in reserves.items():
            self.give(token, at, amount)
        return V2Pool(at, token0, token1, reserve0, reserve1)

    # --- execution ---------------------------------------------------------------------------------------------------

    def run(self, calls: Sequence[Call]) -> list[CallResult]:
        """Runs transactions and rolls back. All but the last must succeed."""
        results = self.evm.run(calls, self.block)
        for call, result in zip(calls[:-1], results[:-1], strict=True):
            assert result.success, f"{call.data[:4].hex()} at {call.to}: {result.error} {result.output.hex()}"
        return results

    def ask(self, before: Iterable[Call], questions: Sequence[Call]) -> list[int]:
        """Words that view calls answer after the transactions ``before``."""
        return [abi.uint(result.output) for result in self.run([*before, *questions])[-len(questions) :]]

    def attempt(
        self, before: Sequence[Call], program: Steps, questions: Sequence[Call], sender: str = OWNER
    ) -> tuple[CallResult, list[int]]:
        """The program's result, and the questions' answers after it."""
        packed = pack(program)
        assert unpack(packed) == program
        results = self.evm.run([*before, Call(sender, EXECUTOR, packed, gas=GAS), *questions], self.block)
        assert all(result.success for result in results[: len(before)])
        return results[len(before)], [abi.uint(result.output) for result in results[len(before) + 1 :]]

    def check(self, deal: Deal) -> None:
        """What is predicted is realised, nothing is taken from the executor, no allowance stays, whether the owner or
        an operator runs it; a wei more is not promised, and what is refused changes nothing."""
        tokens = list(dict.fromkeys([self.weth, *deal.program.tokens, *deal.gains]))
        held = [*(balance_of(token, EXECUTOR) for token in tokens), eth_of(EXECUTOR)]
        allowed = [allowance(token, EXECUTOR, spender) for token, spender in deal.spenders]
        start = self.ask(deal.before, [*held, *allowed])
        result, end = self.attempt(deal.before, deal.program, [*held, *allowed])
        assert result.success, why(result)
        assert self.attempt(deal.before, deal.program, [*held, *allowed], OPERATOR)[1] == end
        gained = {name: b - a for name, a, b in zip([*tokens, ETH], start, end, strict=False) if a != b}
        assert gained == {token: gain for token, gain in deal.gains.items() if gain}
        assert all(gain >= 0 for gain in deal.gains.values())
        assert not any(end[len(held) :])
        self._refuse(deal, start, [*held, *allowed])

    def _refuse(self, deal: Deal, start: list[int], questions: Sequence[Call]) -> None:
        stranger, _ = self.attempt(deal.before, deal.program, (), PROBE)
        assert stranger.output[:4] == UNAUTHORIZED
        greedy = replace(deal.program, minimum=deal.program.minimum + 1)
        for number, program in enumerate((greedy, *deal.refused)):
            result, end = self.attempt(deal.before, program, questions)
            assert not result.success, f"refused {number} succeeded"
            assert number or result.output[:4] == BELOW_MINIMUM, why(result)
            assert end == start


def why(result: CallResult) -> str:
    """Of a failure: its data, down to what the last target said."""
    return f"{result.error}: {result.output.hex()} {bytes(b for b in result.output if 31 < b < 127)!r}"


# --- calls -----------------------------------------------------------------------------------------------------------


def by(sender: str, to: str | None, data: bytes, value: int = 0) -> Call:
    """A transaction; ``to`` None deploys."""
    return Call(sender, to, data, value, gas=GAS)


def balance_of(token: str, holder: str) -> Call:
    """The question what an account has of a token."""
    return by(PROBE, token, abi.call("balanceOf(address)", holder))


def eth_of(holder: str) -> Call:
    """The question how much ETH an account has."""
    return by(PROBE, READER, abi.encode(holder))


def allowance(token: str, holder: str, spender: str) -> Call:
    """The question what an account may pull."""
    return by(PROBE, token, abi.call("allowance(address,address)", holder, spender))


def approve(sender: str, token: str, spender: str, amount: int = abi.MASK_256) -> Call:
    """An approval."""
    return by(sender, token, abi.call("approve(address,uint256)", spender, amount))


def transfer(sender: str, token: str, to: str, amount: int) -> Call:
    """A transfer."""
    return by(sender, token, abi.call("transfer(address,uint256)", to, amount))


# --- trades with the pairs of a test ---------------------------------------------------------------------------------


def hop(pool: V2Pool, token_in: str, amount_in: int) -> V2Hop:
    """What a pair gives for an amount, all of it."""
    zero_for_one = token_in == pool.token0
    return V2Hop(pool.id, zero_for_one, pool.quote_in(int(not zero_for_one), int(zero_for_one), amount_in))


def sale(pool: V2Pool, weth: str, token_in: str, amount_in: int) -> V2Chain:
    """The executor pays a pair and is paid by it."""
    token = None if token_in == weth else token_in
    return V2Chain((hop(pool, token_in, amount_in),), pay=amount_in, token=token)


def out_of(chain: V2Chain) -> int:
    """What a chain ends with."""
    return chain.hops[-1].amount_out
