"""A process of the pool (bot.simulation.workers): one EVM that follows the head, and runs what it is sent.

Messages are worked on in order, so a job runs on the head that was told before it.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence

from bot.simulation.jobs import Done, Follow, Fork, Job, frame, messages
from bot.simulation.revm import ForkEvm
from bot.simulation.types import UnrecordedState

URL = "MEV_WORKER_URL"
READ_AHEAD = 13  # slots from 0 on: all that a v2 pair has but mappings, and a v3 pool's prices and fees


class Worker:
    """What a message does to the EVM."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._evm: ForkEvm | None = None
        self._head = ""

    def handle(self, message: Fork | Follow | Job) -> Done | None:
        match message:
            case Fork():
                self._fork(message)
            case Follow():
                assert self._evm is not None, "the first message is a Fork"
                self._evm.apply(message.diff)
                self._head = message.head
            case Job():
                return self._run(message)
        return None

    def _fork(self, fork: Fork) -> None:
        self._evm = ForkEvm(
            self._url,
            fork.block_number,
            chain_id=fork.chain_id,
            gas_limit=fork.gas_limit,
            hardfork=fork.hardfork,
        )
        self._head = ""  # until all of it is there
        try:
            self._evm.apply(fork.diff)
            self._head = fork.head
            for address in fork.warm:
                self._evm.prefetch([address])
                for slot in range(READ_AHEAD):
                    self._evm.storage(address, slot)
        except UnrecordedState as error:
            print(f"not read ahead: {error}", flush=True)  # into the log of the process

    def _run(self, job: Job) -> Done:
        if self._evm is None or job.head != self._head:
            return Done(job.number, stale=True)
        try:
            return Done(job.number, tuple(self._evm.run(job.calls, job.block, doubtful=True)))
        except UnrecordedState as error:
            return Done(job.number, unrecorded=str(error) or "unknown state")


def _serve(connection: socket.socket, worker: Worker) -> None:
    buffer = bytearray()
    while data := connection.recv(1 << 16):
        buffer += data
        for message in messages(buffer):
            answer = worker.handle(message)
            if answer is not None:
                connection.sendall(frame(answer))


def main(arguments: Sequence[str]) -> None:
    path, number = arguments
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(frame(int(number)))
        _serve(connection, Worker(os.environ[URL]))


if __name__ == "__main__":
    main(sys.argv[1:])
