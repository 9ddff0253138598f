"""What stands on the devnet: tokens, pools, protocols and the accounts that play there.

Every key of the devnet derives from the well-known test mnemonic of anvil and hardhat: public by design,
worthless on any real chain.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from eth_account import Account
from eth_account.signers.local import LocalAccount

MNEMONIC = "test test test test test test test test test test test junk"
CHAIN_ID = 31337
HARDFORK = "cancun"
BLOCK_SECONDS = 12
TRADER_PATH = "m/44'/60'/1'/0"  # anvil's own accounts are m/44'/60'/0'/0/0..9


@dataclass(frozen=True, slots=True)
class Token:
    """An ERC-20 of the devnet, at the mainnet address of the token it plays. The pools were seeded at
    ``price_usd``."""

    symbol: str
    address: str
    decimals: int
    price_usd: float


@dataclass(frozen=True, slots=True)
class DevPool:
    """A pool. ``kind`` is the swap interface (``v2`` or ``v3``), ``fee`` in millionths (3000 = 0.3 %)."""

    kind: str
    factory: str
    address: str
    token0: str
    token1: str
    fee: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """All addresses of the devnet, lower-case 0x strings. ``head_*`` is the block that the state ends in.

    ``v2_routers[i]`` trades on ``v2_factories[i]``. Each trader has ETH and every token, and has approved
    every router for every token.
    """

    chain_id: int
    head_number: int
    head_timestamp: int
    weth: str
    tokens: tuple[Token, ...]
    pools: tuple[DevPool, ...]
    v2_factories: tuple[str, ...]
    v2_routers: tuple[str, ...]
    v3_factory: str
    v3_router: str
    v4_manager: str
    balancer_vault: str
    aave_pool: str
    morpho: str
    traders: tuple[str, ...]
    lendable: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Lender (``aave``, ``balancer``, ``morpho``, ``v4``) to the tokens it can lend."""

    def token(self, symbol: str) -> Token:
        """The token called ``symbol``. Raises KeyError."""
        for token in self.tokens:
            if token.symbol == symbol:
                return token
        raise KeyError(symbol)


@lru_cache(maxsize=256)
def _derive(path: str) -> LocalAccount:
    Account.enable_unaudited_hdwallet_features()
    account: LocalAccount = Account.from_mnemonic(MNEMONIC, account_path=path)
    return account


def account(index: int) -> LocalAccount:
    """Anvil's account ``index``: 0 the bot's owner, 1-4 operators, 5 the builder's fee recipient,
    6 the relay's signer, 7 the deployer and whale, 8-9 spare."""
    return _derive(f"m/44'/60'/0'/0/{index}")


def trader(index: int) -> LocalAccount:
    """The account of ``Deployment.traders[index]``."""
    return _derive(f"{TRADER_PATH}/{index}")
