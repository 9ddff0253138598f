"""What a swap in a Curve crypto pool does behind the amounts: moving averages, profit, and price_scale after them.

A swap reverts where any of it does (its best known case: "Loss", a swap too small to pay for its own rounding).
Sources: tweak_price of tricrypto2 (curvefi/curve-crypto-contract, deployment-logs/2021-07-13/CryptoSwap.vy) and of
tricrypto-ng (curvefi/tricrypto-ng, contracts/main/CurveTricryptoOptimizedWETH.vy).
"""

from __future__ import annotations

from math import isqrt
from typing import NamedTuple

from bot.amm.curve import crypto_math as old
from bot.amm.curve import crypto_math_ng as ng
from bot.amm.curve.crypto_math import MAX, ONE, Limits, Three, high_to_low
from bot.amm.pool import NoLiquidity, UnknownState

Two = tuple[int, int]
_PRICE_MASK = (1 << 128) - 1


class Ledger(NamedTuple):
    """What tweak_price reads and writes. Prices are of the second and third coin in the first, in units of 10**18;
    times in seconds; ``extra_profit`` is None where it was never read."""

    d: int
    price_scale: Two
    oracle: Two
    last_prices: Two
    last_time: int
    xcp_profit: int
    virtual_price: int
    supply: int
    adjusting: bool
    extra_profit: int | None
    step: int
    ma_time: int


class Ramp(NamedTuple):
    """A and gamma at ``time``, and until when they move: ``end``."""

    ann: int
    gamma: int
    end: int
    time: int


def tweak_2021(now: Ledger, limits: Limits, ramp: Ramp, xp: Three, price: tuple[int, int] | None) -> Ledger:
    """tricrypto2. ``price`` is (coin, its last price), None for a swap of dust. Raises NoLiquidity, UnknownState,
    ZeroDivisionError."""
    oracle = now.oracle
    if now.last_time < ramp.time:
        alpha = old.halfpow((ramp.time - now.last_time) * ONE // now.ma_time)
        oracle = _packed(
            tuple((p * (ONE - alpha) + o * alpha) // ONE for p, o in zip(now.last_prices, oracle, strict=True))
        )
    d = old.newton_d(limits, ramp.ann, ramp.gamma, xp)
    if price is None or not price[1]:
        last_prices = _marginal(now.price_scale, limits, ramp, xp, d)
    else:
        coin, value = price
        last_prices = (value, now.last_prices[1]) if coin == 1 else (now.last_prices[0], value)
    last_prices = _packed(last_prices)

    xcp_profit = virtual_price = ONE
    if now.virtual_price:
        virtual_price = _fits(ONE * old.geometric_mean(*high_to_low(_parts(d, now.price_scale)))) // now.supply
        xcp_profit = _fits(now.xcp_profit * virtual_price) // now.virtual_price
        if virtual_price < now.virtual_price and not ramp.end:
            raise NoLiquidity("Loss")
    adjusting = now.adjusting or _profitable(now, virtual_price, xcp_profit)
    moved = now._replace(
        oracle=oracle,
        last_prices=last_prices,
        last_time=max(now.last_time, ramp.time),
        xcp_profit=xcp_profit,
        adjusting=adjusting,
    )
    if adjusting:
        norm = _fits(sum(_fits((o * ONE // p - ONE) ** 2) for o, p in zip(oracle, now.price_scale, strict=True)))
        if norm > _fits(now.step**2) and now.virtual_price:
            norm = old.sqrt_int(norm // ONE)
            scale = _scale_after(now.price_scale, oracle, norm, now.step)
            d_after = old.newton_d(limits, ramp.ann, ramp.gamma, _rescaled(xp, now.price_scale, scale))
            value = _fits(ONE * old.geometric_mean(*high_to_low(_parts(d_after, scale)))) // now.supply
            if value > ONE and 2 * value - ONE > xcp_profit:
                return moved._replace(d=d_after, price_scale=_packed(scale), virtual_price=value)
            moved = moved._replace(adjusting=False)
    return moved._replace(d=d, virtual_price=virtual_price)


def _marginal(price_scale: Two, limits: Limits, ramp: Ramp, xp: Three, d: int) -> Two:
    """Prices of a small swap of the first coin, where the swap itself was too small to tell them."""
    dx = xp[0] // 10**6
    bumped = xp[0] + dx, xp[1], xp[2]
    found = []
    for coin in (1, 2):
        old.check_y(limits, ramp.ann, ramp.gamma, bumped, d, coin)
        y = old.newton_y(limits.multiplier, ramp.ann, ramp.gamma, bumped, d, coin)
        found.append(price_scale[coin - 1] * dx // _fits(xp[coin] - y))
    return found[0], found[1]


def tweak_ng(now: Ledger, limits: Limits, ramp: Ramp, xp: Three, k0: int) -> Ledger:
    """tricrypto-ng. ``k0`` is what get_y found besides the balance. Raises NoLiquidity, UnknownState,
    ZeroDivisionError."""
    oracle = now.oracle
    if now.last_time < ramp.time:
        alpha = ng.wad_exp(-((ramp.time - now.last_time) * ONE // now.ma_time if now.ma_time else 0))
        rows = zip(now.last_prices, now.price_scale, oracle, strict=True)
        oracle = _packed(tuple((min(p, 2 * scale) * (ONE - alpha) + o * alpha) // ONE for p, scale, o in rows))
    d = ng.newton_d(limits, ramp.ann, ramp.gamma, xp, k0)
    found = ng.prices(limits, ramp.ann, ramp.gamma, xp, d)
    last_prices = _packed(tuple(_fits(p * scale) // ONE for p, scale in zip(found, now.price_scale, strict=True)))

    xcp_profit = virtual_price = ONE
    if now.virtual_price:
        virtual_price = _fits(ONE * ng.geometric_mean(*_parts(d, now.price_scale))) // now.supply
        xcp_profit = _fits(now.xcp_profit * virtual_price) // now.virtual_price
        if ramp.end < ramp.time and virtual_price <= now.virtual_price:
            raise NoLiquidity("Loss")
    moved = now._replace(
        d=d,
        oracle=oracle,
        last_prices=last_prices,
        last_time=max(now.last_time, ramp.time),
        xcp_profit=xcp_profit,
        virtual_price=virtual_price,
    )
    if not _profitable(now, virtual_price, xcp_profit):
        return moved
    norm = isqrt(
        sum(_fits(((o * ONE // p if p else 0) - ONE) ** 2) for o, p in zip(oracle, now.price_scale, strict=True)) & MAX
    )
    step = max(now.step, norm // 5)
    if norm <= step:
        return moved
    scale = _scale_after(now.price_scale, oracle, norm, step)
    after = _rescaled(xp, now.price_scale, scale)
    d = ng.newton_d(limits, ramp.ann, ramp.gamma, after)
    if any(not 10**16 <= x * ONE // d <= 10**20 for x in after):
        raise NoLiquidity("unsafe value of a balance")
    value = _fits(ONE * ng.geometric_mean(*_parts(d, scale))) // now.supply
    if value > ONE and 2 * value - ONE > xcp_profit:
        return moved._replace(d=d, price_scale=_packed(scale), virtual_price=value)
    return moved


def _profitable(now: Ledger, virtual_price: int, xcp_profit: int) -> bool:
    """Whether there is profit enough to move price_scale with."""
    if now.extra_profit is None:
        raise UnknownState("allowed_extra_profit was not read")
    return _fits(2 * virtual_price - ONE) > xcp_profit + 2 * now.extra_profit


def _scale_after(price_scale: Two, oracle: Two, norm: int, step: int) -> Two:
    """price_scale a step nearer to the oracle."""
    rest = _fits(norm - step)
    first, second = (
        _fits(scale * rest + step * target) // norm for scale, target in zip(price_scale, oracle, strict=True)
    )
    return first, second


def _rescaled(xp: Three, price_scale: Two, after: Two) -> Three:
    return (
        xp[0],
        _fits(xp[1] * after[0]) // price_scale[0],
        _fits(xp[2] * after[1]) // price_scale[1],
    )


def _parts(d: int, price_scale: Two) -> Three:
    """The balances of a pool at its price_scale, in the coins' own units."""
    return d // 3, _fits(d * ONE) // (3 * price_scale[0]), _fits(d * ONE) // (3 * price_scale[1])


def _packed(prices: tuple[int, ...]) -> Two:
    """As they fit into their slot."""
    first, second = prices
    if first < _PRICE_MASK and second < _PRICE_MASK:
        return first, second
    raise NoLiquidity("a price is out of range")


def _fits(value: int) -> int:
    if 0 <= value <= MAX:
        return value
    raise NoLiquidity("overflow in tweak_price")
