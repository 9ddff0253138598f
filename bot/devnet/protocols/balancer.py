"""Balancer v2: the Vault as it was deployed, at its mainnet address, and a weighted pool that fills it.

Pool factory and authorizer stand at their mainnet addresses too. The Vault creates its fee collector itself, which
lands at mainnet's because the Vault is placed with a contract's first nonce.
"""

from __future__ import annotations

from bot.abi import call, topic
from bot.devnet.artifacts import Artifact
from bot.devnet.place import Site, arguments, calldata
from bot.devnet.tokens import TOKENS, WETH, approve

_TASKS = "@balancer-labs/v2-deployments/dist/tasks"
VAULT_ARTIFACT = Artifact(f"{_TASKS}/20210418-vault/bytecode/Vault.json")
AUTHORIZER_ARTIFACT = Artifact(f"{_TASKS}/20210418-authorizer/bytecode/Authorizer.json")
FACTORY_ARTIFACT = Artifact(f"{_TASKS}/20210418-weighted-pool/bytecode/WeightedPoolFactory.json")
ARTIFACTS = (VAULT_ARTIFACT, AUTHORIZER_ARTIFACT, FACTORY_ARTIFACT)

VAULT = "0xba12222222228d8ba445958a75a0704d566bf2c8"
AUTHORIZER = "0xa331d84ec860bf466b4cdccfb4ac09a1b43f3ae6"
FACTORY = "0x8e9aa87e45e92bad84d5f8dd1bff34fb92637de9"

PAUSE_WINDOW, PAUSE_BUFFER = 90 * 86_400, 30 * 86_400
WEIGHTS = {"DAI": 20, "USDC": 20, "WETH": 60}
"""Percent of the pool's value, in the order of the tokens' addresses."""
POOL_USD = 80_000_000
SWAP_FEE = 3 * 10**15  # 0.3 %
INIT = 0  # WeightedPoolUserData.JoinKind


async def place(site: Site) -> None:
    """Vault, authorizer, factory, and one pool with liquidity."""
    await site.place({AUTHORIZER: AUTHORIZER_ARTIFACT.initcode() + arguments("(address)", site.deployer)})
    vault = arguments("(address,address,uint256,uint256)", AUTHORIZER, WETH, PAUSE_WINDOW, PAUSE_BUFFER)
    await site.place({VAULT: VAULT_ARTIFACT.initcode() + vault})
    await site.place({FACTORY: FACTORY_ARTIFACT.initcode() + arguments("(address)", VAULT)})
    pool_id = await _create_pool(site)
    assets = [TOKENS[symbol].address for symbol in WEIGHTS]
    amounts = [TOKENS[symbol].worth(POOL_USD * percent // 100) for symbol, percent in WEIGHTS.items()]
    for asset in assets:
        approve(site, asset, VAULT)
    request = (assets, amounts, arguments("(uint256,uint256[])", INIT, amounts), False)
    join = "joinPool(bytes32,address,address,(address[],uint256[],bytes,bool))"
    site.send(VAULT, calldata(join, pool_id, site.deployer, site.deployer, request))
    await site.settle()


async def _create_pool(site: Site) -> bytes:
    assets = [TOKENS[symbol].address for symbol in WEIGHTS]
    weights = [percent * 10**16 for percent in WEIGHTS.values()]
    create = "create(string,string,address[],uint256[],uint256,address)"
    site.send(
        FACTORY,
        calldata(create, "Devnet 60WETH-20USDC-20DAI", "B-60WETH", assets, weights, SWAP_FEE, site.deployer),
    )
    receipt = (await site.settle())[-1]
    created = topic("PoolCreated(address)")
    pool = next(log["topics"][1] for log in receipt["logs"] if log["topics"][0] == created)
    return await site.call("0x" + pool[-40:], call("getPoolId()"))
