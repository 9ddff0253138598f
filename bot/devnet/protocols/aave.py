"""Aave v3 (core 1.19, that is 3.0.2) at its mainnet addresses, with reserves that can be borrowed and flash-lent.

The addresses provider creates the pool's and the configurator's proxies itself; being placed with a contract's first
nonce, it creates them where mainnet has them.
"""

from __future__ import annotations

from bot.devnet.artifacts import Artifact
from bot.devnet.place import Site, arguments, calldata
from bot.devnet.tokens import PICO, TOKENS, TokenSpec, approve

PROVIDER = "0x2f39d218133afab8f2b819b1066c7e434ad94e9e"
POOL = "0x87870bca3f3fd6335c3f4ce8392d69350b4fa4e2"
CONFIGURATOR = "0x64b761d848206f447fe2dd461b0c635ec39ebb27"
ORACLE = "0x54586be62e3c3580375ae3723c145253060ca0c2"
DATA_PROVIDER = "0x7b4eb56e7cd4b454ba8ff71e4518426369a138a3"
NOBODY = "0x" + "00" * 20

_ROOT = "@aave/core-v3/artifacts/contracts"
_PROTOCOL = f"{_ROOT}/protocol"
_LIBRARIES = (
    "SupplyLogic",
    "BorrowLogic",
    "LiquidationLogic",
    "EModeLogic",
    "BridgeLogic",
    "PoolLogic",
    "ConfiguratorLogic",
)
_ARTIFACTS = {
    "PoolAddressesProvider": f"{_PROTOCOL}/configuration",
    "ACLManager": f"{_PROTOCOL}/configuration",
    "Pool": f"{_PROTOCOL}/pool",
    "PoolConfigurator": f"{_PROTOCOL}/pool",
    "DefaultReserveInterestRateStrategy": f"{_PROTOCOL}/pool",
    "AToken": f"{_PROTOCOL}/tokenization",
    "StableDebtToken": f"{_PROTOCOL}/tokenization",
    "VariableDebtToken": f"{_PROTOCOL}/tokenization",
    "AaveOracle": f"{_ROOT}/misc",
    "AaveProtocolDataProvider": f"{_ROOT}/misc",
    "MockAggregator": f"{_ROOT}/mocks/oracle/CLAggregators",
    **dict.fromkeys((*_LIBRARIES, "FlashLoanLogic"), f"{_PROTOCOL}/libraries/logic"),
}
_FILES = {name: Artifact(f"{folder}/{name}.sol/{name}.json") for name, folder in _ARTIFACTS.items()}
ARTIFACTS = tuple(_FILES.values())

RESERVES = {"WETH": 90, "USDC": 80, "USDT": 50, "DAI": 40, "WBTC": 60, "LINK": 10, "AAVE": 10}
"""Symbol to million dollars supplied."""
LTV, THRESHOLD, BONUS = 8_000, 8_250, 10_500  # hundredths of a percent; a bonus of 105 % is 5 %
PREMIUM = 5  # of a flash loan, hundredths of a percent
RAY = 10**27
USD_UNIT = 10**8  # the oracle's

_RESERVE = (
    "(address,address,address,uint8,address,address,address,address,string,string,string,string,string,string,bytes)"
)


def _code(name: str, types: str = "", *args: object, libraries: dict[str, str] | None = None) -> bytes:
    return _FILES[name].initcode(libraries) + (arguments(types, *args) if types else b"")


async def place(site: Site) -> None:
    """The market: addresses provider, pool, oracle, reserves with supply."""
    await site.place({PROVIDER: _code("PoolAddressesProvider", "(string,address)", "Devnet Market", site.deployer)})
    await _pool(site)
    await _oracle(site)
    await _reserves(site)
    for symbol, millions in RESERVES.items():
        token = TOKENS[symbol]
        approve(site, token.address, POOL)
        supply = "supply(address,uint256,address,uint16)"
        site.send(POOL, calldata(supply, token.address, token.worth(millions * 10**6), site.deployer, 0))
    await site.settle()


async def _pool(site: Site) -> None:
    """Access control first: the configurator lets nobody in without it."""
    site.send(PROVIDER, calldata("setACLAdmin(address)", site.deployer))
    await site.settle()
    (acl,) = await site.create(_code("ACLManager", "(address)", PROVIDER))
    site.send(PROVIDER, calldata("setACLManager(address)", acl))
    site.send(acl, calldata("addPoolAdmin(address)", site.deployer))
    site.send(acl, calldata("addRiskAdmin(address)", site.deployer))
    at = dict(zip(_LIBRARIES, await site.create(*map(_code, _LIBRARIES)), strict=True))
    (at["FlashLoanLogic"],) = await site.create(_code("FlashLoanLogic", libraries=at))
    pool, configurator = await site.create(
        _code("Pool", "(address)", PROVIDER, libraries=at), _code("PoolConfigurator", libraries=at)
    )
    site.send(PROVIDER, calldata("setPoolImpl(address)", pool))
    site.send(PROVIDER, calldata("setPoolConfiguratorImpl(address)", configurator))
    await site.settle()


async def _oracle(site: Site) -> None:
    tokens = [TOKENS[symbol] for symbol in RESERVES]
    answers = [token.price * USD_UNIT // PICO for token in tokens]
    sources = await site.create(*[_code("MockAggregator", "(int256)", answer) for answer in answers])
    types = "(address,address[],address[],address,address,uint256)"
    assets = [token.address for token in tokens]
    await site.place(
        {
            ORACLE: _code("AaveOracle", types, PROVIDER, assets, sources, NOBODY, NOBODY, USD_UNIT),
            DATA_PROVIDER: _code("AaveProtocolDataProvider", "(address)", PROVIDER),
        }
    )
    site.send(PROVIDER, calldata("setPriceOracle(address)", ORACLE))
    site.send(PROVIDER, calldata("setPoolDataProvider(address)", DATA_PROVIDER))
    await site.settle()


async def _reserves(site: Site) -> None:
    kinds = ("AToken", "StableDebtToken", "VariableDebtToken")
    implementations = await site.create(*[_code(kind, "(address)", POOL) for kind in kinds])
    percents = (80, 0, 4, 60, 2, 60, 2, 8, 20)  # optimal use, base, slopes of both rates, stable rate's offsets
    rates = [percent * RAY // 100 for percent in percents]
    types = f"(address{',uint256' * len(rates)})"
    (strategy,) = await site.create(_code("DefaultReserveInterestRateStrategy", types, PROVIDER, *rates))
    tokens = [TOKENS[symbol] for symbol in RESERVES]
    for token in tokens:
        reserve = _reserve(token, implementations, strategy, site.deployer)
        site.send(CONFIGURATOR, calldata(f"initReserves({_RESERVE}[])", [reserve]))
        collateral = "configureReserveAsCollateral(address,uint256,uint256,uint256)"
        site.send(CONFIGURATOR, calldata(collateral, token.address, LTV, THRESHOLD, BONUS))
        site.send(CONFIGURATOR, calldata("setReserveBorrowing(address,bool)", token.address, True))
        site.send(CONFIGURATOR, calldata("setReserveFlashLoaning(address,bool)", token.address, True))
    site.send(CONFIGURATOR, calldata("updateFlashloanPremiumTotal(uint128)", PREMIUM))
    await site.settle()


def _reserve(token: TokenSpec, implementations: list[str], strategy: str, treasury: str) -> tuple[object, ...]:
    """ConfiguratorInputTypes.InitReserveInput."""
    names = [
        text
        for kind, prefix in (("", "a"), (" Variable Debt", "variableDebt"), (" Stable Debt", "stableDebt"))
        for text in (f"Aave Devnet{kind} {token.symbol}", f"{prefix}{token.symbol}")
    ]
    addresses = (strategy, token.address, treasury, NOBODY)
    return (*implementations, token.decimals, *addresses, *names, b"")
