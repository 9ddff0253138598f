"""Anvil never outlives us, never hangs silently, and tells its log when it fails."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from bot.paths import data_dir
from bot.simulation.anvil import Anvil, AnvilFailed
from bot.simulation.process import reap_orphans

PARENT = """
import asyncio, sys
from bot.simulation import process
from bot.simulation.anvil import Anvil
if sys.argv[1] == "lasting":
    process._die_with = lambda parent: lambda: None  # as on a system without PR_SET_PDEATHSIG
async def main():
    async with Anvil() as node:
        print(node.pid, node.ipc_path, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEV_HOME", str(tmp_path))
    return tmp_path


def start_and_kill_parent(mode: str) -> tuple[int, Path]:
    """Pid and socket of an anvil whose parent was killed with -9."""
    with subprocess.Popen([sys.executable, "-c", PARENT, mode], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, socket = parent.stdout.readline().split()
        parent.kill()
    return int(pid), Path(socket)


def state(pid: int) -> str:
    """One letter, as ps shows it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def comes(condition: Callable[[], bool], within: float = 5.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


def gone(pid: int, within: float = 5.0) -> bool:
    def is_gone() -> bool:
        try:
            return state(pid) == "Z"
        except OSError:
            return True

    return comes(is_gone, within)


async def test_answers_on_all_its_doors_and_leaves_nothing(home: Path) -> None:
    async with Anvil(chain_id=7) as node:
        pid, socket = node.pid, Path(node.ipc_path)
        assert await node.rpc.call("eth_chainId") == "0x7"
        _, writer = await asyncio.open_unix_connection(socket)
        writer.close()
        assert node.ws_url.startswith("ws://127.0.0.1:")
        assert [path.name for path in (home / "run").iterdir()] == [f"{pid}.json"]
        await node.check()
    assert gone(pid)
    assert not socket.parent.exists()
    assert list((home / "run").iterdir()) == []


async def test_wrong_option_is_told_with_the_log() -> None:
    with pytest.raises(AnvilFailed, match="Unknown hardfork: nonsense"):
        await Anvil(hardfork="nonsense").start()


async def test_dead_anvil_is_told() -> None:
    async with Anvil() as node:
        watch = asyncio.create_task(node.watch(every=0.05))
        await asyncio.sleep(0.1)
        assert not watch.done()
        os.kill(node.pid, signal.SIGKILL)
        with pytest.raises(AnvilFailed, match=r"Listening on"):
            await watch
        with pytest.raises(AnvilFailed, match=r"exit status -9(.|\n)*Listening on"):
            await node.rpc.call("eth_chainId")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_hanging_anvil_is_told_and_ended() -> None:
    async with Anvil(timeout=0.5) as node:
        pid = node.pid
        os.kill(pid, signal.SIGSTOP)
        assert comes(lambda: state(pid) == "T")
        with pytest.raises(AnvilFailed, match=r"does not answer(.|\n)*Listening on"):
            await node.check(patience=0.2)
        with pytest.raises(AnvilFailed, match=r"does not answer(.|\n)*Listening on"):
            await node.rpc.call("eth_chainId")
    assert gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal on a parent's death is Linux's")
def test_dies_with_its_parent() -> None:
    pid, socket = start_and_kill_parent("dying")
    assert gone(pid)
    assert reap_orphans() == []  # nothing to kill any more, but its files
    assert not socket.parent.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_next_start_reaps_what_a_killed_parent_left(home: Path) -> None:
    pid, socket = start_and_kill_parent("lasting")
    assert not gone(pid, within=0.3)
    async with Anvil() as node:  # any start reaps
        assert gone(pid)
        assert not socket.parent.exists()
        assert [path.name for path in (home / "run").iterdir()] == [f"{node.pid}.json"]


def test_neither_strangers_nor_children_of_the_living_are_reaped(home: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        run = data_dir() / "run"
        run.mkdir()
        mine = {"pid": stranger.pid, "started": "not then", "parent": 2**22 + 1, "parent_started": "1", "scratch": "/x"}
        (run / "1.json").write_bytes(msgspec.json.encode(mine))  # its pid was given to somebody else
        (run / "2.json").write_bytes(b"{")  # being written
        assert reap_orphans() == []
        assert stranger.poll() is None
        assert [path.name for path in run.iterdir()] == ["2.json"]
        stranger.kill()
