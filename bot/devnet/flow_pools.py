"""The devnet's pools as traders see them: a price, and how much moves it. Floats: they pick sizes, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.abi import call, to_bytes, to_hex, uint
from bot.devnet.deployment import DevPool
from bot.jsonrpc import JsonRpc, RpcError

Q96 = 2.0**96


@dataclass(frozen=True, slots=True)
class PoolView:
    """``depth0`` and ``depth1`` are reserves in smallest units, virtual ones at the current price for v3: an input
    of a small share f of its side moves the price by 2 f. ``holding0`` and ``holding1`` are what is really there."""

    pool: DevPool
    depth0: float
    depth1: float
    holding0: float
    holding1: float

    def other(self, token: str) -> str:
        """The token that comes out when ``token`` goes in."""
        return self.pool.token1 if token == self.pool.token0 else self.pool.token0

    def depth(self, token: str) -> float:
        return self.depth0 if token == self.pool.token0 else self.depth1

    def holding(self, token: str) -> float:
        return self.holding0 if token == self.pool.token0 else self.holding1


async def read(rpc: JsonRpc, pools: Sequence[DevPool]) -> list[PoolView]:
    """All pools at the head, in order; one that is empty is left out. Raises RpcError."""
    answers = iter(await rpc.batch([request for pool in pools for request in _questions(pool)]))
    views = []
    for pool in pools:
        words = [_words(next(answers)) for _ in _questions(pool)]
        if pool.kind == "v2":
            depth0, depth1 = holding0, holding1 = float(uint(words[0], 0)), float(uint(words[0], 1))
        else:
            root, liquidity = uint(words[0]) / Q96, float(uint(words[1]))
            depth0, depth1 = liquidity / root, liquidity * root
            holding0, holding1 = float(uint(words[2])), float(uint(words[3]))
        if depth0 and depth1:
            views.append(PoolView(pool, depth0, depth1, holding0, holding1))
    return views


def _questions(pool: DevPool) -> list[tuple[str, list[Any]]]:
    if pool.kind == "v2":
        asked = [(pool.address, call("getReserves()"))]
    else:
        asked = [(pool.address, call("slot0()")), (pool.address, call("liquidity()"))]
        asked += [(token, call("balanceOf(address)", pool.address)) for token in (pool.token0, pool.token1)]
    return [("eth_call", [{"to": to, "data": to_hex(data)}, "latest"]) for to, data in asked]


def _words(answer: str | RpcError) -> bytes:
    if isinstance(answer, RpcError):
        raise answer
    return to_bytes(answer)
