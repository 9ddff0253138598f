"""MEV-Share's stream and archive, from a server of their protocol: whole, cut anywhere, and hostile."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import sys
import time
from collections.abc import Sequence
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mev_share_server import PING, MevShareServer, event, message, name, serving

from bot.chain import mev_share_history
from bot.chain.event_stream import EventStream
from bot.chain.mev_share import MevShareCollector
from bot.chain.mev_share_history import history
from bot.cli.hints import MOST, _archived, _json, _line, _streamed
from bot.engine.clock import SystemClock
from bot.engine.loop import Engine
from bot.engine.seam import Strategy
from bot.engine.types import Event, Hint, Opportunity
from bot.jsonrpc import RpcUnreachable

SWAP = "0xd78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822"


# --- framing ----------------------------------------------------------------------------------------------------------


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def fed(stream: EventStream, chunks: Sequence[bytes]) -> list[bytes]:
    return [found for chunk in chunks for found in stream.feed(chunk)]


texts = st.text(alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.lists(texts, min_size=1, max_size=3), max_size=5),
    st.lists(st.sampled_from(["\n", "\r", "\r\n"]), min_size=20, max_size=20),
    st.lists(st.integers(0, 10_000), max_size=30),
    st.booleans(),
)
def test_events_come_out_however_they_are_cut(
    events: list[list[str]], ends: list[str], places: list[int], space: bool
) -> None:
    """Lines of every end, of several data lines, with comments and other fields between."""
    raw, n = "", 0
    for number, lines in enumerate(events):
        for line in (":ping", f"id: {number}", *(f"data:{' ' if space else ''}{line}" for line in lines), ""):
            end = ends[n % len(ends)]
            # a line that ends with CR may not be followed by an empty one that begins with LF: that is one CRLF
            raw, n = raw + line + ("\n" if not line and raw.endswith("\r") and end == "\n" else end), n + 1
    whole = raw.encode()
    expected = fed(EventStream(), [whole])
    assert fed(EventStream(), cut(whole, places)) == expected
    assert fed(EventStream(), [bytes((byte,)) for byte in whole]) == expected
    if "\r" not in ends and not space:
        stripped = [[line.removeprefix(" ") for line in lines] for lines in events]
        assert expected == ["\n".join(lines).encode() for lines in stripped]


def test_the_line_ends_of_the_standard() -> None:
    for end in (b"\n", b"\r", b"\r\n"):
        raw = end.join(
            [b"\xef\xbb\xbfdata: a", b"data", b"data:b", b"", b":ping", b"", b"event: x", b"", b"data: c", b"", b""]
        )
        assert fed(EventStream(), [raw]) == [b"a\n\nb", b"c"]
        assert fed(EventStream(), [raw[:-1]]) == ([b"a\n\nb"] if end != b"\r\n" else [b"a\n\nb", b"c"])


def test_an_event_that_is_too_large_is_passed_over_and_the_next_is_not() -> None:
    for parts in (
        [b"data: " + b"x" * 5000 + b"\n\n"],
        [b"data: "] + [b"y"] * 5000 + [b"\n", b"\n"],
        [b"data: z\n"] * 900 + [b"\n"],
    ):
        stream = EventStream(largest=1000)
        assert fed(stream, [event(1), *parts, PING, event(2)]) == [message(1), message(2)]
        assert stream.oversized == 1


def test_a_line_without_end_takes_no_memory() -> None:
    stream = EventStream(largest=1000)
    for _ in range(20_000):
        assert stream.feed(b"data: " + b"x" * 500) == []
    assert sum(map(len, stream._line)) <= 1000
    assert fed(stream, [b"\n\n", event(1)]) == [message(1)]


def test_noise_raises_nothing() -> None:
    stream, dice = EventStream(largest=200), random.Random(7)
    for _ in range(20_000):
        stream.feed(bytes(dice.choices(b"\r\n:d ata", k=dice.randrange(40))))
        assert sum(map(len, stream._line)) + sum(map(len, stream._data)) <= 300


# --- the collector ----------------------------------------------------------------------------------------------------


async def collected(server: MevShareServer, silence: float = 30.0) -> tuple[list[Hint], str, MevShareCollector]:
    """The hints of one connection, and why it ended."""
    async with serving(server):
        collector = MevShareCollector(server.url, SystemClock(), silence=silence)
        found = []
        try:
            async with aclosing(collector.events()) as events:
                async for each in events:
                    found.append(each)
        except RpcUnreachable as error:
            return found, str(error), collector
    raise AssertionError("a stream ends by an error")


async def test_hints_between_pings_however_they_are_split() -> None:
    raw = b"".join(
        [PING, event(1), PING, event(2), b'data: {\r\ndata:  "hash": "' + name(3).encode() + b'"\r\ndata: }\r\n\r\n']
    )
    server = MevShareServer([[*cut(raw, range(0, len(raw), 7)), 0.05], []])
    found, why, collector = await collected(server)
    assert [hint.hash for hint in found] == [name(1), name(2), name(3)]
    assert "ended" in why and collector.counts.hints == 3
    assert all(hint.seen_ns > 0 for hint in found)


async def test_what_is_no_hint_is_counted_and_passed_over() -> None:
    bad = [b"data: nonsense\n\n", b'data: {"hash":5}\n\n', b"data: " + b"[" * 5000 + b"\n\n", b"data: \xff\xfe\n\n"]
    large = b"data: " + b"x" * (2 << 20) + b"\n\n"
    logs = [{"address": "0x" + "ab" * 20, "topics": [SWAP], "data": "0xzz"}]
    server = MevShareServer([[*bad, event(1), large, event(2, logs=logs), b'data: {"hash":"<b>"}\n\n', event(3)], []])
    found, _, collector = await collected(server)
    assert [hint.hash for hint in found] == [name(1), name(3)]
    assert (collector.counts.malformed, collector.counts.oversized) == (6, 1)


async def test_silence_is_an_error_and_pings_are_not() -> None:
    pings: list[bytes | float] = [0.1, PING]
    server = MevShareServer([[PING, event(1), *(pings * 6)]])
    start = time.monotonic()
    found, why, _ = await collected(server, silence=0.5)
    assert len(found) == 1 and "Timeout" in why
    assert time.monotonic() - start > 1.0, "the pings came for 0.6 s, and then silence for 0.5 s"


@pytest.mark.parametrize(
    "server", [MevShareServer(status=503), MevShareServer(content_type="text/html"), MevShareServer(status=404)]
)
async def test_what_is_no_stream_is_an_error_without_secrets(server: MevShareServer) -> None:
    async with serving(server):
        collector = MevShareCollector(server.url + "/?key=secret", SystemClock())
        with pytest.raises(RpcUnreachable) as told:
            await anext(collector.events())
    assert "secret" not in str(told.value) and collector.counts.connections == 0


async def test_the_engine_opens_it_again_and_nothing_comes_twice() -> None:
    """Cut off in the middle of an event; the next connection begins with what the last had told."""
    server = MevShareServer([[event(1), event(2)[:40]], [event(1), event(2), 0.05], [event(2), event(3)]])
    seen: list[str] = []
    done = asyncio.Event()

    class Listener:
        name = "listener"

        async def adapt(self, each: Event) -> Event | None:
            assert isinstance(each, Hint)
            seen.append(each.hash)
            if each.hash == name(3):
                done.set()
            return None

        def process(self, each: Event) -> Sequence[Opportunity]:
            return []

        async def execute(self, opportunities: Sequence[Opportunity]) -> None: ...

        async def drain(self) -> None: ...

    async with serving(server):
        listener = Listener()
        collector = MevShareCollector(server.url, SystemClock())
        strategies: list[Strategy] = [listener]
        engine = Engine(
            collectors=[collector],
            adapters=[listener],
            strategies=strategies,
            executor=listener,
            clock=SystemClock(),
            rng=random.Random(1),
        )
        running = asyncio.create_task(engine.run())
        async with asyncio.timeout(30):
            await done.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert seen == [name(1), name(2), name(3)]
    assert collector.counts.repeated == 2 and collector.counts.connections == 3
    assert engine.health["mev-share"].restarts == 2


# --- the archive ------------------------------------------------------------------------------------------------------


def entries(count: int) -> list[dict[str, object]]:
    return [
        {"block": 100 + n // 3, "timestamp": 5000 + n, "hint": {"hash": name(n), "logs": None, "txs": None}}
        for n in range(count)
    ]


async def test_every_page_of_the_archive() -> None:
    async with serving(MevShareServer(entries=entries(35))) as server:
        found = [each async for each in history(server.url)]
        assert [(each.block, each.timestamp, each.hint.hash) for each in found] == [
            (100 + n // 3, 5000 + n, name(n)) for n in range(35)
        ]
        assert found[7].hint.seen_ns == 5007 * 10**9
        assert [query["offset"] for query in server.asked] == ["0", "10", "20", "30"]
        some = [each.block async for each in history(server.url + "/", first=101, last=103)]
        assert some == [101] * 3 + [102] * 3 + [103] * 3


async def test_an_archive_that_does_not_keep_its_word_ends() -> None:
    """It looks at no offset, allows pages of nothing, or has entries that are no hints."""
    bad = [{"block": 1, "timestamp": 1, "hint": {"hash": 7}}, {"block": 1, "timestamp": 1, "hint": "x"}]
    server = MevShareServer(entries=[*bad, *entries(33)], forgets=True, most=0)
    async with serving(server):
        assert [each async for each in history(server.url)] == []
        server.most = 5
        assert [each.hint.hash async for each in history(server.url)] == [name(0), name(1), name(2)]
        assert len(server.asked) <= 8


async def test_a_busy_archive_is_asked_again_and_another_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mev_share_history, "PAUSES", (0.01,) * 4)
    async with serving(MevShareServer(entries=entries(3), busy=3)) as server:
        assert len([each async for each in history(server.url)]) == 3
        server.busy = 9
        with pytest.raises(RpcUnreachable, match="429"):
            await anext(history(server.url))
        for answer in (b"<html>", b"{}", b'{"count":"x"}', b"[" * 100_000, b"\xff"):
            server.answer = answer
            with pytest.raises(RpcUnreachable):
                await anext(history(server.url))


# --- the command ------------------------------------------------------------------------------------------------------


def shown_logs(*, data: str) -> list[dict[str, object]]:
    return [{"address": "0x" + "ab" * 20, "topics": [SWAP, "0x" + "00" * 32], "data": data}] * 2


async def test_what_the_command_shows() -> None:
    path = "0" * 24 + "11" * 20 + "0" * 24 + "22" * 20
    words = "".join(f"{word:064x}" for word in (1000, 7, 160, 5, 0, 2))
    tx = {"to": "0x" + "cd" * 20, "callData": "0x38ed1739" + words + path}
    archive = [
        {"block": 9, "timestamp": 1, "hint": {"hash": name(1), "logs": shown_logs(data="0x"), "txs": [tx]}},
        {"block": 9, "timestamp": 1, "hint": {"hash": name(2), "logs": shown_logs(data="0x01"), "txs": None}},
        {"block": 9, "timestamp": 1, "hint": {"hash": name(3), "logs": None, "txs": None}},
    ]
    async with serving(MevShareServer(entries=archive)) as server:
        one, two, three = [each async for each in _archived(server.url, None, None, MOST)]
        assert len([each async for each in _archived(server.url, None, None, 2)]) == 2
    way = "0x11111111→0x22222222"
    assert _line(one) == f"block 9 {name(1)} v2:0xabababab (amounts kept back); asks v2 {way} 1000 wei in"
    assert _line(two) == f"block 9 {name(2)} v2:0xabababab"
    assert _line(three) == f"block 9 {name(3)} nothing about swaps (0 logs)"
    told = json.loads(json.dumps(_json(one)))
    assert told["pools"] == [{"kind": "v2", "pool": "0x" + "ab" * 20, "whole": False}]
    assert told["swaps"][0]["amount"] == 1000 and told["block"] == 9


async def test_the_command_follows_a_stream_over_its_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bot.cli.hints.FIRST_PAUSE", 0.01)
    async with serving(MevShareServer([[event(1)], [event(1), event(2)], []])) as server:
        found = [each.hint.hash async for each in _streamed(server.url, 2)]
    assert found == [name(1), name(2)]
    assert "again in" in capsys.readouterr().err


async def test_the_command_itself() -> None:
    async with serving(MevShareServer(entries=entries(3))) as server:
        told: dict[int, tuple[int | None, list[str], str]] = {}
        for arguments in (["--history", server.url, "--json"], ["--history", server.url + "/nothing"], []):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot.cli.main", "hints", *arguments),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, "MEV_LOG": "error"},
            )
            out, err = await process.communicate()
            told[len(told)] = process.returncode, out.decode().splitlines(), err.decode()
    assert told[0][0] == 0 and [json.loads(line)["hash"] for line in told[0][1]] == [name(0), name(1), name(2)]
    assert told[1][0] == 1 and "404" in told[1][2] and not told[1][1]
    assert told[2][0] == 2 and "--stream URL or --history URL" in told[2][2]
