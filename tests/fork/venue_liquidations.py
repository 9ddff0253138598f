"""Positions that can be liquidated, made by an ordinary account in the protocols' own markets on the devnet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from venue_chain import ETHER, PROBE, Chain, approve, by, created, fresh, transfer
from venue_devnet import WHALE

from bot import abi
from bot.devnet.artifacts import Artifact
from bot.devnet.place import arguments, calldata
from bot.devnet.protocols import aave, morpho
from bot.devnet.tokens import TOKENS
from bot.engine.types import AccountDiff
from bot.simulation.types import Call

USD = 10**8
WAD = 10**18
PRICE = fresh("price")
"""Answers one number, whatever it is asked."""


def answer(chain: Chain, number: int) -> None:
    """What PRICE answers from now on: PUSH32 number, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN."""
    code = b"\x7f" + abi.encode(number) + bytes.fromhex("5f5260205ff3")
    chain.evm.apply({PRICE: AccountDiff(balance=0, nonce=1, code=code)})


# --- Aave ------------------------------------------------------------------------------------------------------------

VARIABLE = 2  # interest


def aave_position(collateral: str, supplied: int, debt: str, borrowed: int) -> tuple[Call, ...]:
    """PROBE's."""
    supply = abi.call("supply(address,uint256,address,uint16)", collateral, supplied, PROBE, 0)
    borrow = abi.call("borrow(address,uint256,uint256,uint16,address)", debt, borrowed, VARIABLE, 0, PROBE)
    return (
        transfer(WHALE, collateral, PROBE, supplied),
        approve(PROBE, collateral, aave.POOL),
        by(PROBE, aave.POOL, supply),
        by(PROBE, aave.POOL, borrow),
    )


def aave_reprice(asset: str) -> Call:
    """PRICE becomes the source of what an asset is worth."""
    return by(WHALE, aave.ORACLE, calldata("setAssetSources(address[],address[])", [asset], [PRICE]))


def aave_seized(covered: int, prices: Mapping[str, int], collateral: str, debt: str) -> int:
    """LiquidationLogic._calculateAvailableCollateralToLiquidate, where the collateral is enough."""
    units: dict[str, int] = {spec.address: 10**spec.decimals for spec in TOKENS.values()}
    base = prices[debt] * covered * units[collateral] // (prices[collateral] * units[debt])
    return (base * aave.BONUS + 5_000) // 10_000


# --- Morpho Blue -----------------------------------------------------------------------------------------------------

_PARAMS = "(address,address,address,address,uint256)"


@dataclass(frozen=True)
class MorphoMarket:
    """A market of a test with one borrower, PROBE. Addresses are those of tokens; ``lltv`` percent."""

    loan: str
    collateral: str
    lltv: int
    supplied: int
    pledged: int
    borrowed: int

    @property
    def rates(self) -> str:
        """The package's own mock: no interest within a block."""
        return created(PROBE, 0)

    @property
    def params(self) -> tuple[str, str, str, str, int]:
        return (self.loan, self.collateral, self.oracle, self.rates, self.lltv * WAD // 100)

    @property
    def oracle(self) -> str:
        """The package's own mock: it answers what it was told."""
        return created(PROBE, 1)

    def priced(self, price: int) -> Call:
        """What collateral is worth in the loan token, 36 decimals."""
        return by(PROBE, self.oracle, abi.call("setPrice(uint256)", price))

    def made(self, price: int) -> tuple[Call, ...]:
        """The market, and the position."""
        supply = f"supply({_PARAMS},uint256,uint256,address,bytes)"
        pledge = f"supplyCollateral({_PARAMS},uint256,address,bytes)"
        borrow = f"borrow({_PARAMS},uint256,uint256,address,address)"
        at = morpho.MORPHO
        return (
            *(by(PROBE, None, morpho.SOURCE.initcodes()[mock]) for mock in ("IrmMock", "OracleMock")),
            self.priced(price),
            by(WHALE, at, abi.call("enableIrm(address)", self.rates)),
            by(WHALE, at, calldata(f"createMarket({_PARAMS})", self.params)),
            by(WHALE, at, calldata(supply, self.params, self.supplied, 0, WHALE, b"")),
            transfer(WHALE, self.collateral, PROBE, self.pledged),
            approve(PROBE, self.collateral, at),
            by(PROBE, at, calldata(pledge, self.params, self.pledged, PROBE, b"")),
            by(PROBE, at, calldata(borrow, self.params, self.borrowed, 0, PROBE, PROBE)),
        )

    @property
    def shares(self) -> int:
        """What the first borrower owes: SharesMathLib.toSharesUp of an empty market."""
        return self.borrowed * 10**6

    @property
    def incentive(self) -> int:
        """Of who liquidates, 18 decimals."""
        return min(115 * WAD // 100, WAD * WAD // (WAD - 3 * WAD // 10 * (WAD - self.params[4]) // WAD))

    def repaid(self, shares: int) -> int:
        """Assets for shares, rounded up."""
        return -(-shares * (self.borrowed + 1) // (self.shares + 10**6))

    def shares_for(self, seized: int, price: int) -> int:
        """What is repaid for collateral: each step rounded up."""
        quoted = -(-seized * price // 10**36)
        assets = -(-quoted * WAD // self.incentive)
        return -(-assets * (self.shares + 10**6) // (self.borrowed + 1))

    def seized_for(self, shares: int, price: int) -> int:
        """The collateral for a debt: each step rounded down."""
        assets = shares * (self.borrowed + 1) // (self.shares + 10**6)
        return assets * self.incentive // WAD * 10**36 // price


# --- Compound v2, as Venus has it ------------------------------------------------------------------------------------

_VENUS = "@venusprotocol/venus-protocol/artifacts/contracts"
RATE = 2 * 10**26  # of a cToken, at first
CLOSE_FACTOR, INCENTIVE = 5 * WAD // 10, 11 * WAD // 10
COMPTROLLER, ORACLE, RATES, LENS, PLEDGE, DEBT = (created(PROBE, nonce) for nonce in range(6))
"""The last two are the cTokens of the collateral and of the debt."""
PLEDGED, LENDABLE = 1_000_000 * ETHER, 1_000 * ETHER
_PRICE = "setUnderlyingPrice(address,uint256)"


def _venus(path: str, types: str = "", *args: object) -> Call:
    code = Artifact(f"{_VENUS}/{path}.sol/{path.rsplit('/')[-1]}.json").initcode()
    return by(PROBE, None, code + (arguments(types, *args) if types else b""))


def _market(token: str) -> Call:
    types = "(address,address,address,uint256,string,string,uint8,address)"
    return _venus("VBep20Immutable", types, token, COMPTROLLER, RATES, RATE, "c", "c", 8, PROBE)


def _venus_of(pledge: Call, debt: Call) -> tuple[Call, ...]:
    """The protocol with two markets; three quarters of the first can be borrowed."""
    caps = calldata("_setMarketSupplyCaps(address[],uint256[])", [PLEDGE, DEBT], [10**30, 10**30])
    settings = (
        abi.call("_setPriceOracle(address)", ORACLE),
        abi.call("_setCloseFactor(uint256)", CLOSE_FACTOR),
        abi.call("_setLiquidationIncentive(uint256)", INCENTIVE),
        abi.call("_setComptrollerLens(address)", LENS),
        abi.call("_supportMarket(address)", PLEDGE),
        abi.call("_supportMarket(address)", DEBT),
        caps,
    )
    return (
        _venus("Comptroller"),
        _venus("SimplePriceOracle"),
        _venus("WhitePaperInterestRateModel", "(uint256,uint256)", 2 * 10**16, 10**17),
        _venus("Lens/ComptrollerLens"),
        pledge,
        debt,
        *(by(PROBE, COMPTROLLER, data) for data in settings),
    )


def _borrow(token: str, lendable: int, borrowed: int) -> tuple[Call, ...]:
    """PROBE lends, and borrows on what it has pledged."""
    factor = abi.call("_setCollateralFactor(address,uint256)", PLEDGE, 75 * WAD // 100)
    return (
        by(PROBE, COMPTROLLER, factor),
        transfer(WHALE, token, PROBE, lendable),
        approve(PROBE, token, DEBT),
        by(PROBE, DEBT, abi.call("mint(uint256)", lendable)),
        by(PROBE, COMPTROLLER, calldata("enterMarkets(address[])", [PLEDGE])),
        by(PROBE, DEBT, abi.call("borrow(uint256)", borrowed)),
    )


def venus(dai: str, weth: str, borrowed: int) -> tuple[Call, ...]:
    """PROBE has pledged DAI at a dollar, and borrowed WETH at 3000."""
    return (
        *_venus_of(_market(dai), _market(weth)),
        venus_reprice(PLEDGE, WAD),
        venus_reprice(DEBT, 3_000 * WAD),
        transfer(WHALE, dai, PROBE, PLEDGED),
        approve(PROBE, dai, PLEDGE),
        by(PROBE, PLEDGE, abi.call("mint(uint256)", PLEDGED)),
        *_borrow(weth, LENDABLE, borrowed),
    )


def venus_eth(dai: str, pledged: int, borrowed: int, price: int) -> tuple[Call, ...]:
    """PROBE has pledged ETH, the unit of prices, and borrowed DAI at ``price``."""
    types = "(address,address,uint256,string,string,uint8,address)"
    pledge = _venus("VBNB", types, COMPTROLLER, RATES, RATE, "c", "vBNB", 8, PROBE)
    return (
        *_venus_of(pledge, _market(dai)),
        venus_reprice(DEBT, price),
        by(PROBE, PLEDGE, abi.call("mint()"), value=pledged),
        *_borrow(dai, 2 * borrowed, borrowed),
    )


def venus_reprice(ctoken: str, price: int) -> Call:
    """What its underlying is worth, 18 decimals."""
    return by(PROBE, ORACLE, abi.call(_PRICE, ctoken, price))


def venus_seized(repaid: int, price_debt: int, price_pledge: int) -> int:
    """ComptrollerLens.liquidateCalculateSeizeTokens: cTokens for a debt, prices with 18 decimals."""
    numerator, denominator = INCENTIVE * price_debt // WAD, price_pledge * RATE // WAD
    return numerator * WAD // denominator * repaid // WAD
