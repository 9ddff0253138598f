"""Where a market comes from: a node by its profile, a snapshot file, or a recorded block. For the commands that ask a
market something."""

from __future__ import annotations

import asyncio
import difflib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.chain import snapshot
from bot.chain.discovery import Progress, from_events, from_tokens, silent, wrappers
from bot.chain.nodes.pool import NodePool
from bot.chain.pool_reader import LoadResult
from bot.chain.pools import REACH, load_from
from bot.chain.snapshot import Snapshot
from bot.chain.state_reader import StateReader
from bot.chain.tokens import TokenInfo, check, describe
from bot.cli import profile as profiles
from bot.cli.profile import Profile
from bot.cli.replay_block import recorded_pools
from bot.cli.startup import check_chain
from bot.engine.decode import header
from bot.engine.fees import next_base_fee
from bot.errors import UserError
from bot.execution.program import MAINNET_WETH
from bot.jsonrpc import JsonRpc
from bot.market.market import Market
from bot.paths import repo_root
from bot.simulation.cassette import Cassette
from bot.simulation.cassette import load as load_cassette
from bot.simulation.proof import before, prove
from bot.simulation.types import BlockContext

SOURCES = "a profile (*.toml: its node), a snapshot file, or a recorded block (*.json.gz)"
AT_ONCE = 500  # pools read
SHORT = 10  # characters of an address that is shown instead of a symbol


@dataclass(frozen=True, slots=True)
class Source:
    """A market that stands still. ``what`` it is, in words; ``block`` is the last whose state it holds, ``base_fee``
    wei per gas of what comes next, ``left_out`` are the pools that are not known, and
    why."""

    what: str
    market: Market
    block: int
    base_fee: int
    weth: str
    tokens: dict[str, TokenInfo]
    left_out: Mapping[str, str]

    def symbol(self, token: str) -> str:
        """Or the beginning of its address."""
        known = self.tokens.get(token)
        return token[:SHORT] if known is None or known.symbol == token else known.symbol

    def amount(self, token: str, wei: int) -> str:
        """In whole tokens where the decimals are known, else in the smallest units."""
        known = self.tokens.get(token)
        if known is None or known.decimals is None:
            return f"{wei} wei"
        return f"{wei / 10**known.decimals:.9g}"

    def find(self, word: str) -> str:
        """A token by its address or symbol. Raises UserError: there is none, or several are called that."""
        inside = self.market.graph.tokens
        if word.lower() in inside:
            return word.lower()
        named = [token for token in inside if self.symbol(token) == word]
        named = named or [token for token in inside if self.symbol(token).lower() == word.lower()]
        if len(named) == 1:
            return named[0]
        if named:
            raise UserError(f"{len(named)} tokens are called {word!r}: name one by its address: {', '.join(named)}")
        near = difflib.get_close_matches(word, {self.symbol(token) for token in inside}, n=1)
        raise UserError(f"{self.what} has no token {word!r}" + (f": did you mean {near[0]}?" if near else ""))


def open_source(path: Path, max_hops: int = 3, index: int | None = None) -> Source:
    """``index`` is the number of a recorded block's transactions after which the market is looked at (None: before the
    first). Raises UserError, RpcUnreachable, AnvilFailed."""
    if path.suffix == ".toml":
        _no_index(index, path)
        return asyncio.run(_from_node(profiles.load(path), max_hops))
    if not path.is_file():
        raise UserError(f"there is no file {path}: name {SOURCES}")
    if snapshot.is_snapshot(path):
        _no_index(index, path)
        return _from_snapshot(snapshot.load(path), str(path), max_hops)
    return asyncio.run(_from_cassette(load_cassette(path), max_hops, index or 0))


async def read_node(
    profile: Profile,
    node: JsonRpc,
    *,
    from_block: int | None = None,
    known: Iterable[str] | None = None,
    checked: bool = False,
    reach: int | None = REACH,
    progress: Progress = silent,
) -> Snapshot:
    """The market of a profile's factories at the node's head: by their logs since ``from_block``, or without it the
    pools between ``known`` tokens (the profile's, if none are given). ``checked`` tries the tokens by simulation.
    Raises UserError for another chain's node, RpcUnreachable."""
    await check_chain(node, profile)
    head = header(await node.call("eth_getBlockByNumber", "latest", False))
    number, factories = head.number, profile.factories()
    if from_block is None:
        tokens = list(known) if known is not None else [token.address for token in profile.tokens]
        infos = await from_tokens(node, factories, tokens, number, progress=progress)
    else:
        limit = None if known is None else frozenset(known)
        infos = await from_events(node, factories, from_block, number, tokens=limit, progress=progress)
    infos += await wrappers(node, [profile.weth, *(token for info in infos for token in info.tokens)], number)
    loaded = LoadResult({}, {})
    reader = StateReader.before_next(node, head, profile.block_time)
    for start in range(0, len(infos), AT_ONCE):
        progress("pools read", start, len(infos))
        part = await load_from(reader, infos[start : start + AT_ONCE], reach=reach)
        loaded.pools |= part.pools
        loaded.unknown |= part.unknown
    progress("pools read", len(infos), len(infos))
    if not loaded.pools:
        raise UserError(f"no pool found by profile {profile.name}: check its factories and tokens against the node")
    seen = dict.fromkeys(token for pool in loaded.pools.values() for token in pool.tokens)
    told = await describe(node, seen, number)
    if checked:
        block = BlockContext(
            number + 1, head.timestamp + profile.block_time, next_base_fee(head), head.coinbase, head.gas_limit
        )

        def count(done: int, all_: int) -> None:
            progress("tokens tried", done, all_)

        told = await check(node, told, loaded.pools.values(), profile.base_tokens, block, hex(number), count)
    pools = tuple(loaded.pools.values())
    settings = profile.chain_id, head, profile.weth, profile.base_tokens, reach
    return Snapshot(*settings, tuple(infos), pools, tuple(told), loaded.unknown, profile.block_time)


def on_stderr() -> Progress:
    """Tells a person at a terminal how far things are, and nobody else."""
    shown = sys.stderr.isatty()

    def tell(what: str, done: int, all_: int) -> None:
        if shown:
            end = "\n" if done == all_ else ""
            print(f"\r\x1b[K{what}: {done:,} of {all_:,}", end=end, file=sys.stderr, flush=True)

    return tell


# --- the three kinds --------------------------------------------------------------------------------------------------


async def _from_node(profile: Profile, max_hops: int) -> Source:
    async with NodePool(profile.endpoints()) as node:
        taken = await read_node(profile, node, progress=on_stderr())
    return _from_snapshot(taken, f"{profile.name}'s node", max_hops)


def _from_snapshot(taken: Snapshot, name: str, max_hops: int) -> Source:
    tokens = {token.address: token for token in taken.tokens}
    market, head = taken.market(max_hops), taken.head
    left_out = {**taken.unknown, **market.unknown}
    what, base_fee = f"{name} at block {head.number}", next_base_fee(head)
    return Source(what, market, head.number, base_fee, taken.weth, tokens, left_out)


async def _from_cassette(cassette: Cassette, max_hops: int, index: int) -> Source:
    count = len(cassette.raw_transactions)
    if not 0 <= index <= count:
        raise UserError(f"--index is {index}: block {cassette.number} has {count} transactions, say 0 to {count}")
    proof = await prove(cassette)
    if not proof.matches:
        raise UserError(f"{cassette.path}: block {cassette.number} does not come out as recorded: get a fresh copy")
    parent = cassette.number - 1
    async with before(cassette) as state:
        loaded = await recorded_pools(cassette, proof, state)
        seen = dict.fromkeys(token for pool in loaded.pools.values() for token in pool.tokens)
        told = {token.address: token for token in await describe(state.node, seen, parent)}
    market = Market((MAINNET_WETH,), max_hops)
    timestamp = cassette.context.timestamp
    market.add(pool.at(timestamp) for pool in loaded.pools.values())
    for logs, diff in zip(proof.logs[:index], proof.diffs[:index], strict=True):
        market.apply(logs, diff, timestamp)
    where = f"block {cassette.number} after {index} of {count} transactions"
    tokens, left_out = _named(told, cassette.chain_id), {**loaded.unknown, **market.unknown}
    return Source(where, market, parent, cassette.context.base_fee, MAINNET_WETH, tokens, left_out)


def _named(told: dict[str, TokenInfo], chain_id: int) -> dict[str, TokenInfo]:
    """With the names that a profile has for tokens whose own were not recorded."""
    for file in sorted((repo_root() / "forks").glob("*.toml")):
        profile = profiles.load(file)
        if profile.chain_id != chain_id:
            continue
        for token in profile.tokens:
            before = told.get(token.address)
            if before is not None and (before.symbol == before.address or before.decimals is None):
                told[token.address] = TokenInfo(token.address, token.symbol, token.decimals)
    return told


def _no_index(index: int | None, path: Path) -> None:
    if index is not None:
        raise UserError(f"--index is for recorded blocks: {path} is none")
