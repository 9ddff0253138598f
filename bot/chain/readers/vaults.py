"""ERC-4626 vaults and WETH.

A vault has no one layout and no one formula: it is taken only when what it previews, for amounts up to far more than
any trade, is what one of the known formulas gives of its own totals, and when its storage holds its total supply
where one of the usual token layouts keeps it. A vault that charges on the way in or out previews something else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot import abi
from bot.abi import keccak
from bot.amm.pool import Pool
from bot.amm.vaults import ETH, VaultPool, WethPool
from bot.chain.pool_reader import LoadResult, PoolInfo, ask
from bot.chain.state_reader import StateReader
from bot.jsonrpc import RpcError

RAY = 10**27
PROBES = (1, 10**6 + 3, 10**18 + 12_345, RAY + 7, 10**33 + 1)
"""Amounts whose previews are compared, beside the totals themselves: of these a formula without virtual parts gives
exactly the other total, one with them does not, unless both are equal and it makes no difference."""
_COOLDOWN = "cooldownDuration()"
_DELEGATECALL, _PROXY_SIZE = b"\xf4", 4_000  # proxies are smaller, vaults larger
_DEPOSIT, _REDEEM = "previewDeposit(uint256)", "previewRedeem(uint256)"

SUPPLY_SLOTS = {
    **{f"slot-{slot}": slot for slot in range(12)},  # solmate and OpenZeppelin: 2, behind other bases' variables
    "openzeppelin-5": 0x52C63247E1F47DB19D5CE0460030C497F067CA4CEBF71BA98EEADABE20BACE00 + 2,  # ERC20Upgradeable
}
WETH_CODES = frozenset(
    (
        "0xd0a06b12ac47863b5c7be4185c2deaad1c61557033f56c7d4ea74429cbb25e23",  # mainnet's
        "0xb603564c85581d9f3165facdbd3edebd05417b132ec760ce26eba226ca210458",  # canonical-weth of npm
    )
)
STAKED_USDE_LEAST = 10**18  # StakedUSDe.MIN_SHARES


class Vaults:
    """See PoolReader. ``layout`` is the supply's place."""

    protocol = "erc4626"

    async def identify(self, reader: StateReader, candidates: Sequence[str]) -> list[PoolInfo]:
        """Those that one of the formulas fits."""
        answers = await ask(reader, candidates, ("asset()", "totalAssets()", "totalSupply()"))
        asked = [
            self._confirm(reader, address, abi.address(asset), abi.uint(assets), abi.uint(supply))
            for address, (asset, assets, supply) in zip(candidates, answers, strict=True)
            if asset is not None and assets is not None and supply is not None
        ]
        return [info for info in await asyncio.gather(*asked) if info is not None]

    async def _confirm(
        self, reader: StateReader, address: str, asset: str, assets: int, supply: int
    ) -> PoolInfo | None:
        words = await reader.slots((address, slot) for slot in SUPPLY_SLOTS.values())
        layouts = [name for name, word in zip(SUPPLY_SLOTS, words, strict=True) if supply and word == supply]
        previews = await _previews(reader, address, assets, supply)
        if len(layouts) != 1 or previews is None or _formula(assets, supply, previews) is None:
            return None
        return PoolInfo(address, self.protocol, layouts[0], None, (asset, address))

    async def load(self, reader: StateReader, infos: Sequence[PoolInfo], reach: int | None) -> LoadResult:
        """The totals, checked against the previews of the same block, and the limits."""
        result = LoadResult({}, {})
        for info, pool in zip(infos, await asyncio.gather(*(_load(reader, info) for info in infos)), strict=True):
            if isinstance(pool, str):
                result.unknown[info.id] = pool
            else:
                result.pools[info.id] = pool
        return result


async def _previews(reader: StateReader, address: str, assets: int, supply: int) -> list[int] | None:
    """Of each probe and of ``assets`` the shares, then of each and of ``supply`` the assets, and last those for RAY."""
    questions = [(address, abi.call(_DEPOSIT, amount)) for amount in (*PROBES, assets)]
    questions += [(address, abi.call(_REDEEM, amount)) for amount in (*PROBES, supply, RAY)]
    answers = await reader.calls(questions)
    known = [abi.uint(answer) for answer in answers if answer is not None]
    return known if len(known) == len(questions) else None


def _formula(assets: int, supply: int, previews: Sequence[int]) -> tuple[int, int] | None:
    """The totals, as VaultPool has them, that make the rate which a vault previews."""
    virtual = [(assets + 1, supply + 10**offset) for offset in range(19)]
    totals = [(assets, supply), *virtual, (previews[-1], RAY)]
    for total, shares in totals:
        if total and shares:
            told = [amount * shares // total for amount in (*PROBES, assets)]
            told += [amount * total // shares for amount in (*PROBES, supply, RAY)]
            if told == list(previews):
                return total, shares
    return None


async def _load(reader: StateReader, info: PoolInfo) -> Pool | str:
    """The vault, or why it could not be read."""
    names = ("totalAssets()", "totalSupply()", _COOLDOWN)
    questions = [(info.id, abi.call(name)) for name in names]
    questions.append((info.id, abi.call("maxDeposit(address)", info.id)))
    questions.append((info.tokens[0], abi.call("balanceOf(address)", info.id)))
    total, supply, cooldown, most_in, held = await reader.calls(questions)
    if total is None or supply is None or most_in is None:
        return "totals or limits are not known"
    previews = await _previews(reader, info.id, abi.uint(total), abi.uint(supply))
    totals = None if previews is None else _formula(abi.uint(total), abi.uint(supply), previews)
    if previews is None or totals is None:
        return "it does not preview what its totals give"
    (code,) = await reader.codes([info.id])
    queues = isinstance(code, bytes) and abi.selector(_COOLDOWN) in code  # StakedUSDeV2
    closed = cooldown is not None and abi.uint(cooldown) > 0
    covered = held is not None and abi.uint(held) >= abi.uint(total)
    most_out = abi.uint(total) if covered and _tells_all(code, cooldown) else None
    least = STAKED_USDE_LEAST if queues else 0
    own_rate = totals == (previews[-1], RAY)
    virtual = 0 if own_rate else totals[1] - abi.uint(supply)
    return VaultPool(info.id, info.tokens[0], *totals, abi.uint(most_in), most_out, virtual, least, own_rate, closed)


def _tells_all(code: bytes | RpcError, cooldown: bytes | None) -> bool:
    """Whether redeem is known to be open or closed. That cooldownDuration() is not answered may mean that there is no
    such function, or that its state is not recorded: the code tells, unless it is somewhere else."""
    if cooldown is not None:
        return True
    if isinstance(code, RpcError) or abi.selector(_COOLDOWN) in code:
        return False
    return len(code) > _PROXY_SIZE or _DELEGATECALL not in code


class Weth:
    """See PoolReader. Only WETH9's own code, which keeps every balance covered."""

    protocol = "weth"

    async def identify(self, reader: StateReader, candidates: Sequence[str]) -> list[PoolInfo]:
        codes = await reader.codes(candidates)
        return [
            PoolInfo(address, self.protocol, "", None, (ETH, address))
            for address, code in zip(candidates, codes, strict=True)
            if isinstance(code, bytes) and code and abi.to_hex(keccak(code)) in WETH_CODES
        ]

    async def load(self, reader: StateReader, infos: Sequence[PoolInfo], reach: int | None) -> LoadResult:
        """There is no state."""
        return LoadResult({info.id: WethPool(info.id) for info in infos}, {})
