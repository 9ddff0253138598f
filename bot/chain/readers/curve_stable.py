"""Curve's StableSwap pools (bot.amm.curve.stable) of the codes that are proven, metapools aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot import abi
from bot.amm.curve.generations import GENERATIONS, Generation, Storage
from bot.amm.curve.stable import CurveStablePool
from bot.amm.curve.state import Ramp, StableState
from bot.chain.curve_codes import COINS, REBASING, implementation, recognised
from bot.chain.pool_reader import LoadResult, PoolInfo, ask
from bot.chain.state_reader import StateReader
from bot.jsonrpc import RpcError

ETH = "0x" + "ee" * 20
"""A coin that is no token: ``exchange`` wants it as value."""


class CurveStable:
    """See PoolReader. ``extra`` of a PoolInfo are the rates, none where they move."""

    protocol = "curve-stable"

    async def identify(self, reader: StateReader, candidates: Sequence[str]) -> list[PoolInfo]:
        """By code, whose getters have to tell what the storage holds; without pools of rebasing coins or bare ETH."""
        answers = await ask(reader, candidates, ("A()", "fee()", "gamma()"))
        likely = [
            address
            for address, (amp, fee, gamma) in zip(candidates, answers, strict=True)
            if amp is not None and fee is not None and gamma is None
        ]
        found = []
        for address, code in zip(likely, await _codes(reader, likely), strict=True):
            known = recognised(code)
            if known is not None and REBASING not in known.types:
                rates = () if any(known.types) else known.rates
                tokens = COINS.get(address, known.tokens)
                found.append(PoolInfo(address, self.protocol, known.kind.name, None, tokens, extra=rates))
        infos = await _with_coins(reader, found)
        return await self._confirmed(reader, [info for info in infos if ETH not in info.tokens])

    async def load(self, reader: StateReader, infos: Sequence[PoolInfo], reach: int | None) -> LoadResult:
        """All that an exchange depends on; ``reach`` means nothing here."""
        result = LoadResult({}, {})
        words = await _words(reader, infos)
        amps = await reader.calls((info.id, abi.call(_amp_getter(info))) for info in infos)
        moving = [info.id for info in infos if not info.extra]
        calls = await reader.calls((address, abi.call("stored_rates()")) for address in moving)
        answers = dict(zip(moving, calls, strict=True))
        for info, amp in zip(infos, amps, strict=True):
            try:
                state = _state(info, words[info.id], amp, answers.get(info.id))
            except _Missing as error:
                result.unknown[info.id] = str(error)
            else:
                result.pools[info.id] = CurveStablePool(info.id, info.tokens, state, not info.extra)
        return result

    async def _confirmed(self, reader: StateReader, infos: list[PoolInfo]) -> list[PoolInfo]:
        """Without those that keep in storage something else than their getters tell. What was not recorded tells
        nothing: then ``load`` names what is missing."""
        questions: list[tuple[str, bytes]] = []
        held: list[int] = []
        for address, pool in (await self.load(reader, infos, None)).pools.items():
            assert isinstance(pool, CurveStablePool)
            calls = [abi.call("fee()"), *(abi.call("balances(uint256)", k) for k in range(len(pool.tokens)))]
            questions += [(address, call) for call in calls]
            held += [pool.state.fee, *pool.state.balances]
        answers = await reader.calls(questions)
        wrong = {
            address
            for (address, _), answer, word in zip(questions, answers, held, strict=True)
            if answer is not None and abi.uint(answer) != word
        }
        return [info for info in infos if info.id not in wrong]


class _Missing(Exception):
    """What a state lacks."""


async def _codes(reader: StateReader, addresses: list[str]) -> list[bytes]:
    """Of the contracts, or of the implementations that they forward to; empty where it is not known."""
    codes = [code if isinstance(code, bytes) else b"" for code in await reader.codes(addresses)]
    targets = {code: target for code in codes if (target := implementation(code)) is not None}
    behind = dict(zip(targets, await reader.codes(targets.values()), strict=True))
    return [code if isinstance(code := behind.get(own, own), bytes) else b"" for own in codes]


async def _with_coins(reader: StateReader, found: list[PoolInfo]) -> list[PoolInfo]:
    """With the tokens and rates from storage that the code has not; without those of which they are not known."""
    wanted = {info.id: _fixed(info) for info in found}
    slots = [(address, slot) for address, lists in wanted.items() for some in lists for slot in some]
    words = dict(zip(slots, await reader.slots(slots), strict=True))
    infos = []
    for info in found:
        coins, rates = ([words[info.id, slot] for slot in some] for some in wanted[info.id])
        known = [word for word in (*coins, *rates) if isinstance(word, int) and word]
        if len(known) == len(coins) + len(rates):
            tokens = tuple(f"0x{coin:040x}" for coin in known[: len(coins)]) or info.tokens
            infos.append(replace(info, tokens=tokens, extra=tuple(known[len(coins) :]) or info.extra))
    return infos


def _fixed(info: PoolInfo) -> tuple[range, range]:
    """The slots of coins and of rates that are to be read."""
    kind = GENERATIONS[info.layout]
    storage, n = _storage(kind), kind.coins or 0
    coins = range(0) if storage.coins is None or info.tokens else range(storage.coins, storage.coins + n)
    return coins, range(0) if storage.rates is None else range(storage.rates, storage.rates + n)


async def _words(reader: StateReader, infos: Sequence[PoolInfo]) -> dict[str, dict[int, int]]:
    """The slots that could be read, by pool."""
    wanted = [(info.id, slot) for info in infos for slot in _storage(GENERATIONS[info.layout]).words(len(info.tokens))]
    found: dict[str, dict[int, int]] = {info.id: {} for info in infos}
    for (address, slot), word in zip(wanted, await reader.slots(wanted), strict=True):
        if not isinstance(word, RpcError):
            found[address][slot] = word
    return found


def _state(info: PoolInfo, words: Mapping[int, int], amp: bytes | None, rates: bytes | None) -> StableState:
    """Raises _Missing."""
    kind, numbers = GENERATIONS[info.layout], range(len(info.tokens))
    storage = _storage(kind)

    def word(slot: int | None, name: str, without: int = 0) -> int:
        if slot is None:
            return without
        if slot not in words:
            raise _Missing(f"{name}: slot {slot} is not known")
        return words[slot]

    admin = tuple(word(storage.admin + k, "admin_balances") for k in numbers) if storage.admin is not None else ()
    held = [word(storage.balances + k, "balances") - (admin[k] if admin else 0) for k in numbers]
    if amp is None:
        raise _Missing("A does not answer")
    future = word(storage.ramp + 1, "future_A")
    ramp: Ramp | None = None
    if abi.uint(amp) != future:
        initial, _, start, end = (word(storage.ramp + k, "ramp of A") for k in range(4))
        ramp = initial, future, start, end
    return StableState(
        kind.name,
        tuple(held),
        _rates(info, rates),
        abi.uint(amp),
        word(storage.fee, "fee"),
        word(storage.admin_fee, "admin_fee", kind.admin_fee or 0),
        word(storage.offpeg, "offpeg_fee_multiplier"),
        admin,
        ramp,
        bool(word(storage.killed, "is_killed")),
    )


def _rates(info: PoolInfo, answer: bytes | None) -> tuple[int, ...]:
    """Those that stay, or what stored_rates answers: an array of any length. Raises _Missing."""
    if info.extra:
        return tuple(int(rate) for rate in info.extra)
    if answer is None or len(answer) != abi.WORD * (2 + len(info.tokens)):
        raise _Missing("stored_rates does not answer")
    return tuple(abi.uint(answer, 2 + k) for k in range(len(info.tokens)))


def _amp_getter(info: PoolInfo) -> str:
    """The one that tells A in the unit that it is kept in."""
    return "A()" if GENERATIONS[info.layout].a_precision == 1 else "A_precise()"


def _storage(kind: Generation) -> Storage:
    assert kind.storage is not None
    return kind.storage
