"""A node's bytes as values: logs, transactions with their signed encoding, and answers that are not what was asked."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import MAINNET, needs_recordings

from bot.abi import keccak, to_bytes
from bot.chain.subscription import Frame
from bot.engine.decode import LogEntry, TransactionBody, announced, body_of, log, logs, recovered, transaction
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
                told = announced(body_of(to_bytes(raw)))
                assert (told.raw, told) == (to_bytes(raw), decoded)
                assert recovered(msgspec.convert(body, TransactionBody)) == decoded.sender
    assert min(kinds[0], kinds[1], kinds[2], kinds[3]) > 0


def test_a_transaction_without_signature_is_none() -> None:
    """A rollup's deposit."""
    body = {"hash": "0x" + "00" * 32, "from": "0x" + "11" * 20, "type": "0x7e", "input": "0x", "to": None}
    assert transaction(msgspec.convert(body, TransactionBody)) is None
    assert transaction(msgspec.convert(body | {"type": "0x2"}, TransactionBody)) is None


SIGNED = Account.from_key("0x" + "11" * 32)


def told_of(fields: dict[str, Any]) -> dict[str, Any]:
    """As a node tells of a transaction that was signed with these fields."""
    signed = SIGNED.sign_transaction(fields)
    named = {
        "maxFeePerGas": "maxFeePerGas",
        "maxPriorityFeePerGas": "maxPriorityFeePerGas",
        "gasPrice": "gasPrice",
        "chainId": "chainId",
        "nonce": "nonce",
        "gas": "gas",
        "value": "value",
    }
    body = {key: hex(fields[field]) for key, field in named.items() if field in fields}
    kind = 2 if "maxFeePerGas" in fields else 0
    return body | {
        "hash": "0x" + signed.hash.hex().removeprefix("0x"),
        "from": SIGNED.address,
        "to": fields["to"],
        "input": "0x" + fields["data"].hex(),
        "type": hex(kind),
        "r": hex(signed.r),
        "s": hex(signed.s),
        "v": hex(signed.v),
    }


FEES = st.one_of(
    st.fixed_dictionaries({"gasPrice": st.integers(0, 10**12)}),
    st.fixed_dictionaries({"maxFeePerGas": st.integers(10**9, 10**12), "maxPriorityFeePerGas": st.integers(0, 10**9)}),
)
REST = st.fixed_dictionaries(
    {
        "chainId": st.integers(1, 10**9),
        "nonce": st.integers(0, 10**6),
        "gas": st.integers(21_000, 10**7),
        "value": st.integers(0, 10**20),
        "data": st.binary(max_size=300),
        "to": st.just("0x" + "11" * 20),
    }
)


@settings(deadline=None, max_examples=60)
@given(FEES, REST, st.data())
def test_a_body_that_lies_has_no_encoding(fees: dict[str, int], rest: dict[str, Any], data: st.DataObject) -> None:
    """Whatever it lies about: what is simulated would not be what a bundle carries."""
    body = told_of(fees | rest)
    true = announced(msgspec.convert(body, TransactionBody))
    assert true.sender == SIGNED.address.lower()
    assert keccak(true.raw).hex() == true.hash[2:]
    field = data.draw(st.sampled_from(["hash", "from", "to", "input", "nonce", "gas", "value", *fees]))
    lie = "0x" + "77" * (len(body[field]) // 2 or 1) if field in ("hash", "from", "to") else body[field] + "01"
    told = announced(msgspec.convert(body | {field: lie}, TransactionBody))
    with pytest.raises(ValueError, match=r"not told as it was signed|was not signed by"):
        told.raw  # noqa: B018
    assert transaction(msgspec.convert(body | {field: lie}, TransactionBody)) is None


def test_what_was_read_once_stays() -> None:
    told = announced(msgspec.convert(told_of(PLAIN), TransactionBody))
    raw = told.raw
    assert raw is told.raw
    assert replace(told, nonce=9).raw == raw
    with pytest.raises(AttributeError):
        told.wrong  # noqa: B018


PLAIN = {"gasPrice": 1, "chainId": 1, "nonce": 0, "gas": 21_000, "value": 0, "data": b"", "to": "0x" + "11" * 20}


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=40).map(lambda raw: b"\x02\xf8" + raw)))
def test_bytes_that_are_no_transaction_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        body_of(raw)


def test_bytes_as_hostile_as_can_be() -> None:
    for raw in (b"", b"\x02", b"\xff" * 9, b"\xc1" * 10_000, b"\xf8\xff" * 10_000, b"\x02\xc0", b"\xbf" + b"\xff" * 8):
        with pytest.raises(ValueError):
            body_of(raw)
