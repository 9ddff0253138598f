"""An anvil of our own: started on a free port, watched, and gone when we are."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bot.jsonrpc import JsonRpc, RpcUnreachable
from bot.paths import foundry
from bot.simulation import watchdog
from bot.simulation.process import Child, wait_for_line

START_SECONDS = 30.0
TAIL_LINES = 15


class AnvilFailed(RpcUnreachable):
    """Anvil died, hangs or did not start. The message ends with the tail of its log."""


class Anvil:
    """``async with Anvil(hardfork="cancun", chain_id=1) as node:`` runs an anvil on loopback for that block.

    ``port`` 0 is a free one, ``genesis`` a geth genesis file, ``load_state`` an anvil state file, ``fork_url`` and
    ``fork_block`` fork another node. ``block_time`` is seconds; without it nothing is mined unless asked, or each
    transaction at once with ``automine``. ``timeout`` is seconds a call may take before anvil counts as hanging;
    after ``killed_after`` seconds without any answer it is killed, which also ends the wait of a pyrevm that reads
    from it. ``args`` are further words for anvil's command line. Raises AnvilFailed, and UserError when there is no
    anvil.
    """

    def __init__(
        self,
        *,
        hardfork: str = "cancun",
        chain_id: int | None = None,
        port: int = 0,
        genesis: Path | None = None,
        load_state: Path | None = None,
        fork_url: str | None = None,
        fork_block: int | None = None,
        block_time: float | None = None,
        automine: bool = False,
        timeout: float = 30.0,
        killed_after: float | None = None,
        args: Sequence[str] = (),
    ) -> None:
        words = ["--host", "127.0.0.1", "--port", str(port), "--hardfork", hardfork]
        options: dict[str, Any] = {
            "--chain-id": chain_id,
            "--init": genesis,
            "--load-state": load_state,
            "--fork-url": fork_url,
            "--fork-block-number": fork_block,
            "--block-time": block_time,
        }
        words += [str(word) for key, value in options.items() if value is not None for word in (key, value)]
        if block_time is None and not automine:
            words.append("--no-mining")
        if fork_url is not None:  # no cache: it is keyed by chain and block, and cassettes share those with mainnet
            words += ["--no-storage-caching", "--no-rate-limit"]
        self._words = [*words, *args]
        self._timeout, self._patience = timeout, killed_after
        self._child: Child | None = None
        self._watchdog: Child | None = None
        self._rpc: JsonRpc | None = None
        self.http_url = ""
        self.ws_url = ""
        self.ipc_path = ""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def rpc(self) -> JsonRpc:
        """The client of this anvil: when anvil died or hangs, its calls raise AnvilFailed."""
        assert self._rpc is not None, "not started"
        return self._rpc

    @property
    def pid(self) -> int:
        assert self._child is not None, "not started"
        return self._child.pid

    async def start(self) -> None:
        """Returns when the node answers. Raises AnvilFailed."""
        binary = foundry("anvil")
        child = Child("anvil", lambda scratch: [str(binary), *self._words, "--ipc", str(scratch / "anvil.ipc")])
        self._child = child
        try:
            # Polled in a thread; the fork itself happened in ours, whose death is what kills anvil.
            listening = await asyncio.to_thread(wait_for_line, child, "Listening on ", START_SECONDS)
            if listening is None:
                raise self._failed("did not start")
            self.http_url, self.ws_url = f"http://{listening}", f"ws://{listening}"
            self.ipc_path = str(child.scratch / "anvil.ipc")
            self._rpc = _Watched(self, self.http_url, self._timeout)
            await self._rpc.call("web3_clientVersion")
            if self._patience is not None:
                words = [sys.executable, "-m", watchdog.__name__, listening, str(child.pid), str(self._patience)]
                self._watchdog = Child("watchdog", lambda _: words)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ends anvil and removes its files. Calling it again does nothing."""
        if self._rpc is not None:
            await self._rpc.close()
        for child in (self._watchdog, self._child):
            if child is not None:
                await asyncio.to_thread(child.stop)

    async def check(self, patience: float = 5.0) -> None:
        """Raises AnvilFailed when it is dead or does not answer within ``patience`` seconds."""
        if self._child is None or self._child.exit_status is not None:
            raise self._failed("is gone")
        try:
            await asyncio.wait_for(self.rpc.call("web3_clientVersion"), patience)
        except TimeoutError:
            raise self._failed(f"does not answer within {patience:g} s") from None

    async def watch(self, every: float = 1.0, patience: float = 5.0) -> None:
        """Checks every ``every`` seconds, for ever: a task for a supervisor. Raises AnvilFailed."""
        while True:
            await self.check(patience)
            await asyncio.sleep(every)

    def log_tail(self) -> str:
        """The last lines of its log."""
        return "\n".join(self._child.log_tail().splitlines()[-TAIL_LINES:]) if self._child else ""

    def _failed(self, what: str) -> AnvilFailed:
        status = self._child.exit_status if self._child else None
        ended = "" if status is None else f" (exit status {status})"
        return AnvilFailed(f"anvil {what}{ended}; the end of its log:\n{self.log_tail() or '(empty)'}")


class _Watched(JsonRpc):
    """Turns a call that got no answer into AnvilFailed, which knows the log."""

    def __init__(self, node: Anvil, url: str, timeout: float) -> None:
        super().__init__(url, timeout=timeout)
        self._node = node

    async def post(self, body: bytes, headers: dict[str, str] | None = None) -> bytes:
        try:
            return await super().post(body, headers)
        except RpcUnreachable:
            raise self._node._failed("does not answer") from None
