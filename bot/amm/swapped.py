"""Pools after a swap, exactly: what the next swap, of the same transaction or behind it, meets."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import NamedTuple

from bot.amm.concentrated import FEE_UNIT, Walk, price_after_0
from bot.amm.pool import NoLiquidity, Pool, UnknownState
from bot.amm.solidly import FEE_UNIT as SOLIDLY_FEE_UNIT
from bot.amm.solidly import SolidlyPool
from bot.amm.tick_math import sqrt_ratio_at_tick, tick_at_sqrt_ratio
from bot.amm.v2 import V2Pool
from bot.amm.v3 import V3Pool
from bot.amm.v4 import AFTER_SWAP, DYNAMIC_FEE, V4Pool


class Swapped(NamedTuple):
    """The pool after a swap, what was paid and what was got."""

    pool: Pool
    paid: int
    got: int


def swap_in(pool: Pool, i: int, j: int, amount: int, price_limit: int = 0) -> Swapped:
    """Exactly ``amount`` goes in, and what the pool quotes comes out. ``price_limit`` is where v3 has to stop (Q64.96,
    0: nowhere). Raises NoLiquidity for what reverts, UnknownState also for a pool that has no such answer, or a swap
    that stops at its limit."""
    _some(amount)
    if isinstance(pool, V3Pool | V4Pool):
        got = pool.quote_in(i, j, amount)
        return Swapped(_at_rest(pool, i, amount, True, price_limit), amount, got)
    if isinstance(pool, V2Pool | SolidlyPool):
        return _pair(pool, i, amount, pool.quote_in(i, j, amount))
    raise _unknown(pool)


def swap_out(pool: Pool, i: int, j: int, amount: int, price_limit: int = 0) -> Swapped:
    """Exactly ``amount`` comes out, and what a router pays for it goes in. Raises as ``swap_in``."""
    _some(amount)
    if isinstance(pool, V3Pool | V4Pool):
        if price_limit:
            raise UnknownState("an exact output up to a price")
        paid = pool.quote_out(i, j, amount)
        return Swapped(_at_rest(pool, i, amount, False, 0), paid, amount)
    if isinstance(pool, V2Pool):
        pool.quote_out(i, j, amount)  # refuses what cannot be given,
        reserves = pool.reserve0, pool.reserve1
        asked = reserves[i] * amount * pool.fee_den // ((reserves[j] - amount) * pool.fee_num) + 1
        pool.quote_in(i, j, asked)  # and this what cannot be held
        return _pair(pool, i, asked, amount)  # UniswapV2Library.getAmountIn
    if isinstance(pool, SolidlyPool):
        return _pair(pool, i, pool.quote_out(i, j, amount), amount)
    raise _unknown(pool)


def _some(amount: int) -> None:
    if amount <= 0:
        raise NoLiquidity("a swap of nothing reverts")


def _unknown(pool: Pool) -> UnknownState:
    return UnknownState(f"what {pool.id} is after a swap, only a simulation tells")


def _pair(pool: V2Pool | SolidlyPool, i: int, paid: int, got: int) -> Swapped:
    """Solidly's pairs send the fee away (Pool.swap: _update0, _update1), v2's keep it."""
    if not got:
        raise NoLiquidity(f"{pool.id} gives nothing for {paid}, and refuses that")
    kept = paid - paid * pool.fee // SOLIDLY_FEE_UNIT if isinstance(pool, SolidlyPool) else paid
    moved = (kept, -got) if i == 0 else (-got, kept)
    after = replace(pool, reserve0=pool.reserve0 + moved[0], reserve1=pool.reserve1 + moved[1])
    return Swapped(after, paid, got)


def _at_rest(pool: V3Pool | V4Pool, i: int, amount: int, exact_in: bool, price_limit: int) -> V3Pool | V4Pool:
    """Where the loop of UniswapV3Pool.swap, or v4's Pool.swap, ends."""
    fee = pool.fee if isinstance(pool, V3Pool) else pool.fee(i)
    walk = Walk(pool.sqrt_price, pool.tick, pool.liquidity, pool.ticks, fee, i == 0)
    totals = walk.ins if exact_in else walk.outs
    while totals[-1] < amount:
        walk.extend()
    done = bisect_left(totals, amount)  # the first full step that is enough, as the loop ends with it
    price = walk.prices[done]
    if totals[done] != amount:
        done -= 1
        price = _price_after(walk, done, amount - totals[done], exact_in)
        if price == walk.prices[done + 1]:  # an exact output can get there before all of the step is out
            done += 1
    if price_limit and (price <= price_limit if walk.down else price >= price_limit):
        raise UnknownState(f"the swap stops at its price limit {price_limit}")
    if walk.unknown is not None and done == len(walk.prices) - 1:
        raise UnknownState(f"the liquidity at tick {walk.unknown} was never read")
    tick = pool.tick if price == pool.sqrt_price and not done else tick_at_sqrt_ratio(price)
    if done and walk.down and price == walk.prices[done] and price == sqrt_ratio_at_tick(tick):
        tick -= 1  # crossed
    liquidity = walk.liquidities[done]
    if isinstance(pool, V4Pool) and pool.key_fee == DYNAMIC_FEE and int(pool.hooks, 16) & AFTER_SWAP:
        pool = replace(pool, lp_fee=None)  # the hook may have set another
    return replace(pool, sqrt_price=price, tick=tick, liquidity=liquidity)


def _price_after(walk: Walk, done: int, rest: int, exact_in: bool) -> int:
    """SqrtPriceMath.getNextSqrtPriceFromInput and getNextSqrtPriceFromOutput, within a step."""
    price, liquidity = walk.prices[done], walk.liquidities[done]
    if exact_in:
        rest = rest * (FEE_UNIT - walk.fee) // FEE_UNIT
        return price_after_0(price, liquidity, rest) if walk.down else price + (rest << 96) // liquidity
    if walk.down:
        return price - -(-(rest << 96) // liquidity)
    return -(-(liquidity << 96) * price // ((liquidity << 96) - rest * price))
