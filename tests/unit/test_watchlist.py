"""The watch list: what a file may say, what is wrong with it in one line, and how it changes while somebody looks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from eth_utils.address import to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import header
from structlog.testing import capture_logs

from bot.chain import watchlist
from bot.chain.watchlist import Kind, Watched, WatchList, load
from bot.engine.types import NewHead
from bot.errors import UserError

ONE, TWO, THREE = ("0x" + digit * 40 for digit in "abc")
HEAD = NewHead(header(1, "0x1", "0x0"), (), {}, (), 1)


@pytest.fixture(autouse=True)
def plain_logs() -> None:
    """Commands that earlier tests ran left the logs with a stderr of their own."""
    structlog.reset_defaults()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "whales.csv"


def test_what_a_file_may_say(path: Path) -> None:
    shouted = TWO.upper().replace("0X", "0x")
    rows = ("address,label,kind", "# ours", "", to_checksum_address(ONE), f'{shouted}, "Fund, the", wallet \r')
    path.write_text("\ufeff" + "\n".join((*rows, f"{THREE},Exchange X,deposit", "")), encoding="utf-8")
    assert load(path) == {
        ONE: Watched(ONE, Kind.WALLET),
        TWO: Watched("Fund, the", Kind.WALLET),
        THREE: Watched("Exchange X", Kind.DEPOSIT),
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0x12,a\n", "line 1: '0x12' is not an address"),
        (f"# x\n{ONE},a,whale\n", "line 2: kind 'whale' is none: say wallet, exchange, deposit, ignored"),
        (f"{ONE},a\n{TWO},b\n{ONE.upper().replace('0X', '0x')},c\n", f"line 3: {ONE} is in line 1 already: keep one"),
        (f"{ONE},Fund, the,wallet\n", "line 1: 4 values: write address,label,kind"),
        (to_checksum_address("0x" + "ab" * 20).swapcase().replace("0X", "0x") + ",a\n", "wrong checksum"),
        (f'{ONE},"a\n', "line 1: unexpected end of data"),
        (f'{ONE},"a\nb"\n', "a label is one line"),
    ],
)
def test_a_bad_row_is_named(path: Path, text: str, says: str) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=says) as error:
        load(path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)


def test_no_file_and_no_text(path: Path) -> None:
    with pytest.raises(UserError, match="mev whales add"):
        load(path)
    path.write_bytes(b"\xff\xfe\x00garbage\x80")
    with pytest.raises(UserError, match="cannot be read"):
        load(path)


_LABELS = (
    st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1)
    .map(str.strip)
    .filter(lambda label: label and "\x85" not in label)
)
_ENTRIES = st.dictionaries(
    st.integers(0, 2**160 - 1).map(lambda number: f"0x{number:040x}"), st.tuples(_LABELS, st.sampled_from(Kind))
)


@settings(deadline=None)
@given(_ENTRIES)
def test_what_is_added_comes_back_and_goes_again(
    tmp_path_factory: pytest.TempPathFactory, entries: dict[str, tuple[str, Kind]]
) -> None:
    path = tmp_path_factory.mktemp("lists") / "whales.csv"
    path.write_text("# kept\n", encoding="utf-8")
    wanted = watchlist.named((address, label, kind) for address, (label, kind) in entries.items())
    assert watchlist.add(path, wanted) == len(wanted)
    assert load(path) == {address: Watched(label, kind) for address, (label, kind) in entries.items()}
    for address, watched in wanted.items():
        assert watchlist.remove(path, address) == watched
    assert path.read_text(encoding="utf-8") == "# kept\n"


def test_nothing_is_written_where_one_is_there_already(path: Path) -> None:
    watchlist.add(path, {ONE: Watched("a", Kind.WALLET)})
    before = path.read_bytes()
    with pytest.raises(UserError, match="already, as 'a'"):
        watchlist.add(path, {TWO: Watched("b", Kind.WALLET), ONE: Watched("b", Kind.WALLET)})
    with pytest.raises(UserError, match="is not in"):
        watchlist.remove(path, TWO)
    assert path.read_bytes() == before and [entry.name for entry in path.parent.iterdir()] == [path.name]


def write(path: Path, text: str | None) -> None:
    """No text: no file."""
    if text is None:
        path.unlink()
    else:
        path.write_text(text, encoding="utf-8")


async def settled(watch: WatchList) -> None:
    await watch.adapt(HEAD)
    if watch._reading is not None:
        await asyncio.wait_for(watch._reading, 5)


async def test_a_change_is_taken_in_at_a_head_whole_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchlist, "logger", structlog.get_logger())  # a logger that was used keeps where it wrote to
    write(path, f"{ONE},a\n")
    watch = WatchList(path)
    watchlist.add(path, {TWO: Watched("b", Kind.EXCHANGE)})
    assert watch.get(TWO) is None and watch.get(None) is None
    await settled(watch)
    assert watch.get(TWO) == Watched("b", Kind.EXCHANGE)
    for spoilt in (f"{THREE},c\nnonsense\n", None):
        write(path, spoilt)
        with capture_logs() as said:
            await settled(watch)
            watch._reading = None
            await settled(watch)
        assert [entry["log_level"] for entry in said] == ["warning"], "once"
        assert watch.get(ONE) == Watched("a", Kind.WALLET) and watch.get(THREE) is None
    write(path, f"{THREE},c\n")
    await settled(watch)
    assert watch.get(THREE) and not watch.get(ONE)


def test_ten_thousand_rows(path: Path, record_property: Callable[[str, object], None]) -> None:
    addresses = [to_checksum_address(f"0x{number * 7919 + (1 << 150):040x}") for number in range(10_000)]
    path.write_text("".join(f"{address},wallet {n}\n" for n, address in enumerate(addresses)), encoding="utf-8")
    begun = time.process_time()
    assert len(load(path)) == 10_000
    record_property("10,000 checksummed rows, ms", round((time.process_time() - begun) * 1e3))
