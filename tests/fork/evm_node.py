"""An in-process EVM that answers a StateReader's questions as a node would."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyrevm

from bot import abi
from bot.chain.state_reader import StateReader
from bot.jsonrpc import RpcError

_NOBODY = "0x" + "77" * 20


class EvmReader(StateReader):
    """``hidden`` slots are not recorded."""

    def __init__(self, evm: pyrevm.EVM, time: int, hidden: Iterable[tuple[str, int]] = ()) -> None:
        self._evm, self._time, self._hidden = evm, time, frozenset(hidden)
        super().__init__(self, "latest")  # type: ignore[arg-type]

    async def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        return [self._answer(method, params) for method, params in calls]

    async def timestamp(self) -> int | None:
        return self._time

    def _answer(self, method: str, params: Sequence[Any]) -> Any:
        if method == "eth_call":
            return self._called(params[0]["to"], abi.to_bytes(params[0]["data"]))
        if method == "eth_getCode":
            return abi.to_hex(bytes(self._evm.get_code(params[0]) or b"").rstrip(b"\0"))  # revm pads it
        address, slot = params[0], int(params[1], 16)
        if (address, slot) in self._hidden:
            return RpcError(method, -32000, "not recorded")
        return hex(self._evm.storage(address, slot))

    def _called(self, to: str, data: bytes) -> Any:
        before = self._evm.snapshot()
        try:
            return abi.to_hex(bytes(self._evm.message_call(_NOBODY, to, data)))
        except RuntimeError as error:
            return RpcError("eth_call", 3, str(error))
        finally:
            self._evm.revert(before)
