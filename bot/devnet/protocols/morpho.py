"""Morpho Blue at its mainnet address, with two markets that hold what it lends."""

from __future__ import annotations

from bot.devnet.artifacts import Source
from bot.devnet.place import Site, arguments, calldata
from bot.devnet.tokens import TOKENS, approve

MORPHO = "0xbbbbbbbbbb9cc5e90e3b3af64bdaf62c37eeffcb"
SOURCE = Source(
    "@morpho-org/morpho-blue/src",
    ("Morpho.sol", "mocks/IrmMock.sol", "mocks/OracleMock.sol"),
    "0.8.19",
    {  # the code that mainnet has, but for the domain separator, which holds the chain id, and the metadata
        "optimizer": {"enabled": True, "runs": 999_999},
        "viaIR": True,
        "evmVersion": "paris",
    },
)

WAD = 10**18
MARKETS = (("USDC", "WETH", 86), ("WETH", "WBTC", 91), ("DAI", "WETH", 77))
"""Loan token, collateral, loan-to-value in percent at which a position is liquidated."""
SUPPLY_USD = {"USDC": 40_000_000, "WETH": 60_000_000, "DAI": 15_000_000}

_PARAMS = "(address,address,address,address,uint256)"


async def place(site: Site) -> None:
    """Morpho, markets at the price list's prices, and supply."""
    compiled = SOURCE.initcodes()
    await site.place({MORPHO: compiled["Morpho"] + arguments("(address)", site.deployer)})
    rates, *oracles = await site.create(compiled["IrmMock"], *[compiled["OracleMock"]] * len(MARKETS))
    site.send(MORPHO, calldata("enableIrm(address)", rates))
    for token in SUPPLY_USD:
        approve(site, TOKENS[token].address, MORPHO)
    for (loan, collateral, percent), oracle in zip(MARKETS, oracles, strict=True):
        lltv = percent * WAD // 100
        site.send(MORPHO, calldata("enableLltv(uint256)", lltv))
        site.send(oracle, calldata("setPrice(uint256)", price(loan, collateral)))
        market = (TOKENS[loan].address, TOKENS[collateral].address, oracle, rates, lltv)
        site.send(MORPHO, calldata(f"createMarket({_PARAMS})", market))
        amount = TOKENS[loan].worth(SUPPLY_USD[loan])
        supply = f"supply({_PARAMS},uint256,uint256,address,bytes)"
        site.send(MORPHO, calldata(supply, market, amount, 0, site.deployer, b""))
    await site.settle()


def price(loan: str, collateral: str) -> int:
    """What one unit of collateral is worth in units of the loan token, scaled by 1e36 (IOracle.sol)."""
    owed, held = TOKENS[loan], TOKENS[collateral]
    return held.price * int(10 ** (36 + owed.decimals)) // (owed.price * int(10**held.decimals))
