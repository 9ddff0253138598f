"""What ``mev simulate`` runs on: a node's head, or a recorded block in the middle."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bot.chain.nodes.node import Endpoints
from bot.chain.nodes.upstream import Upstream
from bot.cli import profile as profiles
from bot.cli.profile import Profile
from bot.cli.replay_executor import rules
from bot.cli.simulate_names import Names
from bot.cli.startup import check_chain
from bot.engine.decode import header
from bot.engine.fees import next_base_fee
from bot.errors import UserError
from bot.execution.program import MAINNET_WETH
from bot.jsonrpc import JsonRpc
from bot.simulation.cassette import Cassette
from bot.simulation.cassette import load as load_cassette
from bot.simulation.cassette_server import CassetteServer
from bot.simulation.hardforks import of_block
from bot.simulation.sandbox import Sandbox, sandbox
from bot.simulation.types import BlockContext

SLOT_SECONDS = 12  # between blocks, where no profile says
LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Place:
    """The one source that was named. ``index`` counts a recorded block's transactions in front."""

    url: str | None = None
    profile: Profile | None = None
    cassette: Cassette | None = None
    index: int = 0

    @classmethod
    def of(cls, url: str | None, profile: Path | None, cassette: Path | None, index: int | None) -> Place:
        """Raises UserError."""
        if sum(one is not None for one in (url, profile, cassette)) != 1:
            raise UserError("say where to simulate, once: --url NODE, --profile FILE (its node), or --cassette FILE")
        if index is not None and cassette is None:
            raise UserError("--index is for a recorded block: name one with --cassette")
        if cassette is not None:
            recorded = load_cassette(cassette)
            count = len(recorded.raw_transactions)
            if not 0 <= (index or 0) <= count:
                raise UserError(
                    f"--index is {index}: block {recorded.number} has {count} transactions, say 0 to {count}"
                )
            return cls(cassette=recorded, index=index or 0)
        if profile is not None:
            loaded = profiles.load(profile)
            return cls(url=loaded.http_url(), profile=loaded)
        parts = urlsplit(url or "")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError("--url is not a node's: it begins with http:// or https://")
        return cls(url=url)


@dataclass(frozen=True, slots=True)
class Ground:
    """Where transactions run: a sandbox, its chain, and what is known there."""

    what: str
    sandbox: Sandbox
    chain_id: int
    hardfork: str
    weth: str
    names: Names


@asynccontextmanager
async def ground(place: Place, fresh: Iterable[str], room: int, *, executor: bool) -> AsyncIterator[Ground]:
    """``fresh`` are accounts that a recorded block may take for new, ``room`` is gas that has to fit into it besides
    its own. ``executor``: ours will run, which needs Cancun's rules. Raises UserError, RpcUnreachable, AnvilFailed."""
    if place.cassette is not None:
        async with _recorded(place.cassette, place.index, fresh, room, executor) as opened:
            yield opened
        return
    assert place.url is not None
    async with JsonRpc(place.url) as node:
        if place.profile is not None:
            await check_chain(node, place.profile)
        chain_id = int(await node.call("eth_chainId"), 16)
        raw = await node.call("eth_getBlockByNumber", "latest", False)
    profile, head = place.profile, header(raw)
    hardfork = of_block(chain_id, raw) if profile is None else profile.hardfork
    if hardfork is None:
        raise UserError("the node's head has no base fee: blocks before London cannot be simulated")
    seconds = SLOT_SECONDS if profile is None else profile.block_time
    block = BlockContext(head.number + 1, head.timestamp + seconds, next_base_fee(head), head.coinbase, head.gas_limit)
    names = Names.of_profiles(chain_id)
    if profile is not None:
        names.add(profile)
    weth = MAINNET_WETH if profile is None else profile.weth
    async with _forked(place.url, block, chain_id, hardfork) as box:
        yield Ground(f"block {block.number}, on the node's head", box, chain_id, hardfork, weth, names)


@asynccontextmanager
async def _forked(url: str, block: BlockContext, chain_id: int, hardfork: str) -> AsyncIterator[Sandbox]:
    """A distant node's URL may carry a key, which the list of processes must not show."""
    parts = urlsplit(url)
    if parts.hostname in LOCAL and parts.username is None and not parts.query and parts.path in ("", "/"):
        async with sandbox(url, block, chain_id=chain_id, hardfork=hardfork) as box:
            yield box
    else:
        with Upstream([Endpoints.at(url)]) as passed:
            async with sandbox(passed, block, chain_id=chain_id, hardfork=hardfork) as box:
                yield box


@asynccontextmanager
async def _recorded(
    cassette: Cassette, index: int, fresh: Iterable[str], room: int, executor: bool
) -> AsyncIterator[Ground]:
    hardfork = rules(cassette) if executor else cassette.hardfork
    what = f"block {cassette.number} after {index} of its {len(cassette.raw_transactions)} transactions"
    # As for an unmodified block: whoever simulates looks himself at accounts whose code was not recorded.
    with CassetteServer(cassette.path, fresh, unmodified=True) as url:
        async with sandbox(url, cassette.context, chain_id=cassette.chain_id, hardfork=hardfork, room=room) as box:
            await box.replay(cassette, index)
            names = Names.of_profiles(cassette.chain_id)
            yield Ground(what, box, cassette.chain_id, hardfork, MAINNET_WETH, names)
