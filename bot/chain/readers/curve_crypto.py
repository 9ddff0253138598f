"""Curve's crypto pools of three coins: tricrypto2 and tricrypto-ng."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot import abi
from bot.amm.curve.crypto import BLOCK_TIME, CryptoPool
from bot.amm.curve.crypto_layouts import (
    GENERATION,
    GENERATIONS,
    NG_PRECISIONS,
    Generation,
    fields_of,
    precisions_of,
)
from bot.amm.pool import NoLiquidity
from bot.chain.pool_reader import LoadResult, PoolInfo, ask, rows
from bot.chain.state_reader import StateReader
from bot.jsonrpc import RpcError

_OLD_PRECISIONS = (10**12, 10**10, 1)
"""Of tricrypto2 (CryptoSwap.vy, PRECISIONS), where its coins do not tell their decimals."""
_GETTERS = ("A()", "gamma()", "D()", "virtual_price()", "fee_gamma()", "mid_fee()", "out_fee()", "fee()")
_INDEXED = tuple(
    (name, index)
    for name, count in (("coins", 4), ("balances", 3), ("price_scale", 2), ("last_prices", 2))
    for index in range(count)
)


@dataclass(slots=True)
class _Suspect:
    """What a contract says of itself: three coins, the LP token it may have, what its storage has to hold; A, gamma and
    the fee of its balances."""

    id: str
    tokens: tuple[str, str, str]
    lp_token: str | None
    told: dict[str, object]
    a_gamma: tuple[int, int]
    fee: int


class CurveCrypto:
    """See PoolReader. ``layout`` is the generation; ``extra`` is the LP token, and the precisions of the coins."""

    protocol = "curve-crypto"

    async def identify(self, reader: StateReader, candidates: Sequence[str]) -> list[PoolInfo]:
        """Those whose storage holds what they tell, in one known layout, and makes the fee that they tell."""
        suspects = await _suspects(reader, candidates)
        right: list[tuple[PoolInfo, CryptoPool]] = []
        for generation in GENERATIONS:
            mine = [suspect for suspect in suspects if (suspect.lp_token is None) == generation.ng]
            known = await _words(reader, [(suspect.id, generation) for suspect in mine])
            precisions = await _precisions(reader, mine, generation)
            supplies = await ask(reader, [suspect.lp_token or suspect.id for suspect in mine], ("totalSupply()",))
            for suspect, words, units, (supply,) in zip(mine, known, precisions, supplies, strict=True):
                if supply is None or units is None or isinstance(words, str):
                    continue
                extra = suspect.lp_token or suspect.id, *units
                info = PoolInfo(suspect.id, self.protocol, generation.name, None, suspect.tokens, extra=extra)
                pool = _pool(info, words, abi.uint(supply), 0)
                if _agrees(pool, suspect):
                    right.append((info, pool))
        supplies_kept = await reader.slots((pool.lp_token, GENERATION[info.layout].supply) for info, pool in right)
        right = [known for known, word in zip(right, supplies_kept, strict=True) if word == known[1].supply]
        return await _quoting_alike(reader, right)

    async def load(self, reader: StateReader, infos: Sequence[PoolInfo], reach: int | None) -> LoadResult:
        """As a swap in the next block finds them."""
        result = LoadResult({}, {})
        if not infos:
            return result
        time = await reader.timestamp()
        known = await _words(reader, [(info.id, GENERATION[info.layout]) for info in infos])
        supplies = await reader.slots((str(info.extra[0]), GENERATION[info.layout].supply) for info in infos)
        for info, words, supply in zip(infos, known, supplies, strict=True):
            if isinstance(words, str):
                result.unknown[info.id] = words
            elif isinstance(supply, RpcError):
                result.unknown[info.id] = f"supply: {supply.message}"
            elif time is None:
                result.unknown[info.id] = "the block's time is not known"
            else:
                result.pools[info.id] = _pool(info, words, supply, time + BLOCK_TIME)
        return result


async def _suspects(reader: StateReader, candidates: Sequence[str]) -> list[_Suspect]:
    """Those that answer like a crypto pool of three coins. Only what has a gamma is asked for more."""
    curved = await ask(reader, candidates, ("gamma()",))
    candidates = [address for address, (gamma,) in zip(candidates, curved, strict=True) if gamma is not None]
    answers = await ask(reader, candidates, _GETTERS)
    likely = [
        (address, dict(zip(_GETTERS, map(abi.uint, answer), strict=True)))  # type: ignore[arg-type]  # none is None
        for address, answer in zip(candidates, answers, strict=True)
        if None not in answer
    ]
    addresses = [address for address, _ in likely]
    calls = [(address, abi.call(f"{name}(uint256)", index)) for address in addresses for name, index in _INDEXED]
    indexed = rows(await reader.calls(calls), len(_INDEXED))
    tokens = await ask(reader, addresses, ("token()",))
    found = []
    for (address, single), many, (token,) in zip(likely, indexed, tokens, strict=True):
        first, second, third, fourth, *numbers = many
        if first is None or second is None or third is None or fourth is not None:
            continue
        values = [abi.uint(number) for number in numbers if number is not None]
        if len(values) != len(numbers):
            continue
        told: dict[str, object] = {
            "d": single["D()"],
            "virtual_price": single["virtual_price()"],
            "fee_gamma": single["fee_gamma()"],
            "mid_fee": single["mid_fee()"],
            "out_fee": single["out_fee()"],
            "balances": tuple(values[:3]),
            "price_scale": tuple(values[3:5]),
            "last_prices": tuple(values[5:]),
        }
        coins = abi.address(first), abi.address(second), abi.address(third)
        lp_token = None if token is None else abi.address(token)
        found.append(_Suspect(address, coins, lp_token, told, (single["A()"], single["gamma()"]), single["fee()"]))
    return found


async def _precisions(
    reader: StateReader, suspects: Sequence[_Suspect], generation: Generation
) -> list[tuple[int, int, int] | None]:
    """What brings the coins to 18 decimals: of an ng pool as stored, else by the coins' decimals."""
    if generation.ng:
        stored = await reader.slots((suspect.id, NG_PRECISIONS) for suspect in suspects)
        return [precisions_of(word) if isinstance(word, int) else None for word in stored]
    coins = [coin for suspect in suspects for coin in suspect.tokens]
    found: list[tuple[int, int, int] | None] = []
    for decimals in rows([answer for (answer,) in await ask(reader, coins, ("decimals()",))], 3):
        first, second, third = (18 if value is None else abi.uint(value) for value in decimals)
        if None in decimals:
            found.append(_OLD_PRECISIONS)
        elif max(first, second, third) > 18:
            found.append(None)
        else:
            found.append((10 ** (18 - first), 10 ** (18 - second), 10 ** (18 - third)))
    return found


async def _words(reader: StateReader, pools: Sequence[tuple[str, Generation]]) -> list[dict[int, int] | str]:
    """The slots of each pool, or why it cannot be read; those that it can do without may be absent."""
    asked = [(address, slot) for address, generation in pools for slot in sorted(generation.slots)]
    answers = dict(zip(asked, await reader.slots(asked), strict=True))
    found: list[dict[int, int] | str] = []
    for address, generation in pools:
        words: dict[int, int] = {}
        missing = ""
        for slot in generation.slots:
            word = answers[address, slot]
            if isinstance(word, int):
                words[slot] = word
            elif slot in generation.balances or not generation.optional.issuperset(generation.fields[slot][1]):
                missing = f"slot {slot}: {word.message}"
        found.append(missing or words)
    return found


def _pool(info: PoolInfo, words: dict[int, int], supply: int, time: int) -> CryptoPool:
    """The value of a pool's words."""
    generation = GENERATION[info.layout]
    lp_token, *precisions = info.extra
    known: dict[str, object] = {}
    for slot, word in words.items():
        if slot not in generation.balances:
            known |= fields_of(generation, slot, word)
    return CryptoPool(
        id=info.id,
        tokens=info.tokens,  # type: ignore[arg-type]  # three
        generation=generation.name,
        lp_token=str(lp_token),
        precisions=tuple(precisions),  # type: ignore[arg-type]
        time=time,
        balances=tuple(words[slot] for slot in generation.balances),  # type: ignore[arg-type]
        supply=supply,
        **known,  # type: ignore[arg-type]
    )


def _agrees(pool: CryptoPool, suspect: _Suspect) -> bool:
    """Whether storage holds what the getters tell."""
    if any(getattr(pool, name) != value for name, value in suspect.told.items()):
        return False
    ann, gamma = suspect.a_gamma
    ends = [pool.a_gamma] if _at_rest(pool) or pool.a_gamma_from is None else [pool.a_gamma, pool.a_gamma_from]
    anns, gammas = [end >> 128 for end in ends], [end & (1 << 128) - 1 for end in ends]
    if not (min(anns) <= ann <= max(anns) and min(gammas) <= gamma <= max(gammas)):
        return False
    try:
        return pool.fee() == suspect.fee
    except (NoLiquidity, ZeroDivisionError):
        return False


def _at_rest(pool: CryptoPool) -> bool:
    """Whether no ramp of A and gamma can be going on."""
    return pool.ramp_to <= (pool.last_time if GENERATION[pool.generation].ng else 0)


async def _quoting_alike(reader: StateReader, right: Sequence[tuple[PoolInfo, CryptoPool]]) -> list[PoolInfo]:
    """Those whose view of a swap is ours. Where it has no answer (views are contracts of their own, which a recorded
    block may lack), and during a ramp, the rest has to do."""
    ways = ((0, 1), (1, 2), (2, 0))
    calls = [
        (info.id, abi.call("get_dy(uint256,uint256,uint256)", i, j, max(pool.balances[i] // 1000, 1)))
        for info, pool in right
        for i, j in ways
    ]
    alike = []
    for (info, pool), answers in zip(right, rows(await reader.calls(calls), len(ways)), strict=True):
        resting = pool.at(pool.last_time)
        if not _at_rest(pool) or all(
            answer is None or abi.uint(answer) == _view(resting, i, j)
            for (i, j), answer in zip(ways, answers, strict=True)
        ):
            alike.append(info)
    return alike


def _view(pool: CryptoPool, i: int, j: int) -> int | None:
    """Our get_dy of what was asked, also of a killed pool."""
    try:
        return replace(pool, killed=False).get_dy(i, j, max(pool.balances[i] // 1000, 1))
    except NoLiquidity:
        return None
