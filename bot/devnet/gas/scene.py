"""What stands in the gas world beside the devnet: tokens A and B, pools between which cycles pay, all of it warm.

No slot that a trade touches goes from zero to something: pools have been swapped both ways, lenders have lent, and
traders hold dust. WETH is token0 of all its pools.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.abi import call, uint
from bot.devnet import tokens
from bot.devnet.gas.rows import Leg, Lender, Loan
from bot.devnet.place import Site, arguments, calldata
from bot.devnet.protocols import aave, balancer, morpho, uniswap_v2, uniswap_v3, uniswap_v4
from bot.devnet.protocols.uniswap_v3 import Band
from bot.devnet.tokens import WETH

ETHER = 10**18
IN = 5 * ETHER
"""WETH that goes into every trade."""
DUST = 1
DEPTH = 10_000 * ETHER
"""WETH in each pool."""
PRICE = 2_000
"""A or B for a WETH at par."""
DEAR, MIDDLE = 110, 104
"""Percent of the par price that a WETH brings in the first pool, and in the v3 pool. That one's is such that swaps end
where the pool computes two ratios to find the tick, as at seven of eight prices: a thousand gas."""
V3_FEE = 3000
V3_BAND = Band(6000, 6000, 100)

A = "0xdaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
B = "0xebbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

_UNISWAP, _SUSHI = uniswap_v2.UNISWAP, uniswap_v2.SUSHI
_V2 = (
    (_UNISWAP, WETH, A, DEPTH, PRICE * DEAR // 100),
    (_SUSHI, WETH, A, DEPTH, PRICE),
    (_UNISWAP, A, B, DEPTH * PRICE, 1),
    (_UNISWAP, WETH, B, DEPTH, PRICE),
    (_SUSHI, WETH, B, DEPTH, PRICE),
)
_V3 = ((A, PRICE * MIDDLE // 100), (B, PRICE))


@dataclass(frozen=True, slots=True)
class Pools:
    """Addresses. ``v2_dear`` gives the most A for WETH, ``v3`` less, ``v2_even`` the par price; A and B are worth
    the same. No row trades in the third pools: they lend WETH against B."""

    v2_dear: str
    v2_even: str
    v2_ab: str
    v2_b: str
    v2_third: str
    v3: str
    v3_third: str


async def place_tokens(site: Site) -> None:
    """A and B, and what the deployer needs of them and of WETH."""
    code = tokens.SOURCE.initcodes()["DevToken"]
    names = {A: "A", B: "B"}
    types = "(string,string,uint8,address)"
    codes = {at: code + arguments(types, name, name, 18, site.deployer) for at, name in names.items()}
    await site.place(codes)
    site.send(WETH, call("deposit()"), value=20 * DEPTH)
    for token in names:
        site.send(token, call("mint(address,uint256)", site.deployer, 20 * DEPTH * PRICE))
    for token in (WETH, *names):
        for spender in (_UNISWAP.router, _SUSHI.router, uniswap_v3.ROUTER, uniswap_v3.POSITIONS):
            tokens.approve(site, token, spender)
    await site.settle()


async def place_pools(site: Site) -> Pools:
    """All pools, and a borrower in Aave's WETH reserve, as there always is one."""
    for exchange, token0, token1, depth, price in _V2:
        uniswap_v2.add_pool(site, exchange, token0, token1, depth, depth * price)
    for token, price in _V3:
        uniswap_v3.add_pool(site, WETH, token, V3_FEE, (DEPTH, DEPTH * price), [V3_BAND])
    borrow = "borrow(address,uint256,uint256,uint16,address)"
    site.send(aave.POOL, call(borrow, WETH, 1_000 * ETHER, 2, 0, site.deployer))
    await site.settle()
    v2 = [await uniswap_v2.pool_address(site, exchange, token0, token1) for exchange, token0, token1, _, _ in _V2]
    v3 = [await uniswap_v3.pool_address(site, WETH, token, V3_FEE) for token, _ in _V3]
    return Pools(*v2, *v3)


async def warm_pools(site: Site) -> None:
    """A swap each way through every pool, in two blocks."""
    for way in (1, -1):
        for exchange, token0, token1, _, _ in _V2:
            signature = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
            path = [token0, token1][::way]
            site.send(exchange.router, calldata(signature, ETHER, 0, path, site.deployer, uniswap_v2.FOREVER))
        for token, _ in _V3:
            token_in, token_out = (WETH, token)[::way]
            site.send(uniswap_v3.ROUTER, _v3_input(site, token_in, token_out, ETHER))
        await site.settle()


async def loans(site: Site, pools: Pools) -> dict[str, Loan]:
    """Everyone who lends WETH, by the name of the row."""
    premium = uint(await site.call(aave.POOL, call("FLASHLOAN_PREMIUM_TOTAL()")))
    v2_fee, v3_fee = IN * 1000 // 997 + 1 - IN, -(-IN * V3_FEE // 10**6)
    return {
        "Morpho": Loan(Lender.MORPHO, morpho.MORPHO, IN, 0),
        "Uniswap v4": Loan(Lender.V4, uniswap_v4.MANAGER, IN, 0),
        "Balancer v2": Loan(Lender.BALANCER, balancer.VAULT, IN, 0),
        "Uniswap v3 flash": Loan(Lender.V3, pools.v3_third, IN, v3_fee),
        "Uniswap v2 third pool": Loan(Lender.V2, pools.v2_third, IN, v2_fee),
        "Aave v3.0.2": Loan(Lender.AAVE, aave.POOL, IN, (IN * premium + 5_000) // 10_000),
    }


async def legs(site: Site, *stations: tuple[str, str, str]) -> tuple[Leg, ...]:
    """The way of WETH through (kind, pool, token out) one after the other, at what the pools give now."""
    made: list[Leg] = []
    token, amount = WETH, IN
    for kind, pool, to in stations:
        if kind == "v2":
            out = await _v2_quote(site, pool, token, to, amount)
        else:  # the router tells what it would have got
            out = uint(await site.call(uniswap_v3.ROUTER, _v3_input(site, token, to, amount)))
        made.append(Leg(kind, pool, token, to, amount, out))
        token, amount = to, out
    return tuple(made)


async def _v2_quote(site: Site, pool: str, token_in: str, token_out: str, amount: int) -> int:
    answer = await site.call(pool, call("getReserves()"))
    reserve_in, reserve_out = uint(answer, 0), uint(answer, 1)
    if int(token_in, 16) > int(token_out, 16):
        reserve_in, reserve_out = reserve_out, reserve_in
    return amount * 997 * reserve_out // (reserve_in * 1000 + amount * 997)


def _v3_input(site: Site, token_in: str, token_out: str, amount: int) -> bytes:
    signature = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
    deadline = uniswap_v3.FOREVER
    return call(signature, token_in, token_out, V3_FEE, site.deployer, deadline, amount, 0, 0)
