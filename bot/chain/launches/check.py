"""Checks a launched token: trials, powers, liquidity, and a report of them (bot.chain.launches.report)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot import abi
from bot.amm.layouts import price_and_tick, v4_layout
from bot.chain.discovery import ETH
from bot.chain.launches.liquidity import concentration, liquidity
from bot.chain.launches.powers import read_code, try_powers
from bot.chain.launches.probe import V4, holder
from bot.chain.launches.report import Findings, Report, Severity, Taxes
from bot.chain.launches.scenes import Stage
from bot.chain.launches.trials import Trials
from bot.chain.pool_reader import PoolInfo
from bot.chain.state_reader import StateReader
from bot.chain.tokens import describe, find_balances
from bot.engine.fees import next_base_fee
from bot.engine.types import Header
from bot.jsonrpc import JsonRpc, RpcError
from bot.simulation.types import BlockContext

TRIED = ("uniswap-v2", "uniswap-v3", V4)
"""Protocols whose pools a token can be traded through here."""
STEPS = ("code read", "traded", "owners' powers tried", "liquidity looked at")


class Untried(Exception):
    """Nothing can be tried, and why."""


async def check(
    rpc: JsonRpc,
    token: str,
    pool: PoolInfo,
    bases: Sequence[str],
    head: Header,
    block_time: int,
    *,
    seed: bytes,
    creators: Sequence[str] = (),
    since: int | None = None,
    progress: Callable[[str, int, int], None] = lambda what, done, all_: None,
) -> Report:
    """A token, traded through one pool against one of ``bases``, on the state of ``head``.

    ``seed`` is something that the token's author cannot know: accounts derive from it. ``creators`` are addresses that
    made the token or the pool, ``since`` is the block in which the pool was made, None
    where it is not known. Raises RpcUnreachable.
    """
    findings, taxes, played = Findings(), Taxes(), 0
    (told,) = await describe(rpc, [token], head.number)
    try:
        stage = await _stage(rpc, token, pool, bases, head, block_time, seed)
    except Untried as error:
        findings.add(Severity.GAP, "untried", "it could not be tried", str(error))
        base = next((one for one in pool.tokens if one != token), token)
    else:
        base = stage.base
        holders = await liquidity(stage, since, head.number, findings)
        if pool.protocol == V4 and str(pool.extra[3]) != ETH:
            findings.add(Severity.HIGH, "hook", "its pool runs another contract's code", f"the hook {pool.extra[3]}")
        code = await read_code(stage, [*creators, *holders[:2]], findings)
        progress(STEPS[0], 1, len(STEPS))
        trials = Trials(stage, findings, [*creators, *code.actors])
        sample = await trials.run()
        taxes = trials.taxes
        progress(STEPS[1], 2, len(STEPS))
        if sample is not None and not findings.trapped:
            await try_powers(stage, code, sample, findings)
        progress(STEPS[2], 3, len(STEPS))
        await concentration(stage, [*creators, *code.actors], findings)
        progress(STEPS[3], 4, len(STEPS))
        played = stage.played
    return Report(token, told.symbol, pool.id, pool.protocol, base, head.number, taxes, findings.reasons, played)


async def _stage(
    rpc: JsonRpc, token: str, pool: PoolInfo, bases: Sequence[str], head: Header, block_time: int, seed: bytes
) -> Stage:
    """Raises Untried, RpcUnreachable."""
    if pool.protocol not in TRIED:
        raise Untried(f"through pools of {pool.protocol} nothing is traded here")
    base = next((one for one in bases if one in pool.tokens and one != token), None)
    if base is None or token not in pool.tokens:
        raise Untried(f"pool {pool.id} has no base token besides it: {', '.join(bases)}")
    on = hex(head.number)
    balances = None if base == ETH else await find_balances(rpc, base, on)
    if balances is None and base != ETH:
        raise Untried(f"nobody knows where {base} keeps balances")
    reserve = await _reserve(StateReader(rpc, head.number), pool, base)
    if reserve is None:
        raise Untried(f"what pool {pool.id} has of {base} is not known")
    if not reserve:
        raise Untried(f"pool {pool.id} has no liquidity")
    block = BlockContext(
        head.number + 1, head.timestamp + block_time, next_base_fee(head), head.coinbase, head.gas_limit
    )
    return Stage(rpc, token, base, pool, block, on, block_time, balances, reserve, seed)


async def _reserve(reader: StateReader, pool: PoolInfo, base: str) -> int | None:
    """Of the base: what a pool has, of v4 what it would have if its liquidity reached everywhere; None: not known."""
    if pool.protocol != V4:
        (answer,) = await reader.calls([(base, abi.call("balanceOf(address)", pool.id))])
        return abi.uint(answer) if answer else None
    layout, manager = v4_layout(pool.id), holder(pool)
    price, liquidity = await reader.slots([(manager, layout.price), (manager, layout.liquidity)])
    if isinstance(price, RpcError) or isinstance(liquidity, RpcError):
        return None
    root, _ = price_and_tick(price)
    if not root:
        return 0
    return (liquidity << 96) // root if base == pool.tokens[0] else liquidity * root >> 96
