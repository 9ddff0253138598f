"""Curve's views, and liquidity in one coin: what the contracts say, where that is not what ``exchange`` sends."""

from __future__ import annotations

from bot.amm.curve.generations import GENERATIONS, STABLE_2020
from bot.amm.curve.invariant import FEE_UNIT, PRECISION, balance, dynamic_fee, invariant, word
from bot.amm.curve.state import StableState
from bot.amm.pool import NoLiquidity


def get_dy(state: StableState, i: int, j: int, dx: int) -> int:
    """get_dy: the pools of 2020 scale the output down before they take the fee, ``exchange`` does it after. Raises
    NoLiquidity."""
    if state.generation != STABLE_2020.name:
        return state.exchange(i, j, dx)[0]
    kind, xp = GENERATIONS[state.generation], _xp(state)
    d, held = invariant(kind, xp, state.amp), xp[j]
    xp[i] = word(xp[i] + word(dx * state.rates[i]) // PRECISION)
    dy = word(word(held - balance(kind, j, xp, state.amp, d) - 1) * PRECISION) // state.rates[j]
    return dy - state.fee * dy // FEE_UNIT


def virtual_price(state: StableState, supply: int) -> int:
    """get_virtual_price, the rate of a base pool's LP tokens in a metapool, in 1e-18. Raises NoLiquidity."""
    if not supply:
        raise NoLiquidity("there are no LP tokens")
    return word(state.curve.d * PRECISION) // supply


def lp_for(state: StableState, amounts: tuple[int, ...], supply: int) -> int:
    """calc_token_amount of a deposit, as the pools of 2020 answer it: without fees. ``supply`` are the LP tokens there
    are. Raises NoLiquidity."""
    kind = GENERATIONS[state.generation]
    before = invariant(kind, _xp(state), state.amp)
    added = [held + amount for held, amount in zip(state.balances, amounts, strict=True)]
    after = invariant(kind, _scaled(state, added), state.amp)
    if not before:
        raise NoLiquidity("the pool is empty")
    return word(word(after - before) * supply) // before


def withdraw_one(state: StableState, i: int, burnt: int, supply: int) -> tuple[int, int]:
    """_calc_withdraw_one_coin: what of coin ``i`` comes out for LP tokens, and the admin's share, both in coin ``i``.
    ``supply`` are the LP tokens before. Raises NoLiquidity."""
    kind, xp, n = GENERATIONS[state.generation], _xp(state), len(state.balances)
    before = invariant(kind, xp, state.amp)
    if not before or not supply:
        raise NoLiquidity("the pool is empty")
    after = word(before - burnt * before // supply)
    y = balance(kind, i, xp, state.amp, after)
    base_fee = state.fee * n // (4 * (n - 1))
    middle = (before + after) // (2 * n)
    reduced = []
    for k, held in enumerate(xp):
        ideal = held * after // before
        expected, average = (ideal - y, (held + y) // 2) if k == i else (held - ideal, held)
        fee = dynamic_fee(base_fee, state.offpeg, average, middle) if kind.ng else base_fee
        reduced.append(word(held - fee * word(expected) // FEE_UNIT))
    whole = word(xp[i] - y) * PRECISION // state.rates[i]
    got = word(reduced[i] - balance(kind, i, reduced, state.amp, after) - 1) * PRECISION // state.rates[i]
    return got, word(whole - got) * state.admin_fee // FEE_UNIT


def get_dy_underlying(
    state: StableState, base: StableState, supply: int, virtual_price: int, i: int, j: int, dx: int
) -> int:
    """A metapool's get_dy_underlying, which takes the base pool's fees into account only approximately: not what
    exchange_underlying sends. Coin 0 is the metapool's own, 1 and up are the base pool's, of which there are ``supply``
    LP tokens; ``virtual_price`` is the one that the view multiplies by. Raises NoLiquidity."""
    if i and j:
        return get_dy(base, i - 1, j - 1, dx)
    kind, xp = GENERATIONS[state.generation], _xp(state)
    d = invariant(kind, xp, state.amp)
    if i:
        minted = lp_for(base, tuple(dx if k == i - 1 else 0 for k in range(len(base.balances))), supply)
        worth = minted * virtual_price // PRECISION
        paid = worth - worth * base.fee // (2 * FEE_UNIT)
    else:
        paid = dx * state.rates[0] // PRECISION
    meta_i, meta_j = int(i > 0), int(j > 0)
    held = xp[meta_j]
    xp[meta_i] += paid
    dy = word(held - balance(kind, meta_j, xp, state.amp, d) - 1)
    dy -= dy * state.fee // FEE_UNIT
    if not j:
        return dy * PRECISION // state.rates[0]
    return withdraw_one(base, j - 1, dy * PRECISION // state.rates[1], supply)[0]


def _xp(state: StableState) -> list[int]:
    return _scaled(state, state.balances)


def _scaled(state: StableState, amounts: list[int] | tuple[int, ...]) -> list[int]:
    return [word(word(rate * held) // PRECISION) for rate, held in zip(state.rates, amounts, strict=True)]
