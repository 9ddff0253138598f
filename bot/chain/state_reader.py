"""Batched reads of one block's state. Where the server has no answer there is an RpcError in its place: not known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from bot import abi
from bot.engine.types import Header
from bot.jsonrpc import JsonRpc, RpcError

Block = int | str
"""A block's number, or a tag. Only a number gives one state throughout."""


class StateReader:
    """Answers come in the order of the questions. Every method raises RpcUnreachable.

    ``following`` is the number and time of the block that contracts are asked in, on the state of ``block``: rates that
    grow by the second are those that a trade there meets. A node that knows no such calls is asked as of ``block``.
    """

    def __init__(self, rpc: JsonRpc, block: Block, following: tuple[int, int] | None = None) -> None:
        self._rpc = rpc
        self._block: Any = hex(block) if isinstance(block, int) else block
        self._terms: list[Any] = []
        if following is not None:
            number, timestamp = following
            self._terms = [{}, {"number": hex(number), "time": hex(timestamp)}]

    @classmethod
    def before_next(cls, rpc: JsonRpc, head: Header, block_time: int) -> Self:
        """The head's state, with contracts asked in the block behind it, ``block_time`` seconds later. The head is
        named by hash (EIP-1898): another node, or this one after a reorganisation, may have another at its height."""
        reader = cls(rpc, head.number, (head.number + 1, head.timestamp + block_time))
        reader._block = {"blockHash": head.hash}
        return reader

    async def calls(self, calls: Iterable[tuple[str, bytes]]) -> list[bytes | None]:
        """Return data of (to, calldata); None where it reverts, answers less than a word, or is not known."""
        asked = [{"to": to, "data": abi.to_hex(data)} for to, data in calls]
        answers = await self._rpc.batch([("eth_call", [call, self._block, *self._terms]) for call in asked])
        if self._terms and any(isinstance(answer, RpcError) for answer in answers):
            plain = await self._rpc.batch([("eth_call", [call, self._block]) for call in asked])
            pairs = zip(answers, plain, strict=True)
            answers = [second if isinstance(first, RpcError) else first for first, second in pairs]
        found = [abi.to_bytes(answer) if isinstance(answer, str) else b"" for answer in answers]
        return [answer if len(answer) >= abi.WORD else None for answer in found]

    async def slots(self, slots: Iterable[tuple[str, int]]) -> list[int | RpcError]:
        """Values of (address, slot)."""
        batch = [("eth_getStorageAt", [address, f"0x{slot:064x}", self._block]) for address, slot in slots]
        return [answer if isinstance(answer, RpcError) else int(answer, 16) for answer in await self._rpc.batch(batch)]

    async def codes(self, addresses: Iterable[str]) -> list[bytes | RpcError]:
        """Codes of accounts."""
        batch = [("eth_getCode", [address, self._block]) for address in addresses]
        return [
            answer if isinstance(answer, RpcError) else abi.to_bytes(answer) for answer in await self._rpc.batch(batch)
        ]

    async def timestamp(self) -> int | None:
        """The block's time in seconds; None where it is not known."""
        by_hash = isinstance(self._block, dict)
        method, block = ("Hash", self._block["blockHash"]) if by_hash else ("Number", self._block)
        (answer,) = await self._rpc.batch([(f"eth_getBlockBy{method}", [block, False])])
        return int(answer["timestamp"], 16) if isinstance(answer, dict) else None
