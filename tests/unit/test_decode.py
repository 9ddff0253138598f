"""A node's bytes as values: logs, transactions with their signed encoding, and answers that are not what was asked."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from typing import Any

import msgspec
import pytest
from recorded import MAINNET, needs_recordings

from bot.chain.subscription import Frame
from bot.engine.decode import LogEntry, TransactionBody, log, logs, transaction
from bot.engine.types import Log
from bot.jsonrpc import RpcError, RpcUnreachable, parse

ENTRY = {
    "address": "0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc",
    "topics": ["0x01", "0x02"],
    "data": "0x00ff",
    "blockNumber": "0x1",
    "removed": False,
}
DECODED = Log("0xb4e16d0168e52d35cacd2c6185b44281ec28c9dc", ("0x01", "0x02"), b"\x00\xff")


def test_logs_from_every_place() -> None:
    frame = {"jsonrpc": "2.0", "method": "eth_subscription", "params": {"subscription": "0x1", "result": ENTRY}}
    message = msgspec.json.decode(json.dumps(frame), type=Frame[LogEntry])
    assert message.params is not None
    assert log(message.params.result) == DECODED
    answer = parse("eth_getLogs", json.dumps({"id": 1, "result": [ENTRY]}).encode(), tuple[LogEntry, ...])
    assert tuple(map(log, answer)) == logs([ENTRY]) == (DECODED,)
    assert hash(DECODED) == hash(logs([ENTRY])[0])


@pytest.mark.parametrize("answer", [{"result": None}, {}, {"result": "0x"}, {"result": [{"address": "0x1"}]}, []])
def test_an_answer_of_another_kind_is_none(answer: Any) -> None:
    with pytest.raises(RpcUnreachable):
        parse("eth_getLogs", json.dumps(answer).encode(), tuple[LogEntry, ...])


def test_an_error_is_told_whatever_was_asked() -> None:
    answer = {"id": 1, "result": None, "error": {"code": -32000, "message": "unknown block"}}
    with pytest.raises(RpcError, match="unknown block"):
        parse("eth_getLogs", json.dumps(answer).encode(), tuple[LogEntry, ...])


@needs_recordings
def test_recorded_transactions_are_encoded_as_they_were_signed() -> None:
    """Blob transactions and those with authorisations (types 3 and 4) cannot travel in a bundle."""
    kinds: Counter[int] = Counter()
    for path in sorted(MAINNET.glob("[0-9]*.json.gz")):
        cassette = json.loads(gzip.decompress(path.read_bytes()))
        for body, raw in zip(cassette["block"]["transactions"], cassette["rawTransactions"], strict=True):
            kind = int(body["type"], 16)
            decoded = transaction(msgspec.json.decode(json.dumps(body), type=TransactionBody))
            kinds[kind] += 1
            assert (decoded is None) == (kind > 2)
            if decoded is not None:
                assert "0x" + decoded.raw.hex() == raw
                assert decoded.sender == body["from"].lower()
    assert min(kinds[0], kinds[1], kinds[2], kinds[3]) > 0


def test_a_transaction_without_signature_is_none() -> None:
    """A rollup's deposit."""
    body = {"hash": "0x" + "00" * 32, "from": "0x" + "11" * 20, "type": "0x7e", "input": "0x", "to": None}
    assert transaction(msgspec.convert(body, TransactionBody)) is None
    assert transaction(msgspec.convert(body | {"type": "0x2"}, TransactionBody)) is None
