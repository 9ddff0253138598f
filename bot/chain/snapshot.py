"""The market at one block in one file, from which a bot starts without reading the chain pool by pool.

The file is FORMAT's line, the SHA-256 of what follows, and msgpack of columns (bot.market.columns).
"""

from __future__ import annotations

import gc
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import msgspec

from bot.amm.balancer.stable import StablePool
from bot.amm.balancer.weighted import WeightedPool
from bot.amm.curve.crypto import CryptoPool
from bot.amm.curve.stable import CurveStablePool
from bot.amm.pool import Pool
from bot.amm.solidly import SolidlyPool
from bot.amm.v2 import V2Pool
from bot.amm.v3 import V3Pool
from bot.amm.v4 import V4Pool
from bot.amm.vaults import VaultPool, WethPool
from bot.chain.pool_reader import PoolInfo
from bot.chain.readers.uniswap_v3 import is_private
from bot.chain.tokens import TokenInfo
from bot.engine.types import Header
from bot.errors import UserError
from bot.market.columns import Unpackable, pack, unpack
from bot.market.market import BLOCK_TIME, Market

FORMAT = b"mev-market/1\n"
_ANY_FORMAT = b"mev-market/"

POOLS: tuple[type[Any], ...] = (
    V2Pool,
    V3Pool,
    V4Pool,
    SolidlyPool,
    CurveStablePool,
    CryptoPool,
    WeightedPool,
    StablePool,
    VaultPool,
    WethPool,
)
"""The values that a file can hold; one line adds one."""

_CLASS = {kind.__name__: kind for kind in POOLS}
_AGAIN = "make it anew with mev market snapshot"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A market as of ``head``. ``weth`` is the wrapped native coin, ``bases`` what trades begin and end in, ``reach``
    how far concentrated liquidity was read (pools.load). ``unknown`` are pools that were found and not read, and why.
    """

    chain_id: int
    head: Header
    weth: str
    bases: tuple[str, ...]
    reach: int | None
    infos: tuple[PoolInfo, ...]
    pools: tuple[Pool, ...]
    tokens: tuple[TokenInfo, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)
    block_time: int = BLOCK_TIME

    def market(self, max_hops: int = 3) -> Market:
        """Ready to search and to follow from ``head``; pools of taxed and unsellable tokens are left out."""
        market = Market(self.bases, max_hops, self.block_time)
        bad = {token.address: f"token {token.symbol}: {token.why}" for token in self.tokens if token.bad}
        with _without_gc():
            market.add(self.pools)
            market.anchor(self.head)
        market.remove([info.id for info in self.infos if is_private(info)], "only traders on its list may swap")
        for pool in self.pools if bad else ():
            whys = [bad[token] for token in pool.tokens if token in bad]
            if whys:
                market.remove([pool.id], whys[0])
        return market


def encode(snapshot: Snapshot) -> bytes:
    """The file's bytes: the same for the same snapshot."""
    words: dict[str, int] = {}
    by_class: dict[str, list[Pool]] = {}
    for pool in snapshot.pools:
        by_class.setdefault(type(pool).__name__, []).append(pool)
    if strange := by_class.keys() - _CLASS.keys():
        raise TypeError(f"no snapshot holds {', '.join(sorted(strange))}: see POOLS")
    body = {
        "chain": [snapshot.chain_id, snapshot.block_time, snapshot.weth, snapshot.bases, snapshot.reach],
        "unknown": dict(snapshot.unknown),
        "head": pack(Header, [snapshot.head], words),
        "infos": pack(PoolInfo, snapshot.infos, words),
        "tokens": pack(TokenInfo, snapshot.tokens, words),
        "pools": [[name, pack(_CLASS[name], own, words)] for name, own in sorted(by_class.items())],
    }
    raw = msgspec.msgpack.encode([body, list(words)])
    return FORMAT + hashlib.sha256(raw).digest() + raw


def decode(raw: bytes) -> Snapshot:
    """The snapshot again, its pools class by class. Raises ValueError with what is wrong with the bytes."""
    if not raw.startswith(FORMAT):
        if raw.startswith(_ANY_FORMAT):
            other = raw[: len(FORMAT)].split(b"\n")[0].decode("ascii", "replace")
            raise ValueError(f"its format is {other}, this version reads {FORMAT[:-1].decode()}: {_AGAIN}")
        raise ValueError("not a market snapshot")
    start = len(FORMAT) + hashlib.sha256().digest_size
    content = memoryview(raw)[start:]
    if hashlib.sha256(content).digest() != raw[len(FORMAT) : start]:
        raise ValueError(f"the file is cut off or damaged: {_AGAIN}")
    with _without_gc():
        try:
            return _decoded(*msgspec.msgpack.decode(content))
        except (Unpackable, LookupError, TypeError, ValueError) as error:  # whole, but of other fields or other types
            raise ValueError(f"made by another version of mevkit ({error}): {_AGAIN}") from None


def _decoded(body: dict[str, Any], words: Sequence[str]) -> Snapshot:
    chain_id, block_time, weth, bases, reach = body["chain"]
    pools: list[Pool] = []
    for name, packed in body["pools"]:
        if name not in _CLASS:
            raise Unpackable(f"it holds a {name}")
        pools += unpack(_CLASS[name], packed, words)
    (head,) = unpack(Header, body["head"], words)
    infos, tokens = unpack(PoolInfo, body["infos"], words), unpack(TokenInfo, body["tokens"], words)
    settings = chain_id, head, weth, tuple(bases), reach
    return Snapshot(*settings, tuple(infos), tuple(pools), tuple(tokens), body["unknown"], block_time)


def save(snapshot: Snapshot, path: Path) -> int:
    """Writes the file whole or not at all; its size. Raises UserError where it cannot be written."""
    raw = encode(snapshot)
    try:
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as part:
            try:
                part.write(raw)
                part.flush()
                os.fsync(part.fileno())
                os.replace(part.name, path)
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None
    return len(raw)


def load(path: Path) -> Snapshot:
    """Raises UserError: no such file, no snapshot, damaged, or of another version."""
    try:
        return decode(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def is_snapshot(path: Path) -> bool:
    """Whether the file begins as one, of whatever version."""
    try:
        with path.open("rb") as file:
            return file.read(len(_ANY_FORMAT)) == _ANY_FORMAT
    except OSError:
        return False


def differences(stored: Pool, fresh: Pool) -> list[str]:
    """The names of what differs between two readings of a pool; of ticks only what both have read."""
    if type(stored) is not type(fresh):
        return ["class"]
    return list(_different(stored, fresh, ""))


def _different(one: Any, other: Any, name: str) -> Iterator[str]:
    names: Iterable[str] = getattr(one, "__match_args__", ()) if hasattr(one, "__dataclass_fields__") else ()
    if names:
        for inner in names:
            yield from _different(getattr(one, inner), getattr(other, inner), f"{name}.{inner}" if name else inner)
    elif isinstance(one, Mapping):
        if any(one[key] != other[key] for key in one.keys() & other.keys()):
            yield name
    elif one != other:
        yield name


@contextmanager
def _without_gc() -> Iterator[None]:
    """While hundreds of thousands of values are made, none of which is garbage."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
