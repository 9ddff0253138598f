"""The devnet's state: mainnet's code where mainnet has it, pools that trade, lenders that lend, a cache that heals."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from bot.abi import address, call, encode, to_bytes, to_hex, uint
from bot.devnet.artifacts import Artifact, Source
from bot.devnet.deployment import BLOCK_SECONDS, Deployment, account, trader
from bot.devnet.place import PlacingFailed, Site
from bot.devnet.protocols import aave, balancer, morpho, uniswap_v2, uniswap_v3, uniswap_v4
from bot.devnet.state import devnet_node, ensure_state, state_key
from bot.errors import UserError
from bot.jsonrpc import RpcError
from bot.paths import repo_root

MAINNET_V2_PAIR = "96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f"
MAINNET_V3_POOL = "e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54"
FOREVER = 2**256 - 1
RECORDED = sorted((repo_root().parent / "shared" / "data" / "mainnet").glob("*.json.gz"))


@dataclass(frozen=True)
class Devnet:
    site: Site
    deployment: Deployment
    state: Path
    data_dir: Path

    async def read(self, to: str, signature: str, *args: int | str | bytes) -> bytes:
        return await self.site.call(to, call(signature, *args))

    async def balance(self, token: str, holder: str) -> int:
        return uint(await self.read(token, "balanceOf(address)", holder))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Deployment]:
    data_dir = tmp_path_factory.mktemp("data")
    state, deployment = asyncio.run(ensure_state(data_dir))
    return data_dir, state, deployment


@pytest.fixture
async def devnet(built: tuple[Path, Path, Deployment]) -> AsyncIterator[Devnet]:
    data_dir, state, deployment = built
    async with devnet_node(state, deployment) as node:
        await node.rpc.call("anvil_autoImpersonateAccount", True)
        site = Site(node.rpc, account(7).address.lower(), deployment.head_timestamp)
        yield Devnet(site, deployment, state, data_dir)


def create2(factory: str, salt: bytes, initcode_hash: str) -> str:
    return to_hex(keccak(b"\xff" + to_bytes(factory) + salt + bytes.fromhex(initcode_hash))[12:])


def test_init_code_is_mainnets() -> None:
    assert keccak(uniswap_v2.PAIR_ARTIFACT.initcode()).hex() == MAINNET_V2_PAIR
    assert keccak(uniswap_v3.POOL_ARTIFACT.initcode()).hex() == MAINNET_V3_POOL


async def test_head_is_restored(devnet: Devnet) -> None:
    head = await devnet.site.rpc.call("eth_getBlockByNumber", "latest", False)
    assert int(head["number"], 16) == devnet.deployment.head_number
    assert int(head["timestamp"], 16) == devnet.deployment.head_timestamp
    assert int(head["gasLimit"], 16) == 30_000_000
    assert int(await devnet.site.rpc.call("eth_chainId"), 16) == devnet.deployment.chain_id == 31337


async def test_pools_stand_at_their_create2_addresses_and_hold_liquidity(devnet: Devnet) -> None:
    made = devnet.deployment
    assert len(made.pools) >= 40 and len({pool.address for pool in made.pools}) == len(made.pools)
    assert {pool.factory for pool in made.pools} == {*made.v2_factories, made.v3_factory}
    for pool in made.pools:
        packed = to_bytes(pool.token0) + to_bytes(pool.token1)
        if pool.kind == "v2":
            at = create2(pool.factory, keccak(packed), MAINNET_V2_PAIR)
            asked = await devnet.read(pool.factory, "getPair(address,address)", pool.token0, pool.token1)
            reserves = await devnet.read(pool.address, "getReserves()")
            assert uint(reserves, 0) > 0 and uint(reserves, 1) > 0
        else:
            salt = keccak(encode(pool.token0) + encode(pool.token1) + encode(pool.fee))
            at = create2(pool.factory, salt, MAINNET_V3_POOL)
            signature = "getPool(address,address,uint24)"
            asked = await devnet.read(pool.factory, signature, pool.token0, pool.token1, pool.fee)
            assert uint(await devnet.read(pool.address, "liquidity()")) > 0
            assert uint(await devnet.read(pool.address, "fee()")) == pool.fee
        assert pool.address == at == address(asked)
        assert address(await devnet.read(pool.address, "token0()")) == pool.token0
        assert address(await devnet.read(pool.address, "token1()")) == pool.token1


async def test_nothing_is_to_be_earned_at_rest(devnet: Devnet) -> None:
    """Each pool is off the price list by less than half its fee, and no cycle of any length pays its fees."""
    worth = {token.address: token.price_usd / 10**token.decimals for token in devnet.deployment.tokens}
    best = {(a, b): 0.0 for a in worth for b in worth}
    for pool in devnet.deployment.pools:
        if pool.kind == "v2":
            reserves = await devnet.read(pool.address, "getReserves()")
            price = uint(reserves, 1) / uint(reserves, 0)
        else:
            price = (uint(await devnet.read(pool.address, "slot0()")) / 2**96) ** 2
        fair = worth[pool.token0] / worth[pool.token1]
        assert abs(price / fair - 1) < pool.fee / 2 / 10**6, pool
        keep = 1 - pool.fee / 10**6
        for way, rate in (
            ((pool.token0, pool.token1), price * keep / fair),
            ((pool.token1, pool.token0), keep * fair / price),
        ):
            best[way] = max(best[way], rate)
    for middle in worth:  # Floyd and Warshall, with products for sums
        for a in worth:
            for b in worth:
                best[a, b] = max(best[a, b], best[a, middle] * best[middle, b])
    assert all(best[token, token] < 1 for token in worth)


async def test_tokens_say_what_the_deployment_says(devnet: Devnet) -> None:
    decimals = {token.decimals for token in devnet.deployment.tokens}
    assert len(devnet.deployment.tokens) >= 8 and {6, 8, 18} <= decimals
    for token in devnet.deployment.tokens:
        assert uint(await devnet.read(token.address, "decimals()")) == token.decimals
        text = await devnet.read(token.address, "symbol()")
        assert text[64 : 64 + uint(text, 1)].decode() == token.symbol
    usdt = devnet.deployment.token("USDT").address
    sent = call("transfer(address,uint256)", devnet.deployment.traders[0], 1)
    assert await devnet.site.call(usdt, sent) == b""


async def test_only_the_deployer_mints(devnet: Devnet) -> None:
    usdc = devnet.deployment.token("USDC").address
    mint = call("mint(address,uint256)", trader(0).address, 1)
    with pytest.raises(RpcError):
        await devnet.site.call(usdc, mint, sender=devnet.deployment.traders[0])


async def test_every_trader_can_swap_through_every_router(devnet: Devnet) -> None:
    made, site = devnet.deployment, devnet.site
    usdc, weth = made.token("USDC").address, made.weth
    amount = 50_000 * 10**6
    assert len(made.traders) >= 10
    before = [await devnet.balance(weth, at) for at in made.traders]
    for at in made.traders:
        for router in made.v2_routers:
            swap = call(
                "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)",
                *(amount, 1, 5 * 32, at, FOREVER),
            )
            site.send(router, swap + encode(2) + encode(usdc) + encode(weth), sender=at)
        signature = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
        site.send(made.v3_router, call(signature, usdc, weth, 500, at, FOREVER, amount, 1, 0), sender=at)
    await site.settle()
    for at, had in zip(made.traders, before, strict=True):
        assert await devnet.balance(weth, at) > had


async def test_a_large_v3_swap_crosses_ticks(devnet: Devnet) -> None:
    made, at = devnet.deployment, devnet.deployment.traders[0]
    usdt, weth = made.token("USDT").address, made.weth
    pool = next(p for p in made.pools if {p.token0, p.token1} == {usdt, weth} and p.fee == 500)
    before = uint(await devnet.read(pool.address, "liquidity()"))
    signature = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
    data = call(signature, usdt, weth, 500, at, FOREVER, 1_000_000 * 10**6, 1, 0)
    devnet.site.send(made.v3_router, data, sender=at)
    await devnet.site.settle()
    assert uint(await devnet.read(pool.address, "liquidity()")) != before


@pytest.mark.skipif(not RECORDED, reason="no recorded mainnet blocks in ../shared/data/mainnet")
async def test_code_is_mainnets_byte_for_byte(devnet: Devnet) -> None:
    """Against the code in recorded blocks. Not WETH9: no package has the build of 2017."""
    mainnet: dict[str, bytes] = {}
    for file in RECORDED:
        cassette = json.loads(gzip.decompress(file.read_bytes()))
        for at, recorded in cassette["accounts"].items():
            if recorded.get("codeHash") in cassette["codes"]:
                mainnet[at.lower()] = to_bytes(cassette["codes"][recorded["codeHash"]])
    uniswap = uniswap_v2.UNISWAP
    for at in (uniswap.factory, uniswap.router, uniswap_v3.ROUTER, uniswap_v3.POSITIONS, uniswap_v4.MANAGER):
        assert to_bytes(await devnet.site.rpc.call("eth_getCode", at, "latest")) == mainnet[at], at
    ours = to_bytes(await devnet.site.rpc.call("eth_getCode", morpho.MORPHO, "latest"))
    theirs = mainnet[morpho.MORPHO].replace(morpho_domain(1), morpho_domain(devnet.deployment.chain_id))
    metadata = 53  # the compiler's note at the end, with a hash over file names too
    assert ours[:-metadata] == theirs[:-metadata]


def morpho_domain(chain_id: int) -> bytes:
    """ConstantsLib.DOMAIN_TYPEHASH, the chain, the contract."""
    kind = keccak(text="EIP712Domain(uint256 chainId,address verifyingContract)")
    return keccak(kind + encode(chain_id) + encode(morpho.MORPHO))


async def test_protocols_find_their_parts_where_mainnet_has_them(devnet: Devnet) -> None:
    """What a protocol made itself landed at mainnet's address too: the code is placed with a contract's nonce."""
    collector = await devnet.read(balancer.VAULT, "getProtocolFeesCollector()")
    assert address(collector) == "0xce88686553686da562ce7cea497ce749da109f9f"
    assert address(await devnet.read(aave.PROVIDER, "getPool()")) == aave.POOL
    assert address(await devnet.read(aave.PROVIDER, "getPoolConfigurator()")) == aave.CONFIGURATOR
    assert address(await devnet.read(aave.POOL, "ADDRESSES_PROVIDER()")) == aave.PROVIDER
    for router in devnet.deployment.v2_routers:
        assert address(await devnet.read(router, "WETH()")) == devnet.deployment.weth
    for token in devnet.deployment.tokens:
        if token.symbol in aave.RESERVES:
            price = uint(await devnet.read(aave.ORACLE, "getAssetPrice(address)", token.address))
            assert price == round(token.price_usd * aave.USD_UNIT)


async def test_every_lender_lends_every_token_it_names(devnet: Devnet) -> None:
    made, site = devnet.deployment, devnet.site
    settings = {"optimizer": {"enabled": True, "runs": 200}, "evmVersion": "cancun"}
    compiled = Source("tests/fork", ("LoanProbe.sol",), "0.8.37", settings).initcodes()
    (probe,) = await site.create(compiled["LoanProbe"])
    lenders = {
        "aave": made.aave_pool,
        "balancer": made.balancer_vault,
        "morpho": made.morpho,
        "v4": made.v4_manager,
    }
    assert lenders.keys() == made.lendable.keys()
    amount_usd = 1_000_000
    for name, lender in lenders.items():
        tokens = [token for token in made.tokens if token.address in made.lendable[name]]
        assert {"WETH", "USDC", "DAI"} <= {token.symbol for token in tokens}
        for token in tokens:
            if token.symbol == "USDT":  # the probe reads a returned bool, which USDT does not have
                continue
            amount = int(amount_usd / token.price_usd) * 10**token.decimals
            had = amount // 1000 + await devnet.balance(token.address, probe)
            site.send(token.address, call("transfer(address,uint256)", probe, amount // 1000))
            site.send(probe, call(f"{name}(address,address,uint256)", lender, token.address, amount))
            await site.settle()
            assert uint(await devnet.read(probe, "held()")) == had + amount
            fee = had - await devnet.balance(token.address, probe)
            assert fee == (amount * 5 // 10_000 if name == "aave" else 0)


async def test_the_second_start_loads_the_cache(devnet: Devnet) -> None:
    written = devnet.state.stat().st_mtime_ns
    start = time.monotonic()
    state, deployment = await ensure_state(devnet.data_dir)
    assert time.monotonic() - start < 2
    assert (state, deployment) == (devnet.state, devnet.deployment)
    assert state.stat().st_mtime_ns == written
    assert state_key() in str(state)


@pytest.mark.parametrize("damage", ["state.json", "deployment.json", "seal"])
async def test_a_damaged_cache_is_rebuilt_the_same(devnet: Devnet, tmp_path: Path, damage: str) -> None:
    home = tmp_path / "cache" / devnet.state.parent.name
    home.mkdir(parents=True)
    for name in ("state.json", "deployment.json", "seal"):
        raw = (devnet.state.parent / name).read_bytes()
        (home / name).write_bytes(raw[: len(raw) // 2] if name == damage else raw)
    again, rebuilt = await ensure_state(tmp_path)
    assert rebuilt == devnet.deployment and again == home / "state.json"
    async with devnet_node(again, rebuilt) as node:
        heads = [await rpc.call("eth_getBlockByNumber", "latest", False) for rpc in (node.rpc, devnet.site.rpc)]
    assert heads[0] == heads[1]


async def test_two_at_once_agree_and_one_builds(tmp_path: Path) -> None:
    (tmp_path / "cache" / "devnet-part").mkdir(parents=True)  # what a killed build leaves
    first, second = await asyncio.gather(ensure_state(tmp_path), ensure_state(tmp_path))
    assert first == second
    assert {path.name for path in first[0].parent.parent.iterdir()} == {first[0].parent.name, "devnet.lock"}


def test_traders_are_derived_from_the_public_mnemonic(built: tuple[Path, Path, Deployment]) -> None:
    _, _, deployment = built
    assert tuple(trader(i).address.lower() for i in range(len(deployment.traders))) == deployment.traders
    assert account(0).address == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    assert deployment.head_timestamp % BLOCK_SECONDS == 0


async def test_a_failed_transaction_says_why(devnet: Devnet) -> None:
    usdc, nobody = devnet.deployment.token("USDC").address, "0x" + "ab" * 20
    devnet.site.send(usdc, call("transfer(address,uint256)", nobody, 1), sender=nobody)
    await devnet.site.rpc.call("anvil_setBalance", nobody, hex(10**18))
    with pytest.raises(PlacingFailed, match=f"a9059cbb at {usdc} by {nobody} failed: 0xe450d38c"):
        await devnet.site.settle()  # ERC20InsufficientBalance


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UserError, match=r"node_modules/@nobody/x\.json is missing: run `make setup`"):
        Artifact("@nobody/x.json").initcode()
    pool = Artifact("@aave/core-v3/artifacts/contracts/protocol/pool/Pool.sol/Pool.json")
    with pytest.raises(ValueError, match="Pool needs the library"):
        pool.initcode({"SupplyLogic": "0x" + "11" * 20})
