"""``mev hints``: what MEV-Share tells of private transactions, as it comes or from its archive."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.markup import escape

from bot import abi
from bot.amm import v3, v4
from bot.amm.balancer import vault
from bot.chain.mev_share import MevShareCollector
from bot.chain.mev_share_history import PastHint, history
from bot.engine.clock import SystemClock
from bot.engine.types import Hint, Log, SwapIntent
from bot.errors import UserError
from bot.jsonrpc import RpcUnreachable, shown

app = typer.Typer()

MOST = 1000  # hints of the archive, where no number is named
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds before a stream is opened again
KEPT_BACK = " (amounts kept back)"
SHORT = 10  # characters of an address that is shown to people

KINDS = {
    abi.topic("Swap(address,uint256,uint256,uint256,uint256,address)"): "v2",
    abi.topic("Swap(address,address,uint256,uint256,uint256,uint256)"): "v2",  # Velodrome's
    abi.topic("Sync(uint112,uint112)"): "v2 sync",
    v3.SWAP: "v3",
    v3.SWAP_PANCAKE: "v3",
    v4.SWAP: "v4",
    vault.SWAP: "balancer",
    abi.topic("TokenExchange(address,int128,uint256,int128,uint256)"): "curve",
    abi.topic("TokenExchangeUnderlying(address,int128,uint256,int128,uint256)"): "curve",
    abi.topic("TokenExchange(address,uint256,uint256,uint256,uint256)"): "curve",
    abi.topic("TokenExchange(address,uint256,uint256,uint256,uint256,uint256,uint256)"): "curve",
}


@app.command(
    name="hints",
    epilog="Example: mev hints --history https://mev-share.flashbots.net --first 20000000 --last 20000010 --json",
)
def hints(
    stream: Annotated[str | None, typer.Option(help="The stream: its URL. Goes on until Ctrl-C.")] = None,
    archive: Annotated[str | None, typer.Option("--history", help="The archive: its URL.")] = None,
    first: Annotated[int | None, typer.Option(min=0, help="Of the archive: from this block.")] = None,
    last: Annotated[int | None, typer.Option(min=0, help="Of the archive: to this block.")] = None,
    most: Annotated[
        int | None, typer.Option(min=1, help=f"End after so many hints (of an archive, {MOST} if none is named).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout, one line a hint.")] = False,
) -> None:
    """Prints each hint in one line: the pools whose logs it shows, with their kind and whether the amounts are there,
    and the swaps that shown calldata asks for. Nothing is sent, and no node is needed."""
    if (stream is None) == (archive is None):
        raise UserError("say where the hints come from: --stream URL or --history URL, one of them")
    if stream is not None and (first is not None or last is not None):
        raise UserError("--first and --last are for --history: a stream tells what comes now")
    if first is not None and last is not None and first > last:
        raise UserError(f"--first {first} is behind --last {last}")
    _check(stream or archive or "")
    told = _streamed(stream, most) if stream else _archived(archive or "", first, last, most or MOST)
    asyncio.run(_print(told, as_json))


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise UserError(f"{shown(url)!r} is no URL of MEV-Share: it begins with http:// or https://")


async def _archived(url: str, first: int | None, last: int | None, most: int) -> AsyncGenerator[PastHint, None]:
    count = 0
    async with aclosing(history(url, first=first, last=last)) as past:
        async for one in past:
            yield one
            count += 1
            if count == most:
                return


async def _streamed(url: str, most: int | None) -> AsyncGenerator[PastHint, None]:
    """Opens a stream that was cut off again, but not one that was never there. Raises RpcUnreachable."""
    clock = SystemClock()
    collector = MevShareCollector(url, clock)
    pause = FIRST_PAUSE
    while True:
        try:
            async with aclosing(collector.events()) as events:
                async for event in events:
                    pause = FIRST_PAUSE
                    yield PastHint(0, event.seen_ns // 10**9, event)
                    if collector.counts.hints == most:
                        return
        except RpcUnreachable as error:
            if not collector.counts.connections:
                raise
            print(f"mev hints: {error}; again in {pause:g} s", file=sys.stderr)
        await clock.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


# --- output -----------------------------------------------------------------------------------------------------------


async def _print(told: AsyncGenerator[PastHint, None], as_json: bool) -> None:
    console = Console(soft_wrap=True, highlight=False)
    async with aclosing(told) as past:
        async for one in past:
            if as_json:
                print(json.dumps(_json(one)), flush=True)
            else:
                console.print(_line(one))


def _pools(hint: Hint) -> list[tuple[str, str, bool]]:
    """Kind, pool and whether its log is whole, each once, of logs of swaps."""
    told: dict[tuple[str, str], bool] = {}
    for log in hint.logs:
        kind = KINDS.get(log.topics[0])
        if kind is not None:
            key = kind, _pool(log)
            told[key] = told.get(key, True) and bool(log.data)
    return [(kind, pool, whole) for (kind, pool), whole in told.items()]


def _pool(log: Log) -> str:
    """v4's and Balancer's are named by the second topic."""
    return log.topics[1] if log.topics[0] in (v4.SWAP, vault.SWAP) and len(log.topics) > 1 else log.address


def _json(one: PastHint) -> dict[str, Any]:
    hint = one.hint
    return {
        "block": one.block or None,
        "timestamp": one.timestamp,
        "hash": hint.hash,
        "pools": [{"kind": kind, "pool": pool, "whole": whole} for kind, pool, whole in _pools(hint)],
        "logs": len(hint.logs),
        "swaps": [
            {
                "protocol": swap.protocol,
                "target": swap.target,
                "tokens": list(swap.tokens),
                "pools": [list(terms) for terms in swap.pools],
                "exact_in": swap.exact_in,
                "amount": swap.amount,
                "limit": swap.limit,
            }
            for swap in hint.swaps
        ],
    }


def _line(one: PastHint) -> str:
    """A sender's words are no markup."""
    place = f"block {one.block}" if one.block else f"{one.timestamp}"
    pools = [f"{kind}:{pool[:SHORT]}{'' if whole else KEPT_BACK}" for kind, pool, whole in _pools(one.hint)]
    swaps = [_asked(swap) for swap in one.hint.swaps]
    parts = [", ".join(pools), "asks " + ", ".join(swaps) if swaps else ""]
    told = "; ".join(part for part in parts if part) or f"nothing about swaps ({len(one.hint.logs)} logs)"
    return escape(f"{place} {one.hint.hash} {told}")


def _asked(swap: SwapIntent) -> str:
    way = "→".join(token[:SHORT] for token in swap.tokens) or f"in pool {swap.target[:SHORT]}"
    amount = "" if swap.amount is None else f" {swap.amount} wei {'in' if swap.exact_in else 'out'}"
    return f"{swap.protocol} {way}{amount}"
