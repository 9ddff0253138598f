"""The devnet's tokens, at the mainnet addresses of those they play, with a plausible price each."""

from __future__ import annotations

from dataclasses import dataclass

from bot.abi import call
from bot.devnet.artifacts import Artifact, Source
from bot.devnet.deployment import Token
from bot.devnet.place import Site, arguments

WETH_ARTIFACT = Artifact("canonical-weth/build/contracts/WETH9.json")
SOURCE = Source(
    "contracts/devnet",
    ("DevToken.sol", "DevTether.sol"),
    "0.8.37",
    {"optimizer": {"enabled": True, "runs": 200}, "evmVersion": "cancun"},
)

PICO = 10**12


@dataclass(frozen=True, slots=True)
class TokenSpec:
    """``price`` is pico-dollars a whole token: an integer for cheap ones too."""

    symbol: str
    name: str
    address: str
    decimals: int
    price: int

    def worth(self, usd: int) -> int:
        """Smallest units worth ``usd`` whole dollars."""
        unit: int = 10**self.decimals
        return usd * PICO * unit // self.price

    def token(self) -> Token:
        return Token(self.symbol, self.address, self.decimals, self.price / PICO)


TOKENS: dict[str, TokenSpec] = {
    spec.symbol: spec
    for spec in (
        TokenSpec("WETH", "Wrapped Ether", "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2", 18, 3_000 * PICO),
        TokenSpec("USDC", "Devnet USDC", "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", 6, 1 * PICO),
        TokenSpec("USDT", "Devnet USDT", "0xdac17f958d2ee523a2206206994597c13d831ec7", 6, 1 * PICO),
        TokenSpec("DAI", "Devnet DAI", "0x6b175474e89094c44da98b954eedeac495271d0f", 18, 1 * PICO),
        TokenSpec("WBTC", "Devnet WBTC", "0x2260fac5e5542a773aa44fbcfedf7c193bc2c599", 8, 60_000 * PICO),
        TokenSpec("LINK", "Devnet LINK", "0x514910771af9ca656af840dff83e8264ecf986ca", 18, 15 * PICO),
        TokenSpec("UNI", "Devnet UNI", "0x1f9840a85d5af5bf1d1762f925bdaddc4201f984", 18, 8 * PICO),
        TokenSpec("AAVE", "Devnet AAVE", "0x7fc66500c84a76ad7e9c93437bfc5ac33e2ddae9", 18, 120 * PICO),
        TokenSpec("MKR", "Devnet MKR", "0x9f8f72aa9304c8b593d555f12ef6589cc3a579a2", 18, 1_500 * PICO),
        TokenSpec("PEPE", "Devnet PEPE", "0x6982508145454ce325ddbe47a25d4ec3d2311933", 18, 9_000_000),
    )
}
WETH = TOKENS["WETH"].address


async def place_tokens(site: Site) -> None:
    """WETH9 as it is on mainnet; the others OpenZeppelin ERC-20s, USDT one without return values."""
    compiled = SOURCE.initcodes()
    codes = {WETH: WETH_ARTIFACT.initcode()}
    for spec in TOKENS.values():
        if spec.address != WETH:
            code = compiled["DevTether" if spec.symbol == "USDT" else "DevToken"]
            codes[spec.address] = code + arguments(
                "(string,string,uint8,address)", spec.name, spec.symbol, spec.decimals, site.deployer
            )
    await site.place(codes)


def give(site: Site, spec: TokenSpec, to: str, amount: int) -> None:
    """Queues ``amount`` of a token for ``to``: minted, or wrapped from the deployer's ETH."""
    if spec.address != WETH:
        site.send(spec.address, call("mint(address,uint256)", to, amount))
        return
    site.send(WETH, call("deposit()"), value=amount)
    if to != site.deployer:
        site.send(WETH, call("transfer(address,uint256)", to, amount))


def approve(site: Site, token: str, spender: str, *, sender: str | None = None) -> None:
    """Queues an unlimited approval."""
    site.send(token, call("approve(address,uint256)", spender, 2**256 - 1), sender=sender)
