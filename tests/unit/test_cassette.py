"""A cassette is what its hashes say, or it is refused in one line; what it does not hold is never zero."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak
from tiny_cassette import CODE, tiny, write

from bot.abi import encode
from bot.cli.main import run
from bot.errors import UserError
from bot.simulation.cassette import EMPTY_CODE, load
from bot.simulation.cassette_server import ERC7201_ERC20, Answers

HOLDER, PAID, STRANGER, FRESH = ("0x" + byte * 20 for byte in ("aa", "bb", "cc", "dd"))


def test_right_cassette_loads(tmp_path: Path) -> None:
    cassette = load(write(tmp_path, tiny()))
    assert cassette.number == 16
    assert cassette.code(cassette.accounts[HOLDER]) == CODE
    assert cassette.code(cassette.accounts[PAID]) is None
    assert cassette.block_hashes == {14: "0x" + "0e" * 32}
    assert cassette.context.gas_limit == 30_000_000


def spoil(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return change


CODE_HASH = next(iter(tiny()["codes"]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (spoil("format", value="fork-cassette/9"), "format"),
        (spoil("accounts", value=7), "not a cassette"),
        (spoil("block", "gasUsed", value="0x2"), "hash"),
        (spoil("block", "hash", value="0x" + "22" * 32), "hash"),
        (spoil("block", "baseFeePerGas", value=None), "baseFeePerGas"),
        (spoil("block", "gasUsed", value="many"), "not readable"),
        (spoil("parent", "hash", value="0x" + "33" * 32), "parent"),
        (spoil("rawTransactions", value=["0x02"]), "transactions"),
        (spoil("codes", CODE_HASH, value="0x00"), "another hash"),
        (spoil("codes", CODE_HASH, value="0xzz"), "hexadecimal"),
    ],
)
def test_wrong_cassette_is_one_line(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    content = tiny()
    change(content)
    path = write(tmp_path, content)
    with pytest.raises(UserError, match=said):
        load(path)
    assert_refused(path, capfd)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_cut_off_cassette_is_one_line(tmp_path: Path, share: float, capfd: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, tiny())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert_refused(path, capfd)


@pytest.mark.parametrize("raw", [b"{}", gzip.compress(b"[1]"), gzip.compress(b"{"), gzip.compress(b"\xff")])
def test_something_else_is_one_line(tmp_path: Path, raw: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "some.json.gz"
    path.write_bytes(raw)
    assert_refused(path, capfd)


def test_absent_file_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert_refused(tmp_path / "none.json.gz", capfd)


def assert_refused(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Status 2 and one line, and nothing is written beside the file."""
    before = sorted(path.parent.iterdir())
    assert run(["replay", str(path), "--json"]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert str(path) in said.err
    assert sorted(path.parent.iterdir()) == before


# --- served ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Any]:
    answers = Answers(load(write(tmp_path, tiny())), [FRESH])

    def ask(method: str, *params: Any) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        answer = json.loads(answers.answer(body))
        return answer["result"] if "result" in answer else answer["error"]["message"]

    return ask


def slot_of(number: int) -> str:
    return f"0x{number:064x}"


def mapping(key: str, place: int | bytes) -> str:
    return slot_of(int.from_bytes(keccak(encode(key) + (place if isinstance(place, bytes) else encode(place))), "big"))


def test_recorded_state_is_served(ask: Callable[..., Any]) -> None:
    assert ask("eth_getBalance", HOLDER, "latest") == "0x5"
    assert ask("eth_getCode", HOLDER, "latest") == CODE
    assert ask("eth_getStorageAt", HOLDER, slot_of(0), "latest") == slot_of(7)
    assert ask("eth_getBlockByNumber", "latest", False)["hash"] == "0x" + "00" * 32
    assert ask("eth_getBlockByNumber", "0xe", False)["hash"] == "0x" + "0e" * 32
    for precompile in ("0x" + "00" * 19 + "04", "0x" + "00" * 18 + "0100"):
        assert ask("eth_getBalance", precompile, "latest") == "0x0"


def test_what_is_not_recorded_is_an_error_that_names_it(ask: Callable[..., Any]) -> None:
    for question, names in (
        (("eth_getBalance", STRANGER, "latest"), STRANGER),
        (("eth_getCode", STRANGER, "latest"), STRANGER),
        (("eth_getCode", PAID, "latest"), PAID),
        (("eth_getAccountInfo", PAID, "latest"), PAID),
        (("eth_getStorageAt", HOLDER, slot_of(1), "latest"), f"slot 0x1 of {HOLDER}"),
        (("eth_getStorageAt", HOLDER, mapping(STRANGER, 0), "latest"), HOLDER),
        (("eth_getBlockByNumber", "0xd", False), "block 13"),
        (("eth_call", {}, "latest"), "eth_call"),
    ):
        assert names in ask(*question)


def test_fresh_account_is_empty_and_holds_no_token(ask: Callable[..., Any]) -> None:
    assert ask("eth_getBalance", FRESH, "latest") == "0x0"
    assert ask("eth_getCode", FRESH, "latest") == "0x"
    for place in (
        mapping(FRESH, 3),  # Solidity
        slot_of(int.from_bytes(keccak(encode(4) + encode(FRESH)), "big")),  # Vyper
        mapping(FRESH, ERC7201_ERC20),
        mapping(HOLDER, bytes.fromhex(mapping(FRESH, 1)[2:])),  # what it allowed
        mapping(FRESH, bytes.fromhex(mapping(HOLDER, 1)[2:])),  # what it was allowed
    ):
        assert ask("eth_getStorageAt", HOLDER, place, "latest") == slot_of(0)


def test_code_that_was_not_recorded_is_empty_for_the_block_itself(tmp_path: Path) -> None:
    answers = Answers(load(write(tmp_path, tiny())), unmodified=True)
    body = json.dumps([{"id": 1, "method": "eth_getCode", "params": [PAID, "latest"]}]).encode()
    assert json.loads(answers.answer(body)) == [{"jsonrpc": "2.0", "id": 1, "result": "0x"}]


def test_storage_of_what_was_no_contract_is_zero(tmp_path: Path) -> None:
    content = tiny()
    never, once = "0x" + "cc" * 20, "0x" + "dd" * 20  # where the block deploys something; what had a delegation once
    for address, nonce in ((never, "0x0"), (once, "0x1")):
        content["accounts"][address] = {"nonce": nonce, "balance": "0x1", "codeHash": EMPTY_CODE, "storage": {}}
    answers = Answers(load(write(tmp_path, content)))
    body = [{"id": 1, "method": "eth_getStorageAt", "params": [at, slot_of(8), "latest"]} for at in (never, once)]
    empty, unknown = json.loads(answers.answer(json.dumps(body).encode()))
    assert empty["result"] == slot_of(0)
    assert once in unknown["error"]["message"]
