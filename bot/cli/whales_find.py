"""Wallets found by rule, for ``mev whales find``: top holders of a token, and senders of large trades."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec

from bot import abi
from bot.chain.discovery import Progress, logs_in
from bot.chain.nodes.pool import NodePool
from bot.chain.pools import load_from
from bot.chain.state_reader import StateReader
from bot.chain.tokens import describe
from bot.cli.market_source import read_node
from bot.cli.profile import Profile, smallest_units
from bot.cli.startup import check_chain
from bot.engine.decode import LogEntry, TransactionBody, header, mined
from bot.engine.types import Header, MinedTx
from bot.errors import UserError
from bot.jsonrpc import JsonRpc, RpcError
from bot.market.market import Market
from bot.strategies.whale_impact import TRANSFER, moves
from bot.strategies.whales import SizeRule

AT_ONCE = 8  # blocks asked for
ASKED = 2_000  # balances


@dataclass(frozen=True, slots=True)
class Found:
    """``amount`` is wei of the token held; of a trader the largest move in hundredths of a basis point. ``contract``:
    it has code, so it may be a pool, a bridge or an exchange rather than somebody's wallet."""

    address: str
    amount: int
    contract: bool
    why: str


async def holders(profile: Profile, token: str, blocks: int, top: int, progress: Progress) -> list[Found]:
    """Who holds most at the head, of all that the token's Transfer logs of so many blocks name. Raises UserError,
    RpcUnreachable."""
    async with NodePool(profile.endpoints()) as node:
        await check_chain(node, profile)
        last = int(await node.call("eth_blockNumber"), 16)
        try:
            logs = await logs_in(node, [token], [TRANSFER], max(0, last - blocks + 1), last, progress=progress)
        except RpcError as error:
            raise UserError(f"the node refuses the logs of {token}: {error.message}") from None
        named = {"0x" + word[26:] for log in logs if len(log.topics) == 3 for word in log.topics[1:]}
        seen = sorted(named - {"0x" + "00" * 20})
        reader, held = StateReader(node, last), dict[str, int]()
        for start in range(0, len(seen), ASKED):
            progress("balances read", start, len(seen))
            asked = seen[start : start + ASKED]
            answers = await reader.calls((token, abi.call("balanceOf(address)", one)) for one in asked)
            held |= {one: abi.uint(answer) for one, answer in zip(asked, answers, strict=True) if answer is not None}
        progress("balances read", len(seen), len(seen))
        first = sorted((one for one in held if held[one]), key=lambda one: (-held[one], one))[:top]
        (info,) = await describe(node, [token], last)
        codes = await reader.codes(first)
        return [
            Found(one, held[one], bool(code), f"holds {_whole(held[one], info.decimals)} {info.symbol}")
            for one, code in zip(first, codes, strict=True)
        ]


async def trades(
    profile: Profile, blocks: int, top: int, bps: int, worth: str | None, progress: Progress
) -> list[Found]:
    """Whose trades in the last blocks were as large as the rule says: exact, transaction by transaction, from the state
    before the first of the blocks on. Raises UserError, RpcUnreachable."""
    rule = SizeRule(bps, _worth(profile, worth))
    async with NodePool(profile.endpoints()) as node:
        taken = await read_node(profile, node, progress=progress)
        first = max(0, taken.head.number - blocks)
        start = header(await node.call("eth_getBlockByNumber", hex(first), False))
        loaded = await load_from(StateReader.before_next(node, start, profile.block_time), taken.infos, reach=None)
        if not loaded.pools:
            raise UserError(f"the node does not keep the state of block {first}: look at fewer --blocks")
        market = Market(profile.base_tokens, 2, profile.block_time)
        market.add(loaded.pools.values())
        market.anchor(start)
        best: dict[str, tuple[int, str]] = {}
        counts: dict[str, int] = {}
        async for head, transactions in _blocks(node, first + 1, taken.head.number):
            progress("blocks looked at", head.number - first, taken.head.number - first)
            for sender, size, why in _large(market, head, transactions, rule):
                counts[sender] = counts.get(sender, 0) + 1
                best[sender] = max(best.get(sender, (0, "")), (size, why))
            market.follow(head, [log for tx in transactions for log in tx.logs])
        order = sorted(best, key=lambda one: (-best[one][0], one))[:top]
        codes = await StateReader(node, taken.head.number).codes(order)
        return [
            Found(one, best[one][0], bool(code), f"{counts[one]} large trades, one {best[one][1]}")
            for one, code in zip(order, codes, strict=True)
        ]


def _large(
    market: Market, head: Header, transactions: tuple[MinedTx, ...], rule: SizeRule
) -> list[tuple[str, int, str]]:
    """Senders, with the largest move of their transaction in hundredths of a basis point, and words for it."""
    found, view = [], market.view
    for tx in transactions:
        if not tx.logs:
            continue
        after = view.after(tx.logs, None, head.timestamp)
        moved = moves(view, after, tx.logs).impacts
        if moved and rule.fits(moved):
            words = (
                f"moved {moved[0].kind}:{moved[0].pool[:10]} by {float(moved[0].bps):.0f} bps in block {head.number}"
            )
            found.append((tx.sender, int(moved[0].bps * 100), words))
        view = after
    return found


async def _blocks(node: JsonRpc, first: int, last: int) -> AsyncIterator[tuple[Header, tuple[MinedTx, ...]]]:
    for start in range(first, last + 1, AT_ONCE):
        part = range(start, min(start + AT_ONCE, last + 1))
        for block in await asyncio.gather(*(_block(node, number) for number in part)):
            yield block


async def _block(node: JsonRpc, number: int) -> tuple[Header, tuple[MinedTx, ...]]:
    block = await node.call("eth_getBlockByNumber", hex(number), True)
    logs = await node.call_as(tuple[LogEntry, ...], "eth_getLogs", {"blockHash": block["hash"]})
    return header(block), mined(msgspec.convert(block["transactions"], list[TransactionBody]), logs)


def _worth(profile: Profile, text: str | None) -> dict[str, int]:
    """Wei of each base token."""
    if text is None:
        return {}
    units = profile.units()
    try:
        return {token: smallest_units("--worth", text, units[token][1]) for token in profile.base_tokens}
    except ValueError as error:
        raise UserError(str(error)) from None


def _whole(wei: int, decimals: int | None) -> str:
    return f"{wei} wei of" if decimals is None else f"{wei / 10**decimals:,.6g}"
