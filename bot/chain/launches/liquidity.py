"""Who can take a pool's liquidity away, and who holds much of the token."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from bot import abi
from bot.amm.v4 import MODIFY_LIQUIDITY
from bot.chain.discovery import logs_in
from bot.chain.launches.code import as_address
from bot.chain.launches.probe import V4
from bot.chain.launches.probe import holder as holder_of
from bot.chain.launches.report import Findings, Severity
from bot.chain.launches.scenes import Stage
from bot.chain.state_reader import StateReader
from bot.engine.types import Log
from bot.jsonrpc import RpcError

WHOLE = 10_000
NOBODY = (*(f"0x{low:040x}" for low in (0, 1, 0xDEAD)), "0xdead" + "00" * 16 + "dead")
LOCKERS = {
    "0x663a5c229c09b049e36dcc11a9b0d4a8eb9db214": "UNCX",
    "0xed9180976c2a4742c7a57354fd39d8bec6cbd8ab": "UNCX for Sushi",
    "0xe2fe530c047f2d85298b07d9333c05737f1435fb": "Team Finance",
    "0x71b5759d73262fbb223956913ecf4ecc51057641": "PinkLock",
    "0xfd235968e65b0990584585763f837a5b5330e6de": "UNCX v3",
}
"""Contracts that hand liquidity out again after a time only."""
FREE, WIDE, WIDE_TOP = 5_000, 20, 2_500
"""Basis points that may be anybody's to take; how many holders, and the most of one, make a pool that is nobody's."""
MUCH = 2_000
TRANSFER = abi.topic("Transfer(address,address,uint256)")
V3_MINT = abi.topic("Mint(address,address,int24,int24,uint128,uint256,uint256)")
V3_BURN = abi.topic("Burn(address,int24,int24,uint128,uint256,uint256)")
INCREASE = abi.topic("IncreaseLiquidity(uint256,uint128,uint256,uint256)")  # NonfungiblePositionManager


async def liquidity(stage: Stage, since: int | None, until: int, findings: Findings) -> list[str]:
    """Says whose the liquidity is, by the logs of blocks ``since`` to ``until``; who holds any, the largest first.
    Raises RpcUnreachable."""
    if since is None:
        text = "it is not known who holds the liquidity"
        findings.add(Severity.MEDIUM, "liquidity-unknown", text, "the block that made the pool is not known")
        return []
    try:
        if stage.pool.protocol == V4:
            held = await _v4_holders(stage, since, until)
        elif stage.pool.protocol == "uniswap-v3":
            held = await _v3_holders(stage, since, until)
        else:
            held = await _v2_holders(stage, since, until)
    except RpcError as error:
        findings.add(Severity.MEDIUM, "liquidity-unknown", "it is not known who holds the liquidity", error.message)
        return []
    total = sum(held.values())
    if not total:
        text = "it is not known who holds the liquidity"
        findings.add(Severity.MEDIUM, "liquidity-unknown", text, f"no logs of it since block {since}")
        return []
    shares = {holder: amount * WHOLE // total for holder, amount in held.items()}
    free = {holder: share for holder, share in shares.items() if holder not in NOBODY and holder not in LOCKERS}
    locked = [f"{LOCKERS[one]} {shares[one]} bps" for one in shares if one in LOCKERS]
    largest = sorted(free, key=lambda holder: -free[holder])
    kept = WHOLE - sum(free.values())
    evidence = f"{kept} bps burnt or locked{''.join(', ' + one for one in locked)}"
    if sum(free.values()) >= FREE:
        top = largest[0]
        evidence += f"; {top} has {free[top]} bps"
        wide = len(free) >= WIDE and free[top] <= WIDE_TOP
        text = "the liquidity is many holders'" if wide else "its liquidity can be taken away"
        findings.add(Severity.INFO if wide else Severity.MEDIUM, "liquidity", text, evidence)
    else:
        findings.add(Severity.INFO, "liquidity", "its liquidity is burnt or locked", evidence)
    return largest


async def concentration(stage: Stage, holders: Iterable[str], findings: Findings) -> None:
    """Says who of these has much of the token. Raises RpcUnreachable."""
    asked = [
        one for one in dict.fromkeys(holders) if one not in (*NOBODY, *LOCKERS, holder_of(stage.pool), stage.token)
    ]
    reader = StateReader(stage.rpc, stage.on)
    (supply,) = await reader.calls([(stage.token, abi.call("totalSupply()"))])
    balances = await reader.calls((stage.token, abi.call("balanceOf(address)", one)) for one in asked)
    total = abi.uint(supply) if supply else 0
    for holder, balance in zip(asked, balances, strict=True):
        share = abi.uint(balance) * WHOLE // total if balance and total else 0
        if share >= MUCH:
            findings.add(Severity.MEDIUM, "concentrated", "one holder could sell much of it", f"{holder}: {share} bps")


async def _v2_holders(stage: Stage, since: int, until: int) -> dict[str, int]:
    held: defaultdict[str, int] = defaultdict(int)
    for log in await logs_in(stage.rpc, [stage.pool.id], [TRANSFER], since, until):
        sender, to, amount = f"0x{log.topics[1][-40:]}", f"0x{log.topics[2][-40:]}", abi.uint(log.data)
        held[to] += amount
        held[sender] -= amount
    burnt = held.pop(stage.pool.id, 0)  # sent there to be burnt, or on its way
    held.pop(NOBODY[0], None)
    (minimum,) = await StateReader(stage.rpc, until).calls([(stage.pool.id, abi.call("balanceOf(address)", NOBODY[0]))])
    held[NOBODY[0]] = (abi.uint(minimum) if minimum else 0) + burnt
    return {holder: amount for holder, amount in held.items() if amount > 0}


async def _v3_holders(stage: Stage, since: int, until: int) -> dict[str, int]:
    """Liquidity by owner, whatever its range; of the position manager's, the owner of its token."""
    held: defaultdict[str, int] = defaultdict(int)
    managers: set[str] = set()
    for log in await logs_in(stage.rpc, [stage.pool.id], [V3_MINT, V3_BURN], since, until):
        owner = f"0x{log.topics[1][-40:]}"
        minted = log.topics[0] == V3_MINT
        held[owner] += abi.uint(log.data, 1) if minted else -abi.uint(log.data, 0)
        managers.add(owner)
    reader = StateReader(stage.rpc, until)
    for manager in managers:
        owners = await _positions(stage, reader, manager, since, until)
        if owners:
            del held[manager]
            for owner, amount in owners:
                held[owner] += amount
    return {holder: amount for holder, amount in held.items() if amount > 0}


async def _v4_holders(stage: Stage, since: int, until: int) -> dict[str, int]:
    """Liquidity by owner; of the position manager's, the owner of the token that is its salt."""
    held: defaultdict[tuple[str, int], int] = defaultdict(int)
    for log in await logs_in(stage.rpc, [holder_of(stage.pool)], [MODIFY_LIQUIDITY], since, until):
        if log.topics[1] == stage.pool.id:  # tickLower, tickUpper, liquidityDelta, salt
            held[f"0x{log.topics[2][-40:]}", abi.uint(log.data, 3)] += abi.sint(log.data, 2)
    positions = [(*key, amount) for key, amount in held.items() if amount > 0]
    asked = [(manager, abi.call("ownerOf(uint256)", salt)) for manager, salt, _ in positions]
    owners = await StateReader(stage.rpc, until).calls(asked)
    by_owner: defaultdict[str, int] = defaultdict(int)
    for (manager, _, amount), owner in zip(positions, owners, strict=True):
        by_owner[abi.address(owner) if owner else manager] += amount
    return dict(by_owner)


async def _positions(stage: Stage, reader: StateReader, manager: str, since: int, until: int) -> list[tuple[str, int]]:
    """Owner and liquidity of a manager's tokens in the pool; none where it is no position manager."""
    token0, token1 = stage.pool.tokens
    logs: list[Log] = await logs_in(stage.rpc, [manager], [INCREASE], since, until)
    ids = list(dict.fromkeys(int(log.topics[1], 16) for log in logs if len(log.topics) > 1))
    told = await reader.calls((manager, abi.call("positions(uint256)", one)) for one in ids)
    found = []
    for one, answer in zip(ids, told, strict=True):
        # nonce, operator, token0, token1, fee, tickLower, tickUpper, liquidity, …
        if answer is None or len(answer) < 8 * abi.WORD:
            continue
        if (abi.address(answer, 2), abi.address(answer, 3), abi.uint(answer, 4)) == (token0, token1, stage.pool.fee):
            found.append((one, abi.uint(answer, 7)))
    owners = await reader.calls((manager, abi.call("ownerOf(uint256)", one)) for one, _ in found)
    named = [as_address(abi.uint(owner)) or NOBODY[2] if owner else manager for owner in owners]
    return [(owner, amount) for owner, (_, amount) in zip(named, found, strict=True)]
