"""The devnet's state: built once from the packages' code, then loaded from a cache that is keyed by content.

``<data dir>/cache/devnet-<key>/`` holds anvil's state file, the deployment, and a seal over both.
"""

from __future__ import annotations

import asyncio
import fcntl
import gzip
import hashlib
import shutil
from pathlib import Path

import msgspec

from bot.devnet import pools, tokens
from bot.devnet.artifacts import Artifact, Source
from bot.devnet.deployment import CHAIN_ID, HARDFORK, Deployment, account, trader
from bot.devnet.place import Site
from bot.devnet.protocols import aave, balancer, morpho, uniswap_v2, uniswap_v3, uniswap_v4
from bot.devnet.tokens import TOKENS, WETH
from bot.paths import data_dir as data_directory
from bot.simulation.anvil import Anvil

GENESIS_TIMESTAMP = 1_735_689_600  # 2025-01-01: fixed, so that every build is the same
GAS_LIMIT = 30_000_000
BASE_FEE = 10**9
BUILD_GAS_LIMIT = 1_000_000_000
ETHER = 10**18
HANGING = 15.0  # seconds without an answer after which the node is killed

DEPLOYER = account(7).address.lower()
DEPLOYER_ETHER = 10**8
TRADERS = 12
TRADER_ETHER = 10_000
TRADER_USD = 20_000_000
"""Dollars of every token for each trader."""
WHALE_USD = 500_000_000
"""Dollars of every token for the deployer, over what it puts into pools; the lenders are filled from it."""

ARTIFACTS: tuple[Artifact, ...] = (
    tokens.WETH_ARTIFACT,
    *uniswap_v2.ARTIFACTS,
    *uniswap_v3.ARTIFACTS,
    *uniswap_v4.ARTIFACTS,
    *balancer.ARTIFACTS,
    *aave.ARTIFACTS,
)
SOURCES: tuple[Source, ...] = (tokens.SOURCE, morpho.SOURCE)
MODULES = ("artifacts.py", "deployment.py", "place.py", "pools.py", "state.py", "tokens.py", "protocols/*.py")

_STATE, _DEPLOYMENT, _SEAL = "state.json", "deployment.json", "seal"


async def ensure_state(data_dir: Path) -> tuple[Path, Deployment]:
    """The state file, for ``devnet_node``, and what stands in it.

    Safe beside other processes that do the same; a damaged cache is built anew. Raises UserError when packages are
    missing, AnvilFailed, and PlacingFailed when the build itself is wrong.
    """
    home = data_dir / "cache" / f"devnet-{state_key()}"
    deployment = _load(home)
    if deployment is None:
        home.parent.mkdir(parents=True, exist_ok=True)
        with (home.parent / "devnet.lock").open("w") as lock:  # closing it, or our death, lets the next one in
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
            deployment = _load(home) or await _renew(home)
    return home / _STATE, deployment


async def _renew(home: Path) -> Deployment:
    """Builds in a folder beside and renames it, so that ``home`` is whole or not there."""
    part = home.parent / "devnet-part"
    for old in (part, home):
        if old.exists():
            shutil.rmtree(old)
    part.mkdir()
    deployment = await _build(part)
    part.rename(home)
    return deployment


def devnet_node(state: Path, deployment: Deployment, *, port: int = 0) -> Anvil:
    """An anvil, not yet started, that goes on from the state and mines on demand.

    Its clock starts at the head's time; whoever mines sets each block's.
    """
    args = ["--timestamp", str(deployment.head_timestamp), "--order", "fifo"]
    return Anvil(
        chain_id=deployment.chain_id,
        hardfork=HARDFORK,
        load_state=state,
        port=port,
        killed_after=HANGING,
        args=args,
    )


def state_key() -> str:
    """Hash over everything that the state is made from: the packages' code, the sources, these modules."""
    here = Path(__file__).parent
    files = [artifact.file for artifact in ARTIFACTS]
    files += [path for source in SOURCES for path in source.paths()]
    files += sorted(path for pattern in MODULES for path in here.glob(pattern))
    digest = hashlib.sha256()
    for file in files:
        try:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        except OSError:
            digest.update(b"missing")  # the build says which, and how to mend it
    return digest.hexdigest()[:16]


async def _build(folder: Path) -> Deployment:
    # Side by side and off the loop, as the compiler takes long the first time; it keeps its answers.
    await asyncio.gather(*(asyncio.to_thread(source.compile) for source in SOURCES))
    args = ["--timestamp", str(GENESIS_TIMESTAMP), "--gas-limit", str(BUILD_GAS_LIMIT), "--order", "fifo"]
    async with Anvil(chain_id=CHAIN_ID, hardfork=HARDFORK, args=args) as node:
        await node.rpc.call("anvil_autoImpersonateAccount", True)
        await node.rpc.call("anvil_setBalance", DEPLOYER, hex(DEPLOYER_ETHER * ETHER))
        site = Site(node.rpc, DEPLOYER, GENESIS_TIMESTAMP)
        deployment = await _construct(site)
        dump = await node.rpc.call("anvil_dumpState")
    (folder / _STATE).write_bytes(gzip.decompress(bytes.fromhex(dump[2:])))
    (folder / _DEPLOYMENT).write_bytes(msgspec.json.format(msgspec.json.encode(deployment)))
    (folder / _SEAL).write_text(_seal(folder))
    return deployment


async def _construct(site: Site) -> Deployment:
    await tokens.place_tokens(site)
    await uniswap_v2.place(site, WETH)
    await uniswap_v3.place(site, WETH)
    await _fund_deployer(site)
    made = await pools.add_pools(site)
    for lender in (balancer, morpho, uniswap_v4, aave):
        await lender.place(site)
    traders = await _fund_traders(site)
    number = await _last_block(site)
    return Deployment(
        chain_id=CHAIN_ID,
        head_number=number,
        head_timestamp=site.timestamp,
        weth=WETH,
        tokens=tuple(spec.token() for spec in TOKENS.values()),
        pools=tuple(made),
        v2_factories=(uniswap_v2.UNISWAP.factory, uniswap_v2.SUSHI.factory),
        v2_routers=(uniswap_v2.UNISWAP.router, uniswap_v2.SUSHI.router),
        v3_factory=uniswap_v3.FACTORY,
        v3_router=uniswap_v3.ROUTER,
        v4_manager=uniswap_v4.MANAGER,
        balancer_vault=balancer.VAULT,
        aave_pool=aave.POOL,
        morpho=morpho.MORPHO,
        traders=traders,
        lendable=_lendable(),
    )


def _lendable() -> dict[str, tuple[str, ...]]:
    symbols = {
        "aave": tuple(aave.RESERVES),
        "balancer": tuple(balancer.WEIGHTS),
        "morpho": tuple(morpho.SUPPLY_USD),
        "v4": tuple(dict.fromkeys(symbol for pool in uniswap_v4.POOLS for symbol in pool[:2])),
    }
    return {lender: tuple(TOKENS[symbol].address for symbol in held) for lender, held in symbols.items()}


async def _fund_deployer(site: Site) -> None:
    needed = pools.totals()
    for symbol, spec in TOKENS.items():
        tokens.give(site, spec, site.deployer, needed[symbol] + spec.worth(WHALE_USD))
        for spender in (uniswap_v2.UNISWAP.router, uniswap_v2.SUSHI.router, uniswap_v3.POSITIONS):
            tokens.approve(site, spec.address, spender)
    await site.settle()


async def _fund_traders(site: Site) -> tuple[str, ...]:
    traders = tuple(trader(index).address.lower() for index in range(TRADERS))
    for at in traders:
        await site.rpc.call("anvil_setBalance", at, hex(TRADER_ETHER * ETHER))
        for spec in TOKENS.values():
            tokens.give(site, spec, at, spec.worth(TRADER_USD))
            for spender in (uniswap_v2.UNISWAP.router, uniswap_v2.SUSHI.router, uniswap_v3.ROUTER):
                tokens.approve(site, spec.address, spender, sender=at)
    await site.settle()
    return traders


async def _last_block(site: Site) -> int:
    """An empty block with mainnet's manners, which the chain goes on from; its number."""
    for method, value in (("evm_setBlockGasLimit", GAS_LIMIT), ("anvil_setNextBlockBaseFeePerGas", BASE_FEE)):
        await site.rpc.call(method, hex(value))
    await site.mine()
    return int(await site.rpc.call("eth_blockNumber"), 16)


def _load(home: Path) -> Deployment | None:
    try:
        if (home / _SEAL).read_text() != _seal(home):
            return None
        return msgspec.json.decode((home / _DEPLOYMENT).read_bytes(), type=Deployment)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None


def _seal(folder: Path) -> str:
    parts = ((folder / name).read_bytes() for name in (_STATE, _DEPLOYMENT))
    return "".join(hashlib.sha256(part).hexdigest() for part in parts)


if __name__ == "__main__":  # `make setup` builds it ahead
    asyncio.run(ensure_state(data_directory()))
