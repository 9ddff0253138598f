"""Paper mode: trades are proven with an executor that is not there."""

from __future__ import annotations

from bot import abi
from bot.engine.types import AccountDiff, StateDiff
from bot.execution.book import Book, deploy_data
from bot.jsonrpc import JsonRpc

OWNER = "0x000000000000000000000000000000006d65766f"
CONTRACT = "0x000000000000000000000000000000006d65766b"
ETH = 10**21  # wei, for the gas of proofs


async def imagined(node: JsonRpc, weth: str, book: Book = Book.EMPTY) -> StateDiff:
    """State with the code that the creation of an executor with ``book`` by OWNER would leave at CONTRACT. Raises
    UserError before `make setup`, RpcError where there is no WETH, RpcUnreachable."""
    request = {"from": OWNER, "data": abi.to_hex(deploy_data(OWNER, weth, book))}
    code = abi.to_bytes(await node.call("eth_call", request, "latest"))
    return {OWNER: AccountDiff(balance=ETH, nonce=0, code=b""), CONTRACT: AccountDiff(balance=0, nonce=1, code=code)}
