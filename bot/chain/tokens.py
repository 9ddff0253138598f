"""What tokens are: decimals, symbol, and whether who trades them gets what pools say.

Found by simulation (eth_simulateV1): an account that is given a base token buys through the deepest pool, passes what
it got to a fresh account and back, and sells. What moves at each step has to be what was moved; the trades have to
pay their exact quotes. A pool of a token that does otherwise pays out other than it says, so it is kept out.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bot import abi
from bot.abi import keccak
from bot.amm.layouts import mapping_slot
from bot.amm.pool import NoLiquidity, Pool, UnknownState
from bot.amm.tick_math import MAX_SQRT_RATIO, MIN_SQRT_RATIO
from bot.chain.state_reader import Block, StateReader
from bot.engine.types import AccountDiff, StateDiff
from bot.jsonrpc import JsonRpc, RpcError
from bot.simulation.node import simulate
from bot.simulation.state import overrides
from bot.simulation.types import BlockContext, Call, CallResult

WHOLE = 10_000  # basis points
TRIED = 3  # pools of a token, the deepest first
AT_ONCE = 8  # tokens
SHARE = 10_000  # of the virtual reserve, the part that is traded
PLAIN_SLOTS = 64  # where a token's mapping of balances is looked for, in Solidity's order and in Vyper's
ERC7201_ERC20 = 0x52C63247E1F47DB19D5CE0460030C497F067CA4CEBF71BA98EEADABE20BACE00
"""OpenZeppelin 5 upgradeable, ERC20Upgradeable.sol."""


class Verdict(StrEnum):
    """What came of trading a token. TAXED: less arrives than was moved. UNSELLABLE: it cannot be moved or sold."""

    OK = "ok"
    TAXED = "taxed"
    UNSELLABLE = "unsellable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token. ``decimals`` is None where it does not say; ``tax`` are basis points lost at the first step that loses
    any, rounded up (0 where more arrives than was moved), ``why`` the reason for the verdict."""

    address: str
    symbol: str
    decimals: int | None
    verdict: Verdict = Verdict.UNKNOWN
    tax: int = 0
    why: str = "not checked"

    @property
    def bad(self) -> bool:
        """Whether its pools are to be kept out."""
        return self.verdict in (Verdict.TAXED, Verdict.UNSELLABLE)


COIN = TokenInfo("0x" + "00" * 20, "ETH", 18, Verdict.OK, why="the native coin")
"""As v4 names it."""


async def describe(rpc: JsonRpc, tokens: Iterable[str], block: Block) -> list[TokenInfo]:
    """Symbol and decimals, as the tokens themselves say; a token without a symbol goes by its address. Raises
    RpcUnreachable."""
    asked = list(dict.fromkeys(tokens))
    reader = StateReader(rpc, block)
    symbols = await reader.calls((token, abi.call("symbol()")) for token in asked)
    decimals = await reader.calls((token, abi.call("decimals()")) for token in asked)
    return [
        COIN if token == COIN.address else TokenInfo(token, _text(symbol) or token, _decimals(answer))
        for token, symbol, answer in zip(asked, symbols, decimals, strict=True)
    ]


async def check(
    rpc: JsonRpc,
    tokens: Sequence[TokenInfo],
    pools: Iterable[Pool],
    bases: Sequence[str],
    block: BlockContext,
    on: str,
    progress: Callable[[int, int], None] = lambda done, all_: None,
) -> list[TokenInfo]:
    """The tokens with a verdict each, in order. ``pools`` are as of block ``on`` (a tag or a 0x number), trades are in
    ``block``, the next. ``progress`` is told how many of how many are done. Raises RpcUnreachable."""
    ways = _ways(pools, bases)
    funds: dict[str, asyncio.Task[Balances | None]] = {}
    room, done = asyncio.Semaphore(AT_ONCE), 0

    async def one(token: TokenInfo) -> TokenInfo:
        nonlocal done
        async with room:
            if token.address == COIN.address:
                judged = token
            elif token.address in bases:
                judged = replace(token, verdict=Verdict.OK, why="a base token")
            else:
                judged = await _judge(rpc, token, ways[token.address], funds, block, on)
        done += 1
        progress(done, len(tokens))
        return judged

    return list(await asyncio.gather(*map(one, tokens)))


# --- pools to try -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Way:
    """From a base token into a token through one pool: its indices there, what goes in, and how deep the pool is."""

    pool: Pool
    i: int
    j: int
    amount: int
    depth: float

    @property
    def base(self) -> str:
        return self.pool.tokens[self.i]

    @property
    def token(self) -> str:
        return self.pool.tokens[self.j]


def _ways(pools: Iterable[Pool], bases: Sequence[str]) -> defaultdict[str, list[_Way]]:
    """By token, the first base's before the second's, the deepest first."""
    ways: defaultdict[str, list[_Way]] = defaultdict(list)
    for pool in pools:
        if pool.kind not in ("v2", "v3"):
            continue
        for i, j in ((0, 1), (1, 0)):
            if pool.tokens[i] not in bases:
                continue
            try:
                first = next(pool.segments(i, j))
            except (UnknownState, NoLiquidity, StopIteration):
                continue
            amount = int(min(first.x / SHARE, first.capacity / 2))
            if amount:
                ways[pool.tokens[j]].append(_Way(pool, i, j, amount, min(first.x, first.capacity)))
    for found in ways.values():
        found.sort(key=lambda way: (bases.index(way.base), -way.depth, way.pool.id))
    return ways


async def _judge(
    rpc: JsonRpc,
    token: TokenInfo,
    ways: Sequence[_Way],
    funds: dict[str, asyncio.Task[Balances | None]],
    block: BlockContext,
    on: str,
) -> TokenInfo:
    """By the first pool that the token can be bought through."""
    judged = replace(token, why="it has no v2 or v3 pool with a base token")
    for way in ways[:TRIED]:
        if way.base not in funds:  # asked once
            funds[way.base] = asyncio.create_task(find_balances(rpc, way.base, on))
        balances = await funds[way.base]
        if balances is None:
            judged = replace(token, why=f"nobody knows where {way.base} keeps balances")
            continue
        try:
            judged, bought = await _Trial(rpc, token, way, balances.of(TRADER), block, on).run()
        except RpcError as error:
            judged, bought = replace(token, why=str(error)), False
        except (NoLiquidity, UnknownState) as error:
            judged, bought = replace(token, why=f"{way.pool.id}: {error}"), False
        if bought:
            break
    return judged


# --- one trial --------------------------------------------------------------------------------------------------------


def _account(name: str) -> str:
    """An address that nobody has the key of."""
    return abi.to_hex(keccak(f"mevkit token check {name}".encode())[-20:])


TRADER, FRESH = _account("trader"), _account("fresh")


class _Trial:
    """A token bought, passed on and sold through one pool."""

    def __init__(self, rpc: JsonRpc, token: TokenInfo, way: _Way, slot: int, block: BlockContext, on: str) -> None:
        self._rpc, self._token, self._way, self._block, self._on = rpc, token, way, block, on
        funds = AccountDiff(slots={slot: way.amount})
        trader = AccountDiff(balance=10**20, code=_payer(*way.pool.tokens))
        self._state: StateDiff = {way.base: funds, TRADER: trader, FRESH: AccountDiff(balance=10**20)}

    async def run(self) -> tuple[TokenInfo, bool]:
        """The verdict, and whether the token could be bought at all. Raises RpcError, RpcUnreachable, NoLiquidity,
        UnknownState."""
        way, pool, token = self._way, self._way.pool, self._token
        quoted = pool.quote_in(way.i, way.j, way.amount)
        if not quoted:
            raise NoLiquidity(f"{way.amount} of {way.base} buy nothing")
        buy = _swap(pool, way.i, way.j, way.amount, quoted)
        results = await self._simulate([*buy, self._balance(way.token, TRADER)])
        failed = next((result for result in results if not result.success), None)
        if failed is not None:
            why = f"buying through {pool.id}: {reason(failed)}"
            return replace(token, verdict=Verdict.UNSELLABLE, why=why), False
        after = pool
        for log in (log for result in results for log in result.logs if log.address == (pool.keeper or pool.contract)):
            after = after.apply(log)
        held = abi.uint(results[-1].output)
        if held != quoted:
            return self._lost(held, quoted, "buying"), True
        back = after.quote_in(way.j, way.i, held)
        return await self._passed_on(buy, held, back, after), True

    async def _passed_on(self, buy: list[Call], held: int, back: int, after: Pool) -> TokenInfo:
        way = self._way
        token, sell = way.token, _swap(after, way.j, way.i, held, back)
        steps = [
            *buy,
            _transfer(token, TRADER, FRESH, held),
            self._balance(token, FRESH),
            _transfer(token, FRESH, TRADER, held),
            self._balance(token, TRADER),
            self._balance(token, after.id),
            *sell,
            self._balance(token, after.id),
            self._balance(way.base, TRADER),
        ]
        results = (await self._simulate(steps))[len(buy) :]
        moved = (("a transfer", results[0], results[1]), ("a transfer back", results[2], results[3]))
        for name, transfer, balance in moved:
            if not transfer.success or not balance.success:
                return self._unsellable(f"{name}: {reason(balance if transfer.success else transfer)}")
            if abi.uint(balance.output) != held:
                return self._lost(abi.uint(balance.output), held, name)
        before, *sold, pooled, earned = results[4:]
        if all(result.success for result in (before, pooled)):
            came = abi.uint(pooled.output) - abi.uint(before.output)
            if sold[0].success and 0 < came < held:
                return self._lost(came, held, "selling")
        for result in (*sold, before, pooled, earned):
            if not result.success:
                return self._unsellable(f"selling through {after.id}: {reason(result)}")
        if abi.uint(earned.output) != back:
            return self._unsellable(f"selling through {after.id}: paid {abi.uint(earned.output)}, not {back}")
        return replace(self._token, verdict=Verdict.OK, why=f"bought and sold through {after.id}")

    async def _simulate(self, calls: Sequence[Call]) -> list[CallResult]:
        return await simulate(self._rpc, calls, self._block, self._state, on=self._on)

    def _balance(self, token: str, owner: str) -> Call:
        return Call(TRADER, token, abi.call("balanceOf(address)", owner), gas=1_000_000)

    def _lost(self, came: int, moved: int, step: str) -> TokenInfo:
        if not came:
            return self._unsellable(f"{step}: nothing arrives")
        tax = max(0, -(-(moved - came) * WHOLE // moved))
        why = f"{step}: {came} of {moved} arrive"
        return replace(self._token, verdict=Verdict.TAXED, tax=tax, why=why)

    def _unsellable(self, why: str) -> TokenInfo:
        return replace(self._token, verdict=Verdict.UNSELLABLE, why=why)


def _transfer(token: str, sender: str, to: str, amount: int) -> Call:
    return Call(sender, token, abi.call("transfer(address,uint256)", to, amount), gas=3_000_000)


def _swap(pool: Pool, i: int, j: int, amount_in: int, amount_out: int) -> list[Call]:
    """By the trader, through a pool of the v2 or v3 kind; its payment of v2's is the first call."""
    if pool.kind == "v2":
        outs = (0, amount_out) if j else (amount_out, 0)
        data = abi.call("swap(uint256,uint256,address,bytes)", *outs, TRADER, 128, 0)
        pay = _transfer(pool.tokens[i], TRADER, pool.id, amount_in)
        return [pay, Call(TRADER, pool.id, data, gas=3_000_000)]
    limit = MAX_SQRT_RATIO - 1 if i else MIN_SQRT_RATIO + 1
    data = abi.call("swap(address,bool,int256,uint160,bytes)", TRADER, i == 0, amount_in, limit, 160, 0)
    return [Call(TRADER, pool.id, data, gas=5_000_000)]


def _payer(token0: str, token1: str) -> bytes:
    """Code that answers v3's swap callback, (int256 owed0, int256 owed1, bytes), by paying the caller."""
    code = b""
    for token, offset in ((token0, 4), (token1, 36)):
        pay = bytes.fromhex(
            "63a9059cbb60e01b5f52"  # mstore(0, transfer's selector)
            "33600452"  # mstore(4, caller)
            "80602452"  # mstore(36, owed)
            "5f5f60445f5f"  # no output, 68 bytes of input from 0, no value
        )
        pay += b"\x73" + abi.to_bytes(token) + bytes.fromhex("5af150")  # pop(call(gas, token, …))
        head = bytes.fromhex(f"60{offset:02x}35805f1215")  # owed := calldata word; not 0 < owed, signed
        target = len(code) + len(head) + 4 + len(pay)
        code += head + b"\x61" + target.to_bytes(2, "big") + b"\x57" + pay + b"\x5b\x50"
    return code


# --- what tokens say --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Balances:
    """The mapping in which a token keeps balances: its slot, and whether it is laid out as Vyper does."""

    slot: int
    vyper: bool = False

    def of(self, owner: str) -> int:
        """The slot of an owner's balance."""
        if self.vyper:
            return int.from_bytes(keccak(abi.encode(self.slot) + abi.encode(owner)), "big")
        return mapping_slot(int(owner, 16), self.slot)


async def find_balances(rpc: JsonRpc, token: str, on: str) -> Balances | None:
    """Where the token keeps balances; None where that is nowhere usual. Raises RpcUnreachable."""
    told = 10**9 + 7
    places = [Balances(slot, vyper=True) for slot in range(PLAIN_SLOTS)]
    places += [Balances(slot) for slot in (*range(PLAIN_SLOTS), ERC7201_ERC20)]
    asked = {"to": token, "data": abi.to_hex(abi.call("balanceOf(address)", TRADER))}
    states = [overrides({token: AccountDiff(slots={place.of(TRADER): told})}) for place in places]
    answers = await rpc.batch([("eth_call", [asked, on, state]) for state in states])
    for place, answer in zip(places, answers, strict=True):
        if isinstance(answer, str) and answer != "0x" and int(answer, 16) == told:
            return place
    return None


def _decimals(answer: bytes | None) -> int | None:
    told = None if answer is None else abi.uint(answer)
    return None if told is None or told > 255 else told


def _text(answer: bytes | None) -> str:
    """A string, or a bytes32 as older tokens have it; only what can be printed."""
    if answer is None:
        return ""
    raw = answer.rstrip(b"\0")
    if len(answer) > abi.WORD and abi.uint(answer) == abi.WORD:
        raw = answer[2 * abi.WORD : 2 * abi.WORD + min(abi.uint(answer, 1), 64)]
    text = raw.decode("utf-8", "replace").strip()
    return text if text.isprintable() else ""


def reason(result: CallResult) -> str:
    """Of a failure; Error(string)'s words where there are any."""
    if result.output[:4] == abi.selector("Error(string)"):
        return _text(result.output[4:]) or result.error
    return result.error or "failed"
