"""What accounts, functions and amounts in a trace are called."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from bot.abi import selector
from bot.chain.pool_reader import PoolInfo
from bot.chain.pools import identify
from bot.chain.tokens import TokenInfo, describe
from bot.cli import profile as profiles
from bot.jsonrpc import JsonRpc
from bot.paths import repo_root
from bot.simulation.flows import ETHER

SHORT = 10  # characters of an address behind a name
PRECOMPILES = {
    1: "ecrecover",
    2: "sha256",
    3: "ripemd160",
    4: "identity",
    5: "modexp",
    6: "ecadd",
    7: "ecmul",
    8: "ecpairing",
    9: "blake2f",
    10: "kzg",
    256: "p256verify",
}

FUNCTIONS = (
    # ERC-20, WETH9, ERC-4626, Permit2
    *("name()", "symbol()", "decimals()", "totalSupply()", "balanceOf(address)", "allowance(address,address)"),
    *("transfer(address,uint256)", "transferFrom(address,address,uint256)", "approve(address,uint256)"),
    *("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)", "deposit()", "withdraw(uint256)"),
    *("deposit(uint256,address)", "redeem(uint256,address,address)", "transferFrom(address,address,uint160,address)"),
    "permit(address,((address,uint160,uint48,uint48),address,uint256),bytes)",
    # Uniswap v2 and its routers
    *("getReserves()", "swap(uint256,uint256,address,bytes)", "sync()", "skim(address)", "mint(address)"),
    *("burn(address)", "token0()", "token1()", "factory()", "uniswapV2Call(address,uint256,uint256,bytes)"),
    "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)",
    "swapTokensForExactTokens(uint256,uint256,address[],address,uint256)",
    "swapExactETHForTokens(uint256,address[],address,uint256)",
    "swapETHForExactTokens(uint256,address[],address,uint256)",
    "swapExactTokensForETH(uint256,uint256,address[],address,uint256)",
    "swapTokensForExactETH(uint256,uint256,address[],address,uint256)",
    "swapExactTokensForTokensSupportingFeeOnTransferTokens(uint256,uint256,address[],address,uint256)",
    "swapExactETHForTokensSupportingFeeOnTransferTokens(uint256,address[],address,uint256)",
    "swapExactTokensForETHSupportingFeeOnTransferTokens(uint256,uint256,address[],address,uint256)",
    # Uniswap v3 and its routers, the Universal Router
    *("slot0()", "liquidity()", "fee()", "tickSpacing()", "swap(address,bool,int256,uint160,bytes)"),
    *("mint(address,int24,int24,uint128,bytes)", "burn(int24,int24,uint128)", "flash(address,uint256,uint256,bytes)"),
    *("uniswapV3SwapCallback(int256,int256,bytes)", "pancakeV3SwapCallback(int256,int256,bytes)"),
    "uniswapV3FlashCallback(uint256,uint256,bytes)",
    "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))",
    "exactInput((bytes,address,uint256,uint256,uint256))",
    "exactOutputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))",
    "exactOutput((bytes,address,uint256,uint256,uint256))",
    "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))",
    *("multicall(bytes[])", "multicall(uint256,bytes[])", "execute(bytes,bytes[],uint256)", "execute(bytes,bytes[])"),
    *("unwrapWETH9(uint256,address)", "refundETH()", "sweepToken(address,uint256,address)"),
    # Uniswap v4
    *("unlock(bytes)", "unlockCallback(bytes)", "sync(address)", "settle()", "take(address,address,uint256)"),
    "swap((address,address,uint24,int24,address),(bool,int256,uint160),bytes)",
    # Curve, Balancer
    *("exchange(int128,int128,uint256,uint256)", "exchange(uint256,uint256,uint256,uint256)"),
    *("get_dy(int128,int128,uint256)", "get_dy(uint256,uint256,uint256)"),
    "swap((bytes32,uint8,address,address,uint256,bytes),(address,bool,address,bool),uint256,uint256)",
    "flashLoan(address,address[],uint256[],bytes)",
    "receiveFlashLoan(address[],uint256[],uint256[],bytes)",
    # lending
    *("flashLoan(address,uint256,bytes)", "onMorphoFlashLoan(uint256,bytes)"),
    "flashLoanSimple(address,address,uint256,bytes,uint16)",
    "executeOperation(address,uint256,uint256,address,bytes)",
    "liquidationCall(address,address,address,uint256,bool)",
    *("latestAnswer()", "latestRoundData()"),
)
_BY_SELECTOR = {selector(signature): signature for signature in FUNCTIONS}


def function(data: bytes) -> str:
    """Of calldata: its signature where it is known, else its selector; empty where nothing is called."""
    if len(data) < 4:
        return ""
    return _BY_SELECTOR.get(data[:4], "0x" + data[:4].hex())


@dataclass(slots=True)
class Names:
    """What is known of a chain's accounts."""

    accounts: dict[str, str]
    tokens: dict[str, TokenInfo] = field(default_factory=dict)

    @classmethod
    def of_profiles(cls, chain_id: int) -> Names:
        """Those that the repository's profiles know."""
        names = cls({})
        for file in sorted((repo_root() / "forks").glob("*.toml")):
            profile = profiles.load(file)
            if profile.chain_id == chain_id:
                names.add(profile)
        return names

    def add(self, profile: profiles.Profile) -> None:
        """What a profile knows."""
        for token in profile.tokens:
            self.tokens[token.address] = TokenInfo(token.address, token.symbol, token.decimals)
        groups = (profile.v2, profile.v3, profile.solidly, profile.curve, profile.balancer, profile.v4)
        for group in groups:
            self.accounts |= {factory.address: factory.name for factory in group}
        for kind, address in profile.lenders.by_kind().items():
            if address is not None:
                self.accounts.setdefault(address, kind.value.replace("_", " "))
        if profile.bot.executor is not None:
            self.accounts[profile.bot.executor] = "executor"

    async def learn(self, rpc: JsonRpc, accounts: Iterable[str], tokens: Iterable[str]) -> None:
        """What the contracts themselves say, as of the node's head. Raises RpcUnreachable."""
        pools = await identify(rpc, [one for one in accounts if one not in self.tokens], "latest")
        asked = [*tokens, *(token for pool in pools for token in pool.tokens)]
        unknown = [token for token in dict.fromkeys(asked) if token not in self.tokens and token != ETHER]
        self.tokens |= {token.address: token for token in await describe(rpc, unknown, "latest")}
        self.accounts |= {pool.id: self._pool(pool) for pool in pools if pool.protocol != "weth"}

    def _pool(self, pool: PoolInfo) -> str:
        fee = f" {pool.fee / 10_000:g} %" if pool.fee and not pool.fee_assumed else ""
        return f"{pool.protocol} {'/'.join(map(self.token, pool.tokens))}{fee}"

    def account(self, address: str) -> str:
        """Its name, and the beginning of its address; or all of the address."""
        number = int(address or "0x0", 16)
        if number in PRECOMPILES:
            return PRECOMPILES[number]
        name = self.accounts.get(address)
        if name is None and address in self.tokens:
            name = self.token(address)
        return address if name is None or name == address else f"{name} ({address[:SHORT]}…)"

    def token(self, token: str) -> str:
        """Its symbol, or the beginning of its address."""
        if token == ETHER:
            return "ETH"
        known = self.tokens.get(token)
        return token[:SHORT] if known is None or known.symbol == token else known.symbol

    def amount(self, token: str, wei: int) -> str:
        """With the symbol; in whole tokens, all digits, where the decimals are known."""
        known = self.tokens.get(token)
        decimals = 18 if token == ETHER else None if known is None else known.decimals
        return (
            f"{wei} units of {self.token(token)}" if decimals is None else f"{whole(wei, decimals)} {self.token(token)}"
        )


def whole(wei: int, decimals: int) -> str:
    """As a decimal number of whole tokens, exact."""
    sign, digits = "-" if wei < 0 else "", f"{abs(wei):0{decimals + 1}d}"
    if not decimals:
        return sign + digits
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}".rstrip("0").rstrip(".")
