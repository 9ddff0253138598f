"""The address book: what it says of pools, as bytes and in files, and behind the executor's code."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from programs import books

from bot import abi
from bot.errors import UserError
from bot.execution import book as module
from bot.execution.book import ENTRY_SIZE, MOST, START, Book, Entry, Kind, deploy_data, runtime_code

WETH, DAI, USDC = "0x" + "cc" * 20, "0x" + "0d" * 20, "0x" + "ee" * 20
OWNER = "0x" + "11" * 20
MORPHO = "0x" + "bb" * 20


def pool(number: int, kind: str, token0: str, token1: str) -> SimpleNamespace:
    return SimpleNamespace(address=f"0x{number:040x}", kind=kind, token0=token0, token1=token1)


POOLS = [
    pool(1, "v2", DAI, WETH),
    pool(2, "v2", WETH, USDC),
    pool(3, "v3", DAI, WETH),
    pool(4, "v2", DAI, USDC),
    pool(5, "v3", WETH, USDC),
]


def test_what_it_says_of_pools() -> None:
    book = Book.of(WETH, POOLS, [(MORPHO, Kind.LENDER_MORPHO)], [WETH, DAI])
    kinds = [Kind.V2_WETH_1, Kind.V2_WETH_0, Kind.V3_WETH_1, Kind.OTHER, Kind.V3_WETH_0]
    assert [entry.kind for entry in book.entries] == [*kinds, Kind.LENDER_MORPHO, *[Kind.OTHER] * 3]
    others = {entry.address: book.address(entry.other) for entry in book.entries if entry.other is not None}
    assert others == {POOLS[0].address: DAI, POOLS[1].address: USDC}
    for index, entry in enumerate(book.entries):
        assert book.index(entry.address) == index
        assert book.entry(entry.address) is entry
    assert book.index(OWNER) is book.entry(OWNER) is book.address(len(book)) is None


@given(books())
def test_bytes(book: Book) -> None:
    """As Book.sol reads them."""
    data = book.to_bytes()
    assert len(data) == ENTRY_SIZE * len(book)
    for index, entry in enumerate(book.entries):
        word = data[ENTRY_SIZE * index :][:32].ljust(32, b"\0")
        assert (abi.to_hex(word[:20]), word[20]) == (entry.address, entry.kind)
        if entry.other is not None:
            assert int.from_bytes(word[21:23], "big") == entry.other


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([Entry(WETH), Entry(WETH)], "twice"),
        ([Entry(WETH, Kind.V2_WETH_0)], "another token"),
        ([Entry(WETH, Kind.V3_WETH_0, 0)], "another token"),
        ([Entry(WETH, Kind.V2_WETH_0, 1)], "no entry 1"),
        ([Entry("0x12")], "not an address"),
        ([Entry(f"0x{n:040x}") for n in range(MOST + 1)], "room"),
    ],
)
def test_contradictions(entries: list[Entry], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Book(tuple(entries))


# --- files -----------------------------------------------------------------------------------------------------------


@given(book=books())
def test_saved_is_loaded(book: Book, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("book") / "book.json"
    book.save(path)
    assert Book.load(path) == book


def test_toml(tmp_path: Path) -> None:
    path = tmp_path / "book.toml"
    path.write_text(
        f'[[entries]]\naddress = "{MORPHO.upper().replace("X", "x")}"\nkind = "v2_weth_1"\nother = "{DAI}"\n'
        f'[[entries]]\naddress = "{DAI}"\n'
    )
    assert Book.load(path) == Book((Entry(MORPHO, Kind.V2_WETH_1, 1), Entry(DAI)))


GOOD = {"address": MORPHO, "kind": "v2_weth_1", "other": DAI}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is not one"),
        ("[1]", "is not one"),
        ('{"entries": 1}', "entries"),
        ("[" * 100_000, "is not one"),
        ({"entries": [GOOD | {"kind": "v4_weth_0"}, {"address": DAI}]}, "there is no kind 'v4_weth_0'"),
        ({"entries": [GOOD | {"colour": "red"}]}, "colour"),
        ({"entries": [GOOD]}, "does not stand there"),
        ({"entries": [{"address": "0xzz"}]}, "'0xzz' is not an address"),
        ({"entries": [{"address": DAI}, {"address": DAI}]}, "twice"),
    ],
)
def test_bad_files(content: object, says: str, tmp_path: Path) -> None:
    path = tmp_path / "book.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(UserError, match=says) as refusal:
        Book.load(path)
    assert "\n" not in str(refusal.value) and str(path) in str(refusal.value)


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(UserError, match="cannot be read"):
            Book.load(path)
    (tmp_path / "noise").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="is not one"):
        Book.load(tmp_path / "noise")


# --- deployment ------------------------------------------------------------------------------------------------------


def test_the_executor_begins_as_its_memory_needs() -> None:
    code = runtime_code(OWNER, WETH)
    assert code.startswith(bytes.fromhex("6080604052"))
    assert len(code) < START
    for immutable in (OWNER, WETH):
        assert abi.to_bytes(immutable) in code


def test_code_and_book() -> None:
    book = Book.of(WETH, POOLS)
    plain, whole = runtime_code(OWNER, WETH), runtime_code(OWNER, WETH, book)
    assert whole == plain.ljust(START, b"\0") + book.to_bytes()
    assert deploy_data(OWNER, WETH, book).endswith(whole)
    fullest = Book(tuple(Entry(f"0x{n:040x}") for n in range(MOST)))
    assert len(runtime_code(OWNER, WETH, fullest)) <= 24_576
    with pytest.raises(UserError, match="cannot be created"):
        runtime_code("0x" + "00" * 20, WETH, book)


@pytest.mark.parametrize(
    ("code", "says"), [(b"\0" * 9, "does not begin"), (b"\x60\x80\x60\x40\x52" * START, "begins at")]
)
def test_code_that_does_not_fit(code: bytes, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.executor, "runtime_code", lambda *_: code)
    with pytest.raises(UserError, match=says):
        runtime_code(OWNER, WETH, Book.of(WETH, POOLS))
