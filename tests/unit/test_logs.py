"""No secret reaches a log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bot.cli import logs

KEY = "0x" + "c0ffee" * 10 + "abcd"


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    """What sets up the logs in this process writes to this test's stderr, which is gone afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET https://node.example/v3/KEY?a=b failed", "GET https://node.example/… failed"),
        ("wss://me:pass@node.example:8546/ws", "wss://node.example:8546/…"),
        ("http://127.0.0.1:8545 is there", "http://127.0.0.1:8545 is there"),
        ("two: https://a.b/c, https://d.e?f", "two: https://a.b/… https://d.e/…"),
    ],
)
def test_urls_keep_scheme_and_host(text: str, shown: str) -> None:
    assert logs.redact(text) == shown


@given(st.text(alphabet="abcdef0123456789", min_size=8, max_size=64), st.text(), st.text())
def test_a_kept_secret_appears_nowhere(secret: str, before: str, after: str) -> None:
    logs.keep_secret("0x" + secret)
    try:
        assert secret not in logs.redact(f"{before}{secret}{after}")
        assert secret not in logs.redact(f"0x{secret}")
    finally:
        logs._kept.clear()


def test_every_way_to_log_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up()
    logs.keep_secret(KEY)
    try:
        structlog.get_logger("test").warning("event", private_key="x1", detail={"password": "x2", "seen": [KEY, 7]})
        logging.getLogger("library").warning("signed with %s", KEY)
    finally:
        logs._kept.clear()
    told = capsys.readouterr()
    first, second = told.err.splitlines()
    event = json.loads(first)
    assert event["private_key"] == event["detail"]["password"] == logs.HIDDEN
    assert event["detail"]["seen"] == ["0x" + logs.HIDDEN, 7]
    assert second == f"WARNING library: signed with 0x{logs.HIDDEN}"
    assert told.out == ""
