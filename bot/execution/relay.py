"""A bundle relay's JSON-RPC: eth_sendBundle and its kin, signed with X-Flashbots-Signature."""

from __future__ import annotations

from typing import Any, Self

from bot.abi import to_hex
from bot.engine.types import Bundle
from bot.execution.keys import Signer
from bot.jsonrpc import JsonRpc, RpcError, RpcUnreachable, parse

TIMEOUT = 4.0  # seconds: a third of a slot


class Relay:
    """One relay. ``signer`` identifies us to it and is never an account that holds funds."""

    def __init__(self, name: str, url: str, signer: Signer) -> None:
        self.name = name
        self._rpc = JsonRpc(url, timeout=TIMEOUT)
        self._signer = signer

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._rpc.close()

    async def send_bundle(self, bundle: Bundle, uuid: str) -> str:
        """Hands over a bundle under a replacement uuid; the relay's bundle hash. Raises RpcError where the relay
        refuses it, RpcUnreachable where it does not answer."""
        result = await self._call(
            "eth_sendBundle",
            {
                "txs": [to_hex(raw) for raw in bundle.txs],
                "blockNumber": hex(bundle.block_number),
                "replacementUuid": uuid,
            },
        )
        if not isinstance(result, dict) or "bundleHash" not in result:
            raise RpcUnreachable("eth_sendBundle: the answer names no bundle")
        return str(result["bundleHash"])

    async def cancel_bundle(self, uuid: str) -> None:
        """Takes back what was sent under ``uuid``. Raises RpcError, RpcUnreachable."""
        await self._call("eth_cancelBundle", {"replacementUuid": uuid})

    async def bundle_status(self, bundle_hash: str) -> str:
        """What the relay says became of a bundle; empty where it does not say."""
        try:
            result = await self._call("mevkit_bundleStatus", {"bundleHash": bundle_hash})
        except RpcError:
            return ""
        if not isinstance(result, dict):
            return ""
        return str(result.get("reason") or result.get("status") or "")

    async def _call(self, method: str, params: dict[str, Any]) -> Any:
        body = self._rpc.request(method, [params])
        answer = await self._rpc.post(body, {"X-Flashbots-Signature": self._signer.sign_flashbots(body)})
        return parse(method, answer)
