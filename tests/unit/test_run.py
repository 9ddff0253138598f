"""What `mev run` checks before it writes anything."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.abi import to_hex
from bot.cli.profile import Profile, load
from bot.cli.run import _contract
from bot.errors import UserError
from bot.execution import paper
from bot.execution.book import Book, Entry, Kind, runtime_code
from bot.execution.keys import Signer, ephemeral
from bot.jsonrpc import JsonRpc
from bot.paths import repo_root

MORPHO = "0x" + "bb" * 20


@pytest.fixture
def profile() -> Profile:
    return load(repo_root() / "forks" / "devnet.toml")


def node(profile: Profile, book: Book) -> JsonRpc:
    """With an executor that has ``book``, and lets everybody in."""

    async def call(method: str, *_: Any) -> str:
        if method == "eth_getCode":
            return to_hex(runtime_code("0x" + "11" * 20, profile.weth, book))
        assert method == "eth_call"
        return "0x" + "01".rjust(64, "0")

    return cast(JsonRpc, SimpleNamespace(call=call))


async def check(profile: Profile, deployed: Book, named: Book, signers: list[Signer]) -> None:
    await _contract(node(profile, deployed), profile, None, signers, named)


async def test_the_book_must_be_the_one_behind_the_code(profile: Profile) -> None:
    book = Book((Entry(MORPHO, Kind.LENDER_MORPHO),))
    longer = Book((*book.entries, Entry("0x" + "aa" * 20)))
    signers = [ephemeral()]
    for deployed, named in ((book, book), (book, Book.EMPTY), (Book.EMPTY, Book.EMPTY)):
        await check(profile, deployed, named, signers)
    for deployed, named in ((longer, book), (book, longer), (Book.EMPTY, book)):
        with pytest.raises(UserError, match="is not what lies behind the code") as refusal:
            await check(profile, deployed, named, signers)
        assert "\n" not in str(refusal.value)


async def test_paper_mode_imagines_an_executor_with_the_book(profile: Profile) -> None:
    book = Book((Entry(MORPHO, Kind.LENDER_MORPHO),))
    asked: list[Any] = []

    async def call(method: str, *params: Any) -> str:
        asked.append((method, params))
        return "0x6080"

    _, state = await _contract(cast(JsonRpc, SimpleNamespace(call=call)), profile, None, [], book)
    assert state[paper.CONTRACT].code == bytes.fromhex("6080")
    ((method, (request, _)),) = asked
    assert method == "eth_call" and request["data"].endswith(book.to_bytes().hex())


def test_the_book_lies_in_the_data_directory(profile: Profile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MEV_HOME", str(tmp_path))
    file = profile.book_file()
    assert file is not None and file.parent == tmp_path
    assert load(repo_root() / "forks" / "mainnet.toml").book_file() is None
